"""The command line `fetion-gateway`: one table of commands, each imported only when it is used.

Exit codes: gateway.cli.usage.EXIT_CODES, and docs/command-line.md.
"""

import argparse
import importlib
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from gateway.cli.output import complain, replace_unencodable, sentence
from gateway.cli.platforms import refusal
from gateway.cli.usage import Parser


class Command(Protocol):
    """What a target of the table offers (a module, or a class used as a namespace)."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options of this command."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command. Returns the exit code."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One command. name: its words. target: `module` or `module:object`, which is a Command."""

    name: str
    help: str
    example: str
    target: str


COMMANDS = (
    Entry(
        "serve",
        "run the gateway until SIGTERM or SIGINT",
        "serve --config config.yaml",
        "gateway.cli.serve",
    ),
    Entry(
        "demo",
        "gateway, SMS centre and two handsets in one: a short conversation",
        "demo --once",
        "gateway.cli.demo",
    ),
    Entry(
        "check",
        "validate configuration and tables",
        "check --config config.yaml",
        "gateway.cli.check",
    ),
    Entry(
        "handset send",
        "send one SMS as a simulated handset and print what comes back",
        "handset send --from 13800138000 --to 161 KTFX --expect 飞信",
        "gateway.cli.handset:handset_send",
    ),
    Entry(
        "handset chat",
        "be a simulated handset: type NUMBER TEXT",
        "handset chat --from 13800138000",
        "gateway.cli.handset:handset_chat",
    ),
    Entry(
        "smsc",
        "the simulated SMS centre alone: any ESME may bind; with --faults it misbehaves",
        "smsc --port 2776",
        "gateway.cli.smsc",
    ),
    Entry(
        "explain route",
        "say what a destination number means, and why",
        "explain route 12520050 --from 13800138000",
        "gateway.cli.explain:route",
    ),
    Entry(
        "explain text",
        "say how a text is understood at a destination",
        "explain text 'HY#13900000002' --to 161",
        "gateway.cli.explain:text",
    ),
    Entry(
        "tail",
        "show the log, one short line an SMS and direction, while it grows",
        "tail --since 10m --msisdn 13800138000 var/fetion.log",
        "gateway.cli.tail",
    ),
    Entry(
        "status",
        "one screen about the running gateway; exit 0 healthy, 1 not, 3 not running",
        "status --json",
        "gateway.cli.status",
    ),
    Entry(
        "trace",
        "show everything that happened to one SMS, or the last SMS of a handset",
        "trace 0000000100000002",
        "gateway.cli.trace",
    ),
    Entry(
        "binds",
        "show who is bound to the running gateway",
        "binds --json",
        "gateway.cli.inspect:binds",
    ),
    Entry(
        "links list",
        "show the SMS centres that the running gateway dials",
        "links list --json",
        "gateway.cli.links:links_list",
    ),
    Entry(
        "links pause",
        "unbind a link, and dial it no more until it is resumed or the gateway starts anew",
        "links pause north",
        "gateway.cli.links:links_pause",
    ),
    Entry(
        "links resume",
        "dial a paused link again",
        "links resume north",
        "gateway.cli.links:links_resume",
    ),
    Entry(
        "pdus",
        "show the PDUs of an account or a connection while they pass",
        "pdus --account smsc --seconds 10",
        "gateway.cli.pdus",
    ),
    Entry(
        "outbox list",
        "show the SMS that wait to leave or are parked",
        "outbox list --json",
        "gateway.cli.inspect:outbox_list",
    ),
    Entry(
        "outbox retry",
        "send a parked SMS once more",
        "outbox retry 0000000100000007",
        "gateway.cli.inspect:outbox_retry",
    ),
    Entry(
        "outbox drop",
        "give up a parked SMS",
        "outbox drop 0000000100000007",
        "gateway.cli.inspect:outbox_drop",
    ),
    Entry(
        "scenario run",
        "play scripted handsets; exit 1 on a missed expectation",
        "scenario run open.yaml --junit report.xml",
        "gateway.cli.scenario:scenario_run",
    ),
    Entry(
        "load",
        "send SMS at a given window or rate, and measure answers and replies",
        "load --count 20000 --window 100 --json load.json",
        "gateway.cli.load:load",
    ),
    Entry(
        "schema",
        "print the JSON Schema of what goes over MQTT",
        "schema event",
        "gateway.cli.schema",
    ),
    Entry(
        "mqtt acl",
        "write credentials and rights of gateway and provinces for a broker",
        "mqtt acl --broker mosquitto --to broker",
        "gateway.cli.mqtt:acl",
    ),
    Entry(
        "settle",
        "write the charging records of some days as CSV files",
        "settle --from 2007-03-01 --to 2007-03-31 --out settlement",
        "gateway.cli.settle",
    ),
    Entry(
        "stats show",
        "print figures by day, week, month, province, instruction or way of access",
        "stats show --by month --json",
        "gateway.cli.stats:show",
    ),
    Entry(
        "stats rebuild",
        "count days again from the records of the store, and replace their figures",
        "stats rebuild --from 2007-03-01 --to 2007-03-31",
        "gateway.cli.stats:rebuild",
    ),
    Entry(
        "store migrate",
        "copy the SQLite store into an empty one on PostgreSQL, and check the copy",
        "store migrate --to postgresql://fetion@db/fetion",
        "gateway.cli.store:migrate",
    ),
    Entry(
        "tables show",
        "show the tables, their provenance, and which version is in force",
        "tables show appendix7",
        "gateway.cli.tables:show",
    ),
    Entry(
        "tables reload",
        "check the tables and put them in force in the running gateway; print what differs",
        "tables reload --dry-run",
        "gateway.cli.tables:reload",
    ),
    Entry(
        "tables export",
        "write tables as sheets, CSV or XLSX",
        "tables export --format xlsx --to tables.xlsx",
        "gateway.cli.sheets:export",
    ),
    Entry(
        "tables import",
        "check sheets, and write them as table files into a folder",
        "tables import tables.xlsx --to my-tables",
        "gateway.cli.sheets:import_",
    ),
    Entry(
        "user add",
        "make an account of the console; its password is asked for, or read from standard input",
        "user add ada --role operator --province 200",
        "gateway.cli.user:user_add",
    ),
    Entry("user list", "show the accounts of the console", "user list --json", "gateway.cli.user:user_list"),
    Entry(
        "user change",
        "give an account another role or province, and log it out",
        "user change ada --role reader --province 200",
        "gateway.cli.user:user_change",
    ),
    Entry(
        "user password",
        "give an account another password, and log it out",
        "user password ada",
        "gateway.cli.user:user_password",
    ),
    Entry(
        "user disable",
        "let an account log in no more; its logins and tokens end",
        "user disable ada",
        "gateway.cli.user:user_disable",
    ),
    Entry("user enable", "let it log in again", "user enable ada", "gateway.cli.user:user_enable"),
    Entry("user remove", "remove an account", "user remove ada", "gateway.cli.user:user_remove"),
    Entry(
        "user token",
        "make a token by which a machine has the rights of an account; it is printed once",
        "user token ada --token grafana --days 365",
        "gateway.cli.user:user_token",
    ),
    Entry(
        "replay",
        "run the recorded messages through the tables of today and print what differs",
        "replay --journal var/fetion.db --tables new-tables",
        "gateway.cli.replay",
    ),
    Entry(
        "completion",
        "print a script that completes commands and options in bash or zsh",
        "completion bash",
        "gateway.cli.completion",
    ),
)

