"""What an account or link may do. Where nothing is set, nothing is asked for an SMS."""

from dataclasses import dataclass
from typing import Final

from gateway.channels.contract import Alphabet, Bind, CannotSend, Inbound
from gateway.channels.smpp.reading import Carrier, Read
from gateway.channels.smpp.settings import AccountSettings, Conventions
from gateway.channels.smpp.writing import Writer
from gateway.errors import Refusal, Verdict
from gateway.message import MobileTerminated
from gateway.smpp.session import Session
from routing.numbers import COUNTRY_PREFIXES

_MESSAGES: Final = frozenset({"submit_sm", "data_sm"})
_TOO_FAST: Final = "max_per_second"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Made once for an account or link.

    sources: mobiles of 11 digits, or digits* for all that begin so; empty: all. access_codes: numbers of the
    service, empty: all. operations: names of requests, None: all. max_per_second: SMS, 0: any number.
    """

    sources: frozenset[str] = frozenset()
    access_codes: frozenset[str] = frozenset()
    operations: frozenset[str] | None = None
    max_per_second: float = 0

    @classmethod
    def of(cls, conventions: Conventions) -> "Permissions":
        """Those of the configuration."""
        if isinstance(conventions, AccountSettings):
            return cls(
                conventions.sources,
                conventions.access_codes,
                frozenset(conventions.operations),
                conventions.max_per_second,
            )
        return cls(access_codes=conventions.access_codes)

    def permits(self, name: str) -> bool:
        """Whether a request of this name may be sent."""
        return self.operations is None or name in self.operations

    def check(self, msisdn: str, access_code: str) -> None:
        """Raises Refusal for a sender or a number of the service that is not allowed
        (gateway.channels.contract.Allowed)."""
        if self.sources and not _is_among(msisdn, self.sources):
            raise Refusal(Verdict.SOURCE_NOT_ALLOWED)
        if self.access_codes and access_code not in self.access_codes:
            raise Refusal(Verdict.CODE_NOT_ALLOWED, f"the account may not use {access_code}")

    def reader(self, read: Read) -> Read:
        """A reader that follows them, on top of another one."""
        may_submit = self.operations is None or self.operations >= _MESSAGES
        if may_submit and not (self.sources or self.access_codes or self.max_per_second):
            return read
        return _RestrictedReader(self, read).read

    def writer(self, writer: Writer) -> Writer:
        """A writer that follows them."""
        return _RestrictedWriter(writer, self.access_codes) if self.access_codes else writer


FREE: Final = Permissions()
"""Everything."""


class Bucket:
    """How many SMS may come now: `rate` a second in the long run, and as many as that at once.

    It fills on a clock that never goes back, and holds one SMS at least.
    """

    __slots__ = ("_at", "_most", "_rate", "_tokens")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._tokens = self._most
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Whether one more SMS may come (monotonic seconds)."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class _RestrictedReader:
    """Reads what an account may send, and refuses the rest."""

    __slots__ = ("_allowed", "_bucket", "_permissions", "_read")

    def __init__(self, permissions: Permissions, read: Read) -> None:
        self._read = read
        self._permissions = permissions
        self._allowed = permissions if permissions.sources or permissions.access_codes else None
        self._bucket = Bucket(permissions.max_per_second) if permissions.max_per_second else None

    def read(self, bind: Bind, alphabet: Alphabet, pdu: Carrier, arrived: float) -> Inbound:
        """As the other; first of all the rate and the operation are looked at."""
        if self._bucket is not None and not self._bucket.take(arrived):
            rate = self._permissions.max_per_second
            raise Refusal(Verdict.TOO_FAST, f"more than {rate:g} SMS a second: {_TOO_FAST} of the account")
        if pdu.name in _MESSAGES and not self._permissions.permits(pdu.name):
            raise Refusal(Verdict.OPERATION_NOT_ALLOWED, f"the account may not send {pdu.name}")
        inbound = self._read(bind, alphabet, pdu, arrived)
        inbound.allowed = self._allowed
        return inbound


class _RestrictedWriter:
    """Writes SMS from some numbers of the service only."""

    __slots__ = ("_codes", "_writer")

    def __init__(self, writer: Writer, codes: frozenset[str]) -> None:
        self._writer = writer
        self._codes = tuple(codes)

    def write(self, session: Session, sms: MobileTerminated, now: float) -> None:
        """As the other. Raises CannotSend for an SMS from another number: it fails, and says why."""
        if not without_country(sms.source).startswith(self._codes):
            raise CannotSend(f"source {sms.source}: not among access_codes of the account or link")
        self._writer.write(session, sms, now)


def without_country(number: str) -> str:
    """A number as it stands in the tables: a mobile, or a number of the service, as in access_codes, and what
    is behind it (routing.table.Routing.resolve)."""
    for prefix in (*COUNTRY_PREFIXES, "+"):
        if number.startswith(prefix):
            return number[len(prefix) :]
    return number


def _is_among(msisdn: str, sources: frozenset[str]) -> bool:
    """Whether a mobile is one of the sources, or begins as one that ends with a star."""
    # As many look-ups as it has digits, however many sources there are.
    return msisdn in sources or any(f"{msisdn[:digits]}*" in sources for digits in range(1, len(msisdn) + 1))
