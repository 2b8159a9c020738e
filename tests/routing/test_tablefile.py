"""routing.tablefile: a closed schema; every fault has file, line and key."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import Field, field_validator

from routing.tablefile import Closed, Fault, TableError, dotted, load, locate, nearest, read


class Listen(Closed):
    """A nested section."""

    host: str = "127.0.0.1"
    port: int


class Account(Closed):
    """An item of a list."""

    system_id: str
    password: str

    @field_validator("password")
    @classmethod
    def _long(cls, value: str) -> str:
        if len(value) > 8:
            raise ValueError("a password has at most 8 characters")
        return value


class Config(Closed):
    """A file."""

    listen: Listen | None = None
    accounts: list[Account] = Field(default_factory=list)
    sizes: dict[str, int] = Field(default_factory=dict)
    ratio: int | str = 1


def faults(tmp_path: Path, text: str) -> list[Fault]:
    """The faults of a file with this text."""
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as caught:
        load(path, Config)
    assert str(caught.value) == "\n".join(map(str, caught.value.faults))
    assert {fault.file for fault in caught.value.faults} == {str(path)}
    return caught.value.faults


def test_a_good_file_becomes_its_model(tmp_path: Path) -> None:
    """`load` gives the validated model."""
    path = tmp_path / "config.yaml"
    path.write_text("listen: {port: 2775}\naccounts:\n  - {system_id: a, password: b}\n", encoding="utf-8")
    config = load(path, Config)
    assert config.listen is not None
    assert config.listen.port == 2775
    assert config.accounts[0].system_id == "a"


def test_a_fault_is_written_file_line_key_reason() -> None:
    """The text of a fault is what `check` prints."""
    assert str(Fault("a.yaml", 3, "rows[1].tail", "is missing")) == "a.yaml:3: rows[1].tail: is missing"


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    """A misspelt key is reported at its line, with the nearest known key."""
    (fault,) = faults(tmp_path, "listen:\n  prot: 2775\n  port: 1\n")
    assert (fault.line, fault.key) == (2, "listen.prot")
    assert fault.reason == "unknown key; did you mean 'port'?"


def test_an_unknown_key_like_no_other_lists_the_known_ones(tmp_path: Path) -> None:
    """Without a near key, all keys of that level are named, also inside a list."""
    (fault,) = faults(
        tmp_path, "accounts:\n- {system_id: a, password: b}\n- system_id: a\n  password: b\n  xyz: 1\n"
    )
    assert (fault.line, fault.key) == (5, "accounts[1].xyz")
    assert fault.reason == "unknown key; known: password, system_id"


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    """Duplicate keys and violations of the schema are reported together, in file order."""
    text = "listen:\n  port: 1\n  port: 2\n  host: 5\naccounts:\n  - system_id: a\nsizes: {x: many}\n"
    found = [(fault.line, fault.key, fault.reason) for fault in faults(tmp_path, text)]
    assert found[0] == (3, "listen.port", "duplicate key, first on line 2")
    assert found[1] == (4, "listen.host", "must be text: put it in quotes")
    assert found[2] == (6, "accounts[0].password", "is missing")
    assert found[3][:2] == (7, "sizes.x")
    assert len(found) == 4


def test_a_duplicate_on_one_line_is_seen(tmp_path: Path) -> None:
    """A duplicate key in flow style is found."""
    (fault,) = faults(tmp_path, "listen: {port: 1, port: 2}\n")
    assert (fault.line, fault.reason) == (1, "duplicate key, first on line 1")


def test_a_validators_sentence_is_the_reason(tmp_path: Path) -> None:
    """The message of a validator is the reason, without pydantic's prefix and without the value."""
    (fault,) = faults(tmp_path, "accounts:\n  - system_id: a\n    password: topsecret123\n")
    assert (fault.line, fault.key) == (3, "accounts[0].password")
    assert fault.reason == "a password has at most 8 characters"


def test_no_fault_prints_a_value(tmp_path: Path) -> None:
    """A fault contains no value of the file."""
    text = "accounts:\n  - {system_id: a, password: [canary]}\n  - canary\nlisten: {port: canary}\n"
    assert "canary" not in "\n".join(map(str, faults(tmp_path, text)))


def test_a_value_where_a_section_belongs(tmp_path: Path) -> None:
    """The fault names the keys of the section."""
    (fault,) = faults(tmp_path, "listen: 2775\n")
    assert (fault.line, fault.key, fault.reason) == (
        1,
        "listen",
        "must be a mapping with the keys host, port",
    )


def test_union_members_stay_out_of_the_key(tmp_path: Path) -> None:
    """The key of a fault has no name of a union member."""
    assert {fault.key for fault in faults(tmp_path, "ratio: [1]\n")} == {"ratio"}


