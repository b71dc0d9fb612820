"""What a scenario can do to the plant: for every row of the matrix something that makes its signal
come over a wire.

{name: (its keys, function of (world, arguments))}. Racks, modules, cells, units and detectors count
from 1.
"""

from hil.plant import contactors
from hil.plant.cabinet import DETECTORS
from hil.plant.injections import TOXIC_GASES
from hil.scenarios.fields import BOOL, INTEGER, NUMBER, REQUIRED, TEXT, Field

ON = {"on": Field(BOOL, True)}
_RACK = {"rack": Field(INTEGER, REQUIRED, 1, 16)}
_MODULE = _RACK | {"module": Field(INTEGER, REQUIRED, 1, 64)}
_CELL = _RACK | {"module": Field(INTEGER, 1, 1, 64), "cell": Field(INTEGER, 1, 1, 32)}
_UNIT = {"unit": Field(INTEGER, 1, 1, 16)}
_EITHER = {"detector": Field(INTEGER, None, 1, 2)}
_WHICH = {"detector": Field(TEXT, REQUIRED, choices=DETECTORS)}
_RATE = {"rate_K_per_s": Field(NUMBER, 0, 0, 100)}
# A 400 A fuse for the DC side of converters: about 1e6 A2s (order of magnitude).
_FUSE = {"fuse_A2s": Field(NUMBER, 1e6, 1, 1e12)}
_STATES = {
    "open": contactors.OPEN,
    "precharge": contactors.PRECHARGE,
    "closed": contactors.CLOSED,
    "fault": contactors.FAULT,
    "true": None,
}


def _number(count, what, number):
    """Index of the thing with this number."""
    if number > count:
        raise ValueError(f"{what} {number}: there are {count}")
    return number - 1


def _rack(world, a):
    return _number(len(world.plant.racks), "rack", a["rack"])


def _module(world, a):
    modules = len(world.plant.racks[_rack(world, a)].temperatures_degC)
    return _number(modules, f"rack {a['rack']} module", a["module"])


def _cell(world, a):
    return _number(world.plant.config.cells_per_module, "cell", a["cell"])


def _unit(world, a):
    return _number(len(world.plant.pcs), "unit", a["unit"])


def _either(a, key="detector"):
    return a[key] and a[key] - 1


def _switch(name):
    """An action that calls plant.name(on)."""
    return ON, lambda world, a: getattr(world.plant, name)(a["on"])


def _heat(world, a):
    rack = _rack(world, a)
    count = len(world.plant.racks[rack].temperatures_degC)
    for module in range(count) if a["module"] is None else (_module(world, a),):
        world.plant.heat(rack, module, a["degC"], a["rate_K_per_s"])


def _spread(world, a):
    """The module becomes so much warmer than the coldest of its rack is now."""
    rack = _rack(world, a)
    coldest_degC = min(world.plant.racks[rack].temperatures_degC)
    world.plant.heat(rack, _module(world, a), coldest_degC + a["kelvin"], a["rate_K_per_s"])


def _heat_end(world, a):
    rack = _rack(world, a)
    for module in range(len(world.plant.racks[rack].temperatures_degC)):
        world.plant.heat(rack, module, None)


def _air_heat(world, a):
    world.plant.heat_air(a["degC"] if a["on"] else None, a["rate_K_per_s"])


def _runaway(world, a):
    heater = a["heater_K_per_min"] or None
    world.plant.start_runaway(
        _rack(world, a), _module(world, a), _cell(world, a), heater, a["from_degC"]
    )


def _cell_offset(world, a):
    world.plant.set_cell_offset(
        _rack(world, a), a["offset_mV"] / 1000.0, _module(world, a), _cell(world, a)
    )


def _cell_drop(world, a):
    world.plant.drop_cell(
        _rack(world, a), _module(world, a), a["drop_mV"] / 1000.0, a["over_s"], _cell(world, a)
    )


def _toxic(world, a):
    gas = None if a["gas"] == "both" else TOXIC_GASES.index(a["gas"])
    world.plant.set_toxic(a["ppm"], gas, a["ppm_per_s"])


