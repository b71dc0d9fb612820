"""The same scenario at a tick of 10 and of 20 ms: the same times, whatever is counted in ticks."""

import numpy as np
import pytest
from slow import whole
from test_scenarios import rig_of

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig
from hil.scenarios import scenario
from safety import signals as s

# polls of devices have other phases, and each step of the relay test waits for a poll
NEAR_S, POWER_W = 0.25, 4000.0
MEAN_S = 2.0
DEEPEST = 8  # parts of parts that are looked into


def played(name, tick_ms):
    """(stages with their scopes and times, run states with theirs, mean powers of the battery)."""
    chosen = scenario.load(name)
    rig, _ = rig_of(chosen, configuration.load(EXAMPLE, tick_ms=tick_ms))
    rig.run(chosen.duration_s)
    assert rig.observer.violations == []
    rows = rig.recorder.rows()
    trips = {(each["stage"], each["scope"]): each["t_s"] for each in rig.trips.trips}
    changes = [0, *np.flatnonzero(np.diff(rows["state"])) + 1]
    lasted_s = np.diff([*rows["t_us"][changes], rows["t_us"][-1]]) / 1e6
    # READY and INHIBITED last a tick on the way to CLOSING
    states = [
        (int(rows["state"][at]), rows["t_us"][at] / 1e6)
        for at, each_s in zip(changes, lasted_s)
        if each_s > NEAR_S
    ]
    bins = (rows["t_us"] / 1e6 // MEAN_S).astype(int)
    means_W = np.bincount(bins, rows["battery_W"]) / np.bincount(bins)
    return trips, states, means_W


def counts(one, place, found):
    """Put each number of `one` whose name says that it counts ticks into `found`, by its place."""
    parts = dict(enumerate(one)) if isinstance(one, (list, tuple)) else {}
    parts |= one if isinstance(one, dict) else getattr(one, "__dict__", {})
    for name, part in parts.items():
        at = f"{place}.{name}"
        if at.count(".") > DEEPEST or name in ("config", "before"):
            continue
        if isinstance(part, int) and "ticks" in at:
            found[at] = part
        elif type(part).__module__.split(".")[0] in ("safety", "controller", "drivers", "builtins"):
            counts(part, at, found)
    return found


def test_every_count_of_ticks_of_a_started_controller_follows_the_tick():
    """A count that does not is a time that is half as long at 10 ms."""
    short, long = [
        counts(started(tick_ms).controller.cabinet, "cabinet", {}) for tick_ms in (10, 20)
    ]
    times = {at: number for at, number in short.items() if 0 < number < s.INT_MAX}
    assert len(times) > 50 and short.keys() == long.keys()
    apart = {at: (number, long[at]) for at, number in times.items()}
    assert not {at: pair for at, pair in apart.items() if abs(pair[0] - 2 * pair[1]) > 1}


def started(tick_ms):
    return VirtualRig(configuration.load(EXAMPLE, tick_ms=tick_ms), lambda t_s: POWER_W, 1)


@pytest.mark.parametrize(
    "name",
    whole("pcs_silent", "bms_silent", "estop", "hint_request", "contact_chatters", "reset_rests"),
)
def test_a_scenario_has_the_same_times_at_10_and_at_20_ms(name):
    (trips, states, means_W), (twin_trips, twin_states, twin_means_W) = [
        played(name, tick_ms) for tick_ms in (10, 20)
    ]
    assert set(trips) == set(twin_trips)
    assert trips == pytest.approx(twin_trips, abs=NEAR_S)
    assert [state for state, _ in states] == [state for state, _ in twin_states]
    assert np.array([at_s for _, at_s in states]) == pytest.approx(
        np.array([at_s for _, at_s in twin_states]), abs=2 * NEAR_S
    )
    off_W = np.abs(means_W - twin_means_W[: len(means_W)])
    assert np.median(off_W) < POWER_W / 4 and np.quantile(off_W, 0.9) < POWER_W
