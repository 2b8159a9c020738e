"""Long SMS from handsets over real connections, in every way that peers write them."""

import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from gateway.simulator.esme import Esme
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import (
    MESSAGE_PAYLOAD,
    SAR_MSG_REF_NUM,
    SAR_SEGMENT_SEQNUM,
    SAR_TOTAL_SEGMENTS,
    TlvValue,
)
from tests.processing.machine_service import drained, live_gateway, opened, status, stays_silent
from tests.proofs.served import accepted, bind, delivered, sms, text_of
from tests.support import ALICE, BOB, part_of_many

TO_BOB = f"12520{BOB}"
CAROL = "13700137001"
PORTS, NATIONAL = (5, b"\x0b\x84\x23\xf0"), (0x25, b"\x01")
"""Other elements of a user data header."""
Place = tuple[int, int, int]
"""Reference, total and number of a part."""


def udh(*elements: tuple[int, bytes]) -> bytes:
    """A user data header."""
    body = b"".join(bytes((identifier, len(value))) + value for identifier, value in elements)
    return bytes((len(body),)) + body


def concat8(place: Place) -> tuple[int, bytes]:
    """The element with an 8-bit reference."""
    return 0, bytes(place)


def concat16(place: Place) -> tuple[int, bytes]:
    """The element with a 16-bit reference."""
    return 8, place[0].to_bytes(2, "big") + bytes(place[1:])


def sar(place: Place) -> dict[int, TlvValue]:
    """The three TLVs."""
    return dict(zip((SAR_MSG_REF_NUM, SAR_TOTAL_SEGMENTS, SAR_SEGMENT_SEQNUM), place, strict=True))


def chat(
    octets: bytes,
    header: bytes = b"",
    tlvs: dict[int, TlvValue] | None = None,
    *,
    data_coding: int = 0,
    sender: str = ALICE,
    ton: int = 0,
) -> SubmitSm:
    """A text, or a part of one, from a customer to his buddy Bob."""
    return SubmitSm(
        source_addr=sender,
        source_addr_ton=ton,
        destination_addr=TO_BOB,
        esm_class=0x40 if header else 0,
        data_coding=data_coding,
        short_message=header + octets,
        tlvs=tlvs or {},
    )


def payload(octets: bytes, header: bytes = b"", tlvs: dict[int, TlvValue] | None = None) -> SubmitSm:
    """The same with the text, and its header, in message_payload."""
    request = chat(b"", tlvs={MESSAGE_PAYLOAD: header + octets, **(tlvs or {})})
    request.esm_class = 0x40 if header else 0
    return request


def data(request: SubmitSm) -> DataSm:
    """The same as data_sm."""
    octets = request.short_message or request.tlvs[MESSAGE_PAYLOAD]
    return DataSm(
        source_addr=request.source_addr,
        destination_addr=request.destination_addr,
        esm_class=request.esm_class,
        data_coding=request.data_coding,
        tlvs={**request.tlvs, MESSAGE_PAYLOAD: octets},
    )


Case = tuple[str, list[SubmitSm | DataSm], list[str]]
"""What it shows, the PDUs that a bind sends, and the texts that the buddy gets."""


def two_parts(reference: int) -> tuple[Place, Place]:
    """The places of a text in two parts."""
    return (reference, 2, 1), (reference, 2, 2)


def numbered() -> Iterator[Case]:
    """Two parts, in each way of numbering."""
    one, two = two_parts(1)
    yield "16 bits", [chat(b"A", udh(concat16(one))), chat(b"B", udh(concat16(two)))], ["AB"]
    one, two = two_parts(2)
    yield "sar, backwards", [chat(b"B", tlvs=sar(two)), chat(b"A", tlvs=sar(one))], ["AB"]
    one, two = two_parts(3)
    yield (
        "elements beside the concatenation",
        [chat(b"B", udh(concat8(two), NATIONAL)), chat(b"A", udh(PORTS, concat8(one)))],
        ["AB"],
    )


def alone() -> Iterator[Case]:
    """What only looks like a part."""
    yield "a header without concatenation", [chat(b"alone", udh(PORTS))], ["alone"]
    yield "an element of the wrong length", [chat(b"alone", udh((0, b"\x07\x02")))], ["alone"]
    yield "a header whose elements overrun it", [chat(b"alone", b"\x04\x00\x03\x07\x02")], ["alone"]
    yield "part 1 of 1, sar", [chat(b"alone", tlvs=sar((7, 1, 1)))], ["alone"]
    yield "part 1 of 1, header", [chat(b"alone", udh(concat8((7, 1, 1))))], ["alone"]
    yield "numbers that make no sense", [chat(b"alone", udh(concat8((7, 2, 3))))], ["alone"]
    yield (
        "sar without a number",
        [chat(b"alone", tlvs={SAR_MSG_REF_NUM: 7, SAR_TOTAL_SEGMENTS: 2})],
        ["alone"],
    )


def payloads() -> Iterator[Case]:
    """Texts in message_payload and data_sm."""
    one, two = two_parts(4)
    yield (
        "a header in message_payload",
        [payload(b"A" * 150, udh(concat8(one))), payload(b"B", udh(concat8(two)))],
        ["A" * 150 + "B"],
    )
    yield "message_payload", [payload(b"P" * 160)], ["P" * 160]
    one, two = two_parts(5)
    yield (
        "data_sm beside submit_sm",
        [data(chat(b"A", udh(concat8(one)))), chat(b"B", udh(concat8(two)))],
        ["AB"],
    )
    one, two = two_parts(6)
    yield "data_sm with sar", [data(chat(b"A", tlvs=sar(one))), data(chat(b"B", tlvs=sar(two)))], ["AB"]


