"""The lines of a transcript: columns, where a line ends, and what is left out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.simulator.layout import columns, later, lay_out, visible, wrap

SENTENCE = "欢迎使用飞信！您的飞信号是512345678。发送HY#好友手机号到12520添加好友。"
CLOSING = "，。：；！？、”）"
TEXTS = st.text(st.sampled_from("飞信号欢迎，。“”！AZaz09# -😀\u0301"), max_size=80) | st.text(max_size=80)


@given(text=TEXTS, width=st.integers(2, 60))
def test_no_line_is_wider_than_the_terminal(text: str, width: int) -> None:
    """Every line fits, and together they are the text but for blanks."""
    lines = wrap(visible(text), width)
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == visible(text).replace(" ", "")


@given(width=st.integers(12, 100))
def test_no_line_begins_with_closing_punctuation(width: int) -> None:
    """Nor does one end with an opening mark, and no word is cut that fits."""
    lines = wrap("“您好”，请回复“是”（或者“否”）。Send HY#mobile to 12520!", width)
    assert not any(line[0] in CLOSING for line in lines)
    assert not any(line[-1] in "“（" for line in lines)
    assert any("HY#mobile" in line for line in lines)


def test_a_word_longer_than_a_line_is_cut() -> None:
    """It is cut where the line is full; a Chinese character is never halved."""
    assert wrap("0123456789", 4) == ["0123", "4567", "89"]
    assert wrap("飞信飞信", 5) == ["飞信", "飞信"]


@pytest.mark.parametrize("width", [None, 100, 132])
def test_a_wide_terminal(width: int | None) -> None:
    """The numbers stand beside the text, and each further line below its first."""
    lines = lay_out("161034", "13800138000", SENTENCE * 2, "Welcome.", width, colours=False).split("\n")
    assert lines[0].startswith("            161034 -> 13800138000         欢迎")
    assert all(re.fullmatch(r" {42}\S.*", line) for line in lines[1:])
    assert lines[-1].strip() == "Welcome."
    assert len(lines) == 2 if width is None else len(lines) > 2


@pytest.mark.parametrize("width", [1, 20, 40, 80, 99])
def test_a_narrow_terminal(width: int) -> None:
    """The numbers have a line of their own, and the text is below it with a margin."""
    head, *lines = lay_out("161034", "13800138000", SENTENCE, "Welcome.", width, colours=False).split("\n")
    assert head == "161034 -> 13800138000"
    assert all(re.fullmatch(r" {4}\S.*", line) for line in lines)
    assert all(columns(line) <= max(width, 14) for line in lines)


def test_colours_change_nothing_but_colours() -> None:
    """Without its codes a coloured SMS is the plain one; its gloss is dimmed."""
    for width in (40, 120):
        coloured = lay_out("161", "1", SENTENCE, "Welcome.", width, colours=True)
        assert "\033[2mWelcome.\033[0m" in coloured
        plain = re.sub(r"\033\[\d+m", "", coloured)
        assert plain == lay_out("161", "1", SENTENCE, "Welcome.", width, colours=False)


def test_what_a_terminal_would_obey_is_replaced() -> None:
    """Control characters, marks of direction and escapes of an SMS reach no terminal; lines are joined."""
    assert visible("a\r\nb\x1b[2J\u202ec\x07") == "a / b\ufffd[2J\ufffdc\ufffd"
    shown = lay_out("161", "1", "\x1b]0;x\x07", "\x1b[5m", 80, colours=False)
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_an_empty_text() -> None:
    """It has a line nevertheless."""
    assert lay_out("161", "1", "", None, 120, colours=False).strip() == "161 -> 1"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (86_400, "24 h later"),
        (7200, "2 h later"),
        (172_800, "2 d later"),
        (86_460, "24 h 1 min later"),
        (260_000, "3 d 13 min 20 s later"),
        (90, "1 min 30 s later"),
        (59, "59 s later"),
        (120, "2 min later"),
        (0.5, "0.5 s later"),
    ],
)
def test_pauses(seconds: float, said: str) -> None:
    """A wait is said in the unit that a person would use."""
    assert later(seconds) == said


def test_a_sign_of_several_emoji_is_one() -> None:
    """Where it fits it is neither taken apart nor cut."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert visible(family) == family
    width = columns(family)
    assert wrap(family * 3, width) == [family] * 3
    assert wrap(f"好{family}", width) == ["好", family]
