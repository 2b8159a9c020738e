"""routing.files: which files of an operator's folder are tables, and what is wrong with the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from routing.files import folder_faults

KNOWN = ("numbers.yaml", "replies/zh.yaml")
NOBODY = 65_534


@contextmanager
def as_nobody() -> Iterator[None]:
    """As a user who may not enter the folders of root; whoever else runs this test may not either."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(mine)


def test_a_folder_that_the_user_may_not_enter(tmp_path: Path) -> None:
    """The remedy is a right, not another folder."""
    folder = tmp_path / "tables"
    folder.mkdir()
    folder.chmod(0)
    with as_nobody():
        [fault] = folder_faults(folder, KNOWN)
    folder.chmod(0o700)
    assert fault.reason == "cannot be read: Permission denied: give the user of the gateway the right to it"
    [fault] = folder_faults(tmp_path / "none", KNOWN)
    assert fault.reason == "cannot be read: No such file or directory: name a folder"


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe, also behind a link: who reads it waits for ever. A link to nowhere is told by who reads it."""
    (tmp_path / "replies").mkdir()
    os.mkfifo(tmp_path / "numbers.yaml")
    (tmp_path / "replies" / "zh.yaml").symlink_to(tmp_path / "numbers.yaml")
    assert [fault.reason for fault in folder_faults(tmp_path, KNOWN)] == ["is no file: put a file there"] * 2
    (tmp_path / "numbers.yaml").unlink()
    assert list(folder_faults(tmp_path, KNOWN)) == []
