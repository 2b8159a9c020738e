"""Following a log: every line once and in order, whatever is done with the file."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.operations.tail.follow import CHUNK, CUT, LONGEST, GrowingFile, LineSplitter, Stream


class Writer:
    """The gateway: it appends lines with numbers, and keeps its file open until it reopens it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway.log"
        self._rotations = 0
        self._lines = 0
        self._file = self.path.open("ab", buffering=0)

    def write(self, lines: int = 1, end: bytes = b"\n") -> None:
        """Append so many lines; the last one with another end."""
        made = []
        for _ in range(lines):
            self._lines += 1
            made.append(b"line %d %s" % (self._lines, b"x" * (self._lines % 90)))
        if made:
            self._file.write(b"\n".join(made) + end)

    def rename(self) -> None:
        """Move the file away, as logrotate does; the gateway goes on in it."""
        self._rotations += 1
        self.path.rename(self.path.with_name(f"gateway.log.{self._rotations}"))

    def reopen(self) -> None:
        """SIGHUP."""
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def copy(self) -> None:
        """The first half of copytruncate."""
        self._rotations += 1
        shutil.copy(self.path, self.path.with_name(f"gateway.log.{self._rotations}"))

    def truncate(self) -> None:
        """The second half."""
        os.truncate(self.path, 0)

    def expected(self) -> list[int]:
        """The numbers of all lines."""
        return list(range(1, self._lines + 1))

    def close(self) -> None:
        """The end."""
        self._file.close()


class Reader:
    """Lines as `tail` reads them."""

    def __init__(self, path: Path, lines: int | None = None) -> None:
        self.source = GrowingFile(path, lines)
        self._splitter = LineSplitter()
        self.lines: list[bytes] = []

    def read(self) -> list[int]:
        """Read what there is. Returns the numbers of all lines so far."""
        while octets := self.source.read():
            self.lines += self._splitter.feed(octets)
        return [int(line.split()[1]) for line in self.lines]

    def close(self) -> None:
        """The end."""
        self.source.close()


@contextmanager
def both(folder: Path) -> Iterator[tuple[Writer, Reader]]:
    """A writer and a reader of one log."""
    with closing(Writer(folder)) as writer, closing(Reader(writer.path)) as reader:
        yield writer, reader


def test_a_line_is_given_out_when_it_is_complete(tmp_path: Path) -> None:
    """A partial last line waits for its rest."""
    with both(tmp_path) as (writer, reader):
        writer.write(2)
        writer.write(end=b"")
        assert reader.read() == [1, 2]
        writer.write(end=b"")
        assert reader.read() == [1, 2]
        writer._file.write(b"\n")
        reader.read()
        assert len(reader.lines) == 3
        assert reader.lines[2].count(b"line") == 2


def test_renamed(tmp_path: Path) -> None:
    """The old file is read until the new one has a line, then to its end: what the gateway wrote into it
    between the renaming and the SIGHUP, with an empty new file in place or without, is not lost."""
    with both(tmp_path) as (writer, reader):
        writer.write(3)
        assert reader.read() == [1, 2, 3]
        writer.rename()
        writer.write(2)
        assert reader.read() == [1, 2, 3, 4, 5]
        writer.path.touch()
        writer.write(2)
        assert reader.read()[-1] == 7
        writer.write(2)
        writer.reopen()
        writer.write(2)
        assert reader.read() == writer.expected()
        writer.write(2)
        assert reader.read() == writer.expected()


def test_what_is_in_the_place_of_the_log_but_no_file_is_not_read(tmp_path: Path) -> None:
    """A folder or a pipe of that name does not disturb; the log comes back."""
    with both(tmp_path) as (writer, reader):
        writer.write(1)
        writer.rename()
        writer.path.mkdir()
        assert reader.read() == [1]
        writer.path.rmdir()
        os.mkfifo(writer.path)
        assert reader.read() == [1]
        writer.path.unlink()
        writer.reopen()
        writer.write(1)
        assert reader.read() == [1, 2]


def test_copied_and_truncated(tmp_path: Path) -> None:
    """What was not read before the truncation is read from the copy."""
    with both(tmp_path) as (writer, reader):
        writer.write(3)
        assert reader.read() == [1, 2, 3]
        writer.write(3)
        (tmp_path / "gateway.log.old").write_bytes(b"line 9\n" * 1000)
        writer.copy()
        writer.truncate()
        writer.write(1)
        assert reader.read() == writer.expected()
        writer.copy()
        writer.truncate()
        writer.write(2)
        assert reader.read() == writer.expected()


def test_truncated_and_grown_beyond(tmp_path: Path) -> None:
    """A truncation is found also when the file is longer again than it was."""
    with both(tmp_path) as (writer, reader):
        writer.write(3)
        reader.read()
        writer.copy()
        writer.truncate()
        writer.write(300)
        assert reader.read() == writer.expected()


def test_read_further_than_the_copy(tmp_path: Path) -> None:
    """Lines that were read, but came too late for the copy, are not repeated."""
    with both(tmp_path) as (writer, reader):
        writer.write(3)
        writer.copy()
        writer.write(2)
        assert reader.read() == writer.expected()
        writer.truncate()
        writer.write(2)
        assert reader.read() == writer.expected()


