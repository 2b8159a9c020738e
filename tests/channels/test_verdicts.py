"""Verdicts to statuses and back."""

from pathlib import Path

import pytest

from gateway.channels.smpp.settings import Errors
from gateway.channels.smpp.verdicts import DELIVERED, STATUS, USUAL, Statuses
from gateway.errors import Verdict
from gateway.smpp.pdu import Request
from gateway.smpp.pdus import DataSm, DeliverSm, SubmitMulti, SubmitSm
from gateway.smpp.status import CommandStatus, Retry

FOR_ESMES = {CommandStatus.RX_T_APPN, CommandStatus.RX_P_APPN, CommandStatus.RX_R_APPN}


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_status(verdict: Verdict) -> None:
    """An ESME reads what is wrong; an SMS centre one of the three statuses that SMPP has for ESMEs, which are
    temporary for the same verdicts."""
    assert USUAL.of(SubmitSm(), verdict) == USUAL.of(SubmitMulti(), verdict) == STATUS[verdict]
    assert USUAL.of(DataSm(), verdict) == STATUS[verdict]
    assert USUAL.of(DeliverSm(), verdict) == DELIVERED[verdict]
    assert DELIVERED[verdict] in FOR_ESMES
    temporary = STATUS[verdict].retry is Retry.TEMPORARY
    assert (DELIVERED[verdict] is CommandStatus.RX_T_APPN) == temporary


@pytest.mark.parametrize("request_", [SubmitSm(), DataSm(), DeliverSm()], ids=lambda each: each.name)
def test_what_a_peer_wants_instead(request_: Request) -> None:
    """A status of the configuration goes before the usual one, whatever is answered with it."""
    statuses = Statuses(Errors(send={"queue_full": 0x58, "bad_source": 0x412}))
    assert statuses.of(request_, Verdict.QUEUE_FULL) == CommandStatus.RTHROTTLED
    assert statuses.of(request_, Verdict.BAD_SOURCE) == 0x412
    assert statuses.of(request_, Verdict.STOPPING) == USUAL.of(request_, Verdict.STOPPING)


def test_what_statuses_mean() -> None:
    """A vendor's status is what the configuration says, and permanent where it says nothing; others mean what
    SMPP has them mean."""
    statuses = Statuses(Errors(temporary=frozenset({0x412}), permanent=frozenset({0x413})))
    assert statuses.retry(0x412) is Retry.TEMPORARY
    assert statuses.retry(0x413) is statuses.retry(0x414) is statuses.retry(0xABCD) is Retry.PERMANENT
    assert statuses.retry(CommandStatus.RTHROTTLED) is Retry.TEMPORARY
    assert statuses.retry(CommandStatus.RINVBNDSTS) is Retry.SESSION


def test_the_page_has_the_table() -> None:
    """docs/accounts.md names each verdict with what it says and its statuses."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "accounts.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 5]
    assert rows == [
        f"| `{each.name.lower()}` | {each.value} | {STATUS[each].name} | {DELIVERED[each].name} |"
        for each in Verdict
    ]
