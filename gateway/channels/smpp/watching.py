"""Copies of the PDUs that pass through connections, for operators who look for a fault while it happens.

Nothing is copied unless somebody watches: a connection without a watch has no tap. A watch holds what passed
until it is taken, MOST_PDUS and MOST_OCTETS at most; beyond that it counts what it drops.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

from gateway.message import MobileTerminated
from gateway.net.admission import address_of
from gateway.net.connection import Connection
from gateway.smpp.errors import FrameError
from gateway.smpp.framing import FrameSplitter
from gateway.smpp.pdus import (
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
)

MOST_PDUS: Final = 2000
MOST_OCTETS: Final = 1 << 20
MOST_WATCHES: Final = 4
"""Watches at one time."""

SECRET: Final = "it holds a password"
PART: Final = "a part of a long message"
UNKNOWN: Final = "of no SMS that waits for a response"
_REQUESTS: Final = frozenset({DeliverSm.command_id, SubmitSm.command_id, DataSm.command_id})
"""Requests of ours that carry an SMS to a handset."""
_RESPONSES: Final = frozenset(
    {DeliverSmResp.command_id, SubmitSmResp.command_id, DataSmResp.command_id, GenericNack.command_id}
)


class Together(Collection[Connection]):
    """The connections of several collections, as they are now."""

    def __init__(self, *parts: Collection[Connection]) -> None:
        self._parts = parts

    def __contains__(self, connection: object) -> bool:
        return any(connection in part for part in self._parts)

    def __iter__(self) -> Iterator[Connection]:
        return chain(*self._parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


class CannotWatch(ValueError):
    """Nothing can be watched under that name, or too many watch already; the text says which."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A PDU that passed, or what else happened to a connection.

    at: milliseconds since the epoch. account: "" before a bind. octets: the whole PDU; empty where `said`
    says what happened. hidden: why nothing of its content may be shown, as far as the session knows that.
    """

    at: int
    incoming: bool
    peer: str
    account: str
    octets: bytes
    hidden: str = ""
    said: str = ""


class Watch:
    """What one operator watches: an account, or connections by address. dropped: PDUs that found no room,
    since the start."""

    def __init__(
        self, account: str, peer: str, now_ms: Callable[[], int], ended: Callable[["Watch"], None]
    ) -> None:
        self.dropped = 0
        self._account = account
        self._peer = peer
        self._now_ms = now_ms
        self._ended = ended
        self._passed: deque[Passed] = deque()
        self._octets = 0

    def wants(self, connection: Connection, account: str) -> bool:
        """Whether it watches this connection, which is bound to an account, or to none yet ("")."""
        if self._account:
            return account == self._account
        return self._peer in (connection.peer, connection.peer_host)

    def put(
        self, connection: Connection, account: str, octets: bytes, hidden: str, *, incoming: bool
    ) -> None:
        """Hold a PDU, or count it as dropped."""
        self._hold(Passed(self._now_ms(), incoming, connection.peer, account, octets, hidden))

    def say(self, connection: Connection, account: str, said: str) -> None:
        """Hold what happened to a connection."""
        self._hold(
            Passed(
                self._now_ms(), incoming=True, peer=connection.peer, account=account, octets=b"", said=said
            )
        )

    def _hold(self, passed: Passed) -> None:
        if len(self._passed) >= MOST_PDUS or self._octets + len(passed.octets) > MOST_OCTETS:
            self.dropped += 1
            return
        self._octets += len(passed.octets)
        self._passed.append(passed)

    def take(self, most: int) -> list[Passed]:
        """What passed first, and is held no more."""
        taken = [self._passed.popleft() for _ in range(min(most, len(self._passed)))]
        self._octets -= sum(len(each.octets) for each in taken)
        return taken

    def close(self) -> None:
        """Watch no more."""
        self._ended(self)


class Watches:
    """The watches of one channel. connections: all that are open. accounts: those that may bind. broken: told
    of a bug met here, which ends what is watched of a connection and nothing else."""

    def __init__(
        self,
        connections: Collection[Connection],
        accounts: Collection[str],
        broken: Callable[[Exception], None],
    ) -> None:
        self._connections = connections
        self._known = accounts
        self._broken = broken
        self._accounts: dict[Connection, str] = {}
        self._watches: list[Watch] = []

    def open(self, account: str, peer: str, now_ms: Callable[[], int]) -> Watch:
        """Watch an account, or connections: `peer` is an address with a port (one connection that is open) or
        without (all from there, those to come too). Raises CannotWatch.
        """
        if account and account not in self._known:
            raise CannotWatch(f"no account {account!r}; there are: {', '.join(sorted(self._known))}")
        if not account and address_of(peer) is None and all(peer != each.peer for each in self._connections):
            raise CannotWatch(
                f"no connection {peer!r}: name one that is open as ADDRESS:PORT (binds and the log show it as"
                " remote), or an ADDRESS alone for all connections from there, also those to come"
            )
        if len(self._watches) >= MOST_WATCHES:
            raise CannotWatch(f"{MOST_WATCHES} watch already: end one of them")
        watch = Watch(account, peer if account else str(address_of(peer) or peer), now_ms, self._ended)
        self._watches.append(watch)
        for connection in self._connections:
            self._look(connection)
        return watch

    def connected(self, connection: Connection) -> None:
        """A connection is open."""
        if self._watches:
            self._look(connection)

    def bound(self, connection: Connection, account: str) -> None:
        """A connection is bound."""
        self._accounts[connection] = account
        if self._watches:
            self._look(connection)

    def lost(self, connection: Connection) -> None:
        """A bound connection is gone."""
        self._accounts.pop(connection, None)

    def _look(self, connection: Connection) -> None:
        """Give a connection a tap if somebody watches it, else take it away."""
        account = self._accounts.get(connection, "")
        wanting = [each for each in self._watches if each.wants(connection, account)]
        tap = connection.tap
        if not wanting:
            connection.tap = None
        elif isinstance(tap, _Tap):
            tap.watches, tap.account = wanting, account
        else:
            connection.tap = _Tap(connection, account, wanting, self._broken)

    def _ended(self, watch: Watch) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
            for connection in self._connections:
                self._look(connection)


class _Tap:
    """Finds the PDUs in what passes through one connection (gateway.net.connection.Tap)."""

    def __init__(
        self, connection: Connection, account: str, watches: list[Watch], broken: Callable[[Exception], None]
    ) -> None:
        self.account = account
        self.watches = watches
        self._connection = connection
        self._broken = broken
        self._splitter = FrameSplitter(connection.session.limits.max_pdu)
        self._splitter.feed(connection.session.begun)
        self._readable = True

    def incoming(self, octets: bytes) -> None:
        """Octets of the peer."""
        if not self._readable:
            return
        try:
            try:
                frames = self._splitter.feed(octets)
            except FrameError as error:
                self._readable = False
                self._pass_on(list(error.frames), incoming=True)
                # Without the reason, which quotes octets that may be of a text.
                self.say("octets that are no PDU: the rest of what the peer sends cannot be read")
            else:
                self._pass_on(frames, incoming=True)
        except Exception as error:  # the boundary for bugs of a watch: the session does not notice
            self._fail(error)

    def outgoing(self, octets: bytes) -> None:
        """Octets of ours: whole PDUs."""
        try:
            self._pass_on(FrameSplitter().feed(octets), incoming=False)
        except Exception as error:  # the boundary for bugs of a watch: the session does not notice
            self._fail(error)

    def closed(self, reason: str) -> None:
        """The connection is gone. The reason of a lost stream quotes octets, as above."""
        self.say(f"closed: {reason}" if self._readable else "closed")

    def say(self, text: str) -> None:
        """Tell what happened to the connection."""
        for watch in self.watches:
            watch.say(self._connection, self.account, text)

    def _pass_on(self, frames: list[bytes], *, incoming: bool) -> None:
        for frame in frames:
            hidden = self._hidden(frame, incoming=incoming)
            for watch in self.watches:
                watch.put(self._connection, self.account, frame, hidden, incoming=incoming)

    def _hidden(self, frame: bytes, *, incoming: bool) -> str:
        """Why nothing of an SMS to a handset, or of its response, may be shown; "" where that is not known.

        The SMS is asked now, while it waits in the window: no octet says whether it holds a password. A peer
        may send any octets of it back behind the header of its response.
        """
        if int.from_bytes(frame[4:8], "big") not in (_RESPONSES if incoming else _REQUESTS):
            return ""
        sms = self._connection.session.context_of(int.from_bytes(frame[12:16], "big"))
        if not isinstance(sms, MobileTerminated):
            return UNKNOWN
        if sms.secret:
            return SECRET
        return PART if sms.parts > 1 else ""

    def _fail(self, error: Exception) -> None:
        self._connection.tap = None
        self._broken(error)
