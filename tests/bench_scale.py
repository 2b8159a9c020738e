"""What an SMS costs with many customers, and with several nodes: `python -m tests.bench_scale --nodes 2`.

Fills a store with customers, starts the nodes as processes (`fetion-gateway serve`), and loads each of them
with `fetion-gateway load` from random ones of these customers; half of them ask for their state, half set a
nickname. Prints rate, milliseconds to the reply, microseconds of processor time an SMS of each node and of
the server, octets of the server's log an SMS, octets of a customer. With fsync, as in production.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from gateway.storage.postgresql.store import PostgresStore
from gateway.storage.sqlite.store import SqliteStore
from tests.ports import free_port
from tests.postgresql import Server

FIRST: Final = 13_500_000_000
"""Of the mobiles; `load` begins there, too."""
TICK: Final = os.sysconf("SC_CLK_TCK")
MIX: Final = '- {text: CXFX, to: "161", from: random}\n- {text: "NC 小明", to: "161", from: random}\n'

_ROWS: Final = f"""
{FIRST} + n, 400000000 + n, 'open', 'smsc', '86' || ({FIRST} + n), 1, 1,
    '{{"opened_at":1795764924600,"nickname":"nick"}}', 0
"""
_COLUMNS: Final = "(msisdn, fetion_number, state, account, spelling, ton, npi, doc, matching)"
FILL_SQLITE: Final = f"""
WITH RECURSIVE every (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM every WHERE n + 1 < ?)
INSERT INTO customer {_COLUMNS} SELECT {_ROWS} FROM every
"""  # noqa: S608
FILL_POSTGRESQL: Final = f"""
INSERT INTO customer {_COLUMNS} SELECT {_ROWS} FROM generate_series(0, %s - 1) AS n
"""  # noqa: S608


@dataclass
class Place:
    """A store: how it is named in a configuration, and what to ask about it."""

    url: str
    server: Server | None = None
    path: Path | None = None

    def log_octets(self) -> int:
        """What the engine has written to its log so far; SQLite: unknown."""
        if self.server is None:
            return 0
        return int(self.server.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])

    def octets(self) -> int:
        """The size of table and indexes of customers."""
        if self.server is not None:
            return int(self.server.execute("SELECT pg_total_relation_size('customer')")[0][0])
        assert self.path is not None
        return self.path.stat().st_size

    def kept(self) -> float:
        """Octets of journal and outbox, with indexes, for each SMS in; SQLite: unknown."""
        if self.server is None:
            return 0.0
        sizes = "pg_total_relation_size('journal') + pg_total_relation_size('outbox')"
        return float(self.server.execute(f"SELECT ({sizes})::float / count(*) FROM journal")[0][0])  # noqa: S608

    def pids(self) -> list[int]:
        """The processes of the server."""
        if self.server is None or self.server._process is None:
            return []
        return family(self.server._process.pid)


@dataclass
class Node:
    """A gateway process."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    folder: Path
    load: "subprocess.Popen[bytes] | None" = None
    report: dict[str, Any] = field(default_factory=dict)


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


