"""The channels that their suite runs over. One joins by a class and a row in CHANNELS."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from itertools import count
from typing import Protocol

from gateway.channels.contract import Bind, Channel, Composer, Enquiry, Inbound, Loss, Receipt
from gateway.channels.phones.channel import TEXT, PhonesBind, PhonesChannel
from gateway.channels.phones.conversations import Conversations, PhoneSms, State
from gateway.channels.smpp.channel import SmppChannel
from gateway.channels.smpp.composing import Composition, SmppComposer
from gateway.channels.smpp.terms import PeerTerms
from gateway.message import MobileTerminated
from gateway.net.listener import BindAccount
from gateway.observer import Observer
from gateway.smpp.pdus import BindTransceiver, BindTransmitter, DeliverSm, SubmitSm, SubmitSmResp, Unbind
from gateway.smpp.status import CommandStatus, name_of
from routing.ranges import MobileRanges
from tests.channels.memory_channel import MemoryBind, MemoryChannel, Utf16
from tests.proofs.served import PASSWORD, PATIENCE, SYSTEM_ID
from tests.support import ALICE, GSM, NO_ACCOUNTS, Wire


class Told:
    """A ChannelOwner that writes down what it is told. heard: name and what was told, without the bind."""

    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.binds: list[Bind] = []
        self._news = asyncio.Event()

    def bound(self, bind: Bind) -> None:
        """A bind stands."""
        self.binds.append(bind)
        self._note("bound")

    def ready(self, _bind: Bind) -> None:
        """SMS may leave on it."""
        self._note("ready")

    def received(self, inbound: Inbound) -> None:
        """An SMS came."""
        self._note("received", inbound)

    def sent(self, _bind: Bind, sms: MobileTerminated, _remote_id: str) -> None:
        """The peer took a part."""
        self._note("sent", sms)

    def refused(self, _bind: Bind, sms: MobileTerminated, _reason: str, *, retry: bool) -> None:
        """The peer did not take a part."""
        self._note("refused", sms, retry)

    def late(self, _bind: Bind, sms: MobileTerminated, _remote_id: str) -> None:
        """The peer took a part after all."""
        self._note("late", sms)

    def late_refused(self, _bind: Bind, sms: MobileTerminated, _reason: str, *, retry: bool) -> None:
        """The peer refused a part after all."""
        self._note("late_refused", sms, retry)

    def receipted(self, receipt: Receipt) -> None:
        """A receipt came."""
        self._note("receipted", receipt)

    def enquired(self, enquiry: Enquiry) -> None:
        """The peer asks about an SMS."""
        self._note("enquired", enquiry)

    def available(self, _bind: Bind, msisdn: str) -> None:
        """A handset can be reached."""
        self._note("available", msisdn)

    def unknown(self, _bind: Bind, sms: MobileTerminated) -> None:
        """The peer did not answer."""
        self._note("unknown", sms)

    def settled(self, _bind: Bind) -> None:
        """The last of a run."""
        self._note("settled")

    def lost(self, _bind: Bind, unanswered: Sequence[MobileTerminated], loss: Loss) -> None:
        """A bind is gone."""
        self._note("lost", list(unanswered), loss)

    def disconnected(self) -> None:
        """A connection is gone."""
        self._note("disconnected")

    def named(self, name: str) -> list[tuple[object, ...]]:
        """All that was told under a name."""
        return [each[1:] for each in self.heard if each[0] == name]

    async def until(self, name: str, times: int = 1) -> list[tuple[object, ...]]:
        """Wait until that was told so often; gives what."""
        async with asyncio.timeout(PATIENCE):
            while len(self.named(name)) < times:
                self._news.clear()
                await self._news.wait()
        return self.named(name)

    def _note(self, *what: object) -> None:
        self.heard.append(what)
        self._news.set()


class Far(Protocol):
    """The far end of one bind."""

    async def submits(self, source: str, to: str, text: str) -> None:
        """A handset sends an SMS."""

    async def answered(self) -> str:
        """What the oldest of them was answered: the message id, or the name of a status."""

    async def arrives(self) -> None:
        """Wait for the next part that comes; it stays unanswered."""

    async def answers(self, refuses: str = "", *, newest: bool = False) -> None:
        """Answer the oldest or the newest one: taken, or refused "later" or "for good"."""

    async def unbinds(self) -> None:
        """Do what the protocol wants of a peer that is unbound."""

    async def cut(self) -> None:
        """The connection is gone, without a word."""


class Rig(Protocol):
    """A channel of one account, and whoever it tells. reads_at_once: its peers read what comes at once."""

    told: Told
    reads_at_once: bool

    @property
    def channel(self) -> Channel:
        """The driver."""

    @property
    def composer(self) -> Composer:
        """Of its account."""

    async def bind(self, *, receives: bool = True, wants: str = "") -> tuple[Bind, Far]:
        """Somebody binds; two SMS may be unanswered there. wants: handsets that the peer asks for."""

    def time_passes(self, seconds: float) -> None:
        """Move the clock of the channel, and let it see what that means."""

    def end(self) -> None:
        """Every peer hangs up."""


WINDOW = 2
"""SMS that may be unanswered on a bind."""
LOCAL = (ip_network("127.0.0.0/8"),)
MODES = frozenset({"transceiver", "transmitter", "receiver"})
STATUS = {"": CommandStatus.ROK, "later": CommandStatus.RX_T_APPN, "for good": CommandStatus.RX_P_APPN}


class MemoryFar:
    """Handsets of the memory channel."""

    def __init__(self, bind: MemoryBind) -> None:
        self._bind = bind
        self._asked: list[asyncio.Future[str]] = []
        bind.refuses = "silent"

    async def submits(self, source: str, to: str, text: str) -> None:
        """A handset sends an SMS."""
        self._asked.append(self._bind.submit(source, to, text))

    async def answered(self) -> str:
        """The answer."""
        return await self._asked.pop(0)

    async def arrives(self) -> None:
        """It is there with the next turn of the loop."""
        await asyncio.sleep(0)

    async def answers(self, refuses: str = "", *, newest: bool = False) -> None:
        """One of them."""
        self._bind.refuses = refuses
        self._bind.arrive(self._bind.unanswered[-1 if newest else 0])
        self._bind.refuses = "silent"

    async def unbinds(self) -> None:
        """Nothing."""

    async def cut(self) -> None:
        """All binds at once: there is one."""
        self._bind.channel.abort("cut")


class MemoryRig:
    """The channel in memory."""

    reads_at_once = True

    def __init__(self) -> None:
        self.told = Told()
        self.composer = Utf16()
        self.channel = MemoryChannel(self.told, Observer(), asyncio.get_running_loop().time, count(1))

    async def bind(self, *, receives: bool = True, wants: str = "") -> tuple[Bind, Far]:
        """Somebody binds."""
        assert not wants, "nobody can ask here"
        bind = self.channel.bind(receives=receives, window=WINDOW)
        return bind, MemoryFar(bind)

    def time_passes(self, seconds: float) -> None:
        """It waits for nobody."""

    def end(self) -> None:
        """Nobody is left."""


class SmppFar:
    """A message centre on a socket."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sequence = count(10)
        self._came: list[DeliverSm] = []

    async def submits(self, source: str, to: str, text: str) -> None:
        """A submit_sm in UCS-2."""
        self._wire.send(
            SubmitSm(
                source_addr=source,
                destination_addr=to,
                data_coding=8,
                short_message=text.encode("utf-16-be"),
                sequence_number=next(self._sequence),
            )
        )

    async def answered(self) -> str:
        """The next submit_sm_resp."""
        response = await self._wire.reads(SubmitSmResp)
        return name_of(response.command_status) if response.command_status else response.message_id

    async def arrives(self) -> None:
        """A deliver_sm."""
        self._came.append(await self._wire.reads(DeliverSm))

    async def answers(self, refuses: str = "", *, newest: bool = False) -> None:
        """Its deliver_sm_resp."""
        pdu = self._came.pop(-1 if newest else 0)
        status, sequence = STATUS[refuses], pdu.sequence_number
        self._wire.send(replace(pdu.response(), command_status=status, sequence_number=sequence))

    async def unbinds(self) -> None:
        """unbind_resp, then the end of the connection."""
        pdu = await self._wire.reads(Unbind)
        self._wire.send(replace(pdu.response(), sequence_number=pdu.sequence_number))
        self._wire.close()

    async def cut(self) -> None:
        """The socket is closed."""
        self._wire.close()


