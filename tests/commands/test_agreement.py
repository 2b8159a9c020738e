"""An operator's tables keep what the handlers rely on."""

from collections import Counter
from pathlib import Path

import pytest

from commands.service import Commands
from routing.table import Routing
from routing.tablefile import TableError
from tests.commands.tables import shipped, write


def refused(routing: Routing, folder: Path) -> str:
    """The only fault of the tables in a folder."""
    with pytest.raises(TableError) as error:
        Commands.load(routing, folder)
    [fault] = error.value.faults
    assert fault.line > 1
    return f"{fault.key}: {fault.reason}"


def test_a_value_that_nobody_gives(tmp_path: Path, routing: Routing) -> None:
    """A sentence may leave out a value, and not use one that belongs to others. A price is always there."""
    content = shipped("replies/zh.yaml")
    sentences = content["sentences"]
    sentences["service.state.open"]["text"] = "您的飞信号是{fetion_number}。交友每月{month_mchat}元。"
    path = write(tmp_path / "replies" / "zh.yaml", content)
    Commands.load(routing, tmp_path)
    sentences["service.state.none"]["text"] += "{count}"
    write(path, content)
    told = refused(routing, tmp_path)
    assert told == "sentences.service.state.none.text: has no value 'count' here; it has: none"


@pytest.mark.parametrize("key", ["replies", "draws", "arguments"])
def test_what_a_handler_needs(tmp_path: Path, routing: Routing, key: str) -> None:
    """A row without one of its replies, draws or arguments is refused."""
    content = shipped()
    rows = [row for row in content["rows"] if row.get(key)]
    if key == "replies":
        said = Counter(reply for row in rows for reply in row["replies"])
        row = next(row for row in rows if said[row["replies"][-1]] > 1)
        missing = row["replies"].pop()
    elif key == "draws":
        row = rows[0]
        missing = row["draws"].pop()
    else:
        row = rows[0]
        missing, row["arguments"][0]["name"] = row["arguments"][0]["name"], "another"
    write(tmp_path / "appendix8.yaml", content)
    told = refused(routing, tmp_path)
    assert told.endswith(f"{key}: lacks {missing}, which the handler of {row['id']} needs")
