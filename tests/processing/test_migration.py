"""161 to 12520: where answers leave from in each mode, and that a customer is told once."""

from pathlib import Path

import pytest

from commands.sentences import SINGLE
from gateway.testing import RunningGateway, running_gateway
from tests.proofs.served import rows
from tests.support import ALICE, BOB

HINT = "161即将停用"


async def answer(gateway: RunningGateway, text: str, to: str) -> tuple[str, str]:
    """Source and text of the one SMS that comes back."""
    alice = await gateway.handset(ALICE)
    await alice.send(text, to=to)
    got = await alice.expect("")
    return got.sender, got.text


@pytest.mark.parametrize(
    ("mode", "to", "source"),
    [
        ("dual", "161", "161034"),
        ("unified", "161", "12520034"),
        ("unified", "12520", "12520034"),
        ("dual", f"161{BOB}", f"161{BOB}"),
        ("unified", f"161{BOB}", f"12520{BOB}"),
        ("unified", "10086", "12520034"),
        ("unified", "125862", "125862"),
    ],
)
async def test_where_answers_leave_from(tmp_path: Path, mode: str, to: str, source: str) -> None:
    """unified: what would leave from 161 leaves from the same place of 12520; other numbers stay theirs."""
    async with running_gateway(tmp_path, {"service": {"migration": mode}}) as gateway:
        assert (await answer(gateway, "KTFX", to))[0] == source


async def test_told_once(tmp_path: Path) -> None:
    """Who writes to 161 is told in the first reply with room for it, within the same SMS, and never again."""
    async with running_gateway(tmp_path, {"service": {"migration": "unified"}}) as gateway:
        _, opened = await answer(gateway, "KTFX", "161")
        assert len(opened) <= SINGLE
        later = [(await answer(gateway, text, "161"))[1] for text in ("CXFX", "BZ", "CXFX", "KTFX")]
        texts = [opened, *later]
        assert sum(HINT in text for text in texts) == 1
        assert all(len(text) <= SINGLE for text in texts if HINT in text)


@pytest.mark.parametrize(("mode", "to"), [("dual", "161"), ("unified", "12520"), ("unified", "10086")])
async def test_not_told(tmp_path: Path, mode: str, to: str) -> None:
    """Nobody is told while both numbers answer, nor who writes to the new number already."""
    async with running_gateway(tmp_path, {"service": {"migration": mode}}) as gateway:
        assert HINT not in (await answer(gateway, "KTFX", to))[1]
        assert HINT not in (await answer(gateway, "QXFX", to))[1]
    (customer,) = rows(tmp_path / "fetion.db", "SELECT doc FROM customer")
    assert "hinted" not in customer["doc"]
