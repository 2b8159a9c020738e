"""Accounts of the console, their sessions and the audit in every Store."""

from pathlib import Path

from gateway.storage.accounts import Account, AuditEntry, Session
from gateway.storage.contract import Store
from tests.contracts.engines import Engine, opening
from tests.support import START_MS

ADA = Account("ada", "$argon2id$a", "operator", "000", START_MS)
BEN = Account("Ben", "$argon2id$b", "reader", "200", START_MS + 1, disabled=True)


def session(digest: bytes, account: str = "ada", token: str = "", expires_at: int = START_MS + 9) -> Session:
    """One that began when the digest says."""
    return Session(digest, account, token, START_MS + digest[0], START_MS, expires_at)


async def test_accounts_come_back(engine: Engine, tmp_path: Path) -> None:
    """Whole, by name, also after another opening; one of the same name takes its place."""
    async with opening(engine, tmp_path) as store:
        await store.put_account(ADA)
        await store.put_account(BEN)
        await store.put_account(ADA._replace(role="reader"))
    async with opening(engine, tmp_path) as store:
        changed = ADA._replace(role="reader")
        assert await store.account("nobody") is None
        assert await store.account("Ben") == BEN
        assert await store.accounts() == [BEN, changed]


async def test_sessions_come_back(store: Store) -> None:
    """By digest, and of an account the oldest first; seen later, never earlier; one that ended stays so."""
    await store.put_account(ADA)
    first, second, token = session(b"\x01\x00"), session(b"\x02\xff"), session(b"\x00", token="grafana")
    for each in (second, first, token):
        await store.put_session(each)
    await store.put_session(session(b"x", account="nobody"))
    await store.see_session(first.digest, START_MS + 5)
    await store.see_session(first.digest, START_MS + 4)
    await store.end_sessions([second.digest, b"unknown"])
    await store.see_session(second.digest, START_MS + 5)
    seen = first._replace(seen_at=START_MS + 5)
    assert await store.session(first.digest) == seen
    assert await store.session(second.digest) is None
    assert await store.session(b"x") is None
    assert await store.sessions("ada") == [token, seen]
    assert await store.sessions("Ben") == []


async def test_a_changed_account_is_logged_out(store: Store) -> None:
    """Its browsers; its tokens too when it is disabled or removed; nobody else's."""
    for account in (ADA, BEN):
        await store.put_account(account)
    browser, token, other = session(b"1"), session(b"2", token="t"), session(b"3", account="Ben")
    for each in (browser, token, other):
        await store.put_session(each)
    await store.put_account(ADA._replace(password="$new"))
    assert await store.sessions("ada") == [token]
    await store.put_account(ADA._replace(disabled=True))
    assert await store.sessions("ada") == []
    await store.put_session(token)
    await store.remove_account("ada")
    await store.put_account(ADA)
    assert await store.sessions("ada") == []
    assert await store.sessions("Ben") == [other]
    await store.remove_account("nobody")
    assert await store.accounts() == [BEN, ADA]


async def test_sessions_are_forgotten_at_their_end(store: Store) -> None:
    """Those whose end has come, exactly."""
    await store.put_account(ADA)
    for digest, end in ((b"1", START_MS), (b"2", START_MS + 1), (b"3", START_MS + 2)):
        await store.put_session(session(digest, expires_at=end))
    await store.forget_sessions(START_MS + 1)
    assert [each.digest for each in await store.sessions("ada")] == [b"3"]


async def test_the_audit_is_read_backwards(engine: Engine, tmp_path: Path) -> None:
    """The newest first, in pages, also after another opening; two entries of one time are two."""
    entry = AuditEntry(START_MS, "ada", "unlock", "13800138000", "客户来电", "127.0.0.1")
    async with opening(engine, tmp_path) as store:
        for at in (0, 1, 1, 2):
            await store.note(entry._replace(at=START_MS + at))
    async with opening(engine, tmp_path) as store:
        newest = await store.audit(1 << 62, 2)
        assert [each.at - START_MS for _, each in newest] == [2, 1]
        older = await store.audit(newest[-1][0], 10)
        assert [each for _, each in older] == [entry._replace(at=START_MS + 1), entry]
        assert await store.audit(older[-1][0], 10) == []


async def test_the_audit_is_forgotten_by_its_time(store: Store) -> None:
    """Some at a time; what comes later has other numbers."""
    entry = AuditEntry(START_MS, "ada", "searched", "13800138000", "", "127.0.0.1")
    for at in range(5):
        await store.note(entry._replace(at=START_MS + at))
    (last, newest), *_ = await store.audit(1 << 62, 1)
    while await store.forget(START_MS + 4, 2) >= 2:
        pass
    assert await store.audit(1 << 62, 10) == [(last, newest)]
    await store.note(entry._replace(at=START_MS + 5))
    [(number, _), _] = await store.audit(1 << 62, 10)
    assert number > last
