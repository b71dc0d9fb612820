"""A permit on its own: states, ages, reports and demands by hand."""

from bench import Inputs, default_image

from safety import contactors as c, opening, permit, signals as s
from safety.kernel import Kernel

INHIBITED, READY, CLOSING, RUNNING, STOPPING, TRIPPED = range(6)
ZERO_MA, LOAD_MA = 6999, 7000  # 5 % of 140 A


class Desk(Inputs):
    def __init__(self, racks=1, units=1, image=None):
        self.kernel = Kernel(image or default_image(racks=racks, units=units))
        self.inp, self.out, self.layout = self.kernel.inp, self.kernel.out, self.kernel.layout
        self.permit, self.ages = self.kernel.permit, self.kernel.features.ages
        self.racks = racks
        self.inp[s.LOCK_OUT_OK] = 1
        self.ages.seen[:] = b"\1" * self.layout.groups
        for rack in range(racks):
            self.rack(s.CELLS_ONLINE, 240, rack).rack(s.RACK_VOLTAGE_MV, 790_000, rack)

    rack = Inputs.set_rack

    def know(self, group, known):
        self.ages.ticks[group] = 0 if known else self.ages.budget_ticks[group] + 1
        return self

    def current(self, kind, rack=0):
        """The rack's current: "zero", "load", or "unknown" (and high, if it were known)."""
        self.rack(s.RACK_CURRENT_MA, ZERO_MA if kind == "zero" else -LOAD_MA, rack)
        return self.know(self.layout.rack_group(rack, s.G_BMS_PACK), kind != "unknown")

    def pcs_current(self, kind):
        self.set_unit(s.PCS_DC_CURRENT_MA, 5000 if kind == "zero" else -5001)
        return self.know(self.layout.unit_group(0, s.G_PCS_MEASURE), kind != "unknown")

    def update(self, pcs=0, dc=0, elapsed=1, removal=0):
        self.permit.update(elapsed, pcs, dc, removal)
        return self.out[s.STATE], self.out[s.PCS_ENABLE_OK], self.out[s.CONTACTOR_SUPPLY_OK]

    def at(self, state, opened=0, waited=0):
        """waited: ticks since the state began."""
        self.permit.state[0] = state
        for place in (opening.W_FUSE, opening.W_DEMAND):
            waits = state in (STOPPING, TRIPPED)
            self.permit.opening.waited[place] = waited if waits else opening.NOT_WAITING
        self.permit.timer[0], self.permit.timer[1], self.permit.timer[2] = waited, 0, opened
        self.permit.relays[0] = len(permit.RELAY_TEST) if state == CLOSING else 0
        return self


def arrange_one(desk, state):
    desk.at(state)
    report = {INHIBITED: s.CONTACTOR_OPEN, READY: s.CONTACTOR_OPEN, CLOSING: s.CONTACTOR_PRECHARGE}
    desk.rack(s.CONTACTOR_STATE, report.get(state, s.CONTACTOR_CLOSED))
    steps = {INHIBITED: c.OPEN, READY: c.OPEN, CLOSING: c.CLOSING}
    desk.permit.contactors.step[0] = steps.get(state, c.CLOSED)
    return desk.current("zero" if state in (INHIBITED, READY) else "load")
