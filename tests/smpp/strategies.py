"""Hypothesis strategies: any PDU that can be encoded, any octets worth trying."""

from typing import Any

from hypothesis import strategies as st

from gateway.smpp.careful import LAYOUTS
from gateway.smpp.pdu import Pdu
from gateway.smpp.pdus import PDUS
from gateway.smpp.tlvs import BY_TAG, TLVS, Form, Tlv
from gateway.smpp.wire import (
    CString,
    DestAddresses,
    DistributionList,
    Octet,
    ShortMessage,
    SmeAddress,
    UnsuccessSme,
    WireType,
)

OCTETS = st.integers(0, 255)
WORDS = st.integers(0, 0xFFFFFFFF)


def texts(size: int, least: int = 0) -> st.SearchStrategy[str]:
    """Latin-1 without NUL that fits a C-octet string of this size."""
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), min_size=least, max_size=size - 1)


def values(wire: WireType) -> st.SearchStrategy[Any]:
    """Values of a field that has this wire type."""
    match wire:
        case Octet():
            return OCTETS
        case CString():
            return texts(wire.size)
        case ShortMessage():
            return st.binary(max_size=wire.size)
        case DestAddresses():
            sme = st.builds(SmeAddress, OCTETS, OCTETS, texts(21))
            dests = st.one_of(sme, st.builds(DistributionList, texts(21)))
            return st.lists(dests, max_size=4).map(tuple)
        case _:
            failed = st.builds(UnsuccessSme, OCTETS, OCTETS, texts(21), WORDS)
            return st.lists(failed, max_size=4).map(tuple)


def tlv_values(row: Tlv) -> st.SearchStrategy[Any]:
    """Values of a TLV of the table."""
    single: st.SearchStrategy[Any]
    if row.form is Form.INTEGER:
        single = st.integers(0, 256**row.most - 1)
    elif row.form is Form.C_STRING:
        single = texts(row.most, row.least - 1)
    else:
        single = st.binary(min_size=row.least, max_size=min(row.most, 200))
    return st.lists(single, min_size=1, max_size=3).map(tuple) if row.repeatable else single


TLV_MAPS = st.lists(st.sampled_from(TLVS), unique=True, max_size=4).flatmap(
    lambda rows: st.fixed_dictionaries({row.tag: tlv_values(row) for row in rows})
)
VENDOR_TLVS = st.dictionaries(
    st.integers(0, 0xFFFF).filter(lambda tag: tag not in BY_TAG), st.binary(max_size=20), max_size=2
)


def pdus_of(pdu_class: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """PDUs of one class, with a header, TLVs of the table and TLVs of vendors."""
    fields = {name: values(wire) for name, wire in LAYOUTS[pdu_class]}
    if "esm_class" in fields:  # without a user data header: that one has to fit the message
        fields["esm_class"] = OCTETS.map(lambda octet: octet & ~0x40)
    return st.builds(
        pdu_class,
        command_status=WORDS,
        sequence_number=WORDS,
        tlvs=st.builds(lambda known, vendor: known | vendor, TLV_MAPS, VENDOR_TLVS),
        **fields,
    )


ANY_PDU = st.sampled_from(PDUS).flatmap(pdus_of)