def alphabets() -> Iterator[Case]:
    """Parts whose alphabets differ, and characters that are cut."""
    one, two = two_parts(7)
    yield (
        "parts of two alphabets",
        [chat("飞".encode("utf-16-be"), udh(concat8(one)), data_coding=8), chat(b"B", udh(concat8(two)))],
        ["飞B"],
    )
    one, two = two_parts(8)
    spoiled = "😀".encode("utf-16-be")
    yield (
        "a character cut in two",
        [
            chat(spoiled[:3], udh(concat8(one)), data_coding=8),
            chat(spoiled[3:], udh(concat8(two)), data_coding=8),
        ],
        ["😀"],
    )
    one, two = two_parts(9)
    yield (
        "an escape pair cut in two",
        [chat(b"\x1b", udh(concat8(one))), chat(b"e", udh(concat8(two)))],
        ["€"],
    )


def senders() -> Iterator[Case]:
    """Who the parts are of, and which message."""
    one, two = two_parts(10)
    yield (
        "three spellings of one number",
        [chat(b"A", udh(concat8(one)), sender=f"+86{ALICE}", ton=1), chat(b"B", udh(concat8(two)))],
        ["AB"],
    )
    one, two = two_parts(11)
    yield (
        "the third one",
        [chat(b"A", udh(concat8(one)), sender=f"86{ALICE}", ton=1), chat(b"B", udh(concat8(two)))],
        ["AB"],
    )
    one, two = two_parts(12)
    yield (
        "the same reference in three ways and of two handsets, interleaved",
        [
            chat(b"8", udh(concat8(one))),
            chat(b"16", udh(concat16(one))),
            chat(b"s", tlvs=sar(one)),
            chat(b"c", udh(concat8(one)), sender=CAROL),
            chat(b"S", tlvs=sar(two)),
            chat(b"C", udh(concat8(two)), sender=CAROL),
            chat(b"61", udh(concat16(two))),
            chat(b"#", udh(concat8(two))),
        ],
        ["sS", "cC", "1661", "8#"],
    )
    one, two = two_parts(13)
    yield (
        "a reference with another total",
        [
            chat(b"A", udh(concat8(one))),
            chat(b"X", udh(concat8((one[0], 3, 1)))),
            chat(b"B", udh(concat8(two))),
            chat(b"Y", udh(concat8((one[0], 3, 2)))),
            chat(b"Z", udh(concat8((one[0], 3, 3)))),
        ],
        ["AB", "XYZ"],
    )


async def friends(esme: Esme) -> None:
    """Alice, Bob and Carol have Fetion, and Bob is everybody's buddy."""
    await opened(esme, ALICE, BOB, CAROL)
    for asker in (ALICE, CAROL):
        await accepted(esme, sms(asker, "161", f"HY#{BOB}"))
        await accepted(esme, sms(BOB, "161", "是", 8))
    await drained(esme)


def to_bob(came: list[DeliverSm]) -> list[str]:
    """The texts that Bob got; nobody else got any."""
    assert {each.destination_addr for each in came} <= {BOB}, [text_of(each) for each in came]
    return [text_of(each) for each in came]


async def test_every_way_in(tmp_path: Path) -> None:
    """The buddy gets each text as it was meant, once."""
    async with live_gateway(tmp_path, limits={"same_text": 100}) as live, await bind(live.port) as esme:
        await friends(esme)
        for what, requests, expected in chain(numbered(), alone(), payloads(), alphabets(), senders()):
            for request in requests:
                assert await status(esme, request) == CommandStatus.ROK, what
            assert (what, to_bob(await drained(esme))) == (what, expected)
        assert live.count("part") == 0


async def test_255_parts(tmp_path: Path) -> None:
    """The longest SMS that there is, in any order, each part twice, over two binds: it is understood as a
    whole, once, and the customer is told its length."""
    pieces = [bytes(random.Random(number).choices(b"abcdefgh", k=153)) for number in range(255)]
    parts = [part_of_many(7, 255, number, octets, to=TO_BOB) for number, octets in enumerate(pieces, 1)] * 2
    random.Random(7).shuffle(parts)
    async with (
        live_gateway(tmp_path) as live,
        await bind(live.port) as one,
        await bind(live.port, "transmitter") as other,
    ):
        await friends(one)
        for place, part in enumerate(parts):
            await accepted((one, other)[place % 2], part)
        told = await delivered(one)
        assert told.destination_addr == ALICE
        assert f"您的短信有{255 * 153}个字" in text_of(told)
        await stays_silent(one)


async def test_a_restart_between_parts_of_each_way(tmp_path: Path) -> None:
    """The first parts come before a restart, the last ones after it, over another bind, in another spelling
    and order; repeats of what was complete before the restart meet nothing."""
    place = {number: (300, 2, number) for number in (1, 2)}
    before = [chat(b"A", udh(concat16(place[1]))), chat(b"S", tlvs=sar(place[1]))]
    done = [chat(b"x", udh(concat8((9, 2, 1)))), chat(b"y", udh(concat8((9, 2, 2))))]
    after = [
        chat(b"T", tlvs=sar(place[2]), sender=f"86{ALICE}"),
        chat(b"B", udh(concat16(place[2]))),
        done[1],
        chat(b"z", udh(concat8((9, 2, 1)))),
        chat(b"!", udh(concat8((9, 2, 2)))),
    ]
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await friends(esme)
        for request in (*before, *done):
            await accepted(esme, request)
        assert to_bob(await drained(esme)) == ["xy"]
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        for request in after:
            await accepted(esme, request)
        assert to_bob(await drained(esme)) == ["ST", "AB", "z!"]
        assert live.count("part") == 0
