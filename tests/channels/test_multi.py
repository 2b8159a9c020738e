"""submit_multi at a running gateway, and by itself."""

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.smpp.multi import Destination, Multi
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.queue import InboundQueue
from gateway.smpp.codec import encode
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import (
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    QuerySm,
    SubmitMulti,
    SubmitMultiResp,
)
from gateway.smpp.receipts import DELIVERY_RECEIPT, Receipt, read_receipt
from gateway.smpp.session import Session, Side
from gateway.smpp.wire import DistributionList, SmeAddress, UnsuccessSme
from gateway.storage.memory.reader import MemoryReader
from tests.channels.asking import (
    NOBODY,
    SERVICE,
    S,
    ask,
    bound,
    delivered,
    gateway,
    multi,
    nobody_is_bound,
    sme,
)
from tests.smpp.sessions import pdus
from tests.support import ALICE, Wire


async def test_each_destination_is_an_sms(tmp_path: Path) -> None:
    """Each is executed and answered; the response names the first one, and those that were not accepted."""
    async with gateway(tmp_path) as running, bound(running, receives=True) as wire:
        answer = await ask(wire, multi(*sme(NOBODY, SERVICE, "161"), DistributionList("friends")))
        assert {await delivered(wire), await delivered(wire)} == {SERVICE, "161"}
        assert (answer.command_status, answer.sequence_number) == (S.ROK, 7)
        assert answer.unsuccess_smes == (
            UnsuccessSme(1, 1, NOBODY, S.RINVDSTADR),
            UnsuccessSme(0, 0, "friends", S.RINVDLNAME),
        )
        told = await ask(wire, QuerySm(message_id=answer.message_id, source_addr=ALICE))
        assert told.message_state == 2
        log = running.log_file().read_text()
        assert log.count('"sms.rejected"') == 1


@pytest.mark.parametrize(
    ("request_", "status", "refused"),
    [
        (multi(), S.RINVNUMDESTS, ()),
        (multi(*sme(NOBODY, "1")), S.RINVDSTADR, (S.RINVDSTADR, S.RINVDSTADR)),
        (multi(DistributionList("a"), DistributionList("b")), S.RCNTSUBDL, (S.RCNTSUBDL, S.RCNTSUBDL)),
        (multi(DistributionList("a"), *sme(NOBODY)), S.RINVDLNAME, (S.RINVDLNAME, S.RINVDSTADR)),
        (multi(*sme(SERVICE), source_addr="10086"), S.RINVSRCADR, (S.RINVSRCADR,)),
        (multi(*sme(SERVICE), esm_class=0x04), S.RINVESMCLASS, (S.RINVESMCLASS,)),
    ],
)
async def test_nothing_is_accepted(
    tmp_path: Path, request_: SubmitMulti, status: int, refused: tuple[int, ...]
) -> None:
    """The status of the first destination, with the list of all; no message_id."""
    async with gateway(tmp_path) as running, bound(running) as wire:
        answer = await ask(wire, request_)
        assert (answer.command_status, answer.message_id) == (status, "")
        assert tuple(each.error_status_code for each in answer.unsuccess_smes) == refused


async def test_parts_to_many(tmp_path: Path) -> None:
    """A long message in parts to two numbers is joined for each of them."""
    async with gateway(tmp_path) as running, bound(running, receives=True) as wire:
        for number, text in enumerate((b"CX", b"FX"), 1):
            header = bytes((5, 0, 3, 9, 2, number))
            request = multi(*sme(SERVICE, "161"), text=header + text, esm_class=0x40, sequence_number=number)
            assert (await ask(wire, request)).unsuccess_smes == ()
        assert {await delivered(wire), await delivered(wire)} == {SERVICE, "161"}


async def test_a_repeated_request_gets_the_same_ids(tmp_path: Path) -> None:
    """After the loss of a session the request comes again: nothing is executed twice."""
    async with gateway(tmp_path) as running:
        async with bound(running) as wire:
            first = await ask(wire, multi(*sme(SERVICE, NOBODY, "161")))
        await nobody_is_bound(running)
        async with bound(running) as wire:
            again = await ask(wire, multi(*sme(SERVICE, NOBODY, "161"), sequence_number=9))
            assert (again.message_id, again.unsuccess_smes) == (first.message_id, first.unsuccess_smes)
            anew = await ask(wire, multi(*sme(SERVICE), sequence_number=10))
            assert anew.message_id != first.message_id


