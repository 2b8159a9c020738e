"""Sorts the SMS of a batch into new ones and retransmissions, and joins parts of long messages."""

from collections.abc import Callable
from dataclasses import replace

from commands.model import Hidden, Misunderstood, Result, Understood
from gateway.errors import EXPIRED, STOPPING, Refusal, Verdict
from gateway.inbound.intake import Intake
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import NoRoom, Reassembly
from gateway.inbound.retransmissions import LATE_MS, Found, Retransmissions
from gateway.message import Retransmission
from gateway.processing.prepared import Prepared
from gateway.processing.resends import Doubt, Resends
from gateway.secrets import Keys

_PASSWORDS = frozenset(("password", "password_hash"))


class Recognition:
    """Sorts the SMS of batches.

    resends: None where no other gateway uses the store. stopping: whether no SMS is held any more.
    """

    def __init__(
        self,
        intake: Intake,
        retransmissions: Retransmissions,
        reassembly: Reassembly,
        keys: Keys,
        resends: Resends | None = None,
        stopping: Callable[[], bool] = bool,
    ) -> None:
        self._intake = intake
        self._retransmissions = retransmissions
        self._reassembly = reassembly
        self._keys = keys
        self._resends = resends
        self._stopping = stopping

    async def fresh(
        self, batch: list[MobileOriginated], prepared: Prepared, now_ms: int
    ) -> list[MobileOriginated]:
        """Return the SMS of a batch that are new, parts that wait included; put the others into `prepared`.

        Raises StorageError.
        """
        self._reassembly.begin()
        retransmissions = self._retransmissions
        digest = self._digest
        for m in batch:
            m.at = now_ms
            m.digest = digest(m)
        wanted = [m.digest for m in batch] if retransmissions.possible else []
        doubt = None if self._resends is None else await self._resends.look(wanted, prepared.moment)
        found = await retransmissions.find(wanted, prepared.moment)
        late, late_before = prepared.late, prepared.late_before
        fresh = []
        for m in batch:
            came = m.came
            if (
                not wanted
                and came.part is None
                and not came.expires_at
                and came.arrived >= late_before
                and not late
            ):
                fresh.append(m)  # as nearly all: nothing is in doubt, and it came a moment ago
                continue
            if doubt is not None and self._waits(m, doubt, found):
                if self._stopping():
                    prepared.refused.append((m, STOPPING))
                else:
                    prepared.held.append(m)
                continue
            try:
                if self._is_new(m, prepared, found):
                    fresh.append(m)
                    if doubt is not None and (ordinal := doubt.ordinal(m.digest)):
                        prepared.commit.ordinals[m.number] = ordinal
            except Exception as error:  # the boundary for bugs while parts are joined, and read
                m.fault = error
                fresh.append(m)
        return fresh

    def take_back(self, batch: list[MobileOriginated]) -> None:
        """Undo the changes of a batch that was not stored: its parts wait again."""
        self._reassembly.roll_back()
        for m in batch:
            if m.joined:
                m.understood = None
                m.joined = m.asked = ()

    def _digest(self, m: MobileOriginated) -> bytes:
        """Return the digest by which a retransmission is recognised (DESIGN section 5, Resends)."""
        came = m.came
        part, reference = came.part, came.reference
        return self._keys.digest(
            came.bind.account.encode(),
            came.source.encode("latin-1"),
            came.destination.encode("latin-1"),
            bytes((came.esm_class, came.data_coding)),
            b"" if part is None else f"{part.kind}.{part.reference}.{part.total}.{part.number}".encode(),
            b"" if reference is None else reference.to_bytes(2, "big"),
            came.octets,
        )

    def _waits(self, m: MobileOriginated, doubt: Doubt, found: Found) -> bool:
        """Return whether an SMS waits for what another node knows of it, or behind one that does."""
        certain = found.has(m.digest) or not self._retransmissions.looks_for(m.came.bind.account)
        return doubt.holds(m, certain=certain)

    def _is_new(self, m: MobileOriginated, prepared: Prepared, found: Found) -> bool:
        """Return whether an SMS is new. Retransmissions are not, nor SMS whose validity is over, nor parts
        for which there is no room."""
        came = m.came
        bind = came.bind
        looked_for = self._retransmissions.looks_for(bind.account)
        late = looked_for and came.arrived < prepared.late_before
        if looked_for:
            number = found.take(m.digest)
            if number is not None:
                prepared.repeats.append((m, number))
                prepared.commit.repeats.append(Retransmission(number, bind.number, m.at))
                if late:
                    prepared.late[m.digest] = (number, came.arrived)
                return False
            original, arrived = prepared.late.get(m.digest, (None, 0.0))
            # Nobody retransmits earlier: two equal SMS within that time are two.
            if original is not None and came.arrived - arrived >= LATE_MS / 1000:
                prepared.late_repeats.append((m, original))
                return False
        if came.expires_at and came.expires_at <= m.at:
            prepared.refused.append((m, EXPIRED))
            return False
        if came.part is not None and m.fault is None:
            try:
                self._join(m, prepared)
            except NoRoom as reason:
                prepared.refused.append((m, Refusal(Verdict.QUEUE_FULL, str(reason))))
                return False
        if late:
            prepared.late[m.digest] = (m.number, came.arrived)
        return True

    def _join(self, m: MobileOriginated, prepared: Prepared) -> None:
        came = m.came
        assert came.part is not None
        m.parts = came.part.total
        commit = prepared.commit
        joined = self._reassembly.add(m, self._keys.digest(came.octets, bytes((came.data_coding,))))
        commit.parts_gone += joined.gone
        commit.parts_complete += joined.complete
        if joined.stored is not None:
            stored = joined.stored
            if not stored.complete:
                # It may be half of an attempt at a password, which shows only when the others have come.
                stored = replace(stored, octets=self._keys.seal_octets(came.octets, m.message_id.encode()))
            commit.parts.append(stored)
        if joined.given_up is not None:
            prepared.given_up.append(joined.given_up)
        if joined.text is not None:
            m.joined, m.asked = joined.joined, joined.asked
            m.understood = _without_hash(m, self._intake.understand(m, joined.text))


def _without_hash(m: MobileOriginated, understood: Understood) -> Understood:
    """Explain how to send a password that came in parts: it comes too late to be hashed."""
    commands = m.tables.commands
    if not understood.hidden or _PASSWORDS.isdisjoint(commands.draws(understood)):
        return understood
    return Misunderstood(
        "misunderstood",
        understood.sender,
        understood.route,
        understood.text,
        commands.table.rows[understood.id].usage,
        hidden=Hidden.PASSWORD,
        result=Result.USAGE,
    )
