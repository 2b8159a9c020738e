"""A processed batch, before its commit."""

from collections import Counter
from dataclasses import dataclass, field

from gateway.errors import Refusal
from gateway.inbound.mobile_originated import MobileOriginated
from gateway.inbound.reassembly import GivenUp
from gateway.message import Commit
from gateway.processing.handled import Handled
from gateway.processing.operator_bind import Action


@dataclass(slots=True)
class Prepared:
    """The commit of a batch, and how its SMS are answered after it.

    moment: when the batch began (monotonic seconds). late: SMS that arrived before `late_before`, so that the
    SMSC may have sent them again already: digest -> number and arrival. late_repeats: such retransmissions
    within this batch, with that number. repeats: retransmissions of SMS of earlier batches. given_up: long
    messages whose senders are told that they are incomplete. admitted, counted: what the guard counted, to be
    taken back when the batch is not stored. lost_notices: number and handset of parts whose sender could not
    be told, and the bug that prevented it. held: SMS that wait for what another node knows of
    them. elsewhere: how many SMS of this commit leave at which other nodes (numbers). handed_in: when the
    commit was handed to the store (monotonic seconds); None: there was nothing to store. acting: actions of
    operators in this batch, by number.
    """

    commit: Commit
    moment: float = 0.0
    late_before: float = 0.0
    handed_in: float | None = None
    given_up: list[GivenUp] = field(default_factory=list)
    admitted: list[str] = field(default_factory=list)
    counted: list[str] = field(default_factory=list)
    late: dict[bytes, tuple[int, float]] = field(default_factory=dict)
    late_repeats: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    done: list[Handled] = field(default_factory=list)
    repeats: list[tuple[MobileOriginated, int]] = field(default_factory=list)
    refused: list[tuple[MobileOriginated, Refusal]] = field(default_factory=list)
    faults: list[tuple[Handled, Exception]] = field(default_factory=list)
    lost_notices: list[tuple[int, str, Exception]] = field(default_factory=list)
    held: list[MobileOriginated] = field(default_factory=list)
    acting: dict[int, Action] = field(default_factory=dict)
    elsewhere: Counter[int] = field(default_factory=Counter)
