"""What docs/mqtt.md says of a Mosquitto 2.0.11 whose disk is full."""

import resource
import signal
import subprocess
from pathlib import Path

import aiomqtt
import pytest

from tests.events.mosquitto import BINARY, Subscriber, needs_mosquitto
from tests.proofs.broker import FullMosquitto, eventually

pytestmark = needs_mosquitto


@pytest.fixture(autouse=True)
def _this_version() -> None:
    """The page speaks of this one."""
    said = subprocess.run([BINARY or "", "-h"], capture_output=True, check=False).stdout
    if b"2.0.11" not in said:
        pytest.skip("another Mosquitto than 2.0.11")


async def with_session(folder: Path) -> FullMosquitto:
    """A broker that keeps what comes for a subscriber that has gone."""
    broker = FullMosquitto(folder, "autosave_on_changes false", "autosave_interval 3600")
    await broker.start()
    subscriber = Subscriber(broker.port, ["t"])
    await subscriber.ready()
    subscriber.close()
    return broker


async def publish(broker: FullMosquitto, first: int) -> None:
    """Twenty messages; each is confirmed."""
    async with aiomqtt.Client(
        "127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5, timeout=10
    ) as client:
        for number in range(first, first + 20):
            await client.publish("t", f"{number}".encode() + b"x" * 1000, 1)


async def kept(broker: FullMosquitto, count: int) -> list[int]:
    """What the subscriber gets, at least so many."""
    subscriber = Subscriber(broker.port, ["t"])
    try:
        await eventually(lambda: len(subscriber.messages) >= count, "messages", 10)
    finally:
        subscriber.close()
    return [int(payload.rstrip(b"x")) for _, payload, _ in subscriber.messages]


@pytest.mark.parametrize("room", [True, False])
async def test_it_confirms_what_it_cannot_save(tmp_path: Path, room: bool) -> None:
    """It says so in its log, and keeps the last file; killed then it has lost what it had confirmed since.
    With room again, and a save, nothing is lost."""
    broker = await with_session(tmp_path)
    try:
        await publish(broker, 0)
        await broker.save()
        broker.limit(4096)
        await publish(broker, 20)
        broker.send(signal.SIGUSR1)
        log = broker.folder / "log"
        await eventually(lambda: b"Error: File too large" in log.read_bytes(), "the error")
        if room:
            broker.limit(resource.RLIM_INFINITY)
            await broker.save()
        broker.kill()
        await broker.start()
        assert await kept(broker, 40 if room else 20) == list(range(40 if room else 20))
    finally:
        broker.kill()


async def test_no_room_for_the_end_of_the_file(tmp_path: Path) -> None:
    """No error: the incomplete file takes the place of the good one, and it does not start again."""
    broker = await with_session(tmp_path)
    file = broker.folder / "mosquitto.db"
    try:
        await publish(broker, 0)
        await broker.save()
        size = file.stat().st_size
        broker.limit(size - 100)
        await broker.save()
        assert file.stat().st_size == size - 100
        assert b"Error" not in (broker.folder / "log").read_bytes()
        broker.kill()
        with pytest.raises(AssertionError, match="Couldn't open database"):
            await broker.start()
    finally:
        broker.kill()
