"""The command `demo`: a gateway on its embedded defaults, and two handsets that talk through it.

It lives here and not in gateway.simulator because it starts the gateway itself, which the simulator
does not know: that one only dials.
"""

import argparse
import asyncio
import errno
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from gateway.app import Gateway
from gateway.control import PathTooLong
from gateway.logs import open_log
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
    """See gateway.cli.Command."""
    parser.add_argument(
        "--once", action="store_true", help="end after the conversation, on a free port: exit code 0 or 1"
    )


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.Command."""
    descriptor, log_file = tempfile.mkstemp(prefix="fetion-demo-", suffix=".log")
    os.close(descriptor)
    with tempfile.TemporaryDirectory(prefix="fetion-demo-") as folder:
        settings = demo_settings(Path(folder), Path(log_file), free_port=args.once)
        try:
            return asyncio.run(_demo(settings, once=args.once))
        except (TableError, KeyFileError, StorageError, PathTooLong) as error:
            say(f"the gateway does not start: {error}", sys.stderr)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            listen = settings.smpp.listen
            say(
                f"port {listen.port} on {listen.host} is in use: stop what listens there (another demo?), "
                "or use demo --once, which takes a free port",
                sys.stderr,
            )
    return 1


def demo_settings(folder: Path, log_file: Path, *, free_port: bool) -> Settings:
    """The embedded defaults, but with store and key in `folder` and JSON lines into `log_file`."""
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


async def _demo(settings: Settings, *, once: bool) -> int:
    log = open_log(settings.logging)
    try:
        async with Gateway(settings, log) as gateway:
            account = settings.smpp.default_account
            where = Account(settings.smpp.listen.host, gateway.port, account.system_id, account.password)
            if not await _converse(where):
                say(f"the gateway's log: {settings.logging.file}", sys.stderr)
                return 1
            if once:
                say(f"\nAll answers came. The gateway's log: {settings.logging.file}")
                return 0
            stop = _stop_signals()
            say(_addresses(where, settings))
            await _until(stop, gateway)
            say("\nstopping")
            return 0
    finally:
        log.close()


async def _converse(account: Account) -> bool:
    """Play the conversation and print it; whether every answer came."""
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
    """Set at SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _until(stop: asyncio.Event, gateway: Gateway) -> None:
    """Wait for `stop`. Raises what a task of the gateway raises."""
    tasks = {asyncio.create_task(stop.wait()), asyncio.create_task(gateway.failed())}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()
