"""A sync reaches the drive: fsync and fdatasync where they do, macOS's own call where they do not."""

import fcntl
import os
from pathlib import Path

import pytest

from gateway import disk


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that are made, which are made all the same."""
    calls: list[str] = []

    def noted(name: str) -> None:
        real = getattr(os, name)

        def call(descriptor: int) -> None:
            calls.append(name)
            real(descriptor)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "fdatasync"):
        if hasattr(os, name):
            noted(name)
    return calls


@pytest.mark.skipif(disk.FULL_SYNC is not None, reason="macOS has another call")
def test_where_there_is_no_full_sync(tmp_path: Path, called: list[str]) -> None:
    """The calls of POSIX."""
    with (tmp_path / "file").open("wb") as file:
        disk.sync(file.fileno())
        disk.sync_data(file.fileno())
    assert called == ["fsync", "fdatasync"]


def test_where_there_is_one(tmp_path: Path, called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made instead, and fdatasync is not looked for: macOS has none. F_GETFD stands for it here."""
    monkeypatch.setattr(disk, "FULL_SYNC", fcntl.F_GETFD)
    monkeypatch.delattr(os, "fdatasync", raising=False)
    with (tmp_path / "file").open("wb") as file:
        disk.sync(file.fileno())
        disk.sync_data(file.fileno())
    assert called == []


def test_where_the_file_system_has_none(
    tmp_path: Path, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network share refuses the full sync: what there is is done. No call has the number -1."""
    monkeypatch.setattr(disk, "FULL_SYNC", -1)
    monkeypatch.delattr(os, "fdatasync", raising=False)
    with (tmp_path / "file").open("wb") as file:
        disk.sync_data(file.fileno())
    assert called == ["fsync"]


def test_a_fault_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever must know that octets are safe learns that they are not."""
    reading, writing = os.pipe()
    try:
        for full in (None, -1):
            monkeypatch.setattr(disk, "FULL_SYNC", full)
            for sync in (disk.sync, disk.sync_data):
                with pytest.raises(OSError):
                    sync(writing)
    finally:
        os.close(reading)
        os.close(writing)