async def test_it_is_one_request_of_the_window(tmp_path: Path) -> None:
    """And a bind that is gone before all are decided disturbs nobody."""
    async with gateway(tmp_path, window_in=1) as running:
        async with bound(running) as wire:
            answer = await ask(wire, multi(*sme(*[SERVICE] * 255)))
            assert (answer.command_status, answer.unsuccess_smes) == (S.ROK, ())
        async with Wire.to(running.account.port) as wire:
            await wire.bind()
            wire.send(multi(*sme(*[SERVICE] * 255)))
        async with bound(running) as wire:
            assert (await ask(wire, multi(*sme(SERVICE)))).command_status == S.ROK
        assert '"broken"' not in running.log_file().read_text()


VERDICTS = st.sampled_from([S.ROK, S.RINVDSTADR, S.RMSGQFUL, S.RPROHIBITED, S.RINVTLVVAL])
DESTINATIONS = st.lists(
    st.one_of(st.sampled_from(sme("1", "2", "3")), st.just(DistributionList("list"))), min_size=1, max_size=12
)


@given(st.sampled_from([0x33, 0x34, 0x50]), DESTINATIONS, st.data())
def test_however_they_are_decided(
    version: int, to: list[SmeAddress | DistributionList], data: st.DataObject
) -> None:
    """In any order and with any verdicts: one response, behind the last decision and not before, in which
    every destination is either accepted or named with its status."""
    mc = Session(Side.MC, now=0.0, serves=frozenset({2, SubmitMulti.command_id}))
    bind = mc.receive(encode(BindTransmitter(interface_version=version)), 0.0)[-1]
    assert isinstance(bind, Request)
    mc.refuse(bind, S.ROK)
    mc.output()
    [request] = mc.receive(encode(multi(*to)), 0.0)
    assert isinstance(request, SubmitMulti)
    open_ones: list[Destination] = []
    for alone, destination in Multi(mc, request).each():
        assert (alone.source_addr, alone.short_message) == (ALICE, b"CXFX")
        open_ones.append(destination)
    ids = iter(f"{number:016x}" for number in range(1, 99))
    accepted = []
    for destination in data.draw(st.permutations(open_ones)):
        assert mc.output() == b""
        status = data.draw(VERDICTS)
        if status == S.ROK:
            accepted.append(next(ids))
            destination.accept(accepted[-1])
        else:
            destination.refuse(status)
    [answer] = pdus(mc.output())
    assert isinstance(answer, SubmitMultiResp)
    assert (mc.owed, answer.notes) == (0, ())
    assert len(answer.unsuccess_smes) == len(to) - len(accepted)
    assert all(each.error_status_code for each in answer.unsuccess_smes)
    if accepted:
        assert answer.command_status == S.ROK
        assert answer.message_id in {mc.version.id_of(each) for each in accepted}
    else:
        assert (answer.command_status, answer.message_id) == (answer.unsuccess_smes[0].error_status_code, "")


async def test_what_is_not_answered_yet_is_recognised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One destination waits, as for a hash, while the other is executed, and its handset has been told: the
    whole request comes again, and executes nothing twice."""
    async with gateway(tmp_path) as running:
        with monkeypatch.context() as patched:
            queue = running.app.queue

            def puts(m: MobileOriginated) -> None:
                if m.came.destination != "161":
                    InboundQueue.put(queue, m)

            patched.setattr(queue, "put", puts)
            async with bound(running, receives=True) as wire:
                wire.send(multi(*sme(SERVICE, "161")))
                assert await delivered(wire) == SERVICE
                await running.advance(seconds=10)
        await nobody_is_bound(running)
        async with bound(running) as wire:
            assert (await ask(wire, multi(*sme(SERVICE, "161")))).unsuccess_smes == ()
        with closing(MemoryReader(running.app.store._content)) as reader:  # type: ignore[attr-defined]
            assert sorted(each.destination for each in reader.journal()) == [SERVICE, "161"]


async def test_receipts_have_the_id_of_the_response(tmp_path: Path) -> None:
    """One for each destination that was accepted, from it: no other id was ever told."""
    async with gateway(tmp_path) as running, bound(running, receives=True) as wire:
        request = multi(*sme(NOBODY, SERVICE, "161"), registered_delivery=1)
        answer = await ask(wire, request)
        found: dict[str, Receipt] = {}
        while len(found) < 2:
            came = await wire.reads(DeliverSm)
            wire.send(DeliverSmResp(sequence_number=came.sequence_number))
            if came.esm_class == DELIVERY_RECEIPT:
                found[came.source_addr] = read_receipt(came.short_message, 0, came.tlvs)
        assert set(found) == {SERVICE, "161"}
        assert {each.text_id for each in found.values()} == {answer.message_id}
        assert {each.tlv_id for each in found.values()} == {answer.message_id}
