"""From a reply to the SMS that leaves: from where, to whom in which spelling, through which account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from commands.model import Reach, Reply, Source, World
from commands.service import Commands
from gateway.message import MobileOriginated, MobileTerminated, Numbers, message_id
from gateway.processing.migration import Migration
from gateway.secrets import Keys
from routing.table import Routing

EXPIRY_MS: Final = 72 * 3600 * 1000
"""How long an SMS to a handset is tried."""


@dataclass(frozen=True, slots=True)
class Reaching:
    """How an account writes a mobile that never wrote to us (settings: msisdn_format, ton, npi)."""

    prefix: str
    ton: int
    npi: int


class Replies:
    """Makes the outbox rows of one gateway. migration: None while every access code answers by itself."""

    def __init__(
        self,
        *,
        routing: Routing,
        commands: Commands,
        numbers: Numbers,
        keys: Keys,
        reaching: Mapping[str, Reaching],
        default_account: str,
        migration: Migration | None,
    ) -> None:
        self._routing = routing
        self._commands = commands
        self._numbers = numbers
        self._keys = keys
        self._reaching = reaching
        self._default_account = default_account
        self._migration = migration
        self._sources: dict[Source, Callable[[MobileOriginated, str], str]] = {
            Source.REPLY: lambda m, _: routing.reply_from(m.route),
            Source.OPENING: lambda m, _: routing.opening_from(m.route),
            Source.QUESTION: self._question_from,
            Source.NOTICE: lambda _m, _d: routing.notice_from(),
            Source.CHAT: self._chat_from,
            Source.DIALLED: lambda m, _: m.route.address,
        }

    def address(self, reply: Reply, m: MobileOriginated, world: World) -> MobileTerminated:
        """The row of a reply to `m`, not yet cut into parts. Raises Missing."""
        number = self._numbers.draw()
        if reply.to == m.msisdn:
            account, bind = m.account, m.session
            spelling, ton, npi = m.source, m.source_ton, m.source_npi
        else:
            bind = 0
            customer = world.customer(reply.to)
            reach = customer.reach if customer is not None else None
            if reach is None or reach.account not in self._reaching:
                account = self._default_account
                way = self._reaching[account]
                spelling, ton, npi = way.prefix + reply.to, way.ton, way.npi
            else:
                account, spelling, ton, npi = reach.account, reach.spelling, reach.ton, reach.npi
        source, text = self._sources[reply.source](m, reply.detail), self._commands.render(reply)
        if self._migration is not None and self._migration.concerns(m.route):
            source = self._migration.source(source, m.route)
            text = self._hinted(self._migration, reply, m, world, text)
        sms = MobileTerminated(
            number,
            m.number,
            reply.to,
            account,
            bind,
            source,
            spelling,
            ton,
            npi,
            text,
            m.at,
            m.at + EXPIRY_MS,
            reply.secret,
            reference=number & 0xFFFF,
        )
        if reply.secret:
            sms.sealed = self._keys.seal(sms.text, message_id(number).encode())
        # To another handset, or where a country code came off, our number goes in its usual form.
        if bind and m.route.address == m.destination:
            sms.source_ton, sms.source_npi = m.request.dest_addr_ton, m.request.dest_addr_npi
        return sms

    def _hinted(
        self, migration: Migration, reply: Reply, m: MobileOriginated, world: World, text: str
    ) -> str:
        """The text, with the hint behind it where this customer has not had it and it fits."""
        customer = world.customer(m.msisdn)
        if reply.to != m.msisdn or reply.secret or (customer is not None and customer.hinted):
            return text
        hinted = migration.hinted(text)
        if hinted is None:
            return text
        world.edit(m.msisdn).hinted = True
        return hinted

    def _question_from(self, _m: MobileOriginated, detail: str) -> str:
        base, _, serial = detail.partition(":")
        return self._routing.question_from(self._routing.resolve(base), serial)

    def _chat_from(self, _m: MobileOriginated, detail: str) -> str:
        person = self._routing.numbers.person(detail)
        if person is None:
            raise ValueError(f"{detail!r} is no person's number")
        return self._routing.chat_from(person)


def note_reach(m: MobileOriginated, world: World) -> None:
    """Remember through whom, and in which spelling, this handset writes. Raises Missing."""
    known = world.customer(m.msisdn)
    reach = known.reach if known is not None else None
    if (
        reach is None
        or reach.spelling != m.source
        or reach.account != m.account
        or reach.ton != m.source_ton
        or reach.npi != m.source_npi
    ):
        world.edit(m.msisdn).reach = Reach(m.account, m.source, m.source_ton, m.source_npi)
