"""`links list|pause|resume`: the SMS centres that the running gateway dials (docs/links.md)."""

import argparse
import asyncio
from typing import Any, Final

from gateway.cli.inspect import print_columns
from gateway.cli.output import print_json
from gateway.cli.showing import add_common, age, guarded, say
from gateway.operations.control import ask
from gateway.settings import Settings

_COLUMNS: Final = (
    "NAME",
    "CENTRE",
    "MODE",
    "STATE",
    "REMOTE",
    "BOUND",
    "SESSION",
    "FAILURES",
    "NEXT_TRY",
    "WHY",
)


class ListLinks:
    """`links list`: lists each bind of each link."""

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None:
        """Declare the common options."""
        add_common(parser)

    @staticmethod
    def run(args: argparse.Namespace) -> int:
        """Print one line per bind."""
        return guarded(_list, args)


class Change:
    """`links pause NAME`, `links resume NAME`: for this run of the gateway."""

    def __init__(self, command: str) -> None:
        self._command = command

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare NAME and the common options."""
        parser.add_argument("name", metavar="NAME", help="name of the link, as links list shows it")
        add_common(parser)

    def run(self, args: argparse.Namespace) -> int:
        """Tell the running gateway."""
        return guarded(self._change, args)

    def _change(self, args: argparse.Namespace, settings: Settings) -> int:
        state = asyncio.run(ask(settings.storage.path, self._command, name=args.name))
        if args.json:
            print_json({"name": args.name, "state": state})
        else:
            say(f"{args.name}  {state}")
        return 0


links_list = ListLinks
links_pause = Change("links pause")
links_resume = Change("links resume")


def _list(args: argparse.Namespace, settings: Settings) -> int:
    found = asyncio.run(ask(settings.storage.path, "links list"))
    if args.json:
        for each in found:
            print_json(each)
    elif found:
        print_columns(_COLUMNS, map(_row, found))
    else:
        say("no links: smpp.links of the configuration is empty")
    return 0


def _row(link: dict[str, Any]) -> list[str]:
    waits = link["next_try_s"]
    return [
        link["name"],
        link["centre"],
        link["mode"],
        link["state"],
        link["remote"] or "-",
        "-" if link["bound_s"] is None else age(link["bound_s"]),
        str(link["session"] or "-"),
        str(link["failures"]),
        "-" if waits is None else f"{waits:.0f} s",
        link["reason"] or "-",
    ]
