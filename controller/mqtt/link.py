"""Keeps one connection to a broker: the client of paho-mqtt, run by a thread of this module.

A thread of the library would end at an exception, and would send old messages after a reconnect. So
each connection is a new client whose `loop` this module calls. Nothing is queued while it is
offline. Wrong input from a broker ends this connection only. All methods run in the thread of
asyncio, except `_run` and the callbacks.
"""

import asyncio
import collections
import contextlib
import random
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, NoReturn

from paho.mqtt import client as mqtt, enums
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from controller.mqtt import failures
from controller.mqtt.client import PACKET_BYTES_MAX, Client
from controller.system import caught, clock
from controller.system.paths import why

UNDER_WAY_MAX = 10  # QoS 1 messages in each direction; the smallest limit of the usual brokers
RECEIVED_MAX = 1000  # packets that a broker may send while it reads none
UNSENT_MAX = 5000  # packets of QoS 0 that wait
UNANSWERED_MAX = 100  # publishes that a broker has not acknowledged
CONNECT_S, OPEN_S, STEP_S = 5.0, 15.0, 1.0
ANSWER_US = 30_000_000
CLOSE_S = 3.0  # longest wait for the thread, which may be waiting for the broker
PAUSE_S, STEADY_US = 1.0, 60_000_000  # a connection this long makes the pause short again
REFUSED = 128  # this reason code and all higher ones mean a refusal


class Lost(Exception):
    """The connection is lost, or could not be opened. One line says why."""


async def reconnecting(connect: Callable[[], Awaitable[None]], pause_s_max: float) -> NoReturn:
    """Call `connect`, which returns when the connection is lost, again after a pause that grows."""
    pause_s = PAUSE_S
    while True:
        began_us = clock.now_us()
        await connect()
        if clock.now_us() - began_us >= STEADY_US:
            pause_s = PAUSE_S
        await asyncio.sleep(pause_s * random.uniform(0.5, 1))
        pause_s = min(pause_s_max, 2 * pause_s)


class Broker(NamedTuple):
    """Address and login of a broker. topics: subscriptions. will: topic of the last will, or ''.
    marks_live: Message.is_retained is true only if the broker had kept the message before the
    subscription. Otherwise it is the flag of the sender, which only MQTT 5 passes on.
    """

    host: str
    port: int
    is_5: bool
    keepalive_s: int
    client_id: str
    context: ssl.SSLContext | None
    login: tuple[str, str] | None
    topics: Sequence[str]
    will: str
    marks_live: bool = False


class Message(NamedTuple):
    """A message from the broker. expires_s: remaining time that the broker states, or None."""

    topic: str
    payload: bytes
    is_retained: bool
    response: str
    correlation: bytes | None
    expires_s: int | None


