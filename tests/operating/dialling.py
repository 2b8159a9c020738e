"""The troubles of docs/operating.md with SMS centres that the gateway dials (see provoking)."""

from pathlib import Path
from typing import Any

from gateway.simulator.smsc.centre import SmsCentre
from gateway.simulator.smsc.faults import faults_of
from tests.operating.provoking import LOG, logged
from tests.proofs.served import inside, until, write_config
from tests.support import ALICE, MovedClock

A_MINUTE = 61
"""Seconds after which a receipt that no part has is reported."""


def config(folder: Path, centre: SmsCentre, **more: Any) -> Path:
    """A gateway whose only account is a link to the centre."""
    link = {"name": "north", "host": "127.0.0.1", "port": centre.port, "system_id": "fetion"}
    return write_config(folder, smpp={"accounts": [], "links": [{**link, "password": "secret12", **more}]})


async def not_bound(folder: Path) -> Path:
    """The centre refuses the password; then it is right."""
    async with SmsCentre(accounts={"fetion": "secret12"}) as centre:
        async with inside(config(folder, centre, password="wrong")):
            await logged(folder / LOG, "link.failed")
        async with inside(config(folder, centre)):
            await logged(folder / LOG, "link.up")
    return folder / LOG


async def receipts_of_nobody(folder: Path) -> Path:
    """The centre writes ids in decimal digits in responses, and in hexadecimal ones in receipts."""
    clock = MovedClock()
    faults = faults_of({"receipts": {"id": "hex", "delay": [0, 0]}})
    async with SmsCentre(faults, ids="decimal") as centre:
        receipts = {"ask": "always"}
        async with inside(config(folder, centre, receipts=receipts), clock=clock) as gateway:
            await centre.deliver(ALICE, "161", "KTFX")
            await until(lambda: any(each.receipt and each.statuses for each in centre.ledger.delivered), "it")
            clock.ahead += A_MINUTE
            await gateway.tick(housekeeping=True)
            await gateway.drained()
            await logged(folder / LOG, "receipt.unmatched")
        async with inside(config(folder, centre, receipts={**receipts, "id": "decimal"})):
            await centre.deliver(ALICE, "161", "CXFX")
            await logged(folder / LOG, "sms.receipted")
    return folder / LOG
