"""Watches: whole PDUs in both directions, within a bound, and nothing when nobody watches."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest

from gateway.channels.smpp import watching
from gateway.channels.smpp.watching import CannotWatch, Passed, Watch, Watches
from gateway.message import MobileTerminated
from gateway.net.connection import Connection
from gateway.smpp.codec import decode, encode
from gateway.smpp.pdus import BindTransceiver, DeliverSm, DeliverSmResp, EnquireLink, GenericNack, SubmitSm
from tests.net.test_connection import Line, sms

PEER = "127.0.0.1:40000"
ENQUIRY = encode(EnquireLink(sequence_number=7))


class Hub:
    """Watches over one connection, and the bugs they met."""

    def __init__(self, *, bound: bool = True) -> None:
        self.line = Line(bound=bound)
        self.bugs: list[Exception] = []
        self.connections: Collection[Connection] = [self.line.connection]
        self.watches = Watches(self.connections, ["smsc", "other"], self.bugs.append)
        if bound:
            self.watches.bound(self.line.connection, "smsc")

    def tapped(self) -> bool:
        """Whether the connection costs more than without a watch."""
        return self.line.connection.tap is not None

    def open(self, account: str = "", peer: str = "") -> Watch:
        """Watch from now on; it is always 7 ms past the epoch."""
        return self.watches.open(account, peer, lambda: 7)


@asynccontextmanager
async def hub(*, bound: bool = True) -> AsyncIterator[Hub]:
    """One connection, ended behind the test."""
    made = Hub(bound=bound)
    yield made
    made.line.end()
    assert made.bugs == []


def names(passed: list[Passed]) -> list[tuple[str, str]]:
    """Direction and name, or what was said."""
    return [
        (each.said, "") if each.said else ("in" if each.incoming else "out", decode(each.octets).name)
        for each in passed
    ]


async def test_both_directions_in_their_order() -> None:
    """What comes stands before the answer to it; then the connection's end with its reason."""
    async with hub() as each:
        watch = each.open("smsc")
        each.line.receive(EnquireLink(sequence_number=7))
        each.line.end()
        passed = watch.take(9)
        assert names(passed) == [
            ("in", "enquire_link"),
            ("out", "enquire_link_resp"),
            ("closed: closed by peer", ""),
        ]
        assert {(one.at, one.peer, one.account) for one in passed} == {(7, PEER, "smsc")}
        assert watch.take(9) == []


async def test_a_watch_may_begin_within_a_pdu() -> None:
    """The octets that came before are known: the PDU is whole, and so are those behind it."""
    for cut in range(len(ENQUIRY)):
        async with hub() as each:
            each.line.connection.data_received(ENQUIRY[:cut])
            watch = each.open(peer=PEER)
            each.line.connection.data_received(ENQUIRY[cut:] + ENQUIRY)
            assert names(watch.take(2)) == [("in", "enquire_link")] * 2


async def test_nobody_watches() -> None:
    """Without a watch, for another account, and behind the last watch, a connection has no tap."""
    async with hub() as each:
        assert not each.tapped()
        other = each.open("other")
        assert not each.tapped()
        first, second = each.open("smsc"), each.open(peer="127.0.0.1")
        assert each.tapped()
        first.close()
        first.close()
        assert each.tapped()
        each.line.receive(EnquireLink(sequence_number=7))
        assert names(second.take(1)) == [("in", "enquire_link")]
        assert first.take(9) == other.take(9) == []
        second.close()
        assert not each.tapped()


async def test_a_bind_joins_the_watch_of_its_account() -> None:
    """A connection that binds later, or is opened later, is watched from then on."""
    async with hub(bound=False) as each:
        of_account, of_address = each.open("smsc"), each.open(peer="127.0.0.1")
        each.watches.connected(each.line.connection)
        each.line.receive(BindTransceiver(system_id="smsc", sequence_number=1))
        each.watches.bound(each.line.connection, "smsc")
        each.line.receive(EnquireLink(sequence_number=2))
        assert names(of_account.take(9)) == [("in", "enquire_link"), ("out", "enquire_link_resp")]
        seen = of_address.take(9)
        assert names(seen)[:2] == [("in", "bind_transceiver"), ("out", "bind_transceiver_resp")]
        assert [one.account for one in seen] == ["", "", "smsc", "smsc"]


