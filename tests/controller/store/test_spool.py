"""Acts of persons enter the record once and in order; files of other users do not count."""

import contextlib
import json
import os

import pytest
from recorder_bench import EACH_20_MS, Bench

from controller.store import spool
from tests.tables import cases

NOW_US = 5_000_000


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path, settings=EACH_20_MS)
    yield made
    made.close()


def put(bench, text, moment_us=None):
    moment_us = bench.clocks.us if moment_us is None else moment_us
    spool.put(str(bench.run_dir), moment_us, "LOGIN", text)


def waiting(bench):
    return [name for name in os.listdir(bench.run_dir / "console") if name.endswith(".event")]


def told(bench):
    return bench.query("SELECT uptime_ms, text FROM events WHERE code = 'LOGIN' ORDER BY id")


def test_acts_wait_for_a_recorder_and_keep_order_and_time(bench):
    for number in range(30):
        put(bench, f"act {number}", moment_us=4_000_000 + 1000 * number)
    bench.start_recorder().run(0.1)
    assert told(bench) == [(4_000 + number, f"act {number}") for number in range(30)]
    assert not waiting(bench)
    for moment_us in (10**15, -5):  # impossible: it is of now
        put(bench, "at some time", moment_us=moment_us)
    bench.run(0.1)
    moments = [uptime_ms for uptime_ms, _ in told(bench)[30:]]
    assert len(moments) == 2 and all(5_000 <= each <= 5_400 for each in moments)


def test_a_durable_act_whose_file_remained_is_not_recorded_twice(bench):
    """The recorder dies between its transaction and the removal of the file."""
    bench.start_recorder().recorder._inbox.settle = lambda: None
    put(bench, "once")
    bench.run(0.1)
    assert len(waiting(bench)) == 1
    bench.kill_recorder().start_recorder().run(0.1)
    assert len(told(bench)) == 1 and not waiting(bench)


@cases(r"""
    content
    b"" | b"{}" | b"[]" | b"\xff" | b"7" | b"[" * 900 | b"x" * 5000
    b'{"moment_us": 1, "code": "TRIP", "text": ""}'
    b'{"moment_us": 1, "code": "LOGIN", "text": 5}'
    b'{"moment_us": Infinity, "code": "LOGIN", "text": "a"}'
""")
def test_a_file_that_is_not_an_act_is_removed(tmp_path, content):
    place = spool.folder(str(tmp_path))
    with open(os.path.join(place, "1.event"), "wb") as file:
        file.write(content)
    inbox = spool.Inbox(str(tmp_path), [])
    assert inbox.take(10) == [] and os.listdir(place) == []


def test_every_act_of_a_person_has_a_code_and_no_other_file_is_removed(tmp_path):
    codes = "LOGIN OUT FAIL GLASS RESET ACK FILES LAMPS LOCK UNLOCK PROOF START STOP APPROVE "
    codes += "REPLACE STEP"
    for moment_us, code in enumerate(codes.split()):
        spool.put(str(tmp_path), moment_us, code, "a")
    (tmp_path / "record.db").touch()
    inbox = spool.Inbox(str(tmp_path), ["../record.db"])
    assert [act.code for act in inbox.take(20)] == codes.split()
    assert (tmp_path / "record.db").exists()


def test_a_link_or_a_pipe_is_not_an_act(tmp_path):
    place = spool.folder(str(tmp_path))
    with open(tmp_path / "else", "w", encoding="ascii") as file:
        json.dump({"moment_us": 1, "code": "LOGIN", "text": "a"}, file)
    os.symlink(tmp_path / "else", os.path.join(place, "1.event"))
    os.mkfifo(os.path.join(place, "2.event"))
    assert spool.Inbox(str(tmp_path), []).take(10) == []
    assert (tmp_path / "else").exists()


def test_the_folder_or_file_of_another_user_does_not_count(tmp_path, monkeypatch):
    spool.put(str(tmp_path), 1, "LOGIN", "forged")
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert spool.Inbox(str(tmp_path), []).take(10) == []
    with pytest.raises(OSError, match="another user"):
        spool.folder(str(tmp_path))


@pytest.mark.parametrize("waiting_before", [spool.WAITING_MAX - 1, spool.WAITING_MAX])
def test_the_number_of_waiting_acts_is_bounded(tmp_path, waiting_before):
    place, is_full = spool.folder(str(tmp_path)), waiting_before == spool.WAITING_MAX
    for number in range(waiting_before):
        open(os.path.join(place, f"{number}.event"), "w").close()
    full = pytest.raises(OSError, match="does not run") if is_full else contextlib.nullcontext()
    with full:
        spool.put(str(tmp_path), 1, "LOGIN", "a")


def test_a_step_takes_a_bounded_number_and_a_text_is_plain_and_short(tmp_path):
    for number in range(5):
        spool.put(str(tmp_path), 4 * number, "LOGIN", str(number))
    inbox = spool.Inbox(str(tmp_path), [])
    taken = [[act.text for act in inbox.take(3)] for _ in range(3)]
    assert taken == [["0", "1", "2"], ["3", "4"], []] and len(inbox.taken) == 5
    inbox.settle()
    assert os.listdir(tmp_path / "console") == []
    spool.put(str(tmp_path), 1, "LOGIN", "a\x1b[2J\n\u00e9" + "x" * 500)
    (act,) = spool.Inbox(str(tmp_path), []).take(1)
    assert act.text.startswith("a?[2J??xx") and len(act.text) == spool.TEXT_CHARACTERS_MAX