def spent(pids: list[int]) -> float:
    """Seconds of processor time of processes that run."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(values[11]) + int(values[12])
    return total / TICK


@contextlib.contextmanager
def sqlite(folder: Path, customers: int) -> Iterator[Place]:
    """A store in a file."""
    path = folder / "fetion.db"
    store = SqliteStore.open(path)
    store._db.execute("PRAGMA synchronous=OFF")
    store._db.execute(FILL_SQLITE, (customers,))
    store.release()
    os.sync()
    yield Place(f"sqlite:///{path}", path=path)


@contextlib.contextmanager
def postgresql(customers: int, shared_buffers: str) -> Iterator[Place]:
    """A store on a server of its own."""
    server = Server(f"shared_buffers = {shared_buffers}", "max_wal_size = 4GB", "checkpoint_timeout = 15min")
    server.start()
    try:
        url = server.url()
        opened = PostgresStore.open(url)
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(FILL_POSTGRESQL, (customers,))
            db.execute("VACUUM ANALYZE")
            db.execute("CHECKPOINT")
        asyncio.run(opened.close())
        yield Place(url, server=server)
    finally:
        server.remove()


def start(place: Place, folder: Path, name: str) -> Node:
    """Start a gateway, and wait until it takes connections."""
    port = free_port()
    folder.mkdir()
    account = {"system_id": "smsc", "password": "fetion16", "default": True, "window_out": 1000}
    config: dict[str, Any] = {
        "smpp": {"listen": {"port": port}, "accounts": [account]},
        "storage": {"url": place.url, "key_file": str(folder.parent / "fetion.key")},
        "logging": {"file": str(folder / "log"), "format": "json"},
        "limits": {"instructions_per_minute": 0, "same_text": 0},
    }
    if name:
        config["node"] = {"name": name}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "serve", "--config", folder / "config.yaml"],
        stdout=subprocess.DEVNULL,
    )
    log = folder / "log"
    while not (log.exists() and b"gateway.ready" in log.read_bytes()):
        if process.poll() is not None:
            raise SystemExit(f"{name or 'the gateway'} has ended: {log.read_text() if log.exists() else ''}")
        time.sleep(0.05)
    return Node(name, port, process, folder)


def run_load(node: Node, options: argparse.Namespace, count: int, seed: int) -> None:
    """Start the load of a node."""
    mix = node.folder / "mix.yaml"
    mix.write_text(MIX, "utf-8")
    words = [sys.executable, "-m", "gateway", "load", "--port", str(node.port), "--mix", str(mix)]
    words += ["--count", str(count), "--window", str(options.window), "--seed", str(seed)]
    words += ["--handsets", f"random:{options.customers}", "--json", str(node.folder / "load.json")]
    node.load = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(place: Place, nodes: list[Node], options: argparse.Namespace) -> None:
    """Load all nodes at once, once to warm up; print the second time."""
    for count, seed in ((max(1000, options.count // 10), 100), (options.count, 200)):
        gateways = [node.process.pid for node in nodes]
        before = [spent([pid]) for pid in gateways], spent(place.pids()), place.log_octets()
        begun = time.monotonic()
        for number, node in enumerate(nodes):
            run_load(node, options, count, seed + number)
        for node in nodes:
            assert node.load is not None
            node.load.wait()
            node.report = json.loads((node.folder / "load.json").read_bytes())
        seconds = time.monotonic() - begun
    done = sum(node.report["round_trips"] for node in nodes)
    each = [
        f"{(spent([pid]) - was) / node.report['round_trips'] * 1e6:.0f}"
        for pid, was, node in zip(gateways, before[0], nodes, strict=True)
    ]
    rate = sum(node.report["rate"] for node in nodes)
    p99 = max(node.report["latency_ms"]["reply"]["p99"] for node in nodes)
    sys.stdout.write(
        f"{options.engine} {len(nodes)} node(s) {options.customers:>10,} customers: {rate:7,.0f} SMS/s"
        f"  reply p99 {p99:.0f} ms  gateway {' and '.join(each)} us/SMS"
        f"  server {(spent(place.pids()) - before[1]) / done * 1e6:.0f} us/SMS"
        f"  log {(place.log_octets() - before[2]) / done:,.0f} octets/SMS"
        f"  kept {place.kept():,.0f} octets/SMS and {place.octets() / options.customers:.0f} octets/customer"
        f"  {done:,} of {options.count * len(nodes):,} in {seconds:.1f} s\n"
    )


def main() -> int:
    """Print a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--nodes", type=int, default=0, help="named nodes; 0: one gateway without a name")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--count", type=int, default=20_000, help="SMS to each node")
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--shared-buffers", default="1GB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        filled = (
            sqlite(folder, options.customers)
            if options.engine == "sqlite"
            else postgresql(options.customers, options.shared_buffers)
        )
        with filled as place:
            names = [f"n{number}" for number in range(1, options.nodes + 1)] or [""]
            nodes = [start(place, folder / (name or "one"), name) for name in names]
            try:
                measure(place, nodes, options)
            finally:
                for node in nodes:
                    node.process.send_signal(signal.SIGTERM)
                for node in nodes:
                    node.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
