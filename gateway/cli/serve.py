"""`serve`: runs the gateway until SIGTERM or SIGINT; SIGHUP reopens the log and rereads sensitive words and
certificates."""

import argparse
import asyncio
import contextlib
import errno
import gc
import importlib
import shlex
import signal
import sys
from typing import Final
from zoneinfo import ZoneInfo

from commands.tables import InForce, Tables
from gateway.app import Environment, Gateway
from gateway.channels.smpp.certificates import TlsFault
from gateway.cli.config import add_config, settings_of
from gateway.operations.console.server import ConsoleUnusable
from gateway.operations.control import PathTooLong
from gateway.operations.log_writer import CLOSING
from gateway.operations.logs import Log, open_log
from gateway.secrets import KeyFileError
from gateway.settings import Settings
from gateway.simulator.hints import command
from gateway.storage.contract import StorageError, StoreFault
from gateway.storage.nodes import Fenced
from routing.tablefile import TableError

REJOIN_EVERY: Final = 2.0
"""Seconds between two attempts to begin anew."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop of uvloop if it is installed, else of asyncio, which is slower."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --config and --new-key."""
    add_config(parser)
    parser.add_argument(
        "--new-key",
        action="store_true",
        help="accept that the key of the store is lost: go on with another one, made where there is none",
    )


def run(args: argparse.Namespace) -> int:
    """0 after an orderly stop, 1 when it could not start, ended by a fault, or could not store what it had
    to."""
    settings = settings_of(args)
    try:
        log = open_log(settings.logging, zone=ZoneInfo(settings.service.timezone))
    except OSError as error:
        return complain(f"logging.file: {error}: name a file in a writable folder")
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(serve(settings, log, new_key=args.new_key))
    finally:
        log.close(min(CLOSING, settings.shutdown.deadline))


async def serve(settings: Settings, log: Log, *, new_key: bool = False) -> int:
    """Run until a signal; on failure, print the reason on standard error."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    loop.add_signal_handler(signal.SIGHUP, log.reopen)
    stored = True
    try:
        in_force = InForce(Tables.load(settings.tables.folder))
        try:
            stored = await run_once(settings, log, Environment(new_key=new_key, in_force=in_force), stop)
        except Fenced:
            stored = await rejoin(settings, log, in_force, stop)
    except (TableError, StorageError, KeyFileError, TlsFault, PathTooLong, ConsoleUnusable) as error:
        return not_serving(log, error)
    except OSError as error:
        listen = settings.smpp.listen
        remedy = (
            "stop what listens there or set smpp.listen.port"
            if error.errno == errno.EADDRINUSE
            else "set smpp.listen.host to an address of this machine"
        )
        return not_serving(log, f"{listen.host}:{listen.port}: {error.strerror or error}: {remedy}")
    finally:
        # uvloop leaves them behind, and this process would not hear them any more.
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(name)
            if stop.is_set():  # the process ends in order: a further signal does not change its exit code
                signal.signal(name, signal.SIG_IGN)
    return 0 if stored else 1


async def run_once(settings: Settings, log: Log, environment: Environment, stop: asyncio.Event) -> bool:
    """Run one gateway until `stop` is set. Returns whether all was stored that had to be.

    Raises what starting it raises, and Fenced where another node has taken its work.
    """
    async with Gateway(settings, log, environment) as gateway:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload, log, gateway)
        # What is there now stays: the collector need not look at it again.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await greet(settings, gateway)
        stopped = asyncio.create_task(stop.wait(), name="stop")
        failed = asyncio.create_task(gateway.failed(), name="failed")
        await asyncio.wait((stopped, failed), return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if failed.done():
            failed.result()
        failed.cancel()
    return gateway.stored


async def rejoin(settings: Settings, log: Log, in_force: InForce, stop: asyncio.Event) -> bool:
    """Begin anew each time that another node has taken the work of this one, until `stop` is set.

    The tables stay: nobody has asked for those that their files may hold by now, which may be half edited.

    A store that cannot be opened is tried again: this process served already, and the server may be away. So
    is a list of sensitive words with a fault: somebody may be at it.
    Returns and raises what run_once does; KeyFileError and the like as well.
    """
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        loop.add_signal_handler(signal.SIGHUP, log.reopen)
        try:
            return await run_once(settings, log, Environment(in_force=in_force), stop)
        except Fenced:
            continue
        except (StorageError, TableError, TlsFault, ConsoleUnusable) as error:
            log.logger.warning("node.cannot_rejoin", reason=str(error), pause_s=REJOIN_EVERY)
            log.flush()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REJOIN_EVERY):
                await stop.wait()
    return True


async def greet(settings: Settings, gateway: Gateway) -> None:
    """Where the log goes to a file and somebody looks at a terminal, say there that the gateway is up."""
    if settings.logging.file is not None and sys.stderr is not None and sys.stderr.isatty():
        where = f"{settings.smpp.listen.host}:{gateway.port}"
        follow = f"{command()} tail {shlex.quote(str(settings.logging.file))}"
        sys.stderr.write(f"listens on {where}; Ctrl-C stops it; its log, in another terminal: {follow}\n")
        if gateway.console is not None:
            sys.stderr.write(f"console: {gateway.console.url}{await without_account(gateway)}\n")


async def without_account(gateway: Gateway) -> str:
    """How to make the first account of the console; "" where there is one, or the store cannot say."""
    with contextlib.suppress(StoreFault):
        if not await gateway.store.accounts():
            return f"; nobody has an account yet: {command()} user add NAME --role administrator"
    return ""


def not_serving(log: Log, reason: object) -> int:
    """gateway.failed, and the same on standard error: who reads only one of the two finds it."""
    log.logger.error("gateway.failed", reason=str(reason))
    return complain(reason)


def complain(reason: object) -> int:
    """Print the reason of a failure on standard error. Returns the exit code."""
    sys.stderr.write(f"fetion-gateway: {reason}\n")
    return 1


def reload(log: Log, gateway: Gateway) -> None:
    """Handle SIGHUP: reopen the log file, and read the sensitive words and the certificates again."""
    log.reopen()
    gateway.reload_words()
    gateway.reload_certificates()
