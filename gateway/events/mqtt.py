"""The consumer that publishes events over MQTT 5 (docs/mqtt.md), and the connection that it keeps up.

aiomqtt 2.5 takes a PUBACK with a reason code of 0x80 or above for success, and lets a publish wait for its
whole timeout when the connection dies. So publishes go to paho below it, and the client here says what the
broker answered, and that the connection is gone.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any, Final

import aiomqtt
import orjson
from paho.mqtt.client import Client as Paho
from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.clock import Clock
from gateway.events.arrays import Publish, publishes, topic_of
from gateway.events.broker import Broker, MqttSettings
from gateway.events.contract import RefusedEvent, StoredEvent, TemporaryFault
from gateway.events.links import LinkStates
from gateway.events.pauses import pause
from gateway.events.payloads import event_item, mo_item, node_state
from gateway.events.reading import Incoming
from gateway.message import PROVINCE
from gateway.observer import Observer

ANSWER: Final = 3.0
"""Seconds in which the broker has to take a connection, and to answer what waits longest."""
FAREWELL: Final = 1.0
"""Seconds at the stop for saying that this node is down."""
QUIET: Final = 60.0
"""Seconds without a word on the state of this node, after the broker has denied that topic."""
STABLE: Final = 5.0
"""Seconds after which a connection that breaks counts as a first failure again."""
KEEP_ALIVE: Final = 20
"""Seconds of silence after which the broker is asked whether it is there."""
IN_FLIGHT: Final = 100
"""Publishes that wait for their PUBACK at most; fewer where the broker's receive maximum is lower."""
RECEIVE_MAXIMUM: Final = 65_535
"""What the broker takes at once if it does not say (MQTT 5, 3.2.2.3.3)."""
PACKET_MOST: Final = 268_435_455
"""Octets of the longest packet that there is (MQTT 5, 2.1.4)."""
OVERHEAD: Final = 16
"""Octets of a PUBLISH beside topic and payload, at most."""
CLOSED: Final = "the broker has closed the connection"
TOO_LONG: Final = "is longer than the broker's longest packet"
NOBODY: Final = 0x10
"""The reason code of a publish that no subscription asks for (MQTT 5, 3.4.2.1)."""
FAILURE: Final = 0x80
"""Reason codes from here on are failures (MQTT 5, 2.4)."""
FAULTS: Final = (aiomqtt.MqttError, TemporaryFault, OSError, UnicodeError)
"""What a connection ends with."""


