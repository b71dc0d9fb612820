"""One day of a system in value mode beside the chain-only run."""

import numpy as np
import pytest
from test_live import TABLE

from hil.systems import run, spec, value_day, watched

DAYS = 2


def chain(slots_per_day):
    """A run whose rows count the slots, and whose seconds count themselves."""
    count = DAYS * slots_per_day
    slots = np.arange(count, dtype=float)
    seconds_W = np.arange(2 * count * value_day.SLOT_S, dtype=np.float32).reshape(2, -1)
    soc = 0.5 + slots / 1000
    rows = [slots] * 5
    series, given = run.Series(*[slots] * 4), spec.of_table(TABLE, "test")
    kept = watched.Watched(slots, slots, slots, slots, 0.5)
    return run.Result(given, series, *rows, soc, slots, seconds_W, 0.0, {}, kept)


def test_a_day_of_a_run_is_a_run_of_one_day():
    whole = chain(value_day.SLOTS_PER_DAY)
    first, second = (value_day.day_of(whole, day) for day in (1, 2))
    assert second.spec.days == 1 and (second.spec.start - first.spec.start).days == 1
    for name in ("grid_W", "soc", "seconds_W"):
        both = np.concatenate([getattr(each, name) for each in (first, second)], axis=-1)
        assert np.array_equal(both, getattr(whole, name))
    assert np.array_equal(second.series.price, whole.series.price[96:])


@pytest.mark.parametrize(("day", "begin_s", "soc"), [(1, 0, 0.5), (2, 86_400, 0.595)])
def test_it_begins_with_the_charge_of_its_midnight(monkeypatch, day, begin_s, soc):
    def pod(spec_, folder, *arguments):
        assert arguments == (begin_s, pytest.approx(soc), True, {})
        raise StopIteration

    monkeypatch.setattr(value_day, "LivePod", pod)
    with pytest.raises(StopIteration):
        value_day.document(chain(value_day.SLOTS_PER_DAY), {}, day)


def test_its_records_are_those_of_the_real_controller(monkeypatch):
    monkeypatch.setattr(value_day, "SLOT_S", 8)
    monkeypatch.setattr(value_day, "SLOTS_PER_DAY", 1)
    found = value_day.document(chain(1), {}, 1)
    assert found["modes"] == ["value, 100 ms", "chain only, 1 s"]
    assert found["trips"] == found["violations"] == []
    (peak,) = found["figures"]
    assert peak["reached"] == [200.0, pytest.approx(0.007)]
    assert found["soc_end"][0] == pytest.approx(0.5, abs=0.002)
    text = "\n".join(value_day.lines(found | {"trips": [{"stage": "50c", "t_s": 3.25}]}))
    assert "rows that tripped in value mode: 50c after 3.2 s" in text
    assert text.splitlines()[0].split() == "day 1 value, 100 ms chain only, 1 s".split()
