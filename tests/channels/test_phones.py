"""Phones of the console in conversations, with one another and with handsets of a real SMS centre."""

import asyncio
import re
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.channels.phones.channel import LONGEST, UNDER_WAY, Fault, NotSubmitted, PhonesChannel
from gateway.channels.phones.conversations import KEPT, Conversations, PhoneSms, State
from gateway.channels.phones.conversations import PHONES as MOST_PHONES
from gateway.errors import Verdict
from gateway.message import number_of
from gateway.observer import Observer
from gateway.storage.engines import open_reader
from gateway.storage.figures import PeriodKind
from gateway.storage.reader import DownlinkRecord, JournalRecord
from gateway.testing import RunningGateway, running_gateway
from routing.ranges import MobileRanges
from tests.channels.phones import ANN, BEN, PHONES, channel_of, gets, writes
from tests.contracts.channels import Told
from tests.operations.figures.counts import stored as counted
from tests.operations.figures.test_gateway import folded
from tests.support import ALICE


def stored(gateway: RunningGateway, sms: PhoneSms) -> JournalRecord | DownlinkRecord | None:
    """What the store has of an SMS."""
    number = number_of(sms.message_id)
    with closing(open_reader(gateway.app.settings.storage.path)) as reader:
        return reader.downlink(number) if sms.received else reader.journal_record(number)


def in_files(folder: Path, text: str) -> list[Path]:
    """The files of a folder that have a text."""
    return [each for each in folder.rglob("*") if each.is_file() and text.encode() in each.read_bytes()]


async def test_a_phone_opens_the_service(tmp_path: Path) -> None:
    """It texts KTFX and gets the reply; both have the ids under which the store knows them, and went through
    the account of the phones."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        sent = await writes(gateway, ANN, "KTFX")
        reply = await gets(gateway, ANN, "飞信")
        await gateway.settle()
        journaled, left = stored(gateway, sent), stored(gateway, reply)
    assert (sent.state, sent.other, reply.other[:3]) == (State.SENT, "161", "161")
    assert isinstance(journaled, JournalRecord)
    assert isinstance(left, DownlinkRecord)
    assert (journaled.account, journaled.source, journaled.text) == ("console", ANN, "KTFX")
    assert (left.account, left.destination, left.cause) == ("console", ANN, number_of(sent.message_id))


async def test_with_a_real_handset(tmp_path: Path) -> None:
    """A phone and a handset of a real SMS centre become buddies, and write to each other."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", to="161")
        await alice.expect("飞信")
        await writes(gateway, ANN, "KTFX")
        await writes(gateway, ANN, f"HY#{ALICE}")
        question = await alice.expect(ANN)
        await alice.send("是", to=question.sender)
        await gets(gateway, ANN, "同意了您的申请")
        await writes(gateway, ANN, "你好 Alice", to=f"12520{ALICE}")
        said = await alice.expect("你好 Alice")
        await alice.send("你好 Ann", to=said.sender)
        heard = await gets(gateway, ANN, "你好 Ann")
    assert heard.other.endswith(ALICE)


async def test_no_way_changes(tmp_path: Path) -> None:
    """What a phone writes is remembered as the way to nobody; of a handset whose number is a phone for a
    while, the way of before comes back."""
    async with running_gateway(tmp_path) as gateway:
        real = await gateway.handset(ANN)
        await real.send("KTFX", to="161")
        await real.expect("飞信")
    async with running_gateway(tmp_path, PHONES) as gateway:
        await writes(gateway, ANN, "HYLB")
        await writes(gateway, BEN, "KTFX")
        await writes(gateway, BEN, f"HY#{ANN}")
        question = await gets(gateway, ANN, BEN)  # not at the centre, where ANN wrote last
        await gateway.settle()
    assert question.other
    async with running_gateway(tmp_path) as gateway:
        real, ben = await gateway.handset(ANN), await gateway.handset(BEN)
        await real.send("是", to=question.other)
        await ben.expect("同意了您的申请")  # never wrote through a centre: the default account
        await ben.send("你好", to=f"12520{ANN}")
        await real.expect("你好")


