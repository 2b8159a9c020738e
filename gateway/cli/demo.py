"""`demo`: starts a gateway with its embedded defaults and lets two handsets talk through it.

It is not part of gateway.simulator because it starts the gateway; the simulator only connects to one. Without
--once it then shows every SMS that the gateway takes and sends, and the reader is a handset. Its own handsets
are shown what handsets see; of the SMS of other terminals' handsets, what the gateway masks stays masked.
"""

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from random import Random
from typing import Final

from gateway.app import Environment, Gateway
from gateway.cli.demo_console import console_settings, visitor
from gateway.cli.demo_folder import KEY, STORE, DemoFolder, demo_folder
from gateway.message import MASKED, PART, JournalEntry, MobileTerminated, message_id
from gateway.observer import Observer, Remote
from gateway.operations.console.server import ConsoleUnusable
from gateway.operations.control import PathTooLong
from gateway.operations.logs import open_log
from gateway.operations.timeline.steps import reason_limited
from gateway.secrets import KeyFileError
from gateway.settings import LimitSettings, Settings, load
from gateway.simulator.demo import HANDSETS, SCENARIO, names_of, perform, read_by_nobody
from gateway.simulator.errors import NotConnectedError, SimulatorError
from gateway.simulator.handset import SHIPPED, Account, Centre
from gateway.simulator.hints import command
from gateway.simulator.keyboard import HELP, YOURSELF, Keyboard
from gateway.simulator.meaning import Meaning, reads_chinese
from gateway.simulator.runner import StepFailedError
from gateway.simulator.scenario import Scenario
from gateway.simulator.scenario import load as load_scenario
from gateway.simulator.sms import Sms
from gateway.simulator.terminal import lines_of, say
from gateway.simulator.transcript import Transcript
from gateway.simulator.window import Window
from gateway.storage.contract import StorageError
from routing.tablefile import TableError

_LISTEN: Final = "FETION__SMPP__LISTEN__"
"""Beginning of the variables that say where a demo listens."""

_OBEYED: Final = (_LISTEN, "FETION__CONSOLE__LISTEN")
"""The same, and where its console does."""

_ANOTHER: Final = "13600136000"
"""A handset for a second terminal."""

_YOU: Final = f"""You are the handset {YOURSELF}: KTFX opens Fetion, BZ lists the instructions.
  {HELP}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See gateway.cli.main.Command."""
    parser.add_argument(
        "--once", action="store_true", help="end after the conversation, on a free port: exit code 0 or 1"
    )
    parser.add_argument(
        "--gloss",
        choices=("auto", "on", "off"),
        default="auto",
        help="English below each Chinese sentence (default: auto, on unless the locale is Chinese)",
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="draw the same Fetion numbers and passwords each time"
    )


def run(args: argparse.Namespace) -> int:
    """See gateway.cli.main.Command."""
    try:
        return asyncio.run(_demo(args))
    except (TableError, KeyFileError, StorageError, ConsoleUnusable) as error:
        say(f"the gateway does not start: {error}", sys.stderr)
    except PathTooLong:
        folder = tempfile.gettempdir()
        say(f"the path {folder} is too long for a control socket: set TMPDIR=/tmp", sys.stderr)
    except BrokenPipeError:
        raise
    except OSError as error:
        say(_port_in_use() if error.errno == errno.EADDRINUSE else f"the demo stops: {error}", sys.stderr)
    return 1


def _port_in_use() -> str:
    listen = demo_settings(Path(), Path(), free_port=False).smpp.listen
    other = listen.port + 1 if listen.port < 65_535 else 2775
    return (
        f"port {listen.port} on {listen.host} is in use: stop what listens there (another demo?),"
        f" or take another port: {_LISTEN}PORT={other} make run"
    )