def test_an_empty_file_is_no_mapping(tmp_path: Path) -> None:
    """The fault of an empty file has the key (file)."""
    (fault,) = faults(tmp_path, "")
    assert (fault.line, fault.key) == (1, "(file)")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("listen: {port: 1\nsizes: [", 2),
        ("a: 1\n\tb: 2\n", 2),
        ("a: 1\n---\nb: 1\n", 2),
        ("listen: *nowhere\n", 1),
        ("listen: !!python/object:os.system {}\n", 1),
        ("a: 1\nlisten: \x07\n", 2),
        ("a: [1, {b: 2}]\nwhen: 2007-13-45\n", 2),
        ("listen: &loop [*loop]\n", 1),
        ("[" * 5000 + "]" * 5000, 1),
    ],
    ids=["unclosed", "tab", "two documents", "no anchor", "tag", "control", "date", "loop", "deep"],
)
def test_text_that_is_no_yaml(tmp_path: Path, text: str, line: int) -> None:
    """Whatever the YAML parser rejects is a fault with a line."""
    (fault,) = faults(tmp_path, text)
    assert fault.key == "(yaml)"
    assert fault.line == line
    assert "\n" not in fault.reason


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file is a fault."""
    with pytest.raises(TableError, match=r"nothing.yaml:1: \(file\): cannot be read: No such file"):
        load(tmp_path / "nothing.yaml", Config)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    """A file in GBK is rejected at the line of the first wrong octet."""
    path = tmp_path / "gbk.yaml"
    path.write_bytes("a: 1\nb: 飞信\n".encode("gbk"))
    with pytest.raises(TableError, match=r"gbk.yaml:2: \(file\): not UTF-8"):
        load(path, Config)


def test_lines_of_rows_and_values(tmp_path: Path) -> None:
    """`line_of` knows every key; for an unknown one it returns the nearest line above."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "# head\nlisten:\n  port: 1\naccounts:\n  -\n    system_id: a\n    password: b\n", encoding="utf-8"
    )
    located = locate(path, Config)
    assert located.line_of(("listen", "port")) == 3
    assert located.line_of(("accounts", 0, "password")) == 7
    assert located.line_of(("accounts", 0, "missing", "deep")) == 6
    assert located.line_of(("missing",)) == 1
    assert located.fault(("listen", "port"), "is taken") == Fault(str(path), 3, "listen.port", "is taken")


def test_merge_keys_and_anchors_are_understood(tmp_path: Path) -> None:
    """A key that overrides a merged one is no duplicate."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts:\n  - &first {system_id: a, password: b}\n  - <<: *first\n    system_id: c\n",
        encoding="utf-8",
    )
    assert [account.system_id for account in load(path, Config).accounts] == ["a", "c"]


def test_content_can_be_merged_before_the_schema(tmp_path: Path) -> None:
    """A caller may change the content between `read` and `into`, as for environment variables."""
    path = tmp_path / "config.yaml"
    path.write_text("listen: {port: 1}\n", encoding="utf-8")
    merged = replace(read(path), value={"listen": {"port": "2776"}})
    config = merged.into(Config).value
    assert config.listen is not None
    assert config.listen.port == 2776


def test_dotted_paths() -> None:
    """Keys are dotted, positions in brackets, the whole file is (file)."""
    assert dotted(("rows", 3, "tail", "value")) == "rows[3].tail.value"
    assert dotted(()) == "(file)"


def test_nearest_word() -> None:
    """The nearest word is suggested, else all are listed."""
    assert nearest("oppening", ["opening", "reply"]) == "did you mean 'opening'?"
    assert nearest("zz", ["opening", "reply"]) == "known: opening, reply"


@pytest.mark.parametrize("merged", [False, True])
def test_aliases_that_repeat_too_much(tmp_path: Path, merged: bool) -> None:
    """A few lines that stand for a thousand million values are refused before they take all memory; an alias
    that repeats a value now and then is not."""
    names = "abcdefghij"
    bomb = "a: &a {x: 1}\n"
    for before, name in pairwise(names):
        again = ", ".join([f"*{before}"] * 9)
        bomb += f"{name}: &{name} {{<<: [{again}]}}\n" if merged else f"{name}: &{name} [{again}]\n"
    path = tmp_path / "bomb.yaml"
    path.write_text(bomb, "utf-8")
    with pytest.raises(TableError) as refused:
        read(path)
    assert str(refused.value) == f"{path}:1: (yaml): aliases (*) repeat too much: write it out"
    path.write_text("a: &a [1, 2]\nb: *a\n", "utf-8")
    assert read(path).value == {"a": [1, 2], "b": [1, 2]}
