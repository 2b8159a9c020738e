"""Writes docs/reports.md anew from the table of reports: `python -m tests.make_reports`."""

from collections.abc import Iterator
from pathlib import Path

from gateway.operations.console.statistics.asking import MOST, USUAL
from gateway.operations.console.statistics.catalogue import Catalogue, Report, load_catalogue

PAGE = Path(__file__).parent.parent / "docs" / "reports.md"
BEGIN = """# Reports

The section Statistics of the console: what each report says. How the figures behind it are counted, kept and
rebuilt: docs/statistics.md. This page is written from `gateway/operations/console/statistics/reports.yaml` by
`python -m tests.make_reports`.

Every report is asked for at `/statistics/REPORT`, as a file at `/statistics/REPORT/csv` and
`/statistics/REPORT/xlsx`, by a machine at `/api/v1/statistics/REPORT`, with the same parameters:

| parameter | what it is |
|---|---|
| `period` | `day` (default), `week` (from Monday), `month` |
| `from`, `to` | days such as 2026-11-01; a month may be 2026-11. Periods count as a whole |
| `province` | code of a province; `000` is the whole network. An account of a province gets its own only |
| `way` | `161`, `12520`, `1008619`, `province`, `other`, `service` (an agent); where a report says so |
| `instruction` | its id in appendix 8; `-` for SMS in which none was understood; where a report says so |
| `table` | of a CSV file: `period` (default), `province`, `way`, `instruction`, `definitions` |

"""
NOTES = """- A period that goes on (today, this week, this month) is marked and compared with nothing.
- Without SMS a period has 0. Before the first figure of the store it has "-" (nothing in a file, null for
  machines); a period in which counting began is marked, and the next one is not compared with it.
- Customers who were active are told apart: who was active on two days of a month counts once in that month.
  So days do not add up to a month, and provinces are ranked by the last complete period.
- A customer belongs to the province of his mobile's home. "Home unknown" is a row of its own in rankings, and
  part of the whole network.
- Percent are "-" where the figure before was 0.
- CSV is UTF-8 with a byte order mark, by RFC 4180; a text that a spreadsheet would take for a formula begins
  with an apostrophe. XLSX has all tables, and the definitions and the question on its second sheet.

"""


def text_of(catalogue: Catalogue) -> str:
    """The page."""
    return BEGIN + _bounds() + NOTES + "\n".join(_lines(catalogue)) + "\n"


def _bounds() -> str:
    most = ", ".join(f"{count} {kind.value}s" for kind, count in MOST.items())
    usual = ", ".join(f"{count} {kind.value}s" for kind, count in USUAL.items())
    return f"- At most {most} at once. Without `from` and `to`: the last {usual}.\n"


def _lines(catalogue: Catalogue) -> Iterator[str]:
    for report in catalogue.reports:
        yield from _report(report)
    yield "## Not carried"
    yield ""
    yield "Sources name these reports; the data of this gateway cannot carry them, so they are not shown."
    yield ""
    yield "| report | named by | why not |"
    yield "|---|---|---|"
    for each in catalogue.not_carried:
        yield f"| {each.title.en} ({each.title.zh}) | {each.source} | {each.reason.en} |"


def _report(report: Report) -> Iterator[str]:
    yield f"## {report.id}: {report.title.en} ({report.title.zh})"
    yield ""
    ground = "Attested" if report.ground == "attested" else "Ours"
    narrowed = f" Narrowed by {', '.join(report.filters)}." if report.filters else ""
    apart = f" Told apart by {', '.join(report.breakdown)}." if report.breakdown else ""
    yield f"{ground}: {report.source.en}.{narrowed}{apart}"
    yield ""
    yield "| column | definition |"
    yield "|---|---|"
    for column in report.shown:
        yield f"| {column.title.en} ({column.title.zh}) | {column.definition.en} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(text_of(load_catalogue()), "utf-8")
