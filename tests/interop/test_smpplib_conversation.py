"""smpplib's own client, unchanged, has the demo's conversation with the real gateway."""

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.simulator.demo import SCENARIO
from gateway.simulator.errors import BindRefusedError, CannotSendError, NotConnectedError
from gateway.simulator.handset import Account, Centre
from gateway.simulator.runner import play
from gateway.simulator.scenario import load
from gateway.simulator.smpplib_handset import SmpplibHandset
from gateway.simulator.transcript import Transcript
from tests.simulator.real_gateway import running_gateway

ALICE, BOB = "13800138000", "13900139000"


async def test_the_whole_conversation(tmp_path: Path) -> None:
    """Two smpplib clients, one bind each, play every step of the demo."""
    script = load(SCENARIO)
    names = {number: name for name, number in script.handsets.items()}
    transcript = Transcript(names, time.monotonic)
    async with running_gateway(tmp_path) as account, AsyncExitStack() as stack:
        phones = {
            name: await stack.enter_async_context(
                await SmpplibHandset.connect(account, number, watch=transcript.add)
            )
            for name, number in script.handsets.items()
        }
        values = await play(script, phones, transcript)
    assert values["alice_fetion"] != values["bob_fetion"]


async def test_long_texts_both_ways(tmp_path: Path) -> None:
    """A chat text of 180 characters goes in three parts from smpplib to our client, and comes back so."""
    text = "飞信让沟通更简单，" * 20
    async with (
        running_gateway(tmp_path) as account,
        await SmpplibHandset.connect(account, ALICE) as alice,
        await Centre.connect(account, [BOB], address_range=BOB) as centre,
    ):
        bob = centre.handsets[BOB]
        script = load(SCENARIO)
        opened = script.model_copy(update={"steps": script.steps[:10]})
        await play(opened, {"alice": alice, "bob": bob}, Transcript({}, time.monotonic))
        await alice.send(text, to=f"12520{BOB}")
        assert (await bob.expect(text=text)).sender == f"12520{ALICE}"
        await bob.send(text[::-1], to=f"12520{ALICE}")
        assert (await alice.expect(text=text[::-1])).sender == f"12520{BOB}"


async def test_refused_and_unreachable(tmp_path: Path) -> None:
    """A wrong password and a port where nobody listens are the same typed errors as with our client."""
    async with running_gateway(tmp_path) as account:
        wrong = Account(account.host, account.port, account.system_id, "wrong")
        with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
            await SmpplibHandset.connect(wrong, ALICE)
        too_long = Account(account.host, account.port, account.system_id, account.password + "x")
        with pytest.raises(CannotSendError, match="password has 9 characters, at most 8 fit"):
            await SmpplibHandset.connect(too_long, ALICE)
    with pytest.raises(NotConnectedError, match=f"127.0.0.1:{account.port}"):
        await SmpplibHandset.connect(account, ALICE)
