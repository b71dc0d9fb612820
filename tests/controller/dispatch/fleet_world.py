"""A dispatcher, stand-ins of cabinets, and a broker that loses messages, in virtual time."""

import random

from controller.dispatch.dispatcher import Dispatcher
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import report_of
from hil.fleet.broker import Broker, Faults
from hil.fleet.standin import StandIn

STEP_MS = 100


def awaited(dispatcher):
    is_lent_on = dispatcher.ledger.is_lent_on
    return [each.cabinet.name for at, each in enumerate(dispatcher.members) if is_lent_on(at)]


class World:
    def __init__(self, count=3, connection_W=3000, fallback_W=200, faults=None, seed=1):
        draw = self.draw = random.Random(seed)
        keys = [draw.randbytes(32) for _ in range(count)]
        self.boxes = [StandIn(f"c{n}", key, fallback_W, draw) for n, key in enumerate(keys)]
        cabinets = tuple([Cabinet(f"c{n}", key, fallback_W, 0) for n, key in enumerate(keys)])
        self.fleet = Fleet("", connection_W, False, "fleet", 0, 0.0, cabinets, {})
        self.broker = Broker(faults or Faults(0, 0, 20), draw)
        self.now_ms, self.epoch, self.dispatcher = 0, 0, None
        self.silent = set()
        self.start()

    def start(self, **options):
        self.epoch += 1
        self.dispatcher = Dispatcher(
            self.fleet, self.epoch, self.now_us, seed=self.draw.randrange(99), **options
        )

    def run(self, seconds, loads_W=()):
        for box, load_W in zip(self.boxes, loads_W):
            box.load_W = load_W
        for _ in range(int(seconds * 1000) // STEP_MS):
            self.step()
        return self

    def step(self):
        self.now_ms += STEP_MS
        now_ms, broker = self.now_ms, self.broker
        for n, box in enumerate(self.boxes):
            if now_ms % 2000 == n * STEP_MS and box.name not in self.silent:
                broker.send("report", box.name, box.report(now_ms), now_ms)
        for message in broker.arrived(now_ms):
            box = next(each for each in self.boxes if each.name == message.name)
            if message.kind == "hint" and box.name not in self.silent:
                answer = box.receive(message.payload, now_ms)
                broker.send("answer", box.name, answer or b"", now_ms)
            elif message.kind == "answer" and self.dispatcher:
                self.dispatcher.hear_answer(box.name, message.payload, self.now_us)
            elif message.kind == "report" and self.dispatcher:
                self.dispatcher.hear_report(box.name, report_of(message.payload), self.now_us)
        if self.dispatcher:
            for name, datagram in self.dispatcher.step(self.now_us):
                broker.send("hint", name, datagram, now_ms)
        assert sum(self.limits_W) <= self.fleet.connection_W, (now_ms, self.limits_W)

    @property
    def now_us(self):
        return self.now_ms * 1000

    @property
    def awaited(self):
        """Names of the cabinets to which an earlier dispatcher may still lend."""
        return awaited(self.dispatcher)

    @property
    def limits_W(self):
        return [box.limit_W(self.now_ms) for box in self.boxes]
