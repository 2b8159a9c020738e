"""The folder of a demo: gone at the end, and never somebody else's."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.cli.config import load_settings
from gateway.cli.demo import demo_settings
from gateway.cli.demo_folder import demo_folder, remove_dead


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's temporary folder."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_it_is_gone_at_the_end(temporary: Path) -> None:
    """With all that is in it, also after an error; only its owner may look into it."""
    with suppress(KeyError), demo_folder() as folder:
        assert folder.path.stat().st_mode & 0o777 == 0o700
        folder.log.write_text("x")
        raise KeyError
    assert list(temporary.iterdir()) == []


def test_it_may_be_kept_until_the_next(temporary: Path) -> None:
    """Then the next one removes it."""
    with demo_folder() as kept:
        kept.keep = True
    assert kept.path.exists()
    with demo_folder() as folder:
        assert list(temporary.iterdir()) == [folder.path]


def test_one_that_lives_stays() -> None:
    """Its file is locked."""
    with demo_folder() as first, demo_folder() as second:
        assert first.path.exists()
        assert second.path.exists()


def test_what_is_no_folder_of_a_demo_stays(temporary: Path) -> None:
    """A file, a folder without the file of a demo, a link to a folder elsewhere, a link as that file."""
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "alive").touch()
    (temporary / "fetion-demo-link").symlink_to(elsewhere)
    (temporary / "fetion-demo-file").touch()
    (temporary / "fetion-demo-empty").mkdir()
    linking = temporary / "fetion-demo-linking"
    linking.mkdir()
    (linking / "alive").symlink_to(elsewhere / "alive")
    before = sorted(temporary.rglob("*"))
    remove_dead(temporary)
    assert sorted(temporary.rglob("*")) == before


def test_that_of_another_user_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the rights would allow to remove it."""
    dead = temporary / "fetion-demo-dead"
    dead.mkdir()
    (dead / "alive").touch()
    other = os.geteuid() + 1
    with monkeypatch.context() as context:
        context.setattr("os.geteuid", lambda: other)
        remove_dead(temporary)
        assert dead.exists()
    remove_dead(temporary)
    assert not dead.exists()


def test_its_configuration_finds_the_gateway() -> None:
    """With the config.yaml of the folder other commands have the same address, store and log."""
    with demo_folder() as folder:
        settings = demo_settings(folder.path, folder.log, free_port=True)
        found = load_settings(folder.write_config(settings, 12345))
        assert found.smpp.listen.port == 12345
        assert found.storage.path == settings.storage.path
        assert found.storage.key_file == settings.storage.key_file
        assert found.logging.file == folder.log
