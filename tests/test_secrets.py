"""Keys, digests, seals, password hashes: what they promise, and how the key file is guarded."""

import asyncio
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.secrets import (
    DIGEST_SIZE,
    DIGITS,
    KEY_SIZE,
    LETTERS,
    Busy,
    HashCost,
    Hasher,
    KeyFile,
    KeyFileError,
    Keys,
    UnsealError,
    generate_password,
)

KEYS = Keys(bytes(range(KEY_SIZE)))
CHEAP = HashCost(passes=1, memory_kib=8, lanes=1)


@given(st.lists(st.binary(max_size=5), max_size=4), st.lists(st.binary(max_size=5), max_size=4))
def test_digests_differ_when_fields_do(one: list[bytes], other: list[bytes]) -> None:
    """Equal fields have equal digests of 16 octets; others differ, wherever the field borders are."""
    assert len(KEYS.digest(*one)) == DIGEST_SIZE
    assert (KEYS.digest(*one) == KEYS.digest(*other)) is (one == other)


def test_digests_need_the_key() -> None:
    """Another key gives another digest, and neither shows the field."""
    digest = KEYS.digest(b"canary")
    assert digest != Keys(bytes(KEY_SIZE)).digest(b"canary")
    assert b"canary" not in digest


@given(st.text(), st.binary())
def test_a_seal_opens_in_its_context(text: str, context: bytes) -> None:
    """unseal() gives back what seal() was given; two seals of one text differ."""
    sealed = KEYS.seal(text, context)
    assert KEYS.unseal(sealed, context) == text
    assert sealed != KEYS.seal(text, context)


def test_a_seal_hides_its_text() -> None:
    """The sealed form has nothing of the text, in any encoding."""
    sealed = KEYS.seal("canary飞信", b"row 1")
    for encoding in ("utf-8", "utf-16-be", "utf-16-le"):
        assert "canary".encode(encoding) not in sealed
        assert "飞信".encode(encoding) not in sealed


@pytest.mark.parametrize("spoiled", ["key", "context", "octet", "cut", "empty"])
def test_a_seal_opens_nowhere_else(spoiled: str) -> None:
    """Another key or context, a changed octet, a cut end: UnsealError, never a wrong text."""
    sealed = KEYS.seal("text", b"row 1")
    cases = {
        "key": (Keys(bytes(KEY_SIZE)), sealed, b"row 1"),
        "context": (KEYS, sealed, b"row 2"),
        "octet": (KEYS, sealed[:-1] + bytes([sealed[-1] ^ 1]), b"row 1"),
        "cut": (KEYS, sealed[:20], b"row 1"),
        "empty": (KEYS, b"", b"row 1"),
    }
    keys, octets, context = cases[spoiled]
    with pytest.raises(UnsealError):
        keys.unseal(octets, context)


def test_a_key_has_its_size() -> None:
    """Keys refuses anything but KEY_SIZE octets."""
    with pytest.raises(ValueError, match="32 octets, not 31"):
        Keys(bytes(KEY_SIZE - 1))


