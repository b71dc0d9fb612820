"""The process of the dispatcher. It has one connection to the broker.

It stores a new epoch before it sends hints. At its first start, and at a take-over, it first greets
all cabinets, to learn the highest epoch. A lost connection is opened again; the ledger goes on
counting meanwhile.
"""

import asyncio
import collections
import contextlib
import json
import secrets
import signal
from collections.abc import Sequence

from controller.dispatch import epoch_file, facts as shown
from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.epoch_file import Refused
from controller.dispatch.fleet import Fleet
from controller.dispatch.report import report_of
from controller.hints import wire as w
from controller.mqtt import login
from controller.mqtt.link import Broker, Link, Lost, Message, reconnecting
from controller.system import clock
from controller.system.paths import DONE, NOT_DONE, plain, say
from controller.system.told import DoorError, Told

GREET_US, GREET_EACH_MS = 6_000_000, 1500
JUMP_MAX = 1 << 20  # largest step of the epoch that a greeting can cause
TURN_MS = 100  # longest time between two steps
STATE_US = 2_000_000  # shortest time between two messages about the state of the fleet
WAITING_MAX = 20_000  # answers that wait; the oldest ones are dropped
PAUSE_S_MAX = 30
AGAIN_US = 60_000_000  # between two attempts to write to a full disk
TAKEN_MAX = 2000  # most messages of each kind in one turn
PROBLEMS_MAX = 8  # lines of one turn


