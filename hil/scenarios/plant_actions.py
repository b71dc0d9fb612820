"""Actions on the plant: {name: (form of its keys, function of (world, arguments))}.

For every row of the cause-and-effect matrix, one action makes the row's signal come over a wire.
Racks, units, modules and cells are numbered from 1. A fault stays until another action repairs it.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from controller.forms.field import Field, Form, choice, flag, integer, number
from hil.plant import contactors
from hil.plant.bus import Bus, FaultLoad
from hil.plant.cabinet import DETECTORS, CabinetPlant
from hil.plant.rack import Rack
from hil.scenarios.world import Arguments, World

Act = Callable[[World, Arguments], object]  # called with (world, arguments)

ON = {"on": flag(True)}
_RACK = {"rack": integer(1, 16)}
_MODULE = _RACK | {"module": integer(1, 64)}
_MODULES = _RACK | {"module": integer(1, 64, None)}
_CELL = _RACK | {"module": integer(1, 64, 1), "cell": integer(1, 32, 1)}
_UNIT = {"unit": integer(1, 16, 1)}
_EITHER = {"detector": integer(1, 2, None)}
_WHICH = {"detector": choice(DETECTORS)}
_RATE = {"rate_K_per_s": number(0, 100, 0)}
# Default: a fuse of 400 A on the DC side of a converter, order of magnitude.
_FUSE = {"fuse_A2s": number(1, 1e12, 1e6)}
_GASES = {"both": (0, 1), "hydrogen": (0,), "carbon_monoxide": (1,)}
_STATES = {
    "open": contactors.OPEN,
    "precharge": contactors.PRECHARGE,
    "closed": contactors.CLOSED,
    "fault": contactors.FAULT,
    "true": None,
}


def _index(count: int, kind: str, number: int) -> int:
    """Index of the rack or module with this number. ValueError: the number is too high."""
    if number > count:
        raise ValueError(f"{kind} {number}: allowed 1 to {count}")
    return number - 1


def _rack(world: World, a: Arguments) -> Rack:
    racks = world.plant.racks
    return racks[_index(len(racks), "rack", a["rack"])]


def _module(world: World, a: Arguments) -> int:
    modules = len(_rack(world, a).temperatures_degC)
    return _index(modules, f"rack {a['rack']} module", a["module"])


def _cell(world: World, a: Arguments) -> int:
    rack = _rack(world, a)
    return _index(rack.cells_online // rack.modules, "cell", a["cell"])


def _bus(world: World, a: Arguments) -> Bus:
    buses = world.plant.buses
    return buses[_index(len(buses), "unit", a["unit"])]


def _plant(world: World, a: Arguments) -> CabinetPlant:
    return world.plant


def _watts(kW: float) -> float:
    return kW * 1000


def _detectors(a: Arguments) -> tuple[int, ...]:
    """Indices of the chosen detectors; of both if none is chosen."""
    return (0, 1) if a["detector"] is None else (a["detector"] - 1,)


def _switch(path: str, key: str = "on", inverted: bool = False) -> tuple[Form, Act]:
    """An action that sets an attribute of the plant to the argument `key`, and updates contacts."""
    form, put = _setter(_plant, {key: flag(True)}, path, key, lambda is_on: is_on != inverted)
    return form, lambda world, a: (put(world, a), world.plant.publish())


def _setter(
    find: Callable[..., Any],
    form: dict[str, Field],
    path: str,
    key: str = "on",
    value: Callable[[Any], Any] = lambda argument: argument,
) -> tuple[Form, Act]:
    """An action that sets the attribute at `path` of the part that `find` returns. The new value is
    value(argument `key`).
    """
    *parts, name = path.split(".")

    def act(world: World, a: Arguments) -> None:
        setattr(functools.reduce(getattr, parts, find(world, a)), name, value(a[key]))

    return form, act


def _estop(world: World, channels: Iterable[int], closed: bool) -> None:
    for channel in channels:
        world.plant.relays.estop_closed[channel] = closed
    world.plant.publish()


def _smoke(world: World, a: Arguments) -> None:
    for detector in _detectors(a):
        world.plant.air.test_smoke[detector] = a["on"]
    world.plant.air.stir()


def _heat(world: World, a: Arguments) -> None:
    rack = _rack(world, a)
    count = len(rack.temperatures_degC)
    for module in range(count) if a["module"] is None else (_module(world, a),):
        rack.heat(module, a["degC"], a["rate_K_per_s"])


def _spread(world: World, a: Arguments) -> None:
    """Heat a module to `kelvin` above the coldest module of its rack."""
    rack = _rack(world, a)
    wanted_degC = min(rack.temperatures_degC) + a["kelvin"]
    rack.heat(_module(world, a), wanted_degC, a["rate_K_per_s"])


def _heat_end(world: World, a: Arguments) -> None:
    rack = _rack(world, a)
    for module in range(len(rack.temperatures_degC)):
        rack.heat(module, None, 0.0)


def _runaway(world: World, a: Arguments) -> None:
    heater_K_per_s = a["heater_K_per_min"] / 60.0 or None
    _rack(world, a).start_runaway(
        _module(world, a), _cell(world, a), heater_K_per_s, a["from_degC"]
    )


def _offset(world: World, a: Arguments, offset_mV: float, over_s: float = 0.0) -> None:
    _rack(world, a).offset_cell(offset_mV / 1000.0, _module(world, a), _cell(world, a), over_s)


def _insulation(world: World, a: Arguments) -> None:
    rack = _rack(world, a)
    rack.insulation_kohm, rack.insulation_slope_kohm_per_s = a["kohm"], a["kohm_per_s"]


def _excess(world: World, a: Arguments) -> None:
    current_A, ohm = a.get("current_A", 0.0), a.get("ohm")
    has_load = current_A or ohm
    _bus(world, a).fault = FaultLoad(current_A, ohm, a["fuse_A2s"]) if has_load else None


def _stuck(degC: Callable[..., Any]) -> Act:
    return lambda world, a: _rack(world, a).stick_sensor(_module(world, a), degC(a))


CABINET_ACTIONS = {
    "estop_press": ({}, lambda world, a: _estop(world, (0, 1), False)),
    "estop_release": ({}, lambda world, a: _estop(world, (0, 1), True)),
    "estop_channel": (
        {"channel": integer(1, 2)},
        lambda world, a: _estop(world, (a["channel"] - 1,), False),
    ),
    "bridge_chain": _switch("relays.bridged"),
    "fire_alarm": _switch("relays.fire_closed", inverted=True),
    "suppression": _switch("relays.suppression_closed", inverted=True),
    "smoke": (ON | _EITHER, _smoke),
    "heat_detector": _switch("air.test_heat"),
    "fire_trouble": _switch("fire_trouble"),
    "supervision_lost": _switch("supervised", inverted=True),
    "gas": (
        {"lfl_pct": number(0, 100)} | _EITHER,
        lambda world, a: world.plant.air.cap("gas", a["lfl_pct"], _detectors(a)),
    ),
    "offgas": (
        {"ppm": number(0, 20_000)} | _EITHER,
        lambda world, a: world.plant.air.cap("vapour", a["ppm"], _detectors(a)),
    ),
    "toxic": (
        {
            "ppm": number(0, 20_000),
            "gas": choice(_GASES, "both"),
            "ppm_per_s": number(0, 20_000, 0),
        },
        lambda world, a: world.plant.air.cap("toxic", a["ppm"], _GASES[a["gas"]], a["ppm_per_s"]),
    ),
    "detector_fault": (
        _WHICH | ON,
        lambda world, a: world.plant.detector_fault.update({a["detector"]: a["on"]}),
    ),
    "calibration": (
        _WHICH | {"days": integer(-20_000, 36_500)},
        lambda world, a: world.plant.calibration_d.update({a["detector"]: a["days"]}),
    ),
    "run_fan": _switch("fan_by_hand"),
    "other_load": _setter(_plant, {"kW": number(-100_000, 100_000)}, "other_load_W", "kW", _watts),
    "airflow_fail": _switch("air.airflow_failed"),
    "damper_fail": _switch("air.louvre_failed"),
    "door": _switch("door_closed", "open", inverted=True),
    "hvac_fail": _switch("climate.hvac_failed"),
    "air_heat": (
        {"degC": number(-40, 120, 55)} | _RATE | ON,
        lambda world, a: world.plant.climate.hold(
            a["degC"] if a["on"] else None, a["rate_K_per_s"]
        ),
    ),
    "humidity": _setter(
        _plant, {"ingress_g_per_s": number(0, 100, 2)}, "climate.ingress_g_per_s", "ingress_g_per_s"
    ),
    "leak": (ON, lambda world, a: (world.plant.climate.leak(a["on"]), world.plant.publish())),
    "coolant": _switch("climate.low_flow"),
    "mains_loss": _switch("ups.mains", inverted=True),
    "ups_reserve": (
        {"minutes": number(0, 10_000)},
        lambda world, a: world.plant.ups.set_reserve(a["minutes"]),
    ),
    "ups_invalid": _switch("ups.invalid"),
    "shunt_reset": ({}, lambda world, a: world.plant.open_breaker(False)),
}
RACK_ACTIONS = {
    "heat": (_MODULES | {"degC": number(-40, 200)} | _RATE, _heat),
    "cool": (_MODULES | {"degC": number(-40, 10, -25)} | _RATE, _heat),
    "spread": (_MODULE | {"kelvin": number(0, 100)} | _RATE, _spread),
    "heat_end": (_RACK, _heat_end),
    "runaway": (
        _MODULE
        | {
            "cell": integer(1, 32, 1),
            "heater_K_per_min": number(0, 60, 5),
            "from_degC": number(-40, 300, None),
        },
        _runaway,
    ),
    "cell_offset": (
        _CELL | {"offset_mV": number(-3300, 3000)},
        lambda world, a: _offset(world, a, a["offset_mV"]),
    ),
    "cell_drop": (
        _CELL | {"drop_mV": number(0, 3300, 400), "over_s": number(0, 600, 1)},
        lambda world, a: _offset(world, a, -a["drop_mV"], a["over_s"]),
    ),
    "sensor_invalid": (
        _MODULE | {"count": integer(0, 15, 2)},
        lambda world, a: _rack(world, a).invalidate_sensors(_module(world, a), a["count"]),
    ),
    "sensor_zero": (_MODULE | ON, _stuck(lambda a: 0.0 if a["on"] else None)),
    "sensor_stuck": (_MODULE | {"degC": number(-40, 200, None)}, _stuck(lambda a: a["degC"])),
    "misread": (
        _MODULE | {"offset_K": number(-100, 200, 5)},
        lambda world, a: _rack(world, a).misread(_module(world, a), a["offset_K"]),
    ),
    "insulation": (
        _RACK | {"kohm": number(0, 65_535), "kohm_per_s": number(-10_000, 10_000, 0)},
        _insulation,
    ),
    "weld": _setter(_rack, _RACK | ON, "contactors.welded"),
    "feedback": _setter(
        _rack, _RACK | {"reads": choice(_STATES)}, "feedback", "reads", _STATES.get
    ),
    "precharge_break": _setter(_rack, _RACK | ON, "contactors.precharge_broken"),
    "bms_fault": _setter(
        _rack, _RACK | {"bits": integer(0, 65_535, 128)}, "bms.injected_bits", "bits"
    ),
    "current_excess": (_UNIT | {"current_A": number(-20_000, 20_000)} | _FUSE, _excess),
    "short_circuit": (_UNIT | {"ohm": number(0.001, 1000, 0.5)} | _FUSE, _excess),
    "pcs_reverse": _setter(_bus, _UNIT | ON, "pcs.is_reversed"),
    "island": (_UNIT | ON, lambda world, a: world.plant.island(_bus(world, a).pcs, a["on"])),
    "pcs_stick": _setter(_bus, _UNIT | ON, "pcs.is_stuck"),
    "pcs_derate": _setter(_bus, _UNIT | {"kW": number(0, 100_000)}, "pcs.derated_W", "kW", _watts),
    "bus_mismatch": _setter(
        _bus, _UNIT | {"offset_V": number(-1000, 1000)}, "pcs.dc_voltage_offset_V", "offset_V"
    ),
}
