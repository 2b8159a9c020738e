"""Ports for servers that tests start and that must be told their port.

Below the ports that the kernel gives to connections: nobody else gets one between the look and the server's
start; each process of the suite begins elsewhere.
"""

import itertools
import os
import socket
from typing import Final

FIRST: Final = 10_000
COUNT: Final = 22_000
"""Five digits: recordings show them. The kernel gives out 32768 and above."""

_offsets = itertools.count(os.getpid() * 101)


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, another one at each call."""
    while True:
        port = FIRST + next(_offsets) % COUNT
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
