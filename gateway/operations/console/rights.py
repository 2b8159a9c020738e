"""Who may do what at the console: rights, the roles that have them, and whose customers a viewer sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Right(StrEnum):
    """What a page, a stream or a route of the API asks for."""

    OVERVIEW = "overview"
    PHONES = "phones"  # be a test handset
    MESSAGES = "messages"  # search SMS and read one, numbers masked
    CUSTOMERS = "customers"  # look a customer up, numbers masked
    UNMASK = "unmask"  # open a masked number or a text; each time is logged
    ACT = "act"  # unlock, reset a password, open, cancel, suspend, resume
    FIGURES = "figures"
    EXPORT = "export"  # figures as CSV and XLSX
    TABLES = "tables"
    RELOAD = "reload"  # put tables in force
    ACCOUNTS = "accounts"  # see who has an account, and what was done at the console
    OWN = "own"  # see and change one's own account
    METRICS = "metrics"  # scrape /metrics from another machine


class Role(StrEnum):
    """What an account is for."""

    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"
    CUSTOMER_SERVICE = "customer-service"
    READER = "reader"


ROLES: Final[Mapping[Role, frozenset[Right]]] = MappingProxyType(
    {
        Role.ADMINISTRATOR: frozenset(Right),
        Role.OPERATOR: frozenset(
            {
                *(Right.OVERVIEW, Right.PHONES, Right.MESSAGES, Right.UNMASK, Right.FIGURES, Right.EXPORT),
                *(Right.TABLES, Right.RELOAD, Right.OWN, Right.METRICS),
            }
        ),
        Role.CUSTOMER_SERVICE: frozenset(
            {Right.MESSAGES, Right.CUSTOMERS, Right.UNMASK, Right.ACT, Right.TABLES, Right.OWN}
        ),
        Role.READER: frozenset({Right.OVERVIEW, Right.FIGURES, Right.TABLES, Right.OWN, Right.METRICS}),
    }
)
"""Role -> its rights."""

HEADQUARTERS: Final = "000"
"""The scope that sees every province."""

OF_HEADQUARTERS: Final = frozenset({Right.RELOAD, Right.ACCOUNTS, Right.METRICS})
"""Rights that no account of a province has: they are about the gateway as a whole."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. name: of the account. province: code of the only one that it sees; HEADQUARTERS: all."""

    name: str
    role: Role
    province: str = HEADQUARTERS

    @property
    def sees_all(self) -> bool:
        """Whether it is headquarters."""
        return self.province == HEADQUARTERS

    @property
    def rights(self) -> frozenset[Right]:
        """What it may do, with the customers that it sees."""
        rights = ROLES[self.role]
        return rights if self.sees_all else rights - OF_HEADQUARTERS

    def may(self, right: Right) -> bool:
        """Whether it has a right."""
        return right in self.rights

    def sees(self, province: str) -> bool:
        """Whether it sees what belongs to a province (code of a customer's home)."""
        return self.sees_all or province == self.province
