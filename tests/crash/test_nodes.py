"""Two nodes on one PostgreSQL under load, of which one is killed, cut off, stopped: every acknowledged SMS is
executed exactly once, every reply arrives, and the other node takes over within 10 s."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGINT

import pytest

from gateway.testing import BadLink
from tests.conftest import Report
from tests.crash.evidence import read_store
from tests.crash.load import Load
from tests.crash.nodes import Node, Pair
from tests.crash.test_kill import SEED
from tests.postgresql import PASSWORD, Server, missing, shared, url_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())

SHORT_LEASE = 3
LEASE = 7
TAKEN_WITHIN = 10.0
"""Seconds from the end of a node to the last answer to what it left unanswered."""
BETWEEN = 300
"""Acknowledgements between two faults."""
ROUNDS = 4
RUNNER = (sys.executable, "-m", "tests.crash.node_runner")


@asynccontextmanager
async def pair(folder: Path, lease: int, rounds: int, **more: object) -> AsyncIterator[Pair]:
    """Two nodes under load, and in the end the verdict."""
    url = str(more.pop("beside", "")) or url_of(folder)
    urls = more.pop("urls", (url, url))
    both = Pair(folder, urls, url, Load(SEED, rounds, 2), lease, **more)  # type: ignore[arg-type]
    try:
        await both.start()
        yield both
    finally:
        await both.end()


async def finish(both: Pair, report: Report) -> list[str]:
    """Drain, stop and compare. Returns what is wrong."""
    await both.drain()
    await both.centre.close()
    for node in both.nodes:
        assert await node.stop() == 0
        assert PASSWORD not in node.log.read_text("utf-8")
    ledger = both.ledger
    wrong = both.ledger.verdict(read_store(both.evidence))
    repeated = sum(node.count("sms.duplicate") for node in both.nodes)
    taken = [line for node in both.nodes for line in node.said("node.taken_over")]
    report(
        f"{len(ledger.messages)} messages, {ledger.faults_so_far} faults,"
        f" {len(ledger.resent)} sent again at the other node, {repeated} of them recognised,"
        f" {both.centre.refused} refused for a while;"
        f" {sum(line['sms'] for line in taken)} replies taken over, {ledger.figures.repeats} arrived again;"
        f" answered after {[round(each, 1) for each in both.took]} s"
    )
    return wrong


async def kill(both: Pair, node: Node, *, inside: bool = False, again: bool = True) -> None:
    """End a node under load; the other one answers what it left; then it is started again.

    inside: it dies between COMMIT and the answers, else by kill -9 from outside.
    """
    link = both.centre.links[node.name]
    await both.centre.until(lambda: len(link.unanswered) > 20)
    both.fault()
    lost = len(both.ledger.resent)
    if inside:
        await both.centre.while_waiting(node.die())
    else:
        await node.kill()
    since = time.monotonic()
    await both.centre.until(lambda: not link.up)
    await both.answered_elsewhere(both.ledger.resent[lost:], since)
    if again:
        await node.start()
        await both.all_up()


async def roll(both: Pair, node: Node) -> None:
    """A restart in order."""
    both.fault()
    link = both.centre.links[node.name]
    left, since = [*link.unanswered.values()], time.monotonic()
    assert await node.stop() == 0
    await both.answered_elsewhere(left, since)
    await node.start()
    await both.all_up()


async def cut_off(
    both: Pair, node: Node, other: Node, link: BadLink, lease: int, *, fenced: bool = True
) -> None:
    """No octet passes between a node and the server for longer than the lease. Meanwhile the centre takes
    nothing from it, so that it always has something to send."""
    bind = both.centre.links[node.name]
    before, begun = len(other.said("node.taken_over")), len(node.said("gateway.starting"))
    await both.centre.until(lambda: len(bind.unanswered) > 20)
    both.fault()
    bind.refuses = True
    left, since = [*bind.unanswered.values()], time.monotonic()
    link.stall()
    both.load.chatting = False  # the node comes back by itself, not in a race for customers
    await both.centre.until(lambda: len(other.said("node.taken_over")) > before)
    await both.centre.until(lambda: time.monotonic() > since + 2 * lease)
    link.resume()
    bind.refuses = False
    try:
        await both.centre.until(lambda: all(message.message_id for message in left))
    except TimeoutError:
        open_ones = [each.order for each in left if not each.message_id]
        where = {
            name: (each.up, len(each.queue), len(each.unanswered), sorted(each.unanswered)[:5])
            for name, each in both.centre.links.items()
        }
        raise AssertionError(f"unanswered: {len(open_ones)} {open_ones[:5]}, {where}") from None
    both.took.append(time.monotonic() - since)
    if fenced:
        await both.centre.until(lambda: len(node.said("gateway.starting")) > begun)


async def test_two_nodes(tmp_path: Path, report: Report) -> None:
    """One dies between COMMIT and its answers: the other one recognises what comes again, and goes on."""
    async with pair(tmp_path, SHORT_LEASE, 1, command=(*RUNNER, "honest")) as both:
        one, other = both.nodes
        both.load.begin_round(0)
        await both.go_on(BETWEEN)
        await kill(both, one, inside=True, again=False)
        await both.go_on(BETWEEN)
        assert await finish(both, report) == []
        assert both.took[0] < TAKEN_WITHIN
        assert other.said("node.taken_over")
        assert other.count("sms.duplicate") > 0


@pytest.mark.long
async def test_everything_that_happens_to_nodes(tmp_path: Path, report: Report) -> None:
    """Kills, a restart of the server, a node cut off for longer than its lease, a rolling restart."""
    server = Server()
    server.start()
    try:
        url = server.url()
        async with BadLink("127.0.0.1", server.port) as link:
            urls = url.replace(str(server.port), str(link.port)), url
            async with pair(
                tmp_path, LEASE, ROUNDS + 4, beside=url, urls=urls, command=(*RUNNER, "honest")
            ) as both:
                one, other = both.nodes
                for number in range(ROUNDS):
                    both.load.begin_round(number)
                    await both.go_on(BETWEEN)
                    await kill(both, both.nodes[number % 2], inside=number % 4 < 2)
                both.load.begin_round(ROUNDS)
                both.fault()
                await asyncio.to_thread(server.stop, SIGINT)
                await asyncio.to_thread(server.start)
                await both.go_on(BETWEEN)
                both.load.begin_round(ROUNDS + 1)
                await cut_off(both, one, other, link, LEASE)
                both.check_late(one, other)
                assert one.said("node.fenced")
                await both.all_up()
                for node in both.nodes:
                    both.load.begin_round(ROUNDS + 2 + both.nodes.index(node))
                    await both.go_on(BETWEEN)
                    await roll(both, node)
                assert await finish(both, report) == []
                assert max(both.took[:ROUNDS]) < TAKEN_WITHIN
    finally:
        server.remove()


@pytest.mark.long
async def test_the_same_customers_at_both_nodes(tmp_path: Path, report: Report) -> None:
    """Where the two handsets of each pair write through different nodes, all commits meet: none is lost, and
    nobody is refused."""
    async with pair(tmp_path, LEASE, 1) as both:
        both.centre.apart = False
        both.load.begin_round(0)
        since, before = time.monotonic(), both.centre.acknowledged
        await both.go_on(10 * BETWEEN)
        rate = (both.centre.acknowledged - before) / (time.monotonic() - since)
        both.load.end()
        await both.drain()
        refused = both.centre.refused
        assert await finish(both, report) == []
        report(f"{rate:.0f} SMS/s where both nodes change the same {len(both.load.handsets)} customers")
        assert refused == 0
        assert not any(node.said("node.untrusted") for node in both.nodes)


@pytest.mark.long
async def test_a_look_up_that_is_off_is_found_out(tmp_path: Path, report: Report) -> None:
    """Where nobody looks for the SMS of other nodes, some are executed twice."""
    async with pair(tmp_path, SHORT_LEASE, 1, command=(*RUNNER, "blind")) as both:
        both.load.begin_round(0)
        await both.go_on(BETWEEN)
        await kill(both, both.nodes[0], inside=True, again=False)
        wrong = await finish(both, report)
        twice = [each for each in wrong if each.startswith("twice")]
        report(f"{len(twice)} twice, as expected")
        assert twice


@pytest.mark.long
async def test_leases_that_are_off_are_found_out(tmp_path: Path, report: Report) -> None:
    """Where a node trusts its lease for ever, and is not fenced, it goes on beside the one that took over."""
    url = url_of(tmp_path)
    async with BadLink("127.0.0.1", shared().port) as link:
        urls = url.replace(str(shared().port), str(link.port)), url
        async with pair(tmp_path, SHORT_LEASE, 2, urls=urls, command=(*RUNNER, "unfenced")) as both:
            one, other = both.nodes
            both.load.begin_round(0)
            await both.go_on(BETWEEN)
            await cut_off(both, one, other, link, SHORT_LEASE, fenced=False)
            both.check_late(one, other)
            assert not one.said("node.fenced")
            report(f"{both.ledger.late}, as expected")
            assert both.ledger.late
