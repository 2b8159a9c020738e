"""What a province's system sends becomes items, or reasons: whatever it sends."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events.payloads import PROVINCE_MT, PROVINCE_REFUSED, refusals
from gateway.events.reading import Item, Read, read
from tests.support import ALICE, START_MS

TOPIC = "fetion/province/200/mt"
GOOD: dict[str, Any] = {"id": "a", "to": ALICE, "text": "谢谢"}


def reading(value: object) -> Read:
    """Read one payload."""
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read(TOPIC, payload, START_MS)


def reason(value: object) -> str:
    """Why its only item is refused."""
    found = reading([value])
    assert found.items == []
    [refused] = found.refused
    assert refused.position == 0
    return refused.reason


def test_an_item_with_everything() -> None:
    """All fields; those that the gateway's own items have do no harm."""
    whole = {
        **GOOD,
        "schema": "fetion.province_mt/1",
        "cause_id": "0000000100000002",
        "source": "1612008",
        "expires_in": 60,
        "at": "2007-03-01T08:00:00+08:00",
        "event_id": "x",
        "node": "y",
    }
    now = START_MS
    at = json.loads(json.dumps(whole))
    found = read(TOPIC, json.dumps([at | {"at": None}]).encode(), now)
    [item] = found.items
    assert (item.id, item.to, item.text) == ("a", ALICE, "谢谢")
    assert (item.cause, item.source, item.until) == (0x100000002, "1612008", now + 60_000)
    assert reason(whole) == "expires_in: is over since it was written"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"hello", "not JSON"),
        (b'[{"id": "a"', "not JSON"),
        (b"\xff\xfe[\x00]\x00", "not UTF-8"),
        (b'[{"id": "a", "text": "\x00"}]', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 100_000, "not JSON"),
        (b"{}", "must be a JSON array"),
        (b"null", "must be a JSON array"),
        (b"[]", "0 items"),
        (json.dumps([GOOD] * 51).encode(), "51 items"),
    ],
)
def test_a_payload_that_is_refused_whole(payload: bytes, why: str) -> None:
    """One refusal without a position; the same event_id when it comes again."""
    found, again = reading(payload), reading(payload)
    assert found.items == []
    [refused] = found.refused
    assert why in refused.reason
    assert (refused.position, refused.id) == (None, None)
    assert refused == again.refused[0]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": 7}, "id: must be a text of 1 to 64"),
        ({"id": ""}, "id: must be a text of 1 to 64"),
        ({"id": "x" * 65}, "id: must be a text of 1 to 64"),
        ({"id": "a b"}, "id: must be a text of 1 to 64"),
        ({"id": "a\n"}, "id: must be a text of 1 to 64"),
        ({"to": 13800138000}, "to: must be a mobile of 11 digits, as a text"),
        ({"to": "+8613800138000"}, "to: must be a mobile"),
        ({"to": "１３８００１３８０００"}, "to: must be a mobile"),
        ({"text": ""}, "text: must be a text that is not empty"),
        ({"text": " \n\u3000"}, "text: is empty"),
        ({"text": None}, "text: must be"),
        ({"text": "a\0b"}, "text: has U+0000"),
        ({"text": "a\x1b"}, "text: has U+001B"),
        ({"text": "\ufdd0"}, "text: has U+FDD0"),
        ({"cause_id": "7"}, "cause_id: must be the message_id"),
        ({"cause_id": "f" * 16}, "cause_id: must be the message_id"),
        ({"source": "161-200"}, "source: must be a number"),
        ({"expires_in": 0}, "expires_in: must be a whole number"),
        ({"expires_in": "60"}, "expires_in: must be a whole number"),
        ({"expires_in": True}, "expires_in: must be a whole number"),
        ({"expires_in": 1e9}, "expires_in: must be a whole number"),
        ({"at": "yesterday"}, "at: must be a time"),
        ({"at": "2026-11-27T08:00:00"}, "at: needs a time zone"),
        ({"at": "0001-01-01T00:00:00+23:59", "expires_in": 1}, "expires_in: is over"),
        ({"schema": "fetion.province_mt/2"}, "schema: must be"),
        ({"txt": "x"}, "txt: there is no such field"),
        ({"密码123456": "x"}, "?: there is no such field"),
        ({str(n): "x" for n in range(18)}, "has 21 fields"),
    ],
)
def test_an_item_that_is_refused(change: dict[str, object], why: str) -> None:
    """With the field and what it has to be; the item beside it is not touched."""
    bad = {**GOOD, **change}
    assert reason(bad).startswith(why)
    found = reading([bad, {**GOOD, "id": "b"}])
    assert [item.id for item in found.items] == ["b"]
    assert len(found.refused) == 1


def test_a_lone_surrogate() -> None:
    """It refuses its own item."""
    found = reading(
        b'[{"id": "a", "to": "13800138000", "text": "\\ud83d"}, {"id": "b", "to": 1, "text": "x"}]'
    )
    assert [each.position for each in found.refused] == [0, 1]
    assert "text" in found.refused[0].reason


def test_fields_that_are_missing_and_items_that_are_none() -> None:
    """Each is named; an id that can be read is told."""
    assert reason({"id": "a"}) == "to: is missing; text: is missing"
    assert reason(7) == "must be an object"
    assert reading([{"id": "a"}]).refused[0].id == "a"
    assert reading([{"id": "a\u00e9"}]).refused[0].id is None


def test_an_id_that_stands_twice_in_one_array() -> None:
    """The same SMS counts once; another SMS under that id is refused."""
    found = reading([GOOD, GOOD, {**GOOD, "text": "other"}])
    assert [item.position for item in found.items] == [0]
    assert [(each.position, each.id) for each in found.refused] == [(2, "a")]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: VALUES | st.sampled_from(["a", ALICE, "text", 60, "0000000100000002"])
        for name in ("id", "to", "text", "cause_id", "source", "expires_in", "at", "other")
    },
)


@given(st.lists(FIELDS | VALUES, max_size=5))
def test_every_item_has_one_outcome(values: list[object]) -> None:
    """It is an item that keeps to the schema, or refused with a reason, or a repeat; what is told about it
    keeps to its schema."""
    payload = json.dumps(values).encode()
    found = read(TOPIC, payload, START_MS)
    if not values:
        assert found.items == []
        return
    places = [item.position for item in found.items] + [each.position or 0 for each in found.refused]
    assert len(set(places)) == len(places)
    assert set(places) <= set(range(len(values)))
    for item in found.items:
        assert isinstance(item, Item)
        PROVINCE_MT.validate_python([values[item.position]])
    told = [json.loads(each) for _, each in refusals(found.refused, "bj1", START_MS)]
    assert sum(map(len, told)) == len(found.refused)
    for each in told:
        PROVINCE_REFUSED.validate_json(orjson.dumps(each), strict=True)


@given(st.binary(max_size=200))
def test_octets_of_any_kind(payload: bytes) -> None:
    """They raise nothing."""
    found = read(TOPIC, payload, START_MS)
    assert found.items or found.refused
