"""The gate: which jobs start, in which order, and what happens without a yes."""

import pytest
from hypothesis import given, strategies as st

from controller.watch import gate as g, jobs as j, settings
from controller.watch.gate import Gate
from controller.watch.jobs import Away, Job

RULES = {key: field.default for key, field in settings.GATE.items()}
VALUES = {"horizon_s": 900, "gate": RULES}


class Cluster:
    """A queue and a cabinet with a margin; None: the cabinet is away."""

    def __init__(self, margin_W, jobs=(), **rules):
        self.margin_W, self.jobs, self.now_s = margin_W, list(jobs), 1000.0
        self.lines, self.asked, self.explained, self.fails = [], [], [], 0
        values = VALUES | {"gate": RULES | rules}
        self.uptime_s, self.announced = 5.0, set()
        clocks = lambda: self.now_s, self.lines.append, lambda: self.uptime_s
        self.gate = Gate(self, self, values, *clocks, self.announced)

    def ask(self, power_W, at_s, for_s):
        self.asked.append(power_W)
        if self.margin_W is None:
            raise Away("cabinet: Connection refused")
        missing = [{"what": "power", "missing_W": 7}] * (power_W > self.margin_W)
        return {"answer": "no" if missing else "yes", "missing": missing, "unknown": []}

    def release(self, name):
        if self.fails:
            self.fails -= 1
            raise Away("scontrol: exit code 1: Invalid job id")
        at = next(at for at, job in enumerate(self.jobs) if job.name == name)
        self.jobs[at] = self.jobs[at]._replace(state=j.RELEASED)

    def explain(self, name, words):
        self.explained.append((name, words))

    def turn(self, after_s=30):
        """The lines of a turn so much later."""
        self.now_s += after_s
        self.uptime_s += after_s
        self.lines.clear()
        self.asked.clear()
        self.gate.turn(self.jobs)
        return list(self.lines)

    def states(self):
        return "".join([job.state[0] for job in self.jobs])


def gated(name, power_W, since_s=900, length_s=600):
    return Job(name, j.GATED, power_W, 0, length_s, since_s)


def test_the_first_to_come_is_the_first_to_start_and_counts_for_the_next():
    cluster = Cluster(100, [gated("b", 60, 950), gated("a", 70, 940), gated("c", 30, 960)])
    assert cluster.turn() == [
        "job a: 70 W: released (yes)",
        "job b: 60 W: waits: no (power: 7 W are missing)",
        "job c: 30 W: released (yes)",
    ]
    assert cluster.asked == [70, 130, 100] and cluster.explained[0] == ("a", "released (yes)")
    cluster.jobs[1] = cluster.jobs[1]._replace(state=j.RUNNING, start_s=1000)  # not seen for long
    assert cluster.turn() == [] and cluster.asked == [60 + 70 + 30]
    cluster.jobs[2] = cluster.jobs[2]._replace(start_s=1200)
    cluster.announced.add(cluster.jobs[2])  # the cabinet knows it
    cluster.turn()
    assert cluster.asked == [60 + 70]
    cluster.announced.clear()
    cluster.turn(300)
    assert cluster.asked == [60 + 30]


@pytest.mark.parametrize("start_s", [0, 900, 1030, 90_000])
@pytest.mark.parametrize("set_s", [0, -2 * 86_400, 2 * 86_400])
def test_a_load_settles_by_the_monotonic_clock_and_not_by_stamps(start_s, set_s):
    """Neither an old stamp of the scheduler's clock, nor a day that is set, makes it older."""
    first = Job("a", j.RUNNING, 60, start_s, 86_400)
    cluster = Cluster(0, [gated("b", 50)])
    cluster.turn()
    cluster.jobs.append(first)
    cluster.turn()
    cluster.now_s += set_s
    cluster.turn(299)
    assert cluster.asked == [110]
    cluster.turn(1)
    assert cluster.asked == [50]
    cluster.jobs[1] = first._replace(start_s=2000)  # it was requeued, and runs again
    cluster.turn()
    assert cluster.asked == [110]


def test_a_released_job_counts_until_the_cabinet_has_granted_its_step():
    """A forecast of its start is no announcement."""
    cluster = Cluster(100, [gated("b", 50), Job("a", j.RELEASED, 60, 1500, 600)])
    cluster.turn()
    assert cluster.asked == [110]
    cluster.announced.update(cluster.jobs[1:])
    cluster.turn()
    assert cluster.asked == [50]


