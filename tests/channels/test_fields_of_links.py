"""What an SMS centre writes into its deliver_sm, and what it is answered, over a link."""

from pathlib import Path
from typing import Any

import pytest

from gateway.smpp.pdus import DeliverSm
from gateway.smpp.status import CommandStatus
from gateway.smpp.support_esme import RECEIVED
from gateway.smpp.tlvs import TlvValue
from tests.channels.small_centre import SmallCentre
from tests.channels.test_links import ALICE, dialling, link, mo, told

VENDOR = 0x1401
ODD: dict[tuple[str, str], tuple[Any, str]] = {
    ("source_addr_ton", "one that section 5.2.5 does not have"): (7, "source_addr_ton 7"),
    ("dest_addr_ton", "one that section 5.2.5 does not have"): (255, "dest_addr_ton 255"),
    ("source_addr_npi", "one that section 5.2.6 does not have"): (2, "source_addr_npi 2"),
    ("dest_addr_npi", "one that section 5.2.6 does not have"): (19, "dest_addr_npi 19"),
    ("registered_delivery", "bits 7 to 5"): (0x20, "registered_delivery 32"),
    ("priority_flag", "above 3"): (4, "priority_flag 4"),
    ("schedule_delivery_time", "any but empty"): ("000000010000000R", "schedule_delivery_time"),
    ("validity_period", "no time of section 7.1.1"): (
        "2007",
        "validity_period: a time of 4 characters, must be 16",
    ),
    ("replace_if_present_flag", "above 0"): (1, "replace_if_present_flag 1"),
    ("sm_default_msg_id", "any but 0"): (3, "sm_default_msg_id 3"),
    ("short_message", "a byte order mark, which is dropped"): (
        b"\xfe\xff\0K\0T\0F\0X",
        "a byte order mark",
    ),
    ("short_message", "a NUL at the end of the text, which is dropped"): (
        b"\0K\0T\0F\0X\0\0",
        "a NUL at the end of the text",
    ),
}
"""For what docs/smpp-conformance.md says is noted in a deliver_sm: a value, and the note."""
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


async def test_what_is_noted_as_the_statement_says(tmp_path: Path) -> None:
    """Each value that the statement of the client role says is noted is taken, and the log has the note."""
    stated = [(field, what) for field, use in RECEIVED[DeliverSm].items() for what in use.noted]
    assert sorted(stated) == sorted(ODD)
    async with SmallCentre() as centre, dialling(tmp_path, link(centre)) as gateway:
        peer = await centre.bound()
        for place, (field, what) in enumerate(stated):
            value, _ = ODD[field, what]
            request = mo(**({} if field == "short_message" else {field: value}))
            if field == "short_message":
                request.short_message, request.data_coding = value, 8
            request.source_addr = f"1380013{place:04}"
            peer.send(request)
            assert (await peer.answer()).command_status == CommandStatus.ROK, (field, what)
            await gateway.advance(seconds=60)  # the rate of notes is bounded
        notes = [line["reason"] for line in told(gateway, "pdu.noted")]
        assert notes == [ODD[each][1] for each in stated]
