"""Where the microseconds of one SMS go: `python -m tests.bench_stages`.

One process, no socket: 100 submit_sm at a time (KTFX and CXFX in turn, a fresh handset each) go into a
real gateway through a transport in memory, its deliver_sm are answered, and each stage of the way is
timed. Per stage the fastest of all batches counts: it is the least disturbed one. The store is real.
"""

import asyncio
import gc
import inspect
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from gateway.app import Gateway
from gateway.net.connection import Connection
from gateway.operations.logs import open_log
from gateway.settings import load
from gateway.smpp.codec import decode, encode
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdus import BindTransceiver, DeliverSm, DeliverSmResp, SubmitSm

BATCH = 100
BATCHES = 80
STAGES = (
    ("read submit_sm", "octets -> session -> intake -> parser"),
    ("prepare", "digests, load, handlers, replies"),
    ("write", "rows into the transaction"),
    ("sync", "commit: fsync of the write-ahead log"),
    ("answer", "submit_sm_resp, deliver_sm, one log line"),
    ("log", "the collected lines handed to the writer"),
    ("read deliver_sm_resp", "outbox row closed, one log line"),
)


class MemoryTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written: list[bytes] = []

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered here."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """Nothing to close."""


def submits(first: int) -> bytes:
    """BATCH requests, each from a handset that never wrote before."""
    return b"".join(
        encode(
            SubmitSm(
                source_addr=f"86{13_900_000_000 + number}",
                source_addr_ton=1,
                source_addr_npi=1,
                dest_addr_npi=1,
                destination_addr="161",
                short_message=(b"KTFX", b"CXFX")[number % 2],
                sequence_number=number + 2,
            )
        )
        for number in range(first, first + BATCH)
    )


def responses(octets: bytes) -> bytes:
    """The answers to every deliver_sm in what the gateway wrote."""
    pdus = [decode(frame) for frame in FrameSplitter().feed(octets)]
    return b"".join(
        encode(DeliverSmResp(sequence_number=pdu.sequence_number))
        for pdu in pdus
        if isinstance(pdu, DeliverSm)
    )


async def measure(folder: Path) -> dict[str, list[float]]:
    """Seconds of each stage, one figure a batch."""
    times: dict[str, list[float]] = defaultdict(list)

    def timed(owner: object, name: str, stage: str) -> None:
        function = getattr(owner, name)

        def wrapper(*args: Any, **values: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **values)
            finally:
                times[stage].append(time.perf_counter() - start)

        async def waiting(*args: Any, **values: Any) -> Any:
            start = time.perf_counter()
            try:
                return await function(*args, **values)
            finally:
                times[stage].append(time.perf_counter() - start)

        setattr(owner, name, waiting if inspect.iscoroutinefunction(function) else wrapper)

    environ = {
        "FETION__STORAGE__URL": f"sqlite:///{folder}/store.db",
        "FETION__STORAGE__KEY_FILE": str(folder / "key"),
        "FETION__LOGGING__FILE": str(folder / "log"),
        "FETION__LOGGING__FORMAT": "json",
        "FETION__SMPP__LISTEN__PORT": "0",
    }
    settings = load(None, environ)
    log = open_log(settings.logging)
    timed(log, "flush", "log")
    async with Gateway(settings, log) as gateway:
        timed(gateway.pipeline._batches, "prepare", "prepare")
        timed(gateway.store, "write", "write")
        timed(gateway.store, "sync", "sync")
        timed(gateway.pipeline._answers, "give", "answer")
        transport = MemoryTransport()
        connection: Connection = gateway.channel.listener._connection()
        connection.connection_made(transport)
        timed(connection, "data_received", "read")
        connection.data_received(
            encode(BindTransceiver(system_id="smsc", password="fetion16", sequence_number=1))
        )
        gc.collect()
        gc.freeze()
        for batch in range(BATCHES):
            transport.written.clear()
            connection.data_received(submits(batch * BATCH))
            times["read submit_sm"].append(times["read"].pop())
            answered = b""
            while answered.count(b"\x80\x00\x00\x04") < BATCH:
                await asyncio.sleep(0)
                answered = b"".join(transport.written)
            connection.data_received(responses(answered))
            times["read deliver_sm_resp"].append(times["read"].pop())
            await asyncio.sleep(0)
        connection.connection_lost(None)
    return times


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        times = asyncio.run(measure(Path(folder)))
    total = 0.0
    for stage, what in STAGES:
        # A commit of closed rows alone is no batch: leave out the cheapest third, then take the fastest.
        ordered = sorted(times[stage])[-BATCHES:]
        fastest = ordered[0] / BATCH * 1e6
        total += fastest
        sys.stdout.write(f"{stage:<22}{fastest:6.1f} us  {what}\n")
    sys.stdout.write(f"{'in all':<22}{total:6.1f} us an SMS with its reply\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