_STDERR = 2
"""Its descriptor."""

GROUPS = {
    "handset": "simulated handsets",
    "explain": "how a number or a text is understood",
    "links": "the SMS centres that the gateway dials",
    "mqtt": "the broker",
    "outbox": "the SMS that wait to leave",
    "scenario": "scripted handsets",
    "stats": "figures by day, week and month",
    "store": "the store itself",
    "tables": "the tables: numbers, instructions, sentences, tariffs",
    "user": "accounts of the console",
}
"""Help for the first word of commands that have two."""


IMPLIED = {"stats": "show"}
"""What the first word of two means where an option or nothing follows it."""

SILENT = frozenset({"serve", "demo"})
"""Commands that work without standard output, or say themselves what is missing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code.

    Raises SystemExit(2) on wrong usage and SystemExit(0) after --help and --version, as argparse does.
    """
    _occupy_standard_descriptors()
    if reason := refusal(sys.platform):
        sys.stderr.write(f"{reason}\n")
        return 2
    words = _whole(list(sys.argv[1:] if argv is None else argv))
    replace_unencodable(sys.stdout)
    try:
        parser = build_parser(words)
        parser.refuse_unknown_options(words)
        args, surplus = parser.parse_known_args(words)
        if surplus:  # told by the command itself: its usage is the one that helps
            args.parser.error(f"not expected: {shlex.join(surplus)}")
        if sys.stdout is None and words[0] not in SILENT:  # closed by the shell: >&-
            return complain("standard output is closed")
        code = cast(Command, args.command).run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _leave_output()
        return 141
    except OSError as error:  # what no command expects, such as a full disk below standard output
        sys.stderr.write(f"fetion-gateway: {sentence(error)}\n")
        try:
            sys.stdout.flush()
        except OSError:
            _leave_output()
        return 1
    return code


