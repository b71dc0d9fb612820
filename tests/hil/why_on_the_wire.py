"""`why` from the journal against set-point frames, at two taps: bytes handed over, the wire."""

import functools

from controller.console.pages import text, why as page
from controller.core.base.integers import within
from controller.journal import snapshot
from controller.state import why
from hil.engine.cabinet import observed_wiring
from hil.observer.observer import Observer
from hil.wires.virtual import DOWN, VirtualSerial

PAGE_EVERY = 23  # ticks


class TappedSerial(VirtualSerial):
    handed_over = None

    def send_down(self, data, now_us):
        if self.handed_over is not None:
            self.handed_over(now_us, DOWN, data)
        return super().send_down(data, now_us)


class Witness(Observer):
    """`written`: set-points since they were last taken."""

    def __init__(self, cabinet):
        super().__init__(observed_wiring(cabinet))
        self.written = []
        unit = self.units[0]
        unit.written = functools.partial(self._written, unit, unit.written)

    def _written(self, unit, plain, time_us, address, data):
        plain(time_us, address, data)
        wset_address = unit.wiring.wset_address
        if 0 <= 2 * (wset_address - address) <= len(data) - 4:
            self.written.append((address != wset_address, unit.setpoint_W))

    def take(self):
        taken, self.written = self.written, []
        return taken


class Comparison:
    """A virtual rig beside its `why`.

    Made while hil.engine.simulate.VirtualSerial is TappedSerial.
    """

    def __init__(self, rig, path, is_clean=True):
        """path: of the rig's journal; is_clean: bytes handed to the wire arrive on it."""
        self.rig, self.path, self.clean = rig, str(path), is_clean
        self.witness = Witness(self.rig.cabinet)
        self.rig.controller.wires["pcs"].handed_over = self.witness.rtu_tap("pcs")
        self._tick = self.rig._tick_controller
        self.rig._tick_controller = self.tick
        self.handed = (0, [])
        self.controller = self.shadow = self.facts = None
        self.sent = []  # of each tick
        self.ticks = self.pages = self.frames = 0

    def tick(self, cabinet, now_us):
        """Called before the tick freezes its inputs: `why` may call sent only earlier bytes."""
        self.handed = self.witness.setpoint_W, self.witness.take()
        self._tick(cabinet, now_us)

    def run(self, duration_s):
        self.rig.run(duration_s, self.look, self.rig.tick_us / 1e6)
        return self

    def look(self):
        cabinet = self.rig.controller.cabinet
        if cabinet is not self.controller:
            self._restarted(cabinet)
        if cabinet is None:
            return
        assert self.shadow.update() and self.shadow.sequence == cabinet.sequence - 1
        if not self.shadow.settled:
            return
        assert not self.shadow.differs
        self.facts, before = why.facts(self.shadow), self.facts
        self.ticks += 1
        self._frames_are_what_why_said(before)
        self._chain_adds_up()
        if self.ticks % PAGE_EVERY == 0:
            self._page_says_it()

    def _restarted(self, cabinet):
        self.controller, self.facts, self.sent = cabinet, None, []
        if cabinet is not None:
            self.shadow = snapshot.Shadow(self.path)
            self.witness.mark(self.rig.now_us, "controller_start")
            self.witness.take()

    def _frames_are_what_why_said(self, before):
        """Each frame since the last tick carries its set-point; `sent` is the last of them."""
        unit = self.facts["units"][0]
        assert (unit["sent_W"] or 0) == self.handed[0], self.facts["uptime_ms"]
        self.sent.append(unit["sent_W"])
        if before is None:
            return
        last = before["units"][0]
        permitted_W = last["setpoint_W"] if last["is_run_permitted"] else 0
        for is_set_up, written_W in self.handed[1]:
            self.frames += 1
            assert written_W == (0 if is_set_up else permitted_W)
            assert -last["charge_W_max"] <= written_W <= last["discharge_W_max"]
        assert last["setpoint_W"] == before["setpoint_W"]  # one unit: the split has nothing to do
        if self.clean:
            assert self.rig.observer.setpoint_W in [each or 0 for each in self.sent[-2:]]

    def _chain_adds_up(self):
        facts = self.facts
        value_W = facts["request"]["base_W"] + facts["request"]["fast_W"]
        assert value_W == facts["request_W"]
        for stage in ("caps", "ramp"):
            value_W = within(value_W, facts[stage]["low_W"], facts[stage]["high_W"])
            assert value_W == facts[stage]["leaves_W"], stage
        for each in facts["obligations"]["standing"]:
            value_W = within(value_W, each["low_W"], each["high_W"])
        assert value_W == facts["obligations"]["leaves_W"]
        value_W = within(value_W, facts["limits"]["low_W"], facts["limits"]["high_W"])
        assert value_W == facts["limits"]["leaves_W"] == facts["setpoint_W"]
        assert facts["held_back_W"] == facts["request_W"] - facts["setpoint_W"]
        stages = ("limits", "obligations", "ramp", "caps")
        acted = next((facts[stage]["acted"] for stage in stages if facts[stage]["acted"]), None)
        assert facts["binding"] == acted
        assert acted or facts["held_back_W"] == 0

    def _page_says_it(self):
        self.pages += 1
        lines = page.parts(self.facts)[0]
        assert len(lines) <= text.HEIGHT and max(map(len, lines)) <= text.WIDTH
        assert all(line.isascii() for line in lines)
        sent_W = self.facts["units"][0]["sent_W"]
        wanted = "nothing sent yet" if sent_W is None else f" sent {text.kilowatt(self.handed[0])} "
        assert [line for line in lines if wanted in line + " "]
