"""docs/mqtt.md shows what is published, and what is not there without a broker."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gateway.settings import Settings, load
from tests.events.fake_broker import FakeBroker
from tests.proofs.served import accepted, bind, inside, sms, until, write_config
from tests.support import ALICE
from tests.test_architecture import ROOT

PAGE = (ROOT / "docs" / "mqtt.md").read_text("utf-8")
BLOCKS = {language: re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("json", "yaml")}
CHANGING = ("event_id", "at", "cause_id", "fetion_number", "message_id", "reply_by")


@pytest.mark.parametrize("position", [0, 1, 2])
async def test_the_examples_are_what_is_published(tmp_path: Path, position: int) -> None:
    """The examples of the page, but for what differs in each run, and on the topics that it names."""
    [shown] = json.loads(BLOCKS["json"][position])
    topic = re.findall(r"on\s+`(fetion/[^`]*)`:", PAGE)[position]
    async with FakeBroker() as broker:
        config = write_config(tmp_path, mqtt={"url": broker.url}, node={"name": "bj1"})
        async with inside(config) as gateway, await bind(gateway.port) as esme:
            await accepted(esme, sms(ALICE, "161", "KTFX"))
            await accepted(esme, sms(ALICE, "161", "NC#小明", 8))
            await accepted(esme, sms(ALICE, "1612008", "1"))
            await until(lambda: topic in dict(broker.published), "the example")
        [published] = next(items for name, items in broker.published if name == topic)
    assert list(published) == list(shown)
    same = {name: value for name, value in published.items() if name not in CHANGING}
    assert same == {name: value for name, value in shown.items() if name not in CHANGING}
    for name in set(CHANGING) & set(shown):
        assert re.sub(r"[0-9a-f]", "0", str(published[name])) == re.sub(r"[0-9a-f]", "0", shown[name]) or (
            name == "event_id"
        )


def test_the_configuration_is_one(tmp_path: Path) -> None:
    """The sections of the page can be read, and have every key."""
    path = tmp_path / "config.yaml"
    path.write_text(BLOCKS["yaml"][0], "utf-8")
    settings = load(path, {})
    assert settings.mqtt.broker is not None
    shown = yaml.safe_load(BLOCKS["yaml"][0])
    for section in ("mqtt", "provinces", "node"):
        assert set(shown[section]) == set(getattr(Settings(), section).model_dump())


def test_the_page_names_every_event() -> None:
    """Each family/event that a handler has is in the table of data; texts of a profile are named once."""
    handlers = "".join(path.read_text("utf-8") for path in (ROOT / "commands" / "handlers").glob("*.py"))
    names = {"/".join(found) for found in re.findall(r'ServiceEvent\(\s*"(\w+)", "(\w+)"', handlers)}
    assert len(names) > 15
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_without_a_broker_the_library_is_not_imported(tmp_path: Path) -> None:
    """mqtt.url null: neither aiomqtt nor paho, and no events in the store."""
    program = (
        "import asyncio, sys; from pathlib import Path; from gateway.app import Gateway\n"
        "from gateway.operations.logs import open_log; from gateway.settings import load\n"
        "import gateway.cli.serve, gateway.cli.check\n"
        "async def main():\n"
        "    settings = load(Path(sys.argv[1]), {})\n"
        "    async with Gateway(settings, open_log(settings.logging)): pass\n"
        "asyncio.run(main())\n"
        "print(sorted({'aiomqtt', 'paho'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(write_config(tmp_path))], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == "[]"
