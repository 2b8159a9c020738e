"""TLS contexts made of files, which follow these files: a certificate is replaced without a restart.

New connections use the newest context; those that stand go on with theirs. Files that cannot be used are
refused, and the context before stays.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

DAY_MS: Final = 86_400_000
ENDING_DAYS: Final = 14
"""Days before its end from which a certificate is warned of."""
REPLACE: Final = "put both files of one certificate there, or set the old ones back"

Maker = Callable[[], ssl.SSLContext]
"""Gives the context for the next connection: a Contexts."""


class TlsFault(Exception):
    """A file that cannot be used. key: the setting that names it."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """PEM files of a listener. client_ca: certificates that vouch for peers, which must have one; None: they
    need none."""

    cert: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """PEM files for a connection that we open. ca: certificates that vouch for the peer; None: those of the
    machine. cert, key: our own, both or none. verify False: the peer needs no certificate that we believe."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Own:
    """Our certificate: whose it is, and from when to when it is valid, in milliseconds since the epoch."""

    subject: str
    begins_ms: int
    ends_ms: int

    @property
    def not_after(self) -> str:
        """RFC 3339, UTC."""
        return datetime.fromtimestamp(self.ends_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def fault(self, now_ms: int) -> str:
        """Why it is not valid now; "": it is."""
        if self.ends_ms <= now_ms:
            return f"has expired at {self.not_after}: replace it by a new one"
        return "is not valid yet: is the clock of this machine right?" if now_ms < self.begins_ms else ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A context, and our certificate in it; None where there is none."""

    context: ssl.SSLContext
    own: Own | None


def load(files: ServerFiles | ClientFiles) -> Loaded:
    """Read the files. Raises TlsFault."""
    own = _read_own(files.cert, files.key) if files.cert and files.key else None
    if isinstance(files, ServerFiles):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca, key = files.client_ca, "client_ca"
        if ca is not None:
            context.verify_mode = ssl.CERT_REQUIRED
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ca, key = files.ca, "ca"
        if not files.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif ca is None:
            context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if ca is not None:
        _trust(context, ca, key)
    if files.cert and files.key:
        try:
            context.load_cert_chain(files.cert, files.key, password="")
        except OSError as error:  # ssl.SSLError too: what cryptography reads and OpenSSL does not take
            raise TlsFault("cert", f"{files.cert}: cannot be used: {_words(error)}: {REPLACE}") from None
    return Loaded(context, own)


def _trust(context: ssl.SSLContext, ca: Path, key: str) -> None:
    _octets(ca, key)
    try:
        context.load_verify_locations(ca)
    except OSError as error:
        reason = f"{ca}: has no certificates in PEM form: {_words(error)}: name a file that has"
        raise TlsFault(key, reason) from None


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


def _octets(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        remedy = "give this user the right to read it, or name another file"
        raise TlsFault(key, f"{path}: cannot be read: {error.strerror}: {remedy}") from None


def _read_own(cert: Path, key: Path) -> Own:
    """Our certificate, the first one of its file, whose private key the other file has. Raises TlsFault."""
    try:
        first = x509.load_pem_x509_certificates(_octets(cert, "cert"))[0]
        public = first.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        reason = f"{cert}: has no certificate in PEM form: name the file that has it"
        raise TlsFault("cert", reason) from None
    try:
        private = load_pem_private_key(_octets(key, "key"), None)
    except TypeError:
        remedy = "nobody is there to type its password: write it without one (openssl pkey), mode 0600"
        raise TlsFault("key", f"{key}: is encrypted: {remedy}") from None
    except (ValueError, UnsupportedAlgorithm):
        reason = f"{key}: has no private key in PEM form: name the file that has it"
        raise TlsFault("key", reason) from None
    if private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != public:
        raise TlsFault("key", f"{key}: is not the key of {cert}: {REPLACE}")
    begins, ends = first.not_valid_before_utc, first.not_valid_after_utc
    return Own(_subject(first), int(begins.timestamp() * 1000), int(ends.timestamp() * 1000))


def _subject(certificate: x509.Certificate) -> str:
    """The name of a certificate: its subject, or where that is empty the first name that it is valid for."""
    if said := certificate.subject.rfc4514_string():
        return said
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ""
    return next((str(name.value) for name in names), "")


class Told(Protocol):
    """Hears of certificates. name: listener, or that of a link."""

    def tls_loaded(self, name: str, subject: str, not_after: str) -> None:
        """New connections use these files. subject "": we show no certificate."""

    def tls_refused(self, name: str, key: str, reason: str) -> None:
        """The files have changed and cannot be used: the context before stays."""

    def tls_ending(self, name: str, subject: str, not_after: str, days: int) -> None:
        """Our certificate ends in so many days, below 0: it has ended. Told once a day."""

    def tls_unverified(self, name: str) -> None:
        """Nobody asks whether the peer is who it says."""


class Contexts:
    """The context that new connections use: call it to get it.

    Making one reads the files. Raises TlsFault.
    """

    def __init__(self, name: str, files: ServerFiles | ClientFiles, told: Told) -> None:
        self._name = name
        self._files = files
        self._told = told
        self._seen = self._look()
        self._loaded = load(files)
        self._warned_ms: int | None = None
        self._refused = ""  # why the files of now cannot be used

    def __call__(self) -> ssl.SSLContext:
        """The newest one that could be used."""
        return self._loaded.context

    def tell(self) -> None:
        """Say what is in use: at the start, and when it has changed."""
        own = self._loaded.own
        self._told.tls_loaded(self._name, own.subject if own else "", own.not_after if own else "")
        if isinstance(self._files, ClientFiles) and not self._files.verify:
            self._told.tls_unverified(self._name)

    def follow(self, now_ms: int, *, again: bool = False) -> None:
        """Read the files where they have changed, or `again` says to; warn of a certificate that ends.

        Files that were refused are read each time: a certificate may become valid, or the system may have
        had no descriptor for it. The reason is said once.
        """
        seen = self._look()
        changed = again or seen != self._seen
        if changed or self._refused:
            self._seen = seen
            self._reload(now_ms, said="" if changed else self._refused)
        self._warn(now_ms)

    def _reload(self, now_ms: int, said: str) -> None:
        try:
            loaded = load(self._files)
            if loaded.own is not None and (fault := loaded.own.fault(now_ms)):
                raise TlsFault("cert", f"{self._files.cert}: {fault}")
        except TlsFault as fault:
            self._refused = str(fault)
            if self._refused != said:
                self._told.tls_refused(self._name, fault.key, self._refused)
            return
        self._loaded, self._warned_ms, self._refused = loaded, None, ""
        self.tell()

    def _warn(self, now_ms: int) -> None:
        own = self._loaded.own
        if own is None or own.ends_ms - now_ms >= ENDING_DAYS * DAY_MS:
            return
        if self._warned_ms is None or now_ms - self._warned_ms >= DAY_MS:
            self._warned_ms = now_ms
            days = (own.ends_ms - now_ms) // DAY_MS
            self._told.tls_ending(self._name, own.subject, own.not_after, days)

    def _look(self) -> tuple[object, ...]:
        """What tells whether the files are the same as before."""
        values = (getattr(self._files, field.name) for field in fields(self._files))
        return tuple(_state(value) for value in values if isinstance(value, Path))


def _state(path: Path) -> tuple[int, ...]:
    """Of a file; () where it cannot be looked at."""
    try:
        seen = path.stat()
    except OSError:
        return ()
    return seen.st_mtime_ns, seen.st_size, seen.st_ino
