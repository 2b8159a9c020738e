"""What an SMS says in English, found from outside: from its numbers and its text alone."""

import os
from collections.abc import Mapping
from typing import Final

from commands.glosses import Glosses
from commands.service import Commands
from gateway.simulator.sms import Sms
from routing.table import Routing

_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""What names the language of messages; the first that is set decides (POSIX.1-2017, XBD section 8.2)."""


class Meaning:
    """Glosses for the SMS of a conversation, in both directions."""

    def __init__(self, routing: Routing, commands: Commands, glosses: Glosses) -> None:
        self._routing = routing
        self._parser = commands.parser
        self._glosses = glosses

    @classmethod
    def load(cls) -> "Meaning":
        """With the shipped tables. Raises TableError."""
        routing = Routing.load()
        commands = Commands.load(routing)
        return cls(routing, commands, Glosses.load(commands))

    def gloss(self, sms: Sms) -> str | None:
        """What an SMS says; None for a chat message, and for what is neither instruction nor sentence."""
        if self._routing.numbers.msisdn(sms.receiver) is not None:
            return self._glosses.of_sms(sms.text)
        route = self._routing.resolve(sms.receiver)
        if route.refused:
            return None
        sender = self._routing.main_number(sms.sender) or ""
        return self._glosses.of_instruction(self._parser.parse(sms.text, route, sender))


def reads_chinese(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the locale of an environment (default: of this process) is Chinese."""
    environ = os.environ if environ is None else environ
    named = next((environ[name] for name in _LOCALE if environ.get(name)), "")
    return named.lower().startswith("zh")
