"""Decoders and encoders, compiled from the classes of ``pdus``: one function each for each PDU.

A compiled function does the regular case in straight code, without a call or a test for each field.
A frame or a PDU that is not regular makes it raise or hand over to ``careful``, which goes field by
field and says what is wrong.

Every C-octet string is Latin-1, so a frame is decoded to text once and its strings are slices of it;
an encoder writes one text and encodes it once.
"""

import struct
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, MappingProxyType
from typing import Any, Final

from gateway.smpp.careful import LAYOUTS, decode_carefully, explain, udh_fits
from gateway.smpp.pdu import Pdu, Response
from gateway.smpp.tlvs import NO_TLVS, decode_tlvs, encode_tlvs
from gateway.smpp.wire import (
    HEADER,
    HEADER_LENGTH,
    CString,
    FieldError,
    Octet,
    Reader,
    ShortMessage,
    UnsuccessSmes,
    read_dests,
    read_unsuccess,
    write_dests,
    write_unsuccess,
)

Decoder = Callable[[bytes, int, int, int], Pdu]
Encoder = Callable[[Any], bytes]

_NAMES: Final[Mapping[str, object]] = MappingProxyType(
    {
        "FieldError": FieldError,
        "HEADER": HEADER.pack,
        "NO_TLVS": NO_TLVS,
        "OCTET": {value: chr(value) for value in range(256)},
        "PackError": struct.error,
        "Reader": Reader,
        "decode_carefully": decode_carefully,
        "decode_tlvs": decode_tlvs,
        "encode_tlvs": encode_tlvs,
        "explain": explain,
        "join": "".join,
        "new": object.__new__,
        "read_dests": read_dests,
        "read_unsuccess": read_unsuccess,
        "udh_fits": udh_fits,
        "write_dests": write_dests,
        "write_unsuccess": write_unsuccess,
    }
)
_REGULAR_FAULTS = "(LookupError, TypeError, ValueError, AttributeError, PackError)"


def compile_decoder(pdu_class: type[Pdu]) -> Decoder:
    """A function of a whole frame, its length, command_status and sequence_number, that gives the PDU.

    It raises PduError as decode_carefully does.
    """
    return _function(decoder_source(pdu_class), pdu_class)


def compile_encoder(pdu_class: type[Pdu]) -> Encoder:
    """A function of a PDU that gives its octets. It raises EncodeError."""
    return _function(encoder_source(pdu_class), pdu_class)


def _function(source: list[str], pdu_class: type[Pdu]) -> FunctionType:
    module = compile("\n".join(source), f"<{source[0][4:-1]}>", "exec")
    [code] = [constant for constant in module.co_consts if isinstance(constant, CodeType)]
    return FunctionType(code, {**_NAMES, "Class": pdu_class})


def decoder_source(pdu_class: type[Pdu]) -> list[str]:
    """The lines of the decoder: each field is read at a place that is known or found by its NUL."""
    give_up = "return decode_carefully(Class, frame)"
    body: list[str] = []
    place, offset = "", HEADER_LENGTH  # where the next field begins: a variable (or nothing) plus a number
    for number, (name, wire) in enumerate(LAYOUTS[pdu_class]):
        start = f"{place} + {offset}" if place else str(offset)
        if isinstance(wire, Octet):
            body.append(f"pdu.{name} = frame[{start}]")
            offset += 1
            continue
        end = f"end{number}"
        if isinstance(wire, CString):
            body += [
                f"if frame[{start}]:",
                f"    {end} = index('\\0', {start})",
                f"    if {end} - ({start}) >= {wire.size}: {give_up}",
                f"    pdu.{name} = text[{start}:{end}]",
                "else:",
                f"    {end} = {start}",
                f"    pdu.{name} = ''",
            ]
            offset = 1
        elif isinstance(wire, ShortMessage):
            body += [
                f"{end} = {start} + 1 + frame[{start}]",
                f"if {end} > length: {give_up}",
                f"pdu.{name} = frame[{start} + 1:{end}]",
            ]
            offset = 0
        else:
            read = "read_unsuccess" if isinstance(wire, UnsuccessSmes) else "read_dests"
            body += [
                "reader = Reader(frame)",
                f"reader.position = {start}",
                f"pdu.{name} = {read}(reader)",
                f"{end} = reader.position",
            ]
            offset = 0
        place = end
    rest = f"{place} + {offset}" if place and offset else place or str(offset)
    return _decoder_frame(pdu_class, body, rest)


