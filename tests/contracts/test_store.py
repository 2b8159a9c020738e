"""One suite for every Store; one that is not in ENGINES fails a test."""

import re
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path

import pytest

from commands.model import Buddy, Customer, CustomerState, LoadKeys, Order, Question, Reach, Sent, World
from gateway.message import (
    Certain,
    Commit,
    CompletePart,
    Delivery,
    Doubted,
    MobileTerminated,
    PartHeader,
    Retransmission,
    StoredPart,
    Uncertain,
    Watermark,
)
from gateway.storage.contract import Conflict, Store, StoreFull, StoreInUse, StoreUnusable
from gateway.storage.nodes import SharedStore
from tests.contracts.engines import ENGINES, Engine, classes_with, durable, opening, put
from tests.support import ALICE, BOB, SESSIONS, START_MS, leaving, received

LATER = START_MS + 1000


def everything(session: int = SESSIONS + 1) -> Commit:
    """A commit with something of each kind."""
    return Commit(
        messages=[received(1, session=session, digest=b"one")],
        customers=[Customer(ALICE, CustomerState.OPEN, "400000001"), Customer(BOB)],
        buddies={(ALICE, BOB): Buddy(ALICE, BOB, "bob", START_MS)},
        outgoing=[leaving(2)],
        parts=[part(3)],
        uncertain=[Uncertain(session, 1, 1, START_MS + 10)],
        settled=Watermark(1, START_MS),
    )


def part(number: int) -> StoredPart:
    """A part that waits."""
    header = PartHeader("udh8", 7, 3, 2)
    return StoredPart(
        number,
        "smsc",
        f"86{ALICE}",
        "161",
        header,
        8,
        b"\0\xff\x80",
        START_MS + 1000,
        ALICE,
        1,
        2,
        START_MS,
        b"d",
    )


async def holds_nothing(store: Store) -> bool:
    """Whether nothing of everything() is there."""
    world = World()
    await store.load(LoadKeys({ALICE, BOB}, {"400000001"}, {(ALICE, BOB)}), world)
    found = [*world.customers.values(), *world.holders.values(), *world.buddies.values()]
    return not (
        any(found)
        or await store.recent(0, 10)
        or await store.waiting(0, 10)
        or await store.parts()
        or (await store.expect(10)).candidates
        or await store.settled() != (0, 0)
    )


def fields(sms: MobileTerminated) -> dict[str, object]:
    """Everything that a row keeps."""
    names = (
        "number cause msisdn account source destination ton npi text at expires_at secret sealed reference"
    )
    return {name: getattr(sms, name) for name in names.split()}


def test_every_store_is_in_the_list() -> None:
    """No class that writes commits is left out of this suite."""
    assert classes_with("forget_candidates") - {Store, SharedStore} == {
        make().made_by for make in ENGINES.values()
    }


async def test_a_new_store_is_empty(store: Store) -> None:
    """A store that did not exist is made, without anything in it, and this is its first run."""
    assert store.run == 1
    assert await holds_nothing(store)


async def test_runs_are_counted(engine: Engine, tmp_path: Path) -> None:
    """Every opening has a number of its own, so that message numbers never come twice."""
    runs = []
    for _ in range(3):
        async with opening(engine, tmp_path) as opened:
            runs.append(opened.run)
    assert runs == [1, 2, 3]


async def test_a_commit_is_there_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    """Journal, customers, buddies, outbox, parts, uncertain ranges and the watermark come back."""
    commit = everything()
    async with opening(engine, tmp_path) as opened:
        await put(opened, commit)
    async with opening(engine, tmp_path) as again:
        world = World()
        await again.load(
            LoadKeys({ALICE, BOB, "13700137000"}, {"400000001", "400000002"}, {(ALICE, BOB)}), world
        )
        assert world.customers == {
            ALICE: Customer(ALICE, CustomerState.OPEN, "400000001"),
            BOB: Customer(BOB),
            "13700137000": None,
        }
        assert world.holders == {"400000001": ALICE, "400000002": None}
        assert world.buddies == {(ALICE, BOB): Buddy(ALICE, BOB, "bob", START_MS)}
        assert [row[1] for row in await again.recent(0, 10)] == [ALICE]
        assert [fields(sms) for sms in await again.waiting(0, 10)] == [fields(sms) for sms in commit.outgoing]
        assert await again.parts() == commit.parts
        assert (await again.expect(10)).candidates == 1
        assert await again.candidates([b"one"], START_MS) == [(b"one", 1)]
        assert await again.settled() == (1, START_MS)


