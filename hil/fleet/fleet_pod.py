"""A pod whose cabinets get their shares from a dispatcher through a broker, in virtual time."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from controller.config.configuration import Config
from controller.core.base.hint_codes import IMPORT_W_MAX
from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import report_of
from hil.engine.pod import Pod
from hil.fleet.box import Box
from hil.fleet.broker import Broker, Faults
from hil.site.site import Site
from hil.values.rig import ValueRig

SOURCE = "fleet"
Event = tuple[float, Callable[["FleetPod"], object]]  # second of the run, what happens then


class FleetPod(Pod):
    """`dispatcher`: None while it is dead. `events`: in order of their seconds."""

    def __init__(
        self,
        site: Site,
        configs: Sequence[Config],
        connection_W: int,
        spare_W: int,
        is_common: bool,
        seed: int,
        soc: float,
        plant: dict[str, float],
        faults: Faults,
        hold_h: float | None = 4.0,
    ) -> None:
        """connection_W, spare_W: what the dispatcher shares, and keeps free."""
        super().__init__(site, configs, seed, soc, ValueRig, plant)
        draw = random.Random(f"{seed}/fleet")
        self._draw = draw
        keys = [draw.randbytes(32) for _ in configs]
        cabinets = [
            Cabinet(f"pod{number}", key, _fallback_W(config), _part(config, is_common))
            for number, (config, key) in enumerate(zip(configs, keys), 1)
        ]
        self.fleet = Fleet(
            "", connection_W, is_common, SOURCE, spare_W, hold_h, tuple(cabinets), {}
        )
        self.broker = Broker(faults, draw)
        self.boxes = {
            cabinet.name: Box(member, {SOURCE: cabinet.key}, draw)
            for cabinet, member in zip(cabinets, self.members)
        }
        self.epoch = 0
        self.dispatcher: Dispatcher | None = None
        self.events: list[Event] = []
        self.start_dispatcher()

    def start_dispatcher(self) -> None:
        """Start a dispatcher, with a new epoch and nothing remembered."""
        self.epoch += 1
        self._offset_ms = self._draw.uniform(0, 1e6)
        self.dispatcher = Dispatcher(
            self.fleet, self.epoch, self._now_ms, seed=self._draw.randrange(2**32)
        )

    def kill_dispatcher(self) -> None:
        """End the dispatcher without a last message."""
        self.dispatcher = None

    @property
    def _now_ms(self) -> float:
        """The dispatcher's clock."""
        return self.now_us / 1000 + self._offset_ms

    def step(self) -> None:
        """Make a tick, then carry the messages."""
        while self.events and self.events[0][0] * 1e6 <= self.now_us:
            self.events.pop(0)[1](self)
        super().step()
        now_ms = self.now_us / 1000
        for name, box in self.boxes.items():
            for answer in box.answers():
                self.broker.send("answer", name, answer, now_ms)
            report = box.report()
            if report is not None:
                self.broker.send("report", name, report, now_ms)
        self._carry(now_ms)

    def _carry(self, now_ms: float) -> None:
        dispatcher = self.dispatcher
        for message in self.broker.arrived(now_ms):
            if message.kind == "hint":
                self.boxes[message.name].receive(message.payload)
            elif dispatcher is not None and message.kind == "answer":
                dispatcher.hear_answer(message.name, message.payload, self._now_ms)
            elif dispatcher is not None:
                report = report_of(message.payload)
                dispatcher.hear_report(message.name, report, self._now_ms)
        if dispatcher is not None:
            for name, datagram in dispatcher.step(self._now_ms):
                self.broker.send("hint", name, datagram, now_ms)

    def facts(self) -> dict[str, Any]:
        """The dispatcher's view; {} while it is dead."""
        return self.dispatcher.facts(self._now_ms) if self.dispatcher else {}


def _fallback_W(config: Config) -> int:
    source = next(each for each in config.sources if each.name == SOURCE)
    fallback_W = source.fallback[IMPORT_W_MAX]
    assert fallback_W is not None, "the source of a fleet has a fallback"
    return fallback_W


def _part(config: Config, is_common: bool) -> int:
    return config.control["share_permille"] if is_common else 0
