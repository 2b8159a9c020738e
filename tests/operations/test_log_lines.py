"""Short lines of the log: the columns, every event that the gateway has, and lines of others."""

import errno
import io
import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.message import Acted, Asked, Commit, Delivery, EarlyReceipt, PartReceipt, StoredEvent
from gateway.observer import METHODS
from gateway.operations.event_log import EventLog
from gateway.operations.log_lines import LONGEST_VALUE, PHRASES, SMS, ShortLines, columns, wants_colours
from gateway.operations.logs import open_log
from gateway.operations.province_log import ProvinceLog
from gateway.settings import Logging
from gateway.storage.contract import StorageError
from tests.support import START_MS, HandClock, leaving, received, routing

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = {"timestamp": "2026-11-27T04:33:49.021Z", "level": "info"}
HANDLED = AT | {
    "event": "sms.handled",
    "message_id": "0000000100000002",
    "msisdn": "13500000000",
    "access_code": "161",
    "sub_code": "",
    "instruction": "service.open",
    "outcome": "done",
    "system_id": "smsc",
    "session": 1,
    "parts": 1,
    "replies": 1,
    "latency_ms": 1.234,
    "table_version": "a.b",
}
SENT = AT | {
    "event": "sms.sent",
    "message_id": "0000000100000003",
    "cause_id": "0000000100000002",
    "msisdn": "13500000000",
    "source": "161034",
    "parts": 1,
    "attempts": 1,
    "repeat": False,
    "latency_ms": 0.9,
}


def line_of(event: dict[str, Any]) -> str:
    """The line, without that of the date."""
    line = ShortLines(SHANGHAI).of(event)
    assert line is not None
    first, _, rest = line.partition("\n")
    assert first == "-- 2026-11-27, Asia/Shanghai --"
    return rest


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (HANDLED, "in   13500000000 > 161        service.open      done       1.2 ms  #...0002"),
        (SENT, "out  161034 > 13500000000     1 part            sent       0.9 ms  #...0003 for #...0002"),
        (
            SENT | {"parts": 3, "attempts": 2, "repeat": True, "latency_ms": 61234},
            "out  161034 > 13500000000     3 parts           sent       61.2 s  #...0003 for #...0002"
            "  2 attempts, perhaps delivered before",
        ),
        (
            HANDLED | {"access_code": "12520", "sub_code": "050", "instruction": "chat", "outcome": "chat"},
            "in   13500000000 > 12520050                     chat       1.2 ms  #...0002",
        ),
        (
            SENT | {"source": "1252013900139000"},
            "out  1252013900139000 > 13500000000  1 part     sent       0.9 ms  #...0003 for #...0002",
        ),
        (
            AT
            | {"event": "sms.receipted", "msisdn": "1", "said": "DELIVRD", "outcome": "delivered"}
            | {"latency_ms": 424},
            "out  > 1                      DELIVRD           delivered 424.0 ms",
        ),
        (
            AT
            | {"event": "link.failed", "level": "warning", "name": "north", "system_id": "c"}
            | {"mode": "receiver", "reason": "no", "failures": 2, "pause_s": 1.5},
            "!    link.failed              north, c, receiver, no, failure 2, next try in 1.5 s",
        ),
        (
            AT
            | {"event": "sms.rejected", "msisdn": "1", "destination": "999", "reason": "no such", "x": 0}
            | {"command_status": "ESME_RINVDSTADR", "suppressed": 3, "system_id": "smsc"},
            "in   1 > 999                  ESME_RINVDSTADR   rejected           "
            "no such, 3 more left out before",
        ),
        (
            AT | {"event": "bind.closed", "level": "warning", "system_id": "smsc", "remote": "[::1]:7"},
            "!    bind.closed              smsc at [::1]:7",
        ),
        (AT | {"event": "bind.closed", "remote": "[::1]:7"}, "-    bind.closed              [::1]:7"),
        (
            AT | {"event": "new", "level": "error", "system_id": "s"},
            "!!   new                      system_id=s",
        ),
        (AT | {"event": "new", "level": [], "empty": "", "session": 7}, "-    new"),
    ],
)
def test_columns(event: dict[str, Any], line: str) -> None:
    """The lines of README and docs: local time, no empty value, no number that only machines need."""
    assert line_of(event) == f"12:33:49.021  {line}"


def test_chinese_takes_two_columns() -> None:
    """What follows a Chinese value begins in the same column as in other lines."""
    plain, chinese = (line_of(AT | {"event": name, "k": "v"}) for name in ("ab", "飞信"))
    assert columns(plain[: plain.index("k=v")]) == columns(chinese[: chinese.index("k=v")])
    assert columns("飞信a") == 5