def demo_settings(folder: Path, log_file: Path, *, free_port: bool) -> Settings:
    """Return the embedded defaults, with store and key in `folder` and JSON lines in `log_file`.

    Of the environment only the addresses to listen on count. Raises TableError for a wrong one.
    """
    settings = load(None, {name: value for name, value in os.environ.items() if name.startswith(_OBEYED)})
    listen = settings.smpp.listen.model_copy(update={"port": 0} if free_port else {})
    storage = {"url": f"sqlite:///{folder / STORE}", "key_file": folder / KEY}
    return settings.model_copy(
        update={
            "smpp": settings.smpp.model_copy(update={"listen": listen}),
            "console": console_settings(settings.console, free_port=free_port),
            "storage": settings.storage.model_copy(update=storage),
            "logging": settings.logging.model_copy(update={"file": log_file, "format": "json"}),
        }
    )


async def _demo(args: argparse.Namespace) -> int:
    """Run the demo so that a signal at any time leaves no file behind."""
    stop = _stop_signals()
    loop = asyncio.get_running_loop()
    script = load_scenario(SCENARIO)
    names = {**names_of(script), YOURSELF: "you"}

    def gone() -> None:
        loop.call_soon_threadsafe(stop.set)

    glossed = args.gloss == "on" or (args.gloss == "auto" and not reads_chinese())
    gloss: Callable[[Sms], str | None] = Meaning.load().gloss if glossed else lambda _: None
    with (
        demo_folder() as folder,
        _window(names, gloss, gone) as window,
    ):
        settings = demo_settings(folder.path, folder.log, free_port=args.once)
        log = open_log(settings.logging)
        overheard = _Overheard(window, settings.limits)
        try:
            async with Gateway(settings, log, _environment(args.seed), [overheard]) as gateway:
                demo = _Demo(gateway, folder, window, overheard)
                code = await demo.perform(script, stop, once=args.once)
        finally:
            log.close()
        window.written()
        if window.broken:  # nobody reads what we show
            raise BrokenPipeError
        return code


def _environment(seed: int | None) -> Environment:
    return Environment() if seed is None else Environment(random=Random(seed), choice=Random(seed).choice)


@contextlib.contextmanager
def _window(
    names: Mapping[str, str], gloss: Callable[[Sms], str | None], gone: Callable[[], None]
) -> Iterator[Window]:
    with contextlib.ExitStack() as opened:
        stream = sys.stdout
        if stream is None:  # closed by the shell: >&-
            stream = opened.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        window = Window(stream, names, gloss, gone)
        try:
            yield window
        finally:
            window.close()


class _Overheard(Observer):
    """Shows the SMS of handsets that are not ours, and why an SMS gets no reply.

    own: our end of our bind, as the gateway names it. first: number of the first SMS that the gateway took.
    """

    def __init__(self, window: Window, limits: LimitSettings) -> None:
        self.own = ""
        self.first = 0
        self._window = window
        self._limits = limits

    def handled(
        self, entry: JournalEntry, remote: Remote, purpose: str, replies: int, latency: float, now_ms: int
    ) -> None:
        """See Observer. The parts of a long message are not shown, but the whole."""
        del purpose, latency, now_ms
        self.first = self.first or entry.number
        if remote.peer != self.own and entry.outcome != PART:
            text = MASKED if entry.hidden else entry.text
            self._window.show(Sms(entry.msisdn, entry.destination, text))
        if not replies and (reason := reason_limited(entry, self._limits)):
            self._window.note(reason)

    def sent(self, sms: MobileTerminated, remote: Remote, latency: float, now_ms: int) -> None:
        """See Observer."""
        del latency, now_ms
        if remote.peer != self.own:
            self._window.show(Sms(sms.source, sms.msisdn, MASKED if sms.secret else sms.text))


