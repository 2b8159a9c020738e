"""What the gateway writes, in both roles, read by Wireshark's dissector."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.simulator.esme import Esme
from gateway.simulator.handset import Account
from gateway.simulator.smsc.centre import SmsCentre
from gateway.smpp.codec import decode, encode
from gateway.smpp.pdu import Response
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from gateway.testing import running_gateway
from pytest_fetion_gateway import StartsCentre
from tests.conftest import Report
from tests.interop.capture import Recorder, Said, frames, missing, read, write
from tests.smpp.vectors import OWN, load

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ALICE, BOB, CAROL = "13800138000", "13900139000", "13700137000"
LONG = "飞信让沟通更简单，" * 20
WAYS = ("udh8", "udh16", "sar", "payload")


def checked(path: Path, said: list[Said], report: Report) -> None:
    """Every PDU is understood, and none is malformed."""
    write(path, said)
    found = read(path)
    assert found.complaints == []
    assert found.pdus == len(frames(said)) > 0
    report(f"{found.pdus} PDUs read by tshark, none malformed")


async def test_both_roles(tmp_path: Path, smsc: StartsCentre, report: Report) -> None:
    """Accounts and links: binds, SMS and long SMS both ways in every form, receipts, refusals, unbind."""
    said: list[Said] = []
    centres = [await smsc() for _ in WAYS]
    async with AsyncExitStack() as stack:
        links = []
        for number, (way, centre) in enumerate(zip(WAYS, centres, strict=True), 1):
            recorder = await stack.enter_async_context(Recorder(centre.port, said, number))
            links.append(link(way, recorder.port))
        gateway = await stack.enter_async_context(running_gateway(tmp_path, {"smpp": {"links": links}}))
        for number, centre in enumerate(centres):
            await a_handset(centre, f"1380013800{number}")
        esme = await stack.enter_async_context(Recorder(gateway.account.port, said, 0))
        await an_esme(esme.port, gateway.account)
        await gateway.settle()
    checked(tmp_path / "conversation.pcap", said, report)


def test_every_pdu(tmp_path: Path, report: Report) -> None:
    """Each PDU of the codec, with its TLVs."""
    pdus = [decode(vector.octets) for vector in load(OWN, "own_valid.jsonl")]
    # One has two texts, on purpose.
    two = [p for p in pdus if isinstance(p, SubmitSm) and p.short_message and MESSAGE_PAYLOAD in p.tlvs]
    right = [pdu for pdu in pdus if pdu not in two]
    assert len(right) == len(pdus) - 1
    said = [Said(0, isinstance(pdu, Response), encode(pdu)) for pdu in right]
    checked(tmp_path / "pdus.pcap", said, report)


def test_what_is_malformed_is_found(tmp_path: Path) -> None:
    """A PDU that ends in the middle of a field is a complaint: the check can fail."""
    octets = encode(SubmitSm(source_addr=ALICE, destination_addr="161", short_message=b"KTFX"))[:40]
    said = Said(0, from_server=False, octets=len(octets).to_bytes(4, "big") + octets[4:])
    write(tmp_path / "bad.pcap", [said])
    assert read(tmp_path / "bad.pcap").complaints


def link(way: str, port: int) -> dict[str, object]:
    """A link that sends its long SMS that way, asks for receipts, and adds a TLV of a vendor."""
    return {
        "name": way,
        "host": "127.0.0.1",
        "port": port,
        "system_id": "fetion",
        "password": "pw",
        "long": way,
        "receipts": {"ask": "always"},
        "tlvs": {0x1401: "0102"},
    }


async def a_handset(centre: SmsCentre, msisdn: str) -> None:
    """A customer behind a link, long SMS to and from him."""
    await centre.bound()
    for text in ("KTFX", "BZ"):
        assert await centre.deliver(msisdn, "161", text) == 0
        await centre.expect(to=msisdn)
    assert await centre.deliver(msisdn, f"12520{BOB}", LONG) == 0
    await centre.expect(to=msisdn)


async def an_esme(port: int, account: Account) -> None:
    """SMS of a bind at an account, of which the third has no number that anybody has."""
    async with await Esme.connect("127.0.0.1", port, account.system_id, account.password) as client:
        for request in (
            SubmitSm(source_addr=CAROL, destination_addr="161", short_message=b"KTFX"),
            SubmitSm(source_addr=CAROL, destination_addr="161", short_message=b"BZ", registered_delivery=1),
            SubmitSm(source_addr="x", destination_addr="", short_message=b""),
            DataSm(source_addr=CAROL, destination_addr="161", tlvs={MESSAGE_PAYLOAD: b"CXFX"}),
        ):
            await client.submit(request)
        for _ in range(3):
            await client.inbox.get()
        await client.enquire()
