"""The result of executing an SMS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from commands.model import Hidden, Result, Understood
from gateway.channels.contract import CannotSend
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.message import PART, TABLES, JournalEntry, MobileTerminated
from routing.model import Accepts

UNKNOWN_PROVINCE = "000"


# Members named once: in Python 3.11 a look-up in an enumeration costs 70 ns, and each SMS makes many.
_PASSWORD: Final = Accepts.PASSWORD


@dataclass(slots=True, eq=False)
class Handled:
    """An executed SMS, or a part that waits for others: what the journal keeps of it, and its replies.

    text: what the journal keeps of it; empty where `hidden` says why. result: commands.model.Result, or PART.
    detail: what a trace and a replay need in addition.
    """

    m: MobileOriginated
    instruction: str = ""
    province: str = UNKNOWN_PROVINCE
    hidden: Hidden = Hidden.NONE
    text: str = ""
    result: str = ""
    detail: Mapping[str, object] | None = None
    replies: Sequence[MobileTerminated] = ()

    @classmethod
    def part(cls, m: MobileOriginated) -> "Handled":
        """Make the result of a part that waits for the others."""
        return cls(m, province=m.route.province or UNKNOWN_PROVINCE, result=PART)

    def understood_as(self, understood: Understood) -> None:
        """Keep the meaning of a text, and the text itself unless it is or may be a password."""
        self.instruction = understood.id
        hidden = Hidden.PASSWORD if self.m.route.accepts is _PASSWORD else understood.hidden
        self.hidden = hidden
        self.text = "" if hidden else understood.text

    def failed(self, error: Exception) -> None:
        """Mark the SMS as failed: by a bug, by a rule of the store, or as what it causes cannot leave."""
        if self.m.understood is not None:
            self.understood_as(self.m.understood)
        if self.province == UNKNOWN_PROVINCE:
            self.province = self.m.route.province or UNKNOWN_PROVINCE
        self.result = Result.FAILED.value
        self.detail = {"error": str(error) if isinstance(error, CannotSend) else type(error).__name__}

    def entry(self) -> JournalEntry:
        """Make the row for the journal. Its detail has the version of the tables too."""
        m = self.m
        came, route = m.came, m.route
        bind = came.bind
        return JournalEntry(
            m.number,
            m.at,
            bind.account,
            bind.number,
            came.sequence,
            came.source,
            came.destination,
            m.msisdn,
            route.access_code,
            route.prefix,
            self.province,
            came.esm_class,
            came.data_coding,
            m.parts,
            self.instruction,
            self.result,
            self.text,
            {TABLES: m.tables.version} if self.detail is None else {**self.detail, TABLES: m.tables.version},
            m.digest,
            self.hidden._value_,
        )