class SmppRig:
    """The SMPP channel on a port of this machine."""

    reads_at_once = False

    def __init__(self) -> None:
        self.told = Told()
        self._ahead = 0.0
        self._wires: list[Wire] = []
        compositions = {SYSTEM_ID: Composition(GSM)}
        self.composer = SmppComposer(compositions)
        account = BindAccount(SYSTEM_ID, PASSWORD, 10, WINDOW, LOCAL, MODES)
        configuration = replace(
            NO_ACCOUNTS,
            accounts={SYSTEM_ID: account},
            peers={SYSTEM_ID: PeerTerms(Composition(GSM))},
        )
        self._loop = asyncio.get_running_loop()
        self.channel = SmppChannel(configuration, self.told, Observer(), self._now, count(1), lambda: 0)

    def _now(self) -> float:
        return self._loop.time() + self._ahead

    def time_passes(self, seconds: float) -> None:
        """Its connections look at their timers."""
        self._ahead += seconds
        for connection in list(self.channel.listener.connections):
            connection.tick()

    async def bind(self, *, receives: bool = True, wants: str = "") -> tuple[Bind, Far]:
        """A bind_transceiver, or a bind_transmitter. wants: its address_range."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.channel.listener.port)
        wire = Wire(reader, writer)
        self._wires.append(wire)
        kind = BindTransceiver if receives else BindTransmitter
        request = kind(system_id=SYSTEM_ID, password=PASSWORD, address_range=wants, sequence_number=1)
        await wire.bind(request)
        await self.told.until("ready", len(self.told.binds))
        return self.told.binds[-1], SmppFar(wire)

    def end(self) -> None:
        """All sockets are closed."""
        for wire in self._wires:
            wire.close()


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[Rig]:
    """Started, and ended at the end."""
    await rig.channel.start()
    try:
        yield rig
    finally:
        rig.channel.close()
        rig.channel.abort("end of the test")
        rig.end()
        if rig.told.binds:
            await rig.told.until("lost", len(rig.told.binds))


class HeldPhones(PhonesChannel):
    """Phones that answer when they are told to; each bind is made by the test."""

    async def start(self) -> dict[str, object]:
        """Nothing yet."""
        return {}

    def submits(self, bind: PhonesBind, phone: str, to: str, text: str) -> PhoneSms:
        """As submit(), on one bind."""
        sms = self.conversations.add(phone, 0, to, text, State.UNDER_WAY)
        bind.submit(sms)
        return sms

    def arrived(self, bind: PhonesBind, sms: MobileTerminated) -> None:
        """It lies there."""


class PhonesFar:
    """The phones of one bind."""

    def __init__(self, channel: HeldPhones, bind: PhonesBind) -> None:
        self._channel, self._bind = channel, bind
        self._asked: list[PhoneSms] = []

    async def submits(self, source: str, to: str, text: str) -> None:
        """Somebody writes an SMS on the page."""
        self._asked.append(self._channel.submits(self._bind, source, to, text))

    async def answered(self) -> str:
        """What its page shows."""
        sms = self._asked.pop(0)
        async with asyncio.timeout(PATIENCE):
            await self._channel.conversations.settled(sms)
        return sms.message_id if sms.verdict is None else sms.verdict.name

    async def arrives(self) -> None:
        """It is there with the next turn of the loop."""
        await asyncio.sleep(0)

    async def answers(self, refuses: str = "", *, newest: bool = False) -> None:
        """One of them."""
        sms = list(self._bind.unanswered.values())[-1 if newest else 0]
        if refuses:
            self._bind.refused(sms, refuses, retry=refuses == "later")
        else:
            self._bind.taken(sms)

    async def unbinds(self) -> None:
        """Nothing."""

    async def cut(self) -> None:
        """Its bind ends."""
        self._bind.abort("cut")


class PhonesRig:
    """The phones of the console."""

    reads_at_once = True

    def __init__(self) -> None:
        self.told = Told()
        self.composer = TEXT
        loop, phones = asyncio.get_running_loop(), Conversations(MobileRanges([ALICE]))
        self.channel = HeldPhones(phones, lambda: 0, self.told, Observer(), loop.time, count(1))

    async def bind(self, *, receives: bool = True, wants: str = "") -> tuple[Bind, Far]:
        """One more."""
        assert not wants, "it asks for its phones"
        bind = self.channel.bind(WINDOW, receives=receives)
        return bind, PhonesFar(self.channel, bind)

    def time_passes(self, seconds: float) -> None:
        """It waits for nobody."""

    def end(self) -> None:
        """Nobody is left."""


def _links() -> Rig:
    from tests.contracts.link_rig import LinkRig  # here: it imports this module

    return LinkRig()


CHANNELS: Mapping[str, Callable[[], Rig]] = {
    "smpp": SmppRig,
    "links": _links,
    "phones": PhonesRig,
    "memory": MemoryRig,
}
"""Name -> function that makes the rig of a channel."""
ASKING, LIMITED, TIMED = ("smpp",), ("smpp", "links"), ("smpp", "links")
"""Those whose peers can ask for handsets; those that cannot carry everything; those that wait for an answer
no longer than a while."""
