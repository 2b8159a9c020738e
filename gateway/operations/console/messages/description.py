"""What the API of messages is asked with and answers: its description."""

from typing import Any, Final

from gateway.operations.console.messages.query import OUTCOMES, STATES

SEARCHED: Final[dict[str, Any]] = {
    "handset": "the customer's mobile (the audit keeps that it was searched for), or its first 1 to 3 digits",
    "from": "from this time on: RFC 3339; without offset in service.timezone",
    "to": "before this time",
    "instruction": "id of an instruction (of an SMS out: that of its cause)",
    "result": f"of an SMS in: {', '.join(OUTCOMES)}; of an SMS out: {', '.join(STATES)}",
    "direction": "in (from handsets; where it is absent) or out (to handsets)",
    "before": "where to go on: `before` of the answer before",
}
_TIME: Final[dict[str, Any]] = {"type": ["string", "null"], "format": "date-time"}
_WORDS: Final = ("message_id", "direction", "from", "to", "instruction", "result", "home_province")
_OF_ONE: Final = (
    *("account", "access_code", "sub_code", "number_province", "tables"),
    *("kind", "remote_id", "error"),
)
"""Those of an SMS in, and those of an SMS out."""
FOUND: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"at": _TIME, **{name: {"type": "string"} for name in _WORDS}},
            },
        },
        "before": {"type": ["string", "null"]},
        "looked_at": {"type": "integer"},
        "back_to": _TIME,
    },
}
_LINKS: Final[dict[str, Any]] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in ("id", "way", "result")},
            "open": {"type": "boolean"},
        },
    },
}
ONE: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in (*_WORDS, *_OF_ONE)},
        **{name: {"type": "integer"} for name in ("parts", "code", "attempts")},
        **dict.fromkeys(("at", "expires_at", "closed_at"), _TIME),
        "causes": _LINKS,
        "effects": _LINKS,
        "timeline": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "at": _TIME,
                    "until": _TIME,
                    **{name: {"type": "string"} for name in ("message_id", "event", "text")},
                },
            },
        },
        "over": {"type": "boolean"},
    },
}
ID: Final[dict[str, Any]] = {"id": "message id: 16 hexadecimal digits, as in submit_sm_resp and the log"}
