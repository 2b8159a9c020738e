"""Virtual handsets behind one bind, on real sockets."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.simulator.demo import read_by_nobody
from gateway.simulator.errors import NotConnectedError, SubmitRefusedError, UnknownHandsetError
from gateway.simulator.handset import Centre, Spelling
from gateway.simulator.sms import UNREAD_LIMIT, MissedError, Sms
from gateway.smpp.long import Method
from gateway.smpp.pdus import DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.simulator.fake_smsc import ALPHABET, FakeSmsc, deliveries

ALICE, BOB = "13800138000", "13900139000"
LONG = "飞信短信，" * 40


async def connected(smsc: FakeSmsc, watch: Callable[[Sms], None] | None = None) -> Centre:
    """Two handsets behind one bind."""
    return await Centre.connect(smsc.account, [ALICE, BOB], watch=watch)


async def test_each_handset_gets_its_own() -> None:
    """Deliveries go to the handset they are addressed to, however 86 is written; a stranger's is refused."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        smsc.deliver(
            [
                *deliveries("161", "86" + BOB, "for Bob"),
                *deliveries("161", ALICE, "for Alice"),
                *deliveries("161", "13700137000", "for nobody"),
            ]
        )
        alice, bob = centre.handsets[ALICE], centre.handsets[BOB]
        assert await alice.expect("for") == Sms("161", ALICE, "for Alice")
        assert (await bob.expect("for")).text == "for Bob"
        await bob.send("done", to="161")
        assert smsc.statuses == {CommandStatus.ROK: 2, CommandStatus.RINVDSTADR: 1}


async def test_what_waits_for_a_handset_is_not_lost_at_the_bind() -> None:
    """A delivery that comes right behind the bind response finds its handset."""
    async with FakeSmsc() as smsc:
        connecting = asyncio.create_task(connected(smsc))
        async with await connecting as centre:
            smsc.deliver(deliveries("161", ALICE, "early"))
            assert (await centre.handsets[ALICE].expect("early")).sender == "161"


@pytest.mark.parametrize(
    ("spelling", "source", "ton"),
    [("national", ALICE, 0), ("international", "86" + ALICE, 1), ("plus", "+86" + ALICE, 1)],
)
async def test_the_centre_spells_numbers_its_way(spelling: Spelling, source: str, ton: int) -> None:
    """Source address and type of number are those of the chosen spelling."""
    async with FakeSmsc() as smsc, await Centre.connect(smsc.account, [ALICE], spelling=spelling) as centre:
        await centre.handsets[ALICE].send("KTFX", to="161")
        (submit,) = smsc.submitted
        assert (submit.source_addr, submit.source_addr_ton, submit.destination_addr) == (source, ton, "161")


@pytest.mark.parametrize("method", ["udh8", "udh16", "sar", "payload"])
async def test_long_texts_both_ways(method: Method) -> None:
    """A long text leaves in parts of one reference and a long answer is joined, in whatever form it comes."""

    def echo(submit: SubmitSm) -> list[DeliverSm]:
        last = submit.short_message[4] == submit.short_message[5]
        return deliveries("161", submit.source_addr, LONG[::-1], method) if last else []

    async with FakeSmsc(echo) as smsc, await connected(smsc) as centre:
        alice = centre.handsets[ALICE]
        await alice.send(LONG, to="161")
        assert len({submit.short_message[3] for submit in smsc.submitted}) == 1
        sent = b"".join(submit.short_message[6:] for submit in smsc.submitted)
        assert ALPHABET.decode(sent, 8) == LONG
        assert (await alice.expect(text=LONG[::-1])).text == LONG[::-1]


async def test_two_long_texts_have_two_references() -> None:
    """The reference moves on with each text, so that a receiver can tell two apart."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        await centre.handsets[ALICE].send(LONG, to="161")
        await centre.handsets[ALICE].send(LONG, to="161")
        assert len({submit.short_message[3] for submit in smsc.submitted}) == 2


async def test_a_refused_sms_is_an_error_with_its_status() -> None:
    """A negative submit_sm_resp raises, and nothing more of that text is sent."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        smsc.answer = CommandStatus.RINVDSTADR
        with pytest.raises(SubmitRefusedError, match="SMS to 999 refused: ESME_RINVDSTADR"):
            await centre.handsets[ALICE].send(LONG, to="999")
        assert len(smsc.submitted) == 1


