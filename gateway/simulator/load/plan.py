"""The plan of a run, and its submit_sm as octets."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from struct import Struct
from typing import Final, TypeAlias

from gateway.simulator.load.mix import DEFAULT, Line, Mix, segment_of
from gateway.smpp.codec import encode
from gateway.smpp.pdus import SubmitSm

FIRST_NUMBER: Final = 8613500000000
LAST_NUMBER: Final = 8619999999999

Submit: TypeAlias = tuple[bytes, bytes, int]
"""The octets of a submit_sm, the number that it comes from, and the replies that it leads to."""

_SPACE: Final = b"0000000000000"  # where the number is put: 86 and 11 digits
_HEADER: Final = 16
_DRAWS: Final = 1024
_INTERNATIONAL, _E164 = 1, 1  # SMPP 3.4 sections 5.2.5 and 5.2.6

_sequence = Struct(">I").pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a run.

    count: messages. window: unanswered submit_sm of a bind. rate: messages a second over all binds, None: as
    fast as the window lets. timeout: seconds for answer and replies. first: the lowest number of a handset.
    pool: handsets that exist, from `first` on, 0: every one is fresh. seed: of every draw.
    """

    count: int
    window: int
    binds: int = 1
    rate: float | None = None
    timeout: float = 60.0
    first: int = FIRST_NUMBER
    pool: int = 0
    seed: int = 1
    mix: Mix = DEFAULT


class Source:
    """Makes the submit_sm of a plan in order. The same plan makes the same ones."""

    def __init__(self, plan: Plan) -> None:
        self._random = Random(plan.seed)
        self._pool_first = plan.first
        self._pool = plan.pool
        self._fresh = plan.first + plan.pool
        lines = plan.mix.messages
        self._makers = [self._maker(line) for line in lines]
        self._weights = list(accumulate(line.weight for line in lines))
        self._drawn: list[Callable[[int], Submit]] = []
        self.take: Final = self._makers[0] if len(lines) == 1 else self._draw
        """Return the next submit_sm, with this sequence number."""

    def _draw(self, sequence: int) -> Submit:
        if not self._drawn:
            self._drawn = self._random.choices(self._makers, cum_weights=self._weights, k=_DRAWS)
        return self._drawn.pop()(sequence)

    def _maker(self, line: Line) -> Callable[[int], Submit]:
        """Makes the submit_sm of one line of the mix from their octets."""
        segment = segment_of(line.text)
        octets = encode(
            SubmitSm(
                source_addr_ton=_INTERNATIONAL,
                source_addr_npi=_E164,
                source_addr=_SPACE.decode(),
                dest_addr_npi=_E164,
                destination_addr=line.to,
                esm_class=segment.esm_class,
                data_coding=segment.data_coding,
                short_message=segment.octets,
                tlvs=segment.tlvs,
            )
        )
        at = octets.index(_SPACE, _HEADER)
        head, middle, tail = octets[: _HEADER - 4], octets[_HEADER:at], octets[at + len(_SPACE) :]
        replies = line.replies
        number_of = self._existing if self._is_random(line) else self._next

        def make(sequence: int) -> Submit:
            number = number_of()
            return b"".join((head, _sequence(sequence), middle, number, tail)), number, replies

        return make

    def _is_random(self, line: Line) -> bool:
        return line.sender == "random" or (line.sender is None and self._pool > 0)

    def _next(self) -> bytes:
        self._fresh = number = self._fresh + 1
        return b"%d" % (number - 1)

    def _existing(self) -> bytes:
        return b"%d" % (self._pool_first + int(self._random.random() * self._pool))
