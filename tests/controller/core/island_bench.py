"""A site with grid, PV, generator set, battery and load, in ticks of 100 ms: what the control
functions do while one signal is wrong.
"""

import random
from array import array

from views import WIDE, device, setup, site_of

from controller.core import units
from controller.core.control import Control
from controller.core.policies.known import GRID, ISLAND, Known
from controller.core.policies.site_balance import SiteBalance
from controller.core.site_devices import layout

TICK_MS, TICK_S = 100, 0.1
LOAD_W, OTHERS_W, SUN_W, RATED_W = 240_000, 5000, 40_000, 300_000
STAGES, STAGE_W = 4, 50_000
WRAP_W = 450_000  # the range of a meter, both ways
DARK_S, START_S, IMPORT_W = 5.0, 10.0, 500_000
BATTERY_W = 250_000
LIMITS_W = (array("i", [BATTERY_W]),) * 2
DEVICES = (
    device("genset", rated_W=RATED_W, on_s_min=360),
    device("pv", rated_W=200_000),
    device("load_shed", stages_max=STAGES, stage_W=STAGE_W),
)
SIGNALS = [f"{each.name}.{signal.name}" for each in DEVICES for signal in each.role.signals]


class Fault:
    """A signal that reports another value: stuck, negated, scaled, wrapped, silent, jumping, or 0
    for 1 s of 5 (bounces).
    """

    def __init__(self, kind, high):
        self.kind, self.high, self.last, self.ticks = kind, high, None, 0
        self.draw = random.Random(1)

    def __call__(self, value):
        """value: None is unknown already, and stays so."""
        if value is None or self.kind == "silent":
            return None
        if self.kind == "last":
            self.last = value if self.last is None else self.last
            return self.last
        jumping = self.draw.randrange(self.high + 1)
        self.ticks += 1
        kinds = {"0": 0, "1": 1, "negated": -value, "x10": 10 * value, "/10": value // 10}
        kinds["inverted"], kinds["bounces"] = 1 - value, value * (self.ticks % 50 >= 10)
        kinds["wrapped"] = (value + WRAP_W) % (2 * WRAP_W) - WRAP_W
        return {**kinds, "jumping": jumping}[self.kind]


class Site:
    """`dark_s`, `over_s`, `far_over_s` (by 1 %), `stops` count after `begin`. can_form: of the
    converter. warm_s: from the report of the engine until its breaker closes.
    """

    def __init__(self, load_W=LOAD_W, can_form=False, soc_permille=900, warm_s=0.0, **more):
        self.load_wanted_W, self.can_form, self.soc_permille = load_W, can_form, soc_permille
        self.warm_s = warm_s
        self.site = site_of(DEVICES, TICK_MS)
        names = [name for each in DEVICES for name in layout.words(each)]
        self.place = {name: at for at, name in enumerate(names)}
        settings = {"meter_code_permille": 0, "grid_import_W_max": IMPORT_W, "mode_return_s": 10}
        self.control = Control(setup(TICK_MS, site=self.site, **settings, **more))
        self.balance = self.control.functions[SiteBalance.NAME]
        self.units = units.Units([BATTERY_W], (0,), {units.PART_LOAD: 0, units.KEPT: 100})
        self.faults = {}
        self.is_grid_present, self.is_live, self.engine_s, self.rest_s = True, True, 0.0, 0.0
        self.battery_W = self.set_W = self.setpoint_W = self.stages = 0
        self.noise, self.off_ticks = random.Random(2), 0
        self.polled_s, self.polled_W = 0.0, 0
        self.begin()

    def copy(self, **more):
        """Another site in the same state, as after a restart of the controller."""
        again = self.restarted(**more)
        for of in (lambda site: site.control, lambda site: site.units):
            for block, stored in zip(of(again).state_blocks(), of(self).state_blocks()):
                block[:] = stored
        again.site.inp[:], again.site.state[:] = self.site.inp, self.site.state
        again.site.look()
        again.control.kept.load()
        return again

    def restarted(self, **more):
        """The same plant, with a controller that knows nothing yet."""
        again = Site(self.load_wanted_W, self.can_form, self.soc_permille, **more)
        for name, value in vars(self).items():
            if isinstance(value, bool | int | float):
                setattr(again, name, value)
        return again

    def begin(self):
        self.dark_s = self.over_s = self.far_over_s = 0.0
        self.stops = self.collapses = 0
        return self

    def run(self, seconds):
        for _ in range(round(seconds / TICK_S)):
            self._move()
            self._report()
            self._control()
        return self

    def _move(self):
        """The physics of one tick."""
        runs = self.engine_s >= START_S + self.warm_s
        load_W = max(0, self.load_wanted_W - STAGE_W * self.stages)
        self.sun_W = min(SUN_W, load_W + OTHERS_W)  # an inverter gives way in an island
        net_W = load_W + OTHERS_W - self.sun_W
        forms = self.can_form and not self.is_grid_present
        self.rest_s = max(0.0, self.rest_s - TICK_S)
        self.is_live = self.is_grid_present or (runs or forms) and not self.rest_s
        self.battery_W = self.setpoint_W if self.is_live else 0
        self.set_W = RATED_W * 7 // 10 * runs if self.is_grid_present else 0
        if self.is_live and not self.is_grid_present:
            self.set_W = runs * (min(210_000, net_W) if forms else net_W - self.battery_W)
            self.battery_W = net_W - self.set_W if forms else self.battery_W
            if not 0 <= self.set_W <= RATED_W or abs(self.battery_W) > BATTERY_W:
                self.collapses, self.rest_s, self.is_live = self.collapses + 1, DARK_S, False
                self.battery_W = self.set_W = 0
        self.grid_W = (net_W - self.battery_W - self.set_W) * self.is_grid_present
        self.load_W = load_W if self.is_live else None
        self.dark_s += TICK_S * (not self.is_live)
        self.over_s += TICK_S * (self.grid_W > IMPORT_W)
        self.far_over_s += TICK_S * (self.grid_W > 505_000)

    def _seen(self, name, value):
        return self.faults[name](value) if name in self.faults else value

    def _report(self):
        """What is known, and the words of the devices; the set's power is read once a second."""
        self.polled_s += TICK_S
        if self.polled_s >= 1.0:
            self.polled_s, self.polled_W = 0.0, self.set_W
        words = {
            "genset_1.is_running": self._seen("is_running", int(self.engine_s >= START_S)),
            "genset_1.power_W": self._seen("genset_W", self.polled_W),
            "pv_1.power_W": self._seen("pv_W", self.sun_W * self.is_live),
            "genset_1.is_ready_ok": self._seen("is_ready", 1),
            "load_shed_1.stages": self.stages,
        }
        known = {name: value for name, value in words.items() if value is not None}
        for name, value in known.items():
            self.site.inp[self.place[name]] = value
        self.site.step(bytes([words.get(name, 0) is not None for name in SIGNALS]), 1)
        source = GRID if self.is_grid_present else ISLAND
        contact = self._debounced(self._seen("source", source))
        is_forming = self.can_form and self.is_live and not self.is_grid_present
        forming = self._seen("forming", int(is_forming)) if contact == ISLAND else 0
        battery_W = self._seen("battery", self.battery_W)
        given_W = {0: battery_W} if forming and battery_W is not None else {}
        jitter_W = self.noise.randrange(-20, 21)
        grid_W, load_W = self._seen("grid", self.grid_W + jitter_W), self._seen("load", self.load_W)
        self.known = Known(
            is_running=True,
            limit=WIDE,
            contact=contact,
            is_reported_forming=bool(forming),
            reported_forming_W=BATTERY_W * bool(forming),
            shown_W=self.units.watch(given_W, *LIMITS_W, TICK_MS),
            load_meter_W=None if load_W is None else load_W + jitter_W,
            is_load_meter_new=True,
            grid_meter_W=grid_W,
            is_grid_meter_new=True,
            grid_W=grid_W,
            battery_W=battery_W,
            soc_permille=(self.soc_permille, self.soc_permille),
            site=self.site,
        )

    def _debounced(self, source):
        """Debounce of safety/source.py: off the grid after 0.5 s."""
        self.off_ticks = self.off_ticks + 1 if source == ISLAND else 0
        off = source == ISLAND and self.off_ticks < 5
        return GRID if off else source

    def _control(self):
        self.setpoint_W = setpoint_W = self.control.step(self.known, 1)
        is_formed = self.control.found.formed_W == setpoint_W
        self.units.step(setpoint_W, *LIMITS_W, TICK_MS, is_formed)
        asked = {each.name: each.value for each in self.control.actuators}
        run, was_s = asked["genset_1.run"], self.engine_s
        genset = self.site.devices[0]
        if not (genset.is_heard("is_running") and genset.is_heard("power_W")):
            run = was_s > 0  # nothing is sent yet: the start contact stays as it is
        self.site.inp[self.place["genset_1.sent_run"]] = run
        self.engine_s = self.engine_s + TICK_S if run else 0.0
        self.stops += was_s >= START_S and not run
        self.stages = asked["load_shed_1.stages"]

    def named(self):
        return {name for name, _ in self.balance.contradicted()}
