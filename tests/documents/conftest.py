"""What the tests of documents share."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A fresh folder; its path is short, because control sockets of gateways are below it."""
    with tempfile.TemporaryDirectory(prefix="fetion-") as path:
        yield Path(path)
