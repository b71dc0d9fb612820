"""How each row of the matrix is brought about through the kernel's inputs, and how it is taken away again.

Everything is tried on the last of two racks (RACK). A case sets inputs or silences groups; it never touches features.
"""

from section_7 import ROWS

from safety import signals as s

RACKS, RACK = 2, 1
LIMIT_MA = 100_000  # the BMS's limit while row 35 is tried
CHARGING_MA = -50_000
FLAT_DDEGC = 250
WARM_DDEGC = 140  # over the median, below the threshold: only to be seen rising


def ticks(duration_ms):
    """Ticks of 20 ms."""
    return -(-duration_ms // 20)


def _cabinet(signal):
    return lambda bench, value: bench.inp.__setitem__(signal, value)


def _rack(signal):
    return lambda bench, value: bench.set_rack(signal, value, RACK)


def _faulty(bench, value):
    bench.inp[s.GAS_1_OK] = 0 if value >= 1 else 1
    bench.inp[s.GAS_2_OK] = 0 if value >= 2 else 1


def _temperatures(bench, value):
    for module in range(bench.layout.modules):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, value, RACK)


def _hottest(bench, value):
    _temperatures(bench, FLAT_DDEGC)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + 7, FLAT_DDEGC + value, RACK)


def _current(factor_pct):
    return lambda bench, value: bench.set_rack(
        s.RACK_CURRENT_MA, LIMIT_MA * factor_pct // 100 + 2000 + value, RACK)


def _excess(bench, value):
    bench.set_unit(s.PCS_POWER_W, bench.unit(s.DISCHARGE_W_MAX) + 5000 + value)


def _io_1(bench):
    return {s.G_IO_1}


def _io_2(bench):
    return {s.G_IO_2}


def _both_io(bench):
    return {s.G_IO_1, s.G_IO_2}


def _gas_1(bench):
    return {s.G_GAS_1}


def _both_gas(bench):
    return {s.G_GAS_1, s.G_GAS_2}


def _pcs(bench):
    return {bench.layout.unit_group(0, s.G_PCS_MEASURE)}


def _of_rack(*groups):
    return lambda bench: {bench.layout.rack_group(RACK, group) for group in groups}


# feature: (the groups it comes from, how to make it have a value)
VALUES = {
    "estop_1_ok": (_io_1, _cabinet(s.ESTOP_1_OK)),
    "estop_2_ok": (_io_2, _cabinet(s.ESTOP_2_OK)),
    "estop_discrepancy": (_both_io, lambda bench, value: bench.inp.__setitem__(s.ESTOP_2_OK, 1 - value)),
    "fire_alarm_ok": (_io_1, _cabinet(s.FIRE_ALARM_OK)),
    "suppression_ok": (_io_1, _cabinet(s.SUPPRESSION_OK)),
    "gas_relay_ok": (_io_1, _cabinet(s.GAS_RELAY_OK)),
    "bms_fault_ok": (_io_2, _cabinet(s.BMS_FAULT_OK)),
    "gas_lfl_permille_max": (_gas_1, _cabinet(s.GAS_1_LFL_PERMILLE)),
    "gas_detectors_faulty": (_gas_1, _faulty),
    "gas_calibration_d_min": (_gas_1, _cabinet(s.GAS_1_CALIBRATION_D)),
    "airflow_missing": (_io_1, lambda bench, value: bench.held.__setitem__(s.AIRFLOW_OK, 1 - value)),
    "pcs_excess_W": (_pcs, _excess),
    "cell_voltage_mV_max": (_of_rack(s.G_BMS_CELLS), _rack(s.CELL_VOLTAGE_MV_MAX)),
    "cell_voltage_mV_min": (_of_rack(s.G_BMS_CELLS), _rack(s.CELL_VOLTAGE_MV_MIN)),
    "temperature_ddegC_max": (_of_rack(s.G_BMS_TEMPERATURES), _temperatures),
    "temperature_over_median_ddegC": (_of_rack(s.G_BMS_TEMPERATURES), _hottest),
    "current_over_105_mA": (_of_rack(s.G_BMS_PACK, s.G_BMS_LIMITS), _current(105)),
    "current_over_110_mA": (_of_rack(s.G_BMS_PACK, s.G_BMS_LIMITS), _current(110)),
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


def _fan_by_fire_alarm(bench):
    bench.inp[s.FIRE_ALARM_OK] = 0
    bench.wait(ticks(200))
    bench.inp[s.FIRE_ALARM_OK] = 1


# What must be there before the row can be brought about; and the rows that come with it.
PREPARE = {"20a": _charging, "21b": _rising, "35a": _lower_limits, "35b": _lower_limits,
           "15a": lambda bench: bench.step(1, elapsed=25), "15b": _fan_by_fire_alarm}
COMPANIONS = {"15a": ("44b",), "15b": ("2",)}
GATE_GROUPS = {"20a": _of_rack(s.G_BMS_PACK)}


def _silence(groups):
    return lambda bench: bench.silent.update(groups(bench))


def _freeze(bench):
    bench.held[s.GRID_RAW_HASH] = bench.inp[s.GRID_RAW_HASH]


def _both_faulty(bench):
    _faulty(bench, 2)


def _flip(bench):
    bench.kernel.image[-1] ^= 1


def _bad_frames(bench):
    bench.set_rack(s.BMS_BAD_FRAMES, 20, RACK)


_CELLS = _silence(_of_rack(s.G_BMS_CELLS))
_PCS = _silence(_pcs)
# name: (how it begins, ticks from there to the trip); one frame is silent, so the current stays known.
OTHERS = {
    "13b": (_silence(_gas_1), ticks(3000) + ticks(10_000)),
    "14": (_both_faulty, ticks(10_000)),
    "40a": (_CELLS, ticks(500)), "40b": (_CELLS, ticks(1000)), "40c": (_CELLS, ticks(3000)),
    "40d": (_bad_frames, 1),
    "41a": (_PCS, ticks(2000)), "41b": (_PCS, ticks(3000)), "41c": (_PCS, ticks(5000)),
    "44a": (_flip, 0), "44b": (None, 1),
    "44c": (lambda bench: bench.kernel.boot(1, 0, ()), 1), "44d": (lambda bench: bench.kernel.boot(0, 1, ()), 1),
    "49": (_silence(_io_1), ticks(500)), "50a": (_silence(lambda bench: {s.G_METER_GRID}), ticks(500)),
    "50b": (_freeze, ticks(5000)),
}
UNSEEN_TICKS = {"13b": ticks(3000)}  # of these, the part in which nobody counts: until the silence is seen
SCAN_TICKS_MAX = 400  # two scans of the limit image


def feed(bench, name, value):
    """Make the watched value of a row in VALUE_ROWS have this value."""
    VALUES[ROWS[name].watches][1](bench, value)


def beyond(name, offset):
    """The value `offset` beyond the threshold (negative: on the safe side of it)."""
    row = ROWS[name]
    return row.at + offset if row.above else row.at - offset


def prepare(bench, name):
    """Bring about what the row needs first."""
    if name in PREPARE:
        PREPARE[name](bench)
    return bench


def debounce_ticks(name):
    """Ticks from the cause to the trip; at least the one that sees it."""
    return OTHERS[name][1] if name in OTHERS else max(1, ticks(ROWS[name].debounce_ms))


def cause(bench, name):
    """Let the cause of the row begin, exactly at its threshold."""
    if name not in OTHERS:
        feed(bench, name, beyond(name, 0))
    elif OTHERS[name][0]:
        OTHERS[name][0](bench)


def step(bench, name, steps):
    """Step; row 44b is brought about by the step itself."""
    if name == "44b":
        return bench.step(1, elapsed=25)
    unseen = UNSEEN_TICKS.get(name, 0)
    if unseen:  # the step that sees it must not be a coarse one: it would count in full
        bench.wait(unseen).step()
        steps -= unseen + 1
    return bench.wait(steps - 1).step() if steps else bench


def trip(bench, name):
    """Bring the row about and step to the tick in which it trips."""
    cause(bench, name)
    if name == "44a":
        at = bench.instance(name)
        for _ in range(SCAN_TICKS_MAX):
            if bench.step().kernel.evaluator.active[at]:
                return bench
    return step(bench, name, debounce_ticks(name))


def remove(bench, name, clears_at):
    """Take the cause away: the watched value is where the row clears."""
    if name == "44a":
        _flip(bench)
    elif name == "14":
        _faulty(bench, 0)
    elif name in OTHERS:
        bench.silent.clear()
        bench.held.clear()
    else:
        feed(bench, name, clears_at)
    return bench
