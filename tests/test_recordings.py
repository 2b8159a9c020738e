"""The recordings of docs/ are what the demo shows today."""

import xml.etree.ElementTree as ElementTree

import pytest

from tests.recordings import FOLDER, PICTURE, PICTURED, TEXTS, picture, record

STALE = "the recording is not what the demo shows now: make recordings"


@pytest.mark.parametrize("name", TEXTS)
def test_the_text_is_what_a_fresh_run_shows(name: str) -> None:
    """To the character, at each width and in each language."""
    assert record(TEXTS[name]) == (FOLDER / name).read_text("utf-8"), STALE


def test_the_picture_is_what_a_fresh_run_shows() -> None:
    """It is well-formed, names no other address, and says what the terminal said."""
    svg = (FOLDER / PICTURE).read_text("utf-8")
    shown = record(PICTURED)
    assert picture(shown, PICTURED.columns) == svg, STALE
    texts = ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter() if each.text]
    assert any("Welcome to Fetion!" in text.replace("\N{NO-BREAK SPACE}", " ") for text in texts)
    assert "url(http" not in svg


def test_nothing_else_is_there() -> None:
    """Each file of the folder is made by a run."""
    assert {path.name for path in FOLDER.iterdir()} == {*TEXTS, PICTURE}
