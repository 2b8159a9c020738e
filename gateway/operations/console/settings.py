"""The sections `console` and `statistics` of the configuration."""

import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from routing.ranges import MobileRanges
from routing.tablefile import Closed

Minutes = Annotated[int, Field(gt=0, le=44_640)]


def _range(text: str) -> str:
    """A mobile, or the first and the last of a range: 13900000000-13900000099."""
    first, _, last = text.partition("-")
    last = last or first
    for each in (first, last):
        if not (len(each) == 11 and each.isascii() and each.isdigit() and each.startswith("1")):
            raise ValueError(
                f"{each!r} is no mobile of 11 digits: write 13900000000 or 13900000000-13900000099"
            )
    if int(last) < int(first):
        raise ValueError(f"ends before it begins: {last} is below {first}")
    return text


_NAME: Final = re.compile(
    r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|\[[0-9a-f:.]+]", re.ASCII | re.IGNORECASE
)


def _host(text: str) -> str:
    """A name of DNS or an address, as the header `Host` has it without its port."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name of a host: without scheme, port and path, such as console.example.net"
        )
    return text


HostName = Annotated[str, AfterValidator(_host)]
PhoneRange = Annotated[str, AfterValidator(_range)]


class ConsoleTls(Closed):
    """The certificate that browsers are shown, and its key (PEM)."""

    cert: Path
    key: Path


class ConsoleListen(Closed):
    """Where browsers connect. port 0: any free one. tls null: plain HTTP, on loopback only."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8161
    tls: ConsoleTls | None = None


class Console(Closed):
    """The web console.

    listen null: there is none. names: names under which browsers reach it, beside the address it listens on
    and those of loopback; a request that names another host is refused. behind_proxy: a proxy on the same
    machine or network ends TLS, so that plain HTTP may be listened to beyond loopback. phones: test numbers
    that the page of phones may play; nothing they do counts in figures. connections, streams: at one time.
    session_minutes: after so many without a request a login ends. session_days: when it ends in any case.
    """

    listen: ConsoleListen | None = ConsoleListen()
    names: tuple[HostName, ...] = ()
    behind_proxy: bool = False
    phones: tuple[PhoneRange, ...] = ()
    connections: Annotated[int, Field(ge=10, le=10_000)] = 200
    streams: Annotated[int, Field(ge=1, le=1_000)] = 50
    session_minutes: Minutes = 60
    session_days: Annotated[int, Field(gt=0, le=31)] = 7

    @cached_property
    def test_numbers(self) -> MobileRanges:
        """The mobiles of `phones`."""
        return MobileRanges(self.phones)


class Statistics(Closed):
    """Figures by day, week and month. enabled false: nothing is counted.

    active_days: days for which it is kept which customers were active; the figures themselves are kept.
    """

    enabled: bool = True
    active_days: Annotated[int, Field(ge=62, le=4_000)] = 400
