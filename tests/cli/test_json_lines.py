"""--json of lists: one object a line."""

import json
from pathlib import Path

import pytest

from tests.cli.test_inspect import ONE, ask
from tests.proofs.served import accepted, bind, inside, sms, write_config


async def test_lists_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one object a line, and nothing where there is nothing."""
    config = write_config(tmp_path)
    async with inside(config) as gateway:
        assert await ask(capsys, config, "binds", "--json") == (0, "", "")
        assert await ask(capsys, config, "outbox", "list", "--json") == (0, "", "")
        async with await bind(gateway.port, "transmitter") as one, await bind(gateway.port, "transmitter"):
            for text in ("KTFX", "CXFX"):
                await accepted(one, sms(ONE, "161", text))
            _, bound, _ = await ask(capsys, config, "binds", "--json")
            _, listed, _ = await ask(capsys, config, "outbox", "list", "--json")
    assert [json.loads(line)["mode"] for line in bound.splitlines()] == ["transmitter"] * 2
    assert [json.loads(line)["destination"] for line in listed.splitlines()] == [ONE] * 2
