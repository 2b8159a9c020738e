"""Passwords and keyed digests: in which form secrets may be stored.

A customer's password is stored as an argon2 hash. A generated password that has not been sent yet is sealed.
Octets that must be recognised again, but not read, are stored as a keyed digest. Seal and digest need the key
file, which the first start makes.

    SecretsError
    +-- KeyFileError    the key file cannot be made, read, or trusted: nothing starts
    +-- UnsealError     sealed with another key, for another context, or altered: this row is lost
    +-- Busy            a password cannot be hashed now: try again later
"""

import asyncio
import os
import stat
import struct
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.disk import sync

T = TypeVar("T")

KEY_SIZE = 32
"""Octets of the key file: drawn by the operating system, no structure."""

DIGEST_SIZE = 16
"""Octets of Keys.digest."""

MOST_FIELDS = 32
"""Fields that Keys.digest takes at most."""

LETTERS = "abcdefghjkmnpqrstuvwxyz"
DIGITS = "23456789"
"""Characters of generated passwords: without 0, o, 1, i and l, which customers confuse."""

GENERATED_LENGTH = 8

_LOST = (
    "restore it from a backup or from another node, or accept the loss with serve --new-key: passwords and"
    " parts of long messages that wait are then lost, and retransmissions of earlier SMS are no longer"
    " recognised"
)
_NONCE = 12  # octets, the size AES-GCM is specified for
_COUNTS = tuple(struct.Struct(f">{count}I") for count in range(1, MOST_FIELDS + 2))


class SecretsError(Exception):
    """Root of the errors of this module."""


class KeyFileError(SecretsError):
    """The key file cannot be made, read or trusted. The text names the file and the remedy."""


class UnsealError(SecretsError):
    """This key and context do not open a sealed value."""


class Busy(SecretsError):
    """The queue of passwords to hash is full, or there is no memory to hash one."""


class Keys:
    """The two uses of one key: digests and seals. Thread-safe; the key itself is not kept."""

    __slots__ = ("_aead", "_digest", "check")

    def __init__(self, key: bytes) -> None:
        """key: KEY_SIZE octets. Raises ValueError on any other size.

        check: 63 bits by which a store recognises its key; they reveal nothing else of it.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"a key has {KEY_SIZE} octets, not {len(key)}")
        self.check = int.from_bytes(_derived(key, b"check")[:8], "big") >> 1
        self._digest = blake2b(key=_derived(key, b"digest"), digest_size=DIGEST_SIZE)
        self._aead = AESGCM(_derived(key, b"seal"))

    def digest(self, *fields: bytes) -> bytes:
        """Return a digest of DIGEST_SIZE octets of these fields (BLAKE2b with a key, RFC 7693).

        Their lengths are included: ("ab", "c") and ("a", "bc") differ. Raises IndexError for more than
        MOST_FIELDS fields.
        """
        state = self._digest.copy()
        count = len(fields)
        state.update(_COUNTS[count].pack(count, *map(len, fields)) + b"".join(fields))
        return state.digest()

    def seal(self, text: str, context: bytes) -> bytes:
        """Encrypt a text so that only this key and context open it (AES-256-GCM, random nonce).

        context: what the value belongs to, such as the id of its row; it is not stored in the result.
        """
        return self.seal_octets(text.encode(), context)

    def unseal(self, sealed: bytes, context: bytes) -> str:
        """Return the text that seal() encrypted. Raises UnsealError."""
        return self.unseal_octets(sealed, context).decode()

    def seal_octets(self, octets: bytes, context: bytes) -> bytes:
        """Do the same as seal() for octets."""
        nonce = os.urandom(_NONCE)
        return nonce + self._aead.encrypt(nonce, octets, context)

    def unseal_octets(self, sealed: bytes, context: bytes) -> bytes:
        """Return the octets that seal_octets() encrypted. Raises UnsealError."""
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], context)
        except (InvalidTag, ValueError) as error:
            raise UnsealError("sealed with another key, for another context, or altered") from error


class KeyFile:
    """The file that holds the key: KEY_SIZE octets that only its owner may read."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path, check: int | None = None) -> Keys:
        """Read the key file; make it (0600, with parent folders) if it does not exist.

        check: Keys.check of the expected key; then no file is made, and any other key is refused. Two
        processes that start at once read the same key. Raises KeyFileError.
        """
        file = cls(path)
        try:
            if not path.exists():
                if check is not None:
                    raise KeyFileError(f"{path}: the key of this store is missing: {_LOST}")
                file._make()
            keys = Keys(file._read())
        except OSError as error:
            raise KeyFileError(
                f"{path}: {error.strerror}: storage.key_file must be a file we may use"
            ) from error
        if check is not None and keys.check != check:
            raise KeyFileError(f"{path}: not the key that this store was made with: {_LOST}")
        return keys

    def _make(self) -> None:
        """Write the key to a temporary file, then link it: nobody ever reads half a key."""
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".key-")  # mode 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(KEY_SIZE))
                file.flush()
                sync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its key counts
                os.link(name, self.path)
        finally:
            os.unlink(name)
        _sync_folder(folder)

    def _read(self) -> bytes:
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = file.read(KEY_SIZE + 1) if stat.S_ISREG(status.st_mode) else b""
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyFileError(f"{self.path}: others may use the key file: run chmod 600 {self.path}")
        if len(key) != KEY_SIZE:
            raise KeyFileError(
                f"{self.path}: not a key of {KEY_SIZE} octets: restore it from a backup, or move it away"
                " and accept the loss with serve --new-key"
            )
        return key


