"""From a PDU to a MobileOriginated: addresses, alphabet, long-message header, what the text means.

Pure but for the series of numbers. What cannot be taken raises Refusal, which says how to answer.
"""

import contextlib
from collections.abc import Mapping
from typing import Final, Protocol

from commands.model import Understood
from gateway.errors import Refusal
from gateway.message import MobileOriginated, Numbers, message_id
from gateway.outbound.selection import Bind
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import BrokenUdhError, part_of
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import USER_MESSAGE_REFERENCE
from routing.model import Accepts, Route, TailKind
from routing.table import SECOND_NUMBER_REFUSED, Routing

MESSAGE_TYPE: Final = 0x3C
"""Bits of esm_class that say what an SMS is; only 0, a plain message, is a text (SMPP 3.4 section 5.2.12)."""

NO_MOBILE: Final = "the sender is no mobile number"
_PASSWORD: Final = Accepts.PASSWORD


class Reader(Protocol):
    """Says what texts mean (commands.parser.Parser)."""

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """What a text means that `sender` sent to `route`."""

    def password_in_doubt(self, route: Route, sender: str) -> Understood:
        """What a password means whose last character cannot be told from padding."""


class Intake:
    """Reads submit_sm and data_sm."""

    __slots__ = ("_alphabets", "_in_doubt", "_main_number", "_msisdn", "_numbers", "_parse", "_resolve")

    def __init__(
        self, routing: Routing, reader: Reader, alphabets: Mapping[str, Alphabet], numbers: Numbers
    ) -> None:
        self._resolve = routing.resolve
        self._msisdn = routing.numbers.msisdn
        self._main_number = routing.main_number if routing.has_second_numbers else None
        self._parse = reader.parse
        self._in_doubt = reader.password_in_doubt
        self._alphabets = alphabets
        self._numbers = numbers

    def take(self, bind: Bind, pdu: SubmitSm | DataSm, arrived: float) -> MobileOriginated:
        """The SMS in a request. Raises Refusal, for a sender that is no mobile too: nobody could answer him.

        msisdn: the customer's number, which is the main number of a second number; source is what he wrote
        from, and replies go there. Blanks around an address are padding and part of neither.
        """
        esm_class = pdu.esm_class
        if esm_class & MESSAGE_TYPE:
            raise Refusal(CommandStatus.RINVESMCLASS, f"esm_class 0x{esm_class:02X} is no plain message")
        source = pdu.source_addr.strip(" ")
        msisdn = self._msisdn(source)
        if msisdn is None or self._main_number is not None:
            msisdn = self._customer(source, msisdn)
        destination = pdu.destination_addr.strip(" ")
        route = self._resolve(destination)
        if route.refused is not None:
            raise Refusal(CommandStatus.RINVDSTADR, route.refused)
        octets = pdu.short_message if type(pdu) is SubmitSm else b""
        part = None
        if pdu.tlvs or esm_class & 0x40:
            try:
                part, octets = part_of(octets, esm_class, pdu.tlvs)
            except BrokenUdhError as error:
                raise Refusal(CommandStatus.RINVMSGLEN, str(error)) from error
        if part is not None and route.accepts is _PASSWORD:
            raise Refusal(CommandStatus.RINVMSGLEN, "a password comes in one SMS, not in parts")
        number = self._numbers.draw()
        m = MobileOriginated(
            number,
            message_id(number),
            bind,
            pdu,
            arrived,
            source,
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            destination,
            msisdn,
            route,
            esm_class,
            pdu.data_coding,
            octets,
            bind.account,
            bind.number,
            pdu.sequence_number,
            part,
        )
        if pdu.tlvs:
            reference = pdu.tlvs.get(USER_MESSAGE_REFERENCE)
            m.reference = reference if isinstance(reference, int) else None
        if part is None:
            alphabet = self._alphabets[bind.account]
            if route.accepts is _PASSWORD and alphabet.in_doubt(octets, pdu.data_coding):
                m.understood = self._in_doubt(route, msisdn)
            else:
                text = alphabet.decode(octets, pdu.data_coding)
                m.understood = self._parse(text, route, msisdn)
        return m

    def _customer(self, source: str, msisdn: str | None) -> str:
        """The number that counts for a sender whose mobile is `msisdn`. Raises Refusal."""
        if msisdn is None:
            raise Refusal(CommandStatus.RINVSRCADR, NO_MOBILE if source else "no source address")
        main = msisdn if self._main_number is None else self._main_number(msisdn)
        if main is None:
            raise Refusal(CommandStatus.RINVSRCADR, SECOND_NUMBER_REFUSED)
        return main

    def understand(self, m: MobileOriginated, text: str) -> Understood:
        """What a joined long message means."""
        return self._parse(text, m.route, m.msisdn)

    def broken(
        self, bind: Bind, pdu: SubmitSm | DataSm, arrived: float, error: Exception
    ) -> MobileOriginated:
        """An SMS that a bug kept from being read: as much as can be told of it without that. It is to be
        journaled as failed, without its text, which may hold a password."""
        number = self._numbers.draw()
        none = Route("", "", "", TailKind.NONE, Accepts.NONE, "", None, "not read")
        m = MobileOriginated(
            number, message_id(number), bind, pdu, arrived, pdu.source_addr, pdu.source_addr_ton,
            pdu.source_addr_npi, pdu.destination_addr, "", none, pdu.esm_class, pdu.data_coding,
            pdu.short_message if isinstance(pdu, SubmitSm) else b"", bind.account, bind.number,
            pdu.sequence_number, fault=error,
        )  # fmt: skip
        with contextlib.suppress(Exception):  # whatever was broken may be needed here too
            m.route = self._resolve(pdu.destination_addr)
            m.msisdn = self._msisdn(pdu.source_addr) or ""
        return m
