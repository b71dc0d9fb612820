"""`firebreak join` at a cabinet in virtual time: its steps, what each lacks, leaving."""

import pathlib

import pytest
from command_line import answered, facts_in, flat, refused, run
from watched import CONFIG, SECOND_US, Watched, check

from controller.config import proof_plan
from controller.console import join_steps, person
from controller.run import link_statistics, operator_client, operator_commands
from controller.state import proof_tests as state_tests, watch
from controller.store import joining, proof_lines as pl, proof_tests as pt, sign_tests
from controller.system import clock, utc
from controller.system.clock import Utc


class Box:
    """A running cabinet, the command `join` at it, and the ledger."""

    def __init__(self, capsys, folder, monkeypatch):
        self.capsys, self.watched = capsys, Watched(folder).run(3)
        self.asked, self.held, self.serial = [], [], "A1"
        self.utc_us, self.now_us = int(utc.Clocks.utc_us()), 10**12
        monkeypatch.setattr(utc.Clocks, "utc_us", lambda _: Utc(self.utc_us))
        for place in (clock, utc.Clocks):
            monkeypatch.setattr(place, "now_us", lambda *_: self.now_us)
        monkeypatch.setattr(watch.Watch.update, "__defaults__", (self.watched.rig.step,))
        answered(monkeypatch, operator_client, "reach", None)
        answered(monkeypatch, person, "prove", None)
        accept = lambda kept: lambda _, *given: kept.append(given) or operator_commands.ACCEPTED  # noqa: E731
        monkeypatch.setattr(operator_client, "ask", accept(self.asked))
        monkeypatch.setattr(operator_client, "sign", accept(self.held))
        monkeypatch.setattr(
            link_statistics, "read", lambda _: {"serials": {("meter_grid", 1): self.serial}}
        )

    @property
    def cabinet(self):
        return self.watched.rig.controller.cabinet

    def later(self, duration_s):
        return self.watched.run(self.watched.rig.now_us / SECOND_US + duration_s)

    def where(self):
        return "--run-dir", self.watched.folder, "--state-dir", self.watched.state

    def ask(self, words="", *more):
        return run(self.capsys, f"join {words}", *more, *self.where())

    def refuse(self, code, text, words, *more):
        refused(self.capsys, code, text, f"join {words}", *more, *self.where())

    def known(self):
        return facts_in(self.ask("--json")[1])

    def stop(self):
        self.cabinet.request_run(False)
        self.later(8)
        return self

    def tested(self):
        """Every proof test and sign test passes."""
        ledger, now = pt.Ledger(self.watched.state), utc.moment()
        for row in proof_plan.plan(CONFIG):
            ledger.test(now, row, "anna", 100, pl.PASSED)
        for unit, code in enumerate(state_tests.codes(self.watched.shadow.reader.header), 1):
            remark = sign_tests.remark_of(code, "agrees")
            ledger.sign(now, sign_tests.row_of(unit), "anna", pl.PASSED, remark)
        return self

    def noted(self, steps=joining.STEPS):
        ledger, place = pt.Ledger(self.watched.state), self.known()["place"]
        for step in steps:
            ledger.add(utc.moment(), pl.JOINED, step, "anna", joining.remark(place, "done"))
        return self


@pytest.fixture
def box(capsys, tmp_path, monkeypatch):
    return Box(capsys, tmp_path, monkeypatch)


def test_a_cabinet_joins_step_by_step(box):
    code, page, _ = box.stop().ask()
    check(page, "join")
    assert code == 0 and "`firebreak join` was never used here" in flat(page)
    code, page, _ = box.ask("--by anna")
    check(page[1:], "join")
    assert code == 1 and page[0] == "read: done" and "NEXT place: read them" in flat(page)
    code, page, _ = box.ask("--by anna --at", "hall 2, row 3")
    assert page[:1] == ["place: hall 2, row 3"] and "LACKS       site.toml has no [plan]" in page
    code, page, _ = box.ask("--by anna --accept", "J. Doe, mail of May")
    assert page[:2] == ["spacing: accepted: J. Doe, mail of May", "limits: done"]
    assert "88 of 88 tests are not passed" in flat(page)
    code, page, _ = box.tested().ask("--by anna")
    assert page[:2] == ["wiring: done", "sign: done"] and "LACKS" in flat(page)
    assert box.known()["state"] == joining.JOINS and box.known()["ready_permille"] == 0
    box.noted(["zero", "meters"])
    box.cabinet.request_run(True)
    box.later(120)
    code, page, _ = box.ask("--by anna")
    assert (code, page[0]) == (0, "load: done") and box.known()["state"] == joining.IN
    assert [*box.known()["steps"]] == [*joining.STEPS] and box.known()["missing"] == {}


def test_the_last_step_needs_a_call_of_its_own(box):
    box.stop().tested().noted(joining.STEPS[:-3])
    box.cabinet.request_run(True)
    box.later(120)
    code, page, _ = box.ask("--by anna")
    assert (code, page[:2]) == (1, ["zero: done", "meters: done"]) and "NEXT        load" in page[
        -1
    ]
    assert box.ask("--by anna")[:2][0] == 0


