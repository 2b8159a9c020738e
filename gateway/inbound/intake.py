"""Makes a MobileOriginated of an Inbound: finds its sender, its route and the meaning of its text.

Pure except for the series of message numbers. Raises Refusal, which says why, for an SMS that it cannot take.
"""

import contextlib
from typing import Final

from commands.model import Understood
from commands.tables import InForce, Tables
from gateway.channels.contract import Inbound
from gateway.errors import Refusal, Verdict
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import message_id
from gateway.message_numbers import MessageNumbers
from routing.model import Accepts, Route, TailKind
from routing.table import SECOND_NUMBER_REFUSED

NO_MOBILE: Final = "the sender is no mobile number"
_PASSWORD: Final = Accepts.PASSWORD
_NOT_READ: Final = Route("", "", "", TailKind.NONE, Accepts.NONE, "", None, "not read")


class Intake:
    """Reads what channels hand over."""

    __slots__ = ("_in_force", "_numbers")

    def __init__(self, in_force: InForce, numbers: MessageNumbers) -> None:
        self._in_force = in_force
        self._numbers = numbers

    def read(self, came: Inbound) -> MobileOriginated:
        """Read an SMS. A part of a long message has no meaning yet.

        Raises Refusal for a destination that is not ours, for a sender that is not a mobile (nobody could be
        answered), for what the peer may not use, and for a password in parts.
        """
        if came.fault is not None:
            raise came.fault
        tables, source = self._in_force.tables, came.source
        mobile = msisdn = tables.msisdn(source)
        if msisdn is None or tables.main_number is not None:
            msisdn = _customer(tables, source, msisdn)
        route = tables.resolve(came.destination)
        if route.refused is not None:
            raise Refusal(Verdict.UNKNOWN_DESTINATION, route.refused)
        if came.allowed is not None:
            came.allowed.check(mobile or msisdn, route.access_code)
        password = route.accepts is _PASSWORD
        if came.part is not None:
            if password:
                raise Refusal(Verdict.UNREADABLE, "a password comes in one SMS, not in parts")
            understood = None
        elif password and came.alphabet.in_doubt(came.octets, came.data_coding):
            understood = tables.in_doubt(route, msisdn)
        else:
            text = came.alphabet.decode(came.octets, came.data_coding)
            understood = tables.parse(text, route, msisdn)
        number = self._numbers.draw()
        return MobileOriginated(number, message_id(number), came, msisdn, route, tables, understood)

    def understand(self, m: MobileOriginated, text: str) -> Understood:
        """Parse the text of a joined long message."""
        return m.tables.parse(text, m.route, m.msisdn)

    def faulted(self, came: Inbound, error: Exception) -> MobileOriginated:
        """Make what is possible of an SMS that could not be read because of a bug.

        It is journaled as failed and without its text, which may hold a password.
        """
        number, tables = self._numbers.draw(), self._in_force.tables
        m = MobileOriginated(number, message_id(number), came, "", _NOT_READ, tables, fault=error)
        with contextlib.suppress(Exception):  # whatever was broken may be needed here too
            m.route = tables.resolve(came.destination)
            m.msisdn = tables.msisdn(came.source) or ""
        return m


def customer_of(tables: Tables, source: str) -> str:
    """Return the number of the customer who sends from this address. Raises Refusal."""
    return _customer(tables, source, tables.msisdn(source))


def _customer(tables: Tables, source: str, msisdn: str | None) -> str:
    """Return the customer's number for a sender whose mobile is `msisdn`. Raises Refusal."""
    if msisdn is None:
        raise Refusal(Verdict.BAD_SOURCE, NO_MOBILE if source else "no source address")
    main = msisdn if tables.main_number is None else tables.main_number(msisdn)
    if main is None:
        raise Refusal(Verdict.BAD_SOURCE, SECOND_NUMBER_REFUSED)
    return main
