"""What a province may send: a rate with a burst, and a number a day that outlives the process."""

from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.events.broker import ProvinceLimits, Provinces
from gateway.message import Commit, Posted
from gateway.processing.quotas import Quotas
from gateway.storage.memory import MemoryStore, MemoryStores
from tests.support import at_once

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = 1_796_054_400_000
"""2026-12-01 in Shanghai."""


def store_of(*posted: Posted) -> MemoryStore:
    """One with these SMS."""
    store = MemoryStores().open_store(Path("store"))
    at_once(store.commit(Commit(posted=list(posted))))
    return store


def quotas(rate: float = 10, burst: int = 5, per_day: int = 100) -> Quotas:
    """Of all provinces alike, but for 100."""
    of = {"100": ProvinceLimits(rate=1, burst=1, per_day=1)}
    return Quotas(Provinces(rate=rate, burst=burst, per_day=per_day, of=of).limits, SHANGHAI)


def test_a_burst_and_then_the_rate() -> None:
    """Five at once, then one each tenth of a second; what is saved up is a burst again at most."""
    limits = quotas()
    at_once(limits.day(MIDNIGHT, store_of()))
    assert [limits.refusal("200", new, 100.0) == "" for new in range(7)] == [True] * 5 + [False] * 2
    assert "too fast: 10 SMS a second, 5 at once" in limits.refusal("200", 5, 100.0)
    limits.spend("200", 5)
    assert limits.refusal("200", 0, 100.05)
    assert not limits.refusal("200", 0, 100.101)
    assert [limits.refusal("200", new, 9999.0) == "" for new in range(6)] == [True] * 5 + [False]


def test_what_is_not_stored_is_not_counted() -> None:
    """Asking alone costs nothing."""
    limits = quotas(burst=1)
    at_once(limits.day(MIDNIGHT, store_of()))
    assert [limits.refusal("200", 0, 5.0) for _ in range(3)] == ["", "", ""]


def test_each_province_has_its_own() -> None:
    """Another one is not touched; one may have limits of its own."""
    limits = quotas()
    at_once(limits.day(MIDNIGHT, store_of()))
    limits.refusal("200", 0, 0.0)
    limits.spend("200", 5)
    assert not limits.refusal("210", 4, 0.0)
    assert limits.refusal("100", 1, 0.0)


def test_the_day_is_that_of_the_service_and_is_in_the_store() -> None:
    """SMS of yesterday do not count, those of today do after a start; at midnight it begins anew."""
    sent = [Posted("200", f"{n}", MIDNIGHT - 1 + n, n) for n in range(4)]
    store, limits = store_of(*sent), quotas(per_day=4)
    at_once(limits.day(MIDNIGHT + 1000, store))
    assert not limits.refusal("200", 0, 0.0)
    assert "4 SMS of this day are used up" in limits.refusal("200", 1, 0.0)
    at_once(limits.day(MIDNIGHT + 86_400_000 - 1, store))
    assert limits.refusal("200", 1, 0.0)
    at_once(limits.day(MIDNIGHT + 86_400_000, store))
    assert not limits.refusal("200", 3, 0.0)


def test_another_node_may_have_counted() -> None:
    """After forget() the store is asked again."""
    store, limits = store_of(), quotas(per_day=1)
    at_once(limits.day(MIDNIGHT, store))
    at_once(store.commit(Commit(posted=[Posted("200", "a", MIDNIGHT, 1)])))
    assert not limits.refusal("200", 0, 0.0)
    limits.forget()
    at_once(limits.day(MIDNIGHT, store))
    assert limits.refusal("200", 0, 0.0)
