"""Tools for tests, ours and those of projects that build on the gateway; docs/testing.md has examples.

- `FakeClock`: time that stands still until it is moved.
- `running_gateway`: a gateway with a fresh store on a free port, whose clock a test moves (`advance`).
- `session_pair`: two SMPP sessions that are bound to each other, in memory.
- `BadLink`: a TCP proxy that cuts, holds back, delays and splits octets.

With pytest, the fixtures `gateway` and `handset` (pytest_fetion_gateway) are usually enough.
"""

from gateway.testing.badlink import BadLink
from gateway.testing.clock import NOON, FakeClock
from gateway.testing.running import CHEAP, RunningGateway, running_gateway
from gateway.testing.sessions import session_pair

__all__ = ["CHEAP", "NOON", "BadLink", "FakeClock", "RunningGateway", "running_gateway", "session_pair"]
