"""The rivals of the benchmarks: their reports are read right; a missing one is a line."""

import os
import sys
from contextlib import closing

import pytest

from drivers.buses.crc import crc16
from hil.campaigns.benchmarks import cyclictest, lateness, libmodbus, machine, rtu, rtu_slave
from tests.tables import table


def report(counts, beyond=0, longest=None):
    """cyclictest's JSON as version 2.4 of rt-tests writes it."""
    thread = {
        "histogram": {str(us): count for us, count in counts.items()},
        "cycles": sum(counts.values()) + beyond,
        "max": longest or max(counts, default=0),
    }
    return {"file_version": 1, "num_threads": 1, "thread": {"0": thread}}


def test_percentiles_and_stalls_come_from_the_histogram():
    keys = "p50 p99 p99_9 max cycles stalls".split()
    reports = table("""
    {24: 500, 40: 489, 90: 10, 700: 1} | 24 | 90 | 90 | 700 | 1000 | 0
    {24: 9, 4999: 1} | 24 | 4999 | 4999 | 4999 | 10 | 0
    {24: 9, 5000: 1} | 24 | 5000 | 5000 | 5000 | 10 | 0
    {24: 9, 5001: 1} | 24 | 5001 | 5001 | 5001 | 10 | 1
""")
    every = {us: 1 for us in reversed(range(100))}
    for counts, *found in (*reports, (every, 49, 98, 99, 99, 100, 0)):
        assert cyclictest.parse(report(counts)) == dict(zip(keys, found))
    # cycles beyond the histogram count as the maximum
    longer = cyclictest.parse(report({24: 998}, 2, 400_000))
    assert [*longer.values()] == [24, 24, 400_000, 400_000, 1000, 2]
    with pytest.raises(ValueError, match="no values"):
        cyclictest.parse(report({}))


def test_without_cyclictest_one_line_says_how_to_get_it():
    with cyclictest.Cyclictest(program="no-such-cyclictest") as rival:
        pass
    assert rival.result is None and rival.value("p50") is None
    assert "apt-get install rt-tests" in rival.notes[0]


@pytest.mark.parametrize("tick_ms, stalls", [(10, 2), (20, 1)])
def test_a_stall_is_a_quarter_of_the_tick(tick_ms, stalls):
    found = cyclictest.parse(report({2500: 1, 2501: 1, 5001: 1}), tick_ms)
    assert found["stalls"] == stalls


def stand_in(folder, script, **settings):
    path = folder / "stand-in"
    path.write_text(f"#!{sys.executable}\nimport json, signal, sys\n{script}")
    path.chmod(0o700)
    return cyclictest.Cyclictest(program=str(path), **settings)


@pytest.mark.wire
def test_a_cyclictest_that_is_refused_is_quoted(tmp_path):
    with stand_in(tmp_path, "sys.exit('Unable to change scheduling policy!')") as rival:
        rival._process.wait(20)
    (note,) = rival.notes
    assert rival.result is None and "Unable to change scheduling policy!" in note
    assert len(note.splitlines()) == 1


@pytest.mark.wire
def test_its_report_is_read_after_its_end(tmp_path):
    # It opens the pipe when it is ready, so that the signal does not come before its handler.
    script = f"""
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
open({str(tmp_path / "ready")!r}, "w").close()
signal.sigwait([signal.SIGINT])
path = next(word for word in sys.argv if word.startswith("--json=")).removeprefix("--json=")
json.dump({report({30: 5, 6000: 1})!r}, open(path, "w"))
"""
    os.mkfifo(tmp_path / "ready")
    settings = {"tick_ms": 10, "core": 1}
    with stand_in(tmp_path, script, **settings) as rival, open(tmp_path / "ready"):
        pass
    assert rival.notes == [] and rival.result["max"] == 6000 and rival.value("stalls") == 1
    assert {"--interval=10000", "--affinity=1", "--priority=50"} <= set(rival._process.args)


FOUND = {"ticks": 100, "missed": 1, "late": 2, "runs": 0} | {
    "lateness_us": {"p50": 20, "p99": 60, "p99_9": 900, "max": 950}
}


def rival(**changes):
    made = cyclictest.Cyclictest(program="none")
    made.result = {"p50": 10, "p99": 40, "p99_9": 1000, "max": 1200, "cycles": 100, "stalls": 0}
    made.result |= changes
    return made


def test_the_loop_is_listed_beside_cyclictest():
    made = lateness.figures_of("idle", FOUND, rival(), "lateness_idle")
    figures = {each["what"]: each for each in made}
    tail, median = figures["idle, p99.9"], figures["idle, p50"]
    judged = [tail[key] for key in ("rival_value", "ratio", "limit", "met")]
    assert judged == [1000, 0.9, 1500, True] and (median["budget"], median["ratio"]) == (None, 2.0)
    assert figures["idle, ticks missed or late of 100"]["value"] == 3


