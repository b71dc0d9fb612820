"""The benchmark of the doors: packets, what is judged, and a course that fails."""

import io
import os
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
from hypothesis import given, strategies as st

from hil.campaigns import course
from hil.campaigns.benchmarks import doors, doors_clients, doors_report as report, machine


@given(st.binary(max_size=20_000), st.integers(0, 15))
def test_a_packet_of_mqtt_is_read_as_it_was_made(body, kind):
    again = doors_clients.packet(kind << 4, body) + b"\xc0\0"
    assert doors_clients.read(io.BytesIO(again)) == (kind, body)


def test_a_broker_that_has_gone_is_no_packet():
    with pytest.raises(ConnectionError):
        doors_clients.read(io.BytesIO(b""))
    with pytest.raises(ConnectionError):
        doors_clients.answer(io.BytesIO(b"\0\7\0\0\0\3\1"))


def test_growth_counts_from_the_second_quarter_on():
    samples = [[float(at_s), 50_000, 20_000 + max(10, at_s)] for at_s in range(80)]
    assert report.growth_kB_per_h(samples) == 3600
    assert report.growth_kB_per_h(samples[:40]) is None
    assert report.growth_kB_per_h([[each[0], 0, 7] for each in samples]) == 0


def test_ways_stand_beside_the_datagram():
    figures = report.hints({"datagram": [10_000, 12_000], "HTTP": [15_000, None]})
    found = [(each["what"], each["value"], each["rival_value"]) for each in figures]
    assert found[2:] == [
        ("hint to wire by HTTP, p50 of 1", 15.0, 10.0),
        ("hint to wire by HTTP, p99 of 1", 15.0, 12.0),
        ("hints that moved no set-point", 1, None),
    ]


def test_the_time_of_ended_threads_counts():
    before_s = machine.used_s(os.getpid())
    worker = threading.Thread(target=lambda: sum(range(3_000_000)))
    worker.start()
    worker.join()
    assert machine.used_s(os.getpid()) > before_s


def test_a_course_that_fails_ends_the_run(monkeypatch):
    class Broken(course.Course):
        def _play(self):
            raise KeyError("x")

    monkeypatch.setattr(course.threading, "excepthook", lambda given: None)
    rig, asked = Mock(), threading.Event()
    rig.send.side_effect = lambda message: asked.set()
    rig.run = lambda see: asked.wait(20)
    Broken(rig).beside(None)
    rig.send.assert_called_once_with({"what": "finish"})


def test_doors_start_below_the_loop(monkeypatch, tmp_path):
    started = Mock()
    monkeypatch.setattr("hil.engine.processes.subprocess.Popen", started)
    made = SimpleNamespace(before=doors.Doors.before, directory=tmp_path, _logs={}, running={})
    doors.Doors.begin(made, "http", "doors", "http")
    assert started.call_args[0][0][:3] == ["nice", "-n", "15"]
    made._logs["http"].close()


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_doors_beside_the_loop_in_two_seconds_of_each_phase(monkeypatch):
    """They have the priority of this suite, because below it they starve beside other tests."""
    monkeypatch.setattr(doors.Doors, "before", ())
    monkeypatch.setattr(doors, "LOW", ())
    found = {each["what"]: each for each in doors.run(2.0).figures}
    judged = [each for each in found.values() if each["budget"] == "doors_memory"]
    assert len(judged) == 2 and all(each["met"] for each in judged)
    assert found["places open beside those of doors check"]["value"] == 0
