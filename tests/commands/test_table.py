"""Faults of the instruction table: each with file, line, key and reason, and all of them together."""

from pathlib import Path
from typing import Any

import pytest

from commands.handlers import HANDLED, HANDLERS
from commands.service import Commands
from commands.table import load_table
from routing.table import Routing
from routing.tablefile import TableError
from tests.commands.tables import Change, argument, row, shipped, sourced, write

SENTENCES = frozenset(shipped("replies/zh.yaml")["sentences"])


def faults(tmp_path: Path, change: Change) -> list[str]:
    """The faults of the shipped table after a change, without their file."""
    content = shipped()
    change(content)
    path = write(tmp_path / "appendix8.yaml", content)
    with pytest.raises(TableError) as refused:
        load_table(path, HANDLED, SENTENCES)
    for fault in refused.value.faults:
        assert fault.file == str(path)
        assert fault.line > 1
    return [f"{fault.key}: {fault.reason}" for fault in refused.value.faults]


def rows_of(content: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows by id."""
    return {each["id"]: each for each in content["rows"]}


def set_in(row_id: str, **values: Any) -> Change:
    """Change keys of a row."""
    return lambda content: rows_of(content)[row_id].update(values)


def add(*rows: dict[str, Any]) -> Change:
    """Add rows."""
    return lambda content: content["rows"].extend(rows)


def serial(shortest: int = 1) -> dict[str, Any]:
    """An argument that takes the places of a list."""
    return argument("place", "serial", shortest=shortest, longest=1)


def help_row(words: list[str], *arguments: dict[str, Any]) -> Change:
    """Give the row `help` other words and arguments."""
    changed = row("help", words, arguments)
    return set_in("help", words=changed["words"], arguments=changed["arguments"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (add(row("weather", ["TQ"])), "no handler for 'weather'"),
        (add(row("help", ["TQ"])), "is the row of line"),
        (help_row(["KTFX"]), "'KTFX' may mean 'KTFX' of line"),
        (help_row(["BZ", "BZ"]), "'BZ' may mean 'BZ' of line"),
        (help_row(["HY12"]), "'HY12' may mean 'HY' of line"),
        (help_row(["WC", "WCX"], argument("page", "page")), None),
        (help_row(["0000"]), "'0000' may mean '0000' of line"),
        (help_row(["bz"]), "no text equals 'bz'; write it as 'BZ'"),
        (help_row(["ＢＺ"]), "write it as 'BZ'"),
        (help_row(["B Z"]), "write it as 'BZ'"),
        (help_row(["BZ#"]), "write it as 'BZ'"),
        (help_row(["BZ"], argument("all", "text"), argument("page", "page")), "free text is the last"),
        (
            help_row(["BZ"], argument("page", "page", required=False), argument("days", "days")),
            "a required argument stands before the optional ones",
        ),
        (help_row(["BZ"], argument("page", "page"), argument("page", "page")), "two arguments have the same"),
        (help_row(["BZ"], argument("name", "name")), "says how many characters it has at most: longest"),
        (help_row(["BZ"], argument("sex", "choice")), "'choices' belong to the kind choice"),
        (help_row(["BZ"], argument("new", "password", longest=9)), "a password is the whole text"),
        (set_in("help", words=[]), "a row has words, or takes the whole text"),
        (set_in("help", usage=None), "names the sentence that explains it: usage"),
        (set_in("help", usage="usage.hlep"), "no sentence 'usage.hlep'; did you mean 'usage.help'?"),
        (set_in("help", replies=["hepl"]), "no sentence 'hepl'; did you mean 'help'?"),
        (set_in("help", where=[sourced("hotlin")]), "no place 'hotlin'; did you mean 'hotline'?"),
        (set_in("help", where=[sourced("chat")]), "a row with words is not understood at chat"),
        (set_in("voice", where=[sourced("base")]), "a row with the whole text is not understood at base"),
        (set_in("voice", where=[sourced("none")]), "voice takes every text at none"),
        (set_in("voice", where=[sourced("none")]), "no row takes the texts at voice"),
        (set_in("password.set", usage=None), "names the sentence for a wrong one: usage"),
        (set_in("answer.no", arguments=[argument("page", "page")]), "an answer has no arguments"),
        (set_in("help", effect={"value": "helps"}), "is missing"),
        (set_in("help", effect={"value": "helps", "provenance": "attested"}), "names its source"),
        (set_in("help", words=[{"value": "BZ", "provenance": "reconstructed"}]), "gives its ground"),
        (set_in("help", arguments=[serial()]), "a row has words, or takes the whole text, or the serials"),
        (add(row("a", [], [serial(), argument("page", "page")])), "a serial stands alone"),
        (add(row("a", [], [serial(shortest=0)])), "from one digit on: shortest, longest"),
        (add(row("a", [], [serial()])), "may mean '1' of line"),
        (add(row("a", [], [serial()], where=[sourced("hotline")])), "takes the serials at hotline"),
        (set_in("help", read=True), "unknown key; did you mean 'reads'?"),
        (lambda content: content["attempt"].update({"password": "password.sett"}), "no row 'password.sett'"),
        (lambda content: content["cancelling"]["words"].append(sourced("QXFX")), "'QXFX' may mean 'QXFX' of"),
        (lambda content: content["foreign"].append(sourced("KTFX")), "'KTFX' may mean 'KTFX' of line"),
        (lambda content: content["foreign"].append(sourced("ktgprs")), "write it as 'KTGPRS'"),
        (lambda content: content["negations"].append(sourced("不 要")), "write it as '不要'"),
        (lambda content: content["attempt"]["words"].append(sourced("ｐｗｄ")), "write it as 'PWD'"),
        (lambda content: content["cancelling"].update(reply="canceling"), "did you mean 'cancelling'?"),
        (help_row(["HMDLB"]), "'HMDLB' may mean 'HMDLB' of line"),
        (help_row(["HMDLB2"]), "'HMDLB2' may mean 'HMDLB' of line"),
        (help_row(["ZL"]), "'ZL' may mean 'ZL' of line"),
        (lambda content: content["attempt"].update({"password": "help"}), "help takes no password"),
        (lambda content: content["hints"][0].update(where=[sourced("answer")]), "no place 'answer'"),
        (lambda content: content["places"]["hotline"]["codes"].append(sourced("161")), "belongs to base"),
        (lambda content: content["general"].pop("failed"), "general.failed: is missing"),
    ],
)  # fmt: skip
def test_bad_tables(tmp_path: Path, change: Change, expected: str | None) -> None:
    """Each mistake in the table is refused with the line and the reason."""
    if expected is None:
        content = shipped()
        change(content)
        assert load_table(write(tmp_path / "appendix8.yaml", content), HANDLED, SENTENCES)
        return
    assert any(expected in fault for fault in faults(tmp_path, change))


def test_the_line_is_the_line(tmp_path: Path) -> None:
    """A fault names the line of the word, and the line of the word it can be confused with."""
    content = shipped()
    rows_of(content)["help"]["words"].append(sourced("CXFX"))
    path = write(tmp_path / "appendix8.yaml", content)
    lines = path.read_text(encoding="utf-8").splitlines()
    first, second = (number for number, line in enumerate(lines, 1) if line.endswith("value: CXFX"))
    with pytest.raises(TableError) as refused:
        load_table(path, HANDLED, SENTENCES)
    assert [(fault.line, fault.reason) for fault in refused.value.faults] == [
        (second, f"'CXFX' may mean 'CXFX' of line {first} at base")
    ]


def test_all_faults_at_once(tmp_path: Path) -> None:
    """A table with several mistakes is refused once, with all of them."""

    def change(content: dict[str, Any]) -> None:
        rows_of(content)["help"]["words"].append(sourced("CXFX"))
        rows_of(content)["help"]["replies"].append("nothing")
        content["rows"].append(row("weather", ["TQ"]))

    assert len(faults(tmp_path, change)) == 3


def test_every_row_has_a_handler(commands: Commands) -> None:
    """Rows and handlers are the same set; chat is handled by the type of what was understood."""
    assert set(commands.table.rows) == HANDLED
    assert set(commands.table.rows) - set(HANDLERS) == {"chat"}


def test_rows_are_known_by_what_they_need(commands: Commands) -> None:
    """Open, state, lists, cancel, help, answers and mere numbers work without opening; the rest needs it."""
    for_everyone = {row.id for row in commands.table.rows.values() if not row.needs_open}
    families = {row_id for row_id in for_everyone if row_id.startswith(("service.", "answer."))}
    assert for_everyone - families == {"matching.cancel", "help", "province", "voice", "none"}
    assert {row.id for row in commands.table.rows.values() if row.reads} == {
        "service.list",
        "service.state",
        "buddy.list",
        "buddy.online",
        "buddy.blocked",
        "buddy.profile",
        "help",
    }
    assert {row.id for row in commands.table.rows.values() if row.hidden} == {
        "password.random",
        "password.set",
    }


def test_a_sentence_that_nothing_says(tmp_path: Path, routing: Routing) -> None:
    """A sentence without use is refused with its line; so is a folder where one is missing."""
    replies = shipped("replies/zh.yaml")
    replies["sentences"]["forgotten"] = {"text": "没有人说"}
    write(tmp_path / "appendix8.yaml", shipped())
    write(tmp_path / "tariffs.yaml", shipped("tariffs.yaml"))
    path = write(tmp_path / "replies" / "zh.yaml", replies)
    with pytest.raises(
        TableError, match=r"sentences\.forgotten: no row and no rule says this sentence"
    ) as refused:
        Commands.load(routing, tmp_path)
    assert refused.value.faults[0].file == str(path)
    del replies["sentences"]["forgotten"], replies["sentences"]["help"]
    write(path, replies)
    with pytest.raises(TableError, match="no sentence 'help'"):
        Commands.load(routing, tmp_path)


def test_the_version_names_the_files(tmp_path: Path, routing: Routing, commands: Commands) -> None:
    """Two loads of the same files have one version, a changed word another."""
    assert Commands.load(routing).version == commands.version
    content = shipped()
    rows_of(content)["help"]["words"].append(sourced("JIUMING"))
    write(tmp_path / "appendix8.yaml", content)
    write(tmp_path / "replies" / "zh.yaml", shipped("replies/zh.yaml"))
    write(tmp_path / "tariffs.yaml", shipped("tariffs.yaml"))
    assert Commands.load(routing, tmp_path).version != commands.version
