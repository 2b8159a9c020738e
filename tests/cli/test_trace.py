"""`trace`: the timelines of SMS that went through a real gateway, over real sockets."""

import argparse
import asyncio
import json
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.main import main
from gateway.cli.trace import _id
from gateway.message import message_id, number_of, short_id
from gateway.outbound.outbox import LOSSES
from gateway.smpp.pdus import DeliverSm, DeliverSmResp, EnquireLink, EnquireLinkResp, SubmitSmResp
from gateway.smpp.status import CommandStatus
from gateway.testing import BadLink
from tests.inbound.parking import parking
from tests.proofs.served import accepted, bind, delivered, inside, serving, sms, until, write_config
from tests.support import ALICE, BOB, Wire, part_of_many

RESPONSE = 0.7
"""Seconds of the response timer where a peer does not answer."""

Row = dict[str, Any]


class Asking:
    """Runs `trace` beside a gateway, for a reader and for a program."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = config
        self._capsys = capsys

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        self._capsys.readouterr()
        code = await asyncio.to_thread(main, ["trace", *words, "--config", str(self._config)])
        return code, *self._capsys.readouterr()

    async def rows(self, *words: str) -> list[Row]:
        """The timeline."""
        code, out, _ = await self.run(*words, "--json")
        assert code == 0
        found: list[Row] = json.loads(out)["timeline"]
        return found

    async def events(self, name: str) -> list[str]:
        """What happened, in order."""
        return [row["event"] for row in await self.rows(name)]


@pytest.fixture
def asking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asking:
    """About the gateway of that folder."""
    return Asking(write_config(tmp_path), capsys)


async def test_a_clean_one(asking: Asking, tmp_path: Path) -> None:
    """Received, executed, its answer stored and sent at the first attempt on the session that it came on; the
    time zone is named once, and no row has an offset of its own."""
    async with inside(tmp_path / "config.yaml") as gateway, await bind(gateway.port) as handset:
        name = await accepted(handset, sms(ALICE, "161", "KTFX"))
        await delivered(handset)
        await gateway.drained()
        rows = await asking.rows(name)
        code, out, _ = await asking.run(name)
    assert [row["event"] for row in rows] == ["received", "executed", "event", "stored", "sent"]
    sent = rows[-1]
    assert (sent["attempt"], sent["result"], sent["account"]) == (1, "ok", "smsc")
    assert (sent["session"], sent["remote"]) == (rows[0]["session"], rows[0]["remote"])
    assert f"session {sent['session']} ({sent['remote']})" in out
    assert [row["at"] for row in rows] == sorted(row["at"] for row in rows)
    assert all(row["at"].endswith("Z") for row in rows)
    assert code == 0
    assert out.count("Asia/Shanghai, UTC+08:00") == 1
    assert out.count("+08:00") == 1
    assert f"{short_id(name)}  received" in out


async def test_redelivered_after_a_cut(asking: Asking, tmp_path: Path) -> None:
    """The connection is cut before the response: the first attempt was lost, with the session and peer that
    it left on; the second one, on the next session, arrived."""
    async with (
        inside(tmp_path / "config.yaml") as gateway,
        BadLink("127.0.0.1", gateway.port) as link,
        await bind(gateway.port, "transmitter") as sender,
    ):

        def cut(_: object) -> int:
            link.cut()
            return 0

        receiver = await bind(link.port, "receiver", take=cut)
        name = await accepted(sender, sms(ALICE, "161", "KTFX"))
        await receiver.wait_lost()
        await until(lambda: len(gateway.binds.all()) == 1, "the loss")
        await gateway.drained()
        waiting = await asking.rows(name)
        async with await bind(gateway.port, "receiver") as again:
            await delivered(again)
            await gateway.drained()
            rows = await asking.rows(name)
        _, out, _ = await asking.run(name)
    assert [row["event"] for row in waiting][4:] == ["attempt", "lost", "waiting"]
    assert waiting[-1]["text"] == "no receiver of account smsc is bound"
    assert [row["event"] for row in rows][3:] == ["stored", "attempt", "lost", "attempt", "sent"]
    left, lost, again_left, sent = rows[4:]
    assert (left["attempt"], lost["attempt"], again_left["attempt"], sent["attempt"]) == (1, 1, 2, 2)
    assert left["session"] == lost["session"] != again_left["session"] == sent["session"]
    assert left["remote"].startswith("127.0.0.1:")
    assert "no receiver" in again_left["text"]
    assert "sent, 2 attempts, perhaps delivered before" in out


async def test_a_long_and_joined_one(asking: Asking, tmp_path: Path) -> None:
    """From the last part, which has the id of the whole, and from the first one: the same timeline, in which
    each part stands with its own id."""
    async with inside(tmp_path / "config.yaml") as gateway, await bind(gateway.port) as handset:
        first = await accepted(handset, part_of_many(9, 3, 1, b"HY#139"))
        alone = await asking.rows(first)
        second = await accepted(handset, part_of_many(9, 3, 3, b"9000"))
        whole = await accepted(handset, part_of_many(9, 3, 2, b"0013"))
        await delivered(handset)
        await gateway.drained()
        rows, of_a_part = await asking.rows(whole), await asking.rows(first)
        _, out, _ = await asking.run(second)
    assert [row["event"] for row in alone] == ["received", "executed"]
    assert [(row["event"], row["message_id"]) for row in rows[:4]] == [
        ("part", first),
        ("part", second),
        ("received", whole),
        ("executed", whole),
    ]
    assert rows == of_a_part
    assert rows[-1]["event"] == "sent"
    assert f"joined into {short_id(whole)}" in out
    assert "the last of 3 parts" in out


async def test_receipts_of_parts(asking: Asking, tmp_path: Path) -> None:
    """Each part of a long SMS has its own; the whole shows them all, whichever part is asked about."""
    async with inside(tmp_path / "config.yaml") as gateway, await bind(gateway.port) as handset:
        names = []
        for number, octets in enumerate((b"KT", b"FX"), start=1):
            part = part_of_many(7, 2, number, octets)
            part.registered_delivery = 1
            names.append(await accepted(handset, part))
        for _ in range(3):
            await delivered(handset)
        await gateway.drained()
        for name in names:
            _, out, _ = await asking.run(name)
            assert [each in out for each in (f"id:{names[0]} sub", f"id:{names[1]} sub")] == [True, True]
            assert (await asking.events(name)).count("sent") == 3


async def test_a_parked_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of its lost attempts, why it is parked, and the commands that decide on it; then the retry."""
    async with parking(tmp_path, "KTFX") as parked:
        asking = Asking(tmp_path / "config.yaml", capsys)
        rows = await asking.rows(parked.id)
        _, out, _ = await asking.run(parked.id)
        await parked.ask("outbox retry")
        async with await bind(parked.gateway.account.port, "receiver") as receiver:
            await delivered(receiver)
            await parked.gateway.settle()
        retried = await asking.rows(parked.id)
    lost = [row for row in rows if row["event"] == "lost"]
    assert [row["attempt"] for row in lost] == list(range(1, LOSSES + 1))
    assert rows[-1]["event"] == "parked"
    assert rows[-1]["at"] == lost[-1]["at"]
    for command in ("retry", "drop"):
        assert f"fetion-gateway outbox {command} {parked.id}" in out
    assert [row["event"] for row in retried][-2:] == ["attempt", "sent"]
    assert "retried by an operator" in retried[-2]["text"]
    assert retried[-1]["attempt"] == LOSSES + 1