class TlsSocket(ssl.SSLSocket):
    """Closes when the handshake fails: paho forgets it."""

    def do_handshake(self, block: bool = False) -> None:
        """As ssl.SSLSocket."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def tls_of(settings: MqttSettings) -> ssl.SSLContext:
    """Read the certificates, anew for each connection: they are renewed now and then. Raises OSError."""
    context = settings.tls()
    context.sslsocket_class = TlsSocket
    return context


class LastWords(logging.Handler):
    """Keeps what paho said last: the cause of a lost connection is nowhere else."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        """logging: an error."""
        self.text = record.getMessage()


class MqttClient(aiomqtt.Client):
    """A client that says what the broker answers. Used once: another connection is another client.

    receive_maximum: how many publishes the broker takes unanswered. packet_most: octets of the longest packet
    that it takes. taken: topics that it has taken. denied: whether it has denied one.
    """

    def __init__(
        self,
        broker: Broker,
        tls: ssl.SSLContext | None,
        identifier: str,
        will: aiomqtt.Will | None = None,
        session: Properties | None = None,
    ) -> None:
        """session: of a session that outlives its connections; None: there is none."""
        self._words = LastWords(logging.ERROR)
        logger = logging.Logger("mqtt", logging.ERROR)
        logger.addHandler(self._words)
        super().__init__(
            broker.host,
            broker.port,
            username=broker.user,
            password=broker.password,
            logger=logger,
            identifier=identifier,
            protocol=aiomqtt.ProtocolVersion.V5,
            clean_start=session is None,
            properties=session,
            will=will,
            timeout=ANSWER,
            keepalive=KEEP_ALIVE,
            max_inflight_messages=0,  # paho does not hold publishes back: receive_maximum is kept here
            tls_context=tls,
        )
        self._client.connect_timeout = ANSWER
        self.receive_maximum = RECEIVE_MAXIMUM
        self.packet_most = PACKET_MOST
        self.taken: set[str] = set()
        self.denied = False
        self._answers: dict[int, asyncio.Future[ReasonCode]] = {}

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> asyncio.Future[ReasonCode]:
        """Publish with QoS 1. The future has the answer, and never an exception."""
        info = self._client.publish(topic, payload, 1, retain)
        answer = self._answers[info.mid] = asyncio.get_running_loop().create_future()
        return answer

    async def answer(self, sent: asyncio.Future[ReasonCode]) -> ReasonCode:
        """Wait for one answer. Raises TemporaryFault when the connection is gone, or ends it after ANSWER."""
        await asyncio.wait((sent, self._disconnected), timeout=ANSWER, return_when=asyncio.FIRST_COMPLETED)
        if sent.done():
            return sent.result()
        if not self._disconnected.done():
            self._disconnected.set_exception(aiomqtt.MqttError(f"no answer to a publish within {ANSWER:g} s"))
        raise TemporaryFault(self._why_lost)

    async def lost(self) -> None:
        """Wait for the end of the connection. Raises TemporaryFault, with the reason."""
        await asyncio.wait((self._disconnected,))
        raise TemporaryFault(self._why_lost)

    @property
    def _why_lost(self) -> str:
        """What is known of the end of the connection."""
        error = self._disconnected.exception()
        if not isinstance(error, aiomqtt.MqttCodeError):
            return str(error or CLOSED)
        code = error.rc
        said = isinstance(code, ReasonCode) and code.value not in (
            0,
            FAILURE,
        )  # paho: else no word of the broker
        return f"{CLOSED}: {code}" if said else self._words.text or CLOSED

    async def connect(self) -> None:
        """Connect. That happens in a thread which cannot be stopped: a cancellation waits for it."""
        connecting = asyncio.create_task(self.__aenter__(), name="connect to the broker")
        try:
            await asyncio.shield(connecting)
        except BaseException:
            connected = self._connected
            if not connected.done():
                connected.set_exception(aiomqtt.MqttError("stopped"))  # no answer is waited for
            await asyncio.gather(connecting, return_exceptions=True)
            for known in (connected, self._disconnected):
                if known.done():
                    known.exception()  # else asyncio says that nobody asked for it
            self.cut()
            raise

    async def disconnect(self) -> None:
        """Say good-bye, so that the broker forgets the will, and close."""
        with contextlib.suppress(aiomqtt.MqttError):
            await self.__aexit__(None, None, None)
        self.cut()

    def cut(self) -> None:
        """Close the socket, whatever state it is in."""
        self._client.reinitialise()

    def _on_connect(
        self,
        client: Paho,
        userdata: Any,
        flags: ConnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """paho: the CONNACK."""
        self.receive_maximum = getattr(properties, "ReceiveMaximum", RECEIVE_MAXIMUM)
        self.packet_most = getattr(properties, "MaximumPacketSize", PACKET_MOST)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self,
        client: Paho,
        userdata: Any,
        flags: DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """paho: the end. aiomqtt would wait for a CONNACK that does not come any more."""
        if not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(self._words.text or CLOSED))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self, client: Paho, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        """paho: a PUBACK, never within the call of publish."""
        del client, userdata, properties
        answer = self._answers.pop(mid, None)
        if answer is not None and not answer.done():
            answer.set_result(reason_code)


class SubscribingClient(MqttClient):
    """A client that receives, in a session that outlives it: the broker keeps what comes meanwhile.

    aiomqtt acknowledges a message before anybody has looked at it, and discards acknowledged ones where its
    queue has a bound. Here none passes its queue: `came` is told of each, and the broker gets its answer by
    `acknowledge`. It sends `window` unanswered ones at most (the receive maximum), none longer than `most`
    octets, and keeps the session for `keep` seconds without a connection.
    """

    def __init__(
        self,
        broker: Broker,
        tls: ssl.SSLContext | None,
        identifier: str,
        came: Callable[[Incoming], None],
        window: int,
        most: int,
        keep: int,
    ) -> None:
        session = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        session.SessionExpiryInterval = keep
        session.ReceiveMaximum = window
        session.MaximumPacketSize = most
        super().__init__(broker, tls, identifier, session=session)
        self._came = came
        self._client.manual_ack_set(on=True)

    async def receive(self, topic: str) -> None:
        """Subscribe with QoS 1. Raises MqttError, and TemporaryFault where the broker denies it."""
        options = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
        [code] = await self.subscribe(topic, options=options)
        if isinstance(code, ReasonCode) and code.value >= FAILURE:
            raise TemporaryFault(f"{topic}: the broker answers 0x{code.value:02X} {code}")

    def acknowledge(self, message: Incoming) -> None:
        """Tell the broker that it need not send it again."""
        if message.mid and not self._disconnected.done():
            self._client.ack(message.mid, 1)

    async def publish_all(
        self, what: Iterable[tuple[str, bytes]], answered: Callable[[str, int, str], None]
    ) -> None:
        """Publish (topic, payload) each, as many at once as the broker takes. Raises TemporaryFault, also
        when some are answered: with topic, reason code and its name."""
        window = min(IN_FLIGHT, self.receive_maximum)
        waiting: deque[tuple[str, asyncio.Future[ReasonCode]]] = deque()

        async def oldest() -> None:
            topic, sent = waiting.popleft()
            code = await self.answer(sent)
            answered(topic, code.value, str(code))

        for topic, payload in what:
            if len(waiting) == window:
                await oldest()
            waiting.append((topic, self.send(topic, payload)))
        while waiting:
            await oldest()

    def _on_message(self, client: Paho, userdata: Any, message: MQTTMessage) -> None:
        """paho: a PUBLISH."""
        del client, userdata
        with contextlib.suppress(UnicodeDecodeError):  # no broker passes on a topic that is not UTF-8
            self._came(Incoming(message.topic, bytes(message.payload), message.mid if message.qos else 0))


class MqttEvents:
    """Publishes events (gateway.events.contract.TopicConsumer).

    A topic that the broker denies is refused for a while. `run` keeps the connection up, and the retained
    topic fetion/nodes/{node}/state right.

    A broker may close the connection after a denial (Mosquitto 2.0 does), and what was in flight behind it is
    lost then, answers too. So a topic that this connection has not yet proven is sent alone, and what was
    denied is known over the next connection.
    """

    name: Final = "mqtt"
    most: Final = 1000

    def __init__(
        self,
        settings: MqttSettings,
        node: str,
        clock: Clock,
        random: Random,
        observer: Observer,
        unheard: Callable[[Sequence[int]], None] = lambda _: None,
        links: LinkStates | None = None,
    ) -> None:
        """unheard: told the numbers of SMS to provinces that nobody gets now. links: that are told of."""
        broker = settings.broker
        if broker is None:
            raise ValueError("mqtt.url is not set")
        self._settings = settings
        self._broker = broker
        self._node = node
        self._clock = clock
        self._random = random
        self._observer = observer
        self._unheard = unheard
        self._links = links or LinkStates(node, clock)
        self._client: MqttClient | None = None
        self._connected = asyncio.Event()
        self._state_topic = f"fetion/nodes/{node}/state"
        self._quiet_until = 0.0
        self._denied: dict[str, str] = {}  # of the take that goes on, or that failed last: topics, and why

    def topic(self, event: StoredEvent) -> str:
        """Its topic."""
        return topic_of(event)

    async def ready(self) -> None:
        """There is a connection."""
        await self._connected.wait()

    async def take(self, events: Sequence[StoredEvent]) -> Sequence[RefusedEvent]:
        """Publish them, as many at once as the broker takes."""
        client = self._client
        if client is None:
            raise TemporaryFault("no connection to the broker")
        # One is for the state at the stop, one for that of a link.
        window = min(IN_FLIGHT, max(1, client.receive_maximum - 2))
        waiting: deque[tuple[Publish, asyncio.Future[ReasonCode]]] = deque()
        refused: list[RefusedEvent] = []
        for each in publishes(events):
            for part, payload in self._packets(each, client.packet_most - OVERHEAD - len(each.topic)):
                if part.topic in self._denied:
                    refused += self._refused(part)
                    continue
                if payload is None:
                    self._say_unheard(part.events)
                    refused += [RefusedEvent(event, TOO_LONG) for event in part.events]
                    continue
                if len(waiting) == window:
                    refused += await self._answered(client, *waiting.popleft())
                waiting.append((part, client.send(part.topic, payload)))
                await asyncio.sleep(0)  # to write need not have waited: SMS have their turn
                while waiting and part.topic not in client.taken:
                    refused += await self._answered(client, *waiting.popleft())
        while waiting:
            refused += await self._answered(client, *waiting.popleft())
        self._denied.clear()
        return refused

    def _packets(self, publish: Publish, most: int) -> Iterator[tuple[Publish, bytes | None]]:
        """Cut a publish into payloads of so many octets at most; None: not even one event is that short."""
        item = mo_item if publish.events[0].family == PROVINCE else event_item
        payload = orjson.dumps([item(event, self._node) for event in publish.events])
        if len(payload) <= most:
            yield publish, payload
        elif len(publish.events) == 1:
            yield publish, None
        else:
            half = len(publish.events) // 2
            for events in (publish.events[:half], publish.events[half:]):
                yield from self._packets(Publish(publish.topic, events), most)

    async def _answered(
        self, client: MqttClient, publish: Publish, sent: asyncio.Future[ReasonCode]
    ) -> list[RefusedEvent]:
        """What the broker did not take of a publish."""
        code = await client.answer(sent)
        if code.value < FAILURE:
            client.taken.add(publish.topic)
            if code.value == NOBODY:
                self._say_unheard(publish.events)
            return []
        client.denied = True
        self._denied[publish.topic] = f"{publish.topic}: the broker answers 0x{code.value:02X} {code}"
        return self._refused(publish)

    def _refused(self, publish: Publish) -> list[RefusedEvent]:
        """All of a topic that is denied."""
        self._say_unheard(publish.events)
        reason = self._denied[publish.topic]
        return [RefusedEvent(event, reason, again=True) for event in publish.events]

    def _say_unheard(self, events: Sequence[StoredEvent]) -> None:
        """Customers need not wait where nobody answers. events: of one topic."""
        if events[0].family == PROVINCE:
            self._unheard([event.cause for event in events])

    async def run(self) -> None:
        """Keep a connection until cancelled."""
        failures = 0
        while True:
            began, client = self._clock.monotonic(), None
            try:
                async with self._connection(failures) as client:
                    await self._links.tell(client, self._denied_topic)
            except FAULTS as error:
                # After a denial the broker has closed it, and takes the next one.
                if self._clock.monotonic() - began > STABLE or (client and client.denied):
                    failures = 0
                failures += 1
                self._observer.consumer_disconnected(
                    self.name, self._broker.peer, str(error) or type(error).__name__, failures
                )
            await asyncio.sleep(pause(self._random, failures))

    @contextlib.asynccontextmanager
    async def _connection(self, failures: int) -> AsyncIterator[MqttClient]:
        """One connection, over which take may publish. Raises MqttError, TemporaryFault, OSError."""
        now = self._clock.now_ms()
        will = aiomqtt.Will(self._state_topic, node_state(self._node, now, "lost"), 1, retain=True)
        identifier = self._settings.client_id or f"fetion-gateway-{self._node}"
        # In a thread: to read the certificates of the machine takes 10 ms and more.
        tls = await asyncio.to_thread(tls_of, self._settings) if self._broker.tls else None
        client = MqttClient(self._broker, tls, identifier, will)
        await client.connect()
        try:
            await self._say(client, now, "connected")
            self._observer.consumer_connected(self.name, self._broker.peer, failures)
            self._client = client
            self._connected.set()
            yield client
        except asyncio.CancelledError:
            with contextlib.suppress(TemporaryFault, TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._say(client, self._clock.now_ms(), "stopped")
            raise
        finally:
            self._client = None
            self._connected.clear()
            await client.disconnect()

    async def _say(self, client: MqttClient, ms: int, reason: str) -> None:
        """Say whether this node is there. A broker that denies it is told of, and used all the same."""
        if self._clock.monotonic() < self._quiet_until:
            return
        code = await client.answer(
            client.send(self._state_topic, node_state(self._node, ms, reason), retain=True)
        )
        if code.value >= FAILURE:
            client.denied = True
            self._quiet_until = self._clock.monotonic() + QUIET
            self._denied_topic(self._state_topic, f"0x{code.value:02X} {code}")

    def _denied_topic(self, topic: str, answer: str) -> None:
        """The broker denies a topic of the gateway itself."""
        self._observer.consumer_denied(self.name, topic, answer)
