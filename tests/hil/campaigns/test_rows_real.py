"""python -m hil rows --real: which courses run, limits, repetitions; one in real processes."""

import json
import os
import select
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from controller.config import configuration
from controller.run import loop_statistics
from controller.store import two_copies
from hil.__main__ import main
from hil.campaigns.rows import effects, page, plant_watch, real, start
from hil.campaigns.rows.command import EXAMPLE
from hil.campaigns.rows.courses import EVERY
from hil.campaigns.rows.limits import Limits
from hil.campaigns.rows.real import BESIDE, NOT_DONE, REAL
from hil.campaigns.rows.watch import Result
from hil.engine import run_directory
from hil.engine.rig import RigError
from hil.plant.cabinet import CabinetPlant
from tests.repository import ROOT
from tests.tables import cases

HANG_GUARD_S = 30
CONFIG = configuration.load(EXAMPLE)
STEPPED, VIRTUAL = Limits(CONFIG, real.STEP_ms), Limits(CONFIG)
CALM = {"step_ms_max": 12.0, "bad_ticks": 0}
STALLED = {"step_ms_max": 80.0, "bad_ticks": 1}


def test_every_course_is_done_or_named_with_the_reason():
    assert set(REAL) | set(NOT_DONE) == set(EVERY) and not set(REAL) & set(NOT_DONE)
    inside = {label for label, why in NOT_DONE.items() if why.startswith("inside the controller: ")}
    assert inside == {*"44a 44e 44f 50c 50d 57b 57c".split()}
    assert set(NOT_DONE) - inside == {"35a", "35b"}
    assert not any(each.alone for each in REAL.values())
    done = {label: each for label, each in EVERY.items() if label not in NOT_DONE}
    assert {label: each.alone for label, each in done.items() if each.alone} == BESIDE


def made_rig(tmp_path, label, *more):
    rig = real.CourseRig(CONFIG, REAL[label], 1, str(tmp_path))
    ports = {bus: f"/dev/{bus}" for bus in ("pcs", "io", "meter_grid", "meter_load", "gas", *more)}
    rig._write_cabinet_file({"ports": ports, "cans": {"can0": "127.0.0.1:1/can0"}})
    for each in (rig.connection, rig._plant_end, rig._log):
        each.close()
    return rig


@cases("""label armed may_be_killed
    "46b"  ("46b",)  False | "46a"  ()  False | "44c"  ()  True | "1 stopped"  ()  True
    "51 silent"  ("51",)  False""")
def test_a_rig_arms_what_its_course_needs(tmp_path, label, armed, may_be_killed):
    rig = made_rig(tmp_path, label, *[real.CHANNEL_B] * (armed == ("51",)))
    checked = configuration.load(tmp_path / "cabinet.toml")
    assert checked.safety_image == start.armed(CONFIG, armed, ()).safety_image
    assert (checked.safety_image != CONFIG.safety_image) == bool(armed)
    assert rig.may_be_killed == may_be_killed and rig.order["course"] == label
    if armed == ("51",):
        assert configuration.load(rig.order["site"]).safety_image == checked.safety_image
        assert checked.channel_b.port == f"/dev/{real.CHANNEL_B}"


def test_a_rig_does_to_the_controller_what_its_course_does(tmp_path, capsys, monkeypatch):
    rig, signals = made_rig(tmp_path, "44b"), []
    rig.controller = SimpleNamespace(send_signal=signals.append)
    rig._do_stall({"duration_ms": 0})
    assert signals == [signal.SIGSTOP, signal.SIGCONT]
    run_directory.commission(str(tmp_path), CONFIG)
    kept = two_copies.Store(str(tmp_path / "state"))
    assert kept.load().state == two_copies.CLEAN
    rig._do_spoil_store({})
    assert kept.load().state == two_copies.UNREADABLE
    monkeypatch.setattr(real, "ASK_AGAIN_S", 0.0)
    seen = []
    rig.controller = SimpleNamespace(poll=lambda: None)
    rig._has_ticked = lambda: seen.append("looked") or len(seen) == 2
    rig._command(seen.append)  # only once it ticks
    assert seen == ["looked", "looked", str(tmp_path / "command.sock")]
    rig.controller = SimpleNamespace(poll=lambda: -9)
    rig._do_hint({"source": "scheduler"})  # to a controller that was killed
    assert capsys.readouterr().err == ""


