"""`trace`, `binds` and `outbox list`: what they show of a gateway that runs, and of none."""

import asyncio
import json
import re
from functools import partial
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.showing import age
from tests.proofs.served import accepted, bind, delivered, inside, lines, sms, until, write_config

ONE = "13800138000"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

Result = tuple[int, str, str]


async def ask(capsys: pytest.CaptureFixture[str], config: Path, *words: str) -> Result:
    """Exit code, standard output and standard error of a command, run beside the gateway of this process."""
    capsys.readouterr()
    code = await asyncio.to_thread(main, [*words, "--config", str(config)])
    return code, *capsys.readouterr()


async def test_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From either end: who wrote, with his home province, where to, and what came of it."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        name = await accepted(handset, sms(ONE, "12520", "KTFX"))
        await delivered(handset)
        code, out, _ = await ask(capsys, config, "trace", name.upper())
    assert code == 0
    assert re.search(rf"^SMS in +{name}  ", out, re.MULTILINE)
    assert re.search(rf"^  from +{ONE}, home province 100$", out, re.MULTILINE)
    assert re.search(r"^  to +12520 \(12520\), belongs to province 100$", out, re.MULTILINE)
    assert re.search(r"^SMS out ", out, re.MULTILINE)


async def test_trace_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json has the ids of the log, and times as RFC 3339 in UTC with milliseconds, or null."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        name = await accepted(handset, sms(ONE, "161", "KTFX"))
        await delivered(handset)
        await gateway.drained()
        _, out, _ = await ask(capsys, config, "trace", name, "--json")
    found = json.loads(out)
    message, (reply,) = found["message"], found["outgoing"]
    logged = {line["event"]: line for line in lines(tmp_path / "gateway.log")}
    assert message["message_id"] == logged["sms.handled"]["message_id"] == name
    assert reply["message_id"] == logged["sms.sent"]["message_id"]
    assert reply["cause_id"] == logged["sms.sent"]["cause_id"] == name
    assert message["home_province"] == "100"
    times = (message["at"], reply["at"], reply["expires_at"], reply["closed_at"])
    assert all(TIME.fullmatch(time) for time in times)
    assert message["repeated_at"] is None
    assert {"number", "cause"}.isdisjoint({*message, *reply})


async def test_nothing_of_a_peer_moves_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bind asks for any address_range."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port, address_range="1\x1b[2J\x9b2J"):
        code, out, _ = await ask(capsys, config, "binds")
    assert code == 0
    assert "1\\x1b[2J\\x9b2J" in out
    assert out.replace("\n", "").isprintable()


@pytest.mark.parametrize("name", ["ABC", "0x00000000000001", "0000_0001_0000_2", "ffffffffffffffff", ""])
@pytest.mark.parametrize("command", ["trace", "outbox retry", "outbox drop"])
def test_a_malformed_id_is_wrong_usage(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What can be no message id: usage of that command, exit 2."""
    with pytest.raises(SystemExit) as left:
        main([*command.split(), name])
    assert left.value.code == 2
    assert f"fetion-gateway {command} --help\n" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["trace", "0000000100000002"], ["binds"], ["outbox", "list"]])
def test_no_store(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a store: its path, and what to do; exit 1, and nothing is made."""
    config = write_config(tmp_path)
    assert main([*words, "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"fetion-gateway: {tmp_path}/var/fetion.db: there is no store: ")
    assert "fetion-gateway serve" in said
    assert "--config" in said
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_no_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A store whose gateway has stopped: binds says so, and what to start."""
    config = write_config(tmp_path)

    async def start_and_stop() -> None:
        async with inside(config):
            pass

    asyncio.run(start_and_stop())
    assert main(["binds", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert f"no gateway runs on {tmp_path}/var/fetion.db" in said
    assert "fetion-gateway serve" in said


async def test_binds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a bind below a line of names, as wide as its widest word."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        assert (await ask(capsys, config, "binds"))[1] == "nobody is bound\n"
        async with await bind(gateway.port, "receiver", address_range=ONE):
            _, out, _ = await ask(capsys, config, "binds")
    names, row = out.splitlines()
    assert names.split()[:5] == ["SYSTEM_ID", "MODE", "REMOTE", "ADDRESS_RANGE", "BOUND"]
    assert row.split()[:2] == ["smsc", "receiver"]
    assert row[names.index("ADDRESS_RANGE") :].startswith(ONE)
    assert row[names.index("WINDOW_OUT") :].startswith("0/100")


async def test_outbox_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What waits: state, account and age below a line of names; with --json the ids and times of the log."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        assert (await ask(capsys, config, "outbox", "list"))[1] == "nothing waits, nothing is parked\n"
        async with await bind(gateway.port, "transmitter") as sender:
            name = await accepted(sender, sms(ONE, "161", "KTFX"))
            _, out, _ = await ask(capsys, config, "outbox", "list")
            _, listed, _ = await ask(capsys, config, "outbox", "list", "--json")
    names, row = out.splitlines()
    assert names.split() == ["MESSAGE_ID", "STATE", "ACCOUNT", "AGE", "ATTEMPTS", "FROM", "TO", "WHY"]
    assert row.split()[1:3] == ["waiting", "smsc"]
    assert row.split()[3:6] == [row.split()[3], "s", "0"]
    found = json.loads(listed)
    assert row.endswith("  no receiver of account smsc is bound")
    assert found["why"] == "no receiver of account smsc is bound"
    assert found["cause_id"] == name
    assert TIME.fullmatch(found["at"])
    assert (found["closed_at"], "number" in found) == (None, False)


async def test_a_list_that_is_cut_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So many of so many on standard error, and how to see more; nothing where all are shown. Each says why
    it waits, however many they are."""
    config, count = write_config(tmp_path), 60
    async with inside(config) as gateway, await bind(gateway.port, "transmitter") as sender:
        for number in range(count):
            await accepted(sender, sms(f"138001380{number:02}", "161", "KTFX"))
        _, out, said = await ask(capsys, config, "outbox", "list", "--limit", "7")
        _, whole, nothing = await ask(capsys, config, "outbox", "list")
        _, listed, also = await ask(capsys, config, "outbox", "list", "--json", "--limit", "1")
    assert said == f"fetion-gateway: 7 of {count} shown: --limit N shows more\n"
    assert len(out.splitlines()) == 1 + 7
    assert (len(whole.splitlines()), nothing) == (1 + count, "")
    assert all(line.endswith("  no receiver of account smsc is bound") for line in whole.splitlines()[1:])
    assert (len(listed.splitlines()), also != "") == (1, True)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s"), (61, "1 min 1 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")]
)
def test_ages(seconds: float, shown: str) -> None:
    """An age is shown in its two largest units."""
    assert age(seconds) == shown


def logged(log: Path, name: str) -> bool:
    """Whether a log has a line about an SMS."""
    return name in {line.get("message_id") for line in lines(log)}


async def test_the_line_is_there_right_after_the_answer(tmp_path: Path) -> None:
    """A gateway with nothing else to do hands its log over at once: a search after an answer finds it."""
    config = write_config(tmp_path)
    async with inside(config) as gateway, await bind(gateway.port) as handset:
        for text in ("KTFX", "CXFX"):
            name = await accepted(handset, sms(ONE, "161", text))
            await delivered(handset)
            await until(partial(logged, tmp_path / "gateway.log", name), "the line")