@pytest.mark.parametrize(("most", "octets"), [(5, 1 << 20), (1000, len(ENQUIRY) * 5)])
async def test_what_finds_no_room_is_counted(most: int, octets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that nobody reads holds so many PDUs and octets and no more; when it is read it goes on."""
    monkeypatch.setattr(watching, "MOST_PDUS", most)
    monkeypatch.setattr(watching, "MOST_OCTETS", octets)
    async with hub() as each:
        watch = each.open("smsc")
        each.line.connection.data_received(ENQUIRY * 10)
        assert watch.dropped == 15
        assert len(watch.take(100)) == 5
        each.line.connection.data_received(ENQUIRY)
        assert (len(watch.take(100)), watch.dropped) == (2, 15)


async def test_octets_that_are_no_pdu() -> None:
    """It is said without a single octet, which may be of a text, and what went before is there."""
    async with hub() as each:
        watch = each.open("smsc")
        each.line.connection.data_received(ENQUIRY + b"GET / HTTP/1.1\r\n\r\n")
        each.line.connection.data_received(b"Host: x\r\n")
        each.line.end()
        passed = watch.take(9)
        assert names(passed)[0] == ("in", "enquire_link")
        assert [one.said for one in passed if one.said] == [
            "octets that are no PDU: the rest of what the peer sends cannot be read",
            "closed",
        ]


@pytest.mark.parametrize(
    ("secret", "parts", "hidden"),
    [(True, 1, watching.SECRET), (False, 2, watching.PART), (False, 1, "")],
)
async def test_an_sms_to_a_handset_says_whether_it_is_secret(secret: bool, parts: int, hidden: str) -> None:
    """No octet says it: the SMS in the window does, for the deliver_sm and for the answer to it."""
    async with hub() as each:
        watch = each.open("smsc")
        line = each.line
        out = MobileTerminated(
            2, 1, "13800138000", "smsc", 0, "161", "13800138000", 0, 1, "x", 0, 0, secret, parts=parts
        )
        sequence = line.connection.session.send(DeliverSm(short_message=b"x"), out, line.clock.now)
        line.connection.flush()
        for _ in range(2):
            line.receive(DeliverSmResp(sequence_number=sequence))
        line.receive(sms(1))
        assert [one.hidden for one in watch.take(9)] == [hidden, hidden, watching.UNKNOWN, ""]


@pytest.mark.parametrize("secret", [True, False])
async def test_a_peer_may_send_a_secret_back(secret: bool) -> None:
    """Behind the header of a generic_nack, which has no body: shown as little as the deliver_sm."""
    async with hub() as each:
        watch = each.open("smsc")
        line = each.line
        out = MobileTerminated(
            2, 1, "13800138000", "smsc", 0, "161", "13800138000", 0, 1, "x", 0, 0, secret, parts=1
        )
        sequence = line.connection.session.send(DeliverSm(short_message=b"x"), out, line.clock.now)
        line.connection.flush()
        watch.take(1)
        line.receive(GenericNack(sequence_number=sequence, tlvs={0x1400: b"abc12345"}))
        assert watch.take(1)[0].hidden == (watching.SECRET if secret else "")


async def test_a_bug_ends_the_watch_of_a_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session does not notice: it answers, and the bug is told once."""

    def bug(*_: object, **__: object) -> None:
        raise RuntimeError("bug")

    each = Hub()
    each.open("smsc")
    monkeypatch.setattr(Watch, "put", bug)
    each.line.receive(EnquireLink(sequence_number=7))
    each.line.receive(EnquireLink(sequence_number=8))
    assert each.line.said == ["enquire_link_resp", "enquire_link_resp"]
    assert [str(error) for error in each.bugs] == ["bug"]
    assert not each.tapped()
    each.line.end()


async def test_what_cannot_be_watched() -> None:
    """An account that is not configured, a connection that is not there, too many: the remedy is named."""
    async with hub() as each:
        with pytest.raises(CannotWatch, match="no account 'nobody'; there are: other, smsc"):
            each.open("nobody")
        for peer in ("127.0.0.1:1", "x", "161"):
            with pytest.raises(CannotWatch, match="ADDRESS:PORT"):
                each.open(peer=peer)
        watches = [each.open("other") for _ in range(watching.MOST_WATCHES)]
        with pytest.raises(CannotWatch, match="4 watch already"):
            each.open("other")
        watches[0].close()
        each.open("other")


async def test_a_pdu_is_whole_however_the_network_cuts_it() -> None:
    """A submit_sm that comes octet by octet is one PDU."""
    async with hub() as each:
        watch = each.open("smsc")
        octets = encode(SubmitSm(sequence_number=9, destination_addr="161", short_message=b"KTFX"))
        for octet in octets:
            each.line.connection.data_received(bytes((octet,)))
        assert [one.octets for one in watch.take(9)] == [octets]
