"""A part of load tracking is off while it is named, and what it earns is counted by group."""

import numpy as np
import pytest
from in_process import refused

from hil.__main__ import main
from hil.campaigns.smooth import ablation, followers, spectra
from hil.campaigns.smooth.paths import PATHS
from tests.tables import cases

PATH = PATHS["60"]


def grid_W(load_W, path):
    return followers.ours(load_W, path).grid_W


@pytest.fixture(scope="module")
def moving():
    """[(load, path, what the grid feeds with all parts)] of loads that reach every part."""
    kinds = [spectra.power_W(kind, 1, 1)[:3000] for kind in ("square", "square+tone")]
    hum_W = 250_000 + np.random.default_rng(0).normal(0, 3000, 3000)
    swings_W = np.tile(np.repeat([250_000.0, 410_000.0], 200), 3)
    rest_W = np.concatenate([swings_W, hum_W, swings_W])
    found = [(each, PATH) for each in (*kinds, spectra.ramp_W(700)[:2000], rest_W)]
    return [(*each, grid_W(*each)) for each in found]


@pytest.mark.parametrize("name", ablation.PARTS)
def test_each_part_can_be_off_and_is_back_afterwards(name, moving):
    owner, attribute, _ = ablation.PARTS[name]
    before = getattr(owner, attribute)
    with ablation.without(name):
        is_other = any(not np.array_equal(grid_W(*each), whole) for *each, whole in moving)
    assert is_other and getattr(owner, attribute) is before


def test_the_gain_of_a_part_is_what_the_grid_loses_without_it(monkeypatch):
    job = ablation.Job("tone 0", ablation.MADE, np.zeros(1), "60", ("judge", "change"))
    figures = iter([[10.0, 20.0, 1.0, 5.0], [12.0, 19.0, 1.0, 5.0], [12.0, 19.0, None, 5.0]])
    monkeypatch.setattr(ablation, "_figures", lambda load_W, path: next(figures))
    found = ablation.played(job)
    assert found == {"judge": [2.0, -1.0, 0.0, 0.0], "change": None}
    (row,) = ablation._rows("judge", ablation.MADE, [found["judge"], None, [0.0] * 4])
    assert row["mean"]["range_5s"] == 1 and row["earns"]["range_5s"] == 2 and row["loads"] == 2
    assert row["costs"]["change_15s"] == -1
    assert not list(ablation._rows("change", ablation.MADE, [None]))


def test_the_table_has_a_row_for_each_part_and_group(monkeypatch, capsys):
    monkeypatch.setattr(ablation, "DRAWN", 1)
    monkeypatch.setattr(ablation, "LENGTH_S", 30)
    given = "smooth --delays 60 --only training --processes 1 --without change"
    assert main(given.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("without") and lines[2].startswith("change ")
    assert "nearest 'change'" in refused(capsys, "smooth --without chang")


@cases("""
    given                                       line
    "--notices --spectra --range-kW 50"         "--notices, --spectra, --range-kW cannot stand"
    "--spectra --spectra-seeds 1"               "--spectra, --spectra-seeds cannot stand"
""")
def test_an_option_that_the_table_of_parts_would_ignore_is_refused(given, line, capsys):
    told = refused(capsys, f"smooth --without slope {given}")
    assert told.startswith(f"smooth: {line} beside --without")


def test_seeds_of_spectra_that_are_not_played_are_refused(capsys):
    line = refused(capsys, "smooth --spectra-seeds 1")
    assert "smooth: --spectra-seeds counts the seeds of --spectra" in line
