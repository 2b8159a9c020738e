"""Searches for SMS in a thread that may read the store: a page of hits, and how far it looked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from gateway.operations.console.messages.query import IN, Query
from gateway.operations.timeline.records import state_of
from gateway.storage.reader import DownlinkRecord, JournalRecord, Position, Reader, Searched

PER_PAGE: Final = 50
FIRST: Final = 500
"""SMS that the first step looks at; each further one looks at four times as many, up to STEP."""
STEP: Final = 8_000
MOST: Final = 40_000
"""SMS that one page looks at, at most: some tenths of a second. A link goes on from there."""


@dataclass(frozen=True, slots=True)
class Hit:
    """An SMS that was found, as the store has it. result: outcome or state. home: code of the province of the
    customer. instruction: of an SMS out, that of its cause."""

    number: int
    at: int
    source: str
    destination: str
    instruction: str
    result: str
    home: str


@dataclass(frozen=True, slots=True)
class Results:
    """A page. before: where the next one goes on, (): nothing is left. at: ms of the oldest SMS looked at, 0:
    there was none. rows: how many were looked at."""

    hits: list[Hit]
    before: Position
    at: int
    rows: int


def search(
    reader: Reader, query: Query, home: Callable[[str], str], sees: Callable[[str], bool] | None
) -> Results:
    """Look backwards until the page is full, nothing is left, or MOST were looked at.

    home: the province of a mobile. sees: whether the SMS of customers of a province may be given; None: all.
    """
    wanted = query.wanted
    if sees is not None:
        wanted = replace(wanted, sees=lambda msisdn: sees(home(msisdn)))
    query = replace(query, wanted=wanted)
    hits, rows, at, size = list[Hit](), 0, 0, FIRST
    while True:
        left = PER_PAGE - len(hits)
        if query.direction == IN:
            came = reader.search_in(wanted, query.before, min(size, MOST - rows), left)
            hits += [_came(sms, home) for sms in came.found]
            step: Searched[JournalRecord] | Searched[DownlinkRecord] = came
        else:
            went = reader.search_out(wanted, query.before, min(size, MOST - rows), left)
            hits += [_went(sms, home, reader) for sms in went.found]
            step = went
        query = replace(query, before=step.before)
        rows, at, size = rows + step.rows, step.at or at, min(4 * size, STEP)
        if not step.before or len(hits) == PER_PAGE or rows >= MOST:
            return Results(hits, step.before, at, rows)


def _came(sms: JournalRecord, home: Callable[[str], str]) -> Hit:
    where = home(sms.msisdn)
    return Hit(sms.number, sms.at, sms.source, sms.destination, sms.instruction, sms.outcome, where)


def _went(sms: DownlinkRecord, home: Callable[[str], str], reader: Reader) -> Hit:
    cause = reader.journal_record(sms.cause)
    instruction = cause.instruction if cause else ""
    where = home(sms.msisdn)
    return Hit(sms.number, sms.at, sms.source, sms.destination, instruction, state_of(sms.state), where)
