"""JSON Schemas of the API: how one is written, and those of tables and of the gateway itself."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.operations.console.tables.views import PROVENANCES

TEXT: Final[Mapping[str, Any]] = {"type": "string"}
NUMBER: Final[Mapping[str, Any]] = {"type": "integer"}
DECIMAL: Final[Mapping[str, Any]] = {"type": "number"}
FLAG: Final[Mapping[str, Any]] = {"type": "boolean"}
OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
MAYBE_TEXT: Final[Mapping[str, Any]] = {"type": ["string", "null"]}
MAYBE_DECIMAL: Final[Mapping[str, Any]] = {"type": ["number", "null"]}


def record(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """The schema of an object that has these properties. optional: those that may be missing."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties)}


def listed(items: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": dict(items)}


TABLE: Final[Mapping[str, Any]] = {
    "table": TEXT,
    "file": TEXT,
    "shipped": {**FLAG, "description": "whether it is the table of the software, not the operator's"},
    "rows": NUMBER,
    "digest": TEXT,
    "values": {**record(dict.fromkeys(PROVENANCES, NUMBER)), "description": "how many, by provenance"},
}
VALUE: Final = record(
    {
        "column": TEXT,
        "value": TEXT,
        "provenance": {**TEXT, "enum": list(PROVENANCES)},
        "reason": {**TEXT, "description": "the source, or the ground of a reconstruction"},
    }
)
CONSIDERED: Final = record(
    {"prefix": TEXT, "wants": TEXT, "accepts": TEXT, "purpose": TEXT, "chosen": FLAG, "why": TEXT}
)
ROUTE: Final = record(
    {
        **dict.fromkeys(("access_code", "prefix", "tail", "accepts", "purpose"), TEXT),
        "province": {**MAYBE_TEXT, "description": "null: the home of a sender who was not given"},
        "refused": {**MAYBE_TEXT, "description": "why the address is refused"},
        "considered": listed(CONSIDERED),
        **dict.fromkeys(
            ("operator", "operator_by", "province_by", "person", "main_number", "sender_refused"), TEXT
        ),
    },
    *("operator", "operator_by", "province_by", "person", "main_number", "sender_refused"),
)
READ: Final = record(
    {
        "instruction": {**TEXT, "description": "of appendix 8; or chat, misunderstood, refused"},
        **dict.fromkeys(("normalised", "suggestion", "reason", "refused"), TEXT),
        "arguments": OBJECT,
        "rule": {**NUMBER, "description": "of appendix 8; 0: none"},
    },
    *("normalised", "suggestion", "reason", "refused", "arguments", "rule"),
)
OUTBOX: Final = record({"depth": NUMBER, "in_flight": NUMBER, "limit": NUMBER, "full": FLAG})
LINK: Final = record(
    {
        **dict.fromkeys(("name", "centre", "mode", "state"), TEXT),
        "session": {"type": ["integer", "null"]},
        "remote": MAYBE_TEXT,
        "bound_s": MAYBE_DECIMAL,
        "failures": NUMBER,
        "reason": {**MAYBE_TEXT, "description": "why it is not bound, or rests"},
        "next_try_s": MAYBE_DECIMAL,
    }
)
STATUS: Final = record(
    {
        "version": TEXT,
        "tables": TEXT,
        "started_at": {**NUMBER, "description": "ms since the epoch"},
        "up_s": DECIMAL,
        "stopping": FLAG,
        "binds": {**OBJECT, "description": "by account, how many by mode"},
        "links": listed(LINK),
        "rates": record(dict.fromkeys(("in_per_s", "out_per_s", "over_s"), DECIMAL)),
        "outbox": OUTBOX,
        "store": OBJECT,
        "nodes": listed(OBJECT),
        "provinces": {"type": ["object", "null"]},
        "log": OBJECT,
        "events": OBJECT,
        "brokers": OBJECT,
    }
)
