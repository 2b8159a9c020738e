"""command_status values (SMPP 3.4 section 5.1.3; the values from 0x100 are SMPP 5.0's)."""

from enum import Enum, IntEnum


class Retry(Enum):
    """What the sender of a refused request may do with it."""

    NONE = "none"  #: nothing was refused
    TEMPORARY = "temporary"  #: the same request may succeed later
    PERMANENT = "permanent"  #: the same request will be refused again
    SESSION = "session"  #: another bind has to be made first


_T = Retry.TEMPORARY
_P = Retry.PERMANENT
_S = Retry.SESSION


class CommandStatus(IntEnum):
    """One row for each status: value, meaning, retry class. The wire name is ``ESME_`` + name."""

    meaning: str
    retry: Retry

    def __new__(cls, value: int, meaning: str, retry: Retry = _P) -> "CommandStatus":
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.retry = retry
        return member

    ROK = 0x00, "no error", Retry.NONE
    RINVMSGLEN = 0x01, "message length invalid"
    RINVCMDLEN = 0x02, "command length invalid"
    RINVCMDID = 0x03, "command id invalid"
    RINVBNDSTS = 0x04, "wrong bind state for the command", _S
    RALYBND = 0x05, "already bound", _S
    RINVPRTFLG = 0x06, "priority flag invalid"
    RINVREGDLVFLG = 0x07, "registered_delivery invalid"
    RSYSERR = 0x08, "system error", _T
    RINVSRCADR = 0x0A, "source address invalid"
    RINVDSTADR = 0x0B, "destination address invalid"
    RINVMSGID = 0x0C, "message id invalid"
    RBINDFAIL = 0x0D, "bind failed", _S
    RINVPASWD = 0x0E, "password invalid", _S
    RINVSYSID = 0x0F, "system id invalid", _S
    RCANCELFAIL = 0x11, "cancel failed"
    RREPLACEFAIL = 0x13, "replace failed"
    RMSGQFUL = 0x14, "message queue full", _T
    RINVSERTYP = 0x15, "service type invalid"
    RINVNUMDESTS = 0x33, "number of destinations invalid"
    RINVDLNAME = 0x34, "distribution list name invalid"
    RINVDESTFLAG = 0x40, "dest_flag invalid"
    RINVSUBREP = 0x42, "submit with replace invalid"
    RINVESMCLASS = 0x43, "esm_class invalid"
    RCNTSUBDL = 0x44, "cannot submit to a distribution list"
    RSUBMITFAIL = 0x45, "submit failed", _T
    RINVSRCTON = 0x48, "source TON invalid"
    RINVSRCNPI = 0x49, "source NPI invalid"
    RINVDSTTON = 0x50, "destination TON invalid"
    RINVDSTNPI = 0x51, "destination NPI invalid"
    RINVSYSTYP = 0x53, "system_type invalid"
    RINVREPFLAG = 0x54, "replace_if_present_flag invalid"
    RINVNUMMSGS = 0x55, "number of messages invalid"
    RTHROTTLED = 0x58, "throttled", _T
    RINVSCHED = 0x61, "schedule time invalid"
    RINVEXPIRY = 0x62, "validity period invalid"
    RINVDFTMSGID = 0x63, "predefined message invalid"
    RX_T_APPN = 0x64, "receiver has a temporary error", _T
    RX_P_APPN = 0x65, "receiver has a permanent error"
    RX_R_APPN = 0x66, "receiver rejects the message"
    RQUERYFAIL = 0x67, "query failed"
    RINVTLVSTREAM = 0xC0, "optional part of the PDU broken"
    RTLVNOTALLWD = 0xC1, "TLV not allowed"
    RINVTLVLEN = 0xC2, "TLV length invalid"
    RMISSINGTLV = 0xC3, "TLV missing"
    RINVTLVVAL = 0xC4, "TLV value invalid"
    RDELIVERYFAILURE = 0xFE, "delivery failed"
    RUNKNOWNERR = 0xFF, "unknown error"
    RSERTYPUNAUTH = 0x100, "not authorised for the service type"
    RPROHIBITED = 0x101, "operation prohibited"
    RSERTYPUNAVAIL = 0x102, "service type unavailable"
    RSERTYPDENIED = 0x103, "service type denied"
    RINVDCS = 0x104, "data coding invalid"
    RINVSRCADDRSUBUNIT = 0x105, "source address subunit invalid"
    RINVDSTADDRSUBUNIT = 0x106, "destination address subunit invalid"
    RINVBCASTFREQINT = 0x107, "broadcast frequency interval invalid"
    RINVBCASTALIAS_NAME = 0x108, "broadcast alias name invalid"
    RINVBCASTAREAFMT = 0x109, "broadcast area format invalid"
    RINVNUMBCAST_AREAS = 0x10A, "number of broadcast areas invalid"
    RINVBCASTCNTTYPE = 0x10B, "broadcast content type invalid"
    RINVBCASTMSGCLASS = 0x10C, "broadcast message class invalid"
    RBCASTFAIL = 0x10D, "broadcast failed"
    RBCASTQUERYFAIL = 0x10E, "broadcast query failed"
    RBCASTCANCELFAIL = 0x10F, "broadcast cancel failed"
    RINVBCAST_REP = 0x110, "number of broadcast repeats invalid"
    RINVBCASTSRVGRP = 0x111, "broadcast service group invalid"
    RINVBCASTCHANIND = 0x112, "broadcast channel indicator invalid"


_BY_VALUE = {int(status): status for status in CommandStatus}


def name_of(command_status: int) -> str:
    """The wire name, ``ESME_RTHROTTLED``; of a value that is not in the table its hex, ``0x00000400``."""
    status = _BY_VALUE.get(command_status)
    return f"ESME_{status.name}" if status is not None else f"0x{command_status:08X}"


def retry_class(command_status: int) -> Retry:
    """What to do with a request that was answered so. A value that is not in the table (vendors use
    0x400 to 0x4FF) is permanent: nothing says that a repeat would fare better."""
    status = _BY_VALUE.get(command_status)
    return status.retry if status is not None else _P