def _decoder_frame(pdu_class: type[Pdu], body: list[str], rest: str) -> list[str]:
    """What stands around the fields of every decoder: header, optional part, giving up."""
    lines = [
        "pdu = new(Class)",
        "pdu.command_status = command_status",
        "pdu.sequence_number = sequence_number",
        "pdu.command_length = length",
        *(["text = frame.decode('latin-1')", "index = text.index"] if "text[" in "".join(body) else []),
        *body,
        f"if {rest} == length:",
        "    pdu.tlvs = NO_TLVS",
        "    pdu.notes = ()",
        "else:",
        f"    pdu.tlvs, pdu.notes, broken = decode_tlvs(frame, {rest})",
        "    if broken: return decode_carefully(Class, frame)",
    ]
    if any(name == "esm_class" for name, _ in LAYOUTS[pdu_class]):
        lines.append("if pdu.esm_class & 0x40 and not udh_fits(pdu): return decode_carefully(Class, frame)")
    return [
        f"def decode_{pdu_class.name}(frame, length, command_status, sequence_number):",
        "    try:",
        *(f"        {line}" for line in lines),
        "    except (ValueError, IndexError, FieldError):",
        "        return decode_carefully(Class, frame)",
        "    return pdu",
    ]


def encoder_source(pdu_class: type[Pdu]) -> list[str]:
    """The lines of the encoder: strings are checked, then one text is joined and encoded."""
    checks: list[str] = []
    parts: list[str] = []
    message = ""
    for number, (name, wire) in enumerate(LAYOUTS[pdu_class]):
        value = f"value{number}"
        if isinstance(wire, Octet):
            parts.append(f"OCTET[pdu.{name}]")
        elif isinstance(wire, CString):
            checks += [
                f"{value} = pdu.{name}",
                f"if {value} and (len({value}) >= {wire.size} or '\\0' in {value}): raise explain(pdu)",
            ]
            parts += [value, "'\\0'"]
        elif isinstance(wire, ShortMessage):
            checks.append(f"message = pdu.{name}")
            parts.append("OCTET[len(message)]")
            message = "message"
        else:
            write = "write_unsuccess" if isinstance(wire, UnsuccessSmes) else "write_dests"
            parts.append(f"{write}(pdu.{name})")
    return _encoder_frame(pdu_class, checks, parts, message)


def _encoder_frame(pdu_class: type[Pdu], checks: list[str], parts: list[str], message: str) -> list[str]:
    """What stands around the fields of every encoder: header, optional part, giving up."""
    header = f"HEADER(16, {pdu_class.command_id}, pdu.command_status, pdu.sequence_number)"
    lines = []
    if parts and issubclass(pdu_class, Response) and pdu_class.bare_on_error:
        empty = " and ".join(f"not pdu.{name}" for name, _ in LAYOUTS[pdu_class])
        lines += [f"if pdu.command_status and {empty} and not pdu.tlvs:", f"    return {header}"]
    lines += checks
    if parts:
        lines.append(f"body = join(({', '.join(parts)},)).encode('latin-1')")
        if message:
            lines.append("body += message")
        lines.append("if pdu.tlvs: body += encode_tlvs(pdu.tlvs)")
    else:
        lines += [f"if not pdu.tlvs: return {header}", "body = encode_tlvs(pdu.tlvs)"]
    header = header.replace("16", "16 + len(body)", 1)
    return [
        f"def encode_{pdu_class.name}(pdu):",
        "    try:",
        *(f"        {line}" for line in lines),
        f"        return {header} + body",
        f"    except {_REGULAR_FAULTS}:",
        "        raise explain(pdu) from None",
    ]
