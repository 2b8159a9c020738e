"""Waits until the octets of a file are on stable storage, on every system that we run on."""

import fcntl
import os
from contextlib import suppress
from typing import Final

FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
"""What macOS has instead: its fsync leaves octets in the cache of the drive (fsync(2) there), and it has no
fdatasync."""


def sync(descriptor: int) -> None:
    """Sync octets and attributes. Raises OSError."""
    if not _synced_fully(descriptor):
        os.fsync(descriptor)


def sync_data(descriptor: int) -> None:
    """Sync octets, and what finding them takes. Raises OSError."""
    if FULL_SYNC is None:
        os.fdatasync(descriptor)
    else:
        sync(descriptor)


def _synced_fully(descriptor: int) -> bool:
    """Whether the system has a full sync and this file system supports it; network shares do not."""
    if FULL_SYNC is not None:
        with suppress(OSError):
            fcntl.fcntl(descriptor, FULL_SYNC)
            return True
    return False
