"""`replay`: shows which recorded messages would end differently with today's tables and handlers."""

import argparse
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from commands.model import NO_WORDS, ServiceLimits, Words
from commands.sensitive_words import WordList
from commands.tables import Tables
from gateway.cli.config import add_config, no_store, settings_of
from gateway.cli.output import as_json, complain, print_json, sentence
from gateway.cli.progress import progress
from gateway.message import message_id
from gateway.operations.replay import Difference, Replay
from gateway.settings import Settings
from gateway.storage.contract import StoreUnusable
from gateway.storage.engines import open_reader
from routing.tablefile import TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument(
        "--journal", type=Path, metavar="DB", help="store to read (default: that of the configuration)"
    )
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="folder with tables over the shipped ones (default: tables.folder of the configuration)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, the summary last")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command. 0: no difference; 1: a difference, or an error."""
    settings = settings_of(args)
    try:
        tables = Tables.load(args.tables or settings.tables.folder)
        path = settings.service.sensitive_words
        words: Words = NO_WORDS if path is None else WordList.load(path)
        if lacking := _lacking(args.journal, settings):
            return complain(lacking)
        reader = open_reader(args.journal or settings.storage.url)
    except (TableError, StoreUnusable) as error:
        return complain(error)
    except OSError as error:
        return complain(sentence(error))
    limits = ServiceLimits(**settings.limits.model_dump())
    replay = Replay(tables.routing, tables.commands, limits, ZoneInfo(settings.service.timezone), words)
    different = 0
    try:
        with closing(reader), progress() as shown:
            for difference in replay.run(shown.step("messages", reader.journal())):
                different += 1
                shown.say(as_json(_told(difference)) if args.json else _as_text(difference))
    except StoreUnusable as error:
        return complain(error)
    if args.json:
        print_json({"compared": replay.compared, "differ": different, "skipped": dict(replay.skipped)})
    else:
        sys.stdout.write(_summary(replay, different))
    return 1 if different else 0


def _lacking(journal: Path | None, settings: Settings) -> str:
    """Say which store does not exist, and what to do; "" if it does."""
    if journal is not None and not journal.exists():
        return f"--journal: {journal}: there is no such file: name the store of a gateway"
    storage = settings.storage
    return no_store(storage.path) if journal is None and storage.lacking else ""


def _told(difference: Difference) -> dict[str, Any]:
    sms = difference.recorded
    return {
        "message_id": message_id(sms.number),
        "msisdn": sms.msisdn,
        "destination": sms.destination,
        "text": sms.text,
        "was": difference.was,
        "is": difference.is_now,
    }


def _as_text(difference: Difference) -> str:
    sms = difference.recorded
    head = f"{message_id(sms.number)}  {sms.msisdn} -> {sms.destination}  {sms.text!r}"
    return f"{head}\n  was  {_line(difference.was)}\n  is   {_line(difference.is_now)}\n"


def _line(told: Mapping[str, Any]) -> str:
    words = [told["instruction"] or "-", told["outcome"]]
    words += [f"{key} {told[key]}" for key in ("code", "reason", "error") if key in told]
    if "replies" in told:
        words.append(f"says {', '.join(told['replies'])}")
    words += [f"event {event['event']} {event['msisdn']}" for event in told.get("events", ())]
    return "  ".join(words)


def _summary(replay: Replay, different: int) -> str:
    skipped = ", ".join(f"{count} {reason}" for reason, count in sorted(replay.skipped.items()))
    return f"{replay.compared} compared, {different} differ; skipped: {skipped or 'none'}\n"
