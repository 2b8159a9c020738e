"""The contract of observers (gateway.observer), with observers of a running gateway."""

from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.observer import METHODS, Observer, together
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.simulator.handset import Account, Centre
from tests.proofs.served import PASSWORD, SYSTEM_ID, lines, write_config
from tests.support import ALICE, BOB

LOGGED = {
    "handled": "sms.handled",
    "sent": "sms.sent",
    "rejected": "sms.rejected",
    "bind_accepted": "bind.accepted",
}
"""What an observer hears, and what the event log writes of it."""

PER_SMS = tuple(name for name in METHODS if name != "committed")
"""All but what is told once per batch: how many batches there are depends on the machine."""

HEARD = {"handled": 2, "sent": 2, "rejected": 1, "bind_accepted": 1, "bind_closed": 1}
"""What is heard of a conversation."""


class Counting(Observer):
    """An observer that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        for name in PER_SMS:
            setattr(self, name, partial(self._count, name))

    def _count(self, name: str, *_: object, **__: object) -> None:
        self.counts[name] += 1


class Raising(Observer):
    """An observer in which everything is a bug."""

    def __getattribute__(self, name: str) -> Any:
        if name in PER_SMS:
            return self._raise
        return super().__getattribute__(name)

    def _raise(self, *_: object, **__: object) -> None:
        raise RuntimeError("a bug of an observer")


async def converse(folder: Path, *observers: Observer) -> tuple[list[str], list[dict[str, Any]]]:
    """Two handsets send three SMS, one of which nobody takes; what Alice got, and the lines of the log."""
    settings = load(write_config(folder), {})
    with closing(open_log(settings.logging)) as log:
        async with Gateway(settings, log, observers=observers) as running:
            account = Account("127.0.0.1", running.port, SYSTEM_ID, PASSWORD)
            async with await Centre.connect(account, [ALICE, BOB]) as centre:
                alice, bob = centre.handsets[ALICE], centre.handsets[BOB]
                await alice.send("KTFX", "161")
                got = [(await alice.expect("飞信")).text[:2]]
                with pytest.raises(Exception, match="ESME_RINVDSTADR"):
                    await bob.send("KTFX", "999")
                await alice.send("CXFX", "161")
                got.append((await alice.expect("")).text[:2])
    return got, lines(folder / "gateway.log")


async def test_an_observer_hears_what_the_log_writes(tmp_path: Path) -> None:
    """An observer that counts counts as many SMS, rejections and binds as there are lines in the log."""
    counting = Counting()
    _, written = await converse(tmp_path, counting)
    logged = Counter(line["event"] for line in written)
    assert {name: counting.counts[name] for name in LOGGED} == {
        name: logged[each] for name, each in LOGGED.items()
    }
    assert counting.counts == HEARD


async def test_an_observer_that_raises_changes_nothing(tmp_path: Path) -> None:
    """Whatever an observer raises, the handsets get the same answers, the other observers hear everything,
    and the log says that something is broken."""
    counting = Counting()
    undisturbed, _ = await converse(tmp_path / "calm")
    disturbed, written = await converse(tmp_path / "noisy", Raising(), counting)
    assert disturbed == undisturbed
    assert counting.counts == HEARD | {"broken": sum(HEARD.values())}
    logged = Counter(line["event"] for line in written)
    assert logged["sms.handled"] == logged["sms.sent"] == 2
    assert [line for line in written if line["level"] == "error" and "a bug of an observer" in str(line)]


def test_together_tells_several() -> None:
    """Several observers hear every method, in order; one alone is given back as it is, and costs nothing."""
    heard: list[tuple[int, str, tuple[object, ...]]] = []

    def listening(number: int) -> Observer:
        observer = Observer()
        for name in METHODS:
            setattr(observer, name, lambda *given, name=name: heard.append((number, name, given)))
        return observer

    whole = together([listening(1), listening(2)])
    for name in METHODS:
        getattr(whole, name)("given")
    assert heard == [(number, name, ("given",)) for name in METHODS for number in (1, 2)]
    alone = Counting()
    assert together([alone]) is alone


def test_what_only_the_first_hears_costs_nothing_more() -> None:
    """A method to which no other observer listens is that of the first one itself."""
    first = Counting()
    whole = together([first, Observer()])
    assert all(getattr(whole, name) is getattr(first, name) for name in PER_SMS)