def _whole(words: list[str]) -> list[str]:
    """The words of a command line with the one that they leave out (IMPLIED)."""
    first, rest = words[:1], words[1:]
    if first and first[0] in IMPLIED and (not rest or rest[0].startswith("--")) and rest != ["--help"]:
        return [*first, IMPLIED[first[0]], *rest]
    return words


def _occupy_standard_descriptors() -> None:
    """Open /dev/null where the shell has closed a standard stream (2>&-).

    Else a socket or the store would get its number; uvloop ends the process when it closes such a socket.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(_STDERR, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - to the end


def _leave_output() -> None:
    """Let the interpreter, which flushes standard output once more at exit, do that without an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def build_parser(words: Sequence[str] | None) -> Parser:
    """Make the parser for this command line: all command names, and the options of the chosen one.

    words: None for a parser with the options of every command, for which all of them are imported.
    """
    parser = Parser(
        prog="fetion-gateway",
        description="The SMS side of China Mobile's Fetion: an SMPP command gateway, and its simulator.",
        example="check --config config.yaml",
    )
    # The installed metadata takes as long to read as everything else here: only when asked for.
    asked = words is not None and "--version" in words[:1]
    version = importlib.import_module("importlib.metadata").version if asked else str
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('fetion-gateway')}")
    places = {"": parser.add_subparsers(metavar="COMMAND", required=True)}
    for entry in COMMANDS:
        group, _, last = entry.name.rpartition(" ")
        if group not in places:
            middle = places[""].add_parser(
                group, help=GROUPS[group], description=GROUPS[group], example=entry.example
            )
            places[group] = middle.add_subparsers(metavar="COMMAND", required=True)
        leaf = places[group].add_parser(last, help=entry.help, description=entry.help, example=entry.example)
        depth = entry.name.count(" ") + 1
        if words is None or entry.name.split() == list(words[:depth]):
            command = load_command(entry)
            command.add_arguments(leaf)
            leaf.set_defaults(command=command, parser=leaf)
    return parser


def load_command(entry: Entry) -> Command:
    """Import the target of an entry."""
    module, _, attribute = entry.target.partition(":")
    found = importlib.import_module(module)
    return cast(Command, getattr(found, attribute) if attribute else found)
