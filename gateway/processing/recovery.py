"""Recovers what the last run left: SMS in the outbox, parts of long messages, recent SMS per handset."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from gateway.clock import Clock
from gateway.inbound.guard import HANDSETS, Guard, Past
from gateway.inbound.reassembly import KEPT_MS, GivenUp, Reassembly
from gateway.message import Kind, MobileTerminated, StoredPart, message_id
from gateway.observer import Observer
from gateway.outbound.outbox import Outbox
from gateway.processing.addressing import Accounts
from gateway.secrets import Keys, UnsealError
from gateway.storage.contract import Store
from gateway.storage.nodes import SharedStore
from routing.table import Routing

SEALED_BY_ANOTHER_KEY = "sealed with another key"
STEP: Final = 2_000
"""SMS that are taken over at once."""
NO_ACCOUNT: Final = "the account that asked for this receipt is not configured any more"
NODE_SHIFT: Final = 56
"""Bits of a number below those of its node (gateway.message.MessageNumbers)."""


class Recovery:
    """Reads it from the store.

    Args:
        accounts: of the configuration. They say where SMS of other accounts leave.
        before: SMS with a lower number are of earlier runs.
    """

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        keys: Keys,
        accounts: Accounts,
        before: int,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._keys = keys
        self._accounts = accounts
        self._before = before
        self._clock = clock
        self._observer = observer
        self._read_from: int | None = 0
        self._taken_in: set[int] = set()  # while SMS of earlier runs are read

    async def of_nodes(self, until: int) -> None:
        """Take over what named nodes left, where this gateway has their store alone: nobody else does.

        until: as in SharedStore.take_over. Called before anything else of earlier runs is read.
        """
        store = self._store
        if not isinstance(store, SharedStore):
            return
        while found := await store.take_over(until, STEP):
            for each in found:
                self._observer.node_taken_over(each.name, each.sms, each.parts, each.events, each.candidates)
        while await store.take_in(STEP):
            pass  # waiting() reads them with all others

    async def parts(self, reassembly: Reassembly, routing: Routing) -> list[GivenUp]:
        """Recover the parts of long messages, incomplete ones and recently complete ones, not known yet.

        Returns the messages that cannot be completed because their parts were sealed with another key.
        """
        unreadable: dict[object, list[StoredPart]] = {}
        readable = []
        known = reassembly.numbers()
        for part in await self._store.parts():
            if part.number in known:
                continue
            found = self._readable_part(part, routing)
            if found is None:
                key = (part.account, part.source, part.destination, part.part.reference, part.part.total)
                unreadable.setdefault(key, []).append(self._understood(part, routing))
            else:
                readable.append(found)
        reassembly.recover(readable)
        return [GivenUp(each[0], tuple(part.number for part in each)) for each in unreadable.values()]

    async def recent(self, guard: Guard, since: int) -> None:
        """Rebuild the guard from the SMS since `since` (ms)."""
        guard.rebuild(Past(*row) for row in await self._store.recent(since, HANDSETS))

    async def waiting(self) -> None:
        """Hand over SMS of earlier runs, as many as the outbox has room for. Called until all are read."""
        room = self._outbox.limit - self._outbox.depth
        if self._read_from is None or room <= 0:
            return
        rows = await self._store.waiting(self._read_from, room)
        earlier = [sms for sms in rows if not self._is_of_this_run(sms) and sms.number not in self._taken_in]
        self._read_from = rows[-1].number if len(rows) == room else None
        if self._read_from is None:
            self._taken_in.clear()
        mine = [sms for sms in earlier if not self._outbox.holds(sms)]  # an operator had it retried
        now, now_ms = self._clock.monotonic(), self._clock.now_ms()
        self._outbox.hand_over(list(self.readable(mine)), now, now_ms)

    def take_in(self, rows: list[MobileTerminated]) -> None:
        """Hand over SMS that were moved here from other nodes."""
        if self._read_from is not None:
            self._taken_in.update(sms.number for sms in rows)
        mine = [sms for sms in rows if not self._outbox.holds(sms)]  # an earlier call may have failed
        self._outbox.hand_over(list(self.readable(mine)), self._clock.monotonic(), self._clock.now_ms())

    def _is_of_this_run(self, sms: MobileTerminated) -> bool:
        """Numbers of another node tell nothing about it: they come by take_in() meanwhile."""
        return sms.number >= self._before and sms.number >> NODE_SHIFT == self._before >> NODE_SHIFT

    def readable(self, rows: Iterable[MobileTerminated]) -> Iterator[MobileTerminated]:
        """Unseal rows, and park each whose seal does not open; an operator can only drop that."""
        for sms in rows:
            account = self._accounts.of_stored(sms.account, sms.msisdn)
            if account != sms.account:
                if sms.kind is not Kind.SMS:  # nobody else has asked for it
                    self._outbox.drop(sms, NO_ACCOUNT, self._clock.now_ms())
                    continue
                sms.account = account
            if sms.secret:
                name = message_id(sms.number)
                try:
                    sms.text = self._keys.unseal(sms.sealed, name.encode())
                except UnsealError as error:
                    self._observer.sealed("outbox.sealed", name, error)
                    self._outbox.park_stored(sms, SEALED_BY_ANOTHER_KEY)
                    continue
            yield sms

    def _readable_part(self, part: StoredPart, routing: Routing) -> StoredPart | None:
        """Return the part with its octets; None if the key does not open it."""
        if part.complete:
            return part
        name = message_id(part.number)
        try:
            octets = self._keys.unseal_octets(part.octets, name.encode())
        except UnsealError as error:
            self._observer.sealed("part.sealed", name, error)
            return None
        digest = self._keys.digest(octets, bytes((part.data_coding,)))
        return replace(self._understood(part, routing), octets=octets, digest=digest)

    def _understood(self, part: StoredPart, routing: Routing) -> StoredPart:
        """Add what parts stored by earlier versions lack: the sender and the time."""
        sender = part.msisdn or routing.numbers.msisdn(part.source) or ""
        return replace(
            part,
            msisdn=part.msisdn or (routing.main_number(sender) if sender else None) or sender,
            destination=routing.resolve(part.destination).address or part.destination,
            at=part.at or part.deadline - KEPT_MS,
        )
