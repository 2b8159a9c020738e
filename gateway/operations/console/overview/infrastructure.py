"""The part of the overview that headquarters see: the gateway itself, and what is around it."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

from gateway.operations.console.overview.board import BAD, GOOD, PLAIN, WARN, Board, Text, cells, duration
from gateway.operations.console.overview.waiting import MOST, Waiting
from gateway.operations.metrics.latest import masked
from gateway.operations.metrics.snapshot import Snapshot

SHOWN: Final = 10
"""Refusals and alarms that are shown."""
BUSY: Final = 0.8
"""Share of a limit from which a value is a warning."""
MEANT: Final = frozenset({"paused", "stopped", "dialled by other nodes"})
"""States of a link without a bind that somebody wants."""
LATE: Final = 0.1
"""Seconds of lag of the event loop from which it is a warning."""


def put_infrastructure(
    board: Board, snapshot: Snapshot, waiting: Waiting | None, zone: tzinfo, text: Text
) -> None:
    """All of it."""
    _state(board, snapshot, text)
    _limits(board, snapshot, waiting, text)
    _store(board, snapshot, text)
    status = snapshot.now.status
    board.rows["accounts"] = _accounts(snapshot)
    board.rows["links"] = [_link(each) for each in status["links"]]
    board.rows["consumers"] = _consumers(status, text)
    board.rows["nodes"] = [_node(each, text) for each in status["nodes"]]
    board.rows["refusals"] = [
        cells(
            clock_time(each.at, zone),
            masked(each.account),
            masked(each.source),
            masked(each.destination),
            masked(each.reason),
            each.status,
        )
        for each in snapshot.refusals[:SHOWN]
    ]
    board.rows["alarms"] = [
        cells(clock_time(each.at, zone), each.event, masked(each.detail)) for each in snapshot.alarms[:SHOWN]
    ]


def clock_time(at_ms: int, zone: tzinfo) -> str:
    """When something was, to the second; the day too, as it may be long ago."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%m-%d %H:%M:%S}"


def _state(board: Board, snapshot: Snapshot, text: Text) -> None:
    now = snapshot.now
    board.say("ready", text("not_ready" if now.faults else "ready"), BAD if now.faults else GOOD)
    board.rows["faults"] = [[(fault, BAD)] for fault in now.faults]
    board.say("version", str(now.status["version"]))
    board.say("tables", str(now.status["tables"]))
    board.say("up", duration(now.status["up_s"]))


def _limits(board: Board, snapshot: Snapshot, waiting: Waiting | None, text: Text) -> None:
    now = snapshot.now
    outbox = now.status["outbox"]
    board.say("outbox", *_share(outbox["depth"], outbox["limit"], text))
    board.say("in-flight", f"{outbox['in_flight']:,}")
    board.say("queue", *_share(now.queue, now.queue_limit, text))
    board.say("load", f"{now.load:.0%}", BAD if now.load >= 1 else WARN if now.load >= BUSY else PLAIN)
    lag = snapshot.worst_lag
    board.say("lag", duration(lag), WARN if lag >= LATE else PLAIN)
    if waiting is None:
        board.say("parked", text("unknown"), WARN)
        board.say("oldest", text("unknown"), WARN)
        return
    parked = f"{waiting.parked:,}" if waiting.parked < MOST else f"{MOST:,}+"
    board.say("parked", parked, WARN if waiting.parked else PLAIN)
    age = 0.0 if waiting.oldest_ms is None else (snapshot.at_ms - waiting.oldest_ms) / 1000
    board.say("oldest", duration(age))


def _share(used: int, limit: int, text: Text) -> tuple[str, str]:
    tone = BAD if used >= limit else WARN if used >= BUSY * limit else PLAIN
    return text("of", used=f"{used:,}", limit=f"{limit:,}"), tone


def _store(board: Board, snapshot: Snapshot, text: Text) -> None:
    store, lost = snapshot.now.status["store"], snapshot.now.lost
    if store["failures"]:
        board.say("store", text("store_fails", seconds=f"{store['failing_s']:g}"), BAD)
    else:
        board.say("store", text("store_works"), GOOD)
    board.say("store-failures", f"{store['failures']:,}", BAD if store["failures"] else PLAIN)
    board.say("commit", duration(snapshot.commit_p99))
    board.say("lost", f"{lost:,}", BAD if lost else PLAIN)
    ahead = snapshot.now.ahead_s
    board.say("clock", duration(ahead), WARN if ahead > 1 else PLAIN)


def _accounts(snapshot: Snapshot) -> list[list[tuple[str, str]]]:
    binds, rows = snapshot.now.binds, []
    for account in {**snapshot.now.status["binds"], **binds.by_account}:
        count, window = binds.by_account.get(account, 0), binds.windows.get(account)
        used = (
            cells("-", "-")
            if window is None
            else cells(
                f"{window.used_in:,} / {window.limit_in:,}", f"{window.used_out:,} / {window.limit_out:,}"
            )
        )
        rows.append([(account, PLAIN), (f"{count:,}", PLAIN if count else WARN), *used])
    return rows


def _link(link: dict[str, Any]) -> list[tuple[str, str]]:
    bound, meant = link["session"] is not None, link["state"] in MEANT
    return [
        (str(link["name"]), PLAIN),
        (str(link["mode"]), PLAIN),
        (str(link["state"]), GOOD if bound else PLAIN if meant else BAD),
        (masked(str(link["remote"] or "-")), PLAIN),
        (masked(str(link["reason"] or "-")), PLAIN),
    ]


def _consumers(status: Mapping[str, Any], text: Text) -> list[list[tuple[str, str]]]:
    rows = []
    for name, events in status["events"].items():
        broker = status["brokers"].get(name)
        up = ("-", PLAIN) if broker is None else _word(bool(broker["connected"]), "connected", "away", text)
        gone = [(f"{events[key]:,}", WARN if events[key] else PLAIN) for key in ("parked", "dropped")]
        rows.append([(name, PLAIN), up, (f"{events['waiting']:,}", PLAIN), *gone])
    return rows


def _node(node: dict[str, Any], text: Text) -> list[tuple[str, str]]:
    return [
        (str(node["name"]), PLAIN),
        _word(bool(node["live"]), "live_node", "dead_node", text),
        (duration(node["lease_s"]), PLAIN),
        (f"{node['binds']:,}", PLAIN),
    ]


def _word(good: bool, yes: str, no: str, text: Text) -> tuple[str, str]:
    return text(yes if good else no), GOOD if good else BAD
