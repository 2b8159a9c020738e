"""`handset send` and `handset chat`, as a user starts them."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.simulator.handset import SHIPPED
from gateway.simulator.hints import command
from gateway.simulator.terminal import lines_of
from gateway.smpp.pdus import DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.simulator.fake_smsc import FakeSmsc, deliveries

ALICE = "13800138000"


def welcome(submit: SubmitSm) -> list[DeliverSm]:
    """Answers everything with two SMS."""
    return [
        *deliveries("161034", submit.source_addr, "欢迎使用飞信\n号码512345678"),
        *deliveries("161", submit.source_addr, "再见"),
    ]


async def handset(smsc: FakeSmsc, command: str, *arguments: str) -> int:
    """Run `handset ...` against the fake centre, in a thread as it has a loop of its own."""
    account = ["--port", str(smsc.account.port), "--password", smsc.account.password]
    return await asyncio.to_thread(main, ["handset", command, "--from", ALICE, *account, *arguments])


@pytest.mark.parametrize("client", ["own", "smpplib"])
async def test_send_prints_what_comes_back(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With either client: the SMS leaves, its message id and what comes up to the expected one are printed,
    in this order; exit code 0."""
    async with FakeSmsc(welcome) as smsc:
        code = await handset(smsc, "send", "--to", "161", "ＫＴＦＸ", "--expect", "再", "--client", client)
        assert smsc.texts == ["ＫＴＦＸ"]
        assert smsc.binds[0].address_range == ALICE
    sent, answered, *came = capsys.readouterr().out.splitlines()
    assert code == 0
    assert answered == f"message id 1: {command()} trace 1"
    assert [line.split("s  ", 1)[1].split() for line in (sent, *came)] == [
        [ALICE, "->", "161", "ＫＴＦＸ"],
        ["161034", "->", ALICE, "欢迎使用飞信", "/", "号码512345678"],
        ["161", "->", ALICE, "再见"],
    ]


