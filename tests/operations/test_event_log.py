"""Lines that a peer can provoke: at a bounded rate, and what is left out is counted."""

import errno
import io
import json
from typing import Any

from gateway.channels.contract import Bind
from gateway.operations.event_log import ACCEPT_PERIOD, REJECTIONS, EventLog
from gateway.operations.logs import open_log
from gateway.settings import Logging
from gateway.smpp.pdus import BindTransceiver
from tests.proofs.served import SYSTEM_ID
from tests.support import HandClock, Peer

STRANGER = "address not in allow_from of any account"


class Desk:
    """EventLog into a log in memory, on a clock that is moved."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self._stream = io.BytesIO()
        self._log = open_log(Logging(format="json"), self._stream)
        self.reports = EventLog(self._log, self.clock, "tables")

    def bind(self) -> Bind:
        """A live bind."""
        return Peer(1, self.clock, BindTransceiver(system_id=SYSTEM_ID), SYSTEM_ID, 10).bind

    def lines(self) -> list[dict[str, Any]]:
        """What was written; the end of the log."""
        self._log.close()
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


def test_strangers_do_not_fill_the_disk() -> None:
    """Refused binds, connections and PDUs of who is not bound: so many lines a second together, and the next
    one says how many were left out. Refused SMS of customers are told of all the same."""
    desk = Desk()
    refused = ("submit_sm", "ESME_RINVBNDSTS", 1, "not in state open")
    for number in range(1000):
        desk.reports.bind_refused("10.0.0.1:7", f"guess{number}", "wrong password", "ESME_RINVPASWD")
        desk.reports.turned_away("10.0.0.2:7", STRANGER)
        desk.reports.pdu_refused("10.0.0.1:7", "", *refused)
        desk.clock.now += 0.9 / 1000
    desk.reports.rejected(desk.bind(), 1, "", "999", "unknown", "ESME_RINVDSTADR")
    desk.reports.pdu_refused("10.0.0.3:7", SYSTEM_ID, *refused)
    desk.clock.now += 1
    desk.reports.turned_away("10.0.0.2:7", STRANGER)
    lines = desk.lines()
    assert [line["event"] for line in lines[REJECTIONS:]] == [
        "sms.rejected",
        "pdu.refused",
        "connection.refused",
    ]
    assert [line["suppressed"] for line in lines] == [0] * (REJECTIONS + 2) + [3000 - REJECTIONS]


def test_an_accept_that_goes_on_failing() -> None:
    """Told of at once, with what to do, then once a minute; its end is told of once."""
    desk = Desk()
    for _ in range(150):
        desk.reports.accepting(OSError(errno.EMFILE, "Too many open files"), 7)
        desk.clock.now += 1
    for _ in range(3):
        desk.reports.accepting(None, 5)
    told = [(line["event"], line.get("suppressed")) for line in desk.lines()]
    period = int(ACCEPT_PERIOD)
    assert told == [
        ("accept.failed", 0),
        ("accept.failed", period - 1),
        ("accept.failed", period - 1),
        ("accept.recovered", None),
    ]
