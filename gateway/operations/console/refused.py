"""Why a request of a visitor cannot be answered."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Said:
    """A value that is a text of texts/*.yaml itself. key: FILE.KEY."""

    key: str


class Refused(Exception):
    """The request cannot be answered.

    key: of the text of texts/*.yaml (FILE.KEY) that says why, and what to do; it is shown to the visitor in
    his language, and to programs in English. values: what the text names.
    """

    def __init__(self, status: int, key: str, **values: object) -> None:
        super().__init__(f"{key} {values}")
        self.status = status
        self.key = key
        self.values = values

    def said(self, text: Callable[..., str]) -> str:
        """The text, in the language of the function that gives texts."""
        given = {
            name: text(value.key) if isinstance(value, Said) else value for name, value in self.values.items()
        }
        return text(self.key, **given)
