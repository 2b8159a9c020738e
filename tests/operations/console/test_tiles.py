"""The tile grid of the provinces: each has its place, its value and its colour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment, PackageLoader

from commands.tables import Tables
from gateway.operations.console.tiles import HEATS, TileGrid, heat_of, load_places, long_number, short_number
from routing.model import Province


def test_every_province_has_a_place_of_its_own() -> None:
    """All 31, no two in one place, all inside the grid that tiles.css draws."""
    places = load_places()
    assert places.places.keys() == Tables.load().routing.provinces.keys() - {"000"}
    taken = {(place.row, place.column) for place in places.places.values()}
    assert len(taken) == 31
    assert all(row <= places.rows and column <= places.columns for row, column in taken)
    assert {place.row for place in places.places.values()} == set(range(1, places.rows + 1))


def test_a_tile_has_value_name_and_link() -> None:
    """A province without a value shows "-"; one that the grid does not know stands without a place."""
    provinces = {"200": Province("200", "广东", "Guangdong"), "999": Province("999", "新省", "<b>New</b>")}
    guangdong, new = TileGrid().tiles(provinces, {"200": 12_345}, "en", lambda code: f"/to/{code}")
    assert (guangdong.name, guangdong.short, guangdong.heat) == ("Guangdong", "GD", HEATS)
    assert (guangdong.value, guangdong.full, guangdong.link) == ("12.3k", "12,345", "/to/200")
    assert (new.row, new.heat, new.value, new.full) == (0, 0, "-", "-")


def test_the_grid_escapes_names() -> None:
    """Names come from a table of the operator's."""
    provinces = {"200": Province("200", "广东", "Guangdong"), "999": Province("999", "新省", "<b>New</b>")}
    tiles = TileGrid().tiles(provinces, {"200": 1}, "en")
    templates = Environment(loader=PackageLoader("gateway.operations.console"), autoescape=True)
    module = templates.get_template("tiles.html").make_module({"t": str})
    html = str(module.tile_grid(tiles, "SMS"))  # type: ignore[attr-defined]
    assert 'class="tile row-7 column-4 heat-5" data-province="200"' in html
    assert "&lt;b&gt;New" in html
    assert "<b>" not in html


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_colours_follow_values(value: int, most: int) -> None:
    """Only what is nothing has no colour; the greatest is the hottest; more is never colder."""
    value = min(value, most)
    heat = heat_of(value, most)
    assert (heat == 0) == (value == 0)
    assert heat_of(most, most) == HEATS
    assert heat <= heat_of(min(value + 1, most), most) <= HEATS


@pytest.mark.parametrize(
    ("value", "zh", "en", "whole"),
    [
        (None, "-", "-", "-"),
        (0, "0", "0", "0"),
        (9_999, "9999", "9999", "9,999"),
        (12_345, "1.2万", "12.3k", "12,345"),
        (1_234_567, "123万", "1.2M", "1,234,567"),
        (234_000_000, "2.3亿", "234M", "234,000,000"),
        (1.5, "1.50", "1.50", "1.50"),
    ],
)
def test_numbers(value: float | None, zh: str, en: str, whole: str) -> None:
    """A short form in each language, and the whole one."""
    assert (short_number(value, "zh"), short_number(value, "en"), long_number(value)) == (zh, en, whole)
