"""What goes wrong with files is told in one line: the place, the reason, what to do; exit 1."""

import asyncio
from pathlib import Path

import pytest

from gateway.cli.main import main
from tests.proofs.served import inside, write_config

DAYS = ["--from", "2007-03-01", "--to", "2007-03-31"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a gateway that ran and stopped: there is an empty store, of all days."""
    path = write_config(tmp_path, storage={"retention": {"journal_days": 100_000}})

    async def start_and_stop() -> None:
        async with inside(path):
            pass

    asyncio.run(start_and_stop())
    return path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command that ends with exit code 1 says on standard error."""
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fetion-gateway: ")
    assert err.count("\n") == 1
    return str(err).removeprefix("fetion-gateway: ").removesuffix("\n")


@pytest.mark.parametrize("words", [["settle", *DAYS, "--out", "records"], ["replay"]])
def test_no_store(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where no gateway ever ran: the path of the store, and how there would be one."""
    said = told(capsys, *words, "--config", str(write_config(tmp_path)))
    assert said.startswith(f"{tmp_path}/var/fetion.db: there is no store: start a gateway with ")
    assert said.endswith("with --config FILE")


def test_no_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option is named where it names no file."""
    said = told(capsys, "replay", "--journal", str(tmp_path / "none.db"))
    assert said == f"--journal: {tmp_path}/none.db: there is no such file: name the store of a gateway"


def test_a_journal_that_is_no_store(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any other file is told as such."""
    assert told(capsys, "replay", "--journal", str(config)).startswith(f"{config}: file is not a database")


def test_no_tables(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is not there."""
    said = told(capsys, "replay", "--config", str(config), "--tables", str(tmp_path / "none"))
    assert f"{tmp_path}/none: " in said
    assert "cannot be read: No such file or directory" in said


def test_a_file_where_a_folder_should_be(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The files of settle need a folder, and may not be below a file."""
    words = ["settle", *DAYS, "--config", str(config), "--out"]
    assert told(capsys, *words, str(config)) == f"--out: {config}: File exists: name a folder"
    assert told(capsys, *words, str(config / "below")).endswith("Not a directory: name a folder")


@pytest.mark.parametrize("command", ["scenario run", "load --mix"])
def test_a_file_that_is_not_there(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scenarios and mixes are named with the reason."""
    assert main([*command.split(), str(tmp_path / "none.yaml")]) == 1
    said = capsys.readouterr().err
    assert f"{tmp_path}/none.yaml" in said
    assert "No such file or directory" in said
    assert said.count("\n") == 1
