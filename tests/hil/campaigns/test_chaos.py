"""Chaos: disturbances that count as noticed, figures, floods, and two on the real rig."""

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import parts
import pytest

from controller.doors.local import framing, messages
from controller.forms.refusal import ConfigError
from controller.run import loop_statistics, operator_commands as commands
from drivers import can_codec
from hil.campaigns import process
from hil.campaigns.chaos import command, course, floods, stage, terminal, verdict, witness
from hil.campaigns.chaos.disturbances import DISTURBANCES, Disturbance
from hil.campaigns.chaos.neighbours import memory_MiB
from hil.campaigns.course import Background
from hil.scenarios.faults import NOISE
from safety import matrix
from tests.tables import cases

SEED = 20_261_120
HANG_GUARD_S = 10


def loop(missed=0, p99_us=100):
    lateness_us = {"p50": 80, **dict.fromkeys(("p99", "p99_9", "max"), p99_us)}
    return {"ticks": 250, "missed": missed, "late": 0, "lateness_us": lateness_us}


def phases(*given):
    return {"loop": dict(zip(course.PHASES, (*given, *[loop()] * 3)))}


def gap(name, *gaps_ms):
    return {"gaps_ms": {name: dict(zip(course.PHASES, (*gaps_ms, 20.0)))}}


COILS_1, COILS_2 = "coils of module 1", "coils of module 2"
OUTPUTS = ("set-point", "heartbeat", COILS_1, "command to rack 3")
UNNOTICED = {
    "alive": True,
    "state": "running",
    "trips": [],
    "violations": [],
    "stall_us": 0,
    "stalled_us": 0,
    "growth_kB": 0,
    **phases(),
    "gaps_ms": {name: dict.fromkeys(course.PHASES, 20.0) for name in OUTPUTS},
}


def sentences(changes, ok=False, **right):
    judged = verdict.judged(UNNOTICED | changes, Disturbance("x", None, **right))
    return [text for is_ok, text in judged if is_ok is ok]


@cases("""changes words
    {"alive": False}  "the controller has ended" | {"trips": ["49", "49"]}  "tripped: 49"
    {"state": "tripped"}  "the cabinet is tripped at the end"
    {"violations": ["3.000 s: too soon"]}  "invariant broken: 3.000 s: too soon"
    {"growth_kB": 513}  "memory grew by 513 kB (allowed 512)"
    phases(loop(), loop(1))  "1 ticks missed" | phases(loop(), loop(), loop(2))  "2 ticks missed"
    phases(loop(), loop(0, 5001))  "lateness p99 5001 us, 100 us before"
    phases(loop(3), loop(7))  "7 ticks missed, 3 in the calm before"
    {"gaps_ms": {}}  "no output was silent for too long"
    gap("set-point", 20, 2501)  "set-point silent for 2501 ms (allowed 2500)"
    gap(COILS_2, 20, 20, 251)  "coils of module 2 silent for 251 ms (allowed 250)"
    gap("command to rack 1", 20, 501)  "command to rack 1 silent for 501 ms (allowed 500)"
    gap("heartbeat", 20, 2501)  "heartbeat silent for 2501 ms (allowed 2500)" """)
def test_each_thing_noticed_is_one_sentence(changes, words):
    (sentence,) = sentences(changes)
    assert re.split(r" \(the machine|, 20 ms in the calm", sentence)[0] == words


@cases("""changes
    {} | {"growth_kB": 512} | {"growth_kB": -4} | phases(loop(9)) | phases(loop(), loop(0, 5000))
    phases(loop(0, 1500), loop(0, 6000)) | phases(loop(3), loop(4), loop(2))
    gap("set-point", 20, 2500) | gap(COILS_1, 20, 250.0) | gap(COILS_1, 300.0, 300.0, 299.0)""")
def test_the_limits_themselves_are_well(changes):
    assert sentences(changes) == []


@cases("""changes
    phases(loop(), loop(2)) | phases(loop(), loop(0, 10_000)) | gap(COILS_1, 20, 260.0)""")
def test_the_machine_excuses_only_its_own_delays(changes):
    for stalled_us, count in ((10_000, 0), (9_999, 1)):
        stalls = {"stall_us": stalled_us, "stalled_us": stalled_us}
        assert len(sentences(changes | stalls)) == count


def test_only_the_expected_trips_are_excused():
    tripped = {"trips": ["49", "50a"]}
    assert sentences(tripped, trips_right=("49", "50a")) == []
    assert "tripped as expected: 49, 50a" in sentences(tripped, True, trips_right=("49", "50a"))
    assert sentences(tripped, trips_right=("49",)) == ["tripped: 50a"]
    stopped = {"state": "ready", **gap("set-point", 20, 9000)}
    assert sentences(stopped, gaps_right=True, ends_running=False) == []
    assert len(sentences(stopped)) == 2