async def test_a_centre_in_the_name_of_a_phone(tmp_path: Path) -> None:
    """What a real centre sends in the name of a phone is answered on the page, never there."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        real = await gateway.handset(ANN)
        await real.send("KTFX", to="161")
        reply = await gets(gateway, ANN, "飞信")
        await real.expect_nothing()
    assert reply.other.startswith("161")


async def test_what_waits_for_a_centre(tmp_path: Path) -> None:
    """It comes to the phone when its number has become one."""
    async with running_gateway(tmp_path) as gateway:
        ann = await gateway.handset(ANN)
        await ann.send("KTFX", to="161")
        await ann.expect("飞信")
    async with running_gateway(tmp_path) as gateway:
        alice = await gateway.handset(ALICE)
        for text in ("KTFX", f"HY#{ANN}"):
            await alice.send(text, to="161")
        await alice.expect(ANN)
    async with running_gateway(tmp_path, PHONES) as gateway:
        await gets(gateway, ANN, ALICE)


async def test_what_waits_for_a_phone(tmp_path: Path) -> None:
    """It leaves through the default account when its number is no phone any more, and so does no other."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        for phone in (ANN, BEN):
            await writes(gateway, phone, "KTFX")
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", to="161")
        await alice.expect("飞信")
        channel_of(gateway).close()
        channel_of(gateway).unbind()
        for phone in (ANN, BEN):
            await alice.send(f"HY#{phone}", to="161")
            await alice.expect(phone)
    only_ann = {"console": {**PHONES["console"], "phones": [ANN]}}
    async with running_gateway(tmp_path, only_ann) as gateway:
        ben = await gateway.handset(BEN)
        await ben.expect(ALICE)
        await gets(gateway, ANN, ALICE)


async def test_it_stops_while_an_sms_is_under_way(tmp_path: Path) -> None:
    """It is answered before the end, and a new one is refused; after the restart the phone gets what came."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        channel = channel_of(gateway)
        sms = channel.submit(ANN, "161", "KTFX")
    assert sms.state is State.SENT
    with pytest.raises(NotSubmitted, match="stops"):
        channel.submit(ANN, "161", "KTFX")
    async with running_gateway(tmp_path, PHONES) as gateway:
        again = await writes(gateway, ANN, "HYLB")
        await gets(gateway, ANN, "还没有飞信好友")
    assert again.state is State.SENT


async def test_a_password(tmp_path: Path) -> None:
    """The phone is the handset: it shows the password that it gets. Log and store do not have it."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        await writes(gateway, ANN, "KTFX")
        await writes(gateway, ANN, "P")
        reply = await gets(gateway, ANN, "密码是([0-9a-z]+)")
        await gateway.settle()
        row, logged = stored(gateway, reply), gateway.log_file().read_text()
        found = re.search("密码是([0-9a-z]+)", reply.text)
        assert found is not None
    password = found[1]
    assert isinstance(row, DownlinkRecord)
    assert password not in row.text
    assert password not in logged
    assert password not in repr(reply)
    assert not in_files(tmp_path, password)


async def test_they_count_in_no_figure(tmp_path: Path) -> None:
    """Figures have what a real handset did, and nothing of a phone, whose home is another province."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        alice = await gateway.handset(ALICE)
        await alice.send("KTFX", to="161")
        await alice.expect("飞信")
        for text in ("KTFX", "KTFXJY", "是", "BZ", "??"):
            await writes(gateway, ANN, text)
        await folded(gateway)
        with closing(open_reader(gateway.app.settings.storage.path)) as reader:
            found = counted(reader, PeriodKind.DAY)
    assert {province for _, _, province, *_ in found} == {"100"}


async def test_rejected(tmp_path: Path) -> None:
    """A number that is none of ours: the phone knows why."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        sms = await writes(gateway, ANN, "KTFX", to="99999")
    assert (sms.state, sms.verdict, sms.message_id) == (State.FAILED, Verdict.UNKNOWN_DESTINATION, "")


