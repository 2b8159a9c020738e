"""What an SMS centre writes into its deliver_sm, and what it is answered, over a link."""

from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.status import CommandStatus
from gateway.smpp.tlvs import TlvValue
from tests.channels.small_centre import SmallCentre
from tests.channels.test_links import ALICE, dialling, link, mo, told

VENDOR = 0x1401
OVER, HOUR = "010203040506000+", "000000010000000R"


@pytest.mark.parametrize(
    ("fields", "note"),
    [
        ({"schedule_delivery_time": HOUR}, "schedule_delivery_time"),
        ({"validity_period": "2007"}, "validity_period: a time of 4 characters, must be 16"),
        (
            {"sm_default_msg_id": 3, "replace_if_present_flag": 2},
            "replace_if_present_flag 2; sm_default_msg_id 3",
        ),
        ({"source_addr_ton": 9, "dest_addr_npi": 5}, "source_addr_ton 9; dest_addr_npi 5"),
    ],
)
async def test_no_handset_is_silenced(tmp_path: Path, fields: dict[str, Any], note: str) -> None:
    """Fields that SMPP has empty there, and reserved values, are noted; the SMS is executed."""
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        peer.send(mo(**fields))
        assert (await peer.answer()).command_status == 0
        assert (await peer.submit()).destination_addr == ALICE
        [noted] = told(gateway, "pdu.noted")
        assert (noted["system_id"], noted["command"], noted["reason"]) == ("north", "deliver_sm", note)


async def test_what_a_centre_is_answered(tmp_path: Path) -> None:
    """The three statuses of an ESME, unless the link wants another one: for an SMS that is over, one to no
    number of ours, one to a number that the link may not use, and an acknowledgement."""
    terms = {"access_codes": ["161"], "errors": {"send": {"code_not_allowed": 0x45}}}
    async with SmallCentre() as centre, dialling(tmp_path, link(centre, **terms)) as gateway:
        peer = await centre.bound()
        for sms, status in (
            (mo(validity_period=OVER), CommandStatus.RX_R_APPN),
            (mo(validity_period=HOUR), CommandStatus.ROK),
            (mo(to="99999"), CommandStatus.RX_R_APPN),
            (mo(to="12520"), CommandStatus.RSUBMITFAIL),
            (mo(esm_class=0x18), CommandStatus.RX_R_APPN),
        ):
            peer.send(sms)
            assert (await peer.answer()).command_status == status
        assert len(told(gateway, "sms.handled")) == 1
        reasons = [line["reason"] for line in told(gateway, "sms.rejected")]
        assert reasons[0] == "the validity is over"
        assert len(reasons) == 4


async def test_each_link_of_a_centre_is_read_in_its_own_way(tmp_path: Path) -> None:
    """The prefix and the TLVs of a link are those of what comes over it, whatever its siblings have."""
    carried: dict[int, TlvValue] = {VENDOR: b"7"}
    async with SmallCentre() as first, SmallCentre() as second:
        plain = link(second, name="south", centre="north")
        special = link(first, source={"prefix": "106"}, pass_tlvs=[VENDOR])
        for folder, links in (("one", (special, plain)), ("other", (plain, special))):
            async with dialling(tmp_path / folder, *links):
                one, other = await first.bound(), await second.bound()
                for peer, to, passed in ((one, "106161", carried), (other, "161", {})):
                    peer.send(mo(to=to, tlvs=carried))
                    assert (await peer.answer()).command_status == CommandStatus.ROK
                    submit = await peer.submit()
                    assert submit.source_addr.startswith(to)
                    assert submit.tlvs == passed
