"""The simulated SMS centre on a real socket, with our own client as the ESME."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.simulator.errors import BindRefusedError, NoResponseError, NotConnectedError
from gateway.simulator.esme import Esme
from gateway.simulator.handset import Account, Centre
from gateway.simulator.sms import MissedError
from gateway.simulator.smsc.centre import SmsCentre
from gateway.simulator.smsc.receipts import RECEIPT
from gateway.smpp.codec import decode, encode
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.pdus import BindTransceiver, DataSm, DataSmResp, DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.status import CommandStatus
from gateway.smpp.timers import Timers
from pytest_fetion_gateway import StartsCentre

HANDSET = "13800138000"
PAYLOAD = 0x0424


async def esme(centre: SmsCentre, system_id: str = "esme", word: str = "pw", **more: Any) -> Esme:
    """Bind to the centre."""
    return await Esme.connect("127.0.0.1", centre.port, system_id, word, **more)


def id_of(response: Response) -> str:
    """The message_id of a response."""
    assert isinstance(response, SubmitSmResp | DataSmResp)
    return response.message_id


def sms(text: bytes = b"hi", to: str = HANDSET, **fields: Any) -> SubmitSm:
    """An SMS of a service."""
    return SubmitSm(source_addr="161034", destination_addr=to, short_message=text, **fields)


async def test_takes_sms_and_delivers_those_of_handsets(smsc: StartsCentre) -> None:
    """An ESME's SMS reaches its handset under an id; a handset's SMS reaches the ESME, long ones in parts."""
    centre = await smsc()
    async with await esme(centre) as client:
        response = await client.submit(sms("你好".encode("utf-16-be"), data_coding=8))
        assert id_of(response) == centre.ledger.submitted[0].message_id
        assert (await centre.expect("你好", to=HANDSET)).sender == "161034"
        assert await centre.deliver(HANDSET, "161", "KTFX") == 0
        assert (await client.inbox.get()).destination_addr == "161"
        assert await centre.deliver(HANDSET, "161", "字" * 100) == 0
        assert client.inbox.qsize() == 2
        assert [each.statuses for each in centre.ledger.delivered] == [[0], [0], [0]]


async def test_data_sm(smsc: StartsCentre) -> None:
    """A data_sm is answered by its own response, and its payload is read."""
    centre = await smsc(ids="hex")
    async with await esme(centre) as client:
        response = await client.submit(
            DataSm(source_addr="161", destination_addr=HANDSET, tlvs={PAYLOAD: b"hello"})
        )
    assert response.name == "data_sm_resp"
    assert int(id_of(response), 16)
    assert (await centre.expect()).text == "hello"


async def test_what_was_not_answered_comes_again(smsc: StartsCentre) -> None:
    """A delivery without an answer comes again on the next bind of the same ESME, and on no other's."""
    centre = await smsc(timers=Timers(response=5))
    first = await esme(centre)
    deaf: list[DeliverSm | DataSm] = []

    def cut_off(delivery: DeliverSm | DataSm) -> int:
        deaf.append(delivery)
        return CommandStatus.RX_T_APPN

    client = await esme(centre, "other", take=cut_off, address_range="161")
    waiting = centre.post(HANDSET, "161", "KTFX")[0]
    while not deaf:
        await client.enquire()
    await client.abort()
    again = await esme(centre, "other", address_range="999")
    assert await asyncio.wait_for(waiting, 5) == 0
    assert again.inbox.qsize() == 1
    assert first.inbox.qsize() == 0
    await again.close()
    await first.close()


async def test_routes_between_esmes(smsc: StartsCentre) -> None:
    """What a handset's bind writes to a service goes to the ESME without a claim, and the answer to it."""
    centre = await smsc()
    account = Account("127.0.0.1", centre.port, "handset", "pw")
    service = await esme(centre)
    async with await Centre.connect(account, [HANDSET], address_range=HANDSET) as phones:
        await phones.handsets[HANDSET].send("KTFX", "161")
        assert (await service.inbox.get()).destination_addr == "161"
        await service.submit(sms(b"done"))
        await phones.handsets[HANDSET].expect("done")
    await service.close()
    assert centre.unread == ()


async def test_accounts(smsc: StartsCentre) -> None:
    """With accounts only they bind, and with their password."""
    centre = await smsc(accounts={"a": "right"})
    with pytest.raises(BindRefusedError, match="RINVSYSID"):
        await esme(centre, "b", "right")
    with pytest.raises(BindRefusedError, match="RINVPASWD"):
        await esme(centre, "a", "wrong")
    await (await esme(centre, "a", "right")).close()


