"""Parts beside the controller that fail during a run."""

import numpy as np
import pytest
import test_systems

from hil.systems import command, failures, run, spec, violations

NAMES = "a", "b", "c"


@pytest.mark.parametrize("seed", (1, 2))
def test_each_part_fails_once_a_day_and_one_part_at_a_time(seed):
    found = failures.drawn(seed, 30, NAMES)
    assert [begin_s for _, begin_s in found] == sorted(begin_s for _, begin_s in found)
    for day in range(30):
        names = [name for name, begin_s in found if begin_s // failures.DAY_S == day]
        assert sorted(names) == list(NAMES)
    gaps_s = np.diff([begin_s for _, begin_s in found])
    assert gaps_s.min() >= failures.FOR_S and len(set(gaps_s.tolist())) > 50
    assert found != failures.drawn(seed + 2, 30, NAMES)


def test_a_part_is_silent_from_its_second_on_until_the_next_failure():
    pair = [failures.Failure("a", 100), failures.Failure("b", 700)]
    silent = {100: frozenset("a"), 700: frozenset("b"), 1300: frozenset()}
    assert failures.changes(pair) == silent
    is_so = np.zeros(2000, bool)
    is_so[[99, 100, 699, 700, 1300]] = True
    assert failures.silent_in(pair, is_so) == {"a": 2, "b": 1}


BATTERY = {"energy_Wh": 4_000_000, "control": {"grid_import_W_max": 380_000}}
SITE = {"load": {"kind": "constant", "power_W": 400_000}, "connection": {"import_W": 410_000}}
TABLE = test_systems.TABLE | {
    "soc_permille": 800,
    "battery": test_systems.TABLE["battery"] | BATTERY,
    "site": SITE,
    "schedule": {"cap_W": 350_000, "is_trading": False},
    "figure": [{"name": "import_1s", "text": "import", "status": "projected"}],
}


@pytest.fixture(scope="module")
def found():
    return run.run(spec.of_table(TABLE, "test"), {"failures": True})


@pytest.mark.whole
def test_no_failure_lifts_the_import_above_the_connection(found):
    assert sorted({name for name, _ in found.failures}) == sorted((*failures.PARTS, "clock_1"))
    assert violations.of(found) == []
    document = command.document("test", "", found)
    assert "  silent for 10 min a day: clock_1, meter_grid, meter_load, sender" in command.lines(
        document
    )


@pytest.mark.whole
def test_each_failure_does_what_it_is_for(found):
    """The import of its last minute is by the schedule, or at the limit of the controller. Without
    the grid meter the slot goes on, and its cap does not.
    """
    for name, begin_s in found.failures:
        cap_W = found.watched.cap_W[(begin_s + 570) // 900]
        kept_W = {"meter_load": (cap_W - 10e3, cap_W + 2e3), "meter_grid": (320e3, 380e3)}
        low_W, high_W = kept_W.get(name, (378e3, 380e3))
        last_W = found.seconds_W[1, begin_s + 540 : begin_s + 600]
        assert low_W <= last_W.min() and last_W.max() <= high_W, name


def test_the_violations_name_the_silent_part(monkeypatch):
    """Only the minute around the first failure of the day passes."""
    step = run.Run.second

    def second(made, at_s):
        if abs(at_s - made._failures[0].begin_s) < 30:
            step(made, at_s)

    monkeypatch.setattr(run.Run, "second", second)
    found = run.run(spec.of_table(TABLE, "test"), {"failures": True})
    assert violations.of(found) == []
    name, begin_s = found.failures[0]
    result = found._replace(seconds_W=found.seconds_W.copy())
    result.seconds_W[1, begin_s : begin_s + 3] = 420_000
    assert violations.of(result) == [f"import above 410 kW in 3 s, by 10 kW; {name} silent: 3 s"]
