"""A release on trial: in a tree with two releases, whose commands are stubs."""

import contextlib
import json
import shutil
import subprocess

import pytest
from command_line import lines_of
from two_releases import content, done, made

from controller.store import durable
from controller.system import clock
from controller.systemd import box_tree, rollback, trial, trial_verdict as v
from controller.systemd.box_tree import Box

GOOD = {
    "uptime_s": 100,
    "is_controlling": True,
    "missed_permille": 0,
    "late_us": 150,
    "trips": 7,
    "links": 0,
    "apart_permille": 3.0,
    "is_closed": False,
    "is_off_grid": False,
    "is_dangerous": False,
}
NEW = v.Trial("new", "old", GOOD, 7, True)
MINUTES = v.TRIAL_MIN


def looks(count, figures=GOOD, trial=NEW, is_active=True):
    """(trial, reason) after so many looks, a minute apart."""
    why, first_s = "", trial.looked_s
    for at in range(1, count + 1):
        trial, why = v.judged(trial, figures, is_active, first_s + 60 * at)
    return trial, why


@pytest.mark.parametrize(("count", "is_over"), [(0, False), (MINUTES - 1, False), (MINUTES, True)])
def test_a_release_stays_after_half_an_hour_of_control(count, is_over):
    after, why = looks(count)
    assert (v.is_over(after), why) == (is_over, "")


def test_only_time_of_control_counts_and_a_pause_of_the_judge_counts_little():
    assert looks(100, {**GOOD, "is_controlling": False})[0].controlled_s == 0
    assert v.judged(NEW, GOOD, True, 1e6)[0].controlled_s == v.LOOK_S_MAX
    assert v.judged(NEW._replace(looked_s=1e6), GOOD, True, 5)[0].controlled_s == 0, "a reboot"


@pytest.mark.parametrize(
    ("name", "most"),
    [("missed_permille", 1), ("late_us", 800), ("trips", 7), ("links", 0), ("apart_permille", 11)],
)
def test_each_figure_may_be_as_before_and_no_worse(name, most):
    assert looks(MINUTES, {**GOOD, name: most})[1] == ""
    why = looks(MINUTES, {**GOOD, name: most + 1})[1]
    assert why.startswith(v.WORSE[name][0]) and f"allowed {most if name != 'trips' else 0:g}" in why
    assert looks(MINUTES - 1, {**GOOD, name: most + 1})[1] == ""


@pytest.mark.parametrize("name", v.FIGURES)
def test_a_figure_that_was_not_known_before_is_not_compared(name):
    """Trips count from the begin of the trial, so they need no figure of before."""
    bad = {**GOOD, **{each: 1000 for each in v.WORSE if each == name}}
    for figures in (None, {**GOOD, name: None}):
        trial = NEW._replace(figures=figures)
        assert looks(MINUTES, trial=trial)[1] == ""
        assert bool(looks(MINUTES, bad, trial)[1]) == (name == "trips")


@pytest.mark.parametrize("name", v.MAY_LACK)
def test_a_figure_that_is_unknown_now_is_worse_than_a_known_one(name):
    why = looks(MINUTES, {**GOOD, name: None})[1]
    assert why.startswith(v.WORSE[name][0]) and ": unknown, allowed " in why


def test_starts_without_control_and_looks_without_figures_end_a_trial():
    trial = NEW
    for number in range(1, v.STARTS_MAX + 2):
        trial, why = v.counted(trial, 0)
        assert bool(why) == (number > v.STARTS_MAX)
    settled = looks(1, {**GOOD, "uptime_s": v.SETTLED_S}, trial)[0]
    assert settled.starts == 0
    assert looks(1, {**GOOD, "uptime_s": v.SETTLED_S - 1}, trial)[0].starts == trial.starts
    assert looks(v.MISSING_MAX - 1, None)[1] == "" and looks(v.MISSING_MAX, None)[1]
    assert looks(10, None, is_active=False)[1] == ""


