"""Counters of a cabinet's life: equal to the record, counted once, kept through kill and damage."""

import contextlib
import json
import sqlite3

import fastjsonschema
import pytest
from recorder_bench import UTC_US, Bench, estop, release

from controller.state import record, schema
from controller.store import lifetime
from controller.system.utc import EARLIEST_US


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, [estop(3), release(4)]).start_recorder()
    yield made
    made.close()


def shown(bench):
    return record.Record(str(bench.state_dir)).summary()["lifetime"]


def in_record(bench):
    """The same of the rows of the record."""
    seconds = bench.query("SELECT battery_W, state FROM seconds")
    energy_J = [each or 0 for each, _ in seconds]
    count = "SELECT count(*) FROM events WHERE kind = ?"
    return {
        "given_Wh": sum([each for each in energy_J if each > 0]) // 3600,
        "taken_Wh": -sum([each for each in energy_J if each < 0]) // 3600,
        "running_s": [state for _, state in seconds].count("running"),
        "recorded_s": len(seconds),
        **{f"{kind}s": bench.query(count, (kind,))[0][0] for kind in ("start", "trip")},
    }


def counted(bench):
    found = shown(bench)
    assert found["health"] == [{"month": "2027-01", "soh_permille": 986}]
    assert UTC_US <= found["since_utc_us"] < UTC_US + 3_000_000
    return {key: each for key, each in found.items() if key not in ("health", "since_utc_us")}


@pytest.mark.parametrize("cuts_s", [[12], [1, 2.5, 3.06, 5.4]])
def test_counters_are_those_of_the_record_however_often_it_is_killed(bench, cuts_s):
    for cut_s in cuts_s:
        bench.run(cut_s).kill_recorder().start_recorder()
    bench.run(1).recorder.close()
    bench.recorder = None
    whole = schema.schema()
    form = fastjsonschema.compile(whole["properties"]["record"] | {"$defs": whole["$defs"]})
    form(record.Record(str(bench.state_dir)).summary())
    assert counted(bench) == in_record(bench)
    assert counted(bench)["trips"] and counted(bench)["starts"] == 1


def test_counters_outlast_a_damaged_database_and_removed_seconds(bench):
    bench.run(12).kill_recorder()
    with contextlib.closing(sqlite3.connect(bench.path)) as connection:
        connection.execute("DROP TABLE links")
    (bench.run_dir / "record.head").unlink()  # after a restart of the box
    bench.start_recorder().run(0.1).recorder.close()
    bench.recorder = None
    assert (bench.state_dir / "record.db.damaged").exists()
    assert counted(bench) == in_record(bench)


@pytest.mark.parametrize("kept", [None, [], "x", {"given_J": -1, "health": 3}, {"trips": True}])
def test_what_is_no_count_begins_at_zero(kept):
    found = lifetime.facts(kept)
    assert found.pop("health") == [] and found.pop("since_utc_us") is None
    assert set(found.values()) == {0}


def test_seconds_without_power_or_time_count_no_energy_and_no_month():
    counters = lifetime.Lifetime()
    counters.second(None, False, EARLIEST_US - 1, 990)
    counters.second(-7200, True, EARLIEST_US, 990)
    counters.second(3600, True, EARLIEST_US + 1, None)
    found = lifetime.facts(json.loads(json.dumps(counters.content)))
    assert found == {
        "since_utc_us": EARLIEST_US, "given_Wh": 1, "taken_Wh": 2, "running_s": 2, "recorded_s": 3,
        "starts": 0, "trips": 0, "health": [{"month": "2026-01", "soh_permille": 990}],
    }  # fmt: skip
