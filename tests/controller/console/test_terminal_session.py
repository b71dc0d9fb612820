"""Keys of the console: pages, login, delays, idle ends, break-glass, actions."""

import pytest
from terminal_bench import SEEN, FakeActions, FakeActor, FakeView

from controller.console import login, users
from controller.console.terminal import keys, session, words

IDLE_US = 300_000_000
SECOND_US = 1_000_000


class Person:
    """Types at a session; `now_us` moves only by hand."""

    def __init__(self, folder):
        self.view, self.actions, self.actor = FakeView(), FakeActions(), FakeActor()
        failures = login.Failures(str(folder / "a.failed"))
        self.session = session.Session(
            self.view, self.actions, self.actor, failures, str(folder), "ttyS0", IDLE_US
        )
        self.now_us = 1000 * SECOND_US

    def types(self, *typed):
        for text in typed:
            for key in text:
                self.session.press(key, self.now_us)
        return self.message

    def waits(self, passed_us):
        self.now_us += passed_us
        self.session.step(self.now_us)

    @property
    def message(self):
        return self.session.message(self.now_us)

    def logs_in(self, password="a long secret 1"):
        return self.types("L", "anna\r", password + "\r")

    def sees_alarms(self, seen=SEEN):
        self.logs_in()
        self.types("2")
        self.session.seen = seen


@pytest.fixture
def person(tmp_path, monkeypatch):
    monkeypatch.setattr(users, "N", 16)
    monkeypatch.setattr(users, "P", 1)
    users.add(str(tmp_path), "anna", "a long secret 1")
    return Person(tmp_path)


def test_pages_need_no_login_and_actions_do(person):
    pages = "status why alarms racks links hints trend tests export events devices help".split()
    assert dict(zip("0123456789D?", pages)) == words.PAGES
    for key, page in words.PAGES.items():
        person.types("3" if key != "3" else "4", key)
        assert person.session.page == page and not person.session.is_redraw
        person.types(key)
        assert person.session.is_redraw, "the same key again draws anew"
    for key in "RrAETKSG":
        person.types("8" if key == "E" else "2")
        person.session.seen = SEEN
        assert person.types(key) == "Log in first: press L."
        assert not person.actions.done and person.session.question is None


def test_a_login_is_recorded_and_ends_by_key(person):
    person.types("L", "anna\r", "a long secret 1")
    assert person.message == "Password: " + 15 * "*"
    assert person.types("\r") == "anna is logged in."
    assert person.session.who == "anna" and person.actor.is_held
    assert person.types("L").startswith("anna is logged out")
    assert person.session.who is None and not person.actor.is_held
    assert person.actions.notes == [("LOGIN", "anna"), ("OUT", "anna")]


WRONG = "Wrong name or password; the next try in"


def test_failed_logins_are_delayed_counted_and_recorded(person):
    assert person.logs_in("wrong12").startswith(f"{WRONG} 1 s")
    assert person.types("L") == "1 failed logins here: wait 1 s."
    assert person.session.question is None
    person.waits(SECOND_US)
    assert person.types("L", "nobody\r", "a long secret 1\r").startswith(f"{WRONG} 2 s")
    person.waits(2 * SECOND_US - 1)
    assert "wait 1 s" in person.types("L")
    person.waits(1)
    assert person.logs_in() == "anna is logged in."
    assert [code for code, _ in person.actions.notes] == ["FAIL", "FAIL", "LOGIN"]


def test_an_open_password_question_waits_after_another_failure(person, tmp_path):
    """Otherwise n open questions are n guesses without a delay."""
    other = Person(tmp_path)
    person.types("L", "anna\r")
    assert other.logs_in("wrong12").startswith(f"{WRONG} 1 s")
    assert person.types("a long secret 1\r") == "Wait: a login has just failed here."
    assert person.session.who is None and not person.actions.notes
    person.waits(SECOND_US)
    assert person.logs_in("wrong12").startswith(f"{WRONG} 2 s")
    person.waits(2 * SECOND_US)
    assert person.logs_in() == "anna is logged in." and person.session._failures.count == 0


