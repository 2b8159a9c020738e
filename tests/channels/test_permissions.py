"""What an account may do, asked of a running gateway, and the count of SMS a second."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.smpp.permissions import FREE, Bucket, Permissions
from gateway.channels.smpp.reading import content
from gateway.channels.smpp.settings import AccountSettings, LinkSettings
from gateway.channels.smpp.verdicts import STATUS
from gateway.errors import Verdict
from gateway.smpp.pdus import BindTransceiver, DataSm, DeliverSm, DeliverSmResp, SubmitSmResp
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import MESSAGE_PAYLOAD
from tests.processing.machine_service import (
    QUERY,
    accounts,
    live_gateway,
    opened,
    status,
    stays_silent,
)
from tests.proofs.served import PASSWORD, SYSTEM_ID, accepted, bind, lines, sms, text_of, until
from tests.support import ALICE, BOB, Wire

OK = CommandStatus.ROK


def test_nothing_set_costs_nothing() -> None:
    """An account without limits has the plain reader, and its writer as it is."""
    account = AccountSettings.model_validate({"system_id": "a", "password": "b"})
    permissions = Permissions.of(account)
    assert permissions.reader(content) is content
    writer = object()
    assert permissions.writer(writer) is writer  # type: ignore[arg-type]
    assert FREE.reader(content) is content


def test_of_a_link() -> None:
    """A link has access codes only: everything else is the centre's."""
    values = {"name": "n", "host": "h", "system_id": "a", "password": "b", "access_codes": ["161"]}
    link = LinkSettings.model_validate(values)
    assert Permissions.of(link) == Permissions(access_codes=frozenset({"161"}))


def test_operations() -> None:
    """A request that is not among them is refused by a status that the peer's version has."""
    some = Permissions(operations=frozenset({"submit_sm"}))
    assert some.permits("submit_sm")
    assert not some.permits("query_sm")
    assert FREE.permits("query_sm")


