"""The shipped routing tables, and a copy that a test can break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import routing.loader
from routing.table import Routing

SHIPPED = Path(routing.loader.__file__).parent

Break = Callable[[str, str, str], int]


@pytest.fixture(scope="session")
def tables() -> Routing:
    """The shipped tables."""
    return Routing.load()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped table files."""
    for name in routing.loader.FILES:
        shutil.copyfile(SHIPPED / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def change(folder: Path) -> Break:
    """Replace the first `old` of a copied file by `new`; returns the line on which `new` begins."""

    def replace(name: str, old: str, new: str) -> int:
        text = (folder / name).read_text(encoding="utf-8")
        before, found, after = text.partition(old)
        assert found, f"{old!r} does not stand in {name}"
        (folder / name).write_text(before + new + after, encoding="utf-8")
        return before.count("\n") + 1

    return replace