def test_a_login_ends_after_idle_minutes_without_a_key(person):
    """A process that was stopped, or waited for a disk, gets the key first."""
    for stood_still_us, who in (IDLE_US - 1, "anna"), (IDLE_US, None):
        person.logs_in()
        person.now_us += stood_still_us
        person.types("T")
        assert (person.session.who, len(person.actions.done)) == (who, 1)
        person.session.question = None
    person.logs_in()
    for _ in range(5):
        person.waits(IDLE_US - 1)
        person.types("1")
    person.waits(IDLE_US - 1)
    assert person.session.who == "anna"
    person.waits(1)
    assert person.session.who is None and not person.actor.is_held
    assert person.actions.notes[-1] == ("OUT", "anna")


def test_only_one_of_two_consoles_acts(person):
    elsewhere = person.actor.elsewhere = ": bert at ttyUSB0"
    assert person.session.acting(person.now_us) == f"ACTS{elsewhere}"
    assert elsewhere in person.types("L") and person.session.question is None
    person.actor.elsewhere = None
    person.types("L", "anna\r")
    person.actor.elsewhere = elsewhere  # while the person types the password
    assert elsewhere in person.types("a long secret 1\r") and person.session.who is None
    person.actor.elsewhere, person.view.locked_out_by = None, "bert"
    person.logs_in()
    assert person.types("K") == "End the lock-out by bert: then standby: type yes "
    person.view.locked_out_by = None  # another person ends it before yes: no new lock-out begins
    person.types("yes\r")
    assert person.actions.done == [("lock_out", "anna", False)]


NO_GUESS = "No password, and the key is not known"


def test_break_glass_needs_the_key_and_ends_with_it(person):
    assert "break-glass" not in person.types("L", "carl\r")
    assert person.types("\r").startswith(NO_GUESS)
    person.view.is_key_out = True
    assert "break-glass, recorded" in person.types("L", "carl\r")
    assert person.types("\r").startswith("BREAK-GLASS: carl acts without a password")
    assert person.session.acting(person.now_us).startswith("BREAK-GLASS carl")
    assert person.actions.notes[-1] == ("GLASS", "carl")
    person.view.is_key_out = False
    person.waits(SECOND_US)
    assert person.session.who is None and "the key is back in RUN" in person.message


def test_break_glass_lasts_while_the_io_module_is_late(person):
    """The key was unknown on a busy machine for a moment, and the login ended."""
    person.view.is_key_out = True
    person.types("L", "carl\r", "\r")
    person.view.is_key_out = None
    for passed_us, who in ((SECOND_US, "carl"), (IDLE_US, None)):
        person.waits(passed_us)
        assert person.session.who == who


@pytest.mark.parametrize("state", [False, None])
def test_break_glass_checks_the_key_at_enter(person, state):
    person.view.is_key_out = True
    person.types("L", "carl\r")
    person.view.is_key_out = state
    assert person.types("\r").startswith(NO_GUESS) and person.session.who is None
    person.view.is_key_out = True
    person.logs_in()
    person.view.is_key_out = state
    person.waits(SECOND_US)
    assert person.session.who == "anna", "a login by password does not end with the key"


def test_a_reset_is_for_the_page_at_the_keypress(person):
    person.sees_alarms()
    question = "remote reset, 2 left of row 29 cell over voltage, rack 2: type yes "
    assert person.types("R") == question
    # the page changes while the question is open
    person.session.seen = SEEN._replace(causes=(4, 0x9999, -1, 0))
    assert person.types("yes\r") == "reset: done."
    assert person.actions.done == [("reset", "anna", SEEN, False)]
    person.view.is_key_out, person.session.seen = True, SEEN
    person.types("R", "YES\r")
    assert person.actions.done[1:] == [("reset", "anna", SEEN, True)]


ANSWERS = ["\r", "no\r", "y\r", "ye\r", "yes", keys.CANCEL, keys.INTERRUPT, "xyes\r", "yes\x1b"]


def test_only_yes_acts(person):
    for key in "RKSG":
        for answer in ANSWERS:
            person.sees_alarms()
            person.types(key, answer, keys.CANCEL, "L")
            assert not person.actions.done, (key, answer)


