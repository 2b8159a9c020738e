"""A connection moves octets between a transport, here in memory, and a session; it does nothing else."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, strategies

from gateway.net import connection as connection_module
from gateway.net.connection import HIGH_WATER, Connection
from gateway.smpp.codec import encode
from gateway.smpp.events import Answered, Closing, Event
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import (
    BindTransceiver,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    SubmitSm,
    Unbind,
    UnbindResp,
)
from gateway.smpp.session import Limits, Session, Side, State, Timers
from tests.proofs.served import until
from tests.smpp.sessions import SERVES, pdus
from tests.support import HandClock


class Pipe(asyncio.Transport):
    """A transport in memory: what was written, and whether it reads."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000)})
        self.written: list[bytes] = []
        self.reading = True
        self.closing = False
        self.aborted = False
        self.high = 0

    def write(self, data: Any) -> None:
        """One piece for each call."""
        assert not self.closing
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """After close or abort."""
        return self.closing

    def close(self) -> None:
        """No more is written."""
        self.closing = True

    def abort(self) -> None:
        """Nothing is waited for."""
        self.closing = self.aborted = True

    def pause_reading(self) -> None:
        """Flow control."""
        self.reading = False

    def resume_reading(self) -> None:
        """Flow control."""
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Where pause_writing begins."""
        assert low is None
        self.high = high or 0


class Remembers:
    """gateway.net.connection.Owner: answers a bind, keeps everything else."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.runs = 0
        self.lost_with: list[tuple[list[object], str]] = []

    def opened(self, connection: Connection) -> None:
        """The connection stands."""
        assert connection.peer == "127.0.0.1:40000"

    def received(self, connection: Connection, events: list[Event]) -> None:
        """What the session made of the octets."""
        self.runs += 1
        for event in events:
            if isinstance(event, BindTransceiver):
                connection.session.answer(event, event.response())
            else:
                self.events.append(event)

    def lost(self, connection: Connection, contexts: list[object], reason: str) -> None:
        """The connection is gone."""
        assert connection.closed
        self.lost_with.append((contexts, reason))


class Line:
    """A connection with its owner, transport and clock."""

    def __init__(self, timers: Timers | None = None, *, bound: bool = True) -> None:
        self.clock = HandClock()
        self.owner = Remembers()
        self.pipe = Pipe()
        session = Session(
            Side.MC, now=self.clock.now, serves=SERVES, timers=timers or Timers(), limits=Limits(window_in=5)
        )
        self.connection = Connection(session, self.owner, self.clock.monotonic)
        self.connection.connection_made(self.pipe)
        if bound:
            self.receive(BindTransceiver(system_id="smsc"))
            self.owner.runs = 0
            self.pipe.written.clear()

    def receive(self, *what: Pdu) -> None:
        """Octets come, in one piece."""
        self.connection.data_received(b"".join(map(encode, what)))

    @property
    def said(self) -> list[str]:
        """The names of the PDUs that were written."""
        return [pdu.name for pdu in pdus(b"".join(self.pipe.written))]

    @property
    def state(self) -> tuple[bool, bool]:
        """Whether it reads, and whether it is closing."""
        return self.pipe.reading, self.pipe.closing

    def end(self) -> None:
        """The socket goes: no timer is left behind."""
        if not self.owner.lost_with:
            self.connection.connection_lost(None)


def sms(number: int) -> SubmitSm:
    """One of several."""
    return SubmitSm(destination_addr="161", sequence_number=number, short_message=b"x" * number)


@given(data=strategies.data())
def test_any_cut_of_the_stream(data: strategies.DataObject) -> None:
    """However the network cuts the octets, the owner hears the same."""
    octets = b"".join(map(encode, (sms(1), EnquireLink(sequence_number=2), sms(3), sms(4))))

    async def talk() -> tuple[list[Event], list[str]]:
        line, rest = Line(), octets
        while rest:
            size = data.draw(strategies.integers(1, len(rest)))
            line.connection.data_received(rest[:size])
            rest = rest[size:]
        line.end()
        return line.owner.events, line.said

    assert asyncio.run(talk()) == ([sms(1), sms(3), sms(4)], ["enquire_link_resp"])


async def test_one_run_and_one_write_for_one_read() -> None:
    """What came together is handed over together; what was queued meanwhile is written together."""
    line = Line()
    line.receive(sms(1), EnquireLink(sequence_number=2), sms(3), EnquireLink(sequence_number=4))
    assert line.owner.runs == 1
    assert len(line.pipe.written) == 1
    assert line.said == ["enquire_link_resp"] * 2
    line.end()


