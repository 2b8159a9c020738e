"""Controls disk and wall clock of the gateway's process while it runs."""

import mmap
import struct
from enum import IntEnum
from pathlib import Path

_MODE, _DELAY, _OFFSET = 0, 8, 16
_SIZE = 24


class Disk(IntEnum):
    """The state of the disk."""

    WELL = 0
    FAILS = 1  # no statement works
    FAILS_AT_SYNC = 2  # rows can be written, COMMIT fails
    FULL = 3  # not one page more


class Controls:
    """Three numbers in a file that both processes map."""

    def __init__(self, path: Path) -> None:
        with path.open("a+b") as file:
            file.truncate(_SIZE)
            self._octets = mmap.mmap(file.fileno(), _SIZE)

    @property
    def disk(self) -> Disk:
        """The state of the disk now."""
        return Disk(self._octets[_MODE])

    @disk.setter
    def disk(self, disk: Disk) -> None:
        self._octets[_MODE] = disk

    @property
    def delay_ms(self) -> int:
        """Milliseconds added to each COMMIT."""
        return self._get(_DELAY)

    @delay_ms.setter
    def delay_ms(self, delay_ms: int) -> None:
        self._set(_DELAY, delay_ms)

    @property
    def offset_ms(self) -> int:
        """Milliseconds by which the wall clock is ahead of the machine's."""
        return self._get(_OFFSET)

    @offset_ms.setter
    def offset_ms(self, offset_ms: int) -> None:
        self._set(_OFFSET, offset_ms)

    def close(self) -> None:
        """Unmap the file."""
        self._octets.close()

    def _get(self, place: int) -> int:
        (value,) = struct.unpack_from("<q", self._octets, place)
        return int(value)

    def _set(self, place: int, value: int) -> None:
        struct.pack_into("<q", self._octets, place, value)
