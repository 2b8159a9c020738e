"""YAML files with a closed schema. Every fault is reported by file, line and key.

`load(path, Model)` returns the validated model. `locate(path, Model)` returns it with the line of every key,
for checks across rows. `read(path)` does not check the schema: a caller may merge other values (environment
variables) before `into(Model)`. All three raise `TableError`.

The faults of one file are reported together: duplicate keys and every violation of the schema. A fault never
contains a value, because a configuration file may hold passwords; it does contain the message of a validator.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

KeyPath: TypeAlias = tuple[str | int, ...]
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

# The parser of libyaml, if PyYAML was built with it: the same nodes, several times as fast.
_YAML_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE_TAG = "tag:yaml.org,2002:merge"

_SMALL = 10_000
"""Values that a file may have however short it is."""


_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing": "is missing",
        "bool_parsing": "must be true or false",
        "bool_type": "must be true or false",
        "dict_type": "must be a mapping",
        "finite_number": "must be a finite number",
        "float_parsing": "must be a number",
        "float_type": "must be a number",
        "frozen_set_type": "must be a list",
        "greater_than": "must be above {gt:g}",
        "greater_than_equal": "must be at least {ge:g}",
        "int_from_float": "must be a whole number",
        "int_parsing": "must be a whole number",
        "int_type": "must be a whole number",
        "less_than": "must be below {lt:g}",
        "less_than_equal": "must be at most {le:g}",
        "list_type": "must be a list",
        "literal_error": "must be {expected}",
        "mapping_type": "must be a mapping",
        "path_type": "must be a path",
        "set_type": "must be a list",
        "string_pattern_mismatch": "must match {pattern}",
        "string_too_long": "must have at most {max_length} characters",
        "string_too_short": "must have at least {min_length} characters",
        "string_type": "must be text",
        "too_long": "must have at most {max_length} items",
        "too_short": "must have at least {min_length} items",
        "tuple_type": "must be a list",
    }
)
"""Reasons by pydantic's error type. Other types keep pydantic's message."""

FORMS: Mapping[str, str] = MappingProxyType(
    {
        "^[0-9]{3}$": ": 3 digits",
        "^[0-9]{3,10}$": ": 3 to 10 digits",
        "^([0-9]{1,10}|none|provinces)$": ": 1 to 10 digits, none or provinces",
        "^1[0-9]{2,10}$": ": 3 to 11 digits that begin with 1",
        "^1[0-9]{2,7}$": ": 3 to 8 digits that begin with 1",
        "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$": ": small letters, digits and _, in parts with dots between",
        "^[a-z][a-z_]*$": ": small letters and _",
        r"^\S+$": ": a name or an address, without blanks",
        r"^[A-Za-z0-9._-]{1,64}$": ": 1 to 64 letters, digits, dots, _ and -",
        r"^(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):\d{1,5}$": ": host:port, or [IPv6 address]:port",
        r"^[\x21-\x7e]{1,128}$": ": 1 to 128 characters of ASCII, without blanks",
        r"^\d+$": ": digits",
        r"^\d{0,8}$": ": at most 8 digits",
        r"^\d{1,11}\*?$": ": 11 digits, or fewer and a *",
        r"^([0-9A-Fa-f]{2})*$": ": two hexadecimal digits for each octet",
        r"^[\x21-\x7E]{0,5}$": ": at most 5 characters of ASCII, without blanks",
        r"^[\x20-\x7E]{0,12}$": ": at most 12 characters of ASCII",
        r"^[\x20-\x7E]{0,40}$": ": at most 40 characters of ASCII",
    }
)
"""What patterns of tables and settings say, for those who do not read patterns."""


class Closed(BaseModel):
    """Base of all table and configuration models: unknown keys are rejected, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a file.

    line: from 1; 0 where there are none, as in the environment. key: dotted, with list positions from 0.
    """

    file: str
    line: int
    key: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.reason}"


class TableError(Exception):
    """A table or configuration file that must not be used. `faults` has all its faults, in file order."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.key, fault.reason))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Located(Generic[T]):
    """The content of a file, with the line of every key.

    faults: found while reading; `into` reports them together with its own.
    """

    value: T
    file: str
    lines: Mapping[tuple[str, ...], int] = field(repr=False)
    faults: tuple[Fault, ...] = ()

    def line_of(self, path: KeyPath) -> int:
        """The line of the value at `path`. If the file has no such key, the line of the nearest one above
        it in the path."""
        parts = tuple(map(str, path))
        while parts and parts not in self.lines:
            parts = parts[:-1]
        return self.lines.get(parts, 1)

    def fault(self, path: KeyPath, reason: str) -> Fault:
        """A fault at the line of `path`."""
        return Fault(self.file, self.line_of(path), dotted(path), reason)

    def into(self, model: type[M]) -> Located[M]:
        """The content as a validated `model`. Raises TableError with all faults."""
        faults = list(self.faults)
        try:
            value = model.model_validate(self.value)
        except ValidationError as error:
            faults += _schema_faults(self, model, error)
        if faults:
            raise TableError(faults)
        return Located(value, self.file, self.lines)


def shipped(text: str) -> Any:
    """The content of a YAML file of the package: nobody edits it, so that no fault is told with its place."""
    return yaml.load(text, Loader=_YAML_LOADER)


def load(path: Path, model: type[M]) -> M:
    """The validated content of a YAML file. Raises TableError."""
    return locate(path, model).value


