"""Who writes, and in which octets, in a running gateway over real sockets.

Numbers as people and centres write them, second numbers, NULs and byte-order marks.
"""

from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.status import CommandStatus
from tests.processing.machine_service import QUERY, live_gateway, status
from tests.proofs.served import accepted, bind, delivered, events, lines, rows, sms, text_of, until
from tests.support import (
    ALICE,
    BOB,
    MAIN,
    REFUSED_SECOND,
    SECOND,
    operators_tables,
    part_of_many,
    store_of,
)


def journal(folder: Path) -> list[dict[str, Any]]:
    """Every SMS that was taken, in order."""
    return rows(store_of(folder), "SELECT * FROM journal ORDER BY number")


async def test_padded_addresses(tmp_path: Path) -> None:
    """A centre that fills addresses up with blanks gets its replies to the plain ones."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await accepted(esme, sms(f" {ALICE} ", "161 ", QUERY))
        reply = await delivered(esme)
        assert (reply.source_addr, reply.destination_addr) == ("161", ALICE)
        assert (live.journal()[0]["msisdn"], live.journal()[0]["source"]) == (ALICE, ALICE)


@pytest.mark.parametrize("sender", ["10086", "16103300001", "471234567"])
async def test_a_sender_that_is_no_mobile_is_refused_and_logged(tmp_path: Path, sender: str) -> None:
    """Not acknowledged and dropped: RINVSRCADR, sms.rejected with the reason, and no row."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        assert await status(esme, sms(sender, "161", QUERY)) == CommandStatus.RINVSRCADR
        assert live.count("journal") == 0
        await until(lambda: "sms.rejected" in events(tmp_path / "gateway.log"), "the line of the refusal")
        [line] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.rejected"]
        assert line["reason"] == "the sender is no mobile number"
        assert (line["msisdn"], line["command_status"]) == (sender, "ESME_RINVSRCADR")


async def test_a_nul_at_the_end_is_no_letter(tmp_path: Path) -> None:
    """KTFX and a NUL in GSM opens Fetion, in one SMS and in parts; a text in the other byte order too."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        opening = sms(ALICE, "161", "")
        opening.short_message = b"KTFX\0"
        await accepted(esme, opening)
        assert "飞信号是" in text_of(await delivered(esme))
        for number, octets in ((1, b"CX"), (2, b"FX\0")):
            await accepted(esme, part_of_many(5, 2, number, octets))
        assert "飞信号" in text_of(await delivered(esme))
        swapped = sms(BOB, "161", "", 8)
        swapped.short_message = b"\xff\xfe" + "开通飞信".encode("utf-16-le")
        await accepted(esme, swapped)
        assert "飞信号是" in text_of(await delivered(esme))
        assert [row["instruction"] for row in journal(tmp_path) if row["instruction"]] == [
            *("service.open", "service.state", "service.open")
        ]


async def test_a_password_whose_end_is_in_doubt(tmp_path: Path) -> None:
    """A GSM text to 050 that ends in 0x00 is answered positively and refused with a sentence; sent anew
    without @ at the end it is set."""
    async with live_gateway(tmp_path) as live, await bind(live.port) as esme:
        await accepted(esme, sms(ALICE, "161", "KTFX"))
        await delivered(esme)
        for text, answer, result in (("secret7@", "最后一个字符", "usage"), ("secret77", "修改成功", "done")):
            await accepted(esme, sms(ALICE, "12520050", text))
            assert answer in text_of(await delivered(esme))
            last = journal(tmp_path)[-1]
            assert (last["outcome"], last["text"], last["hidden"]) == (result, "", "password")


async def test_a_second_number_with_an_operators_tables(tmp_path: Path) -> None:
    """Its SMS count for the main number, the replies go to the address that wrote; a refused one is refused;
    whoever texts the second number or names it reaches the customer of the main one."""
    operators_tables(tmp_path / "tables")
    folder = {"folder": str(tmp_path / "tables")}
    async with live_gateway(tmp_path, tables=folder) as live, await bind(live.port) as esme:
        for sender in ("86" + SECOND, ALICE):
            await accepted(esme, sms(sender, "161", "KTFX"))
            assert (await delivered(esme)).destination_addr == sender
        assert [row["msisdn"] for row in journal(tmp_path)] == [MAIN, ALICE]
        await accepted(esme, sms(MAIN, "161", "KTFX"))
        assert "已" in text_of(await delivered(esme))
        await accepted(esme, sms(ALICE, "12520", f"HY#{SECOND}"))
        asked = sorted([(await delivered(esme)).destination_addr for _ in range(2)])
        assert asked == [MAIN, ALICE]
        assert await status(esme, sms(REFUSED_SECOND, "161", "KTFX")) == CommandStatus.RINVSRCADR
        await until(lambda: "sms.rejected" in events(tmp_path / "gateway.log"), "the line of the refusal")
        [line] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "sms.rejected"]
        assert "appendix 6" in line["reason"]
