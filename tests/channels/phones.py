"""Phones of the console for tests: write, and wait for what comes."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from gateway.channels.phones.channel import PhonesChannel
from gateway.channels.phones.conversations import PhoneSms, State
from gateway.testing import RunningGateway

ANN, BEN = "13912345600", "13912345601"
"""The first phones of the range."""
PHONES: Mapping[str, Any] = {
    "console": {"listen": {"host": "127.0.0.1", "port": 0}, "phones": [f"{ANN}-13912345609"]}
}
PATIENCE = 10.0


def channel_of(gateway: RunningGateway) -> PhonesChannel:
    """The channel of its phones."""
    channel = gateway.app.phones.channel
    assert channel is not None, "the configuration wants PHONES"
    return channel


async def writes(gateway: RunningGateway, phone: str, text: str, to: str = "161") -> PhoneSms:
    """A phone writes; gives the SMS when it was answered."""
    channel = channel_of(gateway)
    sms = channel.submit(phone, to, text)
    async with asyncio.timeout(PATIENCE):
        await channel.conversations.settled(sms)
    return sms


async def gets(gateway: RunningGateway, phone: str, pattern: str, times: int = 1) -> PhoneSms:
    """Wait until a phone has got so many SMS that match; gives the last of them."""
    conversations = channel_of(gateway).conversations
    with conversations.watched() as event:
        async with asyncio.timeout(PATIENCE):
            while True:
                event.clear()
                found = [each for each in conversations.of(phone) if matches(each, pattern)]
                if len(found) >= times:
                    return found[-1]
                await event.wait()


def matches(sms: PhoneSms, pattern: str) -> bool:
    """Whether it was received, and says that."""
    return sms.state is State.RECEIVED and re.search(pattern, sms.text) is not None