class _Demo:
    """One run: the conversation, then the live window."""

    def __init__(self, gateway: Gateway, folder: DemoFolder, window: Window, overheard: _Overheard) -> None:
        self._gateway = gateway
        self._folder = folder
        self._window = window
        self._overheard = overheard
        self._talking = True
        settings = gateway.settings
        account = settings.smpp.default_account or SHIPPED
        self._where = Account(settings.smpp.listen.host, gateway.port, account.system_id, account.password)

    async def perform(self, script: Scenario, stop: asyncio.Event, *, once: bool) -> int:
        """Play the conversation, then be live until the end. Returns the exit code."""
        session = asyncio.create_task(self._session(script, once=once), name="session")
        await _first(session, stop.wait(), self._gateway.failed())
        if not session.cancelled():
            return session.result()
        if self._window.broken:
            return 1
        if self._talking:
            self._error("\nstopped before the conversation was over")
            return 1 if once else 0
        self._window.say("\nstopping")
        return 0

    async def _session(self, script: Scenario, *, once: bool) -> int:
        """Bind the centre, talk, be live. Returns the exit code; without `once` only after a failure."""
        transcript = Transcript(names_of(script), time.monotonic)

        def watch(sms: Sms) -> None:
            transcript.add(sms)
            self._window.show(sms)

        self._window.say("Two handsets behind an SMS centre text Fetion (161 and 12520) over SMPP:\n")
        try:
            connecting = Centre.connect(self._where, names_of(script), watch=watch, adopts=HANDSETS)
            async with await connecting as centre:
                self._overheard.own = centre.esme.local
                await perform(script, centre, transcript)
                self._talking = False
                if once:
                    self._window.say(f"\nAll answers came. {self._kept()}")
                    return 0
                await self._live(centre)
        except SimulatorError as error:
            reason = error.reason if isinstance(error, StepFailedError) else str(error)
            self._error(f"\n{reason}\n{self._kept()}")
        return 1

    def _kept(self) -> str:
        """Leave the folder. Returns where the log is."""
        self._folder.keep = True
        return f"The gateway's log, until the next demo starts: {self._folder.log}"

    async def _live(self, centre: Centre) -> None:
        """Show every SMS, and let the reader be a handset. Raises NotConnectedError."""
        centre.watch = read_by_nobody(centre, self._window.show)
        for handset in centre.handsets.values():
            handset.mailbox.unread.clear()
        config = self._folder.write_config(self._gateway.settings, self._where.port)
        self._window.say(self._addresses(config, await visitor(self._gateway)))
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(centre), name="keyboard")
            reason = await centre.esme.wait_lost()
            reading.cancel()
        raise NotConnectedError(f"connection lost: {reason}")

    async def _read(self, centre: Centre) -> None:
        """Do what is typed, to the end of input."""
        if not _is_terminal():
            return
        self._window.say(_YOU)
        keyboard = Keyboard(centre, self._window)
        # In the background a read of the terminal then fails, and does not stop the whole process.
        before = signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        try:
            async with aclosing(lines_of(sys.stdin.fileno())) as lines:
                async for line in lines:
                    await keyboard.typed(line)
            self._window.say("the keyboard is closed; the window stays, and Ctrl-C stops it")
        except OSError:  # the terminal is gone, or we are in the background
            return
        finally:
            signal.signal(signal.SIGTTIN, before)

    def _addresses(self, config: Path, console: str) -> str:
        where, call = self._where, command()
        page = f"\n  pages  {console}" if console else ""
        return f"""
The gateway is up, and this window shows every SMS. Ctrl-C stops it.
  SMPP   {where.host}:{where.port}  system_id {where.system_id}  password {where.password}{page}
  log    {self._folder.log}; its folder is gone at the end
In another terminal:
  {call} handset send --config {config} --from {_ANOTHER} --to 161 KTFX
  {call} trace --config {config} {message_id(self._overheard.first)}"""

    def _error(self, text: str) -> None:
        """Say something on standard error, behind what the window shows."""
        self._window.written()
        say(text, sys.stderr)


def _is_terminal() -> bool:
    """Whether somebody can type."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


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
