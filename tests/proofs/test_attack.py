"""Strangers on the port: whatever they send, the gateway lives, says what is wrong, and serves its peers."""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import TracebackType

import pytest

from gateway.simulator.errors import BindRefusedError
from gateway.simulator.esme import Esme
from gateway.smpp.codec import encode
from gateway.smpp.pdus import EnquireLink, SubmitSm
from gateway.smpp.status import CommandStatus
from tests.proofs.served import (
    PASSWORD,
    SYSTEM_ID,
    Served,
    accepted,
    bind,
    delivered,
    events,
    inside,
    lines,
    raw,
    serving,
    sms,
    text_of,
    texts,
    until,
    write_config,
)
from tests.smpp.vectors import OWN, load

ONE, OTHER = "13911110001", "13911110002"
STRANGER = "probe"
ATTACKS, AT_ONCE = 300, 20
SEED = 20070301
GROWTH_KIB = 32 * 1024
"""How much the process may grow under attack."""

GARBAGE = {
    "text": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100c8010000c40303") + bytes(190),
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
}


def nack(status: int) -> bytes:
    """What a peer hears whose stream is lost: generic_nack without a sequence number."""
    return bytes.fromhex("00000010 80000000") + status.to_bytes(4, "big") + bytes(4)


def quiet(gateway: Served) -> bool:
    """Nothing went wrong inside: no traceback, no library's warning, nothing on standard error."""
    told = lines(gateway.log)
    return gateway.stderr == "" and not any("exception" in line for line in told)


def with_strangers(folder: Path, **timers: float) -> Path:
    """A configuration with an account for strangers who know a password."""
    account = {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True}
    return write_config(
        folder,
        smpp={
            "listen": {"port": 0},
            "timers": timers,
            "accounts": [account, {"system_id": STRANGER, "password": PASSWORD}],
        },
    )


async def test_garbage_and_silence(tmp_path: Path) -> None:
    """No SMPP, a command_length of 1 MB, half a PDU and then nothing, before and after a bind: each is told
    what can be told and cut off, and the next one is served."""
    config = with_strangers(tmp_path, session_init=0.5, enquire_link=0.5, response=1)
    half = encode(sms(ONE, "161", "KTFX"))[:20]
    large = (1 << 20).to_bytes(4, "big") + bytes.fromhex("00000004 00000000 00000001")
    async with serving(config) as gateway:
        lost = nack(CommandStatus.RINVCMDLEN)
        for name, octets in GARBAGE.items():
            assert await raw(gateway.port, octets, half_close=False) in {lost, b""}, name
        for system_id in ("", STRANGER):
            assert await raw(gateway.port, large, system_id=system_id, half_close=False) == lost
        assert await raw(gateway.port, half, half_close=False) == b""
        asked = await raw(gateway.port, half, system_id=STRANGER, half_close=False)
        assert asked == encode(EnquireLink(sequence_number=1))
        async with await bind(gateway.port) as handset:
            await accepted(handset, sms(ONE, "161", "KTFX"))
            assert "欢迎" in text_of(await delivered(handset))
        assert quiet(gateway)


async def test_wrong_password(tmp_path: Path) -> None:
    """A wrong password and an unknown system_id get the same answer, the second time later; the right one is
    let in at once; the log names who, never the password."""
    loop = asyncio.get_running_loop()
    waited = []
    async with serving(with_strangers(tmp_path)) as gateway:
        for system_id in (SYSTEM_ID, "nobody", SYSTEM_ID):
            began = loop.time()
            with pytest.raises(BindRefusedError) as refusal:
                await Esme.connect("127.0.0.1", gateway.port, system_id, "wrong7pw")
            assert refusal.value.status == "ESME_RINVPASWD"
            waited.append(loop.time() - began)
        async with await bind(gateway.port):
            pass
        told = [line for line in lines(gateway.log) if line["event"] == "bind.refused"]
        assert [line["system_id"] for line in told] == [SYSTEM_ID, "nobody", SYSTEM_ID]
        assert b"wrong7pw" not in gateway.log.read_bytes()
    assert waited[0] >= 0.1
    assert waited[2] >= 0.2


