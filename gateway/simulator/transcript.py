"""The conversation of handsets, one line per SMS in the order of sending and receiving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.simulator.layout import CYAN, DIM, PLAIN, later, visible
from gateway.simulator.sms import Sms

_MARGIN: Final = len(f"{0:7.3f} s")


@dataclass(frozen=True, slots=True)
class Line:
    """One SMS of the conversation. at: seconds since it began."""

    at: float
    sender: str
    receiver: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:7.3f} s  {self.sender:>18} -> {self.receiver:<18}  {self.text}"

    def coloured(self) -> str:
        """The same line for a terminal that knows ANSI colours."""
        way = f"{self.sender:>18} -> {self.receiver:<18}"
        return f"{DIM}{self.at:7.3f} s{PLAIN}  {CYAN}{way}{PLAIN}  {self.text}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Time that passed between two SMS because the scenario waited. seconds: how much."""

    seconds: float

    def __str__(self) -> str:
        return f"{'':>{_MARGIN}}  {later(self.seconds)}"

    def coloured(self) -> str:
        """The same line for a terminal that knows ANSI colours."""
        return f"{DIM}{self}{PLAIN}"


class Transcript:
    """Collects SMS, and the pauses between them. names: who has which number, shown beside it.

    clock gives seconds; the first reading is the beginning. shown is called with each line as it comes.
    """

    def __init__(
        self,
        names: Mapping[str, str],
        clock: Callable[[], float],
        shown: Callable[[Line | Pause], None] | None = None,
    ) -> None:
        self.lines: list[Line | Pause] = []
        self._names = names
        self._clock = clock
        self._shown = shown
        self._began = clock()

    def add(self, sms: Sms) -> None:
        """Add an SMS that a handset sent or received."""
        self._show(
            Line(
                self._clock() - self._began, self._who(sms.sender), self._who(sms.receiver), visible(sms.text)
            )
        )

    def waited(self, seconds: float) -> None:
        """Add that the scenario waited on the gateway's clock."""
        self._show(Pause(seconds))

    def _show(self, line: Line | Pause) -> None:
        self.lines.append(line)
        if self._shown is not None:
            self._shown(line)

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))

    def _who(self, number: str) -> str:
        name = self._names.get(number)
        return visible(number if name is None else f"{name} {number}")
