"""Our codec beside smpplib 2.2.4: microseconds for one PDU, medians of interleaved rounds.

    python -m tests.bench_codec

Exits 1 when ours is less than SLOWEST times as fast in any row.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from smpplib import smpp

from gateway.smpp.careful import LAYOUTS
from gateway.smpp.codec import decode, encode
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import DeliverSm, SubmitSm, SubmitSmResp

ROUNDS = 5
OURS_EACH = 20_000
THEIRS_EACH = 1_000
SLOWEST = 6.0

HANDSET: dict[str, Any] = {"source_addr_ton": 1, "source_addr_npi": 1, "source_addr": "13800138000"}
MESSAGES: list[Pdu] = [
    SubmitSm(**HANDSET, dest_addr_npi=1, destination_addr="12520", short_message=b"KTFX 123456"),
    DeliverSm(
        source_addr="12520",
        destination_addr="13800138000",
        data_coding=8,
        short_message="您已开通飞信，欢迎使用。".encode("utf-16-be"),
    ),
    SubmitSmResp(message_id="0123456789abcdef"),
]


class Numbers:
    """What smpplib needs to make a PDU: something that gives sequence numbers."""

    sequence = 0

    def next_sequence(self) -> int:
        """The next number."""
        self.sequence += 1
        return self.sequence


def microseconds(work: Callable[[], object], times: int) -> float:
    """How long one of so many calls takes."""
    start = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - start) / times * 1e6


def contests(pdu: Pdu) -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """What is measured for one PDU: a name, our way, their way."""
    octets, numbers = encode(pdu), Numbers()
    fields = {name: getattr(pdu, name) for name, _ in LAYOUTS[type(pdu)]}
    return [
        (f"decode {pdu.name}", lambda: decode(octets), lambda: smpp.parse_pdu(octets, client=numbers)),
        (
            f"encode {pdu.name}",
            lambda: encode(pdu),
            lambda: smpp.make_pdu(pdu.name, client=numbers, **fields).generate(),
        ),
    ]


def main() -> int:
    """Measure, print, and give the exit status."""
    rows = [contest for pdu in MESSAGES for contest in contests(pdu)]
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in rows]
    for _ in range(ROUNDS):
        for (_, ours, theirs), (our_times, their_times) in zip(rows, times, strict=True):
            our_times.append(microseconds(ours, OURS_EACH))
            their_times.append(microseconds(theirs, THEIRS_EACH))
    slow = 0
    sys.stdout.write(f"{'':24}{'ours us':>10}{'smpplib us':>12}{'times':>8}\n")
    for (name, _, _), (our_times, their_times) in zip(rows, times, strict=True):
        mine, other = median(our_times), median(their_times)
        slow += other / mine < SLOWEST
        sys.stdout.write(f"{name:24}{mine:10.2f}{other:12.2f}{other / mine:8.1f}\n")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
