"""Something to look at: two months of figures of all provinces, and a few customers who have just written."""

from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final

from gateway.storage.figures import WAYS, Amount, FigureKey, Figures, Measure
from gateway.testing import RunningGateway

DAYS: Final = 60
ALICE, BOB, CAROL = "13800138000", "13900139000", "13700137000"
TALK: Final = (
    (ALICE, "161", "KTFX"),
    (BOB, "12520", "KTFX"),
    (CAROL, "161", "KTFX"),
    (ALICE, "161", f"HY#{BOB}#小波"),
    (ALICE, "161", "BZ"),
    (CAROL, "12520", "XM#卡罗尔"),
    (BOB, "161", "MM 654321"),
    (CAROL, "161", "今天天气真好"),
    (ALICE, f"12520{BOB}", "晚上一起吃饭吗？"),
)
"""Who writes what to which number."""


def figures_of(today: date, provinces: list[str], seed: int = 11) -> Figures:
    """Figures of DAYS days up to today: a week has its rhythm, provinces their size."""
    random = Random(seed)
    figures = Figures()
    for place, province in enumerate(provinces):
        size = 40 + 900 // (1 + place)
        for back in range(DAYS):
            day = today - timedelta(days=back)
            busy = size * (1.25 if day.weekday() >= 5 else 1.0) * random.uniform(0.85, 1.15)
            _add_day(figures, day.isoformat(), province, round(busy), random)
    return figures


def _add_day(figures: Figures, day: str, province: str, busy: int, random: Random) -> None:
    def add(measure: Measure, way: str, what: str, outcome: str, times: int, parts: int = 0) -> None:
        if times:
            figures.amounts[FigureKey(day, measure, province, way, what, outcome)] = Amount(times, parts)

    for way, share in (("161", 0.6), ("12520", 0.4)):
        for what, outcome, weight in (
            ("chat", "chat", 0.6), ("buddy.add", "asked", 0.1), ("service.open", "done", 0.05),
            ("help", "done", 0.1), ("misunderstood", "misunderstood", 0.08), ("voice.invite", "asked", 0.07),
        ):  # fmt: skip
            times = round(busy * share * weight)
            add(Measure.UPLINK, way, what, outcome, times, times)
        sent = round(busy * share * 1.3)
        add(Measure.DOWNLINK, way, "", "sent", sent, sent)
        add(Measure.DOWNLINK, way, "", "failed", sent // 60, sent // 60)
        add(Measure.EVENT, way, "service/opened", "", busy // 20)
        add(Measure.EVENT, way, "service/cancelled", "", busy // 90)
        add(Measure.EVENT, way, "buddy/added", "", busy // 15)
        add(Measure.ORDER, way, "MCHAT", "order", busy // 50)
    for number in range(busy // 6):
        ways = random.choice((1, 2, 3))
        assert ways < 1 << len(WAYS)
        figures.active[(day, f"139{int(province):03}{number:05}")] = (province, ways)


async def settle_in(gateway: RunningGateway) -> None:
    """Let the sample happen."""
    app = gateway.app
    provinces = [code for code in app._in_force.tables.routing.provinces if code != "000"]
    today = datetime.fromtimestamp(gateway.clock.now_ms() / 1000, UTC).date()
    await app.store.fold("sample", 1, figures_of(today - timedelta(days=1), provinces))
    for msisdn, to, text in TALK:
        handset = await gateway.handset(msisdn)
        await handset.send(text, to)
        await gateway.settle()
        await gateway.advance(seconds=3)