def test_a_new_day_is_named() -> None:
    """Date and zone stand before the first line, and before the first one of another day (also back)."""
    lines = ShortLines(SHANGHAI)
    times = ("2026-11-27T15:59:59.999Z", "2026-11-27T16:00:00.000Z", "2026-11-27T16:00:00.001Z", "2026-11-27")
    shown = [lines.of({"event": "e", "timestamp": each}) or "" for each in times]
    assert [each.count("\n") for each in shown] == [1, 1, 0, 1]
    assert [each.split()[1] for each in shown if "\n" in each] == [
        "2026-11-27,",
        "2026-11-28,",
        "2026-11-27,",
    ]
    assert shown[2].startswith("00:00:00.001")


@pytest.mark.parametrize(
    "change",
    [{"event": ""}, {"event": 7}, {"timestamp": None}, {"timestamp": "noon"}, {"timestamp": "9999-99-99"}],
)
def test_other_objects_are_no_lines(change: dict[str, Any]) -> None:
    """An object without a name of an event, or without a time, is not from our log."""
    assert ShortLines(SHANGHAI).of(HANDLED | change) is None


def test_an_exception_follows_its_line() -> None:
    """Its lines are indented, and its control characters escaped."""
    shown = line_of(
        AT | {"event": "gateway.fault", "where": "tick", "reason": "E", "exception": "E\n at\x1b\n"}
    )
    assert shown.splitlines()[1:] == ["    E", "     at\\x1b"]


KEYS = st.sampled_from([*HANDLED, *SENT, "reason", "suppressed", "exception", "remote", "other"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*SMS, *PHRASES, "unknown"]) | st.text()


@given(st.dictionaries(KEYS | st.text(), VALUES), NAMES, st.booleans())
def test_no_object_makes_it_raise(event: dict[str, Any], name: str, coloured: bool) -> None:
    """Whatever a line of JSON holds, there is a line or none; nothing in it acts on the terminal."""
    lines = ShortLines(SHANGHAI, colours=coloured)
    for each in (event, HANDLED | event | {"event": name}, AT | event | {"event": name}):
        shown = lines.of(each)
        for line in re.sub(r"\x1b\[\d*m", "", shown or "").split("\n"):
            assert line.isprintable()


def test_a_value_is_bounded() -> None:
    """A long value, or one as deep as JSON may be, is cut."""
    deep = orjson.loads(b'{"a":' * 1000 + b"1" + b"}" * 1000)
    shown = line_of(AT | {"event": "e", "reason": "x" * 10_000, "deep": deep})
    assert len(shown) < LONGEST_VALUE + 100


class Peer:
    """A bind, as far as a line tells of it."""

    account, peer, number = "smsc", "127.0.0.1:40112", 7


LINKS: dict[str, tuple[Any, ...]] = {
    "link_up": (Peer(), "north", "transceiver"),
    "link_down": (Peer(), "north", "receiver", "closed by peer", 2, 0.5),
    "link_paused": ("north",),
    "outbind_sent": ("smsc", "10.0.0.1:2775"),
    "outbind_failed": ("smsc", "Connection refused", 1, 0.5),
    "link_failed": ("north", "centre", "transmitter", "10.0.0.1:2775: Connection refused", 1, 0.5),
}
"""What is told of links."""
WAYS: dict[str, tuple[Any, ...]] = {
    "committed": (Commit(), (), (), 0.0),
    "late": (leaving(6), Peer()),
    "moved": (leaving(6), "north"),
    "acted": (Acted("r" * 16, 5, START_MS, "li", "unlock", "13800138000", "he called"), "done"),
    "link_resting": ("north", 30.0),
    "link_rested": ("north",),
}
"""What is told of ways out, and of what operators do."""


NET: dict[str, tuple[Any, ...]] = {
    "introduced": ("10.0.0.1:7", "10.0.0.5:40000"),
    "tls_loaded": ("listener", "smpp.example", "2027-01-01T00:00:00Z"),
    "tls_refused": ("listener", "key", "gateway.key: is encrypted"),
    "tls_ending": ("listener", "smpp.example", "2027-01-01T00:00:00Z", 13),
    "tls_unverified": ("north",),
    "console_login": ("ada", "10.0.0.1"),
    "console_login_failed": ("ada", "10.0.0.1", "wrong name or password"),
    "console_refused": ("ada", "/statistics", "10.0.0.1", "ada lacks the right figures"),
    "console_broken": ("0a1b2c3d", "/statistics", ValueError("no")),
}
PART = PartReceipt(6, 1, 2, "13800138000", "smsc", "1F", 1, 2, Delivery.SENT, "ENROUTE", "003", 9)
EARLY = EarlyReceipt("smsc", "1f", "", "1F", 1, Delivery.DELIVERED, "DELIVRD", "0", 1, "138", "161")
RECEIPTS: dict[str, tuple[Any, ...]] = {
    "receipted": (PART,),
    "receipt_contradicts": (PART, "EXPIRED"),
    "receipt_unmatched": (EARLY, "no part has its id"),
}