def test_the_key_file_is_made_once(tmp_path: Path) -> None:
    """The first start makes it with its folder, 0600 whatever the umask; the next reads the same key."""
    path = tmp_path / "var" / "fetion.key"
    before = os.umask(0)
    try:
        first = KeyFile.open(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == KEY_SIZE
    assert KeyFile.open(path).digest(b"x") == first.digest(b"x")
    assert [entry.name for entry in path.parent.iterdir()] == ["fetion.key"]


def test_two_starts_at_once_read_one_key(tmp_path: Path) -> None:
    """However the starts interleave, all end with the key that lies on disk."""
    path = tmp_path / "fetion.key"
    barrier = threading.Barrier(8)

    def start() -> bytes:
        barrier.wait()
        return KeyFile.open(path).digest(b"x")

    with ThreadPoolExecutor(8) as threads:
        digests = {job.result() for job in [threads.submit(start) for _ in range(8)]}
    assert digests == {KeyFile.open(path).digest(b"x")}
    assert [entry.name for entry in tmp_path.iterdir()] == ["fetion.key"]


def test_a_store_knows_its_key(tmp_path: Path) -> None:
    """With the check value of a key only that key is taken, and none is made in its place."""
    path = tmp_path / "fetion.key"
    first = KeyFile.open(path)
    assert KeyFile.open(path, first.check).digest(b"x") == first.digest(b"x")
    with pytest.raises(KeyFileError, match=f"{path}: not the key .* restore it .* serve --new-key"):
        KeyFile.open(path, first.check ^ 1)
    path.unlink()
    with pytest.raises(KeyFileError, match=f"{path}: the key of this store is missing: restore it"):
        KeyFile.open(path, first.check)
    assert not path.exists()


@given(st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE))
def test_a_check_value_is_a_number_that_a_store_can_hold(key: bytes) -> None:
    """It fits a signed integer of 64 bits, and differs from that of another key."""
    assert 0 <= Keys(key).check < 1 << 63
    assert (Keys(key).check == KEYS.check) is (key == bytes(range(KEY_SIZE)))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """A key that group or others may use is no key: the error names the remedy."""
    path = tmp_path / "fetion.key"
    KeyFile.open(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"others may use the key file: run chmod 600 {path}"):
        KeyFile.open(path)
    path.chmod(0o600)
    KeyFile.open(path)


@pytest.mark.parametrize("size", [0, KEY_SIZE - 1, KEY_SIZE + 1])
def test_a_key_file_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    """A damaged key is never used, nor replaced behind the operator's back."""
    path = tmp_path / "fetion.key"
    path.write_bytes(bytes(size))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="not a key of 32 octets"):
        KeyFile.open(path)
    assert path.stat().st_size == size


def test_a_key_file_that_cannot_be_is_a_clear_error(tmp_path: Path) -> None:
    """A path below a regular file, or a folder in its place, names file and setting."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "fetion.key", tmp_path):
        with pytest.raises(KeyFileError, match=f"{path}: .*storage.key_file"):
            KeyFile.open(path)


async def test_hashes_verify() -> None:
    """A hash is argon2id, salted, carries its cost, and verifies the password and no other."""
    hasher = Hasher(CHEAP)
    one, other = await asyncio.gather(hasher.hash("fetion16"), hasher.hash("fetion16"))
    hasher.close()
    assert one != other
    assert one.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert PasswordHasher().verify(one, "fetion16")


async def test_verify() -> None:
    """The password of a hash, and no other; no hash is that of no password."""
    hasher = Hasher(CHEAP)
    hashed = await hasher.hash("fetion16")
    assert await hasher.verify(hashed, "fetion16")
    assert not await hasher.verify(hashed, "fetion17")
    assert not await hasher.verify("", "")
    hasher.close()


async def test_the_line_of_passwords_is_bounded() -> None:
    """Beyond the workers and the waiting ones Busy comes at once; a place is free again afterwards."""
    hasher = Hasher(HashCost(passes=4, memory_kib=16 * 1024, lanes=1), workers=1, waiting=1)
    jobs = [asyncio.create_task(hasher.hash("a")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await hasher.hash("b")
    await asyncio.gather(*jobs)
    assert await hasher.hash("c")
    hasher.close()


async def test_close_drops_what_waits() -> None:
    """close() does not wait for the line: those who wait are cancelled."""
    hasher = Hasher(HashCost(passes=4, memory_kib=16 * 1024, lanes=1), workers=1, waiting=5)
    jobs = [asyncio.create_task(hasher.hash("a")) for _ in range(4)]
    await asyncio.sleep(0)
    hasher.close()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(result) for result in results].count(asyncio.CancelledError) >= 2


@given(st.integers())
def test_generated_passwords(seed: int) -> None:
    """Eight characters, a letter and a digit among them, none that is mistaken for another."""
    password = generate_password(random.Random(seed).choice)
    assert len(password) == 8
    assert set(password) & set(LETTERS)
    assert set(password) & set(DIGITS)
    assert not set(password) & set("0oO1iIlL")
