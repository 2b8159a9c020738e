"""Makes a MobileOriginated of an Inbound: finds its sender, its route and the meaning of its text.

Pure except for the series of message numbers. Raises Refusal, which says why, for an SMS that it cannot take.
"""

import contextlib
from typing import Final, Protocol

from commands.model import Understood
from gateway.channels.contract import Inbound
from gateway.errors import Refusal, Verdict
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import MessageNumbers, message_id
from routing.model import Accepts, Route, TailKind
from routing.table import SECOND_NUMBER_REFUSED, Routing

NO_MOBILE: Final = "the sender is no mobile number"
_PASSWORD: Final = Accepts.PASSWORD
_NOT_READ: Final = Route("", "", "", TailKind.NONE, Accepts.NONE, "", None, "not read")


class TextReader(Protocol):
    """Says what texts mean (commands.parser.Parser)."""

    def parse(self, text: str, route: Route, sender: str) -> Understood:
        """Parse a text that `sender` sent to `route`."""

    def password_in_doubt(self, route: Route, sender: str) -> Understood:
        """Return the meaning of a password whose last character may be padding."""


class Intake:
    """Reads what channels hand over."""

    __slots__ = ("_in_doubt", "_main_number", "_msisdn", "_numbers", "_parse", "_resolve")

    def __init__(self, routing: Routing, reader: TextReader, numbers: MessageNumbers) -> None:
        self._resolve = routing.resolve
        self._msisdn = routing.numbers.msisdn
        self._main_number = routing.main_number if routing.has_second_numbers else None
        self._parse = reader.parse
        self._in_doubt = reader.password_in_doubt
        self._numbers = numbers

    def read(self, came: Inbound) -> MobileOriginated:
        """Read an SMS. A part of a long message has no meaning yet.

        Raises Refusal for a destination that is not ours, for a sender that is not a mobile (nobody could be
        answered), and for a password in parts.
        """
        if came.fault is not None:
            raise came.fault
        source = came.source
        msisdn = self._msisdn(source)
        if msisdn is None or self._main_number is not None:
            msisdn = self._customer(source, msisdn)
        route = self._resolve(came.destination)
        if route.refused is not None:
            raise Refusal(Verdict.UNKNOWN_DESTINATION, route.refused)
        password = route.accepts is _PASSWORD
        if came.part is not None:
            if password:
                raise Refusal(Verdict.UNREADABLE, "a password comes in one SMS, not in parts")
            understood = None
        elif password and came.alphabet.in_doubt(came.octets, came.data_coding):
            understood = self._in_doubt(route, msisdn)
        else:
            text = came.alphabet.decode(came.octets, came.data_coding)
            understood = self._parse(text, route, msisdn)
        number = self._numbers.draw()
        return MobileOriginated(number, message_id(number), came, msisdn, route, understood)

    def _customer(self, source: str, msisdn: str | None) -> str:
        """Return the customer's number for a sender whose mobile is `msisdn`. Raises Refusal."""
        if msisdn is None:
            raise Refusal(Verdict.BAD_SOURCE, NO_MOBILE if source else "no source address")
        main = msisdn if self._main_number is None else self._main_number(msisdn)
        if main is None:
            raise Refusal(Verdict.BAD_SOURCE, SECOND_NUMBER_REFUSED)
        return main

    def understand(self, m: MobileOriginated, text: str) -> Understood:
        """Parse the text of a joined long message."""
        return self._parse(text, m.route, m.msisdn)

    def faulted(self, came: Inbound, error: Exception) -> MobileOriginated:
        """Make what is possible of an SMS that could not be read because of a bug.

        It is journaled as failed and without its text, which may hold a password.
        """
        number = self._numbers.draw()
        m = MobileOriginated(number, message_id(number), came, "", _NOT_READ, fault=error)
        with contextlib.suppress(Exception):  # whatever was broken may be needed here too
            m.route = self._resolve(came.destination)
            m.msisdn = self._msisdn(came.source) or ""
        return m
