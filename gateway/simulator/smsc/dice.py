"""Draws which faults happen, from a seed: the same SMS in the same order have the same faults."""

from random import Random
from typing import Final

from gateway.simulator.smsc.faults import Faults, Rule

MISCHIEF: Final = (
    "throttle", "nack", "swallow", "wrong_sequence", "wrong_command", "garbage", "cut", "unbind", "silence",
)  # fmt: skip
"""The faults of which an SMS has one at most, in the order in which they are drawn."""

_THE_OTHERS: Final = ("delay", "slow", "accept_then_cut", "refuse_bind", "again")


class Draw:
    """Draws for one rule; each has random numbers of its own, so that no rule disturbs another."""

    __slots__ = ("_count", "_random", "_rule")

    def __init__(self, rule: Rule | None, seed: str) -> None:
        self._rule = rule
        self._random = Random(seed)
        self._count = 0

    def __call__(self) -> bool:
        """Whether it happens to the next one."""
        rule = self._rule
        if rule is None:
            return False
        self._count += 1
        behind = self._count - rule.first
        if behind < 0 or (rule.until is not None and self._count >= rule.until) or behind % rule.every:
            return False
        return self._random.random() < rule.share


class Dice:
    """All draws of a centre."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self.random = Random(f"{seed} values")
        self._draws = {
            name: Draw(getattr(faults, name), f"{seed} {name}") for name in (*MISCHIEF, *_THE_OTHERS)
        }
        self._second = -1
        self._in_second = 0

    def happens(self, name: str) -> bool:
        """Whether the fault of this name happens to what comes now."""
        return self._draws[name]()

    def mischief(self, now: float) -> str:
        """What happens to an SMS: one of MISCHIEF; "" when nothing does. now: seconds."""
        drawn = [name for name in MISCHIEF if self._draws[name]()]  # each counts every SMS
        if "throttle" in drawn and not self._too_fast(now):
            drawn.remove("throttle")
        return drawn[0] if drawn else ""

    def delay(self) -> float:
        """By how many seconds the response is late."""
        rule = self.faults.delay
        return self.random.uniform(*rule.seconds) if rule is not None and self.happens("delay") else 0.0

    def share(self, share: float) -> bool:
        """Whether something with this share happens."""
        return self.random.random() < share

    def state(self) -> str:
        """The state that a receipt tells."""
        states = self.faults.receipts.states
        return self.random.choices(list(states), list(states.values()))[0]

    def _too_fast(self, now: float) -> bool:
        rule = self.faults.throttle
        if rule is None or not rule.above:
            return True
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        return self._in_second > rule.above
