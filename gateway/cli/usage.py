"""The parser of every command: how `--help` ends, and wrong usage in two lines with exit code 2."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn

EXIT_CODES: Final = """\
exit codes: 0 done
            1 the answer is no: a fault, a refusal, a missed expectation
            2 wrong usage
            3 not running (status)
          130 interrupted with Ctrl-C
          141 the reader of the output went away"""
"""Of every command."""

ALIKE: Final = 0.8
"""Jaro-Winkler similarity from which on a word is taken for a mistyped one."""
LONGEST: Final = 60
"""Characters of a wrong word that are repeated."""
LONGEST_MESSAGE: Final = 500
"""Characters of a message: a wrong command line may be a whole file."""


class Parser(argparse.ArgumentParser):
    """Parser of the command line, of a group or a command. example: a command line without the program."""

    def __init__(self, *, example: str = "", **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**settings, allow_abbrev=False, epilog=f"{_example(example)}{EXIT_CODES}")

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and where the usage is."""
        self.fail(message)

    def fail(self, message: str, near: str | None = None) -> NoReturn:
        """Say what is wrong, then what was perhaps meant and where the usage is; leave with exit code 2."""
        from gateway.simulator.hints import as_called_here  # only where something is wrong

        usage = as_called_here(f"{self.prog} --help")
        meant = f"did you mean {near}? " if near else ""
        said = "".join(each if each.isprintable() else repr(each)[1:-1] for each in " ".join(message.split()))
        if len(said) > LONGEST_MESSAGE:
            said = f"{said[:LONGEST_MESSAGE]}..."
        self.exit(2, f"{self.prog}: {said}\n{meant}usage: {usage}\n")

    def refuse_unknown_options(self, words: Sequence[str]) -> None:
        """Fail at the first long option that the command of these words does not have.

        argparse would tell first what is missing, and what is missing may be what was mistyped.
        """
        commands = self.commands
        for position, word in enumerate(words):
            if word == "--":
                return
            if commands and not word.startswith("-"):
                if word in commands:
                    commands[word].refuse_unknown_options(words[position + 1 :])
                return
            name = word.partition("=")[0]
            if name.startswith("--") and " " not in word and name not in self._option_string_actions:
                self.fail(f"unknown option {_shown(name)}", closest(name, self._option_string_actions))

    @property
    def commands(self) -> Mapping[str, "Parser"]:
        """The parsers below this one, by name."""
        for action in self._actions:
            if action.nargs == argparse.PARSER and isinstance(action.choices, Mapping):
                return action.choices
        return {}

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Overrides argparse: a value, or the name of a command, that is none of the choices."""
        if action.choices is None or value in action.choices:
            return
        if action.nargs != argparse.PARSER:
            name = "/".join(action.option_strings) or str(action.metavar or action.dest)
            known = [str(each) for each in action.choices]
            said = f"argument {name}: {_shown(value)} is none of {', '.join(known)}"
            self.fail(said, closest(value, known))
        names = {
            **{last: f"{first} {last}" for first, below in self.commands.items() for last in below.commands},
            **{name: name for name in self.commands},
        }
        self.fail(f"unknown command {_shown(value)}", names.get(closest(value, names) or ""))


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most alike, None if none is. Dashes in front do not count.

    For keys of files: routing.tablefile.nearest, whose import takes longer than everything here.
    """
    from rapidfuzz import process  # only where something is wrong: it takes longer than the rest
    from rapidfuzz.distance import JaroWinkler

    words = list(known)
    found = process.extractOne(
        word.lstrip("-"),
        [each.lstrip("-") for each in words],
        scorer=JaroWinkler.similarity,
        score_cutoff=ALIKE,
    )
    return None if found is None else words[found[2]]


def _example(words: str) -> str:
    return f"example: fetion-gateway {words}\n" if words else ""


def _shown(word: str) -> str:
    """A word of the user, on one line."""
    return repr(word if len(word) <= LONGEST else f"{word[:LONGEST]}...")