async def test_a_customer_comes_back_whole(store: Store) -> None:
    """Every field of a customer survives, and a later commit replaces all of them."""
    question = Question(42, "buddy.add", "12520", BOB, "小爱", 1, 2, "yes")
    customer = Customer(
        ALICE,
        CustomerState.OPEN,
        "400000001",
        opened_at=5,
        hides_mobile=True,
        nickname="昵称",
        password="$argon2id$hash",
        buddies=3,
        last_serial=42,
        questions=(question,),
        reach=Reach("smsc", "8613800138000", 1, 1),
        protected=True,
        refuse_until=7,
        mood="爬山",
        sex="f",
        born=1980,
        orders=(Order("IIC", 5), Order("MCHAT", 6, 7, first=False)),
        sent=Sent(732_000, 3, 24_086, 30),
        invited=((BOB, 8),),
        helped=(("help", 9), ("suggestion KTFX", 10)),
        hinted=True,
        listed_until=11,
        version=12,
    )
    usual = Customer(ALICE)
    assert [
        each.name for each in fields_of(Customer) if getattr(customer, each.name) == getattr(usual, each.name)
    ] == ["msisdn"]
    for each in (customer, usual):
        await put(store, Commit(messages=[received(each.opened_at + 1)], customers=[each]))
        world = World()
        await store.load(LoadKeys({ALICE}), world)
        assert world.customers[ALICE] == each


async def test_a_buddy_can_be_removed(store: Store) -> None:
    """None in place of a buddy ends the relation, in its own direction only."""
    both = {
        (ALICE, BOB): Buddy(ALICE, BOB, "b", 1),
        (BOB, ALICE): Buddy(BOB, ALICE, "a", 0, blocked=True, matched_at=5),
    }
    await put(store, Commit(messages=[received(1)], buddies=both))
    await put(store, Commit(messages=[received(2)], buddies={(ALICE, BOB): None}))
    world = World()
    await store.load(LoadKeys(buddies=set(both)), world)
    assert world.buddies == {(ALICE, BOB): None, (BOB, ALICE): both[(BOB, ALICE)]}


async def test_partners_begin_anywhere(store: Store) -> None:
    """Customers with matching are given from any place on, each once; ended orders and others are not."""
    assert await store.matching(0.5, 3) == []
    mobiles = [f"1380013800{digit}" for digit in range(5)]
    ordered, ended = (Order("MCHAT", START_MS),), (Order("MCHAT", START_MS, START_MS + 1),)
    with_it = [Customer(each, CustomerState.OPEN, f"40000000{each[-1]}", orders=ordered) for each in mobiles]
    without = [
        Customer("13800138007", orders=ended),
        Customer("13800137000", CustomerState.OPEN, "400000009"),
    ]
    await put(store, Commit(customers=[*with_it, *without]))
    assert await store.matching(0.0, 2) == mobiles[:2]
    assert await store.matching(1.0, 3) == [mobiles[4], *mobiles[:2]]
    for place in (0.0, 0.3, 0.5, 0.99, 1.0):
        assert sorted(await store.matching(place, 9)) == mobiles


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda commit: [*commit.customers, Customer(BOB, CustomerState.OPEN, "400000001")],
            id="Fetion number",
        ),
        pytest.param(lambda commit: commit.messages.append(received(1)), id="journal number"),
        pytest.param(lambda commit: commit.outgoing.append(leaving(2)), id="outbox number"),
        pytest.param(lambda commit: commit.parts.append(part(3)), id="part number"),
    ],
)
async def test_a_broken_rule_is_a_conflict(store: Store, spoil: Callable[[Commit], object]) -> None:
    """A Fetion number with two holders and a number given twice raise Conflict; nothing of the batch is
    stored, and the next batch is as if it had never been."""
    commit = everything()
    changed = spoil(commit)
    if isinstance(changed, list):
        commit.customers = changed
    with pytest.raises(Conflict):
        await store.commit(commit)
    assert await holds_nothing(store)
    await put(store, everything())
    assert await store.settled() == (1, START_MS)