CABINET_ACTIONS = {
    "estop_press": ({}, lambda world, a: world.plant.press_estop()),
    "estop_release": ({}, lambda world, a: world.plant.release_estop()),
    "estop_channel": (
        {"channel": Field(INTEGER, REQUIRED, 1, 2)},
        lambda world, a: world.plant.press_estop(a["channel"] - 1),
    ),
    "bridge_chain": _switch("bridge_chain"),
    "fire_alarm": _switch("set_fire"),
    "suppression": _switch("set_suppression"),
    "smoke": (ON | _EITHER, lambda world, a: world.plant.set_smoke(a["on"], _either(a))),
    "heat_detector": _switch("set_heat_detector"),
    "fire_trouble": _switch("set_fire_trouble"),
    "supervision_lost": _switch("set_supervision_lost"),
    "gas": (
        {"lfl_pct": Field(NUMBER, REQUIRED, 0, 100)} | _EITHER,
        lambda world, a: world.plant.set_gas(a["lfl_pct"], _either(a)),
    ),
    "offgas": (
        {"ppm": Field(NUMBER, REQUIRED, 0, 20_000)} | _EITHER,
        lambda world, a: world.plant.set_offgas(a["ppm"], _either(a)),
    ),
    "toxic": (
        {
            "ppm": Field(NUMBER, REQUIRED, 0, 20_000),
            "gas": Field(TEXT, "both", choices=("both", *TOXIC_GASES)),
            "ppm_per_s": Field(NUMBER, 0, 0, 20_000),
        },
        _toxic,
    ),
    "detector_fault": (
        _WHICH | ON,
        lambda world, a: world.plant.set_detector_fault(a["detector"], a["on"]),
    ),
    "calibration": (
        _WHICH | {"days": Field(INTEGER, REQUIRED, -20_000, 36_500)},
        lambda world, a: world.plant.set_calibration(a["detector"], a["days"]),
    ),
    "run_fan": _switch("run_fan"),
    "airflow_fail": _switch("set_airflow_fail"),
    "damper_fail": _switch("set_damper_fail"),
    "door": ({"open": Field(BOOL, True)}, lambda world, a: world.plant.set_door(a["open"])),
    "hvac_fail": _switch("set_hvac_fail"),
    "air_heat": ({"degC": Field(NUMBER, 55, -40, 120)} | _RATE | ON, _air_heat),
    "humidity": (
        {"ingress_g_per_s": Field(NUMBER, 2, 0, 100)},
        lambda world, a: world.plant.set_ingress(a["ingress_g_per_s"]),
    ),
    "leak": _switch("set_leak"),
    "coolant": _switch("set_low_flow"),
    "mains_loss": (ON, lambda world, a: world.plant.set_mains(not a["on"])),
    "ups_reserve": (
        {"minutes": Field(NUMBER, REQUIRED, 0, 10_000)},
        lambda world, a: world.plant.set_ups_reserve(a["minutes"]),
    ),
    "ups_invalid": _switch("set_ups_invalid"),
    "shunt_reset": ({}, lambda world, a: world.plant.reset_shunt_trip()),
}
RACK_ACTIONS = {
    "heat": (
        _RACK
        | {"module": Field(INTEGER, None, 1, 64), "degC": Field(NUMBER, REQUIRED, -40, 200)}
        | _RATE,
        _heat,
    ),
    "cool": (
        _RACK
        | {"module": Field(INTEGER, None, 1, 64), "degC": Field(NUMBER, -25, -40, 10)}
        | _RATE,
        _heat,
    ),
    "spread": (_MODULE | {"kelvin": Field(NUMBER, REQUIRED, 0, 100)} | _RATE, _spread),
    "heat_end": (_RACK, _heat_end),
    "runaway": (
        _MODULE
        | {
            "cell": Field(INTEGER, 1, 1, 32),
            "heater_K_per_min": Field(NUMBER, 5, 0, 60),
            "from_degC": Field(NUMBER, None, -40, 300),
        },
        _runaway,
    ),
    "cell_offset": (_CELL | {"offset_mV": Field(NUMBER, REQUIRED, -3300, 3000)}, _cell_offset),
    "cell_drop": (
        _CELL | {"drop_mV": Field(NUMBER, 400, 0, 3300), "over_s": Field(NUMBER, 1, 0, 600)},
        _cell_drop,
    ),
    "sensor_invalid": (
        _MODULE | {"count": Field(INTEGER, 2, 0, 15)},
        lambda world, a: world.plant.set_sensors_invalid(
            _rack(world, a), _module(world, a), a["count"]
        ),
    ),
    "sensor_zero": (
        _MODULE | ON,
        lambda world, a: world.plant.set_sensor_zero(_rack(world, a), _module(world, a), a["on"]),
    ),
    "sensor_stuck": (
        _MODULE | {"degC": Field(NUMBER, None, -40, 200)},
        lambda world, a: world.plant.set_sensor_stuck(
            _rack(world, a), _module(world, a), a["degC"]
        ),
    ),
    "misread": (
        _MODULE | {"offset_K": Field(NUMBER, 5, -100, 200)},
        lambda world, a: world.plant.misread(_rack(world, a), _module(world, a), a["offset_K"]),
    ),
    "insulation": (
        _RACK
        | {
            "kohm": Field(NUMBER, REQUIRED, 0, 65_535),
            "kohm_per_s": Field(NUMBER, 0, -10_000, 10_000),
        },
        lambda world, a: world.plant.set_insulation(_rack(world, a), a["kohm"], a["kohm_per_s"]),
    ),
    "weld": (_RACK | ON, lambda world, a: world.plant.weld_contactor(_rack(world, a), a["on"])),
    "feedback": (
        _RACK | {"reads": Field(TEXT, REQUIRED, choices=tuple(_STATES))},
        lambda world, a: world.plant.set_feedback(_rack(world, a), _STATES[a["reads"]]),
    ),
    "precharge_break": (
        _RACK | ON,
        lambda world, a: world.plant.break_precharge(_rack(world, a), a["on"]),
    ),
    "bms_fault": (
        _RACK | {"bits": Field(INTEGER, 128, 0, 65_535)},
        lambda world, a: world.plant.inject_bms_fault(_rack(world, a), a["bits"]),
    ),
    "current_excess": (
        _UNIT | {"current_A": Field(NUMBER, REQUIRED, -20_000, 20_000)} | _FUSE,
        lambda world, a: world.plant.set_current_excess(
            _unit(world, a), a["current_A"], a["fuse_A2s"]
        ),
    ),
    "short_circuit": (
        _UNIT | {"ohm": Field(NUMBER, 0.5, 0.001, 1000)} | _FUSE,
        lambda world, a: world.plant.set_short_circuit(_unit(world, a), a["ohm"], a["fuse_A2s"]),
    ),
    "bus_mismatch": (
        _UNIT | {"offset_V": Field(NUMBER, REQUIRED, -1000, 1000)},
        lambda world, a: world.plant.set_bus_mismatch(_unit(world, a), a["offset_V"]),
    ),
}
