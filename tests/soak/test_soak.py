"""Load and every fault at once, against a ledger: executed once, answered, nobody silenced, memory flat.

SOAK_SECONDS: length of the long soak (default 1800). SOAK_SEED: of everything that is drawn in it (default
1). The seed fixes what is drawn and after how many SMS; how the machine interleaves it, no seed does.
"""

import os
from pathlib import Path
from statistics import median

import pytest

from tests.soak.conftest import Report
from tests.soak.experiment import MEGABYTE, Plan, Soak, Verdict
from tests.soak.faults import EVERYDAY, STANDSTILL

SECONDS = float(os.environ.get("SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("SOAK_SEED", "1"))

SHORT = {"messages": 900, "pairs": 8, "rate": 600, "every": 70, "lasting": 0.4, "moods": 0.04, "kills": 1}

GROWTH = 20 * MEGABYTE
"""What the second half of the last process's life may need more than the first, beside a tenth: the store's
cache of 64 MiB fills while the store grows, and what waits is not the same at any two moments."""


def check(verdict: Verdict, report: Report, seed: int) -> None:
    """All agreed. The seed and the figures are told with what did not."""
    report(f"seed {seed}: {verdict}")
    assert verdict.faults == [], f"seed {seed}: {verdict}"
    assert verdict.counts["submitted again"] > 0
    assert verdict.events["sms.duplicate"] > 0


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_short_soak(seed: int, tmp_path: Path, report: Report) -> None:
    """Some hundred SMS with most of the faults."""
    verdict = await Soak(tmp_path, Plan(seed, standstills=False, **SHORT)).run()
    check(verdict, report, seed)
    happened = {name.removeprefix("fault: ") for name in verdict.counts if name.startswith("fault: ")}
    assert len(happened & {*EVERYDAY, "kill -9"}) >= len({*EVERYDAY}) * 2 // 3


async def test_retransmissions_that_are_not_recognised_are_found_out(tmp_path: Path, report: Report) -> None:
    """The same soak finds SMS executed twice where no retransmission is looked for."""
    verdict = await Soak(tmp_path, Plan(1, standstills=False, **SHORT)).run(duplicate=0)
    twice = [fault for fault in verdict.faults if fault.startswith("twice")]
    report(f"{len(twice)} twice, as expected")
    assert twice


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 900)
async def test_a_long_soak(tmp_path: Path, report: Report) -> None:
    """Half an hour of all of it; every fault comes, and the memory of the last process stays flat."""
    verdict = await Soak(tmp_path, Plan(SEED, seconds=SECONDS)).run()
    check(verdict, report, SEED)
    for fault in (*EVERYDAY, STANDSTILL, "kill -9"):
        assert verdict.counts[f"fault: {fault}"] > 0, fault
    samples = [octets for _, octets in verdict.memory]
    half = len(samples) // 2
    first, second = median(samples[half // 2 : half]), median(samples[half:])
    report(
        f"resident of the last process, MB: {first / MEGABYTE:.0f} in the second quarter of its life,"
        f" {second / MEGABYTE:.0f} in its second half, {max(samples) / MEGABYTE:.0f} at most"
    )
    assert second <= first * 1.1 + GROWTH
