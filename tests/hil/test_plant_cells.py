"""Cells: shape against measured references, extremes against brute force, faults."""

import csv
import random

import pytest

from hil.plant import cells, tables
from tests.tables import cases


def _reference(shared, name):
    with (shared / "data/battery" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_open_circuit_voltage_rises_and_is_flat_between():
    table = tables.Table(((0.0, 2.0), (1.0, 3.0), (2.0, 7.0)), 0.25)
    found = [table.at(x) for x in (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 9.0)]
    assert found == pytest.approx([2.0, 2.0, 2.5, 3.0, 5.0, 7.0, 7.0])
    values = [cells.OCV_V.at(-0.05 + i / 1000) for i in range(1101)]
    assert all(a < b for a, b in zip(values, values[1:]))
    flat = [cells.OCV_V.at(soc) for soc in (0.1, 0.2, 0.5, 0.9)]
    assert flat == pytest.approx([3.19, 3.24, 3.30, 3.34], abs=0.012)


def test_open_circuit_voltage_is_that_of_a_measured_cell(shared):
    for low, high, tolerance_V in ((0.02, 0.10, 0.03), (0.10, 0.95, 0.012), (0.95, 0.995, 0.02)):
        for row in _reference(shared, "v2_CLFP_Sony_US26650_OCV.csv"):
            if low <= float(row["SOC"]) <= high:
                assert cells.OCV_V.at(float(row["SOC"])) == pytest.approx(
                    float(row["OCV"]), abs=tolerance_V
                )


def test_resistance_falls_as_the_cell_warms():
    of_temperature = [cells.R_OF_TEMPERATURE.at(degC) for degC in (10, 25, 40)]
    assert of_temperature == pytest.approx([1.45, 1.0, 0.79], rel=0.06)


def test_resistance_is_that_of_a_measured_cell(shared):
    rows = _reference(shared, "v2_CLFP_Sony_US26650_Rint.csv")
    middle = rows[4:7]
    for key, degC in (("R_DCh(T=10)", 10.0), ("R_DCh(T=40)", 40.0)):
        measured = sum(float(row[key]) / float(row["R_DCh(T=25)"]) for row in middle) / 3
        assert cells.R_OF_TEMPERATURE.at(degC) == pytest.approx(measured, rel=0.06)
    middle = [float(row["R_Ch(T=25)"]) for row in rows[4:7]]
    ours = cells.OHMIC_OHM_280AH + cells.POLARISATION_OHM_280AH
    assert ours == pytest.approx(sum(middle) / 3 * 3 / 280, rel=0.15)


def _volts(module, depth, cell_ohm, current_A):
    found = []
    for slope, shift, offset, factor, position in module.cells:
        emf_V = cells.OCV_V.at(1.0 - depth * slope - shift) + offset
        found.append((emf_V - current_A * cell_ohm * factor, position))
    return found


@pytest.mark.parametrize("seed", range(2))
@cases("""soc  current_A
    0.5  0.0 | 0.5  140.0 | 0.5  -140.0 | 0.02  140.0 | 0.98  -140.0""")
def test_extremes_are_those_of_all_cells(seed, soc, current_A):
    module = cells.ModuleCells(3, 16, random.Random(seed))
    module.scan(1.0 - soc, 0.2e-3, current_A)
    everyone = _volts(module, 1.0 - soc, 0.2e-3, current_A)
    assert (module.low[0], module.low[3]) == pytest.approx(min(everyone))
    assert (module.high[0], module.high[3]) == pytest.approx(max(everyone))
    volts, emf, ohm, position = module.low
    assert volts == pytest.approx(emf - current_A * ohm)
    assert 96 <= position < 112
    whole_V = sum(v for v, _ in _volts(module, 1.0 - soc, 0.0, 0.0))
    # the mean cell, bent at the knee
    assert module.emf_V == pytest.approx(whole_V, rel=0.005 if soc < 0.1 else 0.0005)
    assert module.resistance_ohm == pytest.approx(0.2e-3 * sum(cell[3] for cell in module.cells))


def test_offset_cells_move_and_are_the_extreme_ones():
    deal = random.Random(0)
    modules = [cells.ModuleCells(m, 16, deal) for m in range(15)]
    for module in modules:
        module.scan(0.5, 0.18e-3, 0.0)
    assert 0.005 < max(m.high[0] for m in modules) - min(m.low[0] for m in modules) < 0.03
    module = cells.ModuleCells(2, 16, random.Random(1))
    module.scan(0.5, 0.18e-3, 0.0)
    before = module.low, module.high, module.emf_V
    for cell, offset_V in ((3, -0.3), (9, 0.4), (3, -0.5)):
        module.offset_cell(cell, offset_V)
    module.scan(0.5, 0.18e-3, 0.0)
    assert (module.low[3], module.high[3]) == (64 + 3, 64 + 9)
    assert module.low[0] == pytest.approx(2.8, abs=0.02)
    assert module.high[0] == pytest.approx(3.7, abs=0.02)
    assert module.emf_V == pytest.approx(before[2] - 0.1)
    for cell in (3, 9):
        module.offset_cell(cell, 0.0)
    module.scan(0.5, 0.18e-3, 0.0)
    assert module.low == pytest.approx(before[0]) and module.high == pytest.approx(before[1])
    assert module.emf_V == pytest.approx(before[2])
    for dt_s in (0.1, 0.7, 1.0, 5.0):
        module = cells.ModuleCells(2, 16, random.Random(1))
        module.move_cell(5, -0.9, 3.0)
        module.move(dt_s)
        assert module.fault_offsets_V[5] == pytest.approx(max(-0.9, -0.3 * dt_s))
        for _ in range(40):
            module.move(dt_s)
        assert module.fault_offsets_V[5] == -0.9 and not module.moving