def test_only_some_steps_can_be_accepted_and_only_with_words(box):
    box.refuse(1, "the next step cannot be accepted", "--by anna --accept", "J. Doe, May")
    for words in ("--by anna --accept none", "--by anna --at n/a", "--by -"):
        box.refuse(2, "allowed is a text of at most 150 ASCII characters", words)
    box.refuse(2, "--at: allowed", "--by anna --at", "x" * 151)
    box.refuse(2, "--by: allowed", "--by", "")
    for words in ("--at hall", "--accept x", "--leave", "--by anna --leave --at hall"):
        box.refuse(2, "allowed is --by NAME with --leave, or with --at and --accept", words)
    box.refuse(2, "--json: allowed is without --by", "--by anna --json")
    assert pt.read(box.watched.state).records == ()
    kept = {name for name, step in join_steps.STEPS.items() if step.can_be_accepted}
    assert kept == {"spacing", "wiring"}


def test_the_last_step_needs_a_running_cabinet(box):
    box.stop().tested().noted(joining.STEPS[:-1])
    code, page, _ = box.ask("--by anna")
    assert code == 1 and box.known()["state"] == joining.JOINS
    assert any(line.startswith("LACKS       the cabinet is ") for line in page)


def test_a_damaged_ledger_is_no_cabinet_that_never_joined(box):
    box.noted(["read"])
    path = pathlib.Path(box.watched.state) / pt.FILE
    path.write_bytes(path.read_bytes().replace(b"anna", b"otto"))
    assert (box.known()["state"], box.known()["ready_permille"]) == (joining.JOINS, 0)
    path.unlink()
    path.mkdir()
    box.refuse(3, "the proof-test ledger is unknown: ", "")


def test_another_meter_takes_the_commissioning_away(box):
    box.noted()
    assert box.known()["state"] == joining.IN
    ledger = pt.Ledger(box.watched.state)
    ledger.add(utc.moment(), pl.SERIAL, "meter_grid", "recorder", "x.toml, serial B2")
    found = box.known()
    assert (found["state"], found["ready_permille"]) == (joining.JOINS, 0)


def test_a_cabinet_leaves_after_it_has_given_its_load_back(box):
    box.noted(["read"])
    box.refuse(1, "it has not joined", "--by anna --leave")
    box.noted()
    box.stop()
    assert box.ask("--by anna --leave")[0] == 1 and box.known()["state"] == joining.LEAVES
    box.refuse(1, "still gives its load back: 100 %", "--by anna --leave")
    box.refuse(1, "still gives its load back: 100 %", "--by anna")
    assert (box.asked, box.held) == ([], [])
    box.now_us += joining.RAMP_S * SECOND_US - 1
    for step_s in (-3600, -1, 0, 601, 86_400 * 365):
        box.utc_us += step_s * SECOND_US
        box.refuse(1, "still gives its load back: 1 %", "--by anna --leave")
        assert box.known()["ready_permille"] == 1
    box.now_us += 1
    code, page, _ = box.tested().stop().ask("--by anna --leave")
    assert (code, page[0]) == (0, "stop: accepted")
    assert box.asked == [(operator_commands.STOP,)] and box.held == [(1, True)]
    signs = box.watched.facts("status")["proof_tests"]["signs"]
    assert sign_tests.held(signs) == [1], "no start before the next sign test"
    assert box.ask("--by anna")[1][0] == "read: done" and box.known()["state"] == joining.JOINS


def test_a_cabinet_that_leaves_is_held_and_stopped_although_its_ledger_takes_nothing(box):
    box.stop().noted()
    box.ask("--by anna --leave")
    box.now_us += joining.RAMP_S * SECOND_US
    lock = pathlib.Path(box.watched.state) / pt.LOCK_FILE
    lock.unlink()
    lock.mkdir()
    code, page, _ = box.ask("--by anna --leave")
    assert (code, page) == (2, ["stop: accepted"])
    assert box.asked == [(operator_commands.STOP,)] and box.held == [(1, True)]


def test_a_boot_lets_no_leaving_cabinet_stop_at_once(box):
    box.stop().noted()
    box.ask("--by anna --leave")
    (pathlib.Path(box.watched.folder) / joining.RAMP_FILE).unlink()  # the boot empties /run
    box.now_us = 60 * SECOND_US
    assert box.known()["ready_permille"] == 0, "nobody counts on it"
    box.refuse(1, "still gives its load back: 90 %", "--by anna --leave")


def test_the_last_step_begins_the_ramp_before_its_record(box):
    box.stop().tested().noted(joining.STEPS[:-1])
    box.cabinet.request_run(True)
    box.later(120)
    ramp = pathlib.Path(box.watched.folder) / joining.RAMP_FILE
    ramp.mkdir()
    records = pt.read(box.watched.state).records
    box.refuse(3, "directory", "--by anna")
    assert pt.read(box.watched.state).records == records, "it would count whole at once"
    ramp.rmdir()
    assert box.ask("--by anna")[0] == 0 and box.known()["ready_permille"] == 0
    box.utc_us += 3600 * SECOND_US
    assert box.known()["ready_permille"] == 0
    box.now_us += 60 * SECOND_US
    assert box.known()["ready_permille"] == 100
