"""Chooses lines of the log: by handset, message id, event, province, account and time."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

NUMBERS: Final = ("msisdn", "source", "destination", "sub_code")
"""Keys whose values may be, or end with, the number of a handset."""
IDS: Final = ("message_id", "cause_id")
REMEMBERED: Final = 100_000
"""Message ids that are kept to find the SMS that a chosen one has caused."""

_AGE = re.compile(r"(\d{1,9})([smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,3})?)?")
_ID = re.compile(r"(?:#?\.\.\.|#)?([0-9a-f]{1,16})", re.IGNORECASE)
_MSISDN = re.compile(r"\+?(?:86(?=1\d{10}$))?(\d{3,20})")
_STAMP_AT: Final = slice(14, 38)
_STAMP_HEAD: Final = b'{"timestamp":"'


@dataclass(frozen=True, slots=True)
class Wanted:
    """What lines must have; "" and None: anything.

    msisdn: the number of a handset, without country code. message: the end of a message id, lower case.
    event: a name (sms.sent) or a family (sms). province: its code. account: a system_id. since: in UTC.
    """

    msisdn: str = ""
    message: str = ""
    event: str = ""
    province: str = ""
    account: str = ""
    since: datetime | None = None


class Selection:
    """Chooses lines, in their order: an SMS to a handset is chosen with its cause, too."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._numbers = _endings(wanted.msisdn)
        self._since = _stamp(wanted.since) if wanted.since else ""
        self._since_octets = self._since.encode()
        self._needles = [
            needle.encode() for needle in (wanted.msisdn[-4:], wanted.message, wanted.event) if needle
        ]
        self._causes: dict[str, None] = {}
        self._reached = not self._since
        self.narrows = wanted != Wanted(since=wanted.since)

    @property
    def takes_others(self) -> bool:
        """Whether a line that is not from our log is chosen: one that follows a line that is late enough, if
        nothing else is asked for."""
        return not self.narrows and self._reached

    def may_take(self, line: bytes) -> bool:
        """Return False for lines that are certainly not chosen, at a small part of the cost of takes()."""
        for needle in self._needles:
            if needle not in line:
                return False
        if self._since and line.startswith(_STAMP_HEAD) and line[37:38] == b"Z":
            self._reached = line[_STAMP_AT] >= self._since_octets
            return self._reached
        return True

    def takes(self, event: Mapping[str, object]) -> bool:
        """Return whether a line is chosen."""
        wanted = self._wanted
        if self._since:
            self._reached = _is_late_enough(event.get("timestamp"), self._since)
            if not self._reached:
                return False
        if not self.narrows:
            return True
        name = event.get("event")
        return (
            (not wanted.event or name == wanted.event or str(name).startswith(f"{wanted.event}."))
            and (not wanted.account or event.get("system_id") == wanted.account)
            and (not wanted.message or any(str(event.get(key)).endswith(wanted.message) for key in IDS))
            and (not wanted.msisdn or any(str(event.get(key)).endswith(self._numbers) for key in NUMBERS))
            and (not wanted.province or self._is_of_province(event))
        )

    def _is_of_province(self, event: Mapping[str, object]) -> bool:
        own, cause = event.get("message_id"), event.get("cause_id")
        taken = event.get("province") == self._wanted.province or any(
            isinstance(each, str) and each in self._causes for each in (cause, own)
        )
        if taken and isinstance(own, str):
            self._causes[own] = None
            if len(self._causes) > REMEMBERED:
                del self._causes[next(iter(self._causes))]
        return taken


def parse_msisdn(text: str) -> str:
    """Return the number of a handset without country code. Raises ValueError."""
    found = _MSISDN.fullmatch(text)
    if not found or not text.isascii():
        raise ValueError(f"{text!r} is no number of a handset: digits, with or without 86")
    return found[1]


def parse_message(text: str) -> str:
    """Return the end of a message id from #...0002, 0002 or the whole one. Raises ValueError."""
    found = _ID.fullmatch(text)
    if not found:
        raise ValueError(
            f"{text!r} is no message id: 16 hexadecimal digits, or the last ones (as in '#...0002')"
        )
    return found[1].lower()


def parse_since(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the time of 30s, 10m, 2h, 1d (ago), HH:MM (the last one, in `zone`), or of RFC 3339.

    now: has a zone. A date and time without a zone is in `zone`. Raises ValueError.
    """
    try:
        if found := _AGE.fullmatch(text):
            return (now - timedelta(**{_UNITS[found[2]]: int(found[1])})).astimezone(UTC)
        if _TIME_OF_DAY.fullmatch(text):
            at = time.fromisoformat(text if text[1:2] != ":" else f"0{text}")
            return _last(at, now, zone)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        forms = "30s, 10m, 2h or 1d (ago), HH:MM, or 2007-03-01T12:00:00+08:00"
        raise ValueError(f"{text!r} is no time: {forms}") from None


def _last(at: time, now: datetime, zone: tzinfo) -> datetime:
    """Return the last time at which clocks in `zone` showed this; twice when they are put back."""
    today = now.astimezone(zone).date()
    shown = [
        datetime.combine(day, at.replace(fold=fold), tzinfo=zone).astimezone(UTC)
        for day in (today, today - timedelta(days=1))
        for fold in (0, 1)
    ]
    return max(each for each in shown if each <= now)


def _endings(msisdn: str) -> tuple[str, ...]:
    """Return how the values end that have this number: as it is, or as logging.mask_msisdn writes it."""
    masked = f"{msisdn[:3]}****{msisdn[7:]}"
    return (msisdn, masked) if len(msisdn) == 11 else (msisdn,)


def _stamp(moment: datetime) -> str:
    """Return a time as the log writes it, whose texts are in the order of times."""
    return f"{moment.astimezone(UTC).isoformat(timespec='milliseconds')[:23]}Z"


def _is_late_enough(at: object, since: str) -> bool:
    if not isinstance(at, str):
        return False
    if len(at) == len(since) and at[-1] == "Z":
        return at >= since
    try:
        moment = datetime.fromisoformat(at)
        return moment.tzinfo is not None and _stamp(moment) >= since
    except (ValueError, OverflowError):
        return False
