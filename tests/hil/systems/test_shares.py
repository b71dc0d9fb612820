"""The share of perfect foresight at 1 s beside that of the model on the same slots."""

import numpy as np
import pytest
from test_systems import made, result_of

from hil.systems import command, sender, series as system_series, shares, spec, verdict

OWN_W = 3000.0  # auxiliaries


def result(**changes):
    """A day of Berlin as the model itself would have run it."""
    chosen = spec.load("berlin")._replace(days=1, **changes)
    found, before = system_series.series_of(chosen, {}), system_series.before_of(chosen, {})
    seen = [each._replace(load_W=each.load_W + OWN_W) for each in (found, before)]
    done = sender.Sender(chosen, *seen).alone()
    one = result_of(chosen, found, np.array(done.grid_W))
    one.soc[:] += done.gained_J / 3600 / chosen.size.energy_Wh
    battery_W = found.load_W + OWN_W - found.pv_W - one.grid_W
    seconds_W = np.repeat([found.load_W, one.grid_W], 900, axis=1)
    one = one._replace(battery_W=battery_W, pv_W=found.pv_W, before=before, seconds_W=seconds_W)
    one = one._replace(battery_1s_W=np.repeat(battery_W, 900))
    return one._replace(account={"discharged": done.given_J})


def test_a_run_like_the_model_has_its_share_and_auxiliaries_are_apart():
    found = shares.of(result())
    assert found["at_1s"] == pytest.approx(found["by_model"], abs=0.1) and found["by_model"] > 50
    assert found["own_kWh"] == pytest.approx(72) and found["own_cost"] > 1
    assert shares.promise(found)[0].is_met


def test_clouds_within_a_quarter_cost_a_site_without_a_battery():
    """The meter counts what is bought: a mean sets the sun of one second against another one."""
    one = result()
    calm = shares.of(one)
    swings_W = np.tile([400e3, -400e3], 86400 // 2)
    cloudy = shares.of(one._replace(battery_1s_W=one.battery_1s_W + swings_W))
    net_W = one.load_W + OWN_W - one.pv_W
    more_W = np.maximum(0.0, net_W[:, None] + [[400e3, -400e3]]).mean(axis=1) - net_W.clip(min=0)
    price = one.series.price + one.spec.tariff["adder_per_kWh"]
    assert calm["clouds_cost"] == pytest.approx(0, abs=0.01)
    assert cloudy["clouds_cost"] == pytest.approx((more_W * price).sum() / 4000, rel=1e-6)
    assert cloudy["at_1s"] > calm["at_1s"] and cloudy["by_model"] == calm["by_model"]


def test_a_run_far_below_the_model_is_not_as_promised(monkeypatch):
    """Its page said that all promises are kept, beside an exit code of 1."""
    found = {"at_1s": 50.0, "by_model": 55.1, "clouds_cost": 0.0, "own_kWh": 0.0, "own_cost": 0.0}
    monkeypatch.setattr(shares, "of", lambda _: found)
    wrong = verdict.wrong(command.document("test", "", made(24)))
    assert wrong == ["below_model 5.1, asked <= 5"]


def test_an_outage_has_no_share():
    assert shares.of(result(outage_s=600)) is None
    assert shares.promise(None) == shares.lines(None, "EUR") == []