async def test_what_is_stored_already_is_a_conflict(store: Store) -> None:
    """The same rules hold between a batch and what is in the store: it stays as it was."""
    await put(store, everything())
    for commit in (
        Commit(messages=[received(1)]),
        Commit(outgoing=[leaving(2)]),
        Commit(parts=[part(3)]),
        Commit(customers=[Customer(BOB, CustomerState.OPEN, "400000001")]),
    ):
        commit.settled = Watermark(9, 9)
        with pytest.raises(Conflict):
            await put(store, commit)
    assert await store.settled() == Watermark(1, START_MS)
    assert len(await store.parts()) == len(await store.waiting(0, 10)) == 1


async def test_a_number_is_free_again(store: Store) -> None:
    """A Fetion number that its holder gives back can be given to somebody else, in the same commit too."""
    await put(store, Commit(customers=[Customer(ALICE, CustomerState.OPEN, "400000001")]))
    both = [Customer(ALICE, CustomerState.CLOSED), Customer(BOB, CustomerState.OPEN, "400000001")]
    await put(store, Commit(customers=both))
    world = World()
    await store.load(LoadKeys(holders={"400000001"}), world)
    assert world.holders == {"400000001": BOB}


async def test_what_is_stored_is_no_longer_the_callers(store: Store) -> None:
    """Changing what was committed, or what a call gave, changes nothing in the store."""
    customer, sms, waits = Customer(ALICE), leaving(2), part(3)
    await put(store, Commit(customers=[customer], outgoing=[sms], parts=[waits]))
    for _ in range(2):
        customer.nickname, sms.text, waits.octets = "other", "other", b"other"
        world = World()
        await store.load(LoadKeys({ALICE}), world)
        loaded, [sms], [waits] = world.customers[ALICE], await store.waiting(0, 10), await store.parts()
        assert loaded is not None
        assert (loaded.nickname, sms.text, waits.octets) == ("", "text", part(3).octets)
        customer = loaded


async def test_what_is_not_there_cannot_change(store: Store) -> None:
    """A commit about SMS and parts that the store does not have is taken, and has no effect."""
    nowhere = [leaving(7)]
    commit = Commit(
        changed=nowhere,
        closed=nowhere,
        parts_gone=[7],
        parts_complete=[CompletePart(LATER, 7)],
        repeats=[Retransmission(7, SESSIONS + 1, START_MS)],
        doubted=[Doubted(LATER, 7)],
        certain=[Certain(SESSIONS + 1, 1, 9)],
    )
    await put(store, commit)
    assert await holds_nothing(store)
    assert await store.parked(7) is None


async def test_a_list_has_every_buddy(store: Store) -> None:
    """The list of an owner has all that he keeps about others, by their mobiles, and nothing of theirs."""
    others = ["13900139000", "13700137000", "13800138001"]
    mine = {(ALICE, other): Buddy(ALICE, other, "b", START_MS) for other in others}
    await put(store, Commit(buddies={**mine, (BOB, ALICE): Buddy(BOB, ALICE, "a", START_MS)}))
    world = World()
    await store.load(LoadKeys(lists={ALICE, "13600136000"}), world)
    assert world.lists == {ALICE: tuple(mine[(ALICE, other)] for other in sorted(others)), "13600136000": ()}


async def test_a_full_store_keeps_nothing_of_a_batch(engine: Engine, store: Store) -> None:
    """Without room StoreFull is raised and nothing is written; with room the same batch is taken."""
    commit = everything()
    commit.outgoing += [leaving(number, text="x" * 140) for number in range(100, 1000)]
    engine.fill(store)
    with pytest.raises(StoreFull, match="make room"):
        await put(store, commit)
    assert await holds_nothing(store)
    engine.make_room(store)
    await put(store, commit)
    assert len(await store.waiting(0, 2000)) == 901


