"""Reports as JSON, and the description of that for the API."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.operations.console.statistics.catalogue import Catalogue, Report
from gateway.operations.console.statistics.counting import Values
from gateway.operations.console.statistics.result import Change, PartRow, Result

PARAMETERS_TOLD: Final[Mapping[str, str]] = {
    "report": "id of a report, of /api/v1/statistics",
    "period": "day, week or month; day if absent",
    "from": "first day, such as 2026-11-01; a month may be 2026-11",
    "to": "last day; today if absent",
    "province": "code of a province; 000 is the whole network",
    "way": "way of access, of a report that can be narrowed by it",
    "instruction": "id of an instruction; - for SMS in which none was understood",
}
_TEXT: Final = {"type": "string"}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": ["number", "null"]}
_VALUES: Final = {
    "type": "object",
    "description": "column -> value; null: there is none",
    "additionalProperties": _NUMBER,
}
_CHANGE: Final = {
    "type": "object",
    "properties": dict.fromkeys(("value", "before", "by", "percent"), _NUMBER),
}
_PARTS: Final = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"code": _TEXT, "values": _VALUES, "share": _NUMBER},
    },
}
_COLUMNS: Final = {
    "type": "array",
    "items": {"type": "object", "properties": {"id": _TEXT, "title": _TEXT, "definition": _TEXT}},
}
_DESCRIBED: Final = {
    "id": _TEXT,
    "title": _TEXT,
    "ground": {"enum": ["attested", "ours"]},
    "source": _TEXT,
    "filters": {"type": "array", "items": _TEXT},
    "columns": _COLUMNS,
}
LIST: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "reports": {"type": "array", "items": {"type": "object", "properties": _DESCRIBED}},
    },
}
ANSWER: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "report": {"type": "object", "properties": _DESCRIBED},
        **dict.fromkeys(("period", "from", "to", "province"), _TEXT),
        **dict.fromkeys(("way", "instruction"), _TEXT_OR_NULL),
        "first_figure": _TEXT_OR_NULL,
        "incomplete_days": {
            "type": "array",
            "items": _TEXT,
            "description": "days whose figures may not be complete",
        },
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **dict.fromkeys(("period", "from", "to"), _TEXT),
                    "complete": {"type": "boolean"},
                    "values": _VALUES,
                    "change": _CHANGE,
                },
            },
        },
        "total": _VALUES,
        "comparison": {**_CHANGE, "type": ["object", "null"]},
        "provinces": _PARTS,
        "breakdown": {"type": "object", "additionalProperties": _PARTS},
    },
}


def list_of(catalogue: Catalogue, language: str) -> dict[str, Any]:
    """The reports."""
    return {"reports": [_described(report, language) for report in catalogue.reports]}


def json_of(result: Result, language: str) -> dict[str, Any]:
    """A report with its figures."""
    report, question = result.report, result.question
    return {
        "report": _described(report, language),
        "period": question.span.kind.value,
        "from": question.span.first.isoformat(),
        "to": question.span.last_day.isoformat(),
        "province": question.province,
        "way": question.scope.way,
        "instruction": question.scope.instruction,
        "first_figure": result.first_figure or None,
        "incomplete_days": result.incomplete_days,
        "rows": [
            {
                "period": row.label,
                "from": row.begin.isoformat(),
                "to": row.last_day.isoformat(),
                "complete": row.complete,
                "values": _shown(report, row.values),
                "change": _change(row.change),
            }
            for row in result.rows
        ],
        "total": _shown(report, result.total),
        "comparison": None if result.comparison is None else _change(result.comparison.change),
        "provinces": [_part(report, part) for part in result.ranking],
        "breakdown": {
            dimension: [_part(report, part) for part in parts]
            for dimension, parts in result.breakdown.items()
        },
    }


def _described(report: Report, language: str) -> dict[str, Any]:
    return {
        "id": report.id,
        "title": report.title.of(language),
        "ground": report.ground,
        "source": report.source.of(language),
        "filters": list(report.filters),
        "columns": [
            {
                "id": column.id,
                "title": column.title.of(language),
                "definition": column.definition.of(language),
            }
            for column in report.shown
        ],
    }


def _shown(report: Report, values: Values) -> Values:
    return {column.id: values[column.id] for column in report.shown}


def _change(change: Change) -> dict[str, Any]:
    return {"value": change.value, "before": change.before, "by": change.by, "percent": change.percent}


def _part(report: Report, part: PartRow) -> dict[str, Any]:
    return {"code": part.code, "values": _shown(report, part.values), "share": part.share}
