"""The system of a province at a real Mosquitto, as tests play it, and what they ask a gateway."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiomqtt

from gateway.app import Gateway
from gateway.events.payloads import PROVINCE_MO, PROVINCE_REFUSED
from gateway.simulator.esme import Esme
from tests.events.json_schema import faults
from tests.events.mosquitto import Mosquitto
from tests.make_schemas import FOLDER
from tests.proofs.served import (
    delivered,
    rows,
    text_of,
    until,
    write_config,
)
from tests.support import ALICE, store_of

SENTENCE = "这个号码现在没有活动，感谢您的参与。"
MO = "fetion/province/200/mo"
MT = "fetion/province/200/mt"
WITHIN = 10.0
NAMES = {"mo": "province_mo", "refused": "province_refused"}


class System:
    """The system of a province. It acknowledges at once what it reads."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self._client = client
        self._messages = aiter(client.messages)

    async def gets(self, topic: str) -> list[dict[str, Any]]:
        """The items of the next message, which must be on that topic."""
        async with asyncio.timeout(WITHIN):
            message = await anext(self._messages)
        assert str(message.topic) == topic
        assert isinstance(message.payload, bytes)
        schema = json.loads((FOLDER / f"{NAMES[topic.rsplit('/', 1)[1]]}.json").read_text("utf-8"))
        items: list[dict[str, Any]] = json.loads(message.payload)
        assert faults(items, schema, schema) == []
        (PROVINCE_MO if topic == MO else PROVINCE_REFUSED).validate_json(message.payload, strict=True)
        return items

    async def sends(self, *items: object, topic: str = MT) -> None:
        """Publish items as one array."""
        await self._client.publish(topic, json.dumps(items), 1)

    async def keeps(self, topic: str) -> None:
        """Publish a retained message."""
        await self._client.publish(topic, b"[]", 1, retain=True)

    async def sends_raw(self, payload: bytes, topic: str = MT, qos: int = 1) -> None:
        """Publish octets."""
        await self._client.publish(topic, payload, qos)


@contextlib.asynccontextmanager
async def system(broker: Mosquitto, *topics: str, patience: float = WITHIN) -> AsyncIterator[System]:
    """One that has subscribed (default: to the topics of 200). patience: seconds, of a publish too, which
    aiomqtt lets wait so long where the broker is killed."""
    async with aiomqtt.Client(
        "127.0.0.1",
        broker.port,
        identifier="province-200",
        protocol=aiomqtt.ProtocolVersion.V5,
        timeout=patience,
    ) as client:
        for topic in topics or (MO, f"{MT}/refused"):
            await client.subscribe(topic, 1)
        yield System(client)


def config_for(folder: Path, broker: Mosquitto | None, **sections: Any) -> Path:
    """A gateway at that broker."""
    mqtt = {} if broker is None else {"mqtt": {"url": broker.url}}
    return write_config(folder, node={"name": "bj1"}, **mqtt, **sections)


def answer(number: str, cause: str = "", to: str = ALICE, **more: object) -> dict[str, object]:
    """An SMS of a province."""
    cause_id = {"cause_id": cause} if cause else {}
    return {"id": number, "to": to, "text": f"text of {number}", **cause_id, **more}


async def gets(esme: Esme, count: int = 1) -> list[tuple[str, str, str]]:
    """The next SMS to handsets: from, to, text."""
    found = [await delivered(esme) for _ in range(count)]
    return [(pdu.source_addr, pdu.destination_addr, text_of(pdu)) for pdu in found]


async def ticked(gateway: Gateway, condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, while the housekeeping runs more often than it does by itself."""
    for _ in range(1000):
        if condition():
            return
        await gateway.tick(housekeeping=True)
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited in vain for {what}")


async def subscribed(folder: Path) -> None:
    """Wait for the session at the broker: from then on it keeps what comes."""
    await until(lambda: '"consumer":"provinces"' in (folder / "gateway.log").read_text("utf-8"), "it")


def open_asks(folder: Path) -> int:
    """SMS to provinces that are not over."""
    return len(rows(store_of(folder), "SELECT * FROM province_asked WHERE over_at = 0"))


def sent_ids(folder: Path) -> list[dict[str, Any]]:
    """What provinces have sent."""
    return rows(store_of(folder), "SELECT id FROM province_sent ORDER BY number")