async def test_waiting_sms_come_in_order_and_in_pieces(store: Store) -> None:
    """Waiting SMS come by number, from behind a number and so many at once, marked as repeats."""
    await put(store, Commit(outgoing=[leaving(number) for number in (5, 3, 9, 7)]))
    assert [sms.number for sms in await store.waiting(0, 10)] == [3, 5, 7, 9]
    assert [sms.number for sms in await store.waiting(3, 2)] == [5, 7]
    assert all(sms.repeat and sms.state is Delivery.WAITING for sms in await store.waiting(0, 10))


async def test_what_changed_comes_back(store: Store) -> None:
    """How often an SMS left, what counts against it and which parts were acknowledged are kept, in the park
    and out of it."""
    sms = leaving(1, text="x" * 400)
    sms.parts = 3
    await put(store, Commit(outgoing=[sms]))
    sms.parts_done, sms.attempts, sms.losses, sms.error = 2, 4, 1, "ESME_RMSGQFUL"
    await put(store, Commit(changed=[sms]))
    [waiting] = await store.waiting(0, 10)
    sms.state = Delivery.PARKED
    await put(store, Commit(changed=[sms]))
    parked = await store.parked(1)
    assert parked is not None
    for found in (waiting, parked):
        assert (found.parts, found.parts_done, found.attempts, found.losses) == (3, 2, 4, 1)


async def test_an_sms_that_was_cut_anew_on_its_way(store: Store) -> None:
    """Acknowledged parts are of the cut that the store names: after a start those of another do not count."""
    sms = leaving(1, text="x" * 400)
    sms.parts = 3
    await put(store, Commit(outgoing=[sms]))
    sms.parts, sms.parts_done = 4, 2
    await put(store, Commit(changed=[sms]))
    [waiting] = await store.waiting(0, 10)
    assert (waiting.parts, waiting.parts_done) == (4, 2)


async def test_a_closed_sms_waits_no_more(store: Store) -> None:
    """SMS that were sent, failed or expired do not come back."""
    outgoing = [leaving(number) for number in (1, 2, 3, 4)]
    await put(store, Commit(outgoing=outgoing))
    for sms, state in zip(outgoing[:3], (Delivery.SENT, Delivery.FAILED, Delivery.EXPIRED), strict=True):
        sms.state = state
    await put(store, Commit(closed=outgoing[:3]))
    assert [sms.number for sms in await store.waiting(0, 10)] == [4]