async def test_a_missed_sms_tells_what_came() -> None:
    """When the wished SMS does not come in time, the error shows the unread ones."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        smsc.deliver(deliveries("12520", ALICE, "something else"))
        with pytest.raises(MissedError, match="came instead: 12520: something else") as missed:
            await centre.handsets[ALICE].expect("飞信", within=0.02, sender="161")
        assert [sms.text for sms in missed.value.instead] == ["something else"]


async def test_a_lost_connection_ends_the_wait() -> None:
    """Who waits for an SMS hears at once that none can come."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        waiting = asyncio.create_task(centre.handsets[ALICE].expect("never", within=60))
        await centre.handsets[BOB].send("hello", to="161")
        smsc.cut()
        with pytest.raises(NotConnectedError, match="connection lost"):
            await waiting


async def test_watch_sees_both_directions_in_order() -> None:
    """The watcher is told of each whole SMS as it leaves or comes."""
    seen: list[Sms] = []
    async with (
        FakeSmsc(lambda submit: deliveries("161", submit.source_addr, LONG)) as smsc,
        await connected(smsc, seen.append) as centre,
    ):
        await centre.handsets[ALICE].send("KTFX", to="161")
        await centre.handsets[ALICE].expect("飞信")
    assert seen == [Sms(ALICE, "161", "KTFX"), Sms("161", ALICE, LONG)]


async def test_a_broken_delivery_is_refused() -> None:
    """A header that cannot be read, and more SMS than a handset keeps, are refused with a status."""
    async with FakeSmsc() as smsc, await connected(smsc) as centre:
        smsc.deliver([DeliverSm(destination_addr=ALICE, esm_class=0x40, short_message=b"\x7f\x00")])
        centre.handsets[BOB].mailbox.unread = [Sms("161", BOB, "full")] * 1000
        smsc.deliver(deliveries("161", BOB, "one more"))
        await centre.handsets[ALICE].send("done", to="161")
        assert smsc.statuses.total() == 2
        assert smsc.statuses[CommandStatus.RMSGQFUL] == 1
        assert smsc.statuses[CommandStatus.ROK] == 0


def test_a_centre_adopts_handsets() -> None:
    """A mobile that it does not know becomes one of its handsets, up to a limit; anything else never does."""
    centre = Centre("national", None, adopts=1)
    adopted = centre.handset(BOB)
    assert centre.handset(BOB) is adopted
    for number in (ALICE, "12520", "", "1390013900a"):
        with pytest.raises(UnknownHandsetError):
            centre.handset(number)


async def test_a_stranger_gets_an_sms() -> None:
    """The SMS to a handset that is not there is refused by a centre that adopts nobody, else it arrives."""
    watched: list[Sms] = []
    async with FakeSmsc(lambda _: deliveries("161", BOB, "x")) as smsc:
        for adopts in (0, 2):
            async with await Centre.connect(
                smsc.account, [ALICE], adopts=adopts, watch=watched.append
            ) as centre:
                await centre.handsets[ALICE].send("y", to="161")
                await centre.esme.enquire()
                assert smsc.connection is not None
                assert centre.esme.local == smsc.connection.peer
    assert [sms.receiver for sms in watched] == ["161", "161", BOB]


def test_a_handset_that_nobody_reads_is_never_full() -> None:
    """Each SMS is shown and goes."""
    seen: list[Sms] = []
    centre = Centre("national", None, adopts=1)
    centre.watch = read_by_nobody(centre, seen.append)
    (pdu,) = deliveries("161", BOB, "x")
    for _ in range(UNREAD_LIMIT + 1):
        assert centre.handset(BOB).take(pdu) == CommandStatus.ROK
    assert len(seen) == UNREAD_LIMIT + 1
