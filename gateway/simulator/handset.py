"""Virtual handsets with mobile numbers, behind an SMSC that is bound to the gateway.

Several handsets may share one bind (`Centre` without an address_range); with one bind each, every bind
asks for its own number, and two programs can each be one handset.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, Protocol, TypeAlias

from gateway.simulator.errors import (
    MailboxFullError,
    NoResponseError,
    NotConnectedError,
    SubmitRefusedError,
    UnknownHandsetError,
)
from gateway.simulator.esme import Delivery, Esme
from gateway.simulator.sms import (
    AUTO,
    Expectation,
    Mailbox,
    MissedError,
    Received,
    Sms,
    UnexpectedError,
    bare,
    encode,
)
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import BrokenUdhError
from gateway.smpp.pdus import DeliverSm, SubmitSm, SubmitSmResp
from gateway.smpp.status import CommandStatus, name_of

Spelling: TypeAlias = Literal["national", "international", "plus"]
"""Spellings of a mobile number by the SMSC: 138..., 86138... or +86138..."""

SPELLINGS: Final[Mapping[Spelling, tuple[str, int]]] = MappingProxyType(
    {"national": ("", 0), "international": ("86", 1), "plus": ("+86", 1)}
)
"""Prefix of the 11 digits, and type of number (SMPP 3.4 section 5.2.5)."""

QUIET_ROUNDS: Final = 2
"""Round trips without a delivery that show silence. Two: an SMS leaves the gateway when its predecessor has
been answered, and that answer may have met the first."""

_MOBILE: Final = re.compile(r"1\d{10}", re.ASCII)
_E164: Final = 1  # numbering plan indicator, SMPP 3.4 section 5.2.6


@dataclass(frozen=True, slots=True)
class Account:
    """Address and account to bind with."""

    host: str
    port: int
    system_id: str
    password: str


SHIPPED: Final = Account("127.0.0.1", 2775, "smsc", "fetion16")
"""The account of the shipped configuration."""


class Phone(Protocol):
    """A handset, independent of its SMPP client."""

    @property
    def msisdn(self) -> str:
        """Its number, 11 digits."""

    async def send(self, text: str, to: str, encoding: str = AUTO) -> str:
        """Text a number; returns when the gateway has answered every part, with the message id of the last
        answer: the one that leads to the whole. Raises SimulatorError."""

    async def silence(self, expectation: Expectation, within: float) -> None:
        """No such SMS is unread or on its way; takes so many seconds at most. Raises UnexpectedError,
        NotConnectedError, NoResponseError."""

    async def wait_for(self, expectation: Expectation, within: float) -> Sms:
        """The oldest unread SMS that fits, waiting so many seconds. Raises MissedError, NotConnectedError."""


class Centre:
    """The SMSC's side of one bind, with its handsets. Make it with `connect`.

    watch is called with each SMS that leaves a handset or has come to one, in that order. adopts: how many
    handsets it may have; those that it was not connected with appear with the first SMS to or from them.
    """

    def __init__(self, spelling: Spelling, watch: Callable[[Sms], None] | None, adopts: int = 0) -> None:
        self.adopts = adopts
        self.alphabet = Alphabet.from_config({}, "gsm")
        self.prefix, self.ton = SPELLINGS[spelling]
        self.watch = watch
        self.handsets: dict[str, Handset] = {}
        self._esme: Esme | None = None

    @classmethod
    async def connect(
        cls,
        account: Account,
        msisdns: Iterable[str],
        *,
        address_range: str = "",
        spelling: Spelling = "national",
        watch: Callable[[Sms], None] | None = None,
        adopts: int = 0,
    ) -> "Centre":
        """Bind as transceiver for the handsets with these numbers. Raises what Esme.connect raises.

        The handsets are there before the bind, because what waits for them comes right behind it.
        """
        centre = cls(spelling, watch, adopts)
        centre.handsets = {msisdn: Handset(msisdn, centre) for msisdn in msisdns}
        centre._esme = await Esme.connect(
            account.host,
            account.port,
            account.system_id,
            account.password,
            address_range=address_range,
            take=centre._take,
            lost=centre._lost,
        )
        return centre

    async def __aenter__(self) -> "Centre":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.esme.close()

    @property
    def esme(self) -> Esme:
        """The bind itself. Raises NotConnectedError before it is made."""
        if self._esme is None:
            raise NotConnectedError("not bound yet")
        return self._esme

    def handset(self, msisdn: str) -> "Handset":
        """The handset with this number, a new one if it is adopted. Raises UnknownHandsetError."""
        handset = self.handsets.get(msisdn)
        if handset is None:
            if not _MOBILE.fullmatch(msisdn) or len(self.handsets) >= self.adopts:
                raise UnknownHandsetError(f"no handset {msisdn} here, and no room for another one")
            handset = self.handsets[msisdn] = Handset(msisdn, self)
        return handset

    def _take(self, delivery: Delivery) -> int:
        try:
            handset = self.handset(bare(delivery.destination_addr))
        except UnknownHandsetError:
            return CommandStatus.RINVDSTADR
        return handset.take(delivery)

    def _lost(self, _: str) -> None:
        for handset in self.handsets.values():
            handset.wake()


class Handset:
    """One handset. Made by `Centre.connect`."""

    def __init__(self, msisdn: str, centre: Centre) -> None:
        self.msisdn = msisdn
        self.mailbox = Mailbox(msisdn, centre.alphabet)
        self._centre = centre
        self._changed = asyncio.Event()
        self._reference = 0
        self._deliveries = 0

    async def send(self, text: str, to: str, encoding: str = AUTO) -> str:
        """Text a number; a long text goes in parts, one after the other as a radio link would.

        See Phone. Raises CannotSendError, SubmitRefusedError, NoResponseError,
        NotConnectedError.
        """
        __tracebackhide__ = True  # a test shows its own line
        centre = self._centre
        self._reference = (self._reference + 1) % 0x100
        parts = encode(text, centre.alphabet, self._reference, encoding)
        if centre.watch is not None:
            centre.watch(Sms(self.msisdn, to, text))
        message_id = ""
        for part in parts:
            response = await centre.esme.submit(
                SubmitSm(
                    source_addr_ton=centre.ton,
                    source_addr_npi=_E164,
                    source_addr=centre.prefix + self.msisdn,
                    dest_addr_npi=_E164,
                    destination_addr=to,
                    esm_class=part.esm_class,
                    data_coding=part.data_coding,
                    short_message=part.octets,
                )
            )
            if response.command_status != CommandStatus.ROK:
                raise SubmitRefusedError(to, name_of(response.command_status))
            if isinstance(response, SubmitSmResp):
                message_id = response.message_id
        return message_id

    async def expect(
        self,
        regex: str | None = None,
        within: float = 5.0,
        sender: str | None = None,
        text: str | None = None,
    ) -> Sms:
        """The oldest unread SMS in which `regex` is found, waiting so many seconds; it is then read.

        sender: a pattern for the whole sending number. text: the whole text instead of a pattern.
        Raises MissedError, NotConnectedError, re.error.
        """
        __tracebackhide__ = True  # a test shows its own line
        return await self.wait_for(Expectation.of(regex, text, sender), within)

    async def wait_for(self, expectation: Expectation, within: float | None) -> Sms:
        """See Phone; within None: for ever."""
        __tracebackhide__ = True  # a test shows its own line
        try:
            async with asyncio.timeout(within):
                while (sms := self.mailbox.take(expectation)) is None:
                    reason = self._centre.esme.lost_because
                    if reason is not None:
                        raise NotConnectedError(f"connection lost: {reason}")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MissedError(self.msisdn, expectation, within or 0.0, tuple(self.mailbox.unread)) from None
        return sms

    async def expect_nothing(
        self, within: float = 1.0, regex: str | None = None, sender: str | None = None
    ) -> None:
        """No SMS is unread or on its way, or none that fits. See silence."""
        __tracebackhide__ = True  # a test shows its own line
        await self.silence(Expectation.of(regex, None, sender), within)

    async def silence(self, expectation: Expectation, within: float) -> None:
        """See Phone. Shown by round trips, so it takes a moment only: whatever the gateway sent before it
        answers an enquire_link comes before that answer, and an SMS that waited for ours before the next.

        What time alone would bring, a retry say, is not looked for.
        """
        __tracebackhide__ = True  # a test shows its own line
        still = 0
        try:
            async with asyncio.timeout(within):
                while still < QUIET_ROUNDS:
                    before = self._deliveries
                    await self._centre.esme.enquire()
                    still = still + 1 if self._deliveries == before else 0
        except TimeoutError:
            raise NoResponseError(f"{self.msisdn}: no end of deliveries within {within:g} s") from None
        sms = self.mailbox.take(expectation)
        if sms is not None:
            raise UnexpectedError(self.msisdn, expectation, sms)

    def take(self, delivery: Delivery) -> int:
        """Receive an SMS from the SMSC. Returns the command_status of the response."""
        self._deliveries += 1
        octets = delivery.short_message if isinstance(delivery, DeliverSm) else b""
        # Only TLVs that may not be repeated matter here.
        tlvs = {tag: value for tag, value in delivery.tlvs.items() if not isinstance(value, tuple)}
        received = Received(delivery.source_addr, octets, delivery.data_coding, delivery.esm_class, tlvs)
        try:
            sms = self.mailbox.put(received)
        except MailboxFullError:
            return CommandStatus.RMSGQFUL
        except BrokenUdhError:
            return CommandStatus.RINVESMCLASS
        if sms is not None:
            if self._centre.watch is not None:
                self._centre.watch(sms)
            self.wake()
        return CommandStatus.ROK

    def wake(self) -> None:
        """Wake the task that waits, to check its condition."""
        self._changed.set()
