"""As much of JSON Schema 2020-12 as our schemas use: a check that does not rest on their models."""

import re
from collections.abc import Callable
from typing import Any

KINDS: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}
UNDERSTOOD = frozenset(
    {
        *("$schema", "$defs", "$ref", "title", "description", "default", "type", "properties", "required"),
        *("additionalProperties", "items", "minItems", "maxItems", "const", "enum", "pattern", "minimum"),
        *("anyOf", "maximum", "minLength", "maxLength"),
    }
)


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], place: str = "$") -> list[str]:
    """Where a value breaks a schema. Raises AssertionError for a keyword that is not understood here."""
    assert set(schema) <= UNDERSTOOD, set(schema) - UNDERSTOOD
    if "$ref" in schema:
        return faults(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, place)
    if "anyOf" in schema:
        either = [faults(value, each, root, place) for each in schema["anyOf"]]
        return [] if [] in either else either[0]
    kind = KINDS[schema["type"]]
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if not fits:
        return [f"{place}: is no {schema['type']}"]
    checks: dict[str, Callable[[Any], bool]] = {
        "const": lambda wanted: value == wanted,
        "enum": lambda wanted: value in wanted,
        "pattern": lambda wanted: re.search(wanted, value) is not None,
        "minimum": lambda wanted: value >= wanted,
        "maximum": lambda wanted: value <= wanted,
        "minLength": lambda wanted: len(value) >= wanted,
        "maxLength": lambda wanted: len(value) <= wanted,
        "minItems": lambda wanted: len(value) >= wanted,
        "maxItems": lambda wanted: len(value) <= wanted,
        "required": lambda wanted: set(wanted) <= set(value),
    }
    found = [
        f"{place}: {name} {schema[name]}"
        for name, holds in checks.items()
        if name in schema and not holds(schema[name])
    ]
    if kind is list:
        for number, item in enumerate(value):
            found += faults(item, schema["items"], root, f"{place}[{number}]")
    elif kind is dict:
        known = schema.get("properties", {})
        if schema.get("additionalProperties") is False:
            found += [f"{place}.{name}: unknown" for name in value if name not in known]
        for name in set(value) & set(known):
            found += faults(value[name], known[name], root, f"{place}.{name}")
    return found
