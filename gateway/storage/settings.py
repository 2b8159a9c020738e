"""The section `storage` of the configuration: where the store is."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field

from routing.tablefile import Closed

_STORES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sqlite": (
            r"sqlite:///[^?#:]*[^?#:/]",
            "must be sqlite:///relative/path or sqlite:////absolute/path",
        ),
        "postgresql": (
            r"postgresql://([^/?#@]*@)?[^/?#@]*/[^/?#@]+(\?[^#]*)?",
            "must be postgresql://user:password@host:port/database,"
            " with %40 for @, %2F for /, %3F for ? and %23 for # in a password",
        ),
    }
)
"""What a URL of each scheme has to look like, and what is said where it does not."""


def _url(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    if separator and scheme not in _STORES:
        raise ValueError(f"{scheme}: is no engine: must begin with one of: sqlite:///, postgresql://")
    form, fault = _STORES[scheme if separator else "sqlite"]
    if not re.fullmatch(form, url):
        raise ValueError(fault)  # without the URL: there may be a password in it
    return url


class Retention(Closed):
    """journal_days: days after which messages, closed SMS, product records and the audit are deleted."""

    journal_days: Annotated[int, Field(gt=0)] = 90


class Storage(Closed):
    """url: sqlite:///path, or postgresql://user:password@host:port/database. key_file: the key for sealed
    values and digests, made at the first start."""

    url: Annotated[str, AfterValidator(_url), Field(repr=False)] = "sqlite:///var/fetion.db"
    key_file: Path = Path("var/fetion.key")
    retention: Retention = Retention()

    @property
    def in_file(self) -> bool:
        """Whether the store is a file, not on a server."""
        return self.url.startswith("sqlite:")

    @property
    def path(self) -> Path:
        """The file of the store. Of one on a server the key file, as what this machine has of it: the control
        socket stands beside it."""
        return Path(self.url.removeprefix("sqlite:///")) if self.in_file else self.key_file

    @property
    def lacking(self) -> bool:
        """Whether the file of the store is not there. Of one on a server only the server knows."""
        return self.in_file and not self.path.exists()

    @property
    def place(self) -> str:
        """What messages call the store: its path, or its URL without password and options."""
        if self.in_file:
            return str(self.path)
        return re.sub(r"//([^/@:]*):[^/@]*@", r"//\1@", self.url.partition("?")[0])
