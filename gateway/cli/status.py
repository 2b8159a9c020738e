"""`status`: one screen about the running gateway. Exit 0 healthy, 1 not healthy, 3 not running."""

import argparse
import asyncio
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.cli.config import add_config, settings_of
from gateway.cli.output import print_json
from gateway.message import Delivery
from gateway.operations.control import CommandRefused, NotRunning, ask
from gateway.operations.status import faults_of
from gateway.settings import Settings
from gateway.simulator.hints import command
from gateway.storage.contract import StoreUnusable
from gateway.storage.engines import open_reader

NOT_RUNNING: Final = 3
COUNTED: Final = 1000
"""Parked SMS that are counted at most."""
_FILES: Final = ("", "-wal")
"""Endings of the files of a store that grow."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    settings = settings_of(args)
    try:
        report = asyncio.run(ask(settings.storage.path, "status"))
    except (NotRunning, CommandRefused) as error:
        running = isinstance(error, CommandRefused)
        _print({"running": running, "healthy": False, "faults": [str(error)]}, None, as_json=args.json)
        if not (running or args.json):
            sys.stdout.write(f"remedy    {command()} serve starts it; --config FILE names another one\n")
        return 1 if running else NOT_RUNNING
    report["store"] |= _store(settings)
    report["outbox"]["parked"] = _parked(settings)
    faults = faults_of(report)
    report = {"running": True, "healthy": not faults, "faults": faults, **report}
    _print(report, ZoneInfo(settings.service.timezone), as_json=args.json)
    return 1 if faults else 0


def _store(settings: Settings) -> dict[str, Any]:
    """Path, octets, and octets free on its disk; None where the system does not say, and both of a server."""
    path = settings.storage.path
    if not settings.storage.in_file:
        return {"path": settings.storage.place, "size": None, "free": None}
    try:
        size = sum(file.stat().st_size for file in _files(path))
        free: int | None = shutil.disk_usage(path.parent).free
    except OSError:
        size, free = 0, None
    return {"path": str(path), "size": size, "free": free}


def _files(path: Path) -> Iterator[Path]:
    return (file for end in _FILES if (file := path.with_name(path.name + end)).exists())


def _parked(settings: Settings) -> int | None:
    """How many SMS are parked, COUNTED at most; None where the store cannot be read."""
    try:
        with closing(open_reader(settings.storage.url)) as reader:
            return sum(sms.state is not Delivery.WAITING for sms in reader.waiting(COUNTED))
    except StoreUnusable:
        return None


def _print(report: dict[str, Any], zone: ZoneInfo | None, *, as_json: bool) -> None:
    if as_json:
        if "started_at" in report:
            at = datetime.fromtimestamp(report["started_at"] / 1000, UTC).isoformat(timespec="milliseconds")
            report = {**report, "started_at": at.replace("+00:00", "Z")}
        print_json(report)
        return
    lines = [("", "healthy" if report["healthy"] else "not healthy" if report["running"] else "not running")]
    lines += [("fault", fault) for fault in report["faults"]]
    if zone is not None:
        lines += screen(report, zone)
    sys.stdout.writelines(f"{name:<9} {said}\n" if name else f"{said}\n" for name, said in lines)


def screen(report: dict[str, Any], zone: ZoneInfo) -> list[tuple[str, str]]:
    """The lines below the first one: name and what is said."""
    since = datetime.fromtimestamp(report["started_at"] / 1000, UTC).astimezone(zone)
    rates, outbox, store = report["rates"], report["outbox"], report["store"]
    parked = f"{'?' if outbox['parked'] is None else outbox['parked']} parked"
    if outbox["parked"]:
        parked += " (outbox list shows them)"
    free = "?" if store["free"] is None else octets(store["free"])
    room = "" if store["size"] is None else f", {octets(store['size'])}; {free} free on its disk"
    return [
        ("up", f"{duration(report['up_s'])}, since {since:%Y-%m-%d %H:%M:%S} {zone.key}"),
        ("process", f"{report['pid']}, version {report['version']}, tables {report['tables']}"),
        *(("binds", line) for line in _binds(report["binds"])),
        *(("links", line) for line in _links(report.get("links", ()))),
        ("rates", "in {in_per_s}/s, out {out_per_s}/s over the last {over_s:.0f} s".format(**rates)),
        (
            "outbox",
            f"{outbox['depth']} wait, {outbox['in_flight']} of them sent and unanswered; {parked}",
        ),
        ("store", store["path"] + room),
        *(("node", line) for line in _nodes(report.get("nodes", ()))),
        *(("provinces", line) for line in _provinces(report.get("provinces"))),
        ("log", f"{report['log']['lost']} lines lost"),
        *(
            ("events", f"{name}: {each['waiting']} wait, {each['parked']} parked, {each['dropped']} dropped")
            for name, each in report["events"].items()
        ),
        *(("broker", line) for line in _brokers(report.get("brokers", {}))),
    ]


def _binds(binds: dict[str, dict[str, int]]) -> Iterator[str]:
    for account, modes in binds.items():
        counted = ", ".join(f"{count} {mode}" for mode, count in sorted(modes.items()))
        yield f"{account}: {counted or 'not bound'}"


def _links(links: Iterable[dict[str, Any]]) -> Iterator[str]:
    for link in links:
        said = f"{link['name']}, {link['mode']}: {link['state']}"
        if link["remote"]:
            said += f" at {link['remote']}, {duration(link['bound_s'])}"
        if link["reason"]:
            said += f": {link['reason']}"
        if link["next_try_s"] is not None:
            said += f"; next try in {link['next_try_s']:.0f} s"
        yield said


def _brokers(links: dict[str, dict[str, Any]]) -> Iterator[str]:
    for consumer, link in sorted(links.items()):
        if link["connected"]:
            yield f"{consumer}: connected to {link['peer']}"
        else:
            yield f"{consumer}: not connected to {link['peer']}: {link['reason']} (docs/mqtt.md)"


def _nodes(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    for node in nodes:
        lease = f"live, {node['lease_s']:.0f} s left" if node["live"] else "not live"
        own = " (this one)" if node["this"] else ""
        binds = "1 bind that receives" if node["binds"] == 1 else f"{node['binds']} binds that receive"
        yield f"{node['name']}, number {node['number']}{own}: {lease}; {binds}"


def _provinces(provinces: dict[str, Any] | None) -> Iterator[str]:
    if provinces is None:
        return
    yield "this node subscribes" if provinces["subscribes"] else "this node does not subscribe"
    for code, counts in provinces["of"].items():
        counted = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        yield f"{code or 'no province'}: {counted}"


def octets(count: int) -> str:
    """A number of octets in the unit that fits: 12.3 MiB."""
    value, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f} {unit}" if unit != "B" else f"{count} B"


def duration(seconds: float) -> str:
    """A duration in its two largest units."""
    whole = int(seconds)
    for name, size, smaller, part in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part} {smaller}"
    return f"{whole} s"
