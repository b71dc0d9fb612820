"""Alarms by mail and webhook, against a real SMTP server and a real HTTP server on loopback."""

import asyncio
import contextlib
import errno
import functools
import http.server
import json
import os
import re
import socket
import threading

import pytest
from aiosmtpd.smtp import SMTP

from controller.doors import exposure, settings
from controller.doors.alarms import letter
from controller.doors.alarms.door import SECOND_US, Door
from controller.doors.alarms.outbox import Outbox
from controller.doors.process import House
from controller.store import durable
from controller.system.secret_file import secret
from controller.system.told import DoorError
from tests.controller.doors.doors_site import refused, written

pytestmark = pytest.mark.wire
MINUTE_US = 60 * SECOND_US
MAIL = (
    '[alarms.x]\nserver = "127.0.0.1:{}"\ntls = "none"\nfrom = "a@b.c"\nto = ["d@e.f", "g@h.i"]\n'
)
HOOK = '[alarms.x]\nurl = "http://127.0.0.1:{}/in?a=b"\n'


def row(instance, name="cell too hot"):
    reason = {"name": name, "sentence": "A cell is hot.", "remedy": "Keep away."}
    row = {"instance": instance, "danger": "shutdown", "reason": reason, "where": "rack 1"}
    return {**row, "began_ms": 1000}


def state(*instances, live=True):
    standing = [row(each) for each in instances]
    head = {"is_live": live, "cabinet": "Cabinet 1", "utc_text": "12:00", "uptime_ms": 63_000}
    store = {"unsaved_ms": 0, "unsaved_before_ms": 0}
    head["contradicted"] = []
    return {**head, "standing": standing, "utc_us": 1_800_000_000_000_000, "store": store}


HOT = (state("12a"),)  # a reading with one alarm
BEGAN = "2027-01-15 07:58:58Z, 1 min 2 s before it was seen"


class Place:
    """A door to one receiver, its state and its clock moved by hand."""

    def __init__(self, folder, text, inbox=None):
        self._folder, self._text, self._inbox = folder, text, inbox
        self.open()

    def open(self):
        found = settings.load(written(self._folder / "doors", self._text))
        own = str(self._folder / "own")
        self.house = House(found, str(self._folder), str(self._folder), own)
        self.door, self.now_us = Door(self.house, "x", found.doors["alarms"]["x"]), 0
        self.door._heard_us = self.door._due_us = 0

    async def turn(self, facts, seconds=1):
        """One reading, and the end of what it began to send."""
        self.now_us += seconds * SECOND_US
        self.house.feed.state, self.house.feed.trouble = facts, "" if facts else "gone"
        self.door.turn(self.now_us)
        if self.door._sending is not None:
            await self.door._sending
            self.door._due_us = min(self.door._due_us, self.now_us)

    def turns(self, *readings):
        async def all_of():
            async with contextlib.AsyncExitStack() as stack:
                if self._inbox is not None:
                    loop, listening = asyncio.get_running_loop(), self._inbox.listening.dup()
                    made = functools.partial(SMTP, self._inbox, hostname="relay", loop=loop)
                    await stack.enter_async_context(await loop.create_server(made, sock=listening))
                for each in readings:
                    await self.turn(*each)

        asyncio.run(all_of())


class Inbox:
    """Takes mails; `refusals` answers come first, `of_address` in their place."""

    def __init__(self):
        self.mails, self.refusals, self.of_address = [], [], {}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if answers := self.of_address.get(address):
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refusals:
            return self.refusals.pop(0)
        self.mails.append(envelope)
        return "250 taken"


@pytest.fixture
def inbox():
    """An SMTP server, which runs while a place makes its turns."""
    made = Inbox()
    with socket.create_server(("127.0.0.1", 0)) as made.listening:
        made.port = made.listening.getsockname()[1]
        yield made


@pytest.fixture
def place(inbox, tmp_path):
    return Place(tmp_path, MAIL.format(inbox.port), inbox)


