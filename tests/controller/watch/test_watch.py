"""The watch: a queue becomes steps that the loop knows, through the HTTP door."""

import json
import pathlib
import socket
import subprocess
import sys
import types

import pytest
from ask_bench import situation
from hypothesis import given, strategies as st
from watch_site import steps, token_in

from controller.core.policies.notices import Notices
from controller.doors import asking, local
from controller.doors.local.examples import announce_steps
from controller.watch import jobs as j
from controller.watch.__main__ import run_turns
from controller.watch.cabinet import Cabinet
from controller.watch.jobs import Away, Job, PowerTable
from controller.watch.watcher import Watcher, answer_text
from tests.certificates import certificates
from tests.controller.doors.http_site import CAP_TOKEN, served, with_tls
from tests.tables import cases

NOW_S = 1_795_615_800
LACK = {"what": "power", "missing_W": 9, "from_s": 0, "limit": {"label": "R213", "name": "PCS"}}
LACKS = "no (energy: 7 Wh are missing)"
POWERS = st.integers(0, 10**6)
STATES = st.sampled_from([j.PENDING, j.GATED, j.RELEASED, j.RUNNING])
TIMES = st.just(0) | st.integers(NOW_S - 2000, NOW_S + 2000)
JOBS = st.lists(st.builds(Job, st.just("a"), STATES, POWERS, TIMES, st.integers(1, 3000)))


def job(name, ahead_s, power_W=5000, state=j.PENDING, length_s=600):
    return Job(str(name), state, power_W, NOW_S + ahead_s, length_s)


@given(JOBS, st.integers(60, 3600))
def test_the_announced_steps_are_the_sum_of_the_jobs(jobs, horizon_s):
    steps = j.steps_of(jobs, NOW_S, horizon_s)
    assert len(steps) <= 4 and list(steps) == sorted(steps) and 0 not in steps.values()
    last_s = max(steps) if len(steps) == 4 else NOW_S + 10_000
    expected_W = 0
    for each in jobs:
        is_end = each.state == "running"
        at_s = each.start_s + each.length_s * is_end
        is_known = each.power_W and each.start_s and each.state != "gated"
        is_known = is_known and not (is_end and each.unknown)
        if is_known and NOW_S < at_s <= min(NOW_S + horizon_s, last_s):
            expected_W += -each.power_W if is_end else each.power_W
    assert sum(steps.values()) == expected_W


H100, TYPED, UNTYPED = ("h100",), True, False


@cases("""nodes  gpus  kind  is_typed  places  power_W  is_known
          2  0  ()  UNTYPED  ["batch"]  1200  True
          2  8  ("t4",)  TYPED  ["batch"]  5200  True
          2  8  H100  TYPED  ["batch"]  6800  True
          2  8  ()  UNTYPED  ["batch"]  6800  True  # it may be an h100
          2  8  ()  UNTYPED  ["few"]  2800 + 1600  True
          2  8  ("t4",)  TYPED  ["batch", "few"]  2800 + 4000  True  # the worst of both
          1  0  ()  UNTYPED  ["other"]  1400  False  # unknown is not zero
          1  0  ()  UNTYPED  []  1400  False
          2  None  H100  TYPED  ["batch"]  1200 + 32 * 700  False
          2  9  ("hpu",)  None  ["batch"]  1200 + 9 * 700  False
          2  99  ("hpu",)  None  ["batch"]  1200 + 32 * 700  False
          2  9  ("nic",)  None  ["batch"]  1200  True
          2  9  ("rdma/hca",)  None  ["batch"]  1200  True
          2  9  ("squat.ai/gpu",)  None  ["batch"]  1200 + 9 * 700  False
          2  9  ("github.com/nvidia",)  None  ["batch"]  1200 + 9 * 700  False
          2  9  ("smarter-devices/fuse",)  None  ["batch"]  1200  True
          2  9  ("nics",)  None  ["batch"]  1200 + 9 * 700  False  # a whole name
          2  9  ("h1000",)  TYPED  ["batch"]  1200 + 9 * 500  True  # no h100
          2  9  ("h10",)  TYPED  ["batch"]  1200 + 9 * 500  True
          2  9  ("fpga",)  None  ["batch"]  1200  True  # 0 W by the table
          0  0  ()  UNTYPED  ["batch"]  0  True
""")
def test_power_of_a_job(nodes, gpus, kind, is_typed, places, power_W, is_known):
    given = {"*": 500, "h100": 700, "few": 200, "fpga": 0}
    table = PowerTable({"batch": 600, "few": 1400}, given, 16)
    found_W, unknown = table.load(nodes, [j.Device("x", kind, gpus, is_typed)], places)
    assert found_W == power_W and (not unknown) is is_known


