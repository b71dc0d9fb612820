"""A site with a device of every role and every control function on, in ticks of 100 ms: what the
battery and the connection do while one input is wrong.
"""

import math
from array import array

from views import WIDE, device, setup

from controller.core.control import Control
from controller.core.functions import FUNCTIONS
from controller.core.policies.known import GRID, Known
from controller.core.site_devices import layout, roles
from controller.core.site_devices.signals_view import Site as Views
from hil.engine import forks

TICK_MS, REPORT_TICKS = 100, 10  # a site device reports each second
RATED_W, IMPORT_W, SUN_W = 250_000, 420_000, 180_000
# The band of the frequency response opens within 60 s. Then an input is wrong for 15 s.
BEGIN_TICK, END_TICK, LAST_TICK = 620, 770, 820
CHOSEN = {
    "pv": {"rated_W": 200_000},
    "genset": {"rated_W": 300_000},
    "load_shed": {"stages_max": 4, "stage_W": 50_000},
    "meter": {"rated_W": 100_000},
    "heater": {"rated_W": 9000},
    "load_cap": {"lower_W_max": 20_000},
    "load_ups": {"rated_W": 100_000, "energy_Wh": 20_000},
    "grid_contact": {"contact_1_import_permille": 600, "contact_2_export_permille": 0},
}
DEVICES = tuple([device(name, **CHOSEN.get(name, {})) for name in roles.ROLES])
ON = {
    "meter_code_permille": 0,
    "grid_import_W_max": IMPORT_W,
    "peak_import_W_max": 300_000,
    "pv_ramp_W_per_s": 500,
    "droop_W_max": 100_000,
}
READ = {name for each in FUNCTIONS for name in each.READS} & set(Known._fields)
# Fields of Known that no measurement gives.
NO_READINGS = {
    "limit": "the kernel's own result",
    "is_running": "the kernel's own state",
    "is_stopped_by_person": "the kernel's own state",
    "stored_path_delay_ms": "the store",
    "stored_peak": "the store",
    "hints": "admitted by the listener",
    "schedule": "admitted by the listener",
    "step_test": "asked by a person",
    "shown_W": "set-points that converters have proved",
    "reported_forming_W": "the kernel's own limits",
    "healthy_W": "by the health of the racks, with its own hysteresis",
    "full_Wh": "by the health of the racks",
    "grid_W": "this cabinet's share of grid_meter_W, if the meter is proven",
    "is_load_meter_new": "freshness, which the kernel counts",
    "is_grid_meter_new": "freshness, which the kernel counts",
}
FIELDS = sorted(READ - NO_READINGS.keys())
SIGNALS = [f"{each.name}.{signal.name}" for each in DEVICES for signal in each.role.signals]
INPUTS = [*FIELDS, *SIGNALS]


def negated(value):
    return not value if value in (0, 1) else -value


# kind: wrong value of (right value, last right value before, ticks since the begin)
KINDS = {
    "stuck": lambda value, before, at: before,
    "0": lambda value, before, at: 0,
    "negated": lambda value, before, at: negated(value),
    "halved": lambda value, before, at: value // 2,
    "chattering": lambda value, before, at: value if at // REPORT_TICKS % 2 else negated(value),
    "repeated": lambda value, before, at: None,  # reported again and again, never anew for 0.5 s
    "one sample": lambda value, before, at: value if at >= REPORT_TICKS else negated(value),
    "a little": lambda value, before, at: value if at >= REPORT_TICKS else value + value // 160,
    "jump": lambda value, before, at: value + value // 4 if value > 1 else not value,
}
REPEATED_TICKS = 15
SAMPLE_TICKS = 2  # a meter measures each 200 ms


def courses(jobs):
    """{(input, kind): (powers, grids, names of what is unknown)} of each job, and of ("", "")."""
    warm = Site().run(BEGIN_TICK - 1)

    def played(job):
        warm.wrong, warm.kind = job
        warm.run()
        return job, (warm.powers_W, warm.grids_W, sorted(warm.named))

    return dict(forks.values([("", ""), *jobs], played, 1))