@pytest.fixture
def hook():
    """A web server that keeps what it is sent."""

    class Taking(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            server.got.append((self.path, dict(self.headers), json.loads(body)))
            self.send_response(server.answers.pop(0) if server.answers else 204)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.got, server.answers, server.port = [], [], server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alarm_is_one_mail_with_words_and_remedy(place, inbox):
    """Two that come at once are one letter; one that stands is not told again."""
    place.turns((state(),), (state("12a", "3b"),), (state("12a", "3b"),), HOT)
    (mail,) = inbox.mails
    text = mail.content.decode()
    assert mail.rcpt_tos == ["d@e.f", "g@h.i"]
    assert text.count("\nDate: ") == 1
    assert "Subject: Cabinet 1: shutdown: cell too hot (+1)" in text
    assert text.count("Check  Keep away.") == 2 and "What   A cell is hot." in text
    assert text.count(f"Began  {BEGAN}") == 2


@pytest.mark.parametrize(
    ("began_ms", "state", "words"),
    [
        (None, {"uptime_ms": 5}, "before this start of the controller"),
        (4, {"uptime_ms": 5}, "less than 1 s before it was seen"),
        (0, {"uptime_ms": 7_260_000}, "2 h 1 min before it was seen"),
        (1000, state(), BEGAN),
    ],
)
def test_a_letter_tells_when_an_alarm_began(began_ms, state, words):
    assert letter.began({"began_ms": began_ms}, state) == words


def test_an_alarm_is_told_once_over_a_restart_and_one_in_between_is_not_lost(place, inbox):
    place.turns(HOT)
    place.open()
    place.turns((None,), (state("12a", "3b"),), (state("12a", "3b"),))
    assert [b"(+1)" in each.content for each in inbox.mails] == [False, False]
    assert b"3b" not in inbox.mails[0].content and len(inbox.mails) == 2


def test_a_store_that_is_not_saved_is_an_alarm_with_a_remedy(place, inbox):
    failed = state()
    failed["store"] = {"unsaved_ms": 20, "unsaved_before_ms": 0}
    place.turns((state(),), (failed,), (failed,), (state(),))
    (mail,) = inbox.mails
    text = mail.content.decode()
    assert "Subject: Cabinet 1: unknown: the store is not saved" in text
    assert "Check  Free space on the disk of the state directory" in text and "Seen   12:00" in text


def test_a_reading_that_others_contradict_is_an_alarm_with_a_remedy(place, inbox):
    reason = row("12a")["reason"] | {"name": "PV power contradicted"}
    wrong = state() | {"contradicted": [{"signal": "pv_1.power_W", "reason": reason}]}
    place.turns((state(),), (wrong,), (wrong,), (state(),))
    (mail,) = inbox.mails
    text = mail.content.decode()
    assert "Subject: Cabinet 1: unknown: PV power contradicted: pv_1.power_W" in text
    assert "Check  Keep away." in text


def test_a_refused_letter_is_tried_until_it_is_taken(place, inbox, capfd):
    """What came meanwhile, once each, over a restart too; one line for each cause."""
    inbox.refusals = ["451 later", "451 later", "554 no"]
    place.turns(HOT, HOT)
    place.open()
    place.turns((state("12a", "3b"),), (state("12a", "3b"),), (state("12a", "3b"),))
    (mail,) = inbox.mails
    assert b"(+1)" in mail.content
    *lines, last = capfd.readouterr().err.splitlines()
    assert ": letter taken: " in last and last.endswith("(+1)")
    assert [line.partition("relay ")[2].partition(": ")[2] for line in lines] == [
        "answers 451; tried again",
        "answers 554; tried again",
    ]


def test_an_address_that_the_relay_refuses_is_named_and_the_others_get_one_letter(
    place, inbox, capfd
):
    inbox.of_address = {"g@h.i": ["550 no such user"] * 9}
    place.turns(HOT, HOT, *[(state("12a"), 600)] * 3)
    assert [mail.rcpt_tos for mail in inbox.mails] == [["d@e.f"]]
    assert len(place.door._sent_us) == 1, "the quota counts it"
    _, line = capfd.readouterr().err.splitlines()
    assert line.endswith("the relay refuses g@h.i (answer 550), which gets no letter")


def test_an_address_that_the_relay_puts_off_gets_the_letter_later(place, inbox):
    """The relay knows no sender of a first letter (greylisting)."""
    inbox.of_address = {"g@h.i": ["450 later", "450 later"]}

    def due(seconds):
        """Each reading moves the clock to `seconds` after the relay put the address off."""
        place.now_us = place.door._deferred[0][0] + (seconds - 301) * SECOND_US
        place.turns(HOT)

    place.turns(HOT)
    due(299)
    assert [mail.rcpt_tos for mail in inbox.mails] == [["d@e.f"]]
    due(300)
    due(300)
    assert [mail.rcpt_tos for mail in inbox.mails] == [["d@e.f"], ["g@h.i"]]
    first, second = [re.search(b"Message-ID: .*", mail.content)[0] for mail in inbox.mails]
    assert first == second and not place.door._deferred


def test_letters_leave_with_a_full_disk_and_the_door_says_what_it_could_not_keep(
    place, inbox, monkeypatch, capfd
):
    """Once the disk takes files again, what waits and what was told is kept."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(durable, "put", full)
        place.turns(HOT, HOT, (state("12a", "3b"),))
    assert len(inbox.mails) == 2
    lines = [line for line in capfd.readouterr().err.splitlines() if "letter taken" not in line]
    words = "x.json is not kept: No space left on device: after a restart some letters may come"
    assert len(lines) == 1 and words in lines[0]
    place.turns((state("12a", "3b"),))
    place.open()
    place.turns((state("12a", "3b"),))
    assert len(inbox.mails) == 2, "kept as told"


@pytest.mark.parametrize("row", [{"reason": {"name": "n"}}, None, 3, {"danger": "x", "reason": ""}])
def test_a_stored_alarm_of_another_release_is_told_as_such_and_holds_up_no_other(
    row, place, inbox, tmp_path, capfd
):
    (tmp_path / "own").mkdir()
    kept = {"told": ["3b"], "waiting": {"9z": row, "12a": row}}
    (tmp_path / "own/x.json").write_text(json.dumps(kept))
    place.open()
    place.turns((state("12a", "3b"),), (state("12a", "3b"),))
    (mail,) = inbox.mails
    text = mail.content.decode()
    assert "9z: an alarm that another release has stored" in text and "look at" not in text
    assert text.count("What   A cell is hot.") == 1, "12a is active, in this release's words"
    assert "reported as such: 12a, 9z" in capfd.readouterr().err


@pytest.mark.parametrize(("wait_min", "letters"), [(14, 1), (15, 2)])
def test_an_alarm_that_comes_and_goes_is_told_again_after_a_pause(wait_min, letters, place, inbox):
    place.turns(HOT, (state(),))
    place.now_us = max(place.door._outbox._sent_us.values()) - SECOND_US
    place.turns((state("12a"), wait_min * 60 + 1))
    assert len(inbox.mails) == letters


def test_more_letters_than_the_hour_allows_wait_and_go_as_one(inbox, tmp_path):
    place = Place(tmp_path, MAIL.format(inbox.port) + "letters_per_h_max = 2\n", inbox)
    names = [str(each) for each in range(6)]
    place.turns(*[(state(*names[:count]),) for count in range(1, 7)])
    assert len(inbox.mails) == 2
    place.door._sent_us.clear()
    place.turns((state(*names),))
    assert b"(+3)" in inbox.mails[2].content


@pytest.mark.parametrize("facts", [None, state("12a", live=False)])
def test_a_controller_that_is_silent_is_an_alarm_and_ends_none(facts, place, inbox):
    """Unknown is not gone: the alarm that stood before is not told again afterwards."""
    place.turns(HOT, (facts, 59), (facts, 1), (facts, 60), HOT, (facts, 9))
    assert len(inbox.mails) == 2
    assert b"Cabinet 1: unknown: the controller does not answer" in inbox.mails[1].content


def test_a_webhook_gets_the_rows_and_an_identity(hook, tmp_path):
    hook.answers = [500, 301]
    secret_path = tmp_path / "doors/token"
    place = Place(tmp_path, HOOK.format(hook.port))
    secret_path.write_text("s3cret\n")
    secret_path.chmod(0o600)
    place._text += 'secret_file = "token"\n'
    place.open()
    place.turns(HOT, HOT, HOT, HOT)
    assert [path for path, *_ in hook.got] == ["/in?a=b"] * 3
    assert {head["Authorization"] for _, head, _ in hook.got} == {"Bearer s3cret"}
    assert len({head["Idempotency-Key"] for _, head, _ in hook.got}) == 1
    assert hook.got[2][2]["alarms"] == [{**row("12a"), "seen_text": "12:00", "began_text": BEGAN}]


def test_a_receiver_that_is_not_there_is_one_line_without_the_secret(tmp_path, capfd):
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as gone:
        port = gone.server_address[1]
    place = Place(tmp_path, HOOK.format(port))
    place.turns(HOT, HOT, HOT)
    (line,) = capfd.readouterr().err.splitlines()
    assert f"door alarms.x: webhook 127.0.0.1:{port}: Connection refused" in line
    assert list(place.door._outbox.waiting) == ["12a"]


def test_a_wrong_outbox_file_is_none(tmp_path):
    for content in (
        "",
        "[]",
        '{"told": [1], "waiting": {}}',
        '{"told": 3, "waiting": {}}',
        "{" * 9,
        '{"told": [',
        "[" * 100_000,
    ):
        (tmp_path / "x.json").write_text(content)
        made = Outbox(str(tmp_path / "x.json"), MINUTE_US)
        assert (made.reported, made.waiting) == (set(), {})
        assert "x.json is damaged" in made.trouble


def test_no_line_of_an_alarm_becomes_a_header():
    found = letter.letter("Cabinet\r\nBcc: x", [row("12a", "hot\nTo: y")])
    assert found.subject == "Cabinet??Bcc: x: shutdown: hot?To: y"
    assert all(" " <= each <= "~" or each == "\n" for each in found.text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lacks server, from, to"),
        ('server = "a:25"\nfrom = "a@b"\n', "lacks to"),
        ('url = "http://a/"\nserver = "a:25"\n', "is beside url"),
        ('url = "ftp://a/"\n', "an address http"),
        ('url = "http://a/ b"\n', "an address http"),
        ('url = "http://a:99999/"\n', "port 1..65535"),
        (f'url = "http://{"a" * 64}/"\n', "names no host"),
        ('server = "a..b:25"\nfrom = "a@b"\nto = ["c@d"]\n', "names no host"),
        ('server = "a:0"\nfrom = "a@b"\nto = ["c@d"]\n', "port 1..65535"),
        ('url = "http://a.b/"\nsecret_file = "x"\n', "clear text"),
        ('server = "a:25"\nfrom = "a@b"\nto = ["a@b\\nBcc: c@d"]\n', "1 to 20 mail addresses"),
        ('server = "a:25"\nfrom = "a@b"\nto = ["c@d"]\nuser = "u"\n', "secret_file: is missing"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(text, words, tmp_path):
    refused(tmp_path, f"[alarms.x]\n{text}", words)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("x", 0o640, "other users may read it"),
        ("", 0o600, "holds no secret"),
        ("\xff", 0o600, "holds no secret"),
        (None, 0, "cannot be read: No such file"),
    ],
)
def test_a_secret_that_others_may_read_is_not_used(content, mode, words, tmp_path):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content, encoding="latin-1")
        os.chmod(path, mode)
    with pytest.raises(DoorError, match=words):
        secret(str(path), "secret", DoorError)


@pytest.mark.parametrize("error", [KeyError("x"), UnicodeError("x"), DoorError("x")])
def test_whatever_fails_waits_for_a_longer_pause_and_ends_in_order(error, tmp_path, capfd):
    place = Place(tmp_path, HOOK.format(9))

    def fails(*_):
        raise error

    place.door._send = fails
    place.turns(HOT, HOT, HOT)
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert place.door._pause_s == 40 and list(place.door._outbox.waiting) == ["12a"]

    async def close():
        place.door.turn(place.now_us)
        await place.door.close()

    asyncio.run(close())


def test_a_wrong_ca_file_is_one_line_and_lies_beside_the_file(tmp_path, capfd):
    place = Place(tmp_path, '[alarms.x]\nurl = "https://127.0.0.1:9/"\nca_file = "none.pem"\n')
    place.turns(HOT)
    (line,) = capfd.readouterr().err.splitlines()
    assert "none.pem" in line or "No such file" in line
    assert place.door._values["ca_file"] == str(tmp_path / "doors/none.pem")


def test_the_table_of_what_is_open_hides_the_path_of_a_webhook(tmp_path):
    found = settings.load(written(tmp_path, '[alarms.x]\nurl = "https://a.b/T0/SECRET"\n'))
    assert "https://a.b/ " in "\n".join(exposure.table(found)) + " "
    assert "SECRET" not in "\n".join(exposure.table(found))
