"""From a PDU to a MobileOriginated: addresses, alphabet, long-message header, what the text means.

Pure but for the series of numbers. What cannot be taken raises Refusal, which says how to answer.
"""

import contextlib
from collections.abc import Callable, Mapping
from typing import Final

from commands.model import Understood
from gateway.binds import Bind
from gateway.errors import Refusal
from gateway.model import MobileOriginated, Numbers, message_id
from gateway.smpp.coding import Alphabet
from gateway.smpp.long import BrokenUdhError, part_of
from gateway.smpp.pdus import DataSm, SubmitSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import USER_MESSAGE_REFERENCE
from routing.model import Accepts, Route, TailKind
from routing.table import Routing

MESSAGE_TYPE: Final = 0x3C
"""Bits of esm_class that say what an SMS is; only 0, a plain message, is a text (SMPP 3.4 section 5.2.12)."""

Parse = Callable[[str, Route, str], Understood]


class Intake:
    """Reads submit_sm and data_sm."""

    __slots__ = ("_alphabets", "_numbers", "_parse", "_routing")

    def __init__(
        self, routing: Routing, parse: Parse, alphabets: Mapping[str, Alphabet], numbers: Numbers
    ) -> None:
        self._routing = routing
        self._parse = parse
        self._alphabets = alphabets
        self._numbers = numbers

    def take(self, bind: Bind, pdu: SubmitSm | DataSm, arrived: float) -> MobileOriginated:
        """The SMS in a request. Raises Refusal.

        A sender that is no mobile (a short code, say) is taken with an empty msisdn and gets no SMS.
        """
        esm_class = pdu.esm_class
        if esm_class & MESSAGE_TYPE:
            raise Refusal(CommandStatus.RINVESMCLASS, f"esm_class 0x{esm_class:02X} is no plain message")
        if not pdu.source_addr:
            raise Refusal(CommandStatus.RINVSRCADR, "no source address")
        routing = self._routing
        route = routing.resolve(pdu.destination_addr)
        if route.refused is not None:
            raise Refusal(CommandStatus.RINVDSTADR, route.refused)
        msisdn = routing.numbers.msisdn(pdu.source_addr) or ""
        octets = pdu.short_message if type(pdu) is SubmitSm else b""
        part = None
        if pdu.tlvs or esm_class & 0x40:
            try:
                part, octets = part_of(octets, esm_class, pdu.tlvs)
            except BrokenUdhError as error:
                raise Refusal(CommandStatus.RINVMSGLEN, str(error)) from error
        if part is not None and route.accepts is Accepts.PASSWORD:
            raise Refusal(CommandStatus.RINVMSGLEN, "a password comes in one SMS, not in parts")
        number = self._numbers.draw()
        m = MobileOriginated(
            number,
            message_id(number),
            bind,
            pdu,
            arrived,
            pdu.source_addr,
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            pdu.destination_addr,
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
        if part is None and msisdn:
            text = self._alphabets[bind.account].decode(octets, pdu.data_coding)
            m.understood = self._parse(text, route, msisdn)
        return m

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
            m.route = self._routing.resolve(pdu.destination_addr)
            m.msisdn = self._routing.numbers.msisdn(pdu.source_addr) or ""
        return m