def test_a_partition_without_an_entry_beside_one_that_has_it_is_unknown():
    found_W, unknown = PowerTable({"a": 600, "b": 900}, {}).load(2, [], ["a", "new"])
    assert found_W == 1800 and unknown == "[node_W] has no entry for a or new"


def test_without_W_of_gpus_a_node_is_the_whole_load():
    found = PowerTable({"*": 5600}, {}).load(2, [j.Device("x", (), None, False)], ["a"])
    assert found == (11_200, "")


@cases("""answer  words
    {"answer": "yes", "missing": [], "unknown": []}  "yes"
    {"answer": "no", "missing": [{"what": "energy", "missing_Wh": 7}]}  LACKS
    {"answer": "no", "missing": [LACK]}  "no (power: 9 W are missing, R213 PCS)"
    {"answer": "not known", "unknown": ["the load", "the clock"]}  "not known (the load; the clock)"
""")
def test_an_answer_in_words(answer, words):
    assert answer_text(answer) == words


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(site, door, Cabinet) before a loop that answers."""
    folder = tmp_path_factory.mktemp("watch")
    with served(folder) as (site, door), pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "_situation", lambda path, second: situation())
        yield site, door, Cabinet(f"http://127.0.0.1:{door.port}", token_in(folder), "")


@pytest.mark.wire
def test_over_tls_only_with_the_ca_of_the_file(tmp_path):
    token = token_in(tmp_path)
    with served(tmp_path, with_tls()) as (_, door):
        url = f"https://127.0.0.1:{door.port}"
        assert Cabinet(url, token, f"{certificates()}/site.crt").announce(1000, 60.25)["granted"]
        with pytest.raises(Away, match="certificate"):
            Cabinet(url, token, "").announce(1000, 60)


@pytest.mark.wire
def test_a_queue_is_asked_for_announced_moved_and_withdrawn(place):
    site, _, cabinet = place
    lines = []
    watcher = Watcher(cabinet, 900, lambda: NOW_S, lines.append)
    watcher.turn([job(4, 120, 15_000)])
    for row in site.bench.cabinet.core.functions[Notices.NAME].more:
        row.left_ticks = 0  # as after a restart
    watcher.turn([job(4, 120, 15_000)])
    assert lines == ["job 4: 15000 W in 120 s: yes", "step of 15000 W in 120 s: H1"]
    assert steps(site) == [(15_000, 120)]
    watcher.turn([job(4, 300, 15_000), job(5, 310, 1000), job(6, 60, None)])
    assert steps(site) == [(15_000, 300), (1000, 330)]
    watcher.withdraw()
    assert steps(site) == [] and watcher.sent == {}


@pytest.mark.wire
def test_the_example_of_a_training_loop_announces_its_steps(tmp_path):
    program = pathlib.Path(local.__file__).parent / "examples" / "announce_steps.py"
    token = tmp_path / "token"

    def ran(door, first_line, *arguments):
        token.write_text(first_line + "\n")
        url = f"http://127.0.0.1:{door.port}"
        line = [sys.executable, "-I", "-S", str(program), url, str(token), *arguments]
        done = subprocess.run(line, capture_output=True, text=True, timeout=50, check=False)
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    with served(tmp_path) as (site, door):
        assert ran(door, CAP_TOKEN, "100000", "3") == (0, ["H1: granted"] * 2, [])
        known = site.bench.cabinet.core.functions[Notices.NAME].steps()
        assert sorted(each.step_W for each in known) == [-50_000, 100_000]
        code, answers, errors = ran(door, "wrong", "100000", "3")
        assert code == 1 and answers == [] and len(errors) == 2 and "refused" in errors[0], errors
        code, _, errors = ran(door, CAP_TOKEN, "much", "3")
        assert code == 1 and len(errors) == 1 and errors[0].endswith("URL TOKENFILE WATTS STEPS")


def test_an_event_without_watts_is_one_line_and_removes_no_step(capsys):
    load = announce_steps.Announcer("http://127.0.0.1:1", "no token", {"end": -1000})
    load.begins("chekpoint", 1.0)
    load.ends("start", 1.0)
    load.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"announce_steps: {event}: given are end" for event in ("chekpoint", "start")]


@pytest.mark.wire
def test_a_question_is_asked_within_what_the_cabinet_answers(place):
    """A job without a time limit, and one that should have begun."""
    for words, asked in (
        ((2_000_000_000, -5, 31_536_000), (1_000_000_000, 0, 86_400)),
        ((1, 90_000, 0), (1, 86_400, 1)),
    ):
        found = place[2].ask(*words)
        assert (found["power_W"], found["at_s"], found["for_s"]) == asked


class Loop:
    """A cabinet that grants steps of at most most_W."""

    def __init__(self, most_W):
        self.most_W = most_W

    def announce(self, power_W, ahead_s):
        if self.most_W is None:
            raise Away("box: Connection refused")
        return {"granted": abs(power_W) <= self.most_W, "label": "H9", "remedy": "none"}

    def ask(self, power_W, at_s, for_s):
        return {"answer": "yes"}


def test_only_what_this_turn_has_granted_is_announced():
    """A refused step, a fifth one and a start that is late are none; a refused move is none."""
    ends = Job("e", j.RUNNING, 2000, NOW_S - 600, 720)
    near = [job(at, at * 60, 1000, j.RELEASED) for at in range(1, 6)]
    late = job("late", -5, 1000, j.RELEASED)
    cases = [
        (9000, [*near, late], near[:4]),
        (900, near, []),
        (1000, [near[0], near[2]._replace(power_W=3000)], near[:1]),
        (9000, [job(7, 120, 2000, j.RELEASED), ends], []),  # both make no step
        (None, near, []),
    ]
    for most_W, jobs, announced in cases:
        watcher = Watcher(Loop(9000), 900, lambda: NOW_S, [].append)
        watcher.turn(near)
        assert watcher.announced == {*near[:4]}
        watcher._cabinet = Loop(most_W)
        run_turns(types.SimpleNamespace(queue=lambda: jobs), [watcher.turn])  # noqa: B023
        assert watcher.announced == {*announced}, most_W


@pytest.mark.wire
def test_a_cabinet_that_is_away_is_one_line_and_its_steps_are_not_forgotten(place):
    _, _, cabinet = place
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        away = Cabinet(f"http://127.0.0.1:{closed.getsockname()[1]}", cabinet._token, "")
    watcher = Watcher(away, 900, lambda: NOW_S, [].append)
    watcher.sent = {NOW_S + 60: 1000}
    queue = types.SimpleNamespace(queue=lambda: [job(4, 120)])
    trouble = run_turns(queue, [watcher.turn])
    assert trouble.endswith(": Connection refused") and "\n" not in trouble
    watcher.withdraw()
    assert watcher.sent == {NOW_S + 60: 1000}


@pytest.mark.wire
def test_a_moment_is_exact_else_it_would_be_two_steps(place):
    """The controller takes steps that are more than 1 s apart for two."""
    site, _, cabinet = place
    known = site.bench.cabinet.core.functions[Notices.NAME]
    for ahead_s, power_W, found in ((200.6, 1000, [True]), (199.7, 1000, [True]), (199.4, 0, [])):
        assert cabinet.announce(power_W, ahead_s)["label"] == "H1"
        late_ms = [ahead_s * 1000 - each.start_ms for each in known.steps()]
        assert [-20 <= each < 100 for each in late_ms] == found


@cases("""answer
    {"answer": True}
    {"answer": "maybe"}
    {"answer": ["yes"]}
    {"answer": "yes", "missing": 7}
    {"granted": True}
    {"answer": "no", "unknown": None}
""")
def test_an_answer_of_another_form_is_none(answer, monkeypatch, tmp_path):
    cabinet = Cabinet("http://127.0.0.1:1", token_in(tmp_path), "")
    monkeypatch.setattr(Cabinet, "_exchanged", lambda *_: (200, json.dumps(answer).encode()))
    with pytest.raises(Away):
        cabinet.ask(1, 0, 1)


def test_words_of_a_cabinet_are_one_short_line_of_ascii():
    """They go into a log and into an argument of scontrol, which takes no NUL and no half of a
    pair of Unicode."""
    words = answer_text(
        {"answer": "no", "unknown": ["a\0b\n\ud800", "x" * 10**6], "missing": [3, {}]}
    )
    assert words.startswith("no (3; None: ; a?b??; xx") and len(words) == 500
