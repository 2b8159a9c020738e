"""Tables that take away an access code to which open questions and parts of long messages came."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from commands.tables import Tables, path_of
from gateway.operations.control import follow
from gateway.simulator.esme import Esme
from routing.tablefile import TableError
from tests.operations.swapped import UNLIMITED
from tests.processing.machine_service import LiveGateway, live_gateway, opened
from tests.proofs.served import accepted, bind, delivered, rows, sms, text_of
from tests.support import store_of

LI = "13800138000"


def retire_161(folder: Path) -> None:
    """Put the tables of the time after 161 into an operator's folder."""
    for name in ("appendix7.yaml", "appendix8.yaml"):
        lines = path_of(name, None).read_text("utf-8").splitlines(keepends=True)
        (folder / name).write_text("".join(line for line in lines if 'value: "161"' not in line), "utf-8")


@pytest.fixture(params=["dual", "unified"])
async def live(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LiveGateway]:
    """A gateway with shipped tables, of customers who wrote to 161."""
    (tmp_path / "tables").mkdir()
    sections: dict[str, Any] = {"service": {"migration": request.param}, "limits": UNLIMITED}
    async with live_gateway(tmp_path, tables={"folder": str(tmp_path / "tables")}, **sections) as live:
        yield live


def retire_row(folder: Path, row: str) -> None:
    """Put tables without an instruction, and without the sentences that only it says, into the folder."""
    (folder / "replies").mkdir()
    for name, section in (("appendix8.yaml", "rows"), ("replies/zh.yaml", "sentences")):
        document = yaml.safe_load(path_of(name, None).read_text("utf-8"))
        if section == "rows":
            document[section] = [each for each in document[section] if each["id"] != row]
        (folder / name).write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    with pytest.raises(TableError) as unused:
        Tables.load(folder)
    for fault in unused.value.faults:
        del document["sentences"][fault.key.removeprefix("sentences.")]
    (folder / name).write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")


async def retired(live: LiveGateway, row: str = "") -> None:
    """161, or an instruction, is taken away, and the gateway reloads."""
    if row:
        retire_row(live.folder / "tables", row)
    else:
        retire_161(live.folder / "tables")
    asked = follow(store_of(live.folder), "tables reload", 60, dry_run="no")
    assert [item["applied"] async for item in asked if "applied" in item] == [True]


async def answer(esme: Esme, sender: str, to: str, text: str) -> tuple[str, str]:
    """Where the reply to an SMS comes from, and what it says."""
    await accepted(esme, sms(sender, to, text, 0 if text.isascii() else 8))
    delivery = await delivered(esme)
    return delivery.source_addr, text_of(delivery)


async def test_an_open_question_can_be_answered(live: LiveGateway) -> None:
    """It is asked again from the access code that is left, and its answer there is understood."""
    async with await bind(live.port) as esme:
        await opened(esme, LI)
        old, question = await answer(esme, LI, "161", "QXFX")
        await retired(live)
        new, again = await answer(esme, LI, "12520", "QXFX")
        assert (new.startswith("12520033"), again[:10]) == (True, question[:10])
        assert "取消" in (await answer(esme, LI, new, "是"))[1]
    assert {row["outcome"] for row in rows(store_of(live.folder), "SELECT outcome FROM journal")} <= {
        "done",
        "asked",
    }, old


async def test_a_question_of_an_instruction_that_is_gone(live: LiveGateway) -> None:
    """Who asks back is told how to answer it, and the answer is understood."""
    async with await bind(live.port) as esme:
        await opened(esme, LI)
        number, _ = await answer(esme, LI, "161", "QXFX")
        await retired(live, "service.cancel")
        assert "“是”" in (await answer(esme, LI, number, "是？"))[1]
        assert "取消" in (await answer(esme, LI, number, "是"))[1]
    found = [row["outcome"] for row in rows(store_of(live.folder), "SELECT outcome FROM journal")]
    assert "failed" not in found


async def test_a_long_message_that_nobody_can_complete(live: LiveGateway) -> None:
    """Its sender is told all the same, from the access code that is left."""
    async with await bind(live.port) as esme:
        part = sms(LI, "161", "")
        part.short_message, part.esm_class = b"\x05\x00\x03\x07\x02\x01CX", 0x40
        await accepted(esme, part)
        await retired(live)
        live.clock.ahead += 2 * 3600
        await live.gateway.tick(housekeeping=True)
        delivery = await delivered(esme)
        assert delivery.source_addr == "12520"
