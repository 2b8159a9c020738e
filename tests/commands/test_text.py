"""Folding of texts, and the cursor."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import text as module
from commands.text import Cursor, core_of, normalise, units, word_of

TYPED = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("KTFXktfx１Ａａ＃，。、“”‘’《》…①℃Ⅳ\u3000\u00a0\u200b\ufeff\u00ad\ufe0f\r\n\t\x00"),
    ),
    max_size=30,
)


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("ktfx", "KTFX"),
        ("ＫＴＦＸ", "KTFX"),
        ("ＨＹ＃１３８０", "HY#1380"),
        ("﹟＊＋－＠", "#*+-@"),
        ("，：（", ",:("),
        ("a\u3000b\u00a0c\td", "A B C D"),
        ("①Ⅳ…", "1IV..."),
        ("。、·", ".,."),
        ("“”‘’—《》【】", '""""-<>[]'),
        ("K\u200bT\ufeffF\u00adX\ufe0f", "KTFX"),
        ("a\r\nb\u2028c", "A\n\nB\nC"),
        ("℃", "°C"),
        ("ß", "ß"),
        ("éÉ", "éÉ"),
        ("一二", "一二"),
    ],
)
def test_what_is_folded(typed: str, folded: str) -> None:
    """Width, case of a-z only, blanks, line ends, punctuation and invisible characters are folded as
    documented."""
    assert normalise(typed).folded == folded


@given(TYPED)
def test_short_cuts_change_nothing(typed: str) -> None:
    """The fast paths give the same folding and the same cuts as folding character by character."""
    quick, careful = normalise(typed), module._normalise_each(typed)
    assert quick.folded == careful.folded
    for start in range(len(quick.folded)):
        assert quick.cut(start, start + 1) == careful.cut(start, start + 1)


@given(TYPED)
def test_cut_gives_back_the_original(typed: str) -> None:
    """The original is returned whole from its first visible character on; a cut folds to what was cut."""
    folded = normalise(typed)
    assert typed.endswith(folded.cut(0, len(folded.folded)))
    for start in range(len(folded.folded)):
        assert folded.folded[start] in normalise(folded.cut(start, start + 1)).folded


@given(TYPED)
def test_folded_is_stable(typed: str) -> None:
    """What is folded has no small Latin letter, no blank but the space, nothing invisible."""
    folded = normalise(typed).folded
    assert not any("a" <= each <= "z" or "ａ" <= each <= "ｚ" for each in folded)
    assert not any(each.isspace() and each not in " \n" for each in folded)
    assert not any(unicodedata.category(each) == "Cf" for each in folded if ord(each) < 0x3000)


def test_ascii_needs_no_map() -> None:
    """An ASCII text needs no map to the original."""
    assert normalise("hy#139")._starts is None
    assert normalise("\x00\x7f").folded == "  "


@pytest.mark.parametrize(
    ("line", "core", "word"),
    [
        (" (K T F X)! ", "K T F X", "KTFX"),
        ("?", "?", "?"),
        ("??!", "?", "?"),
        ("KTFX?.", "KTFX", "KTFX"),
        ("?KTFX", "?KTFX", "?KTFX"),
        ("...", "", ""),
        ("#KTFX#", "#KTFX#", "#KTFX#"),
        ("-1", "-1", "-1"),
    ],
)
def test_core_and_word(line: str, core: str, word: str) -> None:
    """Punctuation around a line is removed, `?` only behind something; other signs stay."""
    assert (core_of(line), word_of(line)) == (core, word)


def test_cursor_reads_digits() -> None:
    """A run of digits keeps a leading + and loses its FILLERS; the cursor is behind the run."""
    text = normalise("+86 139-1234 5678 小明")
    cursor = Cursor(text, 0, len(text.folded))
    assert cursor.take_digits() == "+8613912345678"
    assert cursor.skip_separators()
    assert text.cut(*cursor.take_rest()) == "小明"
    assert cursor.at_end()
    assert not cursor.skip_separators()
    assert cursor.take_digits() == ""


@pytest.mark.parametrize(
    ("typed", "digits", "rest"),
    [
        ("139 0013 9000", "13900139000", ""),
        ("139-0013-9000#x", "13900139000", "#X"),
        ("139.0013.9000.", "13900139000", "."),
        ("139。0013。9000", "13900139000", ""),
        ("(+86) 139.0013.9000", "+8613900139000", ""),
        ("（+86）139", "+86139", ""),
        ("+86(0)139", "+860139", ""),
        ("(13900139000)#x", "13900139000", "#X"),
        ("((139)001 )x", "139001", "X"),
        ("【139】，x", "139", ",X"),
        ("<139>", "139", ""),
        ("13900139000 (小王)", "13900139000", " (小王)"),
        ("13900139000 )", "13900139000", " )"),
        ("(139]", "139", "]"),
        ("13900139000 - ", "13900139000", " - "),
        ("139+139", "139", "+139"),
        ("++139", "", "++139"),
        ("(+)", "", "(+)"),
        ("-- ()", "", "-- ()"),
        ("小王", "", "小王"),
    ],
)
def test_the_run_of_a_number(typed: str, digits: str, rest: str) -> None:
    """Rule 4: digits, blanks, hyphens, dots and brackets, a + in front; what follows the last digit stays."""
    text = normalise(typed)
    cursor = Cursor(text, 0, len(text.folded))
    assert (cursor.take_digits(), text.folded[cursor.position :]) == (digits, rest)


@given(st.text(alphabet="0139+-.() []<>#小", max_size=40))
def test_a_run_of_digits_is_read_once_and_whole(typed: str) -> None:
    """The digits are those of what was passed over, and no digit stays next to it."""
    text = normalise(typed)
    cursor = Cursor(text, 0, len(text.folded))
    digits = cursor.take_digits()
    passed, left = text.folded[: cursor.position], text.folded[cursor.position :]
    assert digits.removeprefix("+") == "".join(filter(str.isdigit, passed))
    assert not left[:1].isdigit() or not digits
    assert (digits == "") == (cursor.position == 0)


@pytest.mark.parametrize("unit", ["(", "(1", "1)", "(1)", "1 ", " -.", "1", "+1"])
def test_long_runs_cost_what_they_are_long(unit: str) -> None:
    """Reading a long run is linear."""

    def cost(length: int) -> float:
        text = normalise((unit + "1" + unit[::-1]) * length + "1" + ")" * length)
        times = []
        for _ in range(5):
            before = time.process_time()
            Cursor(text, 0, len(text.folded)).take_digits()
            times.append(time.process_time() - before)
        return min(times)

    assert cost(16_000) < 4 * cost(4_000) * 2 + 0.005


def test_cursor_stops_at_its_end() -> None:
    """The cursor reads nothing behind its end."""
    text = normalise("12#34")
    cursor = Cursor(text, 0, 4)
    assert cursor.take_field() == (0, 2)
    cursor.skip_separators()
    assert cursor.take_digits() == "3"
    assert cursor.at_end()


@given(st.text())
def test_units_are_those_of_utf_16(text: str) -> None:
    """The length of a text is that of its UTF-16 form, which an SMS carries."""
    assert units(text) == len(text.encode("utf-16-be")) // 2