@pytest.mark.wire
def test_the_second_channels_line_carries_bytes_both_ways_unless_it_is_mute(monkeypatch):
    image = start.armed(CONFIG, ("51",), ()).safety_image
    channel = plant_watch.SecondChannel(CabinetPlant({}, None, 1), image)
    heard, sent = [], []
    channel.device.receive = heard.append
    controller = os.open(channel.slave_name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.write(controller, b"from A")
    channel.step(1_000_000)
    # a tty's bytes come when a kernel worker gets to them
    assert select.select([channel], (), (), HANG_GUARD_S)[0]
    channel.service(1_000_000)
    channel.service(1_000_000)
    assert heard == [b"from A"] and select.select([controller], (), (), HANG_GUARD_S)[0]
    monkeypatch.setattr(channel, "_write", lambda data, now_us: sent.append(data))
    channel.step(2_000_000)
    assert sent and len(sent[0]) > 20
    channel.device.mute = True
    channel.step(3_000_000)
    assert len(sent) == 1
    os.close(controller)
    channel.close()


def test_the_last_frame_of_a_silent_device_may_be_as_old_as_its_slowest_group():
    """A converter's set-point and heartbeat are read back half as often as its power."""
    silent = {"41a": 2000 - 200, "41c": 5000 - 200, "40c": 3000 - 100, "52": 10_000 - 1000}
    for label, after_ms in silent.items():
        earliest_ms = VIRTUAL.earliest_ms(EVERY[label].stage, EVERY[label].cause)
        assert earliest_ms == after_ms - CONFIG.tick_ms, label


@pytest.mark.parametrize("stage", ["1a", "29", "40c"])
def test_one_step_of_the_plant_process_is_allowed_and_no_more(stage):
    def figures(limits):
        three = (effects.POWER, effects.OPENED, effects.HORN)
        early_ms = limits.earliest_ms(stage, EVERY[stage].cause)
        of_effects = [limits.effect_ms(EVERY[stage], effect) for effect in three]
        return [limits.decision_ms(stage), early_ms, limits.permit_ms(stage), *of_effects]

    moved_ms = [10, -10, 0] + 3 * [10 - CONFIG.tick_ms]
    assert np.subtract(figures(STEPPED), figures(VIRTUAL)).tolist() == moved_ms


def test_a_coil_after_a_start_waits_until_its_module_is_known():
    """Each module of its bus: inputs (6 ms), expiry (6 ms); 6.3 ms in flight; a tick."""
    start, steady = EVERY["44c"], EVERY["44c"]._replace(cause=())
    for effect, more_ms in ((effects.LAMP, 51), (effects.POWER, 0)):
        later_ms = STEPPED.effect_ms(start, effect) - STEPPED.effect_ms(steady, effect)
        assert later_ms == more_ms, effect


class FakePlantProcess:
    """Serves its wires twice for each step of 10 ms; `ends_us`: when the rig ends it."""

    def __init__(self):
        self.last_us, self.turns, self.ends_us = 0, 0, 1 << 40
        self.ending, self.recording = False, True
        self.config, self.cabinet = CONFIG, SimpleNamespace(plant=None)
        self.observer = self.trips = self.controller = self.clockwork = self.world = None
        self.steps_us = []
        self.note_step = self.steps_us.append

    def turn(self):
        self.turns += 1
        self.last_us += 10_000 * (self.turns % 2 == 0)
        self.recording = self.last_us < self.ends_us


def test_a_course_steps_as_the_plant_process_does():
    fake = FakePlantProcess()
    rig = plant_watch.SteppedRig(fake)
    rig.step()
    assert (rig.now_us, fake.turns) == (10_000, 2)
    rig.run(0.1)
    assert rig.now_us == 100_000 and fake.steps_us == [10_000] * 10
    rig.clockwork = "later"
    assert fake.clockwork == "later"


@pytest.mark.parametrize("name, value", [("ends_us", 50_000), ("ending", True)])
def test_a_course_that_is_ended_stops_at_once(name, value):
    fake = FakePlantProcess()
    setattr(fake, name, value)
    with pytest.raises(plant_watch.Over):
        plant_watch.SteppedRig(fake).run(1.0)
    assert fake.last_us <= 50_000


def test_delays_of_the_machine(tmp_path):
    contents = []
    for ticks, missed in ((10, 2), (30, 5)):
        written = loop_statistics.LoopStatistics(str(tmp_path / "loop"))
        for _ in range(ticks):
            written.note(SimpleNamespace(lateness_us=50, missed=missed, late=0, runs=0))
        written.close()
        contents.append(loop_statistics.content(str(tmp_path / "loop")))
    before, after = contents
    calm = plant_watch.machine(40_000, None, None)
    assert calm == {"step_ms_max": 40.0, "bad_ticks": 0}
    assert real.stall(calm) == real.stall({}) == ""
    held_back = plant_watch.machine(62_540, before, after)
    assert held_back == {"step_ms_max": 62.5, "bad_ticks": 3}
    assert real.stall(held_back) == "the plant process for 62.5 ms, the loop in 3 ticks"
    # of a controller that was started since
    assert plant_watch.machine(10_000, after, before)["bad_ticks"] == 2


def content(stands_ms=2025.0, machine=CALM, **changed):
    names = effects.demanded("29")
    since_ms, stood = dict.fromkeys(names, 2040.0), [["29 rack 1", 2025.0]]
    result = Result("29", 0.0, stands_ms, 2026.0, since_ms, [], {}, {}, stood, [])
    found = result._asdict() | changed
    return {"course": found, "wanted": names, "machine": machine, "timeline": [[1, "heat", ""]]}


LATE, HELD = content(2500.0), content(2500.0, STALLED)


def test_the_file_of_a_plant_process_is_judged_as_in_virtual_time():
    met = real.ended("29", content(at_first=["derated"]), STEPPED)
    assert met.is_met and met.result.at_first == ["derated"]
    assert met.result.stood == [["29 rack 1", 2025.0]]
    late = real.ended("29", content(2133.0), STEPPED)
    assert late.complaints == ["trip after 2133 ms, later than 2132 ms"]
    early = real.ended("29", content() | {"course": None}, STEPPED)
    assert early.complaints == ["the controller made no tick, or the case was interrupted"]


@pytest.fixture
def campaign_of(monkeypatch):
    def made(*found):
        left = list(found)

        def attempt(campaign, label):
            if isinstance(left[0], BaseException):
                raise left[0]
            return real.ended(label, left.pop(0), STEPPED)

        monkeypatch.setattr(real.Campaign, "_attempt", attempt)
        return real.Campaign(STEPPED, 1)

    return made


@cases("""found repeats is_met
    [content(machine=STALLED)]  0  True | [LATE]  0  False | [HELD, content()]  1  True
    [HELD, LATE]  1  False | [HELD] * 3  2  False""")
def test_a_course_is_repeated_for_a_stall_alone_and_twice_at_most(
    campaign_of, capsys, found, repeats, is_met
):
    row = campaign_of(*found).outcome("29")
    words = (
        "repeated because the machine stalled: the plant process for 80 ms, the loop in 1 ticks; "
    )
    words += "seen: trip after 2500 ms, later than 2132 ms"
    assert (row.is_met, row.repeated) == (is_met, (words,) * repeats)
    assert capsys.readouterr().out == f"29          {words}\n" * repeats


def test_the_longest_course_comes_first():
    labels = sorted(REAL, key=lambda label: -real.duration_s(REAL[label], STEPPED))
    assert set(labels[:3]) == {"6b", "46a", "46b"}
    assert real.duration_s(REAL["44 stopped"], STEPPED) == 29.0


def test_the_page_and_the_document():
    stalled = real.ended("1c", content(9999.0), STEPPED)._replace(repeated=("a stall",))
    rows = [real.ended("29", content(), STEPPED), stalled]
    text = page.page(rows, STEPPED, {"44a": "inside"})
    assert text.startswith("# Every row on the wire, in real processes\n")
    lines = {"- 1c: 1b", "- 1c: a stall", "- 44a: inside", "2 courses of 2 stages: 1 met, 1 not."}
    assert lines <= set(text.splitlines())
    doc = json.loads(json.dumps(page.document(rows, STEPPED, 7, {"44a": "inside"})))
    good, bad = doc["courses"]
    assert not doc["ok"] and doc["command"] == "rows --real" and doc["python"]
    assert doc["not_done"] == {"44a": "inside"} and good["held_back"] == CALM
    assert bad["repeated"] == ["a stall"]
    assert "timeline" not in good and bad["timeline"] == [[1, "heat", ""]]


@cases("""found code verdict
    content()  0  "1 of 1 met; 1 not done" | LATE  1  "0 of 1 met; not: 29; 1 not done" """)
def test_the_verdict(campaign_of, capsys, found, code, verdict):
    campaign_of(found)
    assert main("rows --real --only 29 --only 44a".split()) == code
    *_, not_done, last = capsys.readouterr().out.splitlines()
    assert last == f"verdict    {verdict}"
    assert not_done.startswith("44a         not done: inside the controller")


def test_an_interrupted_campaign_keeps_its_rows_and_goes_on_with_them(
    campaign_of, capsys, tmp_path
):
    campaign_of(content(), KeyboardInterrupt(), content())
    given = ["rows", "--real", "--jobs", "1", "--only", "29,1a", "--resume", str(tmp_path / "kept")]
    assert main([*given, "--json", str(tmp_path / "a.json")]) == 130
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "verdict    interrupted: 1 of 2 cases run"
    assert err == f"rows: 1 results are kept: go on with --resume {tmp_path / 'kept'}\n"
    assert [each.name for each in tmp_path.iterdir()] == ["kept"], "no figures of half a run"
    campaign_of(content())
    assert main(given) == 1
    assert "verdict    1 of 2 met; not: 1a" in capsys.readouterr().out


def test_a_rig_that_cannot_be_started_ends_the_campaign(campaign_of, capsys):
    words = "the simulated cabinet did not start, exit code 1"
    campaign_of(RigError(words))
    assert main(["rows", "--real", "--only", "29,1a"]) == 3
    assert capsys.readouterr().err == f"rows: {words}\n"


@pytest.mark.parametrize("label", ["1a", "44 stopped"])
def test_a_course_that_did_not_come_to_its_end_is_a_row_too(label):
    row = real.ended_early(label, "the controller ended with exit code 1: no reason")
    assert not row.is_met and "NOT MET: the controller ended" in page.line(row, STEPPED)
    assert "never / " in page.page([row], STEPPED, {})


def real_rows(folder, *words):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, "-u", "-m", "hil", "rows", "--real", "--only", *words]
    return subprocess.Popen(command, cwd=ROOT, env={"TMPDIR": str(folder)}, **pipes)


@pytest.mark.slow
@pytest.mark.wire
def test_a_course_in_real_processes(tmp_path):
    """When the stage is active is known to a step only: its effects may be ahead of it."""
    out = tmp_path / "rows.json"
    (tmp_path / "tmp").mkdir()
    with real_rows(tmp_path / "tmp", "33,44a", "--json", str(out)) as process:
        stdout, stderr = process.communicate()
    assert stdout.startswith("seed       1\n") and process.returncode in (0, 1), stderr
    (one,) = json.loads(out.read_text(encoding="ascii"))["courses"]
    since_ms = one["since_ms"]
    assert one["stage"] == "33" and one["stands_ms"] > 0
    assert 0 < one["permit_ms"] <= since_ms[effects.ENABLE] < since_ms[effects.OPENED]
    assert None not in (since_ms[effects.HORN], since_ms[effects.LAMP])
    assert set(one["unwanted"]) <= set(since_ms) and list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.wire
def test_an_interrupted_process_leaves_no_file_behind(tmp_path):
    with real_rows(tmp_path, "33") as process:
        assert process.stdout.readline() == "seed       1\n"
        process.send_signal(signal.SIGINT)
        process.communicate()
    assert process.returncode == 130 and list(tmp_path.iterdir()) == []