def modes_in(folder: Path) -> dict[str, int]:
    """Who may use its files."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def test_a_secret_is_kept_sealed(engine: Engine, tmp_path: Path) -> None:
    """Of a secret SMS the sealed form is kept and comes back, never the text; once closed, neither is."""
    secret = leaving(1, text="your password is hunter77")
    secret.secret, secret.sealed = True, b"sealed octets"
    async with opening(engine, tmp_path) as opened:
        await put(opened, Commit(outgoing=[secret]))
        [found] = await opened.waiting(0, 10)
        assert (found.secret, found.sealed, found.text) == (True, b"sealed octets", "")
        secret.state = Delivery.SENT
        await put(opened, Commit(closed=[secret]))
    async with opening(engine, tmp_path):
        assert b"hunter77" not in engine.octets(tmp_path)
    assert engine.kept(tmp_path, 1) is None


async def test_parts_come_and_go(store: Store) -> None:
    """Parts are kept until a commit names them as gone, their own commit too."""
    await put(store, Commit(parts=[part(3), part(4)]))
    await put(store, Commit(parts=[part(5), part(6)], parts_gone=[3, 5]))
    assert await store.parts() == [part(4), part(6)]


async def test_a_complete_message_leaves_its_digests(store: Store) -> None:
    """Of a message that is complete the parts stay for a while without their octets."""
    await put(store, Commit(parts=[part(3), part(4)]))
    await put(store, Commit(parts_complete=[CompletePart(LATER + 9, 3)]))
    [complete, waits] = await store.parts()
    assert waits == part(4)
    assert complete == replace(part(3), octets=b"", deadline=LATER + 9, complete=True)


async def test_what_was_handled_lately(store: Store) -> None:
    """recent: in order, from a moment on, the last so many; what was limited says so, parts are left out."""
    rows = [received(SESSIONS + number, digest=b"%d" % number, at=START_MS + number) for number in range(6)]
    rows[2] = rows[2]._replace(detail={"replies": ["service.opened", "other"]})
    rows[3] = rows[3]._replace(outcome="limited", detail={"replies": ["overused"]})
    rows[4] = rows[4]._replace(instruction="")
    await put(store, Commit(messages=rows))
    found = [(START_MS + at, ALICE, "KTFX", "161", told) for at, told in ((1, ""), (2, "service.opened"))]
    found += [(START_MS + 5, ALICE, "KTFX", "161", "")]
    limited = (START_MS + 3, ALICE, "KTFX", "161", None)
    assert await store.recent(START_MS + 1, 100) == [*found[:2], limited, found[2]]
    assert await store.recent(START_MS + 1, 2) == [limited, found[2]]
    assert await store.recent(START_MS + 6, 100) == []


async def test_the_watermark_is_the_last_one_written(store: Store) -> None:
    """The watermark of certain answers is replaced as a pair."""
    for settled in (Watermark(5, 50), Watermark(9, 90)):
        await put(store, Commit(settled=settled))
        assert await store.settled() == settled


async def test_every_run_is_another_one(engine: Engine, tmp_path: Path) -> None:
    """A run that is drawn while the store is open is not drawn again, by this process or a later one."""
    runs = []
    for _ in range(2):
        async with opening(engine, tmp_path) as opened:
            runs += [opened.run, await opened.next_run(), await opened.next_run()]
    assert runs == [1, 2, 3, 4, 5, 6]


async def test_the_latest_time(store: Store) -> None:
    """It is that of the last SMS, or of the watermark where that is later."""
    assert await store.last_time() == 0
    await put(store, Commit(messages=[received(1, at=START_MS)]))
    assert await store.last_time() == START_MS
    await put(store, Commit(settled=Watermark(1, START_MS + 5)))
    assert await store.last_time() == START_MS + 5


async def test_a_second_opening_is_refused(engine: Engine, store: Store, tmp_path: Path) -> None:
    """A store that is open is refused with its path, to this process too; the first one goes on."""
    with pytest.raises(StoreInUse, match=engine.place(tmp_path)):
        engine.open(tmp_path)
    await put(store, everything())


async def test_a_second_process_is_refused(engine: Engine, tmp_path: Path) -> None:
    """Another process gets StoreInUse while the store is open, and the store once it is closed."""
    program = f"{durable(engine).program}print(store.run)"

    def tried() -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", program, str(tmp_path), *durable(engine).arguments(tmp_path)]
        return subprocess.run(words, capture_output=True, check=False, text=True)

    async with opening(engine, tmp_path):
        assert re.search(f"StoreInUse: .*{engine.place(tmp_path)}", tried().stderr)
    assert tried().stdout == "2\n"


async def test_a_newer_schema_is_refused(engine: Engine, tmp_path: Path) -> None:
    """A store of a later version is not touched: the fault names both versions and the remedy."""
    kind = durable(engine)
    await engine.open(tmp_path).close()
    kind.age(tmp_path)
    before = engine.octets(tmp_path)
    with pytest.raises(StoreUnusable, match=f"version {kind.version + 1}.*{kind.version}.*newer gateway"):
        engine.open(tmp_path)
    assert engine.octets(tmp_path) == before


async def test_nobody_else_may_read_it(engine: Engine, store: Store, tmp_path: Path) -> None:
    """Every file of a store is for its owner only: customers' texts are in them."""
    await put(store, everything())
    modes = modes_in(tmp_path)
    assert set(modes) >= (engine.durable.files if engine.durable else set())
    assert set(modes.values()) <= {0o600}


async def test_a_store_remembers_its_key(engine: Engine, tmp_path: Path) -> None:
    """A new store knows no key; the last one it was told outlives it, the largest too. Who does not know
    the present one replaces nothing: of two nodes that begin at once, the second one finds the key of the
    first.
    """
    async with opening(engine, tmp_path) as store:
        assert await store.key_check() is None
        await store.set_key_check(1, None)
        await store.set_key_check(7, None)
        await store.set_key_check(8, 7)
        assert await store.key_check() == 1
        await store.set_key_check((1 << 63) - 1, 1)
    async with opening(engine, tmp_path) as store:
        assert await store.key_check() == (1 << 63) - 1