def respond(wire: Wire, delivery: DeliverSm, status: int = 0) -> None:
    """Answer a delivery."""
    wire.send(DeliverSmResp(sequence_number=delivery.sequence_number, command_status=status))


async def test_attempts_are_counted_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A peer that throttles, then does not answer in time, then is cut, then takes it: four attempts, each
    with its answer and session, with the pauses between them, and no other row."""
    config = write_config(tmp_path, smpp={"listen": {"port": 0}, "timers": {"response": RESPONSE}})
    asking = Asking(config, capsys)
    async with inside(config) as gateway:
        async with Wire.to(gateway.port) as wire:
            await wire.bind()
            request = sms(ALICE, "161", "KTFX")
            request.sequence_number = 2
            wire.send(request)
            name = (await wire.reads(SubmitSmResp)).message_id
            respond(wire, await wire.reads(DeliverSm), CommandStatus.RTHROTTLED)
            await until(lambda: not gateway.outbox.to_store and gateway.outbox.next_retry(), "the refusal")
            paused = (await asking.rows(name))[-1]
            await wire.reads(DeliverSm)
            question = await wire.reads(EnquireLink)
            wire.send(EnquireLinkResp(sequence_number=question.sequence_number))
            await wire.reads(DeliverSm)
        await until(lambda: not gateway.binds.all(), "the loss")
        async with Wire.to(gateway.port) as wire:
            await wire.bind()
            respond(wire, await wire.reads(DeliverSm))
            await gateway.drained()
            rows = await asking.rows(name)
    assert (paused["event"], paused["text"]) == ("waiting", "ESME_RTHROTTLED: next attempt")
    assert paused["until"] > rows[4]["at"]
    ends = [row for row in rows if "result" in row]
    assert [row["result"] for row in ends] == ["refused", "timeout", "lost", "ok"]
    assert [row["attempt"] for row in ends] == [1, 2, 3, 4]
    assert ends[0]["status"] == "ESME_RTHROTTLED"
    assert [row["session"] == ends[0]["session"] for row in ends] == [True, True, True, False]
    left = [row["at"] for row in rows if row["event"] == "attempt"]
    assert len(left) == len(ends)
    assert all(begun <= ended["at"] for begun, ended in zip(left, ends, strict=True))
    assert all(ended["at"] < begun for begun, ended in zip(left[1:], ends, strict=False))
    assert rows[-1]["event"] == "sent"


async def test_killed_before_the_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After kill -9 nobody knows what became of the attempt under way: the timeline says that the gateway was
    started again, and shows the attempt that followed."""
    config = write_config(tmp_path, smpp={"listen": {"port": 0}})
    asking = Asking(config, capsys)
    async with serving(config) as served, Wire.to(served.port) as wire:
        await wire.bind()
        request = sms(ALICE, "161", "KTFX")
        request.sequence_number = 2
        wire.send(request)
        name = (await wire.reads(SubmitSmResp)).message_id
        await wire.reads(DeliverSm)
        on_its_way = (await asking.rows(name))[-1]
        await served.kill()
        dead = (await asking.rows(name))[-1]
    async with serving(config) as served, await bind(served.port) as esme:
        await delivered(esme)
        assert await served.stop() == 0
    assert (on_its_way["event"], on_its_way["text"]) == ("waiting", "it has left: the response is under way")
    assert (dead["event"], dead["text"]) == ("waiting", "no gateway runs: it leaves after the next start")
    assert await asking.events(name) == [
        *("received", "executed", "event", "stored", "restart", "attempt", "sent"),
    ]


