"""What a reader types in the window of the demo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.keyboard import HELP, Become, Text, understand, wrong
from gateway.simulator.layout import visible


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("KTFX", Text("161", "KTFX")),
        ("  161   KTFX  ", Text("161", "KTFX")),
        ("12520 HY 139 0013 9000", Text("12520", "HY 139 0013 9000")),
        ("+8612520 CXFX", Text("+8612520", "CXFX")),
        ("00000", Text("161", "00000")),
        ("7 dinner", Text("161", "7 dinner")),
        ("是", Text("161", "是")),
        ("１６１ KTFX", Text("161", "１６１ KTFX")),
        ("/as 13900139000", Become("13900139000")),
        ("/as +8613900139000", Become("13900139000")),
        ("/as", None),
        ("/as bob", None),
        ("/as 139001390001", None),
        ("/help", None),
        ("/", None),
        ("", None),
        ("   ", None),
    ],
)
def test_understand(line: str, meant: Text | Become | None) -> None:
    """A text goes to 161, NUMBER TEXT to the number; what begins with / is never sent."""
    assert understand(line) == meant


@given(line=st.text())
def test_any_line(line: str) -> None:
    """Whatever is typed has a meaning or needs help; nothing is lost of a text."""
    meant = understand(line)
    if isinstance(meant, Text):
        assert line.strip().endswith(meant.text)
        assert not line.strip().startswith("/")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/as", "/as: which handset?"),
        ("/as 123", "/as 123: no mobile number of 11 digits"),
        (" /quit now", "unknown command /quit"),
        ("/as \x1b[2J", "/as " + visible("\x1b[2J") + ": no mobile number of 11 digits"),
    ],
)
def test_what_is_wrong(line: str, said: str) -> None:
    """A line that is not understood: what is wrong with it, what can be typed, and how to leave."""
    assert wrong(line) == f"{said}\n  {HELP}\n  Ctrl-C ends the demo"