class Link:
    """One connection. Call `open`, then `publish` until `lost` has a line, then `close`."""

    def __init__(self, broker: Broker, heard: Callable[[Message], None]):
        """heard: gets each message in the thread of the connection."""
        self._broker, self._heard = broker, heard
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self.refused_topics = 0
        self._waiting: dict[int, tuple[int, asyncio.Future[int]]] = {}
        self._published, self._is_woken = collections.deque[tuple[int, int]](), False
        self._pool = ThreadPoolExecutor(1, "mqtt")
        self._is_ending, self._received, self._cause = False, 0, ""
        self._client = self._new_client()
        self._last = caught.Last("a message is left out", 20)  # lines

    def _new_client(self) -> Client:
        broker = self._broker
        client = Client(
            enums.CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=mqtt.MQTTv5 if broker.is_5 else mqtt.MQTTv311,
            clean_session=None if broker.is_5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages_set(UNDER_WAY_MAX)
        if broker.will:
            client.will_set(broker.will, "offline", qos=1, retain=True)
        if broker.context is not None:
            client.tls_set_context(broker.context)
        if broker.login is not None:
            client.username_pw_set(*broker.login)
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_subscribe, client.on_publish = self._on_subscribe, self._on_publish
        client.on_message = self._on_message
        client.on_socket_open = lambda *arguments: arguments[-1].setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )
        # With this callback the library writes only in `loop`, not in the thread that publishes.
        client.on_socket_register_write = lambda *_: None
        return client

    async def open(self) -> None:
        """Connect and subscribe. Raises Lost."""
        self._pool.submit(lambda: self._call_in_loop(self.lost.set_result, self._run()))
        await asyncio.wait(
            (self._opened, self.lost), timeout=OPEN_S, return_when=asyncio.FIRST_COMPLETED
        )
        if self.lost.done():
            raise Lost(self.lost.result())
        if not self._opened.done():
            raise Lost(f"the broker {self.place} does not answer")

    @property
    def place(self) -> str:
        """Host and port of the broker."""
        return f"{self._broker.host}:{self._broker.port}"

    def publish(
        self,
        topic: str,
        payload: str | bytes,
        retain: bool = False,
        correlation: bytes | None = None,
    ) -> asyncio.Future[int]:
        """Publish with QoS 1. The result is the reason code of the broker. Raises Lost."""
        if self.lost.done() or len(self._waiting) >= UNANSWERED_MAX:
            raise Lost("the broker takes no messages")
        properties = None
        if correlation is not None and self._broker.is_5:
            properties = Properties(PacketTypes.PUBLISH)
            properties.CorrelationData = correlation
        info = self._client.publish(topic, payload, 1, retain, properties)
        answer: asyncio.Future[int] = self._loop.create_future()
        self._waiting[info.mid] = clock.now_us(), answer
        return answer

    @property
    def is_clear(self) -> bool:
        """True while the broker takes what is sent."""
        return not self.lost.done() and len(self._client._out_packet) < UNSENT_MAX

    def send(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Publish with QoS 0. False: the broker takes nothing now, and the message is dropped."""
        if not self.is_clear:
            return False
        self._client.publish(topic, payload, 0, retain)
        return True

    def check(self) -> None:
        """Raise Lost if the connection is lost, or a publish has waited too long."""
        if self.lost.done():
            raise Lost(self.lost.result())
        oldest = next(iter(self._waiting.values()), None)
        if oldest is not None and clock.now_us() - oldest[0] > ANSWER_US:
            raise Lost(f"the broker {self.place} does not acknowledge what it gets")

    async def close(self) -> None:
        """End the connection and its thread. Futures that still wait are cancelled."""
        self._is_ending = True
        self._client.disconnect()
        if self._opened.done() or self.lost.done():
            await asyncio.wait((self.lost,), timeout=CLOSE_S)
        for _, answer in self._waiting.values():
            answer.cancel()
        self._pool.shutdown(wait=False)

    # In the thread of the connection

    def _run(self) -> str:
        """Run the connection until it ends. Returns the reason."""
        effect = f"the broker {self.place} sends what is no MQTT"
        with caught.Last(effect, told=self._note):
            try:
                self._connect()
                while not self._turn():
                    pass
            except ssl.SSLError as error:
                self._note(f"the broker {self.place}: {failures.tls_text(error)}")
            except TimeoutError:
                self._note(f"the broker {self.place} does not answer")
            except OSError as error:
                self._note(f"the broker {self.place} cannot be reached: {why(error)}")
        if (open_socket := self._client.socket()) is not None:
            open_socket.close()
        unopened = " before it answered; does it take this user or certificate"
        more = "" if self._opened.done() else unopened
        trouble = self._client.trouble or f"closed the connection{more}"
        return self._cause or f"the broker {self.place} {trouble}"

    def _note(self, cause: object) -> None:
        self._cause = str(cause)

    def _connect(self) -> None:
        broker, limits = self._broker, None
        if broker.is_5:
            limits = Properties(PacketTypes.CONNECT)
            limits.MaximumPacketSize, limits.ReceiveMaximum = PACKET_BYTES_MAX, UNDER_WAY_MAX
        self._client.connect(broker.host, broker.port, broker.keepalive_s, properties=limits)

    def _turn(self) -> bool:
        """Read packets, and write packets that wait. True if the connection has ended."""
        is_lost = self._client.loop(STEP_S) != mqtt.MQTT_ERR_SUCCESS
        if not self._client.want_write():
            self._received = 0
        if self._received > RECEIVED_MAX:
            self._cause = f"the broker {self.place} sends and takes nothing"
        return is_lost or bool(self._cause) or (self._is_ending and not self._client.is_connected())

    def _call_in_loop(self, call: Callable[..., None], *values: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the program ends
            self._loop.call_soon_threadsafe(call, *values)

    def _on_connect(
        self, client: mqtt.Client, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            self._cause = f"the broker {self.place} refuses: {failures.reason_text(code.value)}"
        elif not self._broker.topics:
            self._call_in_loop(self._ready, 0)
        elif self._broker.is_5:
            options = SubscribeOptions(qos=1, retainAsPublished=not self._broker.marks_live)
            client.subscribe([(topic, options) for topic in self._broker.topics])
        else:
            client.subscribe([(topic, 1) for topic in self._broker.topics])

    def _on_subscribe(
        self, client: Any, data: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        self._received += 1
        if not self._opened.done():
            self._call_in_loop(self._ready, sum(code.is_failure for code in codes))

    def _ready(self, refused: int) -> None:
        if not self._opened.done():
            self.refused_topics = refused
            self._opened.set_result(None)

    def _on_disconnect(
        self, client: Any, data: Any, flags: Any, code: ReasonCode, properties: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            cause = failures.reason_text(code.value)
            self._cause = f"the broker {self.place} closed the connection: {cause}"

    def _on_publish(self, client: Any, data: Any, mid: int, code: ReasonCode, info: Any) -> None:
        self._published.append((mid, code.value))
        if not self._is_woken:  # one wake-up for each would fill asyncio's pipe, which signals use
            self._is_woken = True
            self._call_in_loop(self._answered)

    def _answered(self) -> None:
        self._is_woken = False
        while self._published:
            mid, code = self._published.popleft()
            _, answer = self._waiting.pop(mid, (0, None))
            if answer is not None and not answer.done():
                answer.set_result(code)

    def _on_message(self, client: Any, data: Any, message: mqtt.MQTTMessage) -> None:
        self._received += 1
        properties = message.properties
        with self._last, contextlib.suppress(UnicodeDecodeError):  # a topic that is not UTF-8
            self._heard(
                Message(
                    message.topic,
                    bytes(message.payload),
                    message.retain,
                    getattr(properties, "ResponseTopic", ""),
                    getattr(properties, "CorrelationData", None),
                    getattr(properties, "MessageExpiryInterval", None),
                )
            )