@cases("""changes  count
    gap(COILS_2, 20, 1000)  0 | gap(COILS_2, 20, 20, 1001)  1 | {"state": "ready"}  1
    gap("command to rack 1", 20, 501)  1
    gap("set-point", 20, 2501)  1 | gap("heartbeat", 20, 2501)  1""")
def test_a_test_of_the_relays_excuses_the_coils_alone_and_only_for_its_time(changes, count):
    assert len(sentences(changes, coils_silent_ms=1000)) == count
    own = {name for name, each in DISTURBANCES.items() if each.coils_silent_ms}
    assert own == {"state_full", "state_inodes"}


def test_the_witness_adds_up_stalls_and_keeps_the_worst():
    kept = (0, 0)
    for late_us in (10, 5000, 5001, 7000, 3):
        kept = witness.added(*kept, late_us)
    assert kept == (7000, 12_001)


def stats(ticks, missed, buckets):
    counts = np.zeros(loop_statistics.BUCKETS, np.uint32)
    for lateness_us, count in buckets.items():
        counts[lateness_us] = count
    head = (loop_statistics.MAGIC, ticks, missed, 0, 0, 0, 900, 0, 0)
    return loop_statistics.HEAD.pack(*head) + counts.tobytes()


STATS = [
    (100, 0, {10: 100}),
    (150, 1, {10: 150}),
    (250, 3, {10: 200, 700: 50}),
    (300, 3, {10: 250, 700: 50}),
]
COUNTERS = {
    name: {"loop": stats(*given), "memory_kB": memory_kB}
    for name, given, memory_kB in zip((*course.PHASES, course.END), STATS, range(1000, 1028, 7))
}
TAKEN = {
    "name": "x",
    "alive": True,
    "state": "running",
    "stall_us": 5,
    "stalled_us": 6,
    "counters": COUNTERS,
    "notes": [],
}
TIMES_S = {"x/before": 1, "x/during": 2, "contactor_open": 3, "x/after": 4, "x/end": 5}
TRIPS_S = {"1a": 1.999, "49": 2.0, "50a": 4.999, "2": 5.0}


def test_each_phase_has_its_own_figures():
    content = {
        "timeline": [(at_s * 1_000_000, name, "") for name, at_s in TIMES_S.items()],
        "trips": [{"stage": stage, "t_s": at_s} for stage, at_s in TRIPS_S.items()],
        "violations": ["1.500 s: before", "4.100 s: within"],
        "beats": {"set-point": np.arange(0, 6_000_000, 20_000)[np.r_[0:110, 160:300]]},
    }
    found = course.judged(TAKEN, content, DISTURBANCES["cpu"])
    assert found["trips"] == ["49", "50a"] and found["violations"] == ["4.100 s: within"]
    assert (found["growth_kB"], found["what"]) == (21, "busy processes on every core")
    loops = [found["loop"][phase] for phase in course.PHASES]
    assert [each["missed"] for each in loops] == [1, 2, 0]
    assert [each["lateness_us"]["p99"] for each in loops] == [10, 700, 10]
    assert found["gaps_ms"] == {"set-point": {"before": 20.0, "during": 1020.0, "after": 20.0}}
    violated = course.judged(TAKEN, content, DISTURBANCES["rtu_noise_heavy"])
    assert (found["ok"], violated["ok"]) == (False, False)
    content |= {"violations": []}
    for ok in (True, False):
        taken = TAKEN | {"notes": [(ok, "a note")]}
        found = course.judged(taken, content, DISTURBANCES["rtu_noise_heavy"])
        assert found["ok"] is ok and found["verdicts"][-1] == {"ok": ok, "text": "a note"}


def frames_of(kind):
    frames = floods.FRAMES[kind](random.Random(SEED))
    return [next(frames) for _ in range(500)]


def test_no_driver_takes_a_frame_of_a_flood():
    """Spoiled ones have ids of the racks and never a right CRC; malformed ones another form."""
    for can_id, data in frames_of("spoiled"):
        assert 0x120 <= can_id <= 0x168 and can_id & 0x1F < 9 and len(data) == 8
        assert can_codec.crc8(can_codec.crc8_begun(can_id), data[:7]) != data[7]
    assert all(0x400 <= can_id < 0x800 for can_id, _ in frames_of("unknown"))
    malformed = frames_of("malformed")
    assert {len(data) for can_id, data in malformed if can_id < 0x800} == set(range(8))
    assert all(0x120 <= can_id & 0x7FF <= 0x168 and can_id < 1 << 29 for can_id, _ in malformed)
    assert floods._line(0x321, bytes((1, 255))) == b"< send 321 2 01 ff >"
    assert floods._line(0x1234568, b"") == b"< send 01234568 0  >"


