"""Addresses of reports: the question of a visitor, with some of its parameters changed."""

from collections.abc import Mapping
from urllib.parse import urlencode

from gateway.operations.console.statistics.asking import NOTHING_UNDERSTOOD, PARAMETERS, Question

PAGES = "/statistics"


def parameters_of(question: Question) -> dict[str, str]:
    """The parameters of an address that asks this question; "" for those that it does not have."""
    instruction = question.scope.instruction
    return {
        "period": question.span.kind.value,
        "from": question.span.first.isoformat(),
        "to": min(question.span.last_day, question.today).isoformat(),
        "province": question.province,
        "way": question.scope.way or "",
        "instruction": NOTHING_UNDERSTOOD if instruction == "" else instruction or "",
    }


def address(report: str, parameters: Mapping[str, str]) -> str:
    """The page, or with /csv or /xlsx behind the name the file, of a report."""
    given = {name: value for name, value in parameters.items() if value}
    path = f"{PAGES}/{report}"
    return f"{path}?{urlencode(given)}" if given else path


def changed(report: str, question: Question, **changes: str) -> str:
    """The page of a report with another value of some parameters. from_ stands for `from`."""
    values = {name.rstrip("_"): value for name, value in changes.items()}
    assert values.keys() <= set(PARAMETERS), values
    return address(report, parameters_of(question) | values)
