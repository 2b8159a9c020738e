"""Wrong usage: two lines, what was perhaps meant, exit code 2; and the exit codes in every help."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.cli.main import COMMANDS, GROUPS, build_parser, main
from gateway.cli.usage import EXIT_CODES, closest
from gateway.simulator.hints import as_called_here

LINES = {
    "": (": the following arguments are required: COMMAND", ""),
    "nonsense": (": unknown command 'nonsense'", ""),
    "chec": (": unknown command 'chec'", "did you mean check? "),
    "lsit": (": unknown command 'lsit'", "did you mean user list? "),
    "--versoin": (": unknown option '--versoin'", "did you mean --version? "),
    "explain": (" explain: the following arguments are required: COMMAND", ""),
    "explain txt": (" explain: unknown command 'txt'", "did you mean text? "),
    "explain text x": (" explain text: the following arguments are required: --to", ""),
    "explain text x --to 161 y": (" explain text: not expected: y", ""),
    "check --nonsense": (" check: unknown option '--nonsense'", ""),
    "check --confg=x": (" check: unknown option '--confg'", "did you mean --config? "),
    "check surplus": (" check: not expected: surplus", ""),
    "check --config": (" check: argument --config: expected one argument", ""),
    "outbox list --lim 3": (" outbox list: unknown option '--lim'", "did you mean --limit? "),
    "handset send --form 13800138000 --to 161 KTFX": (
        " handset send: unknown option '--form'",
        "did you mean --from? ",
    ),
    "handset send --from 13800138000 --to 161 KTFX --encoding usc2": (
        " handset send: argument --encoding: 'usc2' is none of auto, ascii, ucs2, gbk",
        "did you mean ucs2? ",
    ),
    "settle --from 2007-03-02 --to 2007-03-01 --out x": (
        " settle: --from 2007-03-02 is after --to 2007-03-01",
        "",
    ),
    "completion fish": (" completion: argument SHELL: 'fish' is none of bash, zsh", ""),
}


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on standard error of a command line that is wrong usage."""
    with pytest.raises(SystemExit) as left:
        main(words)
    out, err = capsys.readouterr()
    assert (left.value.code, out) == (2, "")
    return str(err).splitlines()


@pytest.mark.parametrize("line", LINES)
def test_wrong_usage_is_two_lines(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong, named with the command; what was perhaps meant, and where its usage is; exit 2."""
    wrong, meant = LINES[line]
    program = f"fetion-gateway{wrong.partition(':')[0]}"
    usage = as_called_here(f"{program} --help")
    assert refused(line.split(), capsys) == [f"fetion-gateway{wrong}", f"{meant}usage: {usage}"]


NAMES = frozenset(build_parser([]).commands)
IS_AN_ID = re.compile("[0-9A-Fa-f]{4,16}").fullmatch
"""`trace` looks for it in the store."""


@given(word=st.text(min_size=1, max_size=200).filter(lambda word: word[0] != "-" and word not in NAMES))
@example(word="a\nb\x1b[31m")
@example(word="\udcff" * 100)
@example(word="a" * 5000)
@example(word="0000")
def test_any_word_is_told_in_two_lines(word: str) -> None:
    """Whatever stands where a command or nothing should, nothing of it acts on the terminal or makes a third
    line."""
    for words in [word], ["check", word], ["trace", word], ["handset", "chat", "--from", word]:
        if words[0] != "trace" or not IS_AN_ID(word):
            told_in_two_lines(words)


def told_in_two_lines(words: list[str]) -> None:
    """Run a command line that is wrong usage, without the output of the test."""
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("sys.stderr.write", said.append, raising=False)
        with pytest.raises(SystemExit):
            main(words)
    assert len("".join(said)) < 1000
    assert len("".join(said).splitlines()) == 2
    assert "".join(said).replace("\n", "").isprintable()


def test_what_follows_two_dashes_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    """A text that begins with dashes stands behind --, and is not taken for a mistyped option."""
    assert main(["explain", "text", "--to", "161", "--", "--form"]) == 1
    assert "misunderstood" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("--form", ["--to", "--from"], "--from"),
        ("bind", ["binds", "load"], "binds"),
        ("x", ["text"], None),
        ("", ["text"], None),
        ("text", [], None),
    ],
)
def test_closest(word: str, known: list[str], meant: str | None) -> None:
    """The known word that is most alike, with its dashes; none where none is alike."""
    assert closest(word, known) == meant


def test_exit_codes_are_in_every_help() -> None:
    """The help of every command and group ends with the exit codes."""
    parser = build_parser(None)
    helps = {name: below.format_help() for name, below in parser.commands.items()}
    helps |= {
        f"{name} {last}": leaf.format_help()
        for name, below in parser.commands.items()
        for last, leaf in below.commands.items()
    }
    assert set(helps) == {entry.name for entry in COMMANDS} | set(GROUPS)
    for text in (parser.format_help(), *helps.values()):
        assert text.endswith(f"{EXIT_CODES}\n")
