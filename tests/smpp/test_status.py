"""The table of command_status values."""

import pytest

from gateway.smpp.status import CommandStatus, Retry, name_of, retry_class


@pytest.mark.parametrize(
    ("value", "name"),
    [(0, "ESME_ROK"), (0x58, "ESME_RTHROTTLED"), (0xC0, "ESME_RINVTLVSTREAM"), (0x400, "0x00000400")],
)
def test_name_of(value: int, name: str) -> None:
    """A value has its wire name; one that is in no table shows in hex."""
    assert name_of(value) == name


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        (CommandStatus.ROK, Retry.NONE),
        (CommandStatus.RTHROTTLED, Retry.TEMPORARY),
        (CommandStatus.RMSGQFUL, Retry.TEMPORARY),
        (CommandStatus.RSYSERR, Retry.TEMPORARY),
        (CommandStatus.RX_T_APPN, Retry.TEMPORARY),
        (CommandStatus.RINVDSTADR, Retry.PERMANENT),
        (CommandStatus.RX_P_APPN, Retry.PERMANENT),
        (CommandStatus.RINVPASWD, Retry.SESSION),
        (CommandStatus.RINVBNDSTS, Retry.SESSION),
        (0x4FF, Retry.PERMANENT),
    ],
)
def test_retry_class(value: int, retry: Retry) -> None:
    """A refused request is repeated only where the status says that this can help."""
    assert retry_class(value) is retry


def test_every_status_says_what_it_means() -> None:
    """Each row has a meaning, and its value is what goes over the wire."""
    for status in CommandStatus:
        assert status.meaning
        assert status == status.value
    assert int(CommandStatus.RINVBCASTCHANIND) == 0x112
