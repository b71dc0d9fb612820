"""A system on the rig: sun, load and schedule are those of the hour at which it begins."""

import pytest
import test_systems

from hil.systems import live, run, spec

TABLE = test_systems.TABLE | {
    "days": 2,
    "battery": {"units": 1, "racks_per_unit": 1, "rated_W": 250_000, "energy_Wh": 645_000},
    "prices": {"kind": "time_of_use", "valley": 0.1, "flat": 0.2, "peak": 0.9,
               "valley_hours": [[0, 6]], "peak_hours": [[18, 21]]},
    "schedule": {"cap_W": 400_000},
}  # fmt: skip
SOC = 0.5


def pod_at(tmp_path, hour, seconds, site=None):
    chosen = spec.of_table(TABLE | {"site": TABLE["site"] | (site or {})}, "test")
    pod = live.LivePod(chosen, tmp_path, hour * 3600, SOC, {})
    return pod.run(seconds)


@pytest.mark.parametrize(("hour", "is_day"), [(0, False), (12, True), (36, True)])
def test_the_sun_is_that_of_the_hour(tmp_path, hour, is_day):
    sun = {"pv": {"rated_W": 900_000, "cloud_cover_permille": 0}}
    (pv,) = pod_at(tmp_path, hour, 2, sun).site.parts
    assert (pv.feeds_W > 10_000) == is_day


def test_files_of_weather_and_sun_begin_at_the_hour(tmp_path):
    hours = "".join(f"0,{hour / 100 - 40:.2f}\n" for hour in range(8759))
    (tmp_path / "year.csv").write_text(f"ghi_W_per_m2,air_degC\n{hours}500,0\n")
    minutes = "".join(f"{60 * at},{10 * at}\n" for at in range(2880))
    (tmp_path / "pv.csv").write_text(f"t_s,pv_W\n{minutes}")
    inputs = {name: str(tmp_path / f"{name}.csv") for name in ("year", "pv")}
    table = TABLE | {"site": TABLE["site"] | {"pv": {"rated_W": 900_000}}}
    inputs |= {"weather": inputs["year"], "pv_column": "pv_W"}
    pod = live.LivePod(spec.of_table(table, "test"), tmp_path, 30 * 3600, SOC, inputs)
    outside_degC = pod.site.weather.outside_degC(1800)
    assert outside_degC == pytest.approx((152 * 24 + 6) / 100 - 40)
    pod.run(2)
    (pv,) = pod.site.parts
    assert pv.available_W == pytest.approx(18_000, abs=1)


@pytest.mark.parametrize(("hour", "charges"), [(5, True), (19, False)])
def test_the_schedule_moves_the_battery_at_its_hour(tmp_path, hour, charges):
    """It charges at the end of the valley, because each hour of it costs alike; not at the peak."""
    (unit,) = pod_at(tmp_path, hour, 90).members[0].plant.pcs
    assert (unit.ac_power_W < -20_000) == charges


def test_a_new_schedule_comes_at_midnight(tmp_path):
    pod = live.LivePod(spec.of_table(TABLE, "test"), tmp_path, run.DAY_S - run.SLOT_S, SOC, {})
    tables = []
    cabinet = pod.members[0].controller.cabinet
    cabinet.image.add_schedule = tables.append
    pod.step()
    pod.now_us = run.SLOT_S * 1_000_000
    pod.step()
    assert [table.start_min - tables[0].start_min for table in tables] == [0, 15]
