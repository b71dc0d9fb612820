"""How the kernel's inputs bring about each row of the matrix, and take it away, on rack RACK."""

import late_steps

from hil.oracle.design import ROWS
from safety import pace, signals as s

RACKS, RACK = 2, 1
RATED_MA = 140_000
LIMIT_MA = 100_000  # the BMS's limit while row 35 is tried
CHARGING_MA = -50_000
FLAT_DDEGC = 250
WARM_DDEGC = 140  # over the median, below the threshold: only to be seen rising
TELLS = (0, 1 << 20, 1, 3)  # no bit, one that no profile names, a fault of both devices, another


def ticks(duration_ms):
    return -(-duration_ms // 20)


def _put(signal, base=0, sign=1):
    return lambda bench, value: bench.set_rack(signal, base + sign * value, RACK)


def _inputs(values):
    return lambda bench: [bench.inp.__setitem__(at, value) for at, value in values.items()]


def _cabinet(signal):
    return lambda bench, value: bench.inp.__setitem__(signal, value)


def _held_open(signal):
    return lambda bench, value: bench.held.__setitem__(signal, 1 - value)


def _faulty(bench, value):
    bench.inp[s.GAS_1_OK] = 0 if value >= 1 else 1
    bench.inp[s.GAS_2_OK] = 0 if value >= 2 else 1


def _temperatures(bench, value):
    for module in range(bench.layout.modules):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, value, RACK)


def _hottest(bench, value):
    _temperatures(bench, FLAT_DDEGC)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + 7, FLAT_DDEGC + value, RACK)


def _zeros(bench, value):
    _temperatures(bench, FLAT_DDEGC)
    for module in range(value):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, 0, RACK)


def _insulation(bench, value):
    """The value at 1000 V in kilohm is the value in ohm per volt."""
    for rack in range(RACKS):
        bench.set_rack(s.RACK_VOLTAGE_MV, 1_000_000, rack)
    bench.set_unit(s.PCS_DC_VOLTAGE_MV, 1_000_000)
    bench.set_rack(s.INSULATION_KOHM, value, RACK)


def _detectors(bench, value):
    for at, signal in enumerate((s.SMOKE_1_OK, s.SMOKE_2_OK, s.HEAT_OK)):
        bench.inp[signal] = 0 if at < value else 1


def _second(bench, value):
    bench.inp[s.OFFGAS_1_PPM], bench.inp[s.OFFGAS_2_PPM] = value + 1000, value


def _mismatch(bench, value):
    bench.set_unit(s.PCS_DC_VOLTAGE_MV, 790_000 - value)


def _excess(bench, value):
    bench.set_unit(s.PCS_POWER_W, bench.unit(s.DISCHARGE_W_MAX) + 5000 + value)


def _groups(*groups):
    return lambda bench: set(groups)


def _pcs(bench):
    return {bench.layout.unit_group(0, s.G_PCS_MEASURE)}


def _of_rack(*groups):
    return lambda bench: {bench.layout.rack_group(RACK, group) for group in groups}


