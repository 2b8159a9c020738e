"""Checks values against the JSON Schemas of the API, and a description against the rules of OpenAPI 3.1."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
KEYWORDS: Final = frozenset(
    {
        *("type", "properties", "required", "items", "enum", "description", "additionalProperties"),
        *("anyOf", "oneOf"),
        *("format", "pattern", "minimum", "maximum"),
    }
)
"""What the schemas of the API are made of. `faults` checks those of the first two lines."""
METHODS: Final = frozenset({"get", "post", "put", "delete", "patch", "head", "options", "trace"})
OPERATION: Final = frozenset(
    {"operationId", "tags", "summary", "description", "parameters", "requestBody", "responses", "security"}
)


def faults(schema: Mapping[str, Any], value: Any, at: str = "answer") -> Iterator[str]:
    """Where a value is not as its schema says."""
    if unknown := schema.keys() - KEYWORDS:
        yield f"{at}: schema with {unknown}"
    if "anyOf" in schema and all(any(faults(each, value, at)) for each in schema["anyOf"]):
        yield f"{at}: is nothing of anyOf"
    if "oneOf" in schema and sum(not any(faults(each, value, at)) for each in schema["oneOf"]) != 1:
        yield f"{at}: is not one of oneOf"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    if not _has_type(schema, value):
        yield f"{at}: {value!r:.60} is no {schema.get('type')}"
    elif isinstance(value, dict):
        yield from _of_object(schema, value, at)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from faults(schema.get("items", {}), each, f"{at}[{place}]")


def _has_type(schema: Mapping[str, Any], value: Any) -> bool:
    if "type" not in schema:
        return True
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, TYPES[name]) for name in names)


def _of_object(schema: Mapping[str, Any], value: Mapping[str, Any], at: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    yield from (f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        if name in properties:
            yield from faults(properties[name], each, f"{at}.{name}")
        elif isinstance(rest := schema.get("additionalProperties"), dict):
            yield from faults(rest, each, f"{at}.{name}")
        elif properties:
            yield f"{at}: {name} is in no schema"


def openapi_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """Where a description breaks a rule of OpenAPI 3.1, as far as ours uses it."""
    if not re.fullmatch(r"3\.1\.\d+", str(document.get("openapi"))):
        yield "openapi is no version 3.1"
    if not {"title", "version"} <= document.get("info", {}).keys():
        yield "info lacks title or version"
    ids: set[str] = set()
    for path, item in document.get("paths", {}).items():
        if not path.startswith("/") or item.keys() - METHODS:
            yield f"{path}: no path, or has {item.keys()}"
        for method, operation in item.items():
            yield from (f"{method} {path}: {each}" for each in _of_operation(document, path, operation, ids))
    yield from (f"{each} leads nowhere" for each in _references(document) if _found(document, each) is None)


def _of_operation(
    document: Mapping[str, Any], path: str, operation: Mapping[str, Any], ids: set[str]
) -> Iterator[str]:
    if strange := {key for key in operation.keys() - OPERATION if not key.startswith("x-")}:
        yield f"has {strange}"
    if operation["operationId"] in ids:
        yield "its operationId is not its own"
    ids.add(operation["operationId"])
    in_path = set(re.findall(r"{(\w+)}", path))
    given = [
        (each["name"], each["in"], each.get("required", False)) for each in operation.get("parameters", ())
    ]
    if {name for name, place, wanted in given if place == "path" and wanted} != in_path:
        yield f"its path has {in_path}, its parameters are {given}"
    if len({each[:2] for each in given}) != len(given) or {each[1] for each in given} - {"path", "query"}:
        yield f"its parameters are {given}"
    for status, answer in operation["responses"].items():
        if not re.fullmatch(r"[1-5](\d\d|XX)|default", status) or not (
            {"description", "$ref"} & answer.keys()
        ):
            yield f"its response {status} lacks a description"
    schemes = document["components"]["securitySchemes"]
    for each in operation.get("security", document["security"]):
        if each.keys() - schemes.keys():
            yield f"its security {each} is no scheme"
    for schema in _schemas(operation):
        yield from _of_schema(schema)


def _schemas(operation: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (each["schema"] for each in operation.get("parameters", ()))
    for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
        yield from (media["schema"] for media in holder.get("content", {}).values())


def _of_schema(schema: Mapping[str, Any]) -> Iterator[str]:
    if unknown := schema.keys() - KEYWORDS:
        yield f"a schema has {unknown}"
    names = schema.get("type", [])
    if set([names] if isinstance(names, str) else names) - TYPES.keys():
        yield f"a schema has the type {names}"
    if set(schema.get("required", ())) - schema.get("properties", {}).keys():
        yield f"a schema wants {schema['required']}, and describes {list(schema.get('properties', {}))}"
    for each in (*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _of_schema(each)
    if "items" in schema:
        yield from _of_schema(schema["items"])


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _references(each)


def _found(document: Any, reference: str) -> Any:
    for step in reference.removeprefix("#/").split("/"):
        document = document.get(step, {}) if isinstance(document, dict) else {}
    return document or None


def answer_faults(document: Mapping[str, Any], method: str, path: str, status: int, value: Any) -> list[str]:
    """Where an answer of the API is not as its description says. path: as it was asked for."""
    if 200 <= status < 300:
        schema = answer_schema(document, method.lower(), path)
    else:
        schema = document["components"]["schemas"]["Error"]
    return list(faults(schema, value, f"{method} {path}: answer"))


def answer_schema(document: Mapping[str, Any], method: str, path: str) -> Mapping[str, Any]:
    """The schema of the answer of a path as it is asked for, without its query."""
    path = path.partition("?")[0]
    for known, item in document["paths"].items():
        form = re.escape(known).replace(r"\{", "{").replace(r"\}", "}")
        if method in item and re.fullmatch(re.sub(r"{\w+}", "[^/]+", form), path):
            answers = item[method]["responses"]
            content = (answers.get("200") or answers["2XX"])["content"]
            return dict(content["application/json"]["schema"])
    raise AssertionError(f"{method} {path} is not described")