async def test_flush_writes_what_is_queued() -> None:
    """Answers leave with flush, in one write, and nothing is written when nothing is queued."""
    line = Line()
    line.receive(sms(1), sms(2))
    for event in line.owner.events:
        assert isinstance(event, SubmitSm)
        line.connection.session.answer(event, event.response())
    assert line.pipe.written == []
    line.connection.flush()
    line.connection.flush()
    assert len(line.pipe.written) == 1
    assert line.said == ["submit_sm_resp"] * 2
    line.end()


async def test_a_loss_gives_back_what_was_unanswered() -> None:
    """When the socket goes the owner gets the requests without a response and the reason, once; then nothing
    is written any more."""
    line = Line()
    for context in "ab":
        line.connection.session.send(DeliverSm(), context, line.clock.now)
    line.connection.flush()
    line.receive(DeliverSmResp(sequence_number=1), sms(9))
    line.connection.connection_lost(ConnectionResetError("reset"))
    assert line.owner.lost_with == [(["b"], "connection error: reset")]
    [answered, waiting] = line.owner.events
    assert isinstance(answered, Answered)
    assert isinstance(waiting, SubmitSm)
    line.pipe.written.clear()
    line.connection.session.answer(waiting, waiting.response())
    line.connection.flush()
    line.connection.tick()
    assert line.pipe.written == []
    assert line.connection.closed


async def test_a_half_open_connection_is_of_no_use() -> None:
    """A peer that says it will send no more is let go."""
    line = Line()
    assert not line.connection.eof_received()
    line.connection.connection_lost(None)
    assert line.owner.lost_with == [([], "closed by peer")]


async def test_the_end_of_a_session_ends_the_connection() -> None:
    """After Closing the last octets are written, then the transport is closed; the owner hears why."""
    line = Line()
    line.receive(Unbind(sequence_number=3))
    assert line.said == ["unbind_resp"]
    assert line.pipe.closing
    assert not line.pipe.aborted
    assert line.connection.closed
    closing = line.owner.events[-1]
    assert isinstance(closing, Closing)
    assert closing.polite
    line.end()
    assert line.owner.lost_with == [([], "unbound by peer")]


async def test_unbind_of_ours() -> None:
    """unbind() asks, the response closes; before a bind it closes at once."""
    line = Line()
    line.connection.unbind()
    assert line.said == ["unbind"]
    assert line.state == (True, False)
    line.receive(UnbindResp(sequence_number=1))
    assert line.state == (True, True)
    line.end()
    unbound = Line(bound=False)
    unbound.connection.unbind()
    await until(lambda: unbound.pipe.closing, "the end")
    unbound.end()


async def test_abort() -> None:
    """abort() waits for nothing, and says why."""
    line = Line()
    line.connection.abort("stopped")
    assert line.pipe.aborted
    line.end()
    assert line.owner.lost_with == [([], "stopped")]


async def test_a_peer_that_takes_nothing_is_not_read() -> None:
    """Above the limit of unsent octets we stop reading, below it we go on; not when we are closing."""
    line = Line()
    assert line.pipe.high == HIGH_WATER == 256 * 1024
    line.connection.pause_writing()
    assert line.state == (False, False)
    line.connection.resume_writing()
    assert line.state == (True, False)
    line.connection.pause_writing()
    line.connection.close("over")
    line.connection.resume_writing()
    assert line.state == (False, True)
    line.end()


async def test_what_is_never_taken_does_not_keep_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closing connection whose peer does not read is cut after a while."""
    monkeypatch.setattr(connection_module, "GRACE", 0.01)
    line = Line()
    line.connection.close("over")
    await until(lambda: line.pipe.aborted, "the cut")
    line.end()
    assert line.owner.lost_with == [([], "over")]


@pytest.mark.parametrize(
    ("octets", "after", "reason"),
    [(encode(sms(1))[:5], 10.0, "pdu_read timer"), (b"", 30.0, None)],
    ids=["half a PDU", "silence"],
)
async def test_timers(octets: bytes, after: float, reason: str | None) -> None:
    """The session's deadlines are kept on the clock that was handed in: half a PDU for 10 s ends the
    session, silence for 30 s makes us ask."""
    line = Line()
    if octets:
        line.connection.data_received(octets)
    line.clock.now += after - 0.01
    line.connection.tick()
    assert (line.said, line.pipe.closing) == ([], False)
    line.clock.now += 0.01
    line.connection.tick()
    assert (line.said, line.pipe.closing) == (([], True) if reason else (["enquire_link"], False))
    line.end()
    assert line.owner.lost_with == [([], reason or "closed by peer")]


async def test_it_wakes_by_itself() -> None:
    """Without anybody's help the connection sees that a deadline has come."""
    line = Line(Timers(enquire_link=0.02))
    line.clock.now += 0.02
    await until(lambda: line.said == ["enquire_link"], "enquire_link")
    assert line.connection.session.state is State.BOUND_TRX
    line.end()