@pytest.mark.parametrize(
    ("more", "code"), [((), 0), (("--json",), 0), (("--expect", "nothing", "--wait", "0.2"), 1)]
)
async def test_nothing_of_a_centre_moves_the_cursor(
    more: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither its texts nor its numbers, whether they were expected or not."""

    def evil(submit: SubmitSm) -> list[DeliverSm]:
        return [*deliveries("161\x1b[2J\x9b2J", submit.source_addr, "a\x1b]0;x\x07\x9b2J\r\u202eb")]

    async with FakeSmsc(evil) as smsc:
        assert await handset(smsc, "send", "--to", "161", "KTFX", *more) == code
    said = capsys.readouterr()
    assert "2J" in said.out
    shown = f"{said.out}{said.err}".replace("\n", "")
    assert shown.isprintable(), ascii(shown)


@pytest.mark.parametrize("client", ["own", "smpplib"])
async def test_send_without_the_expected_answer_fails(
    client: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No such answer in time: exit code 1, and standard error says what was missed and what came."""
    async with FakeSmsc(welcome) as smsc:
        code = await handset(
            smsc, "send", "--to", "161", "x", "--expect", "never", "--wait", "0.05", "--client", client
        )
    assert code == 1
    assert "expected an SMS with /never/ within 0.05 s" in capsys.readouterr().err


async def test_send_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """--json gives one object for the SMS that left, then one for each that came, and nothing else."""
    async with FakeSmsc(welcome) as smsc:
        assert await handset(smsc, "send", "--to", "161", "x", "--expect", "飞信", "--json") == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    times = [sms.pop("time") for sms in shown]
    assert shown[:2] == [
        {"from": ALICE, "to": "161", "text": "x", "message_id": "1"},
        {"from": "161034", "to": ALICE, "text": "欢迎使用飞信\n号码512345678", "message_id": None},
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times)
    assert times == sorted(times)


async def test_the_account_of_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--config gives address and account; what the command line says goes over it."""
    async with FakeSmsc(welcome) as smsc:
        config = tmp_path / "config.yaml"
        accounts = "[{system_id: other, password: canary, default: true}, {system_id: smsc, password: %s}]"
        listen = f"{{host: 0.0.0.0, port: {smsc.account.port}}}"
        account = accounts % smsc.account.password
        config.write_text(f"smpp: {{listen: {listen}, accounts: {account}}}", "utf-8")
        words = ["handset", "send", "--from", ALICE, "--to", "161", "x", "--config", str(config)]
        assert await asyncio.to_thread(main, words) == 1
        assert "bind of 'other' refused" in capsys.readouterr().err
        assert await asyncio.to_thread(main, [*words, "--system-id", "smsc"]) == 0
        assert (smsc.binds[-1].system_id, smsc.binds[-1].password) == ("smsc", smsc.account.password)


@pytest.mark.parametrize(
    ("smpp", "said"),
    [
        ("accounts: [], links: [{name: n, host: h, system_id: s, password: p}]", "smpp.accounts is empty"),
        ("listen: {tls: {cert: c, key: k}}", "smpp.listen.tls: the gateway speaks TLS"),
    ],
)
@pytest.mark.parametrize("words", [["handset", "send", "--from", ALICE, "--to", "161", "x"], ["load"]])
async def test_a_configuration_where_no_handset_can_bind(
    smpp: str, said: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says why; with the address of an SMS centre a handset of its own binds there."""
    config = tmp_path / "config.yaml"
    config.write_text(f"smpp: {{{smpp}}}")
    words = [*words, "--config", str(config)]
    assert main(words) == 1
    assert capsys.readouterr().err.startswith(f"fetion-gateway: {said}")
    async with FakeSmsc(welcome) as smsc:
        there = ["--port", str(smsc.account.port), "--system-id", smsc.account.system_id]
        there += ["--password", smsc.account.password, *(["--count", "1"] if words[0] == "load" else [])]
        assert await asyncio.to_thread(main, [*words, *there]) == 0


async def test_the_address_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --config the variables count that `serve` obeys, too; what the command line says goes over."""
    words = ["handset", "send", "--from", ALICE, "--to", "161", "x"]
    async with FakeSmsc(welcome) as smsc:
        monkeypatch.setenv("FETION__SMPP__LISTEN__PORT", str(smsc.account.port))
        account = {"system_id": smsc.account.system_id, "password": smsc.account.password, "default": True}
        monkeypatch.setenv("FETION__SMPP__ACCOUNTS", json.dumps([account]))
        assert await asyncio.to_thread(main, words) == 0
        monkeypatch.setenv("FETION__SMPP__LISTEN__PORT", "1")
        assert await asyncio.to_thread(main, words) == 1
        assert await asyncio.to_thread(main, [*words, "--port", str(smsc.account.port)]) == 0


@pytest.mark.parametrize("client", ["own", "smpplib"])
async def test_refusals_are_one_line(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused SMS and a refused bind: exit code 1, the status by name, and the remedy."""
    async with FakeSmsc() as smsc:
        smsc.answer = CommandStatus.RINVDSTADR
        assert await handset(smsc, "send", "--to", "999", "x", "--client", client) == 1
        arguments = ("--to", "161", "x", "--password", "wrong", "--client", client)
        assert await handset(smsc, "send", *arguments) == 1
    errors = capsys.readouterr().err.splitlines()
    assert errors == [
        f"SMS to 999 refused: ESME_RINVDSTADR: {command()} explain route 999 says why",
        "bind of 'smsc' refused: ESME_RINVPASWD:"
        " --system-id and --password must be those of an account of the gateway",
    ]


@pytest.mark.parametrize("client", ["own", "smpplib"])
async def test_nobody_listens(client: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gateway: exit code 1, the address and what to start."""
    async with FakeSmsc() as smsc:
        pass
    assert await handset(smsc, "send", "--to", "161", "x", "--client", client) == 1
    errors = capsys.readouterr().err
    assert f"cannot reach 127.0.0.1:{smsc.account.port}" in errors
    assert "fetion-gateway serve" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "12345", "--to", "161", "x"],
        ["--from", ALICE, "--to", "one", "x"],
        ["--from", ALICE, "--to", "161", "x", "--expect", "("],
        ["--from", ALICE, "--to", "161", "x", "--wait", "0"],
        ["--from", ALICE, "--to", "161", "x", "--wait", "soon"],
        ["--from", ALICE, "--to", "161", "x", "--port", "65536"],
        ["--from", ALICE, "--to", "161", "x", "--password", "ninechars"],
        ["--from", ALICE, "--to", "161", "x", "--system-id", "sixteen-octets--"],
        ["--from", ALICE, "--to", "161"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything is sent: exit code 2."""
    with pytest.raises(SystemExit) as exited:
        main(["handset", "send", *arguments])
    assert exited.value.code == 2
    said = capsys.readouterr().err
    assert f"usage: {command()} handset send" in said
    assert "ninechars" not in said


def test_no_wait_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """--wait 0 is refused with the numbers that are taken."""
    with pytest.raises(SystemExit):
        main(["handset", "send", "--from", ALICE, "--to", "161", "x", "--wait", "0"])
    assert "'0' is no number of seconds above 0, at most 3600" in capsys.readouterr().err


async def test_chat_sends_lines_and_prints_what_comes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line is an SMS, a line of another form gets a hint, only the end of input ends it."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    with os.fdopen(writing, "w", encoding="utf-8") as keyboard:
        async with FakeSmsc(welcome) as smsc:
            chat = asyncio.create_task(handset(smsc, "chat"))
            print("hello\n\n161  ＫＴＦＸ", file=keyboard, flush=True)
            await smsc.arrived.get()
            smsc.answer = CommandStatus.RINVDSTADR
            print("999 x", file=keyboard, flush=True)
            await smsc.arrived.get()
            keyboard.close()
            assert await chat == 0
            assert smsc.texts == ["ＫＴＦＸ", "x"]
    sys.stdin.close()
    shown = capsys.readouterr()
    assert "type NUMBER TEXT" in shown.err
    assert "SMS to 999 refused: ESME_RINVDSTADR" in shown.err
    assert "161034 -> 13800138000         欢迎使用飞信 / 号码512345678" in shown.out


async def test_chat_ends_with_the_connection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the gateway goes away the chat says so and exits with 1, though its input stays open."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    async with FakeSmsc() as smsc:
        chat = asyncio.create_task(handset(smsc, "chat"))
        os.write(writing, b"161 x\n")
        await smsc.arrived.get()
        smsc.cut()
        assert await chat == 1
    os.close(writing)
    sys.stdin.close()
    assert "connection lost" in capsys.readouterr().err


async def test_chat_ends_when_the_gateway_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the gateway unbinds the chat ends with one sentence about it, and with 1."""
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    async with FakeSmsc() as smsc:
        chat = asyncio.create_task(handset(smsc, "chat"))
        os.write(writing, b"161 x\n")
        await smsc.arrived.get()
        assert smsc.connection is not None
        smsc.connection.unbind()
        assert await chat == 1
    os.close(writing)
    sys.stdin.close()
    said = capsys.readouterr().err
    assert said == "the gateway sent unbind: it is stopping, or has ended this bind\n"


async def test_lines_of_a_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A regular file, which a loop cannot wait for, is read line by line too; the last needs no newline."""
    path = tmp_path_factory.mktemp("lines") / "input"
    path.write_bytes("161 是\n\nlast".encode())
    with path.open("rb") as file:
        assert [line async for line in lines_of(file.fileno())] == ["161 是", "", "last"]


def test_shipped_account_is_the_one_of_the_contract() -> None:
    """Without options the commands talk to a gateway on its embedded defaults."""
    assert (SHIPPED.host, SHIPPED.port, SHIPPED.system_id) == ("127.0.0.1", 2775, "smsc")
