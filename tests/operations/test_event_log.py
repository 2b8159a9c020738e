"""Lines that a peer can provoke: at a bounded rate, and what is left out is counted."""

import errno
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.contract import Bind
from gateway.message import TABLES, JournalEntry, MobileTerminated
from gateway.operations.event_log import ACCEPT_PERIOD, REJECTIONS, EventLog
from gateway.operations.logs import open_log
from gateway.settings import Logging
from gateway.smpp.pdus import BindTransceiver
from tests.peers import Peer
from tests.proofs.served import SYSTEM_ID
from tests.support import START_MS, HandClock, leaving, received, routing

STRANGER = "address not in allow_from of any account"


class LogUnderTest:
    """EventLog into a log in memory, on a clock that is moved."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self._stream = io.BytesIO()
        self._log = open_log(Logging(format="json"), self._stream)
        self.reports = EventLog(self._log, self.clock, routing().home)

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
    tested = LogUnderTest()
    refused = ("submit_sm", "ESME_RINVBNDSTS", 1, "not in state open")
    for number in range(1000):
        tested.reports.bind_refused("10.0.0.1:7", f"guess{number}", "wrong password", "ESME_RINVPASWD")
        tested.reports.turned_away("10.0.0.2:7", STRANGER)
        tested.reports.pdu_refused("10.0.0.1:7", "", *refused)
        tested.clock.now += 0.9 / 1000
    tested.reports.rejected(tested.bind(), 1, "", "999", "unknown", "ESME_RINVDSTADR")
    tested.reports.pdu_refused("10.0.0.3:7", SYSTEM_ID, *refused)
    tested.clock.now += 1
    tested.reports.turned_away("10.0.0.2:7", STRANGER)
    lines = tested.lines()
    assert [line["event"] for line in lines[REJECTIONS:]] == [
        "sms.rejected",
        "pdu.refused",
        "connection.refused",
    ]
    assert [line["suppressed"] for line in lines] == [0] * (REJECTIONS + 2) + [3000 - REJECTIONS]


def test_an_accept_that_goes_on_failing() -> None:
    """Told of at once, with what to do, then once a minute; its end is told of once."""
    tested = LogUnderTest()
    for _ in range(150):
        tested.reports.accepting(OSError(errno.EMFILE, "Too many open files"), 7)
        tested.clock.now += 1
    for _ in range(3):
        tested.reports.accepting(None, 5)
    told = [(line["event"], line.get("suppressed")) for line in tested.lines()]
    period = int(ACCEPT_PERIOD)
    assert told == [
        ("accept.failed", 0),
        ("accept.failed", period - 1),
        ("accept.failed", period - 1),
        ("accept.recovered", None),
    ]


class Remote:
    """A bind, as far as a line tells of it."""

    def __init__(self, account: str, peer: str) -> None:
        self.account, self.peer, self.number = account, peer, 7


def told(entry: JournalEntry, sms: MobileTerminated, remote: Remote, *, masked: bool) -> list[dict[str, Any]]:
    """The two lines of an SMS and its reply; masked: with numbers masked, which no template does."""
    stream = io.BytesIO()
    log = open_log(Logging(format="json", mask_msisdn=masked), stream)
    event_log = EventLog(log, HandClock(), routing().home)
    event_log.handled(
        entry._replace(detail={TABLES: 'ta"ble'}), remote, "instruction", 2, 0.0123456, START_MS
    )
    event_log.sent(sms, remote, 0.5, START_MS)
    log.close()
    lines: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    return lines


TEXTS = st.text(max_size=12)


@given(TEXTS, TEXTS, TEXTS, st.sampled_from(["13800138000", "", "1380013800x", '"', "\u0661\u0662"]))
def test_a_template_writes_what_the_library_writes(
    peer: str, account: str, instruction: str, who: str
) -> None:
    """The lines that are written from templates have the same keys, in the same order, and the same values as
    those that the JSON library writes whole, whatever a peer or a table puts into them."""
    remote = Remote(account, peer)
    entry = received(5)._replace(msisdn=who, instruction=instruction)
    sms = leaving(6)
    sms.msisdn, sms.source = who, who or "161"
    plain, whole = told(entry, sms, remote, masked=False), told(entry, sms, remote, masked=True)
    for each in (*plain, *whole):
        for key in ("msisdn", "source"):
            each.pop(key, None)
    assert [list(each.items()) for each in plain] == [list(each.items()) for each in whole]
    assert plain[0]["latency_ms"] == 12.346


def test_sms_sent_names_the_province_of_its_handset() -> None:
    """sms.sent has the keys of CONTRACT; its province is the home of the handset."""
    entry, sms = received(1), leaving(2, "13500000000")
    (_, sent) = told(entry, sms, Remote("smsc", "127.0.0.1:1"), masked=False)
    wanted = "message_id cause_id msisdn source province system_id parts attempts latency_ms"
    assert set(wanted.split()) <= set(sent)
    assert sent["province"] == routing().home("13500000000") != "000"
