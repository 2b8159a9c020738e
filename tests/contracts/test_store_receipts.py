"""Receipts in every Store, and in its Reader."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.message import (
    Commit,
    Delivery,
    EarlyReceipt,
    Kind,
    PartHeader,
    PartReceipt,
    StoredPart,
    Watermark,
    receipt_key,
)
from gateway.storage.contract import Store
from tests.contracts.engines import Engine, opening, put
from tests.support import ALICE, BOB, START_MS, leaving, received

WAITS = PartReceipt(5, 1, 2, ALICE, "smsc", "00AB", START_MS, START_MS + 1000)
OTHER = PartReceipt(5, 2, 2, ALICE, "smsc", "77", START_MS + 1, START_MS + 900)
EARLY = EarlyReceipt(
    "smsc", "99", "63", "0099", START_MS, Delivery.DELIVERED, "DELIVRD", "000", START_MS, ALICE, "161"
)


async def test_parts_come_back(engine: Engine, tmp_path: Path) -> None:
    """By folded id, by SMS, and by deadline; a later row replaces one; one without its SMS is not kept."""
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(outgoing=[leaving(5)], receipts=[WAITS, OTHER]))
        await put(store, Commit(receipts=[WAITS._replace(number=6)]))
    async with opening(engine, tmp_path) as store:
        assert await store.receipts_named([("smsc", "ab"), ("other", "77"), ("smsc", "x")]) == [WAITS]
        assert await store.receipts_named([]) == []
        assert await store.receipts_of([5, 6]) == [WAITS, OTHER]
        assert await store.receipts_due(START_MS + 899, 10) == []
        assert await store.receipts_due(START_MS + 1000, 10) == [OTHER, WAITS]
        assert await store.receipts_due(START_MS + 1000, 1) == [OTHER]
        final = PartReceipt(  # of an SMS that was cut anew for another account, too
            5, 1, 3, BOB, "north", "AC", START_MS + 2, 0, Delivery.DELIVERED, "DELIVRD", "000", START_MS + 5
        )
        await put(store, Commit(receipts=[final]))
        assert await store.receipts_of([5]) == [final, OTHER]
        many = [("smsc", f"{n}") for n in range(1000)]
        assert await store.receipts_named(many) == [OTHER]
        assert await store.receipts_due(START_MS + 5000, 10) == [OTHER]
    with closing(engine.read(tmp_path)) as reader:
        assert reader.receipts(5) == [final, OTHER]
        assert reader.receipts(6) == []


async def test_an_outcome_changes_what_was_sent(store: Store, engine: Engine, tmp_path: Path) -> None:
    """In the commit that closes it too, and once: the first one stays. An SMS that waits stays as it is."""
    sent, waits = leaving(5), leaving(6)
    await put(store, Commit(outgoing=[sent, waits]))
    closed = replace(sent, state=Delivery.SENT, closed_at=START_MS + 3, attempts=1, parts_done=1)
    await put(
        store,
        Commit(closed=[closed], outcomes={5: Delivery.DELIVERED, 6: Delivery.DELIVERED}, receipts=[WAITS]),
    )
    await put(store, Commit(outcomes={5: Delivery.UNDELIVERED}, receipts=[WAITS]))
    with closing(engine.read(tmp_path)) as reader:
        found = reader.downlink(5)
        assert found is not None
        assert (found.state, found.closed_at) == (Delivery.DELIVERED, START_MS + 3)
        assert [each.sms.number for each in reader.closed(0, START_MS + 9)] == [5]
    assert [each.number for each in await store.waiting(0, 10)] == [6]


async def test_early_receipts(engine: Engine, tmp_path: Path) -> None:
    """Found by either name until they are reported or claimed; a repeat is the same one."""
    later = EARLY._replace(key="98", other="", remote_id="98", at=START_MS + 7)
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(early=[EARLY, later]))
        await put(store, Commit(early=[EARLY._replace(at=START_MS + 1)]))
    async with opening(engine, tmp_path) as store:
        known = EARLY._replace(at=START_MS + 1)
        assert await store.early_named([("smsc", "99"), ("smsc", "63"), ("other", "98")]) == [known]
        assert await store.early_named([("smsc", "63")]) == [known]
        assert await store.early_open(START_MS + 7, 10) == [known, later]
        assert await store.early_open(START_MS + 7, 1) == [known]
        assert await store.early_open(START_MS, 10) == []
        await put(store, Commit(early=[later._replace(reported=True)], early_gone=[("smsc", "99")]))
        assert await store.early_named([("smsc", "99"), ("smsc", "98")]) == []
        assert await store.early_open(START_MS + 99, 10) == []


async def test_they_go_with_their_sms(store: Store) -> None:
    """Parts when the SMS goes, early receipts by their own time, in steps."""
    sent = leaving(5)
    early = [EARLY._replace(key=f"{n}", at=START_MS + n) for n in range(4)]
    await put(store, Commit(messages=[received(1)], outgoing=[sent], receipts=[WAITS], early=early))
    closed = replace(sent, state=Delivery.SENT, closed_at=START_MS + 3, attempts=1, parts_done=1)
    await put(store, Commit(closed=[closed], outcomes={5: Delivery.DELIVERED}, receipts=[WAITS]))
    await put(store, Commit(settled=Watermark(9, START_MS)))
    assert await store.forget(START_MS + 3, 2) == 2
    assert await store.receipts_of([5]) == [WAITS]
    assert [each.key for each in await store.early_open(START_MS + 9, 9)] == ["2", "3"]
    await store.forget(START_MS + 5, 10)
    assert await store.receipts_of([5]) == []
    assert await store.early_open(START_MS + 9, 9) == []


async def test_what_a_receipt_of_ours_is(engine: Engine, tmp_path: Path) -> None:
    """Kind and TLVs of an SMS out, and what the sender of a part wants, come back."""
    plain, receipt = leaving(5), replace(leaving(6), kind=Kind.RECEIPT, tlvs=b"\x14\x00\x00\x01x", msisdn="")
    part = StoredPart(9, "smsc", ALICE, "161", PartHeader("udh8", 1, 2, 1), 8, b"o", START_MS, registered=17)
    async with opening(engine, tmp_path) as store:
        await put(store, Commit(outgoing=[plain, receipt], parts=[part]))
    async with opening(engine, tmp_path) as store:
        found = [(each.kind, each.tlvs, each.msisdn) for each in await store.waiting(0, 10)]
        assert found == [(Kind.SMS, b"", plain.msisdn), (Kind.RECEIPT, b"\x14\x00\x00\x01x", "")]
        assert [each.registered for each in await store.parts()] == [17]
    with closing(engine.read(tmp_path)) as reader:
        assert [each.kind for each in reader.waiting(10)] == [Kind.SMS, Kind.RECEIPT]


def test_ids_are_folded() -> None:
    """Leading zeros, case and blanks do not count; an id of zeros alone is not empty."""
    assert [receipt_key(each) for each in ("00Ab", " ab ", "0", "000", "", "A0")] == [
        "ab", "ab", "0", "0", "", "a0",
    ]  # fmt: skip
