"""Two gateways on one PostgreSQL, and what each does about the other. tests/crash has them under load."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from shutil import copy
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from gateway.app import Gateway
from gateway.cli.status import screen
from gateway.clock import SystemClock
from gateway.message import OPERATOR, message_id
from gateway.operations.control import CommandRefused
from gateway.operations.operators import Operators
from gateway.processing.operator_bind import Action
from gateway.simulator.errors import BindRefusedError
from gateway.storage.contract import StoreFault
from gateway.storage.engines import open_reader
from gateway.storage.nodes import Equal, Fenced, TakenOver
from gateway.storage.postgresql.store import PostgresStore
from tests.ports import free_port
from tests.postgresql import missing, schema_of, shared, url_of
from tests.proofs.served import accepted, bind, events, inside, lines, serving, sms, until, write_config
from tests.support import ALICE, BOB, part_of_many

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

ACCOUNT = {"system_id": "smsc", "password": "fetion16"}


def node(
    folder: Path, name: str, *, account: dict[str, Any] | None = None, port: int = 0, **more: Any
) -> Path:
    """The configuration of a node. All have one store and one key."""
    key = folder / "key" / "fetion.key"
    place = folder / name
    if key.exists():
        place.mkdir(exist_ok=True)
        copy(key, place / "fetion.key")
    return write_config(
        place,
        **{"node": {"name": name, "lease": 3}, **more},
        storage={"url": url_of(folder), "key_file": str(place / "fetion.key")},
        smpp={"accounts": [{**ACCOUNT, **(account or {})}], "listen": {"port": port}},
    )


@asynccontextmanager
async def two(folder: Path, **account: Any) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """East and west, which know of one another."""
    async with AsyncExitStack() as stack:
        east = await stack.enter_async_context(inside(node(folder, "east", account=account)))
        (folder / "key").mkdir()
        copy(folder / "east" / "fetion.key", folder / "key")
        west = await stack.enter_async_context(inside(node(folder, "west", account=account)))
        logs = [folder / name / "gateway.log" for name in ("east", "west")]
        await until(lambda: all("node.joined" in events(log) for log in logs), "the other node")
        yield east, west


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM node%'"


async def test_a_start_leaves_the_loop_to_others(tmp_path: Path) -> None:
    """Another gateway in the same loop may be about to release the rows that the start waits for."""
    server, schema = shared(), schema_of(tmp_path)
    async with inside(node(tmp_path, "east")):
        (tmp_path / "key").mkdir()
        copy(tmp_path / "east" / "fetion.key", tmp_path / "key")
        with psycopg.connect(server.url(schema)) as other:
            other.execute("SELECT FROM node FOR UPDATE")

            async def start() -> None:
                async with inside(node(tmp_path, "west")):
                    pass

            west = asyncio.create_task(start())
            await until(lambda: server.execute(_WAITING)[0][0] or west.done(), "the start to wait")
            other.rollback()
            await west


async def test_a_reply_leaves_at_the_node_whose_receiver_asks_for_it(tmp_path: Path) -> None:
    """Alice asks for Bob at one node; the question leaves at the other one, within a second or so."""
    async with two(tmp_path) as (east, west):
        here, there = await bind(east.port), await bind(west.port, "receiver", BOB)
        for each in (ALICE, BOB):
            await accepted(here, sms(each, "161", "KTFX"))
        await until(lambda: here.inbox.qsize() == 2, "the answers")
        await until(
            lambda: east._nodes is not None and east._nodes.placement.elsewhere("smsc", BOB), "a look"
        )
        await accepted(here, sms(ALICE, "12520", f"HY#{BOB}"))
        await until(there.inbox.qsize, "the SMS at the other node")
        await here.close()
        await there.close()


async def test_a_clock_that_is_wrong_is_told_of(tmp_path: Path) -> None:
    """By how much, and when it is right again; looked at once a minute."""

    class Wrong(SystemClock):
        ahead_ms, passed_s = -90_000, 0.0

        def now_ms(self) -> int:
            return super().now_ms() + self.ahead_ms

        def monotonic(self) -> float:
            return super().monotonic() + self.passed_s

    log, clock = tmp_path / "east" / "gateway.log", Wrong()
    async with inside(node(tmp_path, "east"), clock=clock):
        await until(lambda: "node.clock_differs" in events(log), "the line")
        [line] = [each for each in lines(log) if each["event"] == "node.clock_differs"]
        assert -92 < line["seconds"] < -88
        clock.ahead_ms, clock.passed_s = 0, 61.0
        await until(lambda: "node.clock_agrees" in events(log), "the line")


async def test_what_waits_is_given_to_a_node_with_a_receiver(tmp_path: Path) -> None:
    """The only receiver here goes, and one comes there."""
    async with two(tmp_path) as (east, west):
        sender = await bind(east.port, "transmitter")
        await accepted(sender, sms(ALICE, "161", "KTFX"))
        await until(lambda: east.outbox.depth == 1, "a reply that waits")
        there = await bind(west.port, "receiver")
        await until(there.inbox.qsize, "the reply at the other node")
        assert east.outbox.depth == 0
        await sender.close()
        await there.close()


async def test_what_nodes_left_is_taken_over_by_a_gateway_without_a_name(tmp_path: Path) -> None:
    """It has their store alone: nobody else would send it."""
    async with inside(node(tmp_path, "east")) as east:
        sender = await bind(east.port, "transmitter")
        await accepted(sender, sms(ALICE, "161", "KTFX"))
        await accepted(sender, part_of_many(7, 2, 1, b"CX"))
        await until(lambda: east.outbox.depth == 1, "a reply that waits")
        await sender.close()
    key = str(tmp_path / "east" / "fetion.key")
    alone = write_config(tmp_path / "alone", storage={"url": url_of(tmp_path), "key_file": key})
    async with inside(alone) as gateway:
        esme = await bind(gateway.port)
        await until(esme.inbox.qsize, "the reply")
        await accepted(esme, part_of_many(7, 2, 2, b"FX"))
        await until(lambda: esme.inbox.qsize() == 2, "the answer to a message of which it got a half")
        await esme.close()


async def test_parts_are_joined_though_the_takeover_was_not_heard_of(tmp_path: Path) -> None:
    """The server has stored it, and the connection was lost: the next look reads the parts all the same."""
    unheard: list[TakenOver] = []

    class Unheard(PostgresStore):
        async def take_over(self, until: int, limit: int) -> list[TakenOver]:
            taken = await super().take_over(until, limit)
            if taken and not unheard:
                unheard.extend(taken)
                raise StoreFault("the connection is lost")
            return taken

    async with inside(node(tmp_path, "east")) as east:
        sender = await bind(east.port, "transmitter")
        await accepted(sender, part_of_many(7, 2, 1, b"KT"))
        await sender.close()
    (tmp_path / "key").mkdir()
    copy(tmp_path / "east" / "fetion.key", tmp_path / "key")
    async with inside(node(tmp_path, "west"), open_store=Unheard.open) as west:
        await until(lambda: west._reassembly.numbers(), "the part")
        assert unheard[0].parts == 1
        esme = await bind(west.port)
        await accepted(esme, part_of_many(7, 2, 2, b"FX"))
        await until(esme.inbox.qsize, "the answer")
        await esme.close()


async def test_an_account_binds_at_its_nodes_only(tmp_path: Path) -> None:
    """Elsewhere: RBINDFAIL, and the log names the nodes."""
    async with two(tmp_path, nodes=["east"]) as (east, west):
        await (await bind(east.port)).close()
        with pytest.raises(BindRefusedError, match="ESME_RBINDFAIL"):
            await bind(west.port)
        log = tmp_path / "west" / "gateway.log"
        await until(lambda: "bind.refused" in events(log), "the line")
        [line] = [each for each in lines(log) if each["event"] == "bind.refused"]
        assert line["reason"] == "the account binds at east only: this is west"


async def test_the_end_of_a_session_that_is_heard_of_late(tmp_path: Path) -> None:
    """The resend is at the other node before it, and the first node commits for others all the time: still it
    is recognised."""
    looks: list[int] = []

    class Looking(PostgresStore):
        async def answered(self, digests: Sequence[bytes]) -> list[Equal]:
            looks.append(len(digests))
            return await super().answered(digests)

    async with inside(node(tmp_path, "east")) as east:
        (tmp_path / "key").mkdir()
        copy(tmp_path / "east" / "fetion.key", tmp_path / "key")
        async with inside(node(tmp_path, "west"), open_store=Looking.open) as west:
            first, others, second = [await bind(port) for port in (east.port, east.port, west.port)]
            number = await accepted(first, sms(ALICE, "161", "KTFX"))
            again = asyncio.create_task(accepted(second, sms(ALICE, "161", "KTFX")))
            await until(lambda: west.queue.held_handsets, "the resend, held")
            for _ in range(3):
                await accepted(others, sms(BOB, "161", "BZ"))
            seen = len(looks)
            await until(lambda: again.done() or len(looks) >= seen + 2, "two looks")
            await first.abort()
            assert await again == number
            await others.close()
            await second.close()


async def test_operators_are_told_whose_an_sms_is(tmp_path: Path) -> None:
    """A parked SMS of another live node is not touched; `status` has a line for each node."""
    async with two(tmp_path) as (east, west):
        sender = await bind(east.port, "transmitter")
        await accepted(sender, sms(ALICE, "161", "KTFX"))
        await until(lambda: east.outbox.depth == 1, "a reply that waits")
        shared().execute("UPDATE outbox SET state = 4", schema_of(tmp_path))
        [(number,)] = shared().execute("SELECT number FROM outbox", schema_of(tmp_path))
        assert west._nodes is not None
        operators = Operators(
            west.store,
            west.outbox,
            west.binds,
            west._clock,
            west._recovery.readable,
            west._changes.until,
            west._nodes.owner_of,
        )
        with pytest.raises(CommandRefused, match="belongs to node east: use the command with its config"):
            await operators.drop(message_id(number))
        shared().execute("UPDATE outbox SET node = 9", schema_of(tmp_path))
        with pytest.raises(CommandRefused, match="belongs to node 9"):  # not known yet, or dead
            await operators.retry(message_id(number))
        nodes = west._nodes.report()
        assert [(each["name"], each["this"], each["live"]) for each in nodes] == [
            ("east", False, True),
            ("west", True, True),
        ]
        await sender.close()


async def test_a_node_that_lost_its_work_begins_anew(tmp_path: Path) -> None:
    """Fenced: its sessions end unanswered; the same process listens again, and SIGTERM still ends it."""
    port = free_port()
    async with serving(node(tmp_path, "east", port=port)) as served:
        peer = await bind(served.port)
        await accepted(peer, sms(ALICE, "161", "KTFX"))
        shared().execute("UPDATE node SET holder = ''", schema_of(tmp_path))
        await until(lambda: events(served.log).count("gateway.ready") == 2, "another start")
        said = events(served.log)
        assert said.index("node.fenced") < said.index("gateway.starting", said.index("node.fenced"))
        again = await bind(port)
        await accepted(again, sms(ALICE, "161", "CXFX"))
        await again.close()
        assert await served.stop() == 0
        assert events(served.log)[-1] == "gateway.stopped"


async def test_a_fenced_node_keeps_its_tables(tmp_path: Path) -> None:
    """It begins anew while somebody edits them: it neither ends for a half edited file nor uses one for which
    nobody has asked."""
    (tmp_path / "tables").mkdir()
    async with serving(node(tmp_path, "east", tables={"folder": str(tmp_path / "tables")})) as served:
        (tmp_path / "tables" / "tariffs.yaml").write_text("uplink:\n", "utf-8")
        shared().execute("UPDATE node SET holder = ''", schema_of(tmp_path))
        await until(lambda: events(served.log).count("gateway.ready") == 2, "another start")
        assert await served.stop() == 0
    loaded = [line["version"] for line in lines(served.log) if line["event"] == "tables.loaded"]
    assert (len(loaded), len(set(loaded))) == (2, 1)


async def test_a_fenced_node_waits_for_its_sensitive_words(tmp_path: Path) -> None:
    """A list that somebody is writing does not end it."""
    words = tmp_path / "words.txt"
    words.write_text("word\n", "utf-8")
    async with serving(node(tmp_path, "east", service={"sensitive_words": str(words)})) as served:
        words.write_text("x" * 99, "utf-8")
        shared().execute("UPDATE node SET holder = ''", schema_of(tmp_path))
        await until(lambda: "node.cannot_rejoin" in events(served.log), "the first attempt")
        words.write_text("word\n", "utf-8")
        await until(lambda: events(served.log).count("gateway.ready") == 2, "another start")
        assert await served.stop() == 0


async def test_a_node_that_cannot_come_back_yet_tries_again(tmp_path: Path) -> None:
    """Somebody else has its row meanwhile: it waits; SIGTERM ends it in order."""
    async with serving(node(tmp_path, "east")) as served:
        shared().execute(
            "UPDATE node SET holder = 'x', until = clock_timestamp() + interval '1 h'", schema_of(tmp_path)
        )
        await until(lambda: "node.cannot_rejoin" in events(served.log), "the first attempt")
        served.send(signal.SIGTERM)
        assert await served.ended() == 0


async def test_a_fenced_gateway_raises(tmp_path: Path) -> None:
    """In a process: whoever runs it hears of it, and nothing is stored any more."""

    async def run() -> None:
        async with inside(node(tmp_path, "east")) as gateway:
            shared().execute("UPDATE node SET holder = ''", schema_of(tmp_path))
            await gateway.failed()

    with pytest.raises(Fenced):
        await asyncio.wait_for(run(), 10)


def test_the_screen_has_a_line_for_each_node() -> None:
    """Name, number, lease, binds."""
    report = {
        "started_at": 0, "up_s": 1.0, "pid": 1, "version": "1", "tables": "a.b", "binds": {}, "events": {},
        "rates": {"in_per_s": 1.0, "out_per_s": 2.0, "over_s": 60.0}, "log": {"lost": 0},
        "outbox": {"depth": 3, "in_flight": 1, "parked": 0},
        "store": {"path": "x", "size": None, "free": None},
        "nodes": [
            {"name": "east", "number": 1, "this": True, "live": True, "lease_s": 6.2, "binds": 2},
            {"name": "west", "number": 2, "this": False, "live": False, "lease_s": 0.0, "binds": 0},
        ],
    }  # fmt: skip
    assert [line for name, line in screen(report, ZoneInfo("Asia/Shanghai")) if name == "node"] == [
        "east, number 1 (this one): live, 6 s left; 2 binds that receive",
        "west, number 2: not live; 0 binds that receive",
    ]


async def test_an_operators_action_happens_once_on_two_nodes(tmp_path: Path) -> None:
    """The same requests at both at the same time: each is one row, one SMS, and one answer for both.

    What changes a customer meets the other node as Stale; what is refused changes nothing and meets it as a
    Conflict.
    """
    async with two(tmp_path) as (east, west):
        for action in ("open", "resend_notice", "unlock", "suspend"):
            both = [
                node.actions.act(Action(f"{action}-{place}", "li", action, ALICE, "called"))
                for place in range(6)
                for node in (east, west)
            ]
            done = await asyncio.gather(*both)
            numbers = [each.number for each in done]
            assert numbers[::2] == numbers[1::2]
            assert [done[place].again + done[place + 1].again for place in range(0, 12, 2)] == [1] * 6
    with closing(open_reader(url_of(tmp_path))) as reader:
        rows = [row for row in reader.journal() if row.account == OPERATOR]
        sent = [sms.cause for sms in reader.waiting(100)]
    assert Counter(row.outcome for row in rows) == {"done": 8, "refused": 16}
    assert len(rows) == len({row.number for row in rows}) == 24
    assert sorted(sent) == sorted(row.number for row in rows if row.outcome == "done")
