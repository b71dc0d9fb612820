"""Chain-only mode against value mode; the windows of a run."""

from array import array

import numpy as np
import pytest

from controller.config import configuration
from controller.core.tracking.repetition import Repetition
from controller.core.tracking.samples import Samples
from controller.sites import EXAMPLE, FOLDER
from hil.loads.trace import synthetic_load
from hil.results.windows import WINDOW, Windows
from hil.values.chain_only import ChainOnly
from hil.values.repetition import QuickRepetition
from hil.values.rig import ValueRig
from hil.values.segment import load_of
from safety import signals as s

CONFIG_100 = configuration.load(EXAMPLE, tick_ms=100)
TRACE = synthetic_load(1, 1000.0, 284_000.0, "training")


def load(t_s):
    return TRACE(max(t_s, 60.0))


@pytest.mark.whole
def test_chain_only_gives_the_charge_and_the_grid_energy_of_value_mode():
    rig, chain = ValueRig(CONFIG_100, load, 1, (), {"soc": 0.5}), ChainOnly(CONFIG_100, load, 0.5)
    rig.run(300)
    rows = rig.recorder.rows()
    grid_J = 0.0
    for _ in range(300):
        chain.step()
        grid_J += chain.grid_W
    soc_permille = rows["soc_permille"][-1]
    assert abs(chain.soc * 1000.0 - soc_permille) < 1.0
    assert grid_J == pytest.approx(rows["grid_W"].mean() * 300, rel=0.005)


@pytest.mark.parametrize("file", [EXAMPLE, FOLDER / "three_units" / "cabinet.toml"])
def test_the_limits_of_chain_only_are_those_of_the_kernel(file):
    config = configuration.load(file, tick_ms=100)
    rig = ValueRig(config, lambda t_s: 200_000.0, 1, (), {"soc": 0.5}).run(40)
    chain = ChainOnly(config, lambda t_s: 200_000.0, 0.5)
    for _ in range(40):
        chain.step()
    core = rig.controller.cabinet.core
    limits = (
        (s.CHARGE_W_MAX, chain.loop.limits.charge_W),
        (s.DISCHARGE_W_MAX, chain.loop.limits.discharge_W),
    )
    for signal, found_W in limits:
        units = range(config.units)
        kernel_W = [core.kernel.out[core.layout.unit_output(unit, signal)] for unit in units]
        assert list(found_W) == kernel_W and min(kernel_W) > 200_000


@pytest.mark.parametrize(("soc", "is_kept"), [(0.09, True), (0.6, False)])
def test_chain_only_keeps_the_hard_reserve(soc, is_kept):
    chain = ChainOnly(CONFIG_100, lambda t_s: 200_000.0 + 100_000.0 * (t_s % 20 >= 10), soc)
    highest_W = 0.0
    for _ in range(60):
        chain.step()
        highest_W = max(highest_W, chain.battery_W)
    assert (highest_W == 0.0) == is_kept


def test_a_full_battery_of_chain_only_takes_nothing_more():
    chain = ChainOnly(CONFIG_100, lambda t_s: 200_000.0 - 150_000.0 * (t_s > 30), 0.9995)
    for _ in range(120):
        chain.step()
    assert chain.battery_W > -2000.0


def test_the_quick_repetition_has_the_words_of_the_product():
    draw = np.random.default_rng(3)
    made = [kind(Samples(700), 100) for kind in (Repetition, QuickRepetition)]
    for step in range(1500):
        load_W = 200_000 + 40_000 * (step % 37 < 9) + int(draw.integers(-3000, 3000))
        for each in made:
            each._samples.append(load_W)
            each.learn(1 if step % 50 else 2)
        assert made[0].words == made[1].words
    assert made[0].correlation == made[1].correlation and made[0].is_found
    made[1].begin()
    assert made[1].correlation == array("q", bytes(8 * len(made[1].correlation)))


def test_windows_hold_means_extremes_and_energies(tmp_path):
    windows = Windows(tmp_path, 100.0)
    for step in range(1, 20_001):  # 2000 s, the first 100 s are of the lead
        t_s = step / 10
        battery_W = 1000.0 if step % 2 else -3000.0
        windows.add(t_s, (5000.0, 5000.0 - battery_W, battery_W), 500.0, 20.0 + t_s / 1000)
    windows.close()
    counts = {}
    for length_s in (1, 10, 900):
        rows = np.fromfile(tmp_path / f"windows_{length_s}s.bin", WINDOW)
        counts[length_s] = len(rows)
        assert rows["battery_W"] == pytest.approx(-1000.0, abs=1)
        assert set(rows["battery_W_min"]) == {-3000.0} and set(rows["battery_W_max"]) == {1000.0}
        assert rows["grid_W"] == pytest.approx(6000.0, abs=1)
    assert counts == {1: 1900, 10: 190, 900: 3}  # the last one is not whole
    found = windows.figures()
    assert found["time_s"] == pytest.approx(1900.0)
    assert found["charge_Wh"] == pytest.approx(3000 * 950 / 3600)
    assert found["discharge_Wh"] == pytest.approx(1000 * 950 / 3600)
    assert found["import_Wh"] == pytest.approx(6000 * 1900 / 3600)
    assert found["import_15min_W_max"] == pytest.approx(6000.0)
    assert found["degC_max"] == pytest.approx(22.0)


def test_a_load_of_days_is_the_same_whenever_it_is_asked():
    job = {"file": None, "seed": 1, "peak_W": 284_000.0}
    days, again = load_of(job), load_of(job)
    later = [again(t_s) for t_s in (90_000.0, 200_000.0)]
    assert [days(t_s) for t_s in (10.0, 90_000.0, 200_000.0)][1:] == later
    assert later[0] != later[1]
