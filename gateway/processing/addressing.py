"""Makes mobile terminated SMS of replies: chooses source, spelling of the destination, and account."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from commands.model import Reach, Reply, Source, World
from commands.tables import Tables
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import Asked, MobileTerminated, StoredPart, message_id
from gateway.message_numbers import MessageNumbers
from gateway.processing.migration import Migration
from gateway.secrets import Keys
from routing.model import Route
from routing.table import Routing

EXPIRY_MS: Final = 72 * 3600 * 1000
"""How long the gateway tries to deliver an SMS."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """How an account spells a mobile that never wrote to us (settings: msisdn_format, ton, npi)."""

    prefix: str
    ton: int
    npi: int


@dataclass(frozen=True, slots=True)
class Accounts:
    """Spellings by account, the account of handsets that never wrote to us, and by province the account
    through which SMS to its mobiles leave.

    phones: numbers of phones of the console, None: there are none. Their SMS leave through of_phones, and
    nobody else's do.
    """

    spellings: Mapping[str, Spelling]
    default: str
    provinces: Mapping[str, str] = field(default_factory=dict)
    phones: Container[str] | None = None
    of_phones: str = ""

    def of_stored(self, account: str, msisdn: str) -> str:
        """The account through which an SMS leaves that an earlier run has stored for `account`."""
        if self.phones is not None:
            if msisdn in self.phones:
                return self.of_phones
            if account == self.of_phones:
                return self.default
        return account if account in self.spellings else self.default


@dataclass(frozen=True, slots=True)
class FromProvince:
    """An SMS that no SMS of this batch leads to. cause: number of the one that it answers, 0: none. until:
    when it expires at the latest, 0: as every SMS."""

    cause: int
    to: str
    source: str
    text: str
    at: int
    until: int = 0


class Addressing:
    """Makes the outbox rows of one gateway.

    compose: splits a row into its parts. home: the province of a mobile. unified: SMS leave from the access
    code to which others have moved.
    """

    def __init__(
        self,
        numbers: MessageNumbers,
        keys: Keys,
        accounts: Accounts,
        compose: Callable[[MobileTerminated], None],
        home: Callable[[str], str],
        *,
        unified: bool = False,
    ) -> None:
        self._numbers = numbers
        self._keys = keys
        self._spellings = accounts.spellings
        self._default_account = accounts.default
        self._provinces = accounts.provinces
        self._phones = accounts.phones
        self._of_phones = accounts.of_phones
        self._home = home
        self._compose = compose
        self._unified = unified
        self._migration: Migration | None = None  # of the tables that were used last

    def address(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """Make and compose the row of a reply to `m`. Raises Missing."""
        came, bind = m.came, m.came.bind
        if reply.to == m.msisdn and (self._phones is None or self._came_right(m)):
            account, session = bind.account, bind.number
            spelling, ton, npi = came.source, came.source_ton, came.source_npi
        else:
            account, spelling, ton, npi = self._way_to(reply.to, world)
            session = 0
        source, text = self._says(reply, m.route, m.tables, m.msisdn, world)
        sms = self._row(reply, m.number, account, session, source, spelling, ton, npi, text, m.at)
        if session:
            sms.tlvs = came.tlvs
            # To another handset, or where a country code came off, our number goes in its usual form.
            if m.route.address == came.destination:
                sms.source_ton, sms.source_npi = came.destination_ton, came.destination_npi
        self._compose(sms)
        return sms

    def unasked(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """Make and compose the row of an SMS that an operator's action `m` leads to: it leaves as one to any
        other handset. Raises Missing."""
        account, spelling, ton, npi = self._way_to(reply.to, world)
        source, text = self._says(reply, m.route, m.tables, m.msisdn, world)
        sms = self._row(reply, m.number, account, 0, source, spelling, ton, npi, text, m.at)
        self._compose(sms)
        return sms

    def notice(
        self, reply: Reply, part: StoredPart, tables: Tables, now_ms: int, world: World
    ) -> MobileTerminated:
        """Make and compose the row of an SMS to the sender of a part. Raises Missing."""
        route = _still(tables.routing, part.destination)
        source, text = self._says(reply, route, tables, part.msisdn, world)
        phone = self._phones is not None and part.msisdn in self._phones
        account = self._of_phones if phone else part.account
        sms = self._row(reply, part.number, account, 0, source, part.source, part.ton, part.npi, text, now_ms)
        self._compose(sms)
        return sms

    def from_province(self, sent: FromProvince, world: World) -> MobileTerminated:
        """Make and compose the row of an SMS that a province sends, or that is sent in its place. Raises
        Missing, and ValueError where the text cannot be sent."""
        account, spelling, ton, npi = self._way_to(sent.to, world)
        reply = Reply(sent.to, "")
        sms = self._row(reply, sent.cause, account, 0, sent.source, spelling, ton, npi, sent.text, sent.at)
        sms.expires_at = min(sms.expires_at, sent.until or sms.expires_at)
        self._compose(sms)
        return sms

    def unanswered(
        self, asked: Asked, tables: Tables, now_ms: int, sentence: str, world: World
    ) -> MobileTerminated:
        """Make and compose the row of the sentence to a customer whose SMS a province did not answer. Raises
        Missing."""
        route = tables.resolve(asked.destination)
        source, text = self._says(Reply(asked.msisdn, sentence), route, tables, asked.msisdn, world)
        return self.from_province(FromProvince(asked.number, asked.msisdn, source, text, now_ms), world)

    def _row(
        self,
        reply: Reply,
        cause: int,
        account: str,
        session: int,
        source: str,
        spelling: str,
        ton: int,
        npi: int,
        text: str,
        at: int,
    ) -> MobileTerminated:
        number = self._numbers.draw()
        sms = MobileTerminated(
            number,
            cause,
            reply.to,
            account,
            session,
            source,
            spelling,
            ton,
            npi,
            text,
            at,
            at + EXPIRY_MS,
            reply.secret,
            reference=number & 0xFFFF,
        )
        if reply.secret:
            sms.sealed = self._keys.seal(text, message_id(number).encode())
        return sms

    def _way_to(self, msisdn: str, world: World) -> tuple[str, str, int, int]:
        """Return account, spelling, ton and npi for a handset that did not cause the SMS: that of the phones
        for one of them, else the account of the link for its province, else the one through which it wrote
        last, else the default one."""
        if self._phones is not None and msisdn in self._phones:
            spelling = self._spellings[self._of_phones]
            return self._of_phones, spelling.prefix + msisdn, spelling.ton, spelling.npi
        customer = world.customer(msisdn)
        reach = customer.reach if customer is not None else None
        account = self._provinces.get(self._home(msisdn)) if self._provinces else None
        if reach is not None and reach.account in self._spellings and account in (None, reach.account):
            return reach.account, reach.spelling, reach.ton, reach.npi
        account = account or self._default_account
        spelling = self._spellings[account]
        return account, spelling.prefix + msisdn, spelling.ton, spelling.npi

    def _came_right(self, m: MobileOriginated) -> bool:
        """Whether an SMS of a phone came from the console, and one of another handset from elsewhere: what
        a real centre sends in the name of a phone is answered to the phone."""
        assert self._phones is not None
        return (m.msisdn in self._phones) is (m.came.bind.account == self._of_phones)

    def note_reach(self, m: MobileOriginated, world: World) -> None:
        """Remember the account and the spelling with which this handset writes. Raises Missing.

        Not of a phone of the console: when its number is one no longer, its SMS leave as before.
        """
        came = m.came
        account = came.bind.account
        if account == self._of_phones:
            return
        known = world.customer(m.msisdn)
        reach = known.reach if known is not None else None
        if (
            reach is None
            or reach.spelling != came.source
            or reach.account != account
            or reach.ton != came.source_ton
            or reach.npi != came.source_npi
        ):
            world.edit(m.msisdn).reach = Reach(account, came.source, came.source_ton, came.source_npi)

    def _says(self, reply: Reply, route: Route, tables: Tables, sender: str, world: World) -> tuple[str, str]:
        """Return the source address of a reply and its text. sender: who caused it."""
        source = _SOURCES[reply.source._value_](tables.routing, route, reply.detail)
        text = tables.commands.render(reply)
        if not self._unified:
            return source, text
        migration = self._migration_of(tables)
        if not migration.concerns(route):
            return source, text
        return migration.source(source, route), self._hinted(migration, reply, sender, world, text)

    def _hinted(self, migration: Migration, reply: Reply, sender: str, world: World, text: str) -> str:
        """Append the hint to the text if the customer has not had it and it fits."""
        customer = world.customer(sender)
        if reply.to != sender or reply.secret or (customer is not None and customer.hinted):
            return text
        hinted = migration.hinted(text)
        if hinted is None:
            return text
        world.edit(sender).hinted = True
        return hinted

    def _migration_of(self, tables: Tables) -> Migration:
        migration = self._migration
        if migration is None or migration.tables is not tables:
            migration = self._migration = Migration(tables)
        return migration


def _question_from(routing: Routing, _route: Route, detail: str) -> str:
    base, _, serial = detail.partition(":")
    return routing.question_from(_still(routing, base), serial)


def _still(routing: Routing, address: str) -> Route:
    """The route of an address that was written to; where the tables have none any more, of the address that
    notices come from: whoever answers there is understood."""
    route = routing.resolve(address)
    return route if route.refused is None else routing.resolve(routing.notice_from())


def _chat_from(routing: Routing, _route: Route, detail: str) -> str:
    person = routing.numbers.person(detail)
    if person is None:
        raise ValueError(f"{detail!r} is no person's number")
    return routing.chat_from(person)


# By its value: an enumeration hashes its members in Python code.
_SOURCES: Final[Mapping[str, Callable[[Routing, Route, str], str]]] = MappingProxyType(
    {
        Source.REPLY.value: lambda routing, route, _: routing.reply_from(route),
        Source.OPENING.value: lambda routing, route, _: routing.opening_from(route),
        Source.QUESTION.value: _question_from,
        Source.NOTICE.value: lambda routing, _route, _detail: routing.notice_from(),
        Source.CHAT.value: _chat_from,
        Source.DIALLED.value: lambda _routing, route, _: route.address,
    }
)
"""How the address is found that an SMS leaves from."""