@pytest.mark.parametrize("key, what", [("R", "reset"), ("K", "locked out"), ("G", "started")])
def test_a_login_that_ended_before_yes_does_not_act(person, key, what):
    person.sees_alarms()
    person.types(key, "yes")
    person.session.who = None
    assert person.types("\r") == f"Not {what}: the login has ended."
    person.sees_alarms()
    person.types(key, "yes")
    person.waits(IDLE_US)
    person.types("\r")
    assert not person.actions.done


def test_an_acknowledged_alarm_of_either_channel_is_shown(person):
    person.actions.acknowledged = lambda asked: f"ACK    {asked}"
    for alarm, shown in ((4, 0x1234, -1, 0), 1), ((-1, 0, 0, 0x1234), 1), ((-1, 0, -1, 0), 0):
        person.view.alarm = alarm
        person.types("2")
        assert person.session.extra() == [f"ACK    {alarm}"] * shown


def test_the_approval_is_for_the_shown_changes(person):
    person.logs_in()
    assert person.types("v") == "Look at the changes, then press the key again."
    assert person.session.page == "approval"
    assert person.types("V") == "This page shows nothing of it."
    person.session.seen = 0xC0FFEE
    assert person.types("V") == "Approve these changes, the key out of RUN: type yes "
    person.session.seen = 1
    assert person.types("yes\r") == "approve: done."
    assert [(name, *more) for name, _, *more in person.actions.done] == [("approve", 0xC0FFEE)]


def test_the_reset_key_on_another_page_shows_the_alarms_first(person):
    person.logs_in()
    person.session.seen = SEEN
    assert person.types("R").startswith("Look at the alarms")
    assert person.session.page == "alarms"
    assert person.types("R") == "This page shows nothing of it.", "the page has not been drawn yet"


def test_a_question_stays_open_for_a_minute(person):
    person.types("L")
    person.waits(60 * SECOND_US - 1)
    assert person.message == "Name: "
    person.waits(1)
    assert person.session.question is None and person.message == ""
    person.logs_in()
    person.types("K", "yes")
    person.now_us += session.QUESTION_US
    person.types("\r")
    assert not person.actions.done and person.session.question is None


def test_acknowledge_and_export(person):
    person.sees_alarms()
    assert person.types("A") == "acknowledge: done."
    person.types("8", "E")
    assert person.types("e\r") == "From which day (2026-03-14, Enter: all): "
    assert person.types("2026-03-14\r") == "export: done."
    days = "yesterday 0001-01-01T00:00+14 9999-12-31T23:59-14 1969-12-31 2026-02-30"
    for day in (*days.split(), "2026-03-14T25:00"):
        found = person.types("E", "c\r", day + "\r")
        assert found.startswith("Nothing exported: a day is written"), day
    assert person.types("E", "x\r").startswith("Nothing exported: allowed is")
    person.types("E", "e\r")
    person.session.who = None
    assert person.types("\r") == "Not exported: the login has ended."
    assert person.actions.done[1:] == [("export", "anna", "events", "2026-03-14")]


def test_actions_from_any_page(person):
    person.logs_in()
    for page in "028":
        assert person.types(page, "T") == "lamp_test: done."
        for key, question, name in (
            ("k", "Lock out: it stops, opens, and stays open: type yes ", "lock_out"),
            ("s", "Stop: it ramps to zero, opens, and stays in standby: type yes ", "stop"),
            ("G", "Start: it closes once the checklist is complete: type yes ", "start"),
        ):
            assert person.types(key) == question
            assert person.types("yes\r") == f"{name}: done."
    done = [("lamp_test",), ("lock_out", True), ("stop",), ("start",)]
    assert [(name, *more) for name, _, *more in person.actions.done] == 3 * done
    assert {who for _, who, *_ in person.actions.done} == {"anna"}


def test_an_answer_has_a_maximum_length_and_interrupt_logs_out(person):
    person.types("L", "a" * 10_000)
    assert len(person.session.question.typed) == 16
    person.types("\r", "b" * 10_000)
    assert len(person.session.question.typed) == 64
    assert len(person.message) < 80
    person.types("\r")
    person.waits(SECOND_US)
    person.logs_in()
    person.types(keys.INTERRUPT)
    assert person.session.wants_end and person.session.who is None
