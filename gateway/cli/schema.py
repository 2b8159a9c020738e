"""`schema`: prints the JSON Schema of what goes over MQTT (docs/mqtt.md)."""

import argparse
import sys
from importlib.resources import files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="which one (default: print the names)")


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    folder = files("gateway.events") / "schemas"
    known = {
        file.name.removesuffix(".json"): file for file in folder.iterdir() if file.name.endswith(".json")
    }
    if args.name is None:
        sys.stdout.writelines(f"{name}\n" for name in sorted(known))
        return 0
    if args.name not in known:
        args.parser.error(f"{args.name}: there is no such schema: {', '.join(sorted(known))}")
    sys.stdout.write(known[args.name].read_text("utf-8"))
    return 0
