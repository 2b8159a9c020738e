"""`scenario run`: plays scripted handsets, each file with a fresh gateway, or with a running one."""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, cast

from gateway.cli.config import add_config, settings_of
from gateway.cli.output import complain, print_json, sentence
from gateway.operations.control import PathTooLong
from gateway.secrets import KeyFileError
from gateway.simulator.cli import port_number
from gateway.simulator.errors import SimulatorError
from gateway.simulator.handset import SHIPPED, Account, Centre
from gateway.simulator.junit import Played, write
from gateway.simulator.runner import Advance, play
from gateway.simulator.scenario import Scenario, ScenarioError, load
from gateway.simulator.sms import Sms
from gateway.simulator.terminal import line_printer, say
from gateway.simulator.transcript import Transcript
from gateway.storage.contract import StorageError
from gateway.testing import running_gateway
from routing.tablefile import TableError, read

Timed = tuple[float, Sms]
"""An SMS, and when it was sent or came: seconds on the gateway's clock since the scenario began."""
Stage = tuple[Account, Callable[[], float], Advance | None]
"""Account, clock of the transcript, and how to move the gateway's clock (None: not possible)."""

_NOT_TAKEN: Final = frozenset({"storage", "logging", "mqtt", "node"})
"""Sections of a configuration that a gateway of its own does without."""


class ScenarioRun:
    """`scenario run`: exit 0 when every expectation was met, 1 otherwise."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """See gateway.cli.main.Command."""
        parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="scenario files")
        parser.add_argument(
            "--seed",
            type=int,
            default=0,
            metavar="N",
            help="of the Fetion numbers and passwords that a gateway of its own draws (default: 0)",
        )
        parser.add_argument(
            "--json", action="store_true", help="print one JSON object a scenario, its conversation in it"
        )
        parser.add_argument("--junit", type=Path, metavar="OUT.xml", help="write a JUnit report too")
        parser.add_argument(
            "--host", help="play against a gateway that runs there, on whose clock no step can wait"
        )
        parser.add_argument(
            "--port", type=port_number, metavar="P", help=f"its port (default: {SHIPPED.port})"
        )
        add_config(parser)
        parser.add_argument("--system-id", default=SHIPPED.system_id, help=f"default: {SHIPPED.system_id}")
        parser.add_argument(
            "--password", default=SHIPPED.password, help="default: that of the shipped account"
        )

    def run(self, args: argparse.Namespace) -> int:
        """See gateway.cli.main.Command."""
        if args.config and (args.host or args.port):
            args.parser.error("--config is for a gateway of its own: leave out --host and --port")
        if args.config:
            settings_of(args)  # a fault is told before anything is played
        try:
            scenarios = _load(args.files)
            if args.junit:
                args.junit.open("a").close()  # later it would be too late to say that it cannot be written
            results = asyncio.run(_play_all(scenarios, args))
            if args.junit:
                write(args.junit, results)
        except ScenarioError as error:
            say(str(error), sys.stderr)
            return 1
        except (StorageError, KeyFileError, PathTooLong, TableError) as error:
            return complain(f"the gateway of the scenario does not start: {error}")
        except OSError as error:
            return complain(sentence(error))
        failed = sum(1 for played in results if played.failure)
        if not args.json:
            say(f"{len(results)} played, {failed} failed")
        return 1 if failed else 0


scenario_run: Final = ScenarioRun()


def _load(files: list[Path]) -> dict[Path, Scenario]:
    """Read every scenario. Raises ScenarioError with the faults of all of them."""
    scenarios, faults = {}, []
    for file in files:
        try:
            scenarios[file] = load(file)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(faults)
    return scenarios


async def _play_all(scenarios: dict[Path, Scenario], args: argparse.Namespace) -> list[Played]:
    results = []
    for file, scenario in scenarios.items():
        if not args.json:
            say(f"{scenario.name} ({file})")
        began = time.perf_counter()
        conversation: list[Timed] = []
        async with _stage(args) as stage:
            transcript, failure = await _play(scenario, stage, conversation, quiet=args.json)
        played = Played(str(file), scenario.name, time.perf_counter() - began, str(transcript), failure)
        if args.json:
            print_json(_told(played, conversation))
        else:
            say(f"FAILED: {failure}\n" if failure else "ok\n")
        results.append(played)
    return results


def _told(played: Played, conversation: Sequence[Timed]) -> dict[str, object]:
    """The object of --json. Without times of this machine: the same file and seed give the same object."""
    return {
        "file": played.file,
        "name": played.name,
        "passed": not played.failure,
        "failure": played.failure or None,
        "conversation": [
            {"at": round(at, 3), "from": sms.sender, "to": sms.receiver, "text": sms.text}
            for at, sms in conversation
        ],
    }


def _sections(config: Path | None) -> Mapping[str, Any]:
    """Return what a gateway of its own takes from a configuration: all but address, store and log, and
    without what would connect it to others."""
    if config is None:
        return {}
    sections: dict[str, Any] = dict(cast(Mapping[str, Any], read(config).value or {}))
    sections = {name: value for name, value in sections.items() if name not in _NOT_TAKEN}
    if isinstance(smpp := sections.get("smpp"), Mapping):
        sections["smpp"] = {"timers": smpp.get("timers", {}), **_accounts(smpp.get("accounts"))}
    if isinstance(tables := sections.get("tables"), Mapping) and tables.get("folder"):
        sections["tables"] = {"folder": str(config.parent.absolute() / tables["folder"])}
    if isinstance(service := sections.get("service"), Mapping) and service.get("sensitive_words"):
        words = config.parent.absolute() / service["sensitive_words"]
        sections["service"] = {**service, "sensitive_words": str(words)}
    return sections


def _accounts(rows: list[dict[str, Any]] | None) -> Mapping[str, Any]:
    """Return the section of the accounts of a gateway that has no links: the first one is the default where
    none is. Without any, the shipped account stays."""
    if not rows:
        return {}
    accounts = [{name: each[name] for name in each if name not in ("outbind", "nodes")} for each in rows]
    if not any(each.get("default") for each in accounts):
        accounts[0]["default"] = True
    return {"accounts": accounts}


@contextlib.asynccontextmanager
async def _stage(args: argparse.Namespace) -> AsyncIterator[Stage]:
    """Provide the gateway to play with."""
    if args.host or args.port:
        host, port = args.host or SHIPPED.host, args.port or SHIPPED.port
        yield Account(host, port, args.system_id, args.password), time.monotonic, None
        return
    with tempfile.TemporaryDirectory(prefix="fetion-scenario-") as folder:
        async with running_gateway(Path(folder), _sections(args.config), seed=args.seed) as gateway:
            yield gateway.account, gateway.clock.monotonic, gateway.advance_seconds


async def _play(
    scenario: Scenario, stage: Stage, conversation: list[Timed], *, quiet: bool
) -> tuple[Transcript, str]:
    """Play a scenario. Returns the transcript, and why it failed ("": it did not).

    conversation: gets every SMS. quiet: print no transcript.
    """
    account, clock, advance = stage
    names = {number: name for name, number in scenario.handsets.items()}
    transcript = Transcript(names, clock, None if quiet else line_printer(sys.stdout))
    began = clock()

    def watch(sms: Sms) -> None:
        transcript.add(sms)
        conversation.append((clock() - began, sms))

    try:
        async with await Centre.connect(account, names, watch=watch) as centre:
            phones = {name: centre.handsets[number] for number, name in names.items()}
            await play(scenario, phones, transcript, advance)
    except SimulatorError as error:
        return transcript, getattr(error, "reason", str(error))
    return transcript, ""
