"""`load`, as a user starts it: report, JSON, progress bar, exit codes."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.simulator.hints import command
from gateway.simulator.load.plan import Plan
from gateway.simulator.load.report import Progress
from gateway.simulator.load.traffic import Traffic
from gateway.smpp.pdus import DeliverSm, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.proofs.served import until
from tests.simulator.fake_smsc import FakeSmsc, deliveries
from tests.simulator.real_gateway import running_gateway


def reply(submit: SubmitSm) -> list[DeliverSm]:
    """One SMS back."""
    return deliveries("161034", submit.source_addr, "OK")


async def load(smsc: FakeSmsc, *arguments: str) -> int:
    """Run `load` against the fake centre, in a thread as it has a loop of its own."""
    account = ["--port", str(smsc.account.port), "--password", smsc.account.password]
    return await asyncio.to_thread(main, ["load", *account, *arguments])


async def test_report_and_json_of_a_real_gateway(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against a gateway: exit 0, rate and percentiles are printed, and --json has all of it, with what it
    takes to run it again; no password; nothing on standard error, which is no terminal."""
    out = tmp_path / "load.json"
    async with running_gateway(tmp_path) as account:
        where = [
            "--port",
            str(account.port),
            "--password",
            account.password,
            "--system-id",
            account.system_id,
        ]
        words = ["load", *where, "--count", "60", "--window", "5", "--seed", "9", "--json", str(out)]
        assert await asyncio.to_thread(main, words) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    first, rate, head, answer, replied, errors = shown.out.splitlines()
    assert first.startswith("60 round trips of 60 messages, 60 sent, in ")
    assert rate.endswith(" round trips/s")
    assert head.split() == ["milliseconds", "p50", "p95", "p99", "max"]
    assert errors == "errors       none"

    written = out.read_text("utf-8")
    report = json.loads(written)
    for line in (answer, replied):
        name, *times = line.split()
        known = report["latency_ms"][name]
        assert times == [f"{known[key]:.2f}" for key in ("p50", "p95", "p99", "max")]
        assert known["count"] == 60
    assert (report["good"], report["end"], report["errors"], report["round_trips"]) == (
        True,
        "finished",
        {},
        60,
    )
    assert f"{report['rate']:,.0f} round trips/s" in rate
    assert report["seed"] == 9
    assert report["machine"]["cpus"] == os.cpu_count()
    assert report["python"] == ".".join(map(str, sys.version_info[:3]))
    assert report["date"].endswith("+00:00")
    assert account.password not in written
    assert report["command"].startswith(
        f"fetion-gateway load --host 127.0.0.1 --port {account.port} --system-id smsc --count 60 "
    )


async def test_the_command_in_the_report_leads_to_the_same_run(tmp_path: Path) -> None:
    """The command line of the report, with the password, sends the same SMS."""
    mix = tmp_path / "mix.yaml"
    mix.write_text('- {text: A, to: "161", weight: 2}\n- {text: B, to: "161", from: fresh}', "utf-8")
    out = tmp_path / "out.json"
    sent = []
    words = ["--count", "30", "--rate", "5000", "--mix", str(mix), "--handsets", "random:5", "--seed", "3"]
    for _ in range(2):
        async with FakeSmsc(reply) as smsc:
            assert await load(smsc, *words, "--json", str(out)) == 0
            sent.append([(each.source_addr, each.short_message) for each in smsc.submitted])
        words = json.loads(out.read_text("utf-8"))["command"].split()[2:]
        del words[words.index("--port") : words.index("--port") + 2]
    assert sent[0] == sent[1]


async def test_refusals_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    """Refused messages are printed by the name of their status, and the exit code is 1."""
    async with FakeSmsc(reply) as smsc:
        smsc.answer = CommandStatus.RTHROTTLED
        assert await load(smsc, "--count", "7") == 1
    assert "errors       ESME_RTHROTTLED 7\n" in capsys.readouterr().out


