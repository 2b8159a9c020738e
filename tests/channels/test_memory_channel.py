"""A channel that knows nothing of SMPP takes the place of SMPP, and nobody behind it notices."""

import ast
import asyncio
import time
from contextlib import closing
from pathlib import Path

import gateway.simulator
from gateway.app import Gateway
from gateway.channels.driver import AccountTerms, Driver
from gateway.cli.demo import demo_settings
from gateway.operations.logs import open_log
from gateway.simulator.runner import play
from gateway.simulator.scenario import load
from gateway.simulator.sms import AUTO, Expectation, MissedError, Sms, UnexpectedError
from gateway.simulator.transcript import Transcript
from tests.channels import memory_channel
from tests.channels.memory_channel import MemoryBind, MemoryChannel, Utf16

DEMO = Path(gateway.simulator.__file__).parent / "demo.yaml"
MEMORY = Driver({MemoryBind.account: AccountTerms(Utf16())}, MemoryChannel)


class MemoryPhone:
    """A handset of the memory channel as scenarios want it (gateway.simulator.handset.Phone)."""

    def __init__(self, msisdn: str, bind: MemoryBind, transcript: Transcript) -> None:
        self.msisdn = msisdn
        self._bind = bind
        self._watch = transcript.add
        self._read: list[int] = []

    async def send(self, text: str, to: str, encoding: str = AUTO) -> str:
        """Every text goes as UTF-16, whatever the encoding that SMPP would use."""
        del encoding
        self._watch(Sms(self.msisdn, to, text))
        return await self._bind.submit(self.msisdn, to, text)

    async def wait_for(self, expectation: Expectation, within: float) -> Sms:
        """The oldest unread SMS that fits."""
        try:
            async with asyncio.timeout(within):
                while (found := self._unread(expectation)) is None:  # noqa: ASYNC110  # an inbox has no event
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise MissedError(self.msisdn, expectation, within, ()) from None
        place, sms = found
        self._read.append(place)
        self._watch(sms)
        return sms

    async def silence(self, expectation: Expectation, within: float) -> None:
        """Nothing that fits is unread: what leaves in memory is there at once."""
        del within
        found = self._unread(expectation)
        if found is not None:
            raise UnexpectedError(self.msisdn, expectation, found[1])

    def _unread(self, expectation: Expectation) -> tuple[int, Sms] | None:
        for place, (msisdn, sender, text) in enumerate(self._bind.inbox):
            sms = Sms(sender, msisdn, text)
            if msisdn == self.msisdn and place not in self._read and expectation.groups(sms) is not None:
                return place, sms
        return None


async def test_the_conversation_of_demo(tmp_path: Path) -> None:
    """The conversation of `demo` runs unchanged over a channel that is no SMPP: what it expects comes."""
    settings = demo_settings(tmp_path, tmp_path / "gateway.log", free_port=True)
    scenario = load(DEMO)
    with closing(open_log(settings.logging)) as log:
        async with Gateway(settings, log, drivers=[MEMORY]) as running:
            (channel,) = (each for each in running.channels if isinstance(each, MemoryChannel))
            bind, transcript = channel.bind(), Transcript(scenario.handsets, time.monotonic)
            phones = {name: MemoryPhone(each, bind, transcript) for name, each in scenario.handsets.items()}
            values = await play(scenario, phones, transcript)
            assert running.channel.connections == 0  # nobody spoke SMPP
        assert channel.connections == 0
    assert values["alice_fetion"] != values["bob_fetion"]


def test_it_knows_nothing_of_smpp() -> None:
    """The memory channel has 100 lines at most, and imports the contract but nothing of SMPP."""
    source = Path(memory_channel.__file__).read_text("utf-8")
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert len(source.splitlines()) <= 100
    assert not [name for name in imported if "smpp" in str(name) or str(name).startswith("gateway.net")]
    assert "gateway.channels.contract" in imported
