"""`check`: files that the gateway of this user could not write."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from gateway.cli.main import main

NOBODY: Final = 65534


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a user without rights may look into; the test acts as that user where it is root."""
    for name in [name for name in os.environ if name.startswith("FETION__")]:
        monkeypatch.delenv(name)
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def check(folder: Path, capsys: pytest.CaptureFixture[str], **sections: object) -> dict[str, str]:
    """The faults of a configuration, reason by key, for a user without special rights.

    Those of the tables do not count: he may have no right to read the folder that this project stands in.
    """
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(sections))
    mighty = os.geteuid() == 0
    main(["check", "--json"])  # imports what he perhaps could not
    capsys.readouterr()
    try:
        if mighty:
            os.seteuid(NOBODY)
        main(["check", "--config", str(config), "--json"])
    finally:
        if mighty:
            os.seteuid(0)
    report = json.loads(capsys.readouterr().out)
    return {fault["key"]: fault["reason"] for fault in report["faults"] if fault["file"] == str(config)}


def closed(folder: Path) -> Path:
    """A folder in which nobody but root can make files."""
    folder.mkdir()
    folder.chmod(0o555)
    return folder


def opened(folder: Path) -> Path:
    """A folder in which everybody can make files."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("below", [".", "new/deeper"])
def test_folders_that_cannot_be_written(below: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Store, key file and log in a folder without the right to it: each is a fault with its remedy."""
    where = closed(folder / "closed") / below
    faults = check(
        folder,
        capsys,
        storage={"url": f"sqlite:///{where / 'fetion.db'}", "key_file": str(where / "key")},
        logging={"file": str(where / "gateway.log")},
    )
    assert set(faults) == {"storage.url", "storage.key_file", "logging.file"}
    assert all("cannot be written by this user: give this user the right" in each for each in faults.values())
    assert not (folder / "closed" / "new").exists()


@pytest.mark.parametrize("below", [".", "new/deeper"])
def test_folders_that_cannot_be_searched(
    below: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is closed altogether, as another service's is: the same faults."""
    where = closed(folder / "closed") / below
    (folder / "closed").chmod(0o700 if os.geteuid() == 0 else 0)
    faults = check(
        folder,
        capsys,
        storage={"url": f"sqlite:///{where / 'fetion.db'}", "key_file": str(where / "key")},
        logging={"file": str(where / "gateway.log")},
    )
    assert set(faults) == {"storage.url", "storage.key_file", "logging.file"}


def test_a_path_that_is_too_long_for_a_control_socket(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the gateway would not start, and only then say so."""
    where = opened(folder / ("x" * 100))
    storage = {"url": f"sqlite:///{where / 'fetion.db'}", "key_file": str(where / "key")}
    assert "too long for a control socket" in check(folder, capsys, storage=storage)["storage.url"]


def test_folders_that_can_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders that are there or can be made are no fault, and are not made."""
    where = opened(folder / "open")
    faults = check(
        folder,
        capsys,
        storage={"url": f"sqlite:///{where / 'new' / 'fetion.db'}", "key_file": str(where / "key")},
        logging={"file": str(where / "gateway.log")},
    )
    assert faults == {}
    assert list(where.iterdir()) == []


def test_files_that_cannot_be_used(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files of somebody else: a store and a log that cannot be written, a key that cannot be read."""
    where = opened(folder / "open")
    for name, mode in (("fetion.db", 0o444), ("key", 0o000), ("gateway.log", 0o444)):
        (where / name).touch()
        (where / name).chmod(mode)
    faults = check(
        folder,
        capsys,
        storage={"url": f"sqlite:///{where / 'fetion.db'}", "key_file": str(where / "key")},
        logging={"file": str(where / "gateway.log")},
    )
    assert set(faults) == {"storage.url", "storage.key_file", "logging.file"}
    assert "cannot be read by this user" in faults["storage.key_file"]


def test_a_key_that_is_only_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that is there needs no right but that of reading."""
    where = opened(folder / "open")
    key = closed(folder / "keys") / "key"
    key.touch()
    key.chmod(0o444)
    storage = {"url": f"sqlite:///{where / 'fetion.db'}", "key_file": str(key)}
    assert check(folder, capsys, storage=storage) == {}


def test_the_folder_of_a_store_that_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store that can be written, in a folder that cannot: SQLite makes files beside it."""
    where = folder / "closed"
    where.mkdir()
    (where / "fetion.db").touch()
    (where / "fetion.db").chmod(0o666)
    where.chmod(0o555)
    storage = {
        "url": f"sqlite:///{where / 'fetion.db'}",
        "key_file": str(opened(folder / "open") / "key"),
    }
    assert set(check(folder, capsys, storage=storage)) == {"storage.url"}