class Site:
    """The tree, what systemd says, and the figures that each release gives."""

    def __init__(self, tree, monkeypatch, capsys):
        self.tree, self.capsys, self.asked = tree, capsys, []
        self.says = {"is-active": "active\n", "show": "0\n"}
        self.figures = {"new": GOOD, "old": GOOD}
        self.now_s = 0
        monkeypatch.setattr(trial.os, "geteuid", lambda: 0)
        monkeypatch.setattr(trial, "_systemctl", self.systemctl)
        monkeypatch.setattr(clock, "now_us", lambda: int(self.now_s * 1e6))
        monkeypatch.setattr(Box, "run", self.answer)

    def systemctl(self, *words):
        self.asked.append(words)
        return done(out=self.says.get(words[0], ""))

    def answer(self, release, *words, program="", timeout_s=None):
        if words != ("box", "figures"):
            return done()
        found = self.figures[release]
        if isinstance(found, Exception):
            raise found
        return done(out=found if isinstance(found, str) else json.dumps(found))

    def run(self, words, count=1):
        for _ in range(count):
            self.now_s += 60
            found = lines_of(self.capsys, f"box trial {words} --root", self.tree)
        return found

    @property
    def link(self):
        return content(self.tree)[1][0]

    @property
    def last(self):
        return (self.tree / trial.LAST).read_text()

    def begun(self, noted=NEW):
        (self.tree / trial.NOTE).write_text(json.dumps(noted._asdict()))
        return self


def asked_of(site):
    asked = [words[:2] for words in site.asked if words[0] not in ("is-active", "show")]
    return [" ".join(words) for words in asked]


RESTARTED = ["restart firebreak.service", "try-restart firebreak-record"]


@pytest.fixture
def site(tmp_path, monkeypatch, capsys):
    return Site(made(tmp_path), monkeypatch, capsys)


def test_a_release_that_controls_as_well_stays(site):
    line = "new is on trial: 0 of 30 minutes of control; else old comes back"
    assert site.begun().run("") == (1, [line])
    site.run("judge", MINUTES)
    assert site.link == "new" and asked_of(site) == []
    assert site.run("") == (0, ["no release is on trial; the last one: new stays"])
    assert site.run("judge") == (0, []) and site.run("count") == (0, [])


def test_a_release_that_crashes_at_its_start_goes_back_before_the_next_one(site):
    """The service's own start goes on with the release before: only others are restarted."""
    site.begun().run("count", v.STARTS_MAX)
    assert site.link == "new"
    site.run("count")
    assert site.link == "old" and asked_of(site) == ["--no-block try-restart"]
    assert site.last == "new went back to old: 3 starts without 60 s of control\n"


@pytest.mark.parametrize(
    ("change", "why"),
    [({"is-active": "failed\n"}, "its service has 0"), ({"show": "3\n"}, "it has ended 3 times")],
)
def test_a_release_whose_service_ends_goes_back(change, why, site):
    site.says |= change
    site.begun().run("judge")
    assert (site.link, site.last) == ("old", f"new went back to old: {why}\n")
    assert asked_of(site) == RESTARTED


@pytest.mark.parametrize(
    "figures",
    [
        "Traceback\n",
        "[]",
        "{}",
        json.dumps({**GOOD, "links": None})[:-5],
        subprocess.TimeoutExpired("firebreak", 60),
    ],
)
def test_a_release_that_runs_and_gives_no_figures_goes_back(figures, site):
    site.figures["new"] = figures
    site.begun().run("judge", v.MISSING_MAX - 1)
    assert site.link == "new"
    site.run("judge")
    assert site.link == "old" and "3 looks without figures" in site.last


def test_a_release_that_controls_worse_goes_back_but_not_while_it_carries_the_site(site):
    site.figures["new"] = {**GOOD, "apart_permille": 30, "is_off_grid": True}
    site.begun().run("judge", MINUTES - 1)
    code, lines = site.run("judge")
    assert site.link == "new" and "goes back when the site is on the grid again" in lines[0]
    site.figures["new"]["is_off_grid"] = False
    site.run("judge")
    assert site.link == "old" and asked_of(site) == RESTARTED


def test_a_release_that_cannot_go_back_stays_and_says_why(site, monkeypatch):
    real = site.answer
    refuse = lambda box, release, *words, **more: (  # noqa: E731
        done(2, err="firebreak: x: is unknown\n") if words[0] == "check" else real(release, *words)
    )
    monkeypatch.setattr(Box, "run", refuse)
    site.begun().says["show"] = "3\n"
    site.run("judge")
    assert site.link == "new" and not (site.tree / trial.NOTE).exists()
    line = "new stays, although it has ended 3 times: nothing changed: release old"
    assert site.last.startswith(line)


