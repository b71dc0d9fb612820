"""The messages of a fleet in virtual time: boxes, a broker, and a dispatcher that may die."""

import math
import random
from collections.abc import Sequence

from controller.config.cabinet_config import Config
from controller.core.base.hint_codes import IMPORT_W_MAX
from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import report_of
from hil.engine.simulate import VirtualRig
from hil.fleet.box import Box
from hil.fleet.broker import Broker, Faults

SOURCE, HOLD_H = "shares", 4.0


class Messages:
    """Call `step` after each tick. `dispatcher`: None while it is dead."""

    def __init__(
        self,
        members: Sequence[VirtualRig],
        connection_W: int,
        spare_W: int,
        seed: int,
        faults: Faults,
        hold_h: float = HOLD_H,
    ) -> None:
        """Each member's configuration has the source SOURCE, with a fallback. Members with a share
        of less than the whole load see a common load.
        """
        draw = self._draw = random.Random(f"{seed}/fleet")
        cabinets = [
            cabinet_of(number, member.config, draw.randbytes(32))
            for number, member in enumerate(members, 1)
        ]
        is_common = cabinets[0].load_permille > 0
        shared = connection_W, is_common, SOURCE, spare_W, hold_h
        self._fleet = Fleet("", *shared, tuple(cabinets), {})
        self.broker = Broker(faults, draw)
        self.boxes = {
            cabinet.name: Box(member, {SOURCE: cabinet.key}, draw)
            for cabinet, member in zip(cabinets, members)
        }
        self._epoch = self._offset_us = 0
        self.dispatcher: Dispatcher | None = None
        self.start(0)

    def start(self, now_us: int) -> None:
        """Start a dispatcher with a new epoch, which remembers nothing."""
        self._epoch += 1
        self._offset_us = int(self._draw.uniform(0, 1e9))
        dispatcher_us, seed = now_us + self._offset_us, self._draw.randrange(2**32)
        self.dispatcher = Dispatcher(self._fleet, self._epoch, dispatcher_us, seed=seed)

    def kill(self) -> None:
        """End the dispatcher without a last message."""
        self.dispatcher = None

    def start_broker(self) -> None:
        """Start the broker again."""
        self.broker.until_ms = 0.0

    def stop_broker(self) -> None:
        """Kill the broker."""
        self.broker.until_ms = math.inf

    def cut(self, name: str) -> None:
        """Cut the link of a cabinet."""
        self.broker.cut.add(name)

    def join(self, name: str) -> None:
        """Join a link that was cut."""
        self.broker.cut.remove(name)

    def step(self, now_us: int) -> None:
        """Take what the controllers say after a tick, and carry what has arrived."""
        now_ms = now_us / 1000
        for name, box in self.boxes.items():
            for answer in box.answers():
                self.broker.send("answer", name, answer, now_ms)
            report = box.report()
            if report is not None:
                self.broker.send("report", name, report, now_ms)
        dispatcher, dispatcher_us = self.dispatcher, now_us + self._offset_us
        for kind, name, payload in self.broker.arrived(now_ms):
            if kind == "hint":
                self.boxes[name].receive(payload)
            elif dispatcher is not None and kind == "answer":
                dispatcher.hear_answer(name, payload, dispatcher_us)
            elif dispatcher is not None:
                dispatcher.hear_report(name, report_of(payload), dispatcher_us)
        if dispatcher is not None:
            for name, datagram in dispatcher.step(dispatcher_us):
                self.broker.send("hint", name, datagram, now_ms)


def cabinet_of(number: int, config: Config, key: bytes) -> Cabinet:
    """The cabinet of a configuration, as FLEET.toml has it."""
    permille, (_, fallback_W) = config.control["share_permille"], source_of(config)
    return Cabinet(f"cabinet{number}", key, fallback_W, 0 if permille == 1000 else permille)


def source_of(config: Config) -> tuple[int, int]:
    """(index, fallback in W) of the dispatcher among the sources."""
    source = next(source for source in config.sources if source.name == SOURCE)
    fallback_W = source.fallback[IMPORT_W_MAX]
    assert fallback_W is not None, "the source of a dispatcher has a fallback"
    return source.index, fallback_W