async def test_a_gateway_that_does_not_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A process that is stopped holds up neither `trace` nor `outbox list`: they show what the store has, and
    that the gateway does not say more."""
    config = write_config(tmp_path, smpp={"listen": {"port": 0}})
    asking = Asking(config, capsys)
    async with serving(config) as served, await bind(served.port, "transmitter") as sender:
        name = await accepted(sender, sms(ALICE, "161", "KTFX"))
        served.send(signal.SIGSTOP)
        waiting = (await asking.rows(name))[-1]
        code = await asyncio.to_thread(main, ["outbox", "list", "--config", str(config)])
        served.send(signal.SIGCONT)
    assert (waiting["event"], waiting["text"]) == (
        "waiting",
        "the gateway does not say why: no answer within 2 s",
    )
    assert code == 0
    assert "no answer within 2 s" in capsys.readouterr().out


async def test_what_a_peer_says_moves_no_cursor(asking: Asking, tmp_path: Path) -> None:
    """The id that a peer gives to an SMS is its own choice: it is shown as text, also where it is none."""
    config = write_config(tmp_path, smpp={"listen": {"port": 0}})
    async with serving(config) as served, Wire.to(served.port) as wire:
        await wire.bind()
        request = sms(ALICE, "161", "KTFX")
        request.sequence_number = 2
        wire.send(request)
        name = (await wire.reads(SubmitSmResp)).message_id
        delivery = await wire.reads(DeliverSm)
        wire.send(DeliverSmResp(sequence_number=delivery.sequence_number, message_id="\x1b[2J\x9b1A"))
        wire.send(EnquireLink(sequence_number=3))
        await wire.reads(EnquireLinkResp)
        assert await served.stop() == 0
    _, out, _ = await asking.run(name)
    assert r"which calls it \x1b[2J\x9b1A" in out
    _, out, _ = await asking.run(name, "--json")
    assert all(line.isprintable() for line in out.splitlines())
    assert json.loads(out)["outgoing"][0]["remote_id"] == "\x1b[2J\x9b1A"


async def test_a_limited_one_says_why(asking: Asking, tmp_path: Path) -> None:
    """No answer to the same request for help, to a text of a machine, nor beyond the limit of a minute."""
    config = write_config(tmp_path, limits={"instructions_per_minute": 3})
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        names = [await accepted(handset, sms(ALICE, "161", text)) for text in ("BZ", "BZ", "BZ", "BZ", "BZ")]
        machine = await accepted(handset, sms(BOB, "161", "【自动回复】开会中", 8))
        texts = [(await asking.rows(name))[1]["text"] for name in names]
        [_, said, *_] = await asking.rows(machine)
    assert "help: done" in texts[0]
    assert "limits.help_period (600 s) ago" in texts[1]
    assert "limits.instructions_per_minute (3)" in texts[3]
    assert "the handset was told" in texts[3]
    assert "no reply: more than limits.instructions_per_minute (3)" in texts[4]
    assert "a machine wrote the text" in said["text"]


async def test_repeats_are_shown(asking: Asking, tmp_path: Path) -> None:
    """An SMS that came again after its session was cut: recognised, with the time, and executed once."""
    async with inside(tmp_path / "config.yaml") as gateway:
        async with Wire.to(gateway.port) as wire:
            await wire.bind()
            request = sms(ALICE, "161", "KTFX")
            request.sequence_number = 2
            wire.send(request)
            name = (await wire.reads(SubmitSmResp)).message_id
        await until(lambda: not gateway.binds.all(), "the loss")
        async with await bind(gateway.port, "transmitter") as esme:
            assert await accepted(esme, sms(ALICE, "161", "KTFX")) == name
            events = await asking.events(name)
    assert events.count("repeated") == events.count("executed") == 1


# Short ids


async def test_a_short_id(asking: Asking, tmp_path: Path) -> None:
    """In every spelling of tail, where one recent SMS has it; else exit 1 with the candidates, or with what
    to do."""
    config = tmp_path / "config.yaml"
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        name = await accepted(handset, sms(ALICE, "161", "KTFX"))
        await delivered(handset)
        for short in (name[-4:], short_id(name), short_id(name)[1:], name[-6:], name[-4:].upper()):
            code, out, _ = await asking.run(short)
            assert (code, name in out) == (0, True)
        code, _, said = await asking.run("fffe")
        far, _, more = await asking.run("ffffe")
        assert (far, "none of the last 480,000 SMS" in more) == (1, True)
        assert (code, "none of the last 30,000 SMS" in said) == (1, True)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        other = await accepted(handset, sms(ALICE, "161", "CXFX"))
        await delivered(handset)
        assert other[-4:] == name[-4:]
        code, out, said = await asking.run(name[-4:])
        assert (code, out) == (1, "")
        assert "2 recent SMS end in these digits" in said
        assert name in said
        assert other in said


@given(
    number=st.integers(0, (1 << 63) - 1),
    digits=st.integers(4, 16),
    head=st.sampled_from(["", "#", "...", "#..."]),
)
def test_every_spelling_of_an_id_is_read(number: int, digits: int, head: str) -> None:
    """The last digits of any id, with or without what tail writes before them."""
    name = message_id(number)
    assert _id(head + name[-digits:].upper()) == name[-digits:]


@given(st.text(max_size=20))
def test_an_id_is_digits_or_refused(text: str) -> None:
    """Whatever somebody types: 4 to 16 hexadecimal digits, or an error of argparse."""
    with suppress(argparse.ArgumentTypeError):
        found = _id(text)
        assert 4 <= len(found) <= 16
        assert int(found, 16) >= 0
        assert found in text.lower()


# The SMS of a handset


async def test_the_last_sms_of_a_handset(asking: Asking, tmp_path: Path) -> None:
    """Those from it and to it, newest last, as many as asked for, in whatever spelling its number is given;
    how far it was looked; and nothing of another handset."""
    async with inside(tmp_path / "config.yaml") as gateway, await bind(gateway.port) as handset:
        names = [await accepted(handset, sms(who, "161", "CXFX")) for who in (ALICE, BOB, ALICE)]
        for _ in names:
            await delivered(handset)
        await gateway.drained()
        code, out, _ = await asking.run("--msisdn", f"+86{ALICE}")
        _, few, _ = await asking.run("--msisdn", ALICE, "--limit", "1", "--json")
        _, since, _ = await asking.run("--msisdn", ALICE, "--since", "1h", "--json")
        nobody, said, _ = await asking.run("--msisdn", "13600136000")
        later, _, _ = await asking.run("--msisdn", ALICE, "--since", "2100-01-01")
    lines = out.splitlines()
    assert code == 0
    assert re.fullmatch(
        rf"Times: Asia/Shanghai, UTC\+08:00\. \S.* trace --config {re.escape(str(tmp_path))}"
        r"/config\.yaml ID shows the whole of one\.",
        lines[0],
    )
    assert [names[0] in out, names[1] in out, names[2] in out] == [True, False, True]
    assert len(lines) == 1 + 4 + 2
    assert lines[-2].startswith("looked at all 3 SMS in, back to ")
    assert lines[-1].startswith("looked at all 3 SMS out, back to ")
    last, how_far = (json.loads(line) for line in few.splitlines())
    assert how_far["looked_at"]["out"] | {"back_to": ""} == {"sms": 3, "back_to": "", "all": True}
    assert last["state"] == "sent"
    assert number_of(last["message_id"]) > number_of(names[2])
    assert len(since.splitlines()) == 4 + 1
    assert (nobody, said.splitlines()[0]) == (1, "no SMS from or to this handset")
    assert later == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["0000000100000002", "--msisdn", ALICE],
        ["0002", "--limit", "3"],
        ["0002", "--since", "2h"],
        ["--msisdn", ALICE, "--limit", "0"],
    ],
)
def test_what_does_not_go_together(words: list[str]) -> None:
    """Wrong usage: exit 2."""
    with pytest.raises(SystemExit) as left:
        main(["trace", *words])
    assert left.value.code == 2


@pytest.mark.parametrize("option", [["--msisdn", "161"], ["--msisdn", ALICE, "--since", "yesterday"]])
async def test_values_that_mean_nothing(option: list[str], asking: Asking, tmp_path: Path) -> None:
    """A number that is no mobile, a time that is none: exit 2."""
    async with inside(tmp_path / "config.yaml"):
        pass
    with pytest.raises(SystemExit) as left:
        await asking.run(*option)
    assert left.value.code == 2