class Site:
    """`powers_W` and `grids_W` have the battery and the connection in each tick."""

    def __init__(self, wrong="", kind="", trip_tick=LAST_TICK, **settings):
        """trip_tick: from then on the sun gives a third."""
        self.wrong, self.kind, self.trip_tick = wrong, kind, trip_tick
        words = [name for each in DEVICES for name in layout.words(each)]
        self.place = {name: at for at, name in enumerate(words)}
        self.site = Views(DEVICES, array("i", [0] * len(words)), 0, TICK_MS)
        self.control = Control(setup(TICK_MS, RATED_W, site=self.site, **ON | settings))
        self.tick = self.battery_W = self.off_ticks = 0
        self.before, self.held = {}, None
        self.powers_W, self.grids_W, self.named = [], [], set()

    def run(self, ticks=LAST_TICK):
        while self.tick < ticks:
            self._step()
        return self

    def _seen(self, name, value):
        """The value as it is reported."""
        at = self.tick - BEGIN_TICK
        if name != self.wrong or not 0 <= at < END_TICK - BEGIN_TICK:
            self.before[name] = value
            return value
        before = self.before[name]
        if self.kind == "repeated":
            self.held = value if at % REPEATED_TICKS == 0 else self.held
            return self.held
        if self.kind in ("one sample", "a little") and self.wrong in FIELDS:
            at *= REPORT_TICKS // SAMPLE_TICKS
        if not isinstance(value, tuple | array):
            return int(KINDS[self.kind](value, before, at))
        changed = [int(KINDS[self.kind](*pair, at)) for pair in zip(value, before)]
        return array("i", changed) if isinstance(value, array) else tuple(sorted(changed))

    def _reports(self, time_s):
        """The right value of each signal of each role."""
        asked = {each.name: each.value for each in self.control.actuators}
        return {
            "pv": {"power_W": self.sun_W, "available_W": self.sun_W},
            "genset": {"power_W": 0, "is_running": 0, "is_ready_ok": 1, "fuel_permille": 800},
            "load_shed": {"stages": asked["load_shed_1.stages"]},
            "chiller": {"supply_temperature_ddegC": 150, "is_ready_ok": 1},
            "clock": {"day_d": 20_000, "time_of_day_s": 36_000 + int(time_s), "uncertainty_ms": 50},
            "meter": {"power_W": 50_000},
            "fan": {"speed_permille": 300, "is_ready_ok": 1},
            "heater": {"power_W": 9000 * asked["heater_1.heat"], "is_ready_ok": 1},
            "load_cap": {"lowered_W": asked["load_cap_1.lower_W"], "is_ready_ok": 1},
            "load_ups": {
                "state_code": 0,
                "charge_permille": 1000,
                "bridging_s": 600,
                "load_W": 50_000,
            },
            "grid_contact": {"contact_1": 0, "contact_2": 0, "contact_3": 0},
        }

    def _step(self):
        time_s, site = self.tick * TICK_MS / 1000, self.site
        noise_W = (self.tick * 7919) % 41 - 20
        load_W = 240_000 + 40_000 * (int(time_s) // 7 % 2) + noise_W
        self.sun_W = SUN_W - int(20_000 * math.sin(time_s / 9))
        if self.tick >= self.trip_tick:
            self.sun_W //= 3
        grid_W = load_W + 5000 - self.sun_W - self.battery_W
        off_mHz = int(30 * math.sin(time_s / 5)) + self.tick % 2
        if 680 <= self.tick < 740:  # an outage of a power plant in between
            off_mHz -= min(120, 4 * (self.tick - 680))
        if self.tick % REPORT_TICKS == 0:
            self._report(time_s)
        else:
            site.step(bytes(len(SIGNALS)), 1)
        self.grids_W.append(grid_W)
        self._control(load_W, grid_W, 50_000 + off_mHz)
        self.tick += 1

    def _report(self, time_s):
        reports, fresh = self._reports(time_s), []
        for each in DEVICES:
            for signal in each.role.signals:
                name = f"{each.name}.{signal.name}"
                low, high = signal.bounds(each.settings)
                value = self._seen(name, reports[each.role.name][signal.name])
                fresh.append(low <= value <= high)
                if fresh[-1]:
                    self.site.inp[self.place[name]] = value
        self.site.step(bytes(fresh), 1)

    def _contact(self, source):
        """Debounce of safety/source.py: off the grid after 0.5 s."""
        self.off_ticks = self.off_ticks + 1 if source else 0
        return source if self.off_ticks >= 5 else GRID

    def _control(self, load_W, grid_W, frequency_mHz):
        right = {
            "contact": GRID,
            "load_meter_W": load_W,
            "grid_meter_W": grid_W,
            "battery_W": self.battery_W,
            "soc_permille": (548, 552),
            "module_temperature_ddegC": (240, 260),
            "unit_temperature_ddegC": array("i", [260]),
            "air_temperature_ddegC": 250,
            "grid_voltage_permille": 1000,
            "grid_frequency_mHz": frequency_mHz,
            "is_load_low": 0,
            "is_reported_forming": 0,
        }
        seen = {name: self._seen(name, value) for name, value in right.items()}
        seen["contact"] = self._contact(seen["contact"])
        seen["grid_W"] = seen["grid_meter_W"]
        always = {"is_running": True, "limit": WIDE, "site": self.site, "full_Wh": 645_000}
        news = {"is_load_meter_new": True, "is_grid_meter_new": True}
        self.battery_W = self.control.step(Known(**seen, **always, **news), 1)
        self.powers_W.append(self.battery_W)
        for each in self.control.functions.values():
            self.named |= {name for name, _ in each.contradicted()}