@pytest.mark.parametrize("outcome", ["delivered", "undelivered", "misunderstood"])
@pytest.mark.parametrize("latency", [1.2, 607.0, 1007.0, 86_400_000.0])
def test_a_long_outcome_stands_apart(outcome: str, latency: float) -> None:
    """From the time that it took, however long both are."""
    line = line_of(HANDLED | {"outcome": outcome, "latency_ms": latency})
    assert re.search(rf" {outcome} +\d", line), line


def all_lines() -> list[dict[str, Any]]:
    """What the logs write when they are told everything that an observer can hear."""
    stream = io.BytesIO()
    log = open_log(Logging(format="json", level="debug"), stream)
    tell = EventLog(log, HandClock(), routing().home)
    provinces = ProvinceLog(log, HandClock())
    fault, peer, sms = ValueError("no"), Peer(), leaving(6)
    event = StoredEvent(0, 1, "13800138000", "", "", "service", "opened", 1, event_id="e")
    arguments: dict[str, tuple[Any, ...]] = {
        **LINKS,
        **WAYS,
        **NET,
        **RECEIPTS,
        "handled": (received(5), peer, "base", 1, 0.001, START_MS),
        "repeated": (peer, 1, "13800138000", 5),
        "rejected": (peer, 1, "13800138000", "999", "begins with no access code", "ESME_RINVDSTADR"),
        "faulted": (5, "13800138000", "service.open", fault),
        "incomplete": ("13800138000", "161", 2),
        "unrecognised": (7,),
        "sent": (sms, peer, 0.001, START_MS),
        "failed": (sms, fault),
        "deferred": (sms, "no receiver"),
        "bind_accepted": (peer, "transceiver", "13*"),
        "bind_closed": (peer, "unbound by peer", 2),
        "bind_refused": ("10.0.0.1:7", "guess", "wrong password", "ESME_RINVPASWD"),
        "useless_range": (peer, "no such form"),
        "turned_away": ("10.0.0.1:7", "too many"),
        "accepting": (OSError(errno.EMFILE, "Too many open files"), 7),
        "pdu_refused": ("10.0.0.1:7", "smsc", "submit_sm", "ESME_RINVBNDSTS", 1, "not in state open"),
        "pdu_noted": ("10.0.0.1:7", "smsc", "submit_sm_resp", "unasked"),
        "events_deferred": ("mqtt", fault, 1, 1.0),
        "events_broken": ("mqtt", fault, 1, 1.0),
        "events_resumed": ("mqtt", 3, 2.0),
        "event_parked": ("mqtt", event, "refused"),
        "events_unparked": ("mqtt", 3),
        "consumer_connected": ("mqtt", "127.0.0.1:1883", 0),
        "consumer_disconnected": ("mqtt", "127.0.0.1:1883", "refused", 1),
        "consumer_denied": ("mqtt", "fetion/nodes/bj1/state", "not authorized"),
        "events_dropped": ("mqtt", 3),
        "province_refused": ("200", "to: is no mobile"),
        "province_unanswered": (Asked(5, 1, "200", "13800138000", "161200", 2),),
        "broken": ("tick", fault),
        "storage_failed": (StorageError("disk full"), 1, 1.0),
        "storage_recovered": (3, 2.0),
        "storage_lost": (StorageError("disk full"), 1, 2),
        "node_joined": ("west", 2),
        "node_taken_over": ("west", 3, 2, 1, 40),
        "node_clock_differs": ("east", -61.5),
        "node_clock_agrees": ("east", 0.25),
        "node_untrusted": ("east",),
        "node_trusted": ("east",),
        "node_fenced": ("east", fault),
        "sealed": ("outbox.sealed", "0000000100000002", fault),
    }
    named = {"link_paused": {"paused": True}, "late": {"twice": True}}
    for method in METHODS:
        told = provinces if method.startswith("province_") else tell
        getattr(told, method)(*arguments.get(method, (sms,)), **named.get(method, {}))
    log.close()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_event_has_a_sentence() -> None:
    """Each event that the event log writes has a row: no value is shown as key=value, and all is on one line
    except an exception."""
    written = all_lines()
    # consumer_left: the node that has it now writes the line; committed: each SMS of it has a line already
    assert len(written) == len(METHODS) - 2
    for event in written:
        assert event["event"] in {**SMS, **PHRASES}
        shown = ShortLines(SHANGHAI).of({key: value for key, value in event.items() if key != "exception"})
        assert shown is not None
        assert shown.count("\n") == 1, shown
        assert "=" not in shown.replace("LimitNOFILE=", ""), shown
        assert len(shown.split("\n")[1].split("  ")) > 3, shown


def test_colours() -> None:
    """On a terminal that has them, unless NO_COLOR is set."""
    assert wants_colours({}, terminal=True)
    assert wants_colours({"NO_COLOR": ""}, terminal=True)
    assert not wants_colours({"NO_COLOR": "1"}, terminal=True)
    assert not wants_colours({"TERM": "dumb"}, terminal=True)
    assert not wants_colours({}, terminal=False)
