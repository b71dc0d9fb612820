"""The door by which a load passes, what each rival does, and what is off."""

import numpy as np
import pytest

from hil.campaigns.smooth import followers, rivals
from tests.tables import cases

SECOND, PEAK_W = 50, 400_000.0


def row(ours, plain, no_battery, **more):
    """Range in 5 s, change in 15 s and line of three ways; the rivals have those of plain."""
    ways = {"ours": ours, "plain": plain, "high_pass": plain, "ramp_limit": plain}
    found = {
        name: dict(zip(rivals.FIGURES, each))
        for name, each in {**ways, "no_battery": no_battery}.items()
    }
    rms = {"ours": 5.0, "plain": 6.0, "high_pass": 6.0, "ramp_limit": 6.0}
    about = {"load": "a", "kind": "held", "path": "60", "rules": found, "rms_2s_pct": rms}
    return about | more


@cases("""
    ours           plain         no_battery    door
    (31, 41, 1.1)  (30, 40, .1)  (60, 80, 5)   "follows"
    (31.1, 41, 1)  (30, 40, .1)  (60, 80, 5)   "harms nobody"
    (31, 41.1, 1)  (30, 40, .1)  (60, 80, 5)   "harms nobody"
    (31, 41, 1.2)  (30, 40, .1)  (60, 80, 5)   "harms nobody"
    (61, 81, 6)    (90, 90, .1)  (60, 80, 5)   "harms nobody"
    (61.1, 81, 6)  (90, 90, .1)  (60, 80, 5)   "neither"
    (50, 30, .1)   (40, 40, .1)  (60, 20, 5)   "neither"
""")
def test_a_load_is_followed_or_left_alone_by_all_three_figures(ours, plain, no_battery, door):
    assert rivals.door(row(ours, plain, no_battery)) == door


@pytest.mark.parametrize("more", ({"kind": "lin"}, {"kind": "jit"}, {"path": "170"}))
def test_joined_samples_and_slow_paths_are_not_judged(more):
    bad = row((90, 90, 9), (1, 1, 1), (1, 1, 1), **more)
    assert rivals.door(bad) is None
    assert rivals.means([bad]) == [] and rivals.missed([bad], []) == []


def test_a_load_behind_no_door_and_a_mean_behind_a_rival_are_off():
    fine, bad = (
        row((30, 40, 0.2), (30, 40, 0.1), (60, 80, 5)),
        row((62, 81, 1), (30, 4, 3), (60, 80, 5)),
    )
    rows = [fine, bad]
    (found,) = rivals.means(rows)
    assert found["ours"] == {"range_5s": 46, "line": 0.6, "rms_2s": 5}
    assert found["no_battery"]["rms_2s"] == 100 and found["loads"] == 2
    assert rivals.missed(rows, [found]) == [
        "a, held, 60 ms: neither follows nor harms nobody",
        "60 ms: mean of range in 5 s 46.00, plain following 30.00",
        "60 ms: mean of range in 5 s 46.00, high pass of 60 s 30.00",
        "60 ms: mean of range in 5 s 46.00, ramp limit of 0.2 %/s 30.00",
    ]


def references_W(rival, load_W, soc=0.55):
    found = followers.RIVALS[rival](load_W, PEAK_W)
    return np.array([load_W[at] - found.request_W(at, soc, 0.0) for at in range(len(load_W))])


def test_the_high_pass_keeps_a_step_for_a_minute():
    load_W = np.repeat([100_000.0, 200_000.0], [1, 60 * SECOND])
    assert references_W("high_pass", load_W)[-1] == pytest.approx(163_200, rel=0.001)


def test_the_ramp_limit_moves_the_grid_by_a_500th_of_the_peak_in_a_second():
    load_W = np.repeat([100_000.0, 200_000.0], [1, 60 * SECOND])
    assert references_W("ramp_limit", load_W)[-1] == pytest.approx(148_000)
    assert references_W("ramp_limit", load_W[::-1])[60 * SECOND] == pytest.approx(199_984, abs=20)


@pytest.mark.parametrize("rival", followers.RIVALS)
def test_a_rival_brings_the_charge_back(rival):
    load_W = np.full(SECOND, 100_000.0)
    assert references_W(rival, load_W, 0.5)[-1] > 100_000 > references_W(rival, load_W, 0.6)[-1]
