"""Shows on a terminal how far long work is. Elsewhere nothing is shown, and rich is not even imported."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")


class Shown(Protocol):
    """What long work tells of itself."""

    def step(self, name: str, records: Iterable[T] = (), /) -> Iterable[T]:
        """Begin another part of the work. Returns its records, which are counted as they are taken."""

    def say(self, text: str) -> None:
        """Write to standard output, above what is shown."""


@contextmanager
def progress() -> Iterator[Shown]:
    """Show on standard error what the work tells, if that is a terminal; erase it at the end."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield SILENT
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    bar = Progress(
        SpinnerColumn("line"),  # ASCII, for every encoding
        TextColumn("{task.description}"),
        TextColumn("{task.fields[counted]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        yield OnTerminal(bar)


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error how much of how many parts is done: a bar on a terminal, erased at the end;
    elsewhere a line for each that is done."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _done_line
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task("")

        def show(name: str, done: int, count: int) -> None:
            if bar.tasks[0].description != name:
                bar.reset(task)
            bar.update(task, description=name, completed=done, total=count)

        yield show


def _done_line(name: str, done: int, count: int) -> None:
    if done == count and sys.stderr is not None:
        sys.stderr.write(f"{name}: {count:,}\n")
        sys.stderr.flush()


class Silent:
    """Shows nothing."""

    def step(self, _name: str, records: Iterable[T] = (), /) -> Iterable[T]:
        """See Shown."""
        return records

    def say(self, text: str) -> None:
        """See Shown."""
        sys.stdout.write(text)


SILENT: Final = Silent()


class OnTerminal:
    """Shows the name of the step, how many records there were and how long it takes."""

    EVERY = 500
    """Records between two counts: a count takes as long as dozens of records."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None, counted="")

    def step(self, name: str, records: Iterable[T] = (), /) -> Iterable[T]:
        """See Shown."""
        self._bar.update(self._task, description=name, counted="")
        return self._counted(records)

    def _counted(self, records: Iterable[T]) -> Iterator[T]:
        for count, record in enumerate(records, 1):
            yield record
            if count % self.EVERY == 0:
                self._bar.update(self._task, counted=f"{count:,}")

    def say(self, text: str) -> None:
        """See Shown. On one terminal with standard output, rich moves what is shown out of the way."""
        if sys.stdout.isatty():
            self._bar.console.out(text, end="", highlight=False)
        else:
            sys.stdout.write(text)