@pytest.mark.parametrize("state", ["activating\n", "deactivating\n", "inactive\n", ""])
def test_the_judge_leaves_a_service_that_starts_or_was_stopped(state, site):
    """A restart would end the step `count` of a start, which may be changing the release."""
    site.says |= {"is-active": state, "show": "3\n"}
    site.begun().run("judge")
    assert site.link == "new" and asked_of(site) == [] and (site.tree / trial.NOTE).exists()


@pytest.mark.parametrize("step", ["count", "judge"])
def test_while_another_command_changes_the_releases_a_way_back_waits(step, site):
    site.begun(NEW._replace(starts=v.STARTS_MAX)).says["show"] = "3\n"
    with box_tree.locked(Box(str(site.tree))):
        site.run(step)
    assert site.link == "new" and asked_of(site) == [] and (site.tree / trial.NOTE).exists()
    site.run(step)
    assert site.link == "old" and "went back" in site.last


@pytest.mark.parametrize(("first", "second"), [("count", "judge"), ("judge", "count")])
def test_two_ways_back_at_once_go_back_once(first, second, site, monkeypatch):
    """The second one has decided, and gets the lock when the first one is ready."""
    site.begun(NEW._replace(starts=v.STARTS_MAX)).says["show"] = "3\n"
    real = box_tree.locked

    @contextlib.contextmanager
    def late(box):
        monkeypatch.setattr(trial, "locked", real)
        site.run(first)
        with real(box):
            yield

    monkeypatch.setattr(trial, "locked", late)
    site.run(second)
    assert site.link == "old" and site.last.startswith("new went back to old")


def test_a_start_that_was_counted_during_a_look_is_kept(site, monkeypatch):
    answer = site.answer

    def slow(box, release, *words, **more):
        site.run("count")
        return answer(release, *words)

    monkeypatch.setattr(Box, "run", slow)
    site.begun().run("judge")
    assert trial.noted(Box(str(site.tree))).starts == 1


def test_the_installation_notes_what_the_release_before_does(site):
    site.run("begin --release newer")
    found = json.loads((site.tree / trial.NOTE).read_text())
    names = "release", "before", "figures", "trips"
    assert [found[name] for name in names] == ["newer", "new", GOOD, 7]
    assert site.run("")[1][0].startswith("newer is on trial")
    assert site.run("judge") == (0, [f"removed     /{trial.NOTE}"]), "it was cut off"
    site.run("begin --release new")
    assert not (site.tree / trial.NOTE).exists(), "the same release again"
    site.figures["new"] = "{}"
    site.run("begin --release newer")
    assert json.loads((site.tree / trial.NOTE).read_text())["figures"] is None


WRONG = {
    "release": ["", 1, "\ud800", "a\nb"],
    "figures": [[1], {"links": "x"}, {**GOOD, "links": True}, {**GOOD, "late_us": "x"}],
    "trips": ["1", -1],
    "has_started": [None, 1],
    "starts": ["2", float("nan")],
    "controlled_s": [float("nan"), float("inf"), -1e9, "x"],
    "more": [1],
}
NOTES = ["", "{", "[]", "{}", "1", "\0" * 10] + [
    json.dumps(NEW._asdict() | {name: value}) for name, every in WRONG.items() for value in every
]


@pytest.mark.parametrize("text", NOTES[:6] + NOTES[7:])
def test_a_note_that_is_damaged_is_no_trial(text, site):
    (site.tree / trial.NOTE).write_text(text)
    for step in ("count", "", "judge"):
        assert site.run(step)[0] == 0
    assert site.link == "new" and not (site.tree / trial.NOTE).exists()


def test_a_note_that_is_a_folder_is_one_line(site):
    (site.tree / trial.NOTE).mkdir()
    code, lines = site.run("")
    assert code == 3 and len(lines) == 1 and "Is a directory" in lines[0]


