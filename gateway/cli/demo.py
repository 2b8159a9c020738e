"""`demo`: starts a gateway with its embedded defaults and lets two handsets talk through it.

It is not part of gateway.simulator because it starts the gateway; the simulator only connects to one.
"""

import argparse
import asyncio
import errno
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Awaitable
from pathlib import Path

from gateway.app import Gateway
from gateway.operations.control import PathTooLong
from gateway.operations.logs import open_log
from gateway.secrets import KeyFileError
from gateway.settings import Settings, load
from gateway.simulator.demo import converse
from gateway.simulator.errors import SimulatorError
from gateway.simulator.handset import Account
from gateway.simulator.runner import StepFailedError
from gateway.simulator.terminal import line_printer, say
from gateway.storage.contract import StorageError
from routing.tablefile import TableError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument(
        "--once", action="store_true", help="end after the conversation, on a free port: exit code 0 or 1"
    )


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    try:
        return asyncio.run(_demo(once=args.once))
    except (TableError, KeyFileError, StorageError, PathTooLong) as error:
        say(f"the gateway does not start: {error}", sys.stderr)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        listen = Settings().smpp.listen
        say(
            f"port {listen.port} on {listen.host} is in use: stop what listens there (another demo?), "
            "or use demo --once, which takes a free port",
            sys.stderr,
        )
    return 1


def demo_settings(folder: Path, log_file: Path, *, free_port: bool) -> Settings:
    """Return the embedded defaults, with store and key in `folder` and JSON lines in `log_file`."""
    settings = load(None, {})
    listen = settings.smpp.listen.model_copy(update={"port": 0} if free_port else {})
    storage = {"url": f"sqlite:///{folder / 'fetion.db'}", "key_file": folder / "fetion.key"}
    return settings.model_copy(
        update={
            "smpp": settings.smpp.model_copy(update={"listen": listen}),
            "storage": settings.storage.model_copy(update=storage),
            "logging": settings.logging.model_copy(update={"file": log_file, "format": "json"}),
        }
    )


async def _demo(*, once: bool) -> int:
    """Run the demo so that a signal at any time leaves no file behind."""
    stop = _stop_signals()
    descriptor, log_file = tempfile.mkstemp(prefix="fetion-demo-", suffix=".log")
    os.close(descriptor)
    with tempfile.TemporaryDirectory(prefix="fetion-") as folder:  # short: the control socket is in it
        settings = demo_settings(Path(folder), Path(log_file), free_port=once)
        log = open_log(settings.logging)
        try:
            async with Gateway(settings, log) as gateway:
                return await _perform(gateway, stop, once=once)
        finally:
            log.close()


async def _perform(gateway: Gateway, stop: asyncio.Event, *, once: bool) -> int:
    """Play the conversation, then wait for the end. Returns the exit code."""
    settings = gateway.settings
    account = settings.smpp.default_account
    where = Account(settings.smpp.listen.host, gateway.port, account.system_id, account.password)
    conversation = asyncio.create_task(_converse(where), name="conversation")
    await _first(conversation, stop.wait(), gateway.failed())
    if conversation.cancelled():
        say("\nstopped before the conversation was over", sys.stderr)
        return 1 if once else 0
    if not conversation.result():
        say(f"the gateway's log: {settings.logging.file}", sys.stderr)
        return 1
    if once:
        say(f"\nAll answers came. The gateway's log: {settings.logging.file}")
        return 0
    say(_addresses(where, settings))
    await _first(stop.wait(), gateway.failed())
    say("\nstopping")
    return 0


async def _converse(account: Account) -> bool:
    """Play the conversation and print it. Returns whether every answer came."""
    say("Two handsets behind one SMS centre, each line an SMS:\n")
    try:
        await converse(account, line_printer(sys.stdout))
    except StepFailedError as error:
        say(f"\n{error.reason}", sys.stderr)
        return False
    except SimulatorError as error:
        say(str(error), sys.stderr)
        return False
    return True


def _addresses(account: Account, settings: Settings) -> str:
    command = "fetion-gateway"
    if shutil.which(command) is None:  # not activated: name the one of this environment
        command = os.path.relpath(Path(sys.executable).with_name(command))
    return f"""
The gateway is up. Ctrl-C stops it.
  SMPP  {account.host}:{account.port}  system_id {account.system_id}  password {account.password}
  log   {settings.logging.file}
  try   {command} handset send --from 13800138000 --to 161 CXFX
        {command} handset chat --from 13900139000"""


def _stop_signals() -> asyncio.Event:
    """Return an event that Ctrl-C, SIGTERM or closing the terminal sets."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _first(*awaited: Awaitable[object]) -> None:
    """Wait for the first of these, and cancel the others. Raises what the first raises."""
    done, pending = await asyncio.wait(
        [asyncio.ensure_future(each) for each in awaited], return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