def locate(path: Path, model: type[M]) -> Located[M]:
    """The same as `load`, with the lines."""
    return read(path).into(model)


def read(path: Path) -> Located[object]:
    """The content of a YAML file (one document, UTF-8) with its lines. Raises TableError.

    Duplicate keys do not raise here: `into` reports them.
    """
    file = str(path)
    text = read_text(path)
    loader = _YAML_LOADER(text)
    lines: dict[tuple[str, ...], int] = {}
    try:
        node = loader.get_single_node()
        if node is not None and _weight(node, {}) > max(len(text), _SMALL):
            raise TableError([Fault(file, 1, "(yaml)", "aliases (*) repeat too much: write it out")])
        duplicates = [] if node is None else list(_index(file, node, (), lines, frozenset()))
        value = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise TableError([Fault(file, mark.line + 1 if mark else 1, "(yaml)", reason)]) from error
    except yaml.YAMLError as error:
        reason = str(getattr(error, "reason", "not YAML"))
        raise TableError([Fault(file, _position(text, error), "(yaml)", reason)]) from error
    except ValueError as error:
        reason = "looks like a date or a number and is none: put it in quotes"
        # recursive_objects are the nodes under construction; the innermost one failed.
        line = max((each.start_mark.line + 1 for each in loader.recursive_objects), default=1)
        raise TableError([Fault(file, line, "(yaml)", reason)]) from error
    except RecursionError as error:
        raise TableError([Fault(file, 1, "(yaml)", "nested too deeply, or within itself")]) from error
    finally:
        loader.dispose()
    return Located(value, file, lines, tuple(duplicates))


def read_text(path: Path) -> str:
    """The content of a UTF-8 text file. Raises TableError when it cannot be read, with the line of an
    octet that is not UTF-8."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise TableError([Fault(str(path), 1, "(file)", f"cannot be read: {error.strerror}")]) from error
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise TableError([Fault(str(path), line, "(file)", "not UTF-8")]) from error


def dotted(path: KeyPath) -> str:
    """A path in text form: ("rows", 3, "tail") is rows[3].tail; the whole file is "(file)"."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "(file)"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the nearest known one, or all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(words)}"


def _weight(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for, each as often as aliases repeat it: a few lines may be a thousand
    million. known: of nodes by their id."""
    if id(node) not in known:
        known[id(node)] = 0  # one within itself: _index says so
        below: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            below = node.value
        elif isinstance(node, yaml.MappingNode):
            below = [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_weight(each, known) for each in below)
    return known[id(node)]


def _index(
    file: str, node: yaml.Node, path: KeyPath, lines: dict[tuple[str, ...], int], above: frozenset[int]
) -> Iterator[Fault]:
    """Enter the lines below `node` in `lines`. Yields a fault for every duplicate key."""
    if id(node) in above:
        raise RecursionError
    above |= {id(node)}
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[*map(str, path), str(position)] = item.start_mark.line + 1
            yield from _index(file, item, (*path, position), lines, above)
    elif isinstance(node, yaml.MappingNode):
        for key, item in node.value:
            if key.tag == _MERGE_TAG or not isinstance(key, yaml.ScalarNode):
                continue
            here, line = (*path, key.value), key.start_mark.line + 1
            first = lines.setdefault(tuple(map(str, here)), line)
            if first != line or _repeated(node, key):
                yield Fault(file, line, dotted(here), f"duplicate key, first on line {first}")
            yield from _index(file, item, here, lines, above)


def _repeated(node: yaml.MappingNode, key: yaml.ScalarNode) -> bool:
    """Whether an earlier key of a mapping, perhaps on the same line, has the same name."""
    first = next(other for other, _ in node.value if other.value == key.value)
    return first is not key


def _position(text: str, error: Exception) -> int:
    """The line of an error that has no line, only a character position or none."""
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _schema_faults(located: Located[Any], model: type[BaseModel], error: ValidationError) -> Iterator[Fault]:
    for detail in error.errors(include_url=False, include_input=False):
        kind = detail["type"]
        path, value = _follow(located.value, detail["loc"])
        if kind == "missing":
            path = detail["loc"]
        if kind == "extra_forbidden":
            reason = f"unknown key; {nearest(str(path[-1]), _known_keys(model, path[:-1]))}"
        elif kind in {"model_type", "model_attributes_type"}:
            reason = f"must be a mapping with the keys {', '.join(_known_keys(model, path))}"
        elif kind == "string_type" and isinstance(value, (int, float)):
            reason = "must be text: put it in quotes"
        elif kind in _REASONS:
            context = detail.get("ctx", {})
            reason = _REASONS[kind].format_map(context) + FORMS.get(context.get("pattern", ""), "")
            if kind == "literal_error" and not isinstance(value, str) and f"'{value}'" in reason:
                reason += ": put it in quotes"
        else:
            reason = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        yield located.fault(path, reason)


def _follow(data: Any, loc: KeyPath) -> tuple[KeyPath, Any]:
    """The part of `loc` that exists in `data`, and its value. pydantic adds the names of union members to
    loc."""
    for count, part in enumerate(loc):
        inside = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if not inside:
            return loc[:count], data
        data = data[part]
    return loc, data


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that the schema allows at `path`."""
    models = [model]
    for part in path:
        fields = [found for each in models if (found := _fields(each).get(str(part))) is not None]
        if fields:
            models = [inner for found in fields for inner in _models_in(found)]
    return [key for each in models for key in _fields(each)]


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]
