"""What the tables of numbers cost: `python -m tests.bench_numbers`.

Writes a segment file of `--prefixes` prefixes (3 to 9 digits, most of them 7) and a file of `--ported` ported
mobiles, both shuffled, beside the shipped tables. Prints how long each file and all tables take to load, the
version included (seconds of the processor and of the clock), what they hold in memory (tracemalloc), what a
look-up costs, and how late a timer of the event loop is while a thread loads them again.
"""

import argparse
import asyncio
import gc
import os
import platform
import resource
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import routing.loader
from routing.ported import FILE, HEADER, load_ported
from routing.segments import PREFIXES, load_segments
from routing.table import Routing

HEAD = "# provenance: reconstructed, ground: a bench\n"
TICK = 0.001
"""Seconds of the timer."""
LOOK_UPS = 100_000
SLICE = 2000
"""Look-ups that are timed together."""
LENGTHS, SHARES = (3, 4, 5, 6, 7, 8, 9), (1, 1, 3, 10, 900, 50, 50)
"""Digits of a prefix, and how often they are drawn."""


def make(folder: Path, prefixes: int, ported: int, random: Random) -> None:
    """The shipped tables, with a segment file and a file of ported mobiles."""
    for name in routing.loader.FILES:
        shutil.copyfile(Path(routing.loader.__file__).parent / name, folder / name)
    provinces = list(Routing.load().provinces)
    listed: set[str] = set()
    while len(listed) < prefixes:
        digits = random.choices(LENGTHS, SHARES)[0]
        head = random.choice(("13", "15", "17", "18", "19"))  # 161 is an access code
        listed.add(head + f"{random.randrange(10 ** (digits - 2)):0{digits - 2}}")
    rows = [f"{each},{random.choice(provinces)}\n" for each in listed]
    write(folder / "segments.csv", PREFIXES, rows, random)
    numbers = random.sample(range(13_000_000_000, 20_000_000_000), ported)
    rows = [f"{each},{random.choice(provinces)},{random.choice(('cmcc', 'other'))}\n" for each in numbers]
    write(folder / FILE, HEADER, rows, random)


def write_line(line: str) -> None:
    """Print a line."""
    sys.stdout.write(line + "\n")


def write(path: Path, header: str, rows: list[str], random: Random) -> None:
    """A file with the rows in any order."""
    random.shuffle(rows)
    path.write_text(f"{HEAD}{header}\n{''.join(rows)}", encoding="utf-8")


def timed(what: str, load: Callable[[], object], times: int = 5) -> None:
    """Print how long `load` takes."""
    cpu, wall = [], []
    for _ in range(times):
        before, began = time.process_time(), time.perf_counter()
        load()
        cpu.append(time.process_time() - before)
        wall.append(time.perf_counter() - began)
    write_line(f"load {what:22} {min(cpu):6.2f} s of processor, {min(wall):.2f} s; the least of {times}")


def held(what: str, load: Callable[[], object]) -> None:
    """Print what is allocated when `load` is done, and the most while it works."""
    gc.collect()
    tracemalloc.start()
    kept = load()
    now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    write_line(f"memory {what:20} {now / 1e6:6.1f} MB   while loading {most / 1e6:.0f} MB")


def looked_up(what: str, look_up: Callable[[str], object], numbers: list[str]) -> None:
    """Print what a look-up costs, the loop around it taken off: the least and the median of slices."""
    took = []
    for first in [*range(0, len(numbers), SLICE)] * 5:
        part = numbers[first : first + SLICE]
        before = time.process_time_ns()
        for _number in part:
            pass
        between = time.process_time_ns()
        for number in part:
            look_up(number)
        took.append((time.process_time_ns() - between - (between - before)) / len(part))
    write_line(f"{what:27} {min(took):6.0f} ns   median {sorted(took)[len(took) // 2]:.0f}")


async def ticks(until: asyncio.Future[Routing] | None, count: int) -> list[float]:
    """How late the timer is, in seconds: `count` times, or until something is done."""
    late: list[float] = []
    while (until is None and len(late) < count) or (until is not None and not until.done()):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        late.append(time.perf_counter() - before - TICK)
    return sorted(late)


async def reload(folder: Path) -> None:
    """Print how late the timer is at rest, and while a thread loads all tables five times."""
    late: list[float]
    for what in ("at rest", "while tables load"):
        late = []
        for _ in range(5):
            loads = what != "at rest"
            work = asyncio.ensure_future(asyncio.to_thread(Routing.load, folder)) if loads else None
            late += await ticks(work, 300)
        late.sort()
        p50, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        write_line(
            f"timer {what:21} p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, most {late[-1] * 1e3:.1f} ms"
        )


def main() -> None:
    """Make the files and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefixes", type=int, default=250_000)
    parser.add_argument("--ported", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = Random(options.seed)
    write_line(f"Python {platform.python_version()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, options.prefixes, options.ported, random)
        provinces = set(Routing.load().provinces)
        timed("segments.csv", lambda: load_segments(folder / "segments.csv", provinces))
        timed(FILE, lambda: load_ported(folder / FILE, provinces))
        timed("all tables", lambda: Routing.load(folder))
        held("segments.csv", lambda: load_segments(folder / "segments.csv", provinces))
        held(FILE, lambda: load_ported(folder / FILE, provinces))
        tables = Routing.load(folder)
        gc.collect()
        rows = (folder / FILE).read_text("utf-8").splitlines()[2:]
        ported = [row[:11] for row in random.choices(rows, k=LOOK_UPS)]
        mobiles = [str(random.randrange(13_000_000_000, 20_000_000_000)) for _ in range(LOOK_UPS)]
        shipped = Routing.load()
        for what, of in ("province", "home"), ("operator", "operator"):
            looked_up(f"{what}, ported", getattr(tables, of), ported)
            looked_up(f"{what}, not ported", getattr(tables, of), mobiles)
            looked_up(f"{what}, shipped tables", getattr(shipped, of), mobiles)
        asyncio.run(reload(folder))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    write_line(f"most resident memory {most:.0f} MB, the bench's own lists included")


if __name__ == "__main__":
    main()
