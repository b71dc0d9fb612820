"""STAGES against a transcription that was not made from code."""

import re

import pytest
from bench import Bench
from section_7 import DIFFERS, NMC_AT

from hil.oracle.design import CLEARS, KEY, REMOTE, ROWS, SELF, effects, row_number
from safety import matrix as m, signals as s

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
PCS = {"S": m.PCS_STOP, "R": m.PCS_RAMP}
DC = {"N": m.DC_INHIBIT, "Z": m.DC_OPEN_AT_ZERO, "I": m.DC_OPEN, "I0": m.DC_OPEN_ONLY_AT_ZERO}
FLAGS = {"fan": m.D_FAN, "H": m.D_HORN, "red": m.D_RED_LAMP, "M": m.D_MAINTENANCE}
FLAGS |= {"O": m.D_OPERATOR, "F": m.D_FACU, "P": m.D_PRE_ALARM, "T": m.D_SHUNT_TRIP}
FLAGS |= {"A": m.D_AUX_SHED, "X": m.D_REMOVAL}


def demanded(name):
    """{demand index: level} of the transcription; the lamp goes with every alarm."""
    letters = effects(name)
    wanted = {index: 1 if letter in letters else 0 for letter, index in FLAGS.items()}
    wanted[m.D_PCS] = max([PCS.get(letter, 0) for letter in letters])
    wanted[m.D_DC] = max([DC.get(letter, 0) for letter in letters])
    wanted[m.D_LAMP] = 1 if letters & {"L", "H", "red"} else 0
    # An inhibit of a ramping row acts through the ramp: a step to zero would be a stop.
    inhibit = m.INHIBIT_BY_RAMP if letters & {"R", "r"} else m.INHIBIT_AT_ONCE
    wanted[m.D_CHARGE_INHIBIT] = inhibit if "ich" in letters else 0
    wanted[m.D_DISCHARGE_INHIBIT] = inhibit if "idc" in letters else 0
    for sign, index in (("c", m.D_CHARGE_DERATE_PCT), ("d", m.D_DISCHARGE_DERATE_PCT)):
        shares = [int(letter[1:]) for letter in letters if re.fullmatch(sign + r"\d+", letter)]
        wanted[index] = max(shares, default=0)
    return wanted


def test_the_same_stages():
    assert set(STAGES) == set(ROWS) == set(CLEARS)


@pytest.mark.parametrize("name", ROWS)
def test_stage_is_what_the_table_says(name):
    stage, row = STAGES[name], ROWS[name]
    features = m.FEATURES[stage[m.S_SCOPE]]
    assert (features[stage[m.S_FEATURE]], stage[m.S_SENSE]) == (row.watches, 1 if row.above else -1)
    assert (stage[m.S_SET], stage[m.S_SET_MS]) == (row.at, row.debounce_ms)
    assert (stage[m.S_LATCH], (stage[m.S_CLEAR], stage[m.S_CLEAR_MS])) == (row.reset, CLEARS[name])
    assert stage[m.S_GATE] < len(features), "a gate is a feature of the stage's own scope"
    assert row.gate == ("" if stage[m.S_GATE] == m.NO_GATE else features[stage[m.S_GATE]])
    assert stage[m.S_ROW] == row_number(name)
    assert dict(enumerate(stage[m.S_DEMAND])) == demanded(name)


def test_the_values_of_nmc_cells():
    assert {name: at for name, at, _ in m.NMC_THRESHOLDS} == NMC_AT
    for name, at, clear in m.NMC_THRESHOLDS:
        assert clear < at if ROWS[name].above else clear > at


def test_the_reset_kinds_are_the_same_numbers():
    assert (SELF, REMOTE, KEY) == (m.SELF, m.REMOTE, m.KEY)


@pytest.mark.parametrize("name, percent", [("35a", 105), ("35b", 110)])
def test_a_current_beyond_the_row_that_does_not_trip_has_a_reading(name, percent):
    assert DIFFERS[name, "cause"] == f"{percent / 100:.2f}"
    bench = Bench().run()
    limit_mA = bench.inp[bench.layout.rack_input(0, s.DISCHARGE_CURRENT_MA_MAX)]
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 1).step(600)
    assert name not in bench.standing()
    # far beyond the limit of zero current
    bench.set_rack(s.RACK_CURRENT_MA, limit_mA * percent // 100 + 10_001).step(600)
    assert name in bench.standing()


def test_the_rows_that_shed_auxiliary_loads():
    assert {row_number(name) for name in ROWS if "A" in effects(name)} == {8, 10, 11, 12}