_io_1, _io_2, _io_3 = _groups(s.G_IO_1), _groups(s.G_IO_2), _groups(s.G_IO_3)
_gas_1, _pack, _cells = _groups(s.G_GAS_1), _of_rack(s.G_BMS_PACK), _of_rack(s.G_BMS_CELLS)
_modules, _current = _of_rack(s.G_BMS_TEMPERATURES), _of_rack(s.G_BMS_PACK, s.G_BMS_LIMITS)
# feature: (the groups it comes from, how to make it have a value)
VALUES = {  # first the inputs that are features; no group of the controller itself can be silent
    name: (_groups() if group == s.G_LOCAL else _groups(group), _cabinet(at))
    for at, (name, *_, group) in enumerate(s.CABINET_INPUTS)
}
VALUES |= {
    "estop_discrepancy": (
        _groups(s.G_IO_1, s.G_IO_2),
        lambda bench, value: bench.inp.__setitem__(s.ESTOP_2_OK, 1 - value),
    ),
    "gas_lfl_permille_max": (_gas_1, _cabinet(s.GAS_1_LFL_PERMILLE)),
    "gas_detectors_faulty": (_gas_1, _faulty),
    "gas_calibration_d_min": (_gas_1, _cabinet(s.GAS_1_CALIBRATION_D)),
    "key_discrepancy": (
        _groups(s.G_IO_1, s.G_IO_3),
        lambda bench, value: bench.held.__setitem__(s.KEY_SERVICE_CLOSED, value),
    ),
    "airflow_missing": (_io_1, _held_open(s.AIRFLOW_OK)),
    "pcs_excess_W": (_pcs, _excess),
    "bus_mismatch_mV": (_pcs, _mismatch),
    "pcs_fault_level": (_pcs, lambda bench, level: bench.set_unit(s.PCS_ALARM_BITS, TELLS[level])),
    "pcs_in_fault": (
        _pcs,
        lambda bench, value: bench.set_unit(s.PCS_STATE, s.PCS_FAULT if value else s.PCS_OFF),
    ),
    "bms_fault_level": (
        _of_rack(s.G_BMS_STATE),
        lambda bench, level: bench.set_rack(s.BMS_FAULT_BITS, TELLS[level], RACK),
    ),
    "fire_detectors": (_io_2, _detectors),
    "damper_missing": (_io_3, _held_open(s.DAMPER_OK)),
    "offgas_ppm_max": (_groups(s.G_OFFGAS_1), _cabinet(s.OFFGAS_1_PPM)),
    "offgas_ppm_second": (_groups(s.G_OFFGAS_1, s.G_OFFGAS_2), _second),
    "temperature_ddegC_min": (_modules, _temperatures),
    "temperature_spread_ddegC": (_modules, _hottest),
    "temperature_zeros": (_modules, _zeros),
    "sensors_invalid_max": (_of_rack(s.G_BMS_STATE), _put(s.SENSORS_INVALID_MAX)),
    "cell_spread_mV": (_cells, _put(s.CELL_VOLTAGE_MV_MAX, 3290)),
    "cell_voltage_drop_mV": (
        _of_rack(s.G_BMS_CELLS, s.G_BMS_PACK),
        _put(s.CELL_VOLTAGE_MV_MIN, 3290, -1),
    ),
    "current_over_200_mA": (_pack, _put(s.RACK_CURRENT_MA, 2 * RATED_MA)),
    "insulation_ohm_per_V": (_pack, _insulation),
    "cell_voltage_mV_max": (_cells, _put(s.CELL_VOLTAGE_MV_MAX)),
    "cell_voltage_mV_min": (_cells, _put(s.CELL_VOLTAGE_MV_MIN)),
    "temperature_ddegC_max": (_modules, _temperatures),
    "temperature_over_median_ddegC": (_modules, _hottest),
    "current_over_105_mA": (_current, _put(s.RACK_CURRENT_MA, LIMIT_MA * 105 // 100 + 2000)),
    "current_over_110_mA": (_current, _put(s.RACK_CURRENT_MA, LIMIT_MA * 110 // 100 + 2000)),
}
VALUE_ROWS = [name for name, row in ROWS.items() if row.watches in VALUES]


def _charging(bench):
    bench.set_rack(s.RACK_CURRENT_MA, CHARGING_MA, RACK)


def _rising(bench):
    _hottest(bench, 0)
    bench.step()
    _hottest(bench, WARM_DDEGC)
    bench.wait(ticks(1000))


def _lower_limits(bench):
    bench.set_rack(s.CHARGE_CURRENT_MA_MAX, LIMIT_MA, RACK)
    bench.set_rack(s.DISCHARGE_CURRENT_MA_MAX, LIMIT_MA, RACK)


def _fan_by_late_step(bench):
    bench.step(1, elapsed=25)


def _fan_by_fire_alarm(bench):
    bench.inp[s.FIRE_ALARM_OK] = 0
    bench.wait(ticks(200))
    bench.inp[s.FIRE_ALARM_OK] = 1


def _vapour(bench):
    bench.inp[s.OFFGAS_1_PPM] = 20
    bench.wait(ticks(5000)).step(2)


def _overdue(bench):
    bench.inp[s.GAS_1_CALIBRATION_D] = -1
    bench.wait(ticks(10_000)).step(2)


def _heating(bench):
    until(bench, "22", _warmer)
    bench.step(2)


def _warmer(bench, since):
    _temperatures(bench, FLAT_DDEGC + 7)


_mains_lost = _inputs({s.MAINS_OK: 0})


def _cells_show_the_load(bench):
    """The converter moves only after the rack's values have settled."""
    for rack in range(RACKS):
        bench.inp[bench.rack_at(s.CELL_VOLTAGE_MV_MIN, rack)] += 1
    bench.step(101)


# before the row can be brought about; the rows that come with it
PREPARE = {
    "54": _cells_show_the_load,
    **{"18a": _charging, "20a": _charging, "21b": _rising, "8c": _heating, "24": _overdue},
    **{"15a": _fan_by_late_step, "16a": _fan_by_late_step, "48b": _vapour},
    **{"15b": _fan_by_fire_alarm, "16b": _fan_by_fire_alarm, "43b": _mains_lost},
    **{"43c": _mains_lost, "35a": _lower_limits, "35b": _lower_limits},
}
COMPANIONS = {"15a": ("44b",), "16a": ("44b",), "15b": ("2",), "16b": ("2",), "8c": ("22",)}
COMPANIONS |= {"24": ("13c",), "48b": ("7",)}
GATE_GROUPS = {"20a": _pack, "18a": _pack}


def _silence(groups):
    return lambda bench: bench.silent.update(groups(bench))


def _freeze(bench):
    bench.held[s.GRID_RAW_HASH] = bench.inp[s.GRID_RAW_HASH]


def _flip(bench):
    bench.kernel.image[-1] ^= 1


def _current_through_open(bench):
    bench.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, RACK)
    bench.set_rack(s.RACK_CURRENT_MA, 50_000, RACK)


def _close_again(bench):
    bench.held.clear()
    bench.set_rack(s.RACK_CURRENT_MA, 0, RACK)


def _others_move(bench):
    """The other racks of the unit and the converter follow a load, RACK tells nothing new. A rack
    that is alone: by more than 5 % of 140 A and less than the 10 A of row 55.
    """
    unit = bench.kernel.features.rack_unit[RACK]
    others = [rack for rack in bench.kernel.features.units.of_unit[unit] if rack != RACK]
    if others:
        bench.inp[bench.rack_at(s.RACK_CURRENT_MA, others[0])] += 30_000
    else:
        _converter_tells(bench, 9000)


def _converter_tells(bench, current_mA):
    at = bench.layout.unit_input(bench.kernel.features.rack_unit[RACK], s.PCS_DC_CURRENT_MA)
    bench.hold(at, current_mA)


def _powers(bench, measured_W, sent_W):
    unit = bench.kernel.features.rack_unit[RACK]
    bench.hold_unit(s.PCS_POWER_W, measured_W, unit)
    bench.hold_unit(s.PCS_SENT_W, sent_W, unit)


def _at_the_grid(bench, grid_W, battery_W):
    bench.inp[s.GRID_POWER_W] = grid_W
    bench.set_unit(s.PCS_POWER_W, battery_W)


def _agree(bench):
    bench.held.clear()
    bench.inp[s.GRID_POWER_W] = 0
    for unit in range(bench.layout.units):
        bench.set_unit(s.PCS_POWER_W, 0, unit).set_unit(s.PCS_SENT_W, 0, unit)


def _stall(bench):
    bench.counts_late_steps = True
    for place in range(pace.LATE, pace.LATE + pace.LATE_STEPS):
        bench.kernel.features.pace.words[place] = 1


_lose_noc = _inputs({s.NOC_LINK_OK: 0, s.SUPERVISED_OK: 0})
_never_verified = _inputs({s.NOC_LINK_OK: 0, s.SUPERVISED_OK: 0, s.NOC_VERIFIED: 0})
_find_noc = _inputs({s.NOC_LINK_OK: 1, s.SUPERVISED_OK: 1, s.NOC_VERIFIED: 1})
# 70 % of row 7 and 70 % of row 9
_two_signs = _inputs({s.OFFGAS_1_PPM: 14, s.TOXIC_PPM: 35})
_no_signs = _inputs({s.OFFGAS_1_PPM: 0, s.TOXIC_PPM: 0})
# (how it begins, ms to the trip, 20 for the next step); one silent frame: the current stays known
OTHERS = {
    "13b": (_silence(_gas_1), 3000 + 10_000),
    "14": (lambda bench: _faulty(bench, 2), 10_000),
    "40d": (lambda bench: bench.set_rack(s.BMS_BAD_FRAMES, 20, RACK), 20),
    **{name: (_silence(_cells), ms) for name, ms in (("40a", 500), ("40b", 1000), ("40c", 3000))},
    **{name: (_silence(_pcs), ms) for name, ms in (("41a", 2000), ("41b", 3000), ("41c", 5000))},
    "44a": (_flip, 0),
    "44b": (None, 20),
    "44c": (lambda bench: bench.kernel.boot(1, 0, ()), 20),
    "44g": (_stall, 20),
    "44d": (lambda bench: bench.kernel.boot(0, 1, ()), 20),
    "49": (_silence(_io_1), 500),
    "50a": (_silence(_groups(s.G_METER_GRID)), 500),
    "50b": (_freeze, 5000),
    "52": (_silence(_groups(s.G_CLIMATE)), 10_000),
    "39": (_current_through_open, 20 + 300),  # the report, then a current measured later than it
    **{"46a": (_lose_noc, 901_000), "46b": (_lose_noc, 901_000), "46c": (_never_verified, 20)},
    "53": (_two_signs, 4000),
    "54": (_others_move, 10_000),
}
OTHERS |= dict.fromkeys(
    ("10b", "22", "23a", "23b", "38a", "55", "56a", "56b", "57a", "57b", "57c"), (None, 20)
)  # of COURSES


def until(bench, name, change):
    for since in range(COURSE_TICKS_MAX):
        change(bench, since)
        if bench.step().kernel.evaluator.active[bench.instance(name)]:
            return bench
    raise AssertionError(f"{name} never trips")


def _fails_to_close(bench, since):
    """Stop, and start again with a contactor that stays open, for the third time."""
    bench.kernel.permit.tried[0] = max(2, bench.kernel.permit.tried[0])
    bench.inp[s.RUN_REQUEST] = 0 if since < 10 else 1
    if since == 10:
        bench.hold_rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN, RACK)


# Rows that look back, and the third of three attempts: how their inputs move.
COURSES = {
    # 6 ppm/s
    "10b": lambda bench, since: bench.inp.__setitem__(s.TOXIC_PPM, since * 6 // 50),
    "22": _warmer,
    "23a": lambda bench, since: _temperatures(bench, FLAT_DDEGC + 25),
    "23b": lambda bench, since: _temperatures(bench, FLAT_DDEGC + 35),
    "38a": _fails_to_close,
    "55": lambda bench, since: _converter_tells(bench, 40_000),
    "56a": lambda bench, since: _powers(bench, 30_000, 0),
    "56b": lambda bench, since: _powers(bench, 0, 30_000),
    "57a": lambda bench, since: _at_the_grid(bench, 512_000, 0),
    "57b": lambda bench, since: _at_the_grid(bench, 600_000, -12_000),
    "57c": lambda bench, since: _at_the_grid(bench, -60_000, 12_000),
}
COURSE_TICKS_MAX = 4000
REPAIR = {
    "53": _no_signs,
    **dict.fromkeys(("54", "55", "56a", "56b", "57a", "57b", "57c"), _agree),
    **dict.fromkeys(("46a", "46b", "46c"), _find_noc),
    "39": _close_again,
    "44g": lambda bench: late_steps.forget(bench.kernel),
    "10b": lambda bench: bench.inp.__setitem__(s.TOXIC_PPM, 0),
    **dict.fromkeys(("22", "23a", "23b"), lambda bench: _temperatures(bench, FLAT_DDEGC)),
}
# of these, the ticks until the silence is seen: nothing counts
UNSEEN_TICKS = {"13b": ticks(3000)}


def feed(bench, name, value):
    VALUES[ROWS[name].watches][1](bench, value)


def beyond(name, offset):
    row = ROWS[name]
    return row.at + offset if row.above else row.at - offset


def prepare(bench, name):
    if name in PREPARE:
        PREPARE[name](bench)
    return bench


def debounce_ticks(name):
    return ticks(OTHERS[name][1]) if name in OTHERS else max(1, ticks(ROWS[name].debounce_ms))


def cause(bench, name):
    if name not in OTHERS:
        feed(bench, name, beyond(name, 0))
    elif OTHERS[name][0]:
        OTHERS[name][0](bench)


def step(bench, name, steps):
    """Row 44b is brought about by the step itself."""
    if name == "44b":
        return bench.step(1, elapsed=25)
    unseen = UNSEEN_TICKS.get(name, 0)
    if unseen:  # the step that sees it must not be a coarse one: it would count in full
        bench.wait(unseen).step()
        steps -= unseen + 1
    return bench.wait(steps - 1).step() if steps else bench


def trip(bench, name):
    if name in COURSES:
        return until(bench, name, COURSES[name])
    cause(bench, name)
    if name == "44a":
        return until(bench, name, lambda bench, since: None)
    return step(bench, name, debounce_ticks(name))


def remove(bench, name, clears_at):
    if name == "44a":
        _flip(bench)
    elif name == "14":
        _faulty(bench, 0)
    elif name in REPAIR:
        REPAIR[name](bench)
    elif name in OTHERS:
        bench.silent.clear()
        bench.held.clear()
    else:
        feed(bench, name, clears_at)
    return bench
