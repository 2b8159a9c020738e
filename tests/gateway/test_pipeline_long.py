"""Long messages on their way into a running gateway."""

from pathlib import Path

import pytest

from gateway.longmessages import KEPT_MS, OCTETS_PER_HANDSET, SETS_PER_HANDSET
from gateway.smpp.pdus import SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD, SAR_MSG_REF_NUM, SAR_SEGMENT_SEQNUM, SAR_TOTAL_SEGMENTS
from tests.gateway.house import drained, house, opened, status, stays_silent
from tests.gateway.support import ALICE, BOB, part_of_many
from tests.proofs.served import accepted, bind, delivered, text_of, until


async def test_parts_over_two_binds(tmp_path: Path) -> None:
    """The parts of one message come on two binds of the account, the last first and one of them twice: it
    runs once, and the reply goes where the completing part came from."""
    parts = {
        number: part_of_many(7, 3, number, octets) for number, octets in enumerate((b"C", b"XF", b"X"), 1)
    }
    async with house(tmp_path) as home, await bind(home.port) as one, await bind(home.port) as two:
        for esme, number in ((one, 3), (two, 1), (one, 1), (two, 2)):
            await accepted(esme, parts[number])
        reply = await delivered(two)
        assert reply.destination_addr == ALICE
        [row] = home.journal()
        assert (row["parts"], row["outcome"]) == (3, "done")
        assert home.count("part") == 0
        await stays_silent(one)


@pytest.mark.parametrize("kind", ["udh8", "sar"])
async def test_a_restart_in_the_middle_of_a_long_message(tmp_path: Path, kind: str) -> None:
    """Parts that were acknowledged survive a restart; the text is what was sent, though a character was
    cut."""
    octets = f"HY#{BOB}#小爱".encode("utf-16-be")
    pieces = [octets[:21], octets[21:40], octets[40:]]

    def part(number: int) -> SubmitSm:
        if kind == "udh8":
            return part_of_many(9, 3, number, pieces[number - 1], data_coding=8)
        numbering = {SAR_MSG_REF_NUM: 9, SAR_TOTAL_SEGMENTS: 3, SAR_SEGMENT_SEQNUM: number}
        return SubmitSm(
            source_addr=ALICE,
            destination_addr="161",
            data_coding=8,
            short_message=pieces[number - 1],
            tlvs=numbering,
        )

    async with house(tmp_path) as home, await bind(home.port) as esme:
        await opened(esme, ALICE, BOB)
        await accepted(esme, part(3))
        await accepted(esme, part(1))
        assert home.count("part") == 2
    async with house(tmp_path) as home, await bind(home.port) as esme:
        await accepted(esme, part(2))
        replies = {d.destination_addr: text_of(d) for d in await drained(esme)}
        assert "小爱" in replies[BOB]
        assert home.count("part") == 0


async def test_a_part_that_comes_again_after_a_cut(tmp_path: Path) -> None:
    """All parts are resent after the message was executed and the session cut: nothing runs a second time."""
    parts = [part_of_many(7, 2, 1, b"CX"), part_of_many(7, 2, 2, b"FX")]
    async with house(tmp_path) as home:
        first = await bind(home.port)
        numbers = [await accepted(first, part) for part in parts]
        await delivered(first)
        await home.closed(1)
        await first.abort()
        await until(lambda: not home.gateway.binds.all(), "the end of the bind")
        async with await bind(home.port) as second:
            assert [await accepted(second, part) for part in parts] == numbers
            assert len(home.journal()) == 1
            await stays_silent(second)


async def test_too_many_long_messages(tmp_path: Path) -> None:
    """The 17th unfinished message of a handset, and more than 32 KiB of them, get RMSGQFUL; others go on."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        for reference in range(SETS_PER_HANDSET):
            await accepted(esme, part_of_many(reference, 2, 1, b"x"))
        assert await status(esme, part_of_many(99, 2, 1, b"x")) == CommandStatus.RMSGQFUL
        await accepted(esme, part_of_many(99, 2, 1, b"x", sender=BOB))
        big = b"x" * (OCTETS_PER_HANDSET // 2)
        numbering = {SAR_MSG_REF_NUM: 1, SAR_TOTAL_SEGMENTS: 3}
        answers = [
            await status(
                esme,
                SubmitSm(
                    source_addr="13700137000",
                    destination_addr="161",
                    tlvs={**numbering, SAR_SEGMENT_SEQNUM: number, MESSAGE_PAYLOAD: big},
                ),
            )
            for number in (1, 2, 3)
        ]
        assert answers == [0, 0, CommandStatus.RMSGQFUL]
        assert home.count("part") == SETS_PER_HANDSET + 3


async def test_a_long_message_is_given_up(tmp_path: Path) -> None:
    """At its deadline its parts leave the store; the late part begins another message."""
    async with house(tmp_path) as home, await bind(home.port) as esme:
        await accepted(esme, part_of_many(7, 2, 1, b"CX"))
        home.clock.ahead += KEPT_MS / 1000
        home.gateway.pipeline.housekeep()
        await until(lambda: home.count("part") == 0, "the end of the part")
        await accepted(esme, part_of_many(7, 2, 2, b"FX"))
        assert home.count("part") == 1
        await stays_silent(esme)
