"""Kannel, another SMPP gateway, dials our listener as an ESME."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.simulator.handset import Handset
from gateway.testing import RunningGateway
from tests.interop.kannel import kannel, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ALICE, BOB = "13800138000", "13900139000"
LONG = "飞信让沟通更简单，" * 20


async def test_a_conversation_by_way_of_kannel(
    gateway: RunningGateway, handset: Callable[[str], Awaitable[Handset]], tmp_path: Path
) -> None:
    """A handset behind Kannel opens the service, becomes a buddy, and chats in long Chinese SMS both ways."""
    bob = await handset(BOB)
    await bob.send("KTFX", to="161")
    await bob.expect("飞信号")
    async with kannel(tmp_path, gateway.account, ALICE) as box:
        await box.send(ALICE, "161", "KTFX")
        assert (await box.expect(ALICE, "飞信号")).sender == "161034"
        await box.send(ALICE, "12520", f"HY#{BOB}#小爱")
        question = await bob.expect("小爱", sender=r"12520033\d{5}")
        await bob.send("是", to=question.sender)
        await box.expect(ALICE, "好友")
        await box.send(ALICE, f"12520{BOB}", LONG)
        chat = await bob.expect(sender=f"12520{ALICE}", within=20)
        assert chat.text == LONG
        await bob.send(LONG[::-1], to=f"12520{ALICE}")
        assert (await box.expect(ALICE, LONG[::-1])).sender == f"12520{BOB}"
        await box.send(ALICE, "99999", "nobody has this number")  # refused; the bind goes on
        await box.send(ALICE, "161", "CXFX")
        await box.expect(ALICE, "飞信")
