"""`explain route` and `explain text`: show how the tables interpret a number and a text, and why."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from commands.service import Commands
from commands.tables import check_folder
from gateway.cli.config import add_config, settings_of
from gateway.cli.output import print_json
from gateway.operations.explaining import REFUSED, is_understood, refusal, route_values, text_values
from gateway.operations.log_lines import escaped
from routing.table import Routing
from routing.tablefile import TableError

T = TypeVar("T")


class ExplainRoute:
    """`explain route`: a destination number."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        parser.add_argument("destination", metavar="DEST", help="number that was texted, such as 12520050")
        _add_common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command. A refused address or sender gives 1."""
        folder = settings_of(args).tables.folder
        routing = _loaded(lambda: _routing(folder))
        sender = _sender(args, routing)
        explanation = routing.explain(args.destination, sender)
        code = 1 if explanation.route.refused or explanation.sender_refused else 0
        if args.json:
            print_json(explanation.as_dict())
            return code
        rows = explanation.as_dict()["considered"]
        _print_table(route_values(routing, explanation))
        for row in rows:
            sign = "->" if row["chosen"] else "  "
            prefix = row["prefix"] or "(none)"
            sys.stdout.write(f"{sign} prefix {prefix}, {row['accepts']}, {row['purpose']}: {row['why']}\n")
        return code


class ExplainText:
    """`explain text`: a text at a destination."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        parser.add_argument("text", metavar="TEXT", help="what was texted")
        parser.add_argument("--to", required=True, metavar="DEST", help="number that was texted")
        _add_common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command. A refused address or sender gives 1, and a text that is not
        understood."""
        folder = settings_of(args).tables.folder
        routing = _loaded(lambda: _routing(folder))
        sender = _sender(args, routing) or ""
        if refused := refusal(routing, args.to, sender):
            number, reason = refused
            if args.json:
                print_json({"instruction": REFUSED, "refused": reason})
            else:
                sys.stderr.write(f"{number}: {reason}\n")
            return 1
        parser = _loaded(lambda: Commands.load(routing, folder)).parser
        explained = text_values(routing, parser, args.text, args.to, sender).as_dict()
        if args.json:
            print_json(explained)
        else:
            _print_table(explained)
        return 0 if is_understood(explained) else 1


route: Final = ExplainRoute()
text: Final = ExplainText()


def _loaded(load: Callable[[], T]) -> T:
    """Load tables; on faults, print all and leave with exit code 1."""
    try:
        return load()
    except TableError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def _routing(folder: Path | None) -> Routing:
    check_folder(folder)
    return Routing.load(folder)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="sender", metavar="MSISDN", help="the mobile that texted it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(parser)


def _sender(args: argparse.Namespace, routing: Routing) -> str | None:
    """Return the 11 digits of --from, None without it. Any other number is a usage error."""
    if args.sender is None:
        return None
    msisdn = routing.numbers.msisdn(args.sender)
    if msisdn is None:
        args.parser.error(f"argument --from: {args.sender!r} is no mobile number ({routing.numbers.mobile})")
    return msisdn


def _print_table(values: Mapping[str, object]) -> None:
    width = max(map(len, values))
    for name, value in values.items():
        shown = ", ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, Mapping) else value
        sys.stdout.write(f"{name:{width}}  {'-' if shown in ('', None) else escaped(str(shown))}\n")
