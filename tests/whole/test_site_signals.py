"""One wrong signal of a site, with controller, kernel, drivers and simulated devices."""

import pytest
from slow import whole
from test_island_modes import config

from hil.engine.simulate import VirtualRig
from hil.site.genset import COOLING, LOADED, Genset
from hil.site.grid import Grid
from hil.site.pv import Pv
from hil.site.site import ON_GRID, Site
from hil.site.transfer_switch import TransferSwitch
from hil.values.rig import ValueRig

OUTAGE_S, FAULT_S, END_S = 60, 100, 200
IMPORT_W = 500_000


class Run:
    """An outage at 60 s; `change` makes a signal of the site wrong at fault_s."""

    def __init__(self, change, fault_s=FAULT_S, load_W=240_000.0, has_outage=True, rig=ValueRig):
        self.genset = Genset({"rated_W": 300_000, "start_s": 5.0})
        switch = TransferSwitch({"call_s": 3600.0, "return_s": 5.0})
        sun = Pv({"rated_W": 200_000}, measured=lambda t_s: 60_000.0)
        grid = Grid(1, outages=[[OUTAGE_S, 1e6]] if has_outage else [])
        self.site = Site(lambda t_s: load_W, 1, grid, [switch, self.genset, sun])
        tick_ms = 100 if rig is ValueRig else 20
        self.rig = rig(config(tick_ms), None, plant_config={"soc": 0.9}, site=self.site)
        self.change, self.fault_s = change, fault_s
        self.dark_s = self.over_s = 0.0
        self.stops = 0

    def go(self, end_s=END_S):
        rig, tick_s, state = self.rig, self.rig.tick_us / 1e6, None
        while rig.now_us < end_s * 1e6:
            if self.change and rig.now_us >= self.fault_s * 1e6:
                self.change(self)
                self.change = None
            rig.step()
            self.dark_s += tick_s * (not self.site.is_live)
            on_grid = self.site.source == ON_GRID
            self.over_s += tick_s * (on_grid and self.site.grid_power_W > IMPORT_W)
            self.stops += state == LOADED and self.genset.state == COOLING
            state = self.genset.state
        return self

    def named(self):
        """Signals that the others contradict, and those beyond the rating of their device."""
        core = self.rig.controller.cabinet.core
        refused = [
            f"{view.device.name}.{signal.name}"
            for view in core.site.devices
            for signal in view.device.role.signals
            if view.is_refused(signal.name)
        ]
        return [name for name, _ in core.functions["site_balance"].contradicted()] + refused


def genset(**changes):
    """The set reports other values."""

    def change(run):
        real = run.genset.signals
        run.genset.signals = lambda: {
            name: changes[name](value) if name in changes else value
            for name, value in real().items()
        }

    return change


def contact(run):
    """The contact of the transfer switch sticks at "off the grid"."""
    run.rig.plant.force_contact("source", True)


CASES = [
    # name, change, at (s), named
    ("is_running 0", genset(is_running=lambda _: False), FAULT_S, ["genset_1.is_running"]),
    ("power 0", genset(power_W=lambda _: 0.0), FAULT_S, ["genset_1.power_W"]),
    ("power negated", genset(power_W=lambda value: -value), FAULT_S, ["genset_1.power_W"]),
    ("is_running 0 before", genset(is_running=lambda _: False), 30, ["genset_1.is_running"]),
    ("is_running 1 before", genset(is_running=lambda _: True), 30, []),
]


@pytest.mark.parametrize(
    "case", [pytest.param(each, marks=pytest.mark.whole, id=each[0]) for each in CASES]
)
def test_a_generator_set_carries_the_island_whatever_one_of_its_signals_says(case):
    """The black start takes 12.7 s; a report "running" on a dead bus is believed for 5 s."""
    _, change, fault_s, named = case
    run = Run(change, fault_s).go()
    assert run.dark_s <= (18.0 if fault_s < OUTAGE_S else 12.8)
    assert run.named() == named and not run.stops
    assert run.site.load_power_W >= 60_000


@pytest.mark.parametrize("rig", (ValueRig, *whole(VirtualRig)), ids=("value", "byte"))
def test_the_limit_of_the_connection_acts_although_the_contact_says_off_the_grid(rig):
    run = Run(contact, 30, 640_000.0, has_outage=False, rig=rig).go(60)
    assert run.over_s <= 2.7 and run.named() == ["source_code"]
