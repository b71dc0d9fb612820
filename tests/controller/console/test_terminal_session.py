"""Keys of the console: pages, login, delays, idle ends, break-glass, actions (session.txt)."""

import re

import pytest
from command_line import cheapen_passwords
from terminal_bench import SEEN, FakeActions, FakeActor, FakeView
from transcripts import each_part, form

from controller.console import login, users
from controller.console.terminal import keys, session, words

IDLE_US = 300_000_000
SECOND_US = 1_000_000
PASSWORD = "a long secret 1"
KEYS = {"~": keys.ENTER, "^C": keys.INTERRUPT}
KEY_OUT = {"out": True, "in": False, "unknown": None}
SHOWN = {"alarms": SEEN, "other alarms": SEEN._replace(causes=(4, 0x9999, -1, 0))}


class Person:
    """Types at a session; `now_us` moves only by hand."""

    def __init__(self, folder):
        self.folder = folder
        self.view, self.actions, self.actor = FakeView(), FakeActions(), FakeActor()
        self.failures = login.Failures(str(folder / "a.failed"))
        self.session = session.Session(
            self.view, self.actions, self.actor, self.failures, str(folder), "ttyS0", IDLE_US
        )
        self.now_us = 1000 * SECOND_US

    def types(self, *typed):
        for text in typed:
            for key in text:
                self.session.press(key, self.now_us)
        return self.message

    def waits(self, seconds):
        self.stands_still(seconds)
        self.session.step(self.now_us)

    def stands_still(self, seconds):
        self.now_us += round(float(seconds) * SECOND_US)

    @property
    def message(self):
        return self.session.message(self.now_us)

    def logs_in(self, password=PASSWORD):
        return self.types("L", "anna\r", password + "\r")

    def sees(self, what):
        self.session.seen = SHOWN.get(what) or int(what)


@pytest.fixture
def person(tmp_path, monkeypatch):
    cheapen_passwords(monkeypatch)
    users.add(str(tmp_path), "anna", PASSWORD)
    return Person(tmp_path)


def obey(person, line):
    """Do what a line of session.txt says besides typing."""
    do, _, what = line.partition(" ")
    {
        "login": lambda: person.logs_in(),
        "lose": lambda: setattr(person.session, "who", None),
        "wait": lambda: person.waits(what),
        "stand": lambda: person.stands_still(what.removeprefix("still ")),
        "see": lambda: person.sees(what),
        "key": lambda: setattr(person.view, "is_key_out", KEY_OUT[what]),
        "locked": lambda: setattr(person.view, "locked_out_by", named(what.removeprefix("by "))),
        "elsewhere": lambda: setattr(person.actor, "elsewhere", named(what) and f": {what}"),
        "another": lambda: Person(person.folder).logs_in("wrong12"),
        "no": lambda: setattr(person.failures, "_paths", (str(person.folder),)),
    }[do]()


def named(what):
    return None if what == "no" else what


def waits(person, what):
    name = what.partition(" ")[0]
    return f"{name} {-(-person.failures.wait_us(person.now_us, name) // SECOND_US)}"


def told(person, do, what):
    """What a line of session.txt expects behind its first word, as the session has it."""
    mine = person.session
    done = [" ".join([name, *map(str, more)]) for name, *more in person.actions.done]
    return {
        "who": mine.who or "no",
        "held": "yes" if person.actor.is_held else "no",
        "asks": "yes" if mine.question else "no",
        "page": mine.page,
        "acting": mine.acting(person.now_us),
        "waits": waits(person, what),
        "leaves": "yes" if mine.wants_end else "no",
        "noted": ", ".join(map(" ".join, person.actions.notes)) or "nothing",
        "did": ", ".join(done).replace(str(SEEN), "SEEN") or "nothing",
    }.get(do)


@each_part(__file__, "session.txt")
def test_a_session(person, lines):
    for line in lines:
        do, _, what = line.partition(" ")
        if line.startswith("> "):
            typed = re.sub("[~]|\\^C", lambda key: KEYS[key[0]], what)
            person.types(*typed.split("|"))
        elif line.startswith("  "):
            assert re.fullmatch(form(line[2:]), person.message.rstrip()), line
        elif (found := told(person, do, what)) is not None:
            assert found == what, line
        elif line:
            obey(person, line)


def test_the_keys_of_the_pages(person):
    pages = "status why alarms racks links hints trend tests export events devices map plan help"
    assert dict(zip("0123456789DMP?", pages.split())) == words.PAGE_OF_KEY
    for key, page in words.PAGE_OF_KEY.items():
        person.types("3" if key != "3" else "4", key)
        assert person.session.page == page and not person.session.is_redraw
        person.types(key)
        assert person.session.is_redraw, "the same key again draws anew"


ANSWERS = ["\r", "no\r", "y\r", "ye\r", "yes", keys.CANCEL, keys.INTERRUPT, "xyes\r", "yes\x1b"]


def test_only_yes_acts(person):
    for key in "RKSG":
        for answer in ANSWERS:
            person.logs_in()
            person.types("2")
            person.sees("alarms")
            person.types(key, answer, keys.CANCEL, "L")
            assert not person.actions.done, (key, answer)


def test_an_acknowledged_alarm_of_either_channel_is_shown(person):
    person.actions.acknowledged = lambda asked: f"ACK    {asked}"
    for alarm, shown in ((4, 0x1234, -1, 0), 1), ((-1, 0, 0, 0x1234), 1), ((-1, 0, -1, 0), 0):
        person.view.alarm = alarm
        person.types("2")
        assert person.session.extra() == [f"ACK    {alarm}"] * shown


def test_an_answer_has_a_maximum_length(person):
    for typed, characters in ("L" + "a" * 10_000, 16), ("\r" + "b" * 10_000, 64):
        person.types(typed)
        assert len(person.session.question.typed) == characters and len(person.message) < 80