RECEIPTS: list[tuple[Mapping[str, object], int, list[str]]] = [
    ({}, 0, []),
    ({}, 1, ["stat:DELIVRD"]),
    ({"states": {"UNDELIV": 1}}, 2, ["stat:UNDELIV"]),
    ({}, 2, []),
    ({"states": {"UNDELIV": 1}}, 3, []),
    ({"never": 1}, 1, []),
    ({"twice": 1}, 1, ["stat:DELIVRD", "stat:DELIVRD"]),
    ({}, 0x11, ["stat:ENROUTE", "stat:DELIVRD"]),
]


@pytest.mark.parametrize(("rules", "asked", "told"), RECEIPTS)
async def test_receipts(smsc: StartsCentre, rules: Mapping[str, object], asked: int, told: list[str]) -> None:
    """Receipts come when they are asked for, and as the faults say."""
    centre = await smsc(faults={"receipts": rules})
    async with await esme(centre) as client:
        await client.submit(sms(registered_delivery=asked))
        came = [await asyncio.wait_for(client.inbox.get(), 5) for _ in told]
        await client.enquire()
        texts = [each.short_message.decode() for each in came if isinstance(each, DeliverSm)]
        assert [text.split()[-3] for text in texts] == told
        assert client.inbox.empty()


async def test_receipts_go_to_the_service(smsc: StartsCentre) -> None:
    """Not to a handset that is bound with the same system_id and has more room."""
    centre = await smsc(faults={"receipts": {"delay": [0, 0]}})
    async with await esme(centre) as service, await esme(centre, address_range=HANDSET) as phone:
        asked = [sms(to="13900139000", registered_delivery=1) for _ in range(6)]
        await asyncio.gather(*(service.submit(each) for each in asked))
        async with asyncio.timeout(5):
            for _ in asked:
                assert (await service.inbox.get()).esm_class == RECEIPT
        assert phone.inbox.empty()


async def test_ids_of_receipts(smsc: StartsCentre) -> None:
    """A receipt may write the number otherwise, name no SMS at all, or come before the response."""
    centre = await smsc(ids="hex", faults={"receipts": {"id": "decimal", "before_response": 1}})
    order: list[str] = []

    def take(_: DeliverSm | DataSm) -> int:
        order.append("receipt")
        return 0

    client = await esme(centre, take=take)
    response = await client.submit(sms(registered_delivery=1))
    order.append("response")
    number = int(id_of(response), 16)
    assert order == ["receipt", "response"]
    assert centre.ledger.delivered[0].pdu.tlvs[0x001E] == str(number)
    centre.misbehave({"receipts": {"wrong_id": 1}})
    await client.submit(sms(registered_delivery=1))
    assert await centre.quiet()
    assert centre.ledger.delivered[1].pdu.tlvs[0x001E] != f"{number + 1:X}"
    await client.close()


async def test_what_cannot_be_had_is_said(smsc: StartsCentre) -> None:
    """Nobody bound, no answer, no SMS: each is an error that says so."""
    centre = await smsc()
    with pytest.raises(NotConnectedError, match="has not bound"):
        await centre.bound(within=0.01)
    with pytest.raises(NoResponseError, match="no answer to the SMS of 13800138000 to 161"):
        await centre.deliver(HANDSET, "161", "KTFX", within=0.01)
    with pytest.raises(MissedError):
        await centre.expect("nothing", within=0.01)


async def test_version_3_3_has_no_tlv(smsc: StartsCentre) -> None:
    """Neither the answer to its bind nor a receipt has one."""
    centre = await smsc()
    reader, writer = await asyncio.open_connection("127.0.0.1", centre.port)
    bind = BindTransceiver(system_id="old", interface_version=0x33, sequence_number=1)
    request = sms(registered_delivery=1)
    request.sequence_number = 2
    writer.write(encode(bind) + encode(request))
    splitter = FrameSplitter()
    pdus: list[Pdu] = []
    while len(pdus) < 3:
        pdus += [decode(frame) for frame in splitter.feed(await asyncio.wait_for(reader.read(4096), 5))]
    writer.close()
    assert [pdu.name for pdu in pdus] == ["bind_transceiver_resp", "submit_sm_resp", "deliver_sm"]
    assert all(not pdu.tlvs for pdu in pdus)
