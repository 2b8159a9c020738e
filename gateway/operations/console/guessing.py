"""Limits on guessing passwords: by account and address, by address, and by account.

It does not matter whether the account exists. What one address guesses at an account delays itself long
before it delays the account's owner, who comes from another one.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gateway.net.admission import address_of, group_of

REMEMBERED: Final = 3600.0
"""Seconds after the last failure."""
MOST: Final = 10_000
"""Keys that are remembered; beyond that the one that failed longest ago is forgotten."""
LONGEST_NAME: Final = 64
"""Characters of a name that count."""


@dataclass(frozen=True, slots=True)
class Rule:
    """free: failures before the first pause, which is one second and doubles with each one. longest: s."""

    free: int
    longest: float


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {"account at an address": Rule(5, 900.0), "address": Rule(30, 900.0), "account": Rule(50, 30.0)}
)


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    next: float = 0.0


class Guesses:
    """Remembers failures. monotonic: seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._known: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def pause(self, name: str, remote: str) -> float:
        """Seconds until somebody at an address may try a name again; 0: now."""
        now = self._monotonic()
        ends = [self._known[key].next for key in _keys(name, remote) if key in self._known]
        return max([0.0, *(end - now for end in ends)])

    def failed(self, name: str, remote: str) -> None:
        """Note a failure. It is noted before the password is looked at: many tries at once are many."""
        now = self._monotonic()
        for key in _keys(name, remote):
            rule, failures = RULES[key[0]], self._known.pop(key, _Failures())
            if now - failures.last > REMEMBERED:
                failures = _Failures()
            failures.count += 1
            failures.last = now
            beyond = failures.count - rule.free
            failures.next = now + min(rule.longest, 2.0 ** min(beyond, 20)) if beyond >= 0 else 0.0
            self._known[key] = failures
        while len(self._known) > MOST:
            self._known.popitem(last=False)

    def succeeded(self, name: str, remote: str) -> None:
        """The password was right: what this address failed at the account is forgotten, and one failure of
        the others, which `failed` had noted beforehand."""
        pair, *others = _keys(name, remote)
        self._known.pop(pair, None)
        for key in others:
            if key in self._known:
                self._known[key].count -= 1
                self._known[key].next = 0.0

    def taken_back(self, name: str, remote: str) -> None:
        """Nobody has looked at the password: what `failed` had noted is no failure. A pause that has begun
        stays: others may have failed meanwhile."""
        for key in _keys(name, remote):
            failures = self._known.get(key)
            if failures is not None and failures.count > 0:
                failures.count -= 1
                if failures.count < RULES[key[0]].free:
                    failures.next = 0.0


def _keys(name: str, remote: str) -> tuple[tuple[str, str], ...]:
    name, group = name[:LONGEST_NAME], group_of(address_of(remote))
    return ("account at an address", f"{name} {group}"), ("address", group), ("account", name)
