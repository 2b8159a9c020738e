"""What an operator's instructions and sentences must keep of the shipped ones: what the handlers rely on.

A handler is code: it draws, asks for arguments by name, says sentences by id, and gives each a fixed set of
values. A table that takes one of these away would be valid, and every SMS that needs it would fail.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from commands.schema import Appendix8, RowRecord
from commands.sentences import Sentences, placeholders
from commands.table import Row, Table
from routing.tablefile import Fault, Located, locate


def sentence_faults(own: Sentences, shipped: Sentences) -> Iterator[Fault]:
    """Values that no handler gives to a sentence."""
    for name in own.by_id.keys() & shipped.by_id.keys():
        known = placeholders(shipped.written(name))
        for each in sorted(placeholders(own.written(name)) - known - own.fixed.keys()):
            reason = f"has no value {each!r} here; it has: {', '.join(sorted(known)) or 'none'}"
            yield own.fault(name, reason)


def row_faults(path: Path, shipped: Table) -> Iterator[Fault]:
    """Rows of a valid instruction table that lack what their handlers need."""
    located = locate(path, Appendix8)
    for place, record in enumerate(located.value.rows):
        row = shipped.rows.get(record.id)
        if row is not None:
            yield from _lacks(located, place, record, row)


def _lacks(located: Located[Appendix8], place: int, record: RowRecord, row: Row) -> Iterator[Fault]:
    given: tuple[tuple[str, Collection[str]], ...] = (
        ("replies", row.replies - set(record.replies)),
        ("draws", set(row.draws) - set(record.draws)),
        ("arguments", {each.name for each in row.arguments} - {each.name for each in record.arguments}),
    )
    for key, missing in given:
        if missing:
            names = ", ".join(sorted(missing))
            yield located.fault(
                ("rows", place, key), f"lacks {names}, which the handler of {record.id} needs"
            )