@pytest.mark.parametrize(
    ("phone", "to", "text", "fault"),
    [
        (ALICE, "161", "KTFX", Fault.NO_PHONE),
        ("", "161", "KTFX", Fault.NO_PHONE),
        (f"86{ANN}", "161", "KTFX", Fault.NO_PHONE),
        (ANN, "", "KTFX", Fault.NO_NUMBER),
        (ANN, "161;DROP", "KTFX", Fault.NO_NUMBER),
        (ANN, "1" * 22, "KTFX", Fault.NO_NUMBER),
        (ANN, "１６１", "KTFX", Fault.NO_NUMBER),
        (ANN, "161", " \n", Fault.EMPTY),
        (ANN, "161", "\x00\x07", Fault.EMPTY),
        (ANN, "161", "字" * (LONGEST + 1), Fault.TOO_LONG),
        (ANN, "161", "😀" * (LONGEST // 2 + 1), Fault.TOO_LONG),
        (ANN, "161", "half \ud83d", Fault.UNREADABLE),
    ],
)
async def test_not_submitted(phone: str, to: str, text: str, fault: Fault) -> None:
    """What no phone can send does not leave, and is not shown."""
    told, loop = Told(), asyncio.get_running_loop()
    conversations = Conversations(MobileRanges([ANN]))
    channel = PhonesChannel(conversations, lambda: 0, told, Observer(), loop.time, count(1))
    await channel.start()
    with pytest.raises(NotSubmitted) as refused:
        channel.submit(phone, to, text)
    assert refused.value.fault is fault
    assert conversations.used == []
    assert told.named("received") == []


async def test_any_text_arrives(tmp_path: Path) -> None:
    """HTML, emoji, a long text: the other phone gets what was typed."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        for phone in (ANN, BEN):
            await writes(gateway, phone, "KTFX")
        await writes(gateway, ANN, f"HY#{BEN}")
        question = await gets(gateway, BEN, ANN)
        await writes(gateway, BEN, "是", to=question.other)
        await gets(gateway, ANN, "同意了您的申请")
        for text in ("<script>alert(1)</script>", "😀👨‍👩‍👧", "字" * 60):
            await writes(gateway, ANN, text, to=f"12520{BEN}")
            got = await gets(gateway, BEN, re.escape(text))
            assert got.other.endswith(ANN)


async def test_the_longest_text(tmp_path: Path) -> None:
    """It is one SMS for the gateway, ends of lines are one character, and the rest of control characters is
    what no keypad has."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        sms = await writes(gateway, ANN, "字" * (LONGEST - 3) + "\r\n\x00终了")
        await gets(gateway, ANN, "")
        journaled = stored(gateway, sms)
    assert sms.text == "字" * (LONGEST - 3) + "\n终了"
    assert isinstance(journaled, JournalRecord)
    assert (journaled.parts, len(journaled.text)) == (1, LONGEST)


async def test_too_many_at_once(tmp_path: Path) -> None:
    """So many SMS of a phone may wait for their answer; those of another one are not concerned."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        channel = channel_of(gateway)
        for _ in range(UNDER_WAY):
            channel.submit(ANN, "161", "HYLB")
        with pytest.raises(NotSubmitted, match="too many"):
            channel.submit(ANN, "161", "HYLB")
        await writes(gateway, BEN, "HYLB")


async def test_no_bind_is_missing_for_long(tmp_path: Path) -> None:
    """A bind that the gateway ends, as where it does not know what was stored, is followed by another one;
    what waited for its answer is shown as unknown."""
    async with running_gateway(tmp_path, PHONES) as gateway:
        channel = channel_of(gateway)
        sms = channel.submit(ANN, "161", "HYLB")
        channel.binds[0].abort("not known")
        assert sms.state is State.UNKNOWN
        again = await writes(gateway, ANN, "KTFX")
        await gets(gateway, ANN, "飞信")
    assert again.state is State.SENT


def test_conversations_are_bounded() -> None:
    """Of a phone the last KEPT SMS are kept, and of MOST_PHONES phones that were used last."""
    conversations = Conversations(MobileRanges(["13900000000-13999999999"]))
    for serial in range(KEPT + 5):
        conversations.add(ANN, serial, "161", "text", State.RECEIVED)
    assert [each.at for each in conversations.of(ANN)] == list(range(5, KEPT + 5))
    for other in range(MOST_PHONES - 1):
        conversations.add(str(13900000000 + other), 0, "161", "text", State.RECEIVED)
    conversations.add(ANN, 0, "161", "text", State.RECEIVED)
    conversations.add(BEN, 0, "161", "text", State.RECEIVED)
    assert len(conversations.used) == MOST_PHONES
    assert conversations.used[:2] == [BEN, ANN]
    assert conversations.of("13900000000") == []


async def test_without_phones(tmp_path: Path) -> None:
    """Where the configuration has no number for phones there is no channel, and no account."""
    nothing: dict[str, Any] = {}
    async with running_gateway(tmp_path, nothing) as gateway:
        assert gateway.app.phones.channel is None
        assert [bind.account for bind in gateway.app.binds.all()] == []
