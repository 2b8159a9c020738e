"""How an SMS and its gloss stand on a terminal of any width. No I/O."""

from collections.abc import Iterator
from typing import Final

WIDE: Final = 100
"""Columns from which on the numbers stand beside the text; below, on a line of their own."""

_ADDRESS: Final = 18
_BESIDE: Final = 2 * _ADDRESS + 6  # two addresses, the arrow, two blanks
_BELOW: Final = 4
_LEAST: Final = 10
"""Columns that a text has on however narrow a terminal."""

_CLOSING: Final = frozenset("，。：；！？、”’）》」』】〉…,.:;!?)")
_JOINER: Final = "\u200d"
"""Makes one sign of two (Unicode 16, section 23.2): a family of three emoji."""
_OPENING: Final = frozenset("“‘（《「『【〈(")

DIM: Final = "\033[2m"  # ANSI codes (ECMA-48 section 8.3.117)
CYAN: Final = "\033[36m"
PLAIN: Final = "\033[0m"


def lay_out(
    sender: str, receiver: str, text: str, gloss: str | None, width: int | None, *, colours: bool
) -> str:
    """The lines of one SMS: from whom to whom, the text, and below it the gloss, dimmed.

    width: columns of the terminal; None: no terminal, and nothing is wrapped. colours: with ANSI codes.
    """
    beside = width is None or width >= WIDE
    indent = _BESIDE if beside else _BELOW
    room = None if width is None else max(width - indent, _LEAST)
    head = f"{sender:>{_ADDRESS}} -> {receiver:<{_ADDRESS}}" if beside else f"{sender} -> {receiver}"
    margin = " " * indent
    lines = [margin + line for line in wrap(visible(text), room)]
    glosses = wrap(visible(gloss), room) if gloss else []
    shown_head = f"{CYAN}{head}{PLAIN}" if colours else head
    if beside:
        lines[0] = f"{shown_head}  {lines[0].removeprefix(margin)}".rstrip()
    else:
        lines.insert(0, shown_head)
    lines += [f"{margin}{DIM}{line}{PLAIN}" if colours else margin + line for line in glosses]
    return "\n".join(lines)


def later(seconds: float) -> str:
    """A time that passed: 24 h later; 3 d 30 min later."""
    parts, rest = [], seconds
    for unit, length, least in (("d", 86_400, 172_800), ("h", 3600, 3600), ("min", 60, 60)):
        if rest >= least:
            count, rest = divmod(rest, length)
            parts.append(f"{count:g} {unit}")
    if rest or not parts:
        parts.append(f"{rest:g} s")
    return " ".join([*parts, "later"])


def visible(text: str) -> str:
    """The text on one line, without characters that a terminal would obey."""
    one_line = text.replace("\r\n", "\n").replace("\n", " / ")
    return "".join(
        each if each.isprintable() or each == _JOINER else "\N{REPLACEMENT CHARACTER}" for each in one_line
    )


def wrap(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width` columns; a Chinese character takes two.

    A line ends at a blank or beside a Chinese character, but not before closing punctuation nor behind
    opening one; what has no such place is cut. At least one line. width: at least 2; None: any.
    """
    if width is None:
        return [text]
    lines, line = [], ""
    for piece in _pieces(text):
        if line and columns(line + piece.rstrip(" ")) > width:
            lines.append(line.rstrip(" "))
            line = ""
        line += piece
        while columns(line.rstrip(" ")) > width:
            head = _fitting(line, width)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line.rstrip(" ")] if line or not lines else lines


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from rich.cells import cell_len  # rich takes longer to import than most commands run

    return cell_len(text)


def _pieces(text: str) -> Iterator[str]:
    """The pieces between which a line may end; blanks belong to the piece before them."""
    piece = ""
    for character in text:
        if piece and _may_end(piece[-1], character):
            yield piece
            piece = ""
        piece += character
    if piece:
        yield piece


def _may_end(before: str, after: str) -> bool:
    """Whether a line may end between two characters."""
    if after == " " or after in _CLOSING or before in _OPENING or before == _JOINER or columns(after) == 0:
        return False
    return before == " " or columns(before) == 2 or columns(after) == 2


def _fitting(text: str, width: int) -> str:
    """The longest beginning of a text that fits, and one character at least."""
    end = 1
    while end < len(text) and columns(text[: end + 1]) <= width:
        end += 1
    return text[:end]
