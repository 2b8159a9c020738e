"""The addresses that SMS are sent from, compiled from the section `sources` of appendix7.yaml.

An address has the access code in use (`{access_code}`, optional), digits, and at the end what is added for
each SMS: the `{serial}` of a question or the `{number}` of a person. Each address is checked against the
rows: an answer to it must arrive where it is understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from routing.model import Accepts, Route
from routing.numbers import Digits
from routing.rows import AccessCode
from routing.schema import Appendix7, SourceRecord
from routing.tablefile import Fault, KeyPath, Located

_ADDRESS = re.compile(r"(\{access_code\})?([0-9]*)(\{serial\}|\{number\})?")

Resolve = Callable[[str], Route]


@dataclass(frozen=True, slots=True)
class Sources:
    """Source addresses, by access code in use where they depend on it.

    question: the address without the serial, and the serials that may follow. chat: the address without the
    number.
    """

    reply: Mapping[str, str]
    opening: Mapping[str, str]
    question: Mapping[str, tuple[str, Digits]]
    notice: str
    chat: str


class SourceCompiler:
    """Compiles the section `sources`. It collects faults in `faults`."""

    def __init__(
        self,
        located: Located[Appendix7],
        codes: Mapping[str, AccessCode],
        resolve: Resolve,
        people: list[str],
    ) -> None:
        """`people` are sample numbers, one of each kind that a chat may come from."""
        self.faults: list[Fault] = []
        self._located = located
        self._codes = codes
        self._resolve = resolve
        self._people = people
        self._bases = [code for code in codes if resolve(code).accepts is Accepts.BASE]

    def compile(self) -> Sources:
        """The compiled addresses. Use them only when `faults` is empty."""
        records = self._located.value.sources
        reply = self._heads("reply", records.reply, list(self._codes), "")
        opening = self._heads("opening", records.opening, self._bases, "")
        heads = self._heads("question", records.question, self._bases, "{serial}")
        question = {
            code: (head, serials)
            for code, head in heads.items()
            if (serials := self._serials(code, head, records.question)) is not None
        }
        chat = self._head(("sources", "chat"), records.chat.value, "", "{number}")
        for person in self._people:
            self._check(("sources", "chat"), chat + person, Accepts.CHAT)
        notice = self._head(("sources", "notice"), records.notice.value, "", "")
        self._check(("sources", "notice"), notice)
        return Sources(reply, opening, question, notice, chat)

    def _heads(self, name: str, record: SourceRecord, codes: list[str], ending: str) -> dict[str, str]:
        """The address for each access code, without its ending."""
        for code in record.at:
            if code not in self._codes:
                self._fault(("sources", name, "at", code), f"{code} is no access code")
        heads = {}
        for code in codes:
            path = _place(name, record, code)
            heads[code] = self._head(path, record.at.get(code, record.address).value, code, ending)
            if not ending:
                self._check(path, heads[code])
        return heads

    def _head(self, path: KeyPath, address: str, code: str, ending: str) -> str:
        match = _ADDRESS.fullmatch(address)
        if match is None or (match[3] or "") != ending or (match[1] and not code):
            parts = ("[{access_code}] " if code else "") + f"digits {ending}".rstrip()
            self._fault(path, f"{address!r} is not written as {parts}")
            return ""
        return (code if match[1] else "") + match[2]

    def _serials(self, code: str, head: str, record: SourceRecord) -> Digits | None:
        """The serials that the row for answers takes behind `head`; None, with a fault, without such a
        row."""
        for known in sorted(self._codes, key=len, reverse=True):
            if head.startswith(known):
                for row in self._codes[known].rows:
                    if row.accepts is Accepts.ANSWER and head[len(known) :] in row.provinces:
                        return row.tail
                break
        if head:
            path = _place("question", record, code)
            self._fault(path, f"{head} is not access code and prefix of a row that accepts answer")
        return None

    def _check(self, path: KeyPath, address: str, accepts: Accepts | None = None) -> None:
        if not address:
            return
        route = self._resolve(address)
        if route.refused is not None:
            self._fault(path, f"nobody could write back to {address}: {route.refused}")
        elif accepts is not None and route.accepts is not accepts:
            self._fault(path, f"{address} accepts {route.accepts}, not {accepts}")

    def _fault(self, path: KeyPath, reason: str) -> None:
        self.faults.append(self._located.fault(path, reason))


def _place(name: str, record: SourceRecord, code: str) -> KeyPath:
    return ("sources", name, "at", code) if code in record.at else ("sources", name, "address")
