"""Nuisance: which loads, what counts as a stop, and what a count of trips allows to say."""

import pytest
from in_process import refused, written

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.nuisance import courses
from hil.campaigns.nuisance.command import mean_max
from hil.scenarios.scenario import Action

FINE = {"trips": [], "is_running": True}
TRIPS = {"59d": "alarms", "48a": "stops", "19a": "limits"}


def trip(stage):
    return {"row": 0, "stage": stage, "scope": "cabinet", "t_s": 40.0}


@pytest.fixture
def folder(tmp_path):
    """Two small loads: 1 kW with the channels of its meter, and one that the grid carries."""
    (tmp_path / "b.csv").write_text("t_s,total_W,ch1_W,x\n0,500,1,1\n1,1000,1,1\n2,500,1,1\n")
    (tmp_path / "a.csv").write_text("t_s,a_kW,b_kW\n0,100,300\n1,100,400\n")
    return tmp_path


def test_every_power_column_of_every_file_is_a_load(folder):
    found = [courses.Course("as built", *each, 1.0, 1).load for each in courses.measured(folder)]
    assert found == ["a a_kW", "a b_kW", "b total_W"]


def test_a_load_begins_again_at_its_end_and_fits_the_cabinet(folder):
    config = configuration.load(EXAMPLE)

    def at(file, column):
        power = courses.power_of(courses.Course("as built", folder / file, column, 9.0, 1), config)
        return [power(t_s) for t_s in (0.0, 30.0, 31.0, 31.5, 32.25)]

    peak_W = 284_000.0  # the built-in job's in this cabinet
    assert at("b.csv", "total_W") == [peak_W * k for k in (0.5, 0.5, 1.0, 0.75, 0.625)]
    assert at("a.csv", "b_kW") == [300e3, 300e3, 300e3, 350e3, 325e3]


@pytest.mark.parametrize("stage, kind", TRIPS.items())
def test_a_stage_is_counted_by_what_it_does(stage, kind):
    assert courses.kind_of(stage) == kind


def test_the_bound_is_that_of_the_poisson_distribution():
    """Exact 95 % limits of a counted mean (Garwood 1936)."""
    found = [mean_max(count) for count in (0, 1, 3, 100)]
    assert found == pytest.approx([2.9957, 4.7439, 7.7537, 118.08], rel=1e-4)


@pytest.mark.parametrize(
    "result, code",
    [
        (FINE, 0),
        (FINE | {"trips": [trip("59d")]}, 0),
        (FINE | {"trips": [trip("48a")]}, 1),
        (FINE | {"is_running": False}, 1),
    ],
)
def test_a_stop_of_a_sound_cabinet_is_an_exit_code(result, code, folder, monkeypatch, capsys):
    noisy = "noise, 42 degC"
    monkeypatch.setattr(
        courses, "run", lambda course: result if course.condition == noisy else FINE
    )
    document = written(folder, "trials nuisance --hours 2 --loads", folder, code=code)
    count = 4 if result["trips"] else 0
    kind = TRIPS[result["trips"][0]["stage"]] if count else "stops"
    assert [document["groups"][name]["hours"] for name in (noisy, "all")] == [8.0, 32.0]
    assert document["groups"]["all"][kind]["count"] == count
    assert document["groups"]["all"]["limits"]["per_1000_d_max"] == pytest.approx(2246.8, rel=1e-4)
    assert len(document["stopped"]) == 4 * code
    assert f"verdict    {16 - 4 * code} of 16 cases ran on" in capsys.readouterr().out


@pytest.mark.parametrize("at_s, stages", [(20, []), (26, ["6a"])])
def test_trips_after_the_start_are_counted(at_s, stages, monkeypatch):
    """Trouble of the fire panel trips after 5 s, and stops nothing."""
    trouble = Action(at_s * 1_000_000, "fire_trouble", "fire_trouble", {"on": True})
    monkeypatch.setitem(courses.CONDITIONS, "trouble", (EXAMPLE, {}, (trouble,)))
    found = courses.run(courses.Course("trouble", None, None, 2.0, 1))
    assert [trip["stage"] for trip in found["trips"]] == stages and found["is_running"]


def test_a_folder_with_a_bad_load_is_refused(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("t_s,a_kW\n0,x\n")
    line = refused(capsys, "trials nuisance --loads", tmp_path)
    assert line.startswith(f"trials nuisance: {tmp_path}/a.csv: 0 of 1 rows usable in a_kW")