def test_deadlines_missed_in_a_row_are_forgiven_where_cyclictest_stalled_too():
    for runs, stalls, met in ((0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False)):
        found, beside = FOUND | {"runs": runs}, rival(stalls=stalls)
        row = lateness.figures_of("idle", found, beside, "lateness_idle")[-1]
        assert (row["value"], row["rival_value"], row["met"]) == (runs, stalls, met)
        assert lateness.figures_of("idle", found, beside)[-1]["met"] is None


def test_the_loop_alone_is_held_against_the_fixed_limit_only():
    alone = cyclictest.Cyclictest(program="none")
    idle = lateness.figures_of("idle", FOUND, alone, "lateness_idle")
    stress = lateness.figures_of("stress", FOUND, alone, "lateness_stress")
    assert [each["met"] for each in idle if each["budget"]] == [True, True]
    assert [each["met"] for each in stress if each["budget"]] == [None, True]
    assert all(each["rival"] is None for each in idle + stress) and len(idle) == 6
    assert lateness.stall_figures(alone) == []
    assert lateness.stall_figures(rival())[0]["value"] == 1.2


def test_a_percentile_at_the_end_of_the_histogram_is_the_maximum():
    for tail_us, shown_us, met in ((19_999, 19_999, True), (20_000, 81_000, False)):
        found = FOUND | {"lateness_us": {"p50": 20, "p99": 60, "p99_9": tail_us, "max": 81_000}}
        tail = lateness.figures_of("idle", found, rival(p99_9=15_000), "lateness_idle")[2]
        assert (tail["value"], tail["met"]) == (shown_us, met)


def test_a_loop_without_its_priority_is_not_judged():
    assert lateness.judged("x", "SCHED_FIFO 49, memory locked") == "x"
    assert lateness.judged("x", "ordinary priority, memory locked") is None


def test_without_libmodbus_only_the_engine_is_listed(monkeypatch):
    monkeypatch.setattr(libmodbus.ctypes.util, "find_library", lambda name: None)
    assert libmodbus.load() is None and "apt-get install libmodbus5" in libmodbus.MISSING
    engine = [{"median_us": 70.0, "p99_us": 90.0, "cycle_us": 31_000.0}]
    figures = rtu._figures({"engine": engine, "libmodbus": []}, {"engine": engine, "libmodbus": []})
    assert [each["met"] for each in figures if each["budget"]] == [None, True]


def test_a_paced_reply_comes_in_pieces_each_at_its_time():
    assert len(rtu_slave.REPLY) == 45 and crc16(rtu_slave.REPLY) == 0
    pieces = rtu_slave.pieces(rtu_slave.REPLY, 19_200)
    assert b"".join(piece for _, piece in pieces) == rtu_slave.REPLY
    assert [len(piece) for _, piece in pieces] == [8, 8, 8, 8, 8, 5]
    assert pieces[0][0] == round((8 + 3.5 + 8) * 10e9 / 19_200)
    # 8 + 3.5 + 45 characters of 10 bits, and 3.5 more for a cycle
    transaction_us, cycle_us = rtu_slave.wire_us(19_200)
    assert round(transaction_us) == 29_427 and round(cycle_us) == 31_250
    assert pieces[-1][0] == round(transaction_us * 1000)


@pytest.mark.wire
@pytest.mark.parametrize("paced_Bd", [0, 115_200])
def test_both_masters_read_the_slave_right(paced_Bd):
    library = libmodbus.load()
    with rtu.slave(paced_Bd) as path:
        with closing(rtu.Engine(path, paced_Bd or rtu.FAST_BD)) as engine:
            for _ in range(3):
                engine.read()  # raises when the reply is not the slave's
        if library:
            with closing(libmodbus.Client(library, path, paced_Bd or rtu.FAST_BD, 0)) as rival:
                rival.read()


def test_memory_is_read_from_the_status_of_a_process():
    status = "VmRSS:\t   12345 kB\nRssAnon:\t 678 kB\n"
    fields = ("VmRSS", "RssAnon", "VmLck")
    assert [machine.status_kB(status, field) for field in fields] == [12345, 678, 0]


def test_the_machine_has_all_its_parts():
    found = machine.describe()
    assert set(found) == set(machine.PARTS) and found["cores"] >= 1 and found["cpu"]
    assert "3." in found["python"]
    assert "priority" in machine.priority() or "SCHED" in machine.priority()
