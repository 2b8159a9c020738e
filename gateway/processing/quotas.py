"""How much each province may send: a rate with a burst, and a number a day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from gateway.events.broker import ProvinceLimits
from gateway.storage.contract import Store


@dataclass(slots=True)
class _Bucket:
    """tokens: SMS that may go now. at: when that was so (monotonic seconds)."""

    tokens: float
    at: float


class Quotas:
    """Those of all provinces. What counts against a day is in the store, so a start does not give it anew."""

    def __init__(self, limits: Callable[[str], ProvinceLimits], zone: tzinfo) -> None:
        self._limits = limits
        self._zone = zone
        self._buckets: dict[str, _Bucket] = {}
        self._used: dict[str, int] = {}
        self._day: date | None = None

    def forget(self) -> None:
        """Another node may have counted meanwhile: the next day() asks the store."""
        self._day = None

    async def day(self, now_ms: int, store: Store) -> None:
        """Begin with the day of now_ms, if it is another one. Raises StorageError."""
        today = datetime.fromtimestamp(now_ms / 1000, self._zone).date()
        if today == self._day:
            return
        begins = datetime(today.year, today.month, today.day, tzinfo=self._zone)
        self._used = await store.posted_since(int(begins.timestamp() * 1000))
        self._day = today

    def refusal(self, province: str, new: int, now: float) -> str:
        """Why a province may not send one more SMS; "": it may. new: those accepted since the last spend().
        now: monotonic seconds."""
        limits = self._limits(province)
        if self._used.get(province, 0) + new >= limits.per_day:
            return f"the {limits.per_day} SMS of this day are used up: send it again tomorrow"
        if self._tokens(province, limits, now) - new < 1:
            return f"too fast: {limits.rate:g} SMS a second, {limits.burst} at once: send it again later"
        return ""

    def spend(self, province: str, count: int) -> None:
        """So many are stored."""
        self._buckets[province].tokens -= count
        self._used[province] = self._used.get(province, 0) + count

    def _tokens(self, province: str, limits: ProvinceLimits, now: float) -> float:
        bucket = self._buckets.setdefault(province, _Bucket(limits.burst, now))
        bucket.tokens = min(limits.burst, bucket.tokens + (now - bucket.at) * limits.rate)
        bucket.at = now
        return bucket.tokens
