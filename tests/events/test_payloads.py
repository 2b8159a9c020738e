"""Payloads and their schemas."""

import json

import pytest
from pydantic import ValidationError

from gateway.cli.main import main
from gateway.events.payloads import (
    EVENTS,
    LINK_STATES,
    NODE_MOVED,
    NODE_STATES,
    event_item,
    link_state,
    moment,
    node_moved,
    node_state,
)
from tests.events.json_schema import faults
from tests.events.support import happened
from tests.make_schemas import FOLDER, schemas


def test_the_shipped_schemas_are_up_to_date() -> None:
    """They are what `make schemas` writes, and no other file is there."""
    assert {path.name: path.read_text("utf-8") for path in FOLDER.iterdir()} == schemas()


def test_every_field_is_required() -> None:
    """No consumer need look whether a field is there; a province's system sends what it has to."""
    for text in schemas().values():
        for name, item in json.loads(text)["$defs"].items():
            needed = {"id", "to", "text"} if name == "ProvinceMt" else set(item["properties"])
            assert set(item["required"]) == needed
            assert item["additionalProperties"] is False


@pytest.mark.parametrize("data", [{}, {"other": "13900139000"}, {"text": "你好", "n": 1, "none": None}])
def test_an_event_fits_its_model(data: dict[str, object]) -> None:
    """What is filled by hand has exactly the fields of the model, and comes back the same."""
    event = happened(3)
    object.__setattr__(event, "data", data)
    item = event_item(event, "bj1")
    text = json.dumps([item])
    [read] = EVENTS.validate_json(text, strict=True)
    assert read.model_dump(by_alias=True) == item
    with pytest.raises(ValidationError):
        EVENTS.validate_json(json.dumps([{**item, "more": 1}]), strict=True)
    with pytest.raises(ValidationError):
        EVENTS.validate_json(json.dumps([{**item, "schema": "fetion.event/2"}]), strict=True)
    for most in (0, 51):
        with pytest.raises(ValidationError):
            EVENTS.validate_json(json.dumps([item] * most), strict=True)


@pytest.mark.parametrize("reason", ["connected", "stopped", "lost"])
def test_a_state_fits_its_model(reason: str) -> None:
    """Up when connected, else down."""
    [state] = NODE_STATES.validate_json(node_state("bj1", 1_700_000_000_005, reason), strict=True)
    assert (state.state, state.at) == ("up" if reason == "connected" else "down", "2023-11-14T22:13:20.005Z")


def test_a_state_of_a_link_fits_its_model() -> None:
    """Up, or down with the reason."""
    for reason, expected in (("", ("north", "up", None)), ("cut", ("north", "down", "cut"))):
        [state] = LINK_STATES.validate_json(link_state("bj1", "north", 5, reason), strict=True)
        assert (state.link, state.state, state.reason) == expected


def test_a_hint_fits_its_model() -> None:
    """Of as many SMS as were moved; the ids of hints to two nodes differ."""
    [hint] = NODE_MOVED.validate_json(node_moved("bj1", 5, "bj2", 3), strict=True)
    [other] = NODE_MOVED.validate_json(node_moved("bj1", 5, "bj3", 3), strict=True)
    assert (hint.node, hint.sms, hint.at) == ("bj1", 3, "1970-01-01T00:00:00.005Z")
    assert hint.event_id != other.event_id


@pytest.mark.parametrize(
    "change",
    [
        {"at": "2026-11-27 08:00:00"},
        {"schema": "fetion.event/2"},
        {"version": -1},
        {"version": "1"},
        {"data": None},
        {"more": 1},
    ],
)
def test_a_bad_item_breaks_the_schema(change: dict[str, object]) -> None:
    """The check of these tests finds what is wrong: a value, a kind, a field too many or missing."""
    schema = json.loads(schemas()["event.json"])
    good = json.loads(json.dumps(event_item(happened(1), "bj1")))
    assert faults([good], schema, schema) == []
    assert len(faults([good, {**good, **change}], schema, schema)) == 1
    for name in good:
        assert len(faults([{key: good[key] for key in good if key != name}], schema, schema)) == 1
    assert faults([], schema, schema)
    assert faults([good] * 51, schema, schema)


def test_moments() -> None:
    """UTC, with milliseconds, also where there are none."""
    assert [moment(ms) for ms in (0, 999, 1_700_000_000_000)] == [
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:00.999Z",
        "2023-11-14T22:13:20.000Z",
    ]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the names; with one its schema; with an unknown one exit code 2 and the names."""
    assert main(["schema"]) == 0
    provinces = ["province_mo", "province_mt", "province_refused"]
    assert capsys.readouterr().out.split() == ["event", "link_state", "node_mt", "node_state", *provinces]
    assert main(["schema", "event"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Payload of event"
    with pytest.raises(SystemExit, match="2"):
        main(["schema", "evnt"])
    assert "event, link_state, node_mt, node_state" in capsys.readouterr().err
