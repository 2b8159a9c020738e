"""kill -9 under load: every acknowledged message is executed exactly once, every reply arrives.

CRASH_ROUNDS: kills of the long test (default 20). CRASH_SEED: of everything that is drawn (default 1).
"""

import os
from pathlib import Path

import pytest

from gateway.processing.pipeline import BATCH
from tests.conftest import Report
from tests.crash.centre import Centre
from tests.crash.evidence import InFile, read_store
from tests.crash.experiment import INSIDE, OUTSIDE, Experiment
from tests.crash.ledger import Figures, Ledger
from tests.crash.load import BASE, Kind, Load
from tests.crash.process import SERVE, GatewayProcess, store_path, write_config
from tests.crash.stores import Instant

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "20"))
SEED = int(os.environ.get("CRASH_SEED", "1"))

HARMFUL = {Kind.CHAT, Kind.ADD, Kind.YES, Kind.RANDOM}
"""What must not be done twice."""

MANY = 10
"""Kills after which each of them should have been hit."""

FEWEST_UNANSWERED = 50
WINDOW_OUT = 100


def check_figures(figures: Figures, rounds: int) -> None:
    """The kills were what they should be.

    Repeats. An SMS goes out again only if it was in flight at a kill: it had arrived, and the dead process
    had not committed its response (the ledger checks that for each SMS, against the store as the kill left
    it). Those are at most two windows and a batch: what was sent and not answered, what one turn of the loop
    took responses for, to be closed in the commit that the kill cut off, and closed SMS that waited for it.
    """
    assert figures.kills == rounds
    assert min(figures.unanswered) >= FEWEST_UNANSWERED
    assert figures.resent.total() == sum(figures.unanswered)
    if rounds >= MANY:
        assert figures.resent.keys() == HARMFUL
    assert max(figures.in_flight) <= 2 * WINDOW_OUT + BATCH
    assert figures.repeats <= sum(figures.in_flight)


@pytest.mark.parametrize("rounds", [5, pytest.param(ROUNDS, marks=pytest.mark.long, id="long")])
async def test_killed_inside_a_commit(rounds: int, tmp_path: Path, report: Report) -> None:
    """Killed before, in and after COMMIT with 50 or more requests unanswered: done once, all delivered."""
    verdict = await Experiment(tmp_path, rounds, SEED, INSIDE).run()
    report(str(verdict.figures))
    assert verdict.faults == []
    check_figures(verdict.figures, rounds)
    assert verdict.figures.duplicates.total() > 0
    if rounds >= MANY:
        assert verdict.figures.duplicates.keys() == HARMFUL


@pytest.mark.parametrize("rounds", [2, pytest.param(ROUNDS, marks=pytest.mark.long, id="long")])
async def test_killed_from_outside(rounds: int, tmp_path: Path, report: Report) -> None:
    """The same with the command `serve` as it is, killed at any moment."""
    verdict = await Experiment(tmp_path, rounds, SEED, OUTSIDE).run()
    report(str(verdict.figures))
    assert verdict.faults == []
    check_figures(verdict.figures, rounds)


async def test_answers_before_the_commit_are_found_out(tmp_path: Path, report: Report) -> None:
    """The same experiment finds lost messages where a batch is answered before it is committed."""
    verdict = await Experiment(tmp_path, 2, SEED, (Instant.WRITTEN,), "answers-first").run()
    lost = [fault for fault in verdict.faults if fault.startswith("lost")]
    report(f"{len(lost)} lost, as expected")
    assert lost


async def test_a_duplicate_window_that_is_off_is_found_out(tmp_path: Path, report: Report) -> None:
    """The same experiment finds messages done twice where no resend is recognised."""
    verdict = await Experiment(tmp_path, 2, SEED, (Instant.COMMITTED,)).run(duplicate=0)
    twice = [fault for fault in verdict.faults if fault.startswith("twice")]
    report(f"{len(twice)} twice, as expected")
    assert verdict.figures.duplicates.total() == 0
    assert twice


async def test_two_honest_equal_texts_run_twice(tmp_path: Path) -> None:
    """On a healthy session the same text twice is two messages: two journal rows, two arrivals."""
    load, ledger = Load(SEED, rounds=0), Ledger()
    one, other = load.buddies[0]
    gateway = await GatewayProcess.start((*SERVE, "--config", str(write_config(tmp_path))), tmp_path / "log")
    try:
        centre = await Centre.connect(gateway.port, ledger, load)
        load.open_all()
        await centre.until(lambda: len(ledger.received) == len(load.handsets))
        load.befriend()
        await centre.until(lambda: len(ledger.received) == len(load.handsets) + 4 * len(load.buddies))
        for _ in range(2):
            load.put(Kind.CHAT, one, BASE + other, "好")
        await centre.until(lambda: ledger.received[other, BASE + one, "好"] == 2)
        assert await gateway.stop() == 0
    finally:
        await gateway.end()
    stored = read_store(InFile(store_path(tmp_path), tmp_path / "copy"))
    assert [row.text for row in stored.journal.values()].count("好") == 2