@dataclass(frozen=True, slots=True)
class HashCost:
    """Cost of an argon2id hash. The defaults are OWASP's for servers: about 30 ms on one core.

    lanes: the degree of parallelism (RFC 9106).
    """

    passes: int = 2
    memory_kib: int = 19 * 1024
    lanes: int = 1


class Hasher:
    """argon2id outside the event loop: a few threads and a bounded queue of passwords."""

    def __init__(self, cost: HashCost | None = None, *, workers: int = 2, waiting: int = 64) -> None:
        """workers: threads. waiting: passwords that may wait for a thread, beyond those being hashed."""
        cost = cost or HashCost()
        self._argon2 = PasswordHasher(
            time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes
        )
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="argon2")
        self._places = threading.BoundedSemaphore(workers + waiting)

    async def hash(self, password: str) -> str:
        """Return the argon2id hash of a password, as a string that contains salt and cost.

        Raises Busy: at once if the queue is full, or if argon2 gets no memory.
        """
        return await self._run(self._argon2.hash, password)

    async def verify(self, hashed: str, password: str) -> bool:
        """Return whether a hash was made of a password. Raises Busy as `hash` does."""
        return await self._run(self._verify, hashed, password)

    def _verify(self, hashed: str, password: str) -> bool:
        try:
            return self._argon2.verify(hashed, password)
        except (VerifyMismatchError, InvalidHashError):
            return False

    async def _run(self, function: Callable[..., T], *values: str) -> T:
        if not self._places.acquire(blocking=False):
            raise Busy("too many passwords wait to be hashed")
        job = self._executor.submit(function, *values)
        job.add_done_callback(lambda _: self._places.release())
        try:
            return await asyncio.wrap_future(job)
        except (HashingError, VerificationError):
            raise Busy("a password could not be hashed") from None  # its text may hold the password

    def close(self) -> None:
        """Drop the waiting passwords, and wait for those being hashed (milliseconds)."""
        self._executor.shutdown(cancel_futures=True)


def generate_password(choice: Callable[[str], str]) -> str:
    """Draw a password of GENERATED_LENGTH small letters and digits, at least one of each, uniformly.

    choice: draws one character, as secrets.choice does (about 40 bits in all).
    """
    while True:
        password = "".join(choice(LETTERS + DIGITS) for _ in range(GENERATED_LENGTH))
        if not password.isalpha() and not password.isdigit():
            return password


def _derived(key: bytes, purpose: bytes) -> bytes:
    return blake2b(purpose, key=key, digest_size=KEY_SIZE).digest()


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