def kept() -> list[object]:
    """The messages and tracebacks that are alive."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, SubmitSm | TracebackType)]


async def test_a_refusal_leaves_nothing_behind(tmp_path: Path) -> None:
    """Messages refused by the thousand, whatever the reason, are forgotten: no exception keeps them alive."""
    async with inside(write_config(tmp_path)) as gateway, await bind(gateway.port) as handset:
        before = len(kept())  # those that tests of other modules keep
        for stopping, to in ((False, "999"), (True, "161")):
            gateway.queue.stopping = stopping
            answers = [await handset.submit(sms(ONE, to, "KTFX")) for _ in range(300)]
            assert all(answer.command_status for answer in answers)
        gateway.queue.stopping = False
        del answers
        assert len(kept()) < before + 30


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b2J", "\x1b[1m\r\nroot"])
async def test_a_peer_cannot_write_on_the_terminal(tmp_path: Path, evil: str) -> None:
    """Control characters in addresses and names of a peer stand escaped in the columns of the log."""
    config = write_config(tmp_path, logging={"format": "console"})
    async with inside(config) as gateway, await bind(gateway.port, address_range=evil) as handset:
        await handset.submit(sms(evil, "161", "KTFX"))
        await handset.submit(sms(ONE, evil, "KTFX"))
        with pytest.raises(BindRefusedError):
            await Esme.connect("127.0.0.1", gateway.port, evil, PASSWORD)
    log = (tmp_path / "gateway.log").read_text("utf-8")
    assert "bind.refused" in log
    assert [each for each in log if each != "\n" and not each.isprintable()] == []
    assert not any(line.startswith("root") for line in log.splitlines())


def mutated(seed: int) -> Iterator[bytes]:
    """Vectors, cut, turned, swapped and stuck together: the same ones for a seed, without end."""
    random = Random(seed)
    vectors = [vector.octets for vector in load(OWN, "own_*.jsonl")]
    while True:
        octets = bytearray(random.choice(vectors))
        for _ in range(random.randrange(4)):
            place = random.randrange(len(octets) or 1)
            match random.randrange(5):
                case 0:
                    octets[place : place + 1] = random.randbytes(1)
                case 1:
                    del octets[place : place + random.randrange(1, 9)]
                case 2:
                    octets[place:place] = random.randbytes(random.randrange(1, 9))
                case 3:
                    octets += random.choice(vectors)
                case _:
                    octets[4:8] = random.choice(vectors)[4:8]
        if random.random() < 0.8:  # a length that fits, so that the body is looked at
            octets[:4] = max(16, len(octets)).to_bytes(4, "big")
        yield bytes(octets)


async def attack(gateway: Served) -> None:
    """Many connections, some bound, each with a few mutated PDUs; cut off by us or by the gateway."""
    octets, random = mutated(SEED), Random(SEED)
    room = asyncio.Semaphore(AT_ONCE)

    async def one(pieces: list[bytes], system_id: str) -> None:
        async with room:
            await raw(gateway.port, *pieces, system_id=system_id)

    async with asyncio.TaskGroup() as group:
        for _ in range(ATTACKS):
            pieces = [next(octets) for _ in range(random.randrange(1, 6))]
            group.create_task(one(pieces, random.choice(["", STRANGER])))


async def chat_until(attackers: asyncio.Task[None], handset: Esme) -> int:
    """One chat after the other, each seen to arrive, and nothing else, until the attack is over; how many."""
    count = 0
    while not attackers.done():
        count += 1
        await accepted(handset, sms(ONE, f"12520{OTHER}", f"chat {count}"))
        assert await texts(handset, 1) == [(OTHER, f"chat {count}")]
    return count


def memory(gateway: Served) -> int:
    """KiB of the process that are in memory; 0 where the system does not tell."""
    status = Path(f"/proc/{gateway.process.pid}/status")
    if not status.exists():
        return 0
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmRSS" in line)


def binds_left(gateway: Served) -> int:
    """How many binds were accepted and have not ended."""
    told = events(gateway.log)
    return told.count("bind.accepted") - told.count("bind.closed")


async def test_mutated_pdus(tmp_path: Path) -> None:
    """Hundreds of connections send mutated PDUs, bound and unbound: a healthy bind chats on, undisturbed and
    in order; memory is bounded, nothing is raised, and the process stops as ever."""
    async with serving(with_strangers(tmp_path)) as gateway:
        async with await bind(gateway.port, address_range="1391111*") as handset:
            for request in (
                sms(ONE, "161", "KTFX"),
                sms(OTHER, "161", "KTFX"),
                sms(ONE, "161", f"HY#{OTHER}"),
                sms(OTHER, "161", "是", 8),
            ):
                await accepted(handset, request)
            await texts(handset, 6)
            before = memory(gateway)
            attackers = asyncio.create_task(attack(gateway))
            assert await chat_until(attackers, handset) > 10
            await attackers
            assert memory(gateway) - before < GROWTH_KIB
            assert handset.lost_because is None
        await until(lambda: binds_left(gateway) == 0, "the last bind to end")
        assert await gateway.stop() == 0
    assert quiet(gateway)
    assert {"pdu.refused", "pdu.noted"} <= set(events(gateway.log)), "the attack reached nothing"
