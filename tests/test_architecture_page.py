"""docs/architecture.md says what the code is."""

import re

from tests.picture import PAGE, picture, updated
from tests.test_architecture import ROOT

FILE = re.compile(r"`([\w.-]+(?:/[\w.-]+)+/?)`")
"""A file or folder of the project, as the page names it."""


def test_the_picture_is_up_to_date() -> None:
    """The picture is drawn from the imports of today; otherwise: make picture."""
    page = PAGE.read_text("utf-8")
    assert updated(page) == page
    assert picture() in page


def test_what_it_names_is_there() -> None:
    """Every file and folder that the page names exists."""
    named = set(FILE.findall(PAGE.read_text("utf-8")))
    assert len(named) > 40
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_there_are_many_answers() -> None:
    """The table `Where does my line belong` has 20 rows at least."""
    _, _, behind = PAGE.read_text("utf-8").partition("## Where does my line belong")
    table, _, _ = behind.partition("\n## ")
    assert sum(line.startswith("| ") for line in table.splitlines()) >= 21