async def test_time_outs_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A reply that does not come is printed, and the exit code is 1."""
    async with FakeSmsc() as smsc:
        assert await load(smsc, "--count", "7", "--timeout", "0.05") == 1
    assert "errors       no reply in time 7\n" in capsys.readouterr().out


async def test_a_lost_connection_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A connection that breaks: it is said behind what was measured, in the JSON too; exit code 1."""

    def reacts(submit: SubmitSm) -> Iterable[DeliverSm]:
        if len(smsc.submitted) == 20:
            asyncio.get_running_loop().call_soon(smsc.cut)
        return reply(submit)

    async with FakeSmsc(reacts) as smsc:
        assert await load(smsc, "--count", "1000", "--window", "2", "--json", str(tmp_path / "out.json")) == 1
    assert "\nconnection lost: " in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["end"] == "lost"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--password", "wrong"], "bind of 'smsc' refused: ESME_RINVPASWD"),
        (["--mix", "none.yaml"], "none.yaml:1: (file): cannot be read"),
        (["--json", "no/such/folder/out.json"], "no/such/folder/out.json"),
    ],
)
async def test_faults_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What keeps a run from starting is one line on standard error; exit code 1, and nothing was sent."""
    async with FakeSmsc(reply) as smsc:
        assert await load(smsc, "--count", "1", *words) == 1
        assert smsc.submitted == []
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


async def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gateway: exit code 1, and what to start."""
    async with FakeSmsc() as smsc:
        pass
    assert await load(smsc, "--count", "1") == 1
    assert f"start the gateway: {command()} serve" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--count", "0"],
        ["--window", "-1"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--timeout", "soon"],
        ["--handsets", "random"],
        ["--handsets", "random:0"],
        ["--first", "12345"],
        ["--first", "19999999999", "--count", "2"],
        ["--password", "ninechars"],
    ],
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be meant is refused before anything is sent: exit code 2."""
    with pytest.raises(SystemExit) as exited:
        main(["load", *words])
    assert exited.value.code == 2
    assert f"usage: {command()} load" in capsys.readouterr().err


def interruptible(*words: str) -> "subprocess.Popen[bytes]":
    """The command line as a process that SIGINT reaches."""
    script = (
        "import signal, sys, gateway.cli.main as c\n"
        # Who starts the suite in the background may have SIGINT ignored, for all below.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.exit(c.main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def test_ctrl_c_reports_and_exits_130(tmp_path: Path) -> None:
    """SIGINT in the middle: what was measured is printed and written, and the exit code is 130."""
    out = tmp_path / "out.json"
    async with FakeSmsc(reply) as smsc:
        account = ["--port", str(smsc.account.port), "--password", smsc.account.password]
        words = ["load", *account, "--count", "1000000", "--rate", "200", "--json", str(out)]
        process = interruptible(*words)
        with process:
            await until(lambda: smsc.statuses.total() > 20, "some traffic")
            process.send_signal(signal.SIGINT)
            said, complained = await asyncio.to_thread(process.communicate)
    assert (process.returncode, complained) == (130, b"")
    assert b"\ninterrupted\n" in said
    report = json.loads(out.read_text("utf-8"))
    assert report["end"] == "interrupted"
    assert report["latency_ms"]["answer"]["count"] > 20


class Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        """See io."""
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal(), True), (io.StringIO(), False)])
def test_the_bar_is_for_terminals(stream: io.StringIO, drawn: bool) -> None:
    """On a terminal: a bar, per cent, rate since the last look, errors; elsewhere nothing at all."""
    times = iter((0.0, 0.5))
    plan = Plan(count=1000, window=1)
    traffic = Traffic(plan)
    traffic.finished, traffic.complete = 500, 497
    progress = Progress(stream, plan, lambda: next(times))
    progress.show(traffic)
    progress.clear()
    assert ("#" * 15 + " " * 15 + "]  50%     1,000/s  errors 3" in stream.getvalue()) is drawn
    assert bool(stream.getvalue()) is drawn
