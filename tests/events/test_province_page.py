"""The program of docs/province-system.md as it stands, with what `mqtt acl` hands out."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

from gateway.cli.main import main
from gateway.operations.broker_rights import read_credentials
from tests.events.mosquitto import Mosquitto, needs_mosquitto
from tests.proofs.served import lines, serving, until, write_config
from tests.test_architecture import ROOT

PAGE = (ROOT / "docs" / "province-system.md").read_text("utf-8")
PROGRAM = PAGE.split("```python\n")[1].split("```")[0]


def test_the_program_is_short() -> None:
    """About 40 lines, without blank ones."""
    assert len([line for line in PROGRAM.splitlines() if line.strip()]) <= 45


async def said(port: int, handset: str, text: str, expected: str) -> bool:
    """Run the command of the page."""
    [command] = re.findall(r"^    fetion-gateway (handset send .*)$", PAGE, re.MULTILINE)
    words = command.replace("13700137000", handset).split()
    words[words.index("1612008") + 1], words[-1] = text, expected
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *words, "--port", str(port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return True


def sources(log: Path) -> list[str]:
    """From where SMS have left."""
    return [each["source"] for each in lines(log) if each["event"] == "sms.sent"]


@needs_mosquitto
async def test_a_vote(tmp_path: Path) -> None:
    """Each handset gets its answer from 161200 8, over a restart of the broker too; another activity of the
    province gets none from this program."""
    rights = tmp_path / "rights"
    assert main(["mqtt", "acl", "--broker", "mosquitto", "--to", str(rights)]) == 0
    passwords = read_credentials((rights / "credentials").read_text("utf-8"))
    broker = Mosquitto(
        tmp_path,
        "allow_anonymous false",
        f"acl_file {rights}/mosquitto.acl",
        f"password_file {rights}/mosquitto.passwd",
    )
    await broker.start()
    url = f"mqtt://fetion-gateway:{passwords['fetion-gateway']}@127.0.0.1:{broker.port}"
    config = write_config(tmp_path, mqtt={"url": url}, node={"name": "bj1"})
    (tmp_path / "vote.py").write_text(PROGRAM, "utf-8")
    arguments = ["127.0.0.1", str(broker.port), "province-200", passwords["province-200"]]
    with (tmp_path / "vote.log").open("ab") as output:
        vote = await asyncio.create_subprocess_exec(
            *(sys.executable, str(tmp_path / "vote.py"), *arguments), stdout=output, stderr=output
        )
    log = broker.folder / "log"
    try:
        async with serving(config) as served:
            await until(lambda: log.read_text("utf-8").count("as province-200") == 1, "the vote")
            await until(lambda: "provinces" in (tmp_path / "gateway.log").read_text("utf-8"), "the gateway")
            assert await said(served.port, "13700137000", "1", "舞龙，现在有1票")
            assert await said(served.port, "13700137001", "hello", "回复1投给舞龙")
            broker.kill()
            await broker.start()
            await until(lambda: log.read_text("utf-8").count("as province-200") == 2, "the vote again")
            assert await said(served.port, "13700137000", "2", "舞狮，现在有1票")
            await until(lambda: len(sources(tmp_path / "gateway.log")) == 3, "the lines of the log")
    finally:
        vote.kill()
        await vote.wait()
        broker.kill()
    assert sources(tmp_path / "gateway.log") == ["1612008"] * 3
    assert "Traceback" not in (tmp_path / "vote.log").read_text("utf-8")