class KeyedCabinet:
    """A cabinet that is in standby after the key left RUN, until a start; it refuses the first."""

    def __init__(self, monkeypatch):
        self.key_in_run, self.asked, self.stage = True, [], None
        monkeypatch.setattr(stage.operator_client, "ask", self.ask)
        monkeypatch.setattr(stage.Stage, "_reset", lambda _: self.reset())
        self.rig = SimpleNamespace(directory="run", send=self.act)

    def act(self, message):
        self.key_in_run = message["arguments"]["run"]

    def reset(self):
        assert not self.key_in_run
        return SimpleNamespace(is_done=True, words=lambda: "done")

    def ask(self, path, what):
        self.asked.append((path, what, self.key_in_run))
        self.stage.state = "running" if len(self.asked) > 1 else "standby"
        return 100 if len(self.asked) > 1 else 114  # accepted; reset first


def test_the_cabinet_is_started_after_a_reset_with_the_key(monkeypatch):
    cabinet = KeyedCabinet(monkeypatch)
    cabinet.stage = judged = stage.Stage(cabinet.rig, None, 1)
    judged.state, judged.wait = "tripped", lambda seconds: None
    assert judged.runs_again() == (True, "runs again after a reset with the key and a start: done")
    assert cabinet.asked == [("run/command.sock", 3, True)] * 2


@cases("""name kinds
    "rtu_forged"  {"forged_permille"}
    "rtu_noise"  {"garbage_permille", "flip_permille", "drop_permille"}""")
def test_noise_is_asked_of_each_kind_and_ends(name, kinds):
    """The simulated cabinet takes an action with all of its keys."""
    acts = []
    stage = SimpleNamespace(seed=1, act=lambda what, **given: acts.append(given))
    with DISTURBANCES[name].act(stage):
        begun = list(acts)
    assert [{kind for kind in NOISE if given[kind]} for given in begun] == [kinds] * 5
    assert [sum(given[kind] for kind in NOISE) for given in acts[5:]] == [0] * 5


def test_no_senseless_command_can_act():
    draw, acting = random.Random(SEED), []
    for _ in range(3000):
        data = floods.senseless_command(draw)[commands.NONCE.size :]
        if len(data) == commands.REQUEST.size:
            magic, what, _, mask, *_ = commands.REQUEST.unpack(data)
            acts = (commands.RUN, commands.STOP, commands.LOCK_OUT, commands.END_LOCK_OUT)
            acting += [data] * (magic == commands.MAGIC and (what in acts or mask == 0))
        is_key = len(data) == commands.KEY_CHANGE.size and data.startswith(commands.MAGIC)
        acting += [data] * is_key
    assert acting == []


@pytest.mark.wire
def test_a_console_works_when_it_draws_after_a_key_and_somebody_reads():
    with terminal.Terminal() as made:
        slave = os.open(made.slave_name, os.O_RDWR | os.O_NOCTTY)
        console = threading.Thread(target=lambda: os.write(slave, os.read(slave, 1)))
        console.start()
        assert made.works() == (True, "the console draws its page")
        console.join()
        made.reads.clear()
        made.fresh.clear()
        os.write(slave, b"page")
        assert not made.fresh.is_set()
        made.reads.set()
        assert made.fresh.wait(HANG_GUARD_S)
        os.close(slave)


@pytest.mark.wire
def test_typing_goes_on_as_fast_as_the_line_takes_it_and_is_the_same_for_a_seed():
    heard = []
    for _ in range(2):
        with terminal.Terminal() as made:
            slave, data = os.open(made.slave_name, os.O_RDWR | os.O_NOCTTY), b""
            with Background(terminal.typing(made, SEED)) as typing:
                while len(data) < 2000:
                    data += os.read(slave, 2000 - len(data))
            os.close(slave)
        heard.append(data)
        assert typing.counts["sent"] >= 2000
    assert heard[0] == heard[1] and set(heard[0]) <= set(terminal.KEYS)


