"""`pdus` over the control socket: sends what a watch shows, until the time is over or the client goes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from typing import Any, Final, Protocol

from gateway.operations.control import CommandRefused, Item
from gateway.operations.logs import mask_numbers

PACE: Final = 0.02
"""Seconds between two looks at a watch."""
AT_ONCE: Final = 20
"""PDUs decoded in one look: the gateway goes on in between. With PACE, 1000 a second at most."""
TELL_EVERY: Final = 1.0
"""Seconds between two items that count dropped PDUs."""
LONGEST: Final = 86_400
"""Seconds that a watch may last."""


class Watch(Protocol):
    """Holds what passed (gateway.channels.smpp.showing.DisplayedWatch)."""

    @property
    def dropped(self) -> int:
        """How many PDUs found no room, since the start."""

    def take(self, most: int) -> list[dict[str, Any]]:
        """What passed first; it is held no more."""

    def close(self) -> None:
        """Watch no more."""


class Watchable(Protocol):
    """What PDUs pass through."""

    def watch(self, account: str, connection: str, *, octets: bool) -> Watch:
        """Watch an account or a connection. Raises ValueError with the reason why not."""


class Pdus:
    """The stream of `fetion-gateway pdus`. monotonic: seconds, of the real clock. masked: whether the middle
    digits of mobile numbers are hidden (logging.mask_msisdn)."""

    def __init__(self, watchable: Watchable, monotonic: Callable[[], float], *, masked: bool) -> None:
        self._watchable = watchable
        self._monotonic = monotonic
        self._masked = masked

    async def stream(
        self, account: str, connection: str, seconds: str, octets: str
    ) -> AsyncIterator[list[Item]]:
        """Give what passes, in lists that may be empty. octets: "yes" to show them too.

        An item is {"pdu": ...}, {"dropped": how many since the last item of that kind}, or at the end
        {"ended": {"shown": ..., "dropped": ...}}. Raises CommandRefused before the first list.
        """
        if bool(account) == bool(connection):
            raise CommandRefused("pdus takes an account or a connection: one of them")
        lasting = _seconds(seconds)
        try:
            watch = self._watchable.watch(account, connection, octets=octets == "yes")
        except ValueError as error:
            raise CommandRefused(str(error)) from error
        with closing(watch):
            yield [{"watching": account or connection}]
            end = self._monotonic() + lasting
            shown = dropped = 0
            tell_at = self._monotonic()
            while True:
                now = self._monotonic()
                over = now >= end
                items: list[Item] = [{"pdu": self._mask(each)} for each in watch.take(AT_ONCE)]
                shown += len(items)
                if watch.dropped > dropped and (over or now >= tell_at):
                    items.append({"dropped": watch.dropped - dropped})
                    dropped, tell_at = watch.dropped, now + TELL_EVERY
                if over:
                    items.append({"ended": {"shown": shown, "dropped": dropped}})
                yield items
                if over:
                    return
                await asyncio.sleep(PACE)

    def _mask(self, pdu: dict[str, Any]) -> dict[str, Any]:
        return dict(mask_numbers(None, "", pdu)) if self._masked else pdu


def _seconds(text: str) -> int:
    """Raises CommandRefused for what is no number of seconds from 1 to LONGEST."""
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= LONGEST):
        raise CommandRefused(f"seconds must be a whole number from 1 to {LONGEST}, not {text!r}")
    return int(text)
