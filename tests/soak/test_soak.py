"""Load and every fault at once, against a ledger: executed once, answered, nobody silenced, memory flat.

SOAK_SECONDS: length of the long soak (default 1800). SOAK_SEED: of everything that is drawn in it (default
1). The seed fixes what is drawn and after how many SMS; how the machine interleaves it, no seed does.
"""

import os
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from tests.conftest import Report
from tests.soak.experiment import MEGABYTE, Plan, Soak, Verdict
from tests.soak.faults import EVERYDAY, STANDSTILL

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

SEEDS = (1, 2, 3)

SHORT = Plan(
    seed=1,
    messages=500,
    pairs=20,
    rate=600,
    latency=0.01,
    every=35,
    lasting=0.3,
    moods=0.04,
    kills=1,
    standstills=False,
)

CALM = replace(SHORT, messages=200, every=1_000_000, kills=0, moods=0)
"""No fault but the last one, whose answers are surely lost."""

EFFECTS = (
    *("answers: none", "answers: temporary", "answers: permanent", "parked", "delivered again"),
    *("refused: ESME_RSYSERR", "refused: ESME_RMSGQFUL", "timed out at the centre"),
    *("storage.failed", "storage.recovered", "lines lost", "clock.behind", "sms.duplicate", "sms.parked"),
    "bind.closed: enquire_link not answered",
)
"""What the faults of a long soak lead to: a fault that nobody noticed proves nothing."""

GROWTH = 20 * MEGABYTE
"""What the second half of the last process's life may need more than the first, beside a tenth: the cache
of the store, 64 MiB, fills while the store grows, and what waits is not the same at any two moments."""


def check(verdict: Verdict, report: Report, seed: int) -> None:
    """All agreed. The seed and the figures are told with what did not."""
    report(f"seed {seed}: {verdict}")
    assert verdict.faults == [], f"seed {seed}: {verdict}"
    assert verdict.counts["submitted again"] > 0
    assert verdict.events["sms.duplicate"] > 0


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_short_soak(seed: int, tmp_path: Path, report: Report) -> None:
    """Some hundred SMS with most of the faults."""
    verdict = await Soak(tmp_path, replace(SHORT, seed=seed)).run()
    check(verdict, report, seed)
    happened = {name.removeprefix("fault: ") for name in verdict.counts if name.startswith("fault: ")}
    assert len(happened & {*EVERYDAY, "kill -9"}) >= len({*EVERYDAY}) * 2 // 3


async def test_retransmissions_that_are_not_recognised_are_found_out(tmp_path: Path, report: Report) -> None:
    """The same soak finds SMS executed twice where no retransmission is looked for."""
    verdict = await Soak(tmp_path, CALM).run(duplicate=0)
    twice = [fault for fault in verdict.faults if fault.startswith("twice")]
    report(f"{len(twice)} twice, as expected")
    assert twice


async def test_a_handset_that_is_silenced_is_found_out(tmp_path: Path, report: Report) -> None:
    """The same soak finds handsets without an answer where a lost deliver_sm_resp is waited for too long."""
    verdict = await Soak(tmp_path, replace(CALM, moods=0.3, patience=2)).run(response=600)
    silenced = [fault for fault in verdict.faults if fault.startswith("silenced")]
    report(f"{len(silenced)} silenced, as expected")
    assert silenced


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 900)
async def test_a_long_soak(tmp_path: Path, report: Report) -> None:
    """Half an hour of all of it; every fault comes, and the memory of the last process stays flat."""
    report(f"again with: SOAK_SEED={SEED} SOAK_SECONDS={SECONDS:g}")
    verdict = await Soak(tmp_path, Plan(SEED, seconds=SECONDS)).run()
    check(verdict, report, SEED)
    for fault in (*EVERYDAY, STANDSTILL, "kill -9"):
        assert verdict.counts[f"fault: {fault}"] > 0, fault
    happened = {**verdict.counts, **verdict.events}
    assert [effect for effect in EFFECTS if not happened.get(effect)] == []
    samples = [octets for _, octets in verdict.memory]
    half = len(samples) // 2
    first, second = median(samples[half // 2 : half]), median(samples[half:])
    report(
        f"resident of the last process, MB: {first / MEGABYTE:.0f} in the second quarter of its life,"
        f" {second / MEGABYTE:.0f} in its second half, {max(samples) / MEGABYTE:.0f} at most"
    )
    assert second <= first * 1.1 + GROWTH
