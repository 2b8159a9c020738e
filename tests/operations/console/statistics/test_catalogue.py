"""The table of reports, and the page that says what they mean."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from commands.tables import Tables
from gateway.operations.console.rendering import load_texts
from gateway.operations.console.statistics.catalogue import Report, load_catalogue
from gateway.storage.figures import WAYS
from tests.make_reports import PAGE, text_of

GOOD = """
id: some
title: {zh: 一, en: One}
ground: ours
source: here
filters: []
breakdown: []
chart: [a]
columns:
  - {id: a, title: {zh: 甲, en: A}, definition: {zh: 甲, en: A}, count: {measure: uplink}}
  - {id: b, title: {zh: 乙, en: B}, definition: {zh: 乙, en: B}, net: {plus: [a]}}
"""


def test_the_shipped_reports() -> None:
    """Those of the issue are there, each key figure is the column of one."""
    catalogue = load_catalogue()
    assert {"customers", "opened-by-way", "active", "uplink", "chat", "downlink", "voice"} <= set(
        catalogue.by_id
    )
    assert {"buddies", "matching", "failures", "averages"} <= set(catalogue.by_id)
    assert len(list(catalogue.key_figures())) == len(catalogue.key)
    assert "registered" in catalogue.by_id["customers"].by_id
    assert "base" not in [column.id for column in catalogue.by_id["customers"].shown]


def test_docs_say_what_the_reports_say() -> None:
    """docs/reports.md is written from the table: `python -m tests.make_reports`."""
    assert PAGE.read_text("utf-8") == text_of(load_catalogue())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"chart": ["z"]}, "no such column: z"),
        ({"ground": "rumour"}, "attested"),
        ({"filters": ["city"]}, "way"),
        ({"id": "A b"}, "pattern"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_a_wrong_report_is_refused(change: dict[str, Any], says: str) -> None:
    """With what is wrong in it."""
    good = yaml.safe_load(GOOD)
    assert Report.model_validate(good).sums_up(Report.model_validate(good).by_id["b"])
    with pytest.raises(ValidationError, match=says):
        Report.model_validate(good | change)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ({"count": {"measure": "uplink", "way": ["162"]}}, "no such way: 162"),
        ({"count": {"measure": "luck"}}, "uplink"),
        ({"count": {"measure": "active"}}, "cannot be added"),
        ({"net": {"plus": ["c"]}}, "no such column: c"),
        ({"net": {"plus": ["b"]}}, "must be made of counts"),
        ({}, "exactly one"),
        ({"id": "a", "count": {"measure": "uplink"}}, "twice"),
    ],
)
def test_a_wrong_column_is_refused(column: dict[str, Any], says: str) -> None:
    """With what is wrong in it."""
    wrong = yaml.safe_load(GOOD)
    words = {"zh": "乙", "en": "B"}
    wrong["columns"][1] = {"id": "b", "title": words, "definition": words} | column
    with pytest.raises(ValidationError, match=says):
        Report.model_validate(wrong)


def test_texts_are_in_both_languages() -> None:
    """And take the same values."""
    texts = {key: both for key, both in load_texts().items() if key.startswith(("statistics.", "tiles."))}
    for key, both in texts.items():
        assert set(both) == {"zh", "en"}, key
        placeholders = [sorted(each.split("}")[0] for each in text.split("{")[1:]) for text in both.values()]
        assert placeholders[0] == placeholders[1], key


def test_ways_are_access_codes_of_the_tables() -> None:
    """An SMS to one of our main numbers counts under that number."""
    resolve = Tables.load().resolve
    codes = {resolve(number).access_code for number in ("161", "12520", "10086", "100861912345")}
    assert codes == {way for way in WAYS if way.isdigit()}