def test_a_job_that_raises_no_load_does_not_wait():
    cluster = Cluster(None, [gated("a", 0)])
    assert cluster.turn() == ["job a: 0 W: released (it raises no load)"] and not cluster.asked


def test_a_job_of_the_size_of_a_refused_one_is_not_asked_for():
    cluster = Cluster(100, [gated("a", 200), gated("b", 200)])
    cluster.turn()
    assert cluster.asked == [200]


def test_a_job_that_could_not_be_released_is_asked_for_last():
    cluster = Cluster(100, [gated("a", 60, 900), gated("b", 60, 950)])
    cluster.fails = 1
    with pytest.raises(Away):
        cluster.turn()
    cluster.turn()
    assert cluster.states() == "gr"


def test_the_time_without_a_cabinet_begins_anew_when_no_job_waits():
    cluster = Cluster(None, [gated("a", 60)])
    cluster.turn()
    waiting, cluster.jobs = cluster.jobs, []
    cluster.turn(800)
    cluster.jobs = waiting
    cluster.turn(100)
    cluster.turn(800)
    assert cluster.states() == "g"
    cluster.turn(101)
    assert cluster.states() == "r"


def test_a_job_larger_than_a_refused_one_is_not_asked_for():
    jobs = [
        gated("a", 200),
        gated("b", 300),
        gated("c", 300, length_s=500),
        gated("d", 30)._replace(unknown="gres hpu: 7"),
    ]
    cluster = Cluster(100, jobs)
    assert cluster.turn()[1:] == [
        "job b: 300 W: waits: no (a smaller job before it is refused)",
        "job c: 300 W: waits: no (power: 7 W are missing)",
        "job d: 30 W: waits: no (gres hpu: 7; only a person releases it)",
    ]
    assert cluster.asked == [200, 300] and cluster.states() == "gggg"
    assert cluster.explained[0] == ("a", "no (power: 7 W are missing)") and cluster.turn() == []


@pytest.mark.parametrize(("power_W", "unknown"), [(200, ""), (50, "7 gates")])
def test_a_job_that_waits_for_too_long_is_reported_again_and_again(power_W, unknown):
    cluster = Cluster(100, [gated("a", power_W)._replace(unknown=unknown)])
    assert len(cluster.turn()) == 1 and cluster.turn() == []
    (line,) = cluster.turn(21_600)
    assert line.startswith(f"job a: {power_W} W: waits for 6.0 h: no (")
    assert cluster.turn() == [] and len(cluster.turn(21_600)) == 1 and cluster.states() == "g"


def test_or_is_released_where_the_file_says_so_one_at_a_time():
    cluster = Cluster(100, [gated("a", 200), gated("b", 200)], after_wait="release")
    cluster.turn()
    assert (
        cluster.turn(21_600)[1]
        == "job a: 200 W: released WITHOUT A YES (no (power: 7 W are missing))"
    )
    assert cluster.states() == "rg"
    cluster.turn(200)
    assert cluster.states() == "rg"
    cluster.turn(200)
    assert cluster.states() == "rr"


def test_a_dead_cabinet_neither_stops_the_cluster_nor_opens_the_gate():
    cluster = Cluster(None, [gated(name, 50) for name in "abc"])
    assert len(cluster.turn()) == 3 and len(cluster.asked) == 1
    assert cluster.turn(900) == []
    words = "job a: 50 W: released WITHOUT A YES (not known (cabinet: Connection refused))"
    assert cluster.turn() == [words]
    cluster.turn()
    assert cluster.states() == "rgg"
    cluster.turn(300)
    assert cluster.states() == "rrg"
    cluster.margin_W = 40  # it is back: its answer counts again, and the time without it is over
    cluster.turn(300)
    cluster.margin_W = None
    cluster.turn()
    cluster.turn(890)
    assert cluster.states() == "rrg"


def test_or_it_stops_the_cluster_where_the_file_says_so():
    cluster = Cluster(None, [gated("a", 50)], after_dark="hold")
    cluster.turn()
    assert cluster.turn(86_400)[0].startswith("job a: 50 W: waits for 24.0 h: not known")
    assert cluster.states() == "g"