@pytest.mark.parametrize("renames", [True, False])
@pytest.mark.parametrize("name", ["gateway.log.{}", "gateway.log-2026112{}", "gateway-2026112{}.log"])
def test_many_rotations_before_a_look(tmp_path: Path, name: str, *, renames: bool) -> None:
    """All files between the one that was read and the present one are read, in order, and no other one."""
    with both(tmp_path) as (writer, reader):
        (tmp_path / name.format(0)).write_bytes(b"line 777\n")
        os.utime(tmp_path / name.format(0), (1, 1))
        writer.write(3)
        reader.read()
        for rotation in range(1, 5):
            writer.write(rotation)
            rotated = tmp_path / name.format(rotation)
            if renames:
                writer.path.rename(rotated)
                writer.reopen()
            else:
                shutil.copy(writer.path, rotated)
                writer.truncate()
            os.utime(rotated, (rotation * 10, rotation * 10))
        (tmp_path / "gateway.log.gz").write_bytes(b"line 888\n")
        writer.write(2)
        assert reader.read() == writer.expected()
        writer.write(2)
        assert reader.read() == writer.expected()


def test_truncated_without_a_copy(tmp_path: Path) -> None:
    """`> gateway.log`: reading begins anew; a torn line is ended, and does not damage the next one."""
    with both(tmp_path) as (writer, reader):
        writer.write(2)
        writer.write(end=b"")
        reader.read()
        writer.truncate()
        writer.write(2)
        assert reader.read() == writer.expected()


@given(st.lists(st.sampled_from(["write", "many", "rename", "reopen", "copytruncate", "read"])))
def test_any_order(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    """Lines are read once and in order, whatever happens in which order, if there is a line and a look at the
    file between two rotations."""
    with both(tmp_path_factory.mktemp("log")) as (writer, reader):
        writer.write()
        reader.read()
        renamed = False
        for step in steps:
            match step:
                case "write":
                    writer.write()
                case "many":
                    writer.write(50)
                case "rename" if not renamed:
                    writer.rename()
                    renamed = True
                case "reopen" if renamed:
                    writer.reopen()
                    writer.write()
                    renamed = False
                    assert reader.read() == writer.expected()
                case "copytruncate" if not renamed:
                    writer.write()
                    writer.copy()
                    writer.truncate()
                    writer.write()
                    assert reader.read() == writer.expected()
                case _:
                    reader.read()
        if renamed:
            writer.reopen()
            writer.write()
        assert reader.read() == writer.expected()


@pytest.mark.parametrize("lines", [1, 2, 3, 999, 3000])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_the_last_lines(tmp_path: Path, lines: int, end: bytes) -> None:
    """Begins with so many of the last lines; one without newline counts, and is given out when it has one."""
    with closing(Writer(tmp_path)) as writer:
        writer.write(1999)
        writer.write(end=end)
        with closing(Reader(writer.path, lines)) as reader:
            reader.read()
            if not end:
                writer._file.write(b"\n")
            assert reader.read() == writer.expected()[-lines:]
            writer.write()
            assert reader.read()[-1] == 2001


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there at the start is an error."""
    with pytest.raises(FileNotFoundError):
        GrowingFile(tmp_path / "none")


def test_a_stream() -> None:
    """A pipe is read as it comes, and has an end."""
    reading, writing = os.pipe()
    source = Stream(reading)
    assert (source.read(), source.ended) == (b"", False)
    os.write(writing, b"one")
    source.wait(10)
    assert (source.read(), source.ended) == (b"one", False)
    os.close(writing)
    source.wait(10)
    assert (source.read(), source.ended) == (b"", True)
    os.close(reading)


@given(st.lists(st.binary(max_size=9) | st.sampled_from([b"\n", b"a\n", b"\n\n"])))
def test_lines_do_not_depend_on_the_readings(pieces: list[bytes]) -> None:
    """However octets are cut into readings, the lines are those of the whole."""
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    whole = b"".join(pieces).split(b"\n")
    assert lines + splitter.rest() == (whole if whole[-1] else whole[:-1])


@pytest.mark.parametrize("size", [7_000, CHUNK])
def test_a_long_line_is_cut(size: int) -> None:
    """A line without end takes bounded room, its beginning is shown once, and the next line is whole."""
    octets = b"one\n" + b"x" * (3 * LONGEST) + b"\ntwo\n" + b"y" * LONGEST + b"\nthree"
    splitter = LineSplitter()
    lines = []
    for begin in range(0, len(octets), size):
        lines += splitter.feed(octets[begin : begin + size])
        assert len(splitter._begun) <= LONGEST
    assert lines == [b"one", b"x" * LONGEST + CUT, b"two", b"y" * LONGEST]
    assert splitter.rest() == [b"three"]


@pytest.mark.parametrize(
    "other", ["gateway10.log", "gateway1-other.log", "gateway1.log.lock.2", "gateway1.db-7x", "gateway2.log"]
)
def test_the_log_of_another_gateway(other: str, tmp_path: Path) -> None:
    """Written to beside ours, and named almost as a rotated one is: never read."""
    path = tmp_path / "gateway1.log"
    path.write_bytes(b"line 1\n")
    with closing(Reader(path).source) as source:
        assert source.read() == b"line 1\n"
        path.rename(tmp_path / "gateway1.log.1")
        (tmp_path / other).write_bytes(b"of another gateway\n")
        path.write_bytes(b"line 2\n")
        for each, at in ((tmp_path / other, 2), (path, 3)):
            os.utime(each, (time.time() + at, time.time() + at))
        assert source.read() == b"line 2\n"