@given(
    st.floats(0.01, 500),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_the_rate_is_kept(rate: float, pauses: list[float]) -> None:
    """In no span does more come than its seconds allow, with one second's worth (and one SMS at least) at
    once; a peer that stays below the rate is never refused."""
    bucket, now = Bucket(rate), 1000.0
    taken = [now for pause in pauses if bucket.take(now := now + pause)]
    for first, begin in enumerate(taken):
        for count, end in enumerate(taken[first:], start=1):
            assert count <= max(1.0, rate) + (end - begin) * rate + 1e-6
    patient = Bucket(rate)
    assert all(patient.take(1000.0 + step * 1.001 / rate) for step in range(50))


SENDERS = [
    (ALICE, "12520", OK),
    (f"+86{ALICE}", "8612520", OK),
    (f"17951{ALICE}", "12520", OK),
    ("13700137009", "12520", OK),
    (BOB, "12520", STATUS[Verdict.SOURCE_NOT_ALLOWED]),
    (f"86{BOB}", "12520", STATUS[Verdict.SOURCE_NOT_ALLOWED]),
    ("10086", "12520", STATUS[Verdict.BAD_SOURCE]),
    (ALICE, "161", STATUS[Verdict.CODE_NOT_ALLOWED]),
    (ALICE, "+86161", STATUS[Verdict.CODE_NOT_ALLOWED]),
    (ALICE, "999", STATUS[Verdict.UNKNOWN_DESTINATION]),
]


async def test_senders_and_numbers(tmp_path: Path) -> None:
    """An account submits for the mobiles and to the numbers that it may, however they are spelled."""
    smpp = accounts(sources=[ALICE, "1370013*"], access_codes=["12520"])
    async with live_gateway(tmp_path, smpp=smpp) as live, await bind(live.port) as esme:
        for sender, to, expected in SENDERS:
            assert await status(esme, sms(sender, to, QUERY)) == expected, (sender, to)


async def test_another_number_does_not_leave_there(tmp_path: Path) -> None:
    """An SMS from a number that the account may not use does not leave there: it fails, the log says why."""
    smpp = {
        "accounts": [
            {"system_id": SYSTEM_ID, "password": PASSWORD, "default": True, "access_codes": ["161"]},
            {"system_id": "other", "password": PASSWORD},
        ]
    }
    async with (
        live_gateway(tmp_path, smpp=smpp) as live,
        await bind(live.port) as esme,
        Wire.to(live.port) as other,
    ):
        await opened(esme, BOB)
        await other.bind(BindTransceiver(system_id="other", password=PASSWORD, sequence_number=1))
        for number, text in enumerate(("KTFX", f"HY#{BOB}"), start=2):
            other.send(sms(ALICE, "12520", text, sequence_number=number))
            assert not (await other.reads(SubmitSmResp)).command_status
            reply = await other.reads(DeliverSm)
            assert text_of(reply)
            other.send(DeliverSmResp(sequence_number=reply.sequence_number))
        log = tmp_path / "gateway.log"
        await until(lambda: _failed(log), "the end of the question to BOB")
        [failed] = _failed(log)
        assert "access_codes" in str(failed)
        assert failed["msisdn"] == BOB
        await stays_silent(esme)


def _failed(log: Path) -> list[dict[str, object]]:
    return [line for line in lines(log) if line["event"] == "sms.failed"]


async def test_sms_a_second(tmp_path: Path) -> None:
    """Above its rate an account is throttled, over all its binds; later it may go on."""
    smpp = accounts(max_per_second=0.02)
    async with (
        live_gateway(tmp_path, smpp=smpp) as live,
        await bind(live.port) as one,
        await bind(live.port) as two,
    ):
        request = sms(ALICE, "161", QUERY)
        assert [await status(one, request), await status(two, request)] == [OK, CommandStatus.RTHROTTLED]
        live.clock.ahead += 50
        assert [await status(two, request), await status(one, request)] == [OK, CommandStatus.RTHROTTLED]
        assert len(live.journal()) == 2


@pytest.mark.parametrize(
    ("version", "refused"), [(0x34, CommandStatus.RINVCMDID), (0x50, CommandStatus.RPROHIBITED)]
)
async def test_a_request_that_it_may_not_send(tmp_path: Path, version: int, refused: int) -> None:
    """An account without data_sm may send submit_sm only."""
    async with (
        live_gateway(tmp_path, smpp=accounts(operations=["submit_sm"])) as live,
        Wire.to(live.port) as wire,
    ):
        bind_ = BindTransceiver(
            system_id=SYSTEM_ID, password=PASSWORD, interface_version=version, sequence_number=1
        )
        await wire.bind(bind_)
        data = DataSm(source_addr=ALICE, destination_addr="161", sequence_number=2)
        data.tlvs = {MESSAGE_PAYLOAD: QUERY.encode()}
        wire.send(data, sms(ALICE, "161", QUERY, sequence_number=3))
        answers = [await wire.read(), await wire.read()]
        assert [answer and (answer.sequence_number, answer.command_status) for answer in answers] == [
            (2, refused),
            (3, OK),
        ]


async def test_binds_at_one_time(tmp_path: Path) -> None:
    """An account with two binds gets no third one until one of them is gone; the log names the key."""
    async with live_gateway(tmp_path, smpp=accounts(binds=2)) as live:
        request = BindTransceiver(system_id=SYSTEM_ID, password=PASSWORD, sequence_number=1)
        async with Wire.to(live.port) as one, Wire.to(live.port) as two:
            for wire, expected in ((one, OK), (two, OK)):
                assert (await wire.bind(request)).command_status == expected
            async with Wire.to(live.port) as third:
                assert (await third.bind(request)).command_status == CommandStatus.RBINDFAIL
        await until(lambda: not live.gateway.binds.all(), "the end of the binds")
        async with Wire.to(live.port) as again:
            assert (await again.bind(request)).command_status == OK
    [refused] = [line for line in lines(tmp_path / "gateway.log") if line["event"] == "bind.refused"]
    assert refused["reason"] == "2 binds of the account stand: smpp.accounts.binds"


@pytest.mark.parametrize(
    ("errors", "refused", "leaves"),
    [
        ({"temporary": [0x412]}, 0x412, True),
        ({"permanent": [0x412]}, 0x412, False),
        ({}, 0x412, False),
        ({}, CommandStatus.RINVBNDSTS, True),  # the session is wrong, not the SMS
    ],
)
async def test_statuses_of_the_peer(
    tmp_path: Path, errors: dict[str, Any], refused: int, *, leaves: bool
) -> None:
    """An SMS that a vendor's status refuses comes again where the configuration calls it temporary; the
    status that the peer wants for a verdict is what it gets."""
    errors["send"] = {"unknown_destination": 0x45}
    async with live_gateway(tmp_path, smpp=accounts(errors=errors)) as live:
        answers = [refused]
        esme = await bind(live.port, take=lambda _: answers.pop() if answers else 0)
        async with esme:
            assert await status(esme, sms(ALICE, "999", QUERY)) == CommandStatus.RSUBMITFAIL
            await accepted(esme, sms(ALICE, "161", QUERY))
            await until(lambda: not answers, "the delivery")
            if leaves:
                await until(lambda: live.gateway.outbox.next_retry() is not None, "the retry")
                live.clock.ahead += 3600
                await live.gateway.tick(housekeeping=True)
                await live.closed(1)
            else:
                log = tmp_path / "gateway.log"
                await until(lambda: _failed(log), "the failure")
                assert "0x00000412" in str(_failed(log))