def test_a_job_that_has_just_gone_stops_no_other_one():
    cluster = Cluster(100, [gated(name, 10) for name in "abc"])
    cluster.fails = 1
    with pytest.raises(Away, match="^scontrol"):
        cluster.turn()
    cluster.fails = 1  # "a" is tried last
    cluster.jobs[1] = cluster.jobs[1]._replace(unknown="7 gates")
    with pytest.raises(Away, match="^scontrol"):
        cluster.turn()
    cluster.turn()
    assert cluster.states() == "rgr"


@pytest.mark.parametrize("margin_W", [1000, 10, None])
def test_a_load_that_is_unknown_is_never_released_by_itself_and_counts(margin_W):
    """Neither with a yes, nor after wait_max_s, nor beside a dead cabinet. A person releases it."""
    unknown = gated("a", 60)._replace(unknown="7 gates")
    cluster = Cluster(margin_W, [unknown], after_wait="release", after_dark="release")
    for _ in range(9):
        cluster.turn(21_600)
        assert cluster.states() == "g"
    cluster.jobs = [unknown._replace(state=j.RELEASED), gated("b", 70)]
    cluster.turn()
    assert cluster.asked == [130]


JOBS = st.lists(st.tuples(st.integers(1, 100), st.integers(0, 3)), min_size=1, max_size=6)


@given(JOBS, st.integers(0, 150))
def test_what_starts_in_one_turn_is_never_more_than_the_margin(powers, margin_W):
    jobs = [gated(str(at), power_W, since_s) for at, (power_W, since_s) in enumerate(powers)]
    cluster = Cluster(margin_W, jobs)
    cluster.turn()
    cluster.turn()
    started_W = sum([job.power_W for job in cluster.jobs if job.state == j.RELEASED])
    assert started_W <= margin_W
    assert g.coming_W(cluster.jobs, ()) == started_W


def test_a_clock_that_was_set_back_holds_no_job_for_ever():
    cluster = Cluster(None, [gated("a", 60), gated("b", 60)])
    cluster.now_s += 10**8
    cluster.turn()
    assert "WITHOUT A YES" in cluster.turn(901)[0]
    cluster.now_s -= 10**8
    cluster.turn()
    assert cluster.turn(400) and cluster.states() == "rr"


@pytest.mark.parametrize("days", [60, -60, 2])
@pytest.mark.parametrize("margin_W", [0, None])
def test_a_clock_that_is_wrong_for_a_minute_releases_no_job_and_forgets_none(days, margin_W):
    rules = {"after_wait": "release", "wait_max_s": 3600, "dark_max_s": 900}
    cluster = Cluster(margin_W, [gated("a", 60), gated("b", 70)], **rules)
    cluster.turn()
    cluster.now_s += days * 86_400
    cluster.turn()
    cluster.turn()
    cluster.now_s -= days * 86_400
    cluster.turn(600)
    assert cluster.states() == "gg"
    waits_s = 3600 if margin_W == 0 else 900
    assert "WITHOUT A YES" in " ".join(cluster.turn(waits_s)) and cluster.states() == "rg"


def test_a_clock_that_is_behind_holds_no_new_job():
    cluster = Cluster(100, [gated("a", 60)])
    cluster.now_s -= 60 * 86_400
    assert cluster.turn() == ["job a: 60 W: released (yes)"]


def test_a_job_without_a_known_submission_has_not_waited_since_1970():
    cluster = Cluster(100, [gated("a", 200, since_s=0)], after_wait="release")
    cluster.now_s = 1.8e9
    cluster.turn()
    assert cluster.turn() == [] and cluster.states() == "g"


def test_a_job_that_may_begin_only_in_days_is_not_asked_for_yet():
    later = gated("a", 60)._replace(start_s=500_000)
    cluster = Cluster(100, [later, gated("b", 60)], after_wait="release")
    assert cluster.turn() == ["job b: 60 W: released (yes)"] and cluster.asked == [60]
    cluster.margin_W, cluster.jobs = 0, [later]
    assert cluster.turn(400_000) == []
    cluster.now_s = later.start_s - 900 - 31
    assert cluster.turn() == []
    cluster.now_s = later.start_s - 900 - 30
    assert cluster.turn() == ["job a: 60 W: waits: no (power: 7 W are missing)"]
    assert cluster.turn(21_600) == []
    assert (
        cluster.turn()[0].startswith("job a: 60 W: waits for 6.0 h: no (")
        and len(cluster.lines) == 2
    )
