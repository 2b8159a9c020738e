"""Octets of peers that mean harm: the corpus, what becomes of it, and the long run that coverage guides."""

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from gateway.channels.smpp.traffic import Traffic
from tests.conftest import Report
from tests.fuzz.mutation import CORPUS, corpus, frames_of, mutated
from tests.fuzz.target import Owner, Target

MUTATIONS = 2_000
RUNS = 1_000_000
SECONDS = 600
GROWTH = 64
"""Megabytes that the process may grow by behind its corpus; what libFuzzer itself collects is among it."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """One for all inputs, as it is in the long run."""
    return Target(tmp_path_factory.mktemp("fuzz"))


def test_the_corpus(target: Target) -> None:
    """No input of the corpus does harm; the corpus is small, and reaches both roles and SMS both ways."""
    seen: set[str] = set()
    for data in corpus():
        target.run(data)
        seen |= target.owner.seen
    assert CORPUS.stat().st_size < 65_536
    assert seen == {"bound", "received", "part", "sent", "refused", "lost"}


def test_mutations(target: Target) -> None:
    """Nor does what is made of it."""
    random, inputs = Random(20070515), corpus()
    for _ in range(MUTATIONS):
        data = mutated(random.choice(inputs), random.choice(inputs), random)
        try:
            target.run(data)
        except BaseException:
            print(f"the input: {data.hex()}")  # noqa: T201 - pytest shows it with the failure
            raise


def test_a_bug_is_found(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a boundary of the product catches is a failure here; so is an SMS that nobody tells of."""

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Traffic, "submitted", bug)
        with pytest.raises(AssertionError):
            target.run(corpus()[0])
    monkeypatch.setattr(Owner, "lost", lambda *_: None)
    with pytest.raises(AssertionError, match="forgotten"):
        target.run(corpus()[0])


def test_mutations_keep_what_frames_are() -> None:
    """Cutting a stream into PDUs loses nothing, whatever it is."""
    random = Random(7)
    for data in corpus():
        assert b"".join(frames_of(data)) == data
        assert b"".join(frames_of(random.randbytes(100))) != b""


@pytest.mark.long
@pytest.mark.timeout(4 * SECONDS)
@pytest.mark.skipif(
    not importlib.util.find_spec("atheris"), reason="atheris is missing: install the extra fuzz"
)
def test_guided_by_coverage(tmp_path: Path, report: Report) -> None:
    """A million sessions, and at least ten minutes: no crash, no hang, and memory stays flat."""
    began = time.monotonic()
    runs, first, last = fuzz(tmp_path, f"-runs={RUNS}", "-seed=1")
    left = SECONDS - (time.monotonic() - began)
    if left > 0:
        more, _, last = fuzz(tmp_path, f"-max_total_time={int(left) + 1}", "-seed=2")
        runs += more
    report(f"{runs} sessions in {time.monotonic() - began:.0f} s; memory {first} MB, at the end {last} MB")
    assert runs >= RUNS
    assert last - first < GROWTH


def fuzz(folder: Path, *options: str) -> tuple[int, int, int]:
    """Run atheris. Returns how many inputs it ran, and its memory (MB) behind the corpus and at the end."""
    words = [sys.executable, "-m", "tests.fuzz.guided", str(folder), *options]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = done.stdout
    assert done.returncode == 0, said[-10_000:]
    told = re.search(r"Done (\d+) runs", said)
    assert told is not None, said[-3000:]
    memory = [int(each) for each in re.findall(r"rss: (\d+)Mb", said)]
    return int(told[1]), memory[0], memory[-1]
