"""What a reader of the demo types to be a handset: a text, NUMBER TEXT, or /as MSISDN."""

import re
from dataclasses import dataclass
from typing import Final

from gateway.simulator.errors import SimulatorError
from gateway.simulator.handset import Centre
from gateway.simulator.hints import as_called_here
from gateway.simulator.layout import visible
from gateway.simulator.sms import bare
from gateway.simulator.window import Window
from gateway.smpp.errors import SmppError

YOURSELF: Final = "13700137000"
"""The handset that the reader is at first."""

BASE: Final = "161"
"""Where a text without a number goes."""

HELP: Final = f"type TEXT (goes to {BASE}), or NUMBER TEXT, or /as MSISDN to be another handset"

_MOBILE: Final = re.compile(r"1\d{10}", re.ASCII)
_ADDRESSED: Final = re.compile(r"(\+?\d{3,20})\s+(\S.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Text:
    """Send `text` to a number."""

    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Become:
    """Be another handset."""

    msisdn: str


def understand(line: str) -> Text | Become | None:
    """What a typed line means; None: it needs HELP. A line that begins with / is never sent."""
    line = line.strip()
    if line.startswith("/"):
        word, _, number = line.partition(" ")
        number = bare(number.strip())
        return Become(number) if word == "/as" and _MOBILE.fullmatch(number) else None
    addressed = _ADDRESSED.fullmatch(line)
    if addressed is not None:
        return Text(addressed[1], addressed[2])
    return Text(BASE, line) if line else None


def wrong(line: str) -> str:
    """What to answer to a line that `understand` does not: what is wrong, and what can be typed."""
    word, _, rest = line.strip().partition(" ")
    fault = f"unknown command {word}"
    if word == "/as":
        fault = f"/as {rest.strip()}: no mobile number of 11 digits" if rest else "/as: which handset?"
    return f"{visible(fault)}\n  {HELP}\n  Ctrl-C ends the demo"


class Keyboard:
    """A reader who is one handset of a centre at a time. msisdn: which one."""

    def __init__(self, centre: Centre, window: Window) -> None:
        self.msisdn = YOURSELF
        self._centre = centre
        self._window = window

    async def typed(self, line: str) -> None:
        """Do what a line asks for. What fails is said in the window."""
        if not line.strip():
            return
        match understand(line):
            case Text(to, text):
                await self._send(text, to)
            case Become(msisdn):
                self.msisdn = msisdn
                self._window.say(f"you are {msisdn} now")
            case None:
                self._window.say(wrong(line))

    async def _send(self, text: str, to: str) -> None:
        try:
            await self._centre.handset(self.msisdn).send(text, to)
        except (SimulatorError, SmppError) as error:
            self._window.say(as_called_here(str(error)))