@pytest.mark.parametrize(
    "change",
    [
        {"uptime_s": None},
        {"late_us": "x"},
        {"trips": None},
        {"links": []},
        {"missed_permille": float("nan")},
        {"is_off_grid": None},
    ],
)
def test_figures_of_a_broken_release_count_as_none(change, site):
    site.figures["new"] = {**GOOD, **change}
    site.begun().run("judge", v.MISSING_MAX)
    assert site.link == "old" and "3 looks without figures" in site.last


def test_a_release_that_was_not_started_is_not_judged(site):
    """The old process may have a journal that the new release cannot read, and restarts."""
    site.says["show"], site.figures["new"] = "3\n", "{}"
    site.begun(NEW._replace(has_started=False)).run("judge", v.MISSING_MAX)
    assert site.link == "new" and asked_of(site) == []
    site.run("count")
    site.figures["new"] = GOOD
    site.run("judge", MINUTES)
    assert site.last == "new stays\n"


def test_a_release_that_was_worse_does_not_stay_because_of_a_missed_look(site):
    site.figures["new"] = {**GOOD, "apart_permille": 30, "is_off_grid": True}
    site.begun().run("judge", MINUTES)
    site.figures["new"] = "{}"
    site.run("judge", v.MISSING_MAX + 1)
    assert site.link == "new" and (site.tree / trial.NOTE).exists(), "it carries the site"
    site.figures["new"] = {**GOOD, "apart_permille": 30}
    site.run("judge")
    assert site.link == "old"


def test_old_trips_are_none_of_a_release_that_was_installed_while_the_service_rested(site):
    site.figures["new"] = "{}"
    site.run("begin --release newer")
    assert json.loads((site.tree / trial.NOTE).read_text())["trips"] is None
    assert looks(MINUTES, trial=NEW._replace(trips=None))[1] == ""
    first = looks(1, trial=NEW._replace(trips=None))[0]
    assert looks(MINUTES, {**GOOD, "trips": 8}, first)[1].startswith("trips: 1")


@pytest.mark.parametrize("name", ["", "../../etc", "a/b"])
def test_a_release_has_a_name(name, site):
    assert site.run(f"begin --release={name}") == (
        2,
        ["firebreak: --release: allowed is the name of a release"],
    )


def test_a_start_waits_until_nobody_misses_the_cabinet(site):
    for name, words in trial.trial_figures.NO_START.items():
        site.figures["new"] = {**GOOD, name: True}
        code, lines = site.run("start")
        assert code == 1 and lines[-1].endswith(f"not started: {words}")
    assert site.asked == []
    site.figures = {"new": "{}", "old": subprocess.TimeoutExpired("firebreak", 60)}
    code, lines = site.run("start")
    assert code == 1 and "how the cabinet controls is unknown" in lines[-1]
    assert asked_of(site) == []
    site.says["is-active"] = "inactive\n"
    assert site.run("start")[0] == 0 and asked_of(site) == RESTARTED
    site.figures["new"], site.asked = GOOD, []
    assert site.run("start") == (0, []) and asked_of(site) == RESTARTED


class Cut(BaseException):
    """The power is gone."""


def test_a_power_cut_at_any_step_leaves_one_whole_release(site, tmp_path_factory, monkeypatch):
    place = tmp_path_factory.mktemp("cut")
    whole = shutil.copytree(site.begun().tree, place / "whole", symlinks=True)
    number, has_ended = 0, False
    while not has_ended:
        site.tree = shutil.copytree(whole, place / str(number), symlinks=True)
        site.says["show"] = "3\n"
        left = [number]

        def stepped(real):
            def step(*given, **more):
                left[0] -= 1
                if left[0] < 0:
                    raise Cut
                return real(*given, **more)

            return step

        with monkeypatch.context() as patched:
            for owner, name in ((Box, "put"), (Box, "remove"), (Box, "link"), (durable, "put")):
                patched.setattr(owner, name, stepped(getattr(owner, name)))
            patched.setattr(rollback, "_remember", stepped(rollback._remember))
            with contextlib.suppress(Cut):
                has_ended = site.run("judge")[0] == 0
        site.run("judge")  # the next minute, after the reboot
        files, links = content(site.tree)
        assert links[0] == "old", number
        assert files["etc/systemd/system/firebreak.service"] == "old unit", number
        number += 1
    assert number > 15
