"""A simulated SMS centre on a port: it takes binds and SMS of ESMEs, and delivers those of its handsets."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from random import Random
from typing import Final, Self

from gateway.net.connection import Connection
from gateway.simulator.errors import NoResponseError, NotConnectedError
from gateway.simulator.sms import Expectation, Sms, bare, encode
from gateway.simulator.smsc.deliveries import Deliveries, claiming
from gateway.simulator.smsc.dice import Dice
from gateway.simulator.smsc.faults import Faults, IdForm, faults_of
from gateway.simulator.smsc.handsets import Handsets
from gateway.simulator.smsc.ledger import Ledger, Submission
from gateway.simulator.smsc.line import SERVES, BadSession, Line, Outgoing
from gateway.simulator.smsc.receipts import FORMS, Planned, plan
from gateway.smpp.coding import Alphabet
from gateway.smpp.errors import EncodeError
from gateway.smpp.pdus import BindRequest, DataSm, DeliverSm
from gateway.smpp.session import Limits, Side, Timers
from gateway.smpp.status import CommandStatus

LATER: Final = 100_000
"""Things that may wait for their time; the receipts beyond it are not sent."""

_MOBILE: Final = re.compile(r"1\d{10}", re.ASCII)


class SmsCentre:
    """Use it in `async with`, or start and close it.

    Args:
        faults: what it does wrong; misbehave() replaces them.
        seed: of all that is drawn.
        ids: how responses write the number of an SMS.
        accounts: password by system_id; empty: anybody may bind.
        limits: of its sessions; window_out is its window.
        timers: of its sessions.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        seed: int = 0,
        ids: IdForm = "text",
        accounts: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        timers: Timers | None = None,
    ) -> None:
        self.port = 0
        self.ledger = Ledger()
        self.watch: Callable[[Sms, str], None] = lambda _sms, _message_id: None
        """Called with each whole SMS, and its message_id ("": one that `post` made)."""
        self.dice = Dice(faults or Faults(), seed)
        self.lines: set[Line] = set()
        self._seed = seed
        self._form: IdForm = ids
        self._accounts = dict(accounts or {})
        self._limits = limits or Limits(window_out=10)
        self._timers = timers or Timers()
        self._alphabet = Alphabet.from_config({}, "gsm")
        self._handsets = Handsets(self._alphabet)
        self._deliveries = Deliveries(self.lines, self.ledger, self.later)
        self._handles: set[asyncio.TimerHandle] = set()
        self._number = Random(seed).randrange(1000, 9000)
        self._reference = 0
        self._server: asyncio.Server | None = None
        self._loop = asyncio.get_running_loop()

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Open the port (0: any free one). Raises OSError."""
        self._server = await self._loop.create_server(self._accept, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Drop every connection, and close the port."""
        for handle in self._handles:
            handle.cancel()
        self._handles.clear()
        if self._server is None:
            return
        self._server.close()
        self.drop()
        await self._handsets.until(lambda: not self.lines, 5.0)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        if self._server is None:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # What a test does

    @property
    def unread(self) -> tuple[Sms, ...]:
        """The SMS that handsets got and nobody has expected."""
        return tuple(self._handsets.unread)

    @property
    def open(self) -> int:
        """Deliveries to ESMEs that have no final answer."""
        return self._deliveries.open

    def misbehave(self, faults: Mapping[str, object]) -> None:
        """Other faults from now on, counted anew; {}: none. Raises TableError."""
        self.dice = Dice(faults_of(faults), self._seed)

    def drop(self) -> None:
        """Drop every connection, as a crash would."""
        for line in list(self.lines):
            if line.connection is not None:
                line.connection.abort("dropped by the centre")

    async def bound(self, system_id: str = "", *, within: float = 10.0) -> None:
        """Wait until that ESME ("": anybody) is bound as a receiver. Raises NotConnectedError."""

        def there() -> bool:
            return any(each.receives and system_id in ("", each.system_id) for each in self.lines)

        if not await self._handsets.until(there, within):
            raise NotConnectedError(f"{system_id or 'an ESME'} has not bound within {within:g} s")

    async def deliver(self, sender: str, to: str, text: str, *, within: float = 10.0) -> int:
        """Let a handset text a number, and wait for the final answer.

        Returns its command_status; of a long SMS the first one that is not 0. Raises NoResponseError after
        `within` seconds (the SMS goes on waiting), and what post() raises.
        """
        parts = self.post(sender, to, text)
        _, pending = await asyncio.wait(parts, timeout=within)
        if pending:
            raise NoResponseError(f"no answer to the SMS of {sender} to {to} within {within:g} s")
        return next((status for part in parts if (status := part.result())), 0)

    def post(self, sender: str, to: str, text: str) -> list["asyncio.Future[int]"]:
        """Let a handset text a number. Returns a future of the command_status for each part.

        Raises EncodeError for a number that does not fit, CannotSendError for such a text.
        """
        self._reference += 1
        parts = encode(text, self._alphabet, self._reference)
        self.watch(Sms(sender, to, text), "")
        answers = [
            self._deliveries.add(
                DeliverSm(
                    source_addr_npi=1,
                    source_addr=sender,
                    dest_addr_npi=1,
                    destination_addr=to,
                    esm_class=part.esm_class,
                    data_coding=part.data_coding,
                    short_message=part.octets,
                )
            )
            for part in parts
        ]
        self._deliveries.pump()
        return answers

    async def expect(
        self, regex: str | None = None, *, to: str = "", sender: str | None = None, within: float = 5.0
    ) -> Sms:
        """The oldest unread SMS to a handset in which `regex` is found, waiting so many seconds.

        to: the handset, "" any. sender: a pattern for the whole sending number. Raises MissedError.
        """
        return await self._handsets.expect(Expectation.of(regex=regex, sender=sender), to, within)

    async def quiet(self, *, within: float = 10.0) -> bool:
        """Whether, within these seconds, every delivery has its final answer."""
        return await self._handsets.until(lambda: not self.open, within)

    # What lines tell (gateway.simulator.smsc.line.Switch)

    def admits(self, bind: BindRequest) -> int:
        """The command_status of a bind."""
        if not self._accounts:
            return CommandStatus.ROK
        password = self._accounts.get(bind.system_id)
        if password is None:
            return CommandStatus.RINVSYSID
        return CommandStatus.ROK if password == bind.password else CommandStatus.RINVPASWD

    def entered(self, _: Line) -> None:
        """A line is bound: what waits may leave on it."""
        self._handsets.change()
        self._deliveries.pump()

    def gone(self, line: Line, items: list[Outgoing]) -> None:
        """A connection is gone; what was not answered on it comes again."""
        self.lines.discard(line)
        self._deliveries.come_again(items)
        self._handsets.change()

    def answered(self, item: Outgoing, status: int) -> None:
        """An ESME answered a delivery."""
        self._deliveries.answered(item, status, again=not status and self.dice.happens("again"))
        self._deliveries.pump()
        self._handsets.change()

    def unanswered(self, item: Outgoing) -> None:
        """An ESME passed over a delivery."""
        self._deliveries.come_again([item])

    def take(self, line: Line, request: Submission) -> tuple[str, Callable[[], None]]:
        """Take an SMS. Returns its message_id, and what to do behind the response."""
        self._number += 1
        message_id = FORMS[self._form](self._number)
        planned = list(plan(request, self._number, self._form, self.dice, datetime.now().astimezone()))
        self._send(line, (each for each in planned if each.delay is None))
        self._pass_on(line, request, message_id)

        def behind() -> None:
            for each in planned:
                if each.delay is not None:
                    self.later(each.delay, partial(self._send, line, [each]))

        return message_id, behind

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        """Call something later; 0: as soon as all that came is done."""
        if len(self._handles) >= LATER:
            self.ledger.counts["no room"] += 1
            return

        def call() -> None:
            self._handles.discard(handle)
            then()

        handle = self._loop.call_later(seconds, call)
        self._handles.add(handle)

    # Inside

    def _accept(self) -> Connection:
        session = BadSession(
            Side.MC, now=self._loop.time(), serves=SERVES, limits=self._limits, timers=self._timers
        )
        line = Line(session, self)
        self.lines.add(line)
        return Connection(session, line, self._loop.time)

    def _send(self, line: Line, receipts: Iterable[Planned]) -> None:
        for each in receipts:
            self._deliveries.add(each.pdu, line.system_id, receipt=True)
        self._deliveries.pump()

    def _pass_on(self, line: Line, request: Submission, message_id: str) -> None:
        """An SMS of an ESME: to the one that claims its number, or to a handset of ours.

        An ESME that claims the number it writes from is a handset: what it writes to a number of a service
        goes to whoever claims nothing in particular.
        """
        number = bare(request.destination_addr)
        handset = line.claim is not None and line.claim.weight(bare(request.source_addr))
        claimed = any(each.claim is not None for each in claiming(self.lines, number))
        passed_on = claimed or (handset and not _MOBILE.fullmatch(number))
        if passed_on:
            try:
                self._deliveries.add(_delivery(request))
            except EncodeError:  # the numbers of a data_sm may be longer than those of a deliver_sm
                self.ledger.counts["cannot be delivered"] += 1
            self._deliveries.pump()
        sms = self._handsets.read(request) if passed_on else self._handsets.put(request)
        if sms is not None:
            self.watch(sms, message_id)


def _delivery(request: Submission) -> DeliverSm:
    """The deliver_sm that carries an SMS of an ESME to another one."""
    return DeliverSm(
        source_addr_ton=request.source_addr_ton,
        source_addr_npi=request.source_addr_npi,
        source_addr=request.source_addr,
        dest_addr_ton=request.dest_addr_ton,
        dest_addr_npi=request.dest_addr_npi,
        destination_addr=request.destination_addr,
        esm_class=request.esm_class,
        data_coding=request.data_coding,
        short_message=b"" if isinstance(request, DataSm) else request.short_message,
        tlvs=request.tlvs,
    )