class Service:
    """Call `run` once."""

    def __init__(self, fleet: Fleet, epoch_path: str, take_over: bool, without: Sequence[str]):
        """take_over: another dispatcher may still run. without: cabinets that a person has
        disconnected.
        """
        self._fleet, self._path = fleet, epoch_path
        self._take_over, self._without = take_over, without
        self._known = frozenset(cabinet.name for cabinet in fleet.cabinets)
        self._names_digest = epoch_file.digest(self._known)
        self._reporter, self._client_suffix = Told("dispatch"), secrets.token_hex(4)
        self._dispatcher: Dispatcher | None = None
        self._answers: collections.deque[tuple[str, bytes]] = collections.deque(maxlen=WAITING_MAX)
        self._reports: dict[str, bytes] = {}
        self._counts = collections.Counter[str]()
        self._state_us = 0  # time of the last message about the state
        self._is_taken = False  # an earlier dispatcher may still run
        self._retry_us = 0  # earliest time of the next write after a failed one
        self._problems: dict[str, str] = {}

    async def run(self) -> None:
        """Serve until cancelled. Raises Refused."""

        async def connect() -> None:
            try:
                await self._connected()
            except (Lost, DoorError, OSError) as lost:
                self._reporter.say(plain(lost, "dispatch"))

        await reconnecting(connect, PAUSE_S_MAX)

    async def _connected(self) -> None:
        link = Link(self._broker(), self._heard)
        try:
            await link.open()
            if link.refused_topics:
                raise Lost("the broker refuses the topics of the cabinets; see its access list")
            self._reporter.say(f"connected to {link.place}")
            if self._dispatcher is None:
                await self._begin(link)
            while True:
                link.check()
                self._turn(link)
                await asyncio.sleep(TURN_MS / 1000)
        finally:
            await link.close()

    def _heard(self, message: Message) -> None:
        """Take a message; called in the thread of the connection."""
        parts = message.topic.split("/")
        if len(parts) < 3 or parts[1] not in self._known:
            self._counts["foreign_cabinet"] += 1
        elif message.is_retained:
            self._counts["retained"] += 1  # its age is unknown
        elif parts[2] == "report":
            self._reports[parts[1]] = message.payload
        elif parts[2] == "online":
            if message.payload == b"offline":
                self._reports[parts[1]] = b'{"state": null}'
        else:
            self._answers.append((parts[1], message.payload))

    # -- start

    async def _begin(self, link: Link) -> None:
        """Store a new epoch, and make the dispatcher. Raises Refused."""
        path, take_over = self._path, self._take_over
        kept = epoch_file.read(path)
        is_restart = kept.epoch > 0 and not take_over
        if is_restart and kept.origin != epoch_file.origin(path):
            raise Refused(
                f"{path} is a copy, or another dispatcher has taken over since. Stop the other one "
                f"for good, then start this one with --take-over"
            )
        seen = {} if is_restart else await self._greeted(link)
        name = max(seen, key=lambda cabinet: seen[cabinet], default="")
        highest = seen.get(name, 0)
        if highest > kept.epoch and not take_over:
            raise Refused(
                f"{name} takes hints of epoch {highest}, so another dispatcher has run. Stop it "
                f"for good, then start this one with --take-over"
            )
        if highest > kept.epoch + JUMP_MAX:  # a greeting is not signed
            raise Refused(
                f"{name} says that it takes hints of epoch {highest}, too far above "
                f"{kept.epoch}: give it a new key, or name it with --without"
            )
        # an earlier dispatcher may lend to a cabinet that is new in the file
        self._is_taken = take_over or kept.is_taken or kept.cabinets != self._names_digest
        kept = kept._replace(epoch=max(kept.epoch, highest), is_taken=self._is_taken)
        epoch = epoch_file.take(path, kept._replace(cabinets=self._names_digest), is_restart)
        self._dispatcher = Dispatcher(
            self._fleet, epoch, clock.now_us(), self._is_taken, self._without
        )

    async def _greeted(self, link: Link) -> dict[str, int]:
        """{cabinet: the highest epoch that it has accepted}, of cabinets that answer a greeting."""
        epochs: dict[str, int] = {}
        asked = self._known.difference(self._without)
        until_us = clock.now_us() + GREET_US
        while clock.now_us() < until_us and len(epochs) < len(asked):
            link.check()
            for name in asked.difference(epochs):
                link.send(self._topic(name), w.hello(self._fleet.source))
            await asyncio.sleep(GREET_EACH_MS / 1000)
            while self._answers:
                name, data = self._answers.popleft()
                if (welcome := w.welcome_of(data)) is not None:
                    epochs[name] = w.epoch_of(welcome.sequence)
        return epochs

    # -- each turn

    def _turn(self, link: Link) -> None:
        """Take messages that have arrived, and send datagrams that are due. Raises Refused."""
        dispatcher = self._dispatcher
        assert dispatcher is not None, "made by _begin"
        # The clock is read after each answer was taken. If an answer counted as older than it is,
        # the ledger would end a value too early, and the next hint would look newer than it is.
        for _ in range(min(TAKEN_MAX, len(self._reports))):
            name, payload = self._reports.popitem()
            with dispatcher.last.of(name):
                dispatcher.hear_report(name, report_of(payload), clock.now_us())
        for _ in range(min(TAKEN_MAX, len(self._answers))):
            name, data = self._answers.popleft()
            with dispatcher.last.of(name):
                if w.welcome_of(data) is None:
                    dispatcher.hear_answer(name, data, clock.now_us())
        if dispatcher.deposed:
            with contextlib.suppress(Refused):  # the cabinets refuse its next start in any case
                self._keep(dispatcher.ledger.epoch, True, "")
            raise Refused(
                f"a later dispatcher has taken {dispatcher.deposed} over, so this one ends"
            )
        if dispatcher.ledger.is_used_up:
            raise Refused("the counts of this epoch are used up; start it again")
        with dispatcher.last.of("all: nothing is sent"):
            for name, datagram in dispatcher.step(clock.now_us()) if link.is_clear else ():
                link.send(self._topic(name), datagram)
        with dispatcher.last.of("all: nothing is shown"):
            self._note_all_heard(dispatcher)
            self._log_problems(dispatcher)
            self._show(link, dispatcher)

    def _note_all_heard(self, dispatcher: Dispatcher) -> None:
        """Store once that every cabinet now refuses an earlier dispatcher. Until the disk takes
        this, the next start waits for all cabinets, which is safe.
        """
        is_due = self._is_taken and clock.now_us() >= self._retry_us
        if not (is_due and all(share.is_heard for share in dispatcher.ledger.shares)):
            return
        try:
            self._keep(dispatcher.ledger.epoch, False, epoch_file.origin(self._path))
            self._is_taken = False
        except Refused as refused:
            self._retry_us = clock.now_us() + AGAIN_US
            self._reporter.say(f"{refused}; it goes on, and its next start waits for every cabinet")

    def _keep(self, epoch: int, is_taken: bool, origin: str) -> None:
        epoch_file.put(self._path, epoch_file.Kept(epoch, is_taken, origin, self._names_digest))

    def _log_problems(self, dispatcher: Dispatcher) -> None:
        """Log each problem once, while it lasts."""
        problems = dict(dispatcher.problems())
        new = {
            name: problem
            for name, problem in problems.items()
            if self._problems.get(name) != problem
        }
        self._problems = problems
        for name, problem in list(new.items())[:PROBLEMS_MAX]:
            say(f"dispatch: {name} gets no share: {problem}")
        if len(new) > PROBLEMS_MAX:
            say(f"dispatch: and {len(new) - PROBLEMS_MAX} more")

    def _show(self, link: Link, dispatcher: Dispatcher) -> None:
        now_us = clock.now_us()
        if now_us - self._state_us < STATE_US or not link.is_clear:
            return
        self._state_us = now_us
        utc_us = int(clock.utc_us())  # tells a later reader since when it is silent
        for topic, part in shown.parts(dispatcher, now_us):
            part["utc_us"] = utc_us
            part["counts"].update(self._counts)
            payload = json.dumps(part, separators=(",", ":")).encode()
            link.send(topic, payload, retain=True)

    def _topic(self, name: str) -> str:
        return f"firebreak/{name}/command/{self._fleet.source}/signed"

    def _broker(self) -> Broker:
        """Place and login, read from the files each time, because certificates are renewed."""
        topics = ["firebreak/+/report", "firebreak/+/online"]
        topics.append(f"firebreak/+/reply/{self._fleet.source}/signed")
        # The suffix differs, so that a second dispatcher does not end this one's connection.
        name = f"firebreak-dispatch-{self._fleet.source}-{self._client_suffix}"
        # Cabinets publish every report with retain; marks_live tells old ones from new ones.
        return login.broker(self._fleet.broker, self._fleet.beside, name, topics, marks_live=True)


async def until_signal(service: Service) -> int:
    """Serve until SIGTERM or SIGINT, or until the dispatcher must end. Returns the exit code."""
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    tasks = asyncio.create_task(service.run()), asyncio.create_task(asked.wait())
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    ended, _ = await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(ended, Refused):
        say(f"dispatch: {ended}")
        return NOT_DONE
    if isinstance(ended, Exception):
        raise ended
    return DONE
