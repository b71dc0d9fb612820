"""Which load a run has: a file, a scenario's, or the built-in training job."""

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.loads import selection, shape
from hil.scenarios import scenario

ROWS = "".join(f"{t},{100 + t}\n" for t in range(0, 60, 2))


def of_scenario(load):
    table = {"name": "x", "title": "x", "duration_s": 50, "expect": [], "load": load}
    return scenario.parse(table, "x.toml")


STEPS = of_scenario({"kind": "steps", "steps_kW": [[0, 300], [30, 400]]})


def order(file=None, duration_s=60.0, **changes):
    usual = {"column": None, "scale": 1.0, "raw": False, "seed": 1, "duration_s": duration_s}
    return {"file": file and str(file), **usual, **changes}


def trace(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("t_s,a_kW\n" + ROWS)
    return path


def test_a_file_comes_before_a_scenarios_load(tmp_path):
    load = selection.load_of(order(trace(tmp_path), scale=2.0))
    powers_kW = [load.power(t_s) / 1e3 for t_s in (0, 30, 31, 32, 88, 500)]
    assert powers_kW == [200, 200, 202, 204, 316, 316]
    assert (load.duration_s, load.from_us) == (30 + 58, 30_000_000)
    assert load.about == {
        "file": str(tmp_path / "load.csv"),
        "column": "a_kW",
        "scale": 2.0,
        "rows_refused": 0,
        "rows_read": 30,
        "gaps_cut": 0,
    }
    load = selection.load_of(order(duration_s=None), STEPS)
    assert [load.power(t_s) for t_s in (0, 29.9, 30, 49)] == [300e3, 300e3, 400e3, 400e3]
    assert (load.duration_s, load.from_us, load.about["column"]) == (50, None, "steps")
    assert selection.load_of(order(trace(tmp_path)), STEPS).about["column"] == "a_kW"
    path = trace(tmp_path)
    of_file = of_scenario({"kind": "file", "file": str(path), "scale": 0.5})
    load = selection.load_of(order(), of_file)
    assert load.power(30) == 50e3 and load.about["scale"] == 0.5


def test_the_built_in_load_is_a_training_job_that_fits_the_cabinet():
    settings = configuration.load(EXAMPLE)
    peak_W = selection.peak_W(settings)
    rated_W = settings.unit_tables[0]["rated_W"]
    assert selection.battery_W(settings) == rated_W and selection.carried_W(settings) == 750e3
    load = selection.load_of(order(duration_s=600, peak_W=peak_W))
    assert (load.from_us, load.duration_s, load.about["column"]) == (None, 600, "training")
    powers_W = [load.power(t_s / 5) for t_s in range(3000)]
    assert 0.98 * peak_W < max(powers_W) <= peak_W
    assert 0.8 * rated_W < peak_W * (1 - shape.IDLE[0]) <= rated_W
    runs = ((1, 60), (1, 4000), (2, 60))
    loads = [selection.load_of(order(seed=seed, duration_s=of_s)) for seed, of_s in runs]
    short, long, other = ([load.power(t_s / 10) for t_s in range(600)] for load in loads)
    assert short == long != other
    assert min(short[400:]) < 0.75 * max(short), "an evaluation in the first minute"
    assert selection.load_of(order()).power(10) == loads[0].power(10), "the default peak"
