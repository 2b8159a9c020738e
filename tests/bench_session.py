"""What a session costs: microseconds for one PDU, medians of interleaved rounds, the plain way beside the
checked one.

    python -m tests.bench_session

Octets are those of a gateway: short submit_sm in, a short reply in UCS-2 out, a hundred of each in a read.
"""

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

from gateway.smpp.codec import encode
from gateway.smpp.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
    SubmitSmResp,
)
from gateway.smpp.plain import Always, DeliverSmTemplate, SubmitSmTemplate
from gateway.smpp.session import Limits, Session, Side

ROUNDS = 200
EACH = 100
NOW = 1.0

MESSAGE_ID = "0123456789abcdef"
HANDSET = "13800138000"
REPLY = "您已开通飞信，欢迎使用。".encode("utf-16-be")
SUBMIT = SubmitSm(
    source_addr=HANDSET, destination_addr="12520", short_message=b"KTFX 123456", sequence_number=1
)
TEMPLATE = DeliverSmTemplate(0, 1, "12520", 0, 1)
SUBMITTING = SubmitSmTemplate(0, 1, "12520", 0, 1, Always("FT", 0, "", 1))


def bound() -> Session:
    """A listener's session, bound as transceiver."""
    session = Session(
        Side.MC,
        now=NOW,
        serves=frozenset({BindTransceiver.command_id, SubmitSm.command_id}),
        limits=Limits(window_out=EACH),
    )
    for request in session.receive(encode(BindTransceiver()), NOW):
        assert isinstance(request, BindTransceiver)
        session.refuse(request, 0)
    session.output()
    return session


def dialled() -> Session:
    """The session of a link, bound as transceiver."""
    session = Session(Side.ESME, now=NOW, serves=frozenset(), limits=Limits(window_out=EACH))
    session.send(BindTransceiver(), "bind", NOW)
    session.receive(encode(BindTransceiverResp(sequence_number=1)), NOW)
    session.output()
    return session


def submit(_session: Session, *, plain: bool) -> float:
    """Send submit_sm on a link."""
    session = dialled()

    def directly() -> None:
        for number in range(EACH):
            session.deliver(SUBMITTING, HANDSET, 0, 8, REPLY, number, NOW)

    def checked() -> None:
        for number in range(EACH):
            pdu = SubmitSm(
                service_type="FT",
                source_addr_npi=1,
                source_addr="12520",
                dest_addr_npi=1,
                destination_addr=HANDSET,
                registered_delivery=1,
                data_coding=8,
                short_message=REPLY,
            )
            session.send(pdu, number, NOW)

    return timed(directly if plain else checked)


def taken(session: Session) -> list[SubmitSm]:
    """As many submit_sm as a window holds, which wait for an answer."""
    return [event for event in session.receive(encode(SUBMIT) * EACH, NOW) if isinstance(event, SubmitSm)]


def timed(work: Callable[[], object]) -> float:
    """Microseconds for one PDU of a step over EACH of them."""
    start = perf_counter()
    work()
    return (perf_counter() - start) / EACH * 1e6


def read_submits(session: Session, per_read: int) -> float:
    """Read submit_sm, so many at a time."""
    octets = encode(SUBMIT) * per_read
    events: list[object] = []

    def read() -> None:
        for _ in range(0, EACH, per_read):
            events.extend(session.receive(octets, NOW))

    spent = timed(read)
    for event in events:
        assert isinstance(event, SubmitSm)
        session.acknowledge(event, MESSAGE_ID)
    session.output()
    return spent


def answer(session: Session, *, plain: bool) -> float:
    """Answer submit_sm."""
    requests = taken(session)

    def checked() -> None:
        for request in requests:
            session.answer(request, SubmitSmResp(message_id=MESSAGE_ID))

    def directly() -> None:
        for request in requests:
            session.acknowledge(request, MESSAGE_ID)

    spent = timed(directly if plain else checked)
    session.output()
    return spent


def send_all(session: Session) -> None:
    """A window of deliver_sm, the plain way."""
    for number in range(EACH):
        session.deliver(TEMPLATE, HANDSET, 0, 8, REPLY, number, NOW)


def answered(session: Session, message_id: str) -> float:
    """Read the responses to all that is in the window."""
    last = session.sent_sequence
    octets = b"".join(
        encode(DeliverSmResp(sequence_number=sequence, message_id=message_id))
        for sequence in range(last - EACH + 1, last + 1)
    )
    spent = timed(lambda: session.receive(octets, NOW))
    assert session.window_free == EACH
    session.output()
    return spent


def send(session: Session, *, plain: bool) -> float:
    """Send deliver_sm."""

    def checked() -> None:
        for number in range(EACH):
            pdu = DeliverSm(
                source_addr_npi=1,
                source_addr="12520",
                dest_addr_npi=1,
                destination_addr=HANDSET,
                data_coding=8,
                short_message=REPLY,
            )
            session.send(pdu, number, NOW)

    spent = timed((lambda: send_all(session)) if plain else checked)
    answered(session, "")
    return spent


def responses(session: Session, message_id: str) -> float:
    """Read deliver_sm_resp."""
    send_all(session)
    return answered(session, message_id)


Work = Callable[[Session], float]
ROWS: list[tuple[str, Work, Work]] = [
    ("read submit_sm, 1 or 100 in a read", lambda s: read_submits(s, 1), lambda s: read_submits(s, EACH)),
    ("answer submit_sm", lambda s: answer(s, plain=False), lambda s: answer(s, plain=True)),
    ("send deliver_sm", lambda s: send(s, plain=False), lambda s: send(s, plain=True)),
    ("send submit_sm", lambda s: submit(s, plain=False), lambda s: submit(s, plain=True)),
    ("read deliver_sm_resp, with an id or plain", lambda s: responses(s, "1"), lambda s: responses(s, "")),
]


def main() -> None:
    """Measure and print."""
    session = bound()
    times: list[tuple[list[float], list[float]]] = [([], []) for _ in ROWS]
    for _ in range(ROUNDS):
        for (_, checked, plain), (checked_times, plain_times) in zip(ROWS, times, strict=True):
            checked_times.append(checked(session))
            plain_times.append(plain(session))
    sys.stdout.write(f"{'':44}{'checked us':>12}{'plain us':>10}{'times':>8}\n")
    for (name, _, _), (checked_times, plain_times) in zip(ROWS, times, strict=True):
        slow, fast = median(checked_times), median(plain_times)
        sys.stdout.write(f"{name:44}{slow:12.2f}{fast:10.2f}{slow / fast:8.1f}\n")


if __name__ == "__main__":
    main()
