"""A client that does not wait for the answer to its bind: everything in one write, on a real socket."""

from pathlib import Path

import pytest

from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import BindTransceiver, DeliverSm, EnquireLink, Unbind
from gateway.testing import running_gateway
from tests.proofs.served import PASSWORD, SYSTEM_ID, sms, text_of
from tests.support import ALICE, Wire


async def answers(port: int, *requests: Pdu) -> list[Pdu]:
    """What comes back, to the end of the connection, when requests 1, 2, ... leave in one segment."""
    for number, request in enumerate(requests, 1):
        request.sequence_number = number
    async with Wire.to(port) as wire:
        wire.send(*requests)
        found: list[Pdu] = []
        while (pdu := await wire.read()) is not None:
            found.append(pdu)
        return found


@pytest.mark.parametrize(("password", "status"), [(PASSWORD, 0), ("wrong", 0x0E)])
async def test_all_in_one_segment_with_the_bind(tmp_path: Path, password: str, status: int) -> None:
    """Bind, SMS, enquire_link and unbind at once: the answer to the bind comes first, and what came behind it
    is served, or refused by the state, in its order; the SMS is executed once and answered by one SMS."""
    async with running_gateway(tmp_path) as gateway:
        port = gateway.account.port
        bind = BindTransceiver(system_id=SYSTEM_ID, password=password)
        if status:
            async with Wire.to(port) as wire:
                wire.send(bind, sms(ALICE, "161", "KTFX"), EnquireLink())
                refused = [await wire.read() for _ in range(3)]
            assert [(pdu.name, pdu.command_status) for pdu in refused if pdu] == [
                ("bind_transceiver_resp", status),
                ("submit_sm_resp", 0x04),
                ("enquire_link_resp", 0),
            ]
            return
        found = await answers(port, bind, sms(ALICE, "161", "KTFX"), EnquireLink(), Unbind())
        assert [(pdu.name, pdu.sequence_number) for pdu in found if not isinstance(pdu, DeliverSm)] == [
            ("bind_transceiver_resp", 1),
            ("enquire_link_resp", 3),
            ("submit_sm_resp", 2),
            ("unbind_resp", 4),
        ]
        assert all(pdu.command_status == 0 for pdu in found)
        async with Wire.to(port) as wire:
            await wire.bind()
            assert "飞信" in text_of(await wire.reads(DeliverSm))