@pytest.mark.wire
def test_connections_that_a_gateway_closes_are_made_anew_and_all_end(tmp_path):
    path = str(tmp_path / "upstream.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(floods.CONNECTIONS)
        listening.settimeout(HANG_GUARD_S)
        turns = floods.gateway(path, SEED)
        assert next(turns)[0]["sent"] > floods.CONNECTIONS
        heard = [listening.accept()[0] for _ in range(floods.CONNECTIONS)]
        heard.pop().close()
        next(turns)
        heard.append(listening.accept()[0])
        turns.close()
    for each in heard:
        each.settimeout(HANG_GUARD_S)
        while each.recv(1 << 16):
            pass
        each.close()


def test_a_gateway_passes_a_small_part_of_a_flood_to_the_loop():
    draw, passed = random.Random(SEED), 0
    for _ in range(100):
        stream = framing.JsonLines()
        stream.feed(floods.senseless_bytes(draw))
        message = stream.take()
        with contextlib.suppress(ConfigError):
            passed += message is not framing.NOT_YET and len(messages.datagram(message)) > 0
    assert 20 <= passed <= 60


@pytest.mark.whole
@pytest.mark.wire
def test_a_reader_that_never_waits_says_each_round(tmp_path):
    stage = SimpleNamespace(directory=tmp_path, state_directory=tmp_path, note=Mock())
    with DISTURBANCES["readers"].act(stage):
        pass
    ok, text = stage.note.call_args.args
    assert not ok and re.fullmatch(r"4 readers read all pages \d+ times", text)


def test_a_file_system_is_kept_full_and_emptied(tmp_path, monkeypatch):
    monkeypatch.setattr(floods, "open", lambda *_, **__: open("/dev/full", "wb", 0), raising=False)
    (tmp_path / "filling").touch()
    with Background(floods.filling(tmp_path)) as made:
        pass
    assert made.counts["sent"] == 0 and made.error is None and list(tmp_path.iterdir()) == []


@pytest.mark.wire
def test_a_folder_is_kept_without_a_place_and_emptied(tmp_path, monkeypatch):
    class System:
        """A file system with room for three files."""

        O_CREAT, O_EXCL, path, close, unlink = os.O_CREAT, os.O_EXCL, os.path, os.close, os.unlink

        def open(path, flags):
            if len(list(tmp_path.iterdir())) >= 3:
                raise OSError(28, "No space left on device")
            return os.open(path, flags)

    monkeypatch.setattr(floods, "os", System)
    turns = floods.inodes(tmp_path)
    assert next(turns)[0]["sent"] == 3
    (tmp_path / "filling.1").unlink()
    assert next(turns)[0]["sent"] == 1
    (tmp_path / "filling.1").touch()
    turns.close()
    assert list(tmp_path.iterdir()) == []


def test_a_hog_leaves_room():
    assert [memory_MiB(free_bytes) for free_bytes in (0, 1 << 30, 1 << 45)] == [0, 256, 2048]


def test_expected_trips_are_stages_of_the_matrix():
    stages = {stage[matrix.S_ID] for stage in matrix.STAGES}
    assert all(set(each.trips_right) <= stages for each in DISTURBANCES.values())


def test_the_report_names_failures_and_omissions():
    verdicts = [(False, "tripped: 49"), (True, "4 busy processes")]
    found = UNNOTICED | {"name": "cpu", "ok": False}
    found["verdicts"] = [{"ok": ok, "text": text} for ok, text in verdicts]
    doc = {"disturbances": [found], "skipped": {"run_full": "no mounts"}, "ok": False}
    doc["at_the_end"] = [{"ok": True, "text": "the chain is whole"}]
    text = command.lines(doc)
    assert "  NOT OK tripped: 49" in text and "  ok     4 busy processes" in text
    assert any(line.startswith("run_full") and "skipped: no mounts" in line for line in text)
    assert text[-1] == "verdict    NOT OK: 0 of 1 disturbances without effect, 1 skipped"


NAMES = ("gateway_killed", "commands", "state_full")


@pytest.mark.slow
@pytest.mark.wire
def test_a_short_course_on_the_rig(tmp_path):
    """A process of its own: it leaves the namespace of mounts. Content only, no latency."""
    out = tmp_path / "o.json"
    words = ["chaos", "--for", "0.5", "--calm", "0.5", "--seed", "3", "--json", str(out)]
    words += [word for name in NAMES for word in ("--only", name)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    ended = process.module("hil", *words, env=environment, stdout=subprocess.PIPE, text=True)
    printed, _ = ended.communicate()
    assert ended.returncode in (0, 1)
    assert printed.startswith("seed       3\n") and "verdict" in printed
    doc = json.loads(out.read_text())
    is_busy = any("does not come to run" in one["text"] for one in doc["at_the_end"])
    parts.required(not is_busy, "time for a cabinet in real time: this machine is too busy")
    assert {"ok": True, "text": "the record: the chain is whole"} in doc["at_the_end"]
    assert [path.name for path in tmp_path.iterdir()] == ["o.json"]  # nothing left behind
    assert set(doc["skipped"]) <= {"state_full"}
    done = {each["name"]: each for each in doc["disturbances"]}
    assert set(done) | set(doc["skipped"]) == set(NAMES)
    outputs = {"set-point", "heartbeat", "coils of module 1", "coils of module 2"}
    for each in done.values():
        said = {one["text"]: one["ok"] for one in each["verdicts"]}
        assert said["controller alive"] and said["the gateway passes on a hello and its answer"]
        assert outputs <= set(each["gaps_ms"])
    notes = [one for one in done["commands"]["verdicts"] if one["text"].endswith("commands sent")]
    assert [one["ok"] for one in notes] == [True]
