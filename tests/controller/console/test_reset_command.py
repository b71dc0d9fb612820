"""`firebreak reset`: it resets the rows that its operator saw, by the code at the end of a page."""

import re

import pytest
from command_line import answered, facts_in, refused, run
from watched import Watched, action, pressed, silent, stuck_at_b, two_channels

from controller.console import reset as reset_command
from controller.console.pages.text import CELLS, WIDTH
from controller.run import operator_client, operator_commands
from controller.state import reset_code, watch
from tests.tables import table

OTHER = "0123ABCD"
TURN = "turn the key, then look again"
ESTOP = pressed(5)
KEY_OUT = action(12, "key", run=False)
IO_SILENT = [silent(5, "io_1"), silent(7, "io_1", value=False)]
BY_KEY = operator_commands.KEY_RESET


@pytest.fixture
def asked(monkeypatch):
    answered(monkeypatch, operator_client, "reach", None)
    return answered(monkeypatch, operator_client, "reset", operator_client.Answer(1, 0))


def code_on(watched, page="alarms"):
    command = rf"{re.escape(CELLS)} +To reset: firebreak reset (?:--key )?([0-9A-F]{{8}})"
    found = re.fullmatch(command, watched.lines(page)[-1])
    return found and found[1]


def reset(capsys, watched, *argv):
    return run(capsys, "reset --run-dir", watched.folder, *argv)


def changed(code, now, end=""):
    return 1, [], [f"firebreak: the active rows have changed since {code}: now {now}{end}"]


def test_another_cause_in_either_channel_is_another_code():
    one_each = [(3, 7, -1, 0), (4, 7, -1, 0), (3, 8, -1, 0), (3, 7, 0, 0), (3, 7, -1, 7)]
    more = [(-1, 0, 3, 7), (90, (1 << 30) - 1, 0, (1 << 30) - 1)]
    codes = {reset_code.code_of(causes) for causes in one_each + more}
    assert len(codes) == 7 and all(reset_code.FORM.fullmatch(code) for code in codes)
    assert reset_code.code_of((-1, 0, -1, 0)) is None


def test_a_page_ends_with_the_command_that_resets_its_rows(tmp_path, capsys, monkeypatch):
    watched = Watched(tmp_path, actions=IO_SILENT).run(4)
    assert watched.lines("alarms")[-1] == "RESETS 3 of 3 remote resets left this hour."
    assert watched.lines("status")[-1] == CELLS
    facts = watched.run(20).facts("alarms")
    code = reset_code.code_of(watched.shadow.causes)
    assert (facts["reset"]["code"], facts["reset"]["command"]) == (code, f"firebreak reset {code}")
    lines = watched.lines("alarms")
    typed = lines[-1]
    assert typed.startswith(f"{CELLS}  ") and len(typed) == WIDTH
    assert typed.endswith(f"To reset: firebreak reset {code}")
    assert "RESET  remote (the command below). It would work now." in lines
    # the status page has the code only if it shows every alarm
    rows = 3 * watched.facts("status")["standing"]
    assert watched.lines("status", standing=rows[:2])[-1] == typed
    unseen = f"{CELLS}{'To reset: firebreak alarms':>{WIDTH - len(CELLS)}}"
    in_b = {"stage": "1a", "name": "emergency stop", "reset": "key"}
    assert watched.lines("status", standing=rows[:3])[-1] == unseen
    assert watched.lines("status", standing=rows[:2], channel_b=in_b)[-1] == unseen
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (watched.rig.step,))
    for page in ("alarms", "status"):
        where = "--run-dir", watched.folder, "--state-dir", watched.folder
        out = run(capsys, page, "--json", *where)[1]
        assert facts_in(out)["reset"]["code"] == code


def test_a_reset_by_key_has_a_command_once_the_key_is_turned(tmp_path, capsys, asked):
    """The turned key makes row 47 active, so the earlier code was always refused."""
    watched = Watched(tmp_path, actions=[*ESTOP, KEY_OUT]).run(11)
    facts = watched.facts("alarms")
    assert facts["reset"]["command"] is None
    assert facts["reset"]["code"] == reset_code.code_of(watched.shadow.causes)
    for page in ("alarms", "status"):
        assert watched.lines(page)[-1].endswith(f"  To reset: {TURN}")
    assert reset(capsys, watched)[1][-1] == f"Nothing was reset. To reset this: {TURN}"
    end = f"; to reset them: {TURN}"
    assert reset(capsys, watched, OTHER) == changed(OTHER, "1a, 1b", end)
    facts = watched.run(13).facts("alarms")
    assert facts["reset"]["command"] == f"firebreak reset --key {facts['reset']['code']}"
    assert code_on(watched) == facts["reset"]["code"]
    assert reset(capsys, watched, "--key", code_on(watched))[1] == ["reset of 1a, 1b, 47a: done"]
    assert "with the key on site (turn it out of RUN, the command below)" in watched.text("alarms")


def test_a_row_that_resets_itself_has_no_code(tmp_path, capsys, asked):
    watched = Watched(tmp_path, actions=[action(5, "key", run=False)]).run(8)
    facts = watched.facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["47a"]
    assert (facts["reset"]["code"], facts["reset"]["command"]) == (None, None)
    assert watched.lines("alarms")[-1] == watched.lines("status")[-1] == CELLS
    by_itself = reset_command.BY_ITSELF
    lines = [
        "row 47a service mode, cabinet; self reset",
        f"Nothing was reset: the row {by_itself}.",
    ]
    assert reset(capsys, watched) == (1, lines, [])
    assert reset(capsys, watched, OTHER) == changed(OTHER, "47a", f", which {by_itself}")
    assert asked == []


def test_a_reset_clears_no_row_that_came_after_the_page(tmp_path, capsys, asked):
    """The command once read the causes when it ran, and cleared causes that its operator had not
    seen.
    """
    silence = silent(20, "io_1"), silent(22, "io_1", value=False)
    watched = Watched(tmp_path, actions=[*ESTOP, KEY_OUT, *silence]).run(15)
    seen, before = code_on(watched), watched.shadow.causes
    assert reset(capsys, watched.run(16), "--key", seen)[:2] == (0, ["reset of 1a, 1b, 47a: done"])
    now = code_on(watched.run(30))
    path = f"{watched.folder}/command.sock"
    assert asked == [(path, BY_KEY, *before)] and now not in (None, seen)
    names = ", ".join(watched.shadow.standing)
    end = f"; to reset them: firebreak reset --key {now}"
    assert "49" in names and reset(capsys, watched, "--key", seen) == changed(seen, names, end)
    assert len(asked) == 1, "nothing was sent"
    assert reset(capsys, watched, "--key", now)[0] == 0
    assert asked[1:] == [(path, BY_KEY, *watched.shadow.causes)]


def test_a_reset_without_a_code_resets_nothing(tmp_path, capsys, asked):
    watched = Watched(tmp_path, actions=IO_SILENT).run(4)
    assert reset(capsys, watched) == (1, ["no row is active or latched: nothing to reset"], [])
    assert reset(capsys, watched, OTHER) == changed(OTHER, "none")
    code, out, err = reset(capsys, watched.run(20))
    typed = code_on(watched)
    assert (code, err) == (1, []) and len(out) == len(watched.shadow.standing) + 2
    assert "row 49 I/O module silent, cabinet; remote reset" in out
    last = f"Nothing was reset. To reset this: firebreak reset {typed}"
    assert out[-2:] == [reset_command.IS_A_START, last]
    assert reset(capsys, watched, "--key")[1][-1].endswith(f": {TURN}")
    assert asked == []


def test_the_reset_of_an_emergency_stop_does_not_start(tmp_path, capsys, asked):
    reset_there = [action(14, "reset", by="key"), action(15, "key", run=True)]
    watched = Watched(tmp_path, actions=[*ESTOP, KEY_OUT, *reset_there]).run(13.5)
    assert reset_command.IS_A_START not in reset(capsys, watched)[1]
    assert watched.run(25).facts("status")["state"] == "ready"
    watched.rig.controller.run_request(True)
    assert watched.run(35).facts("status")["state"] == "running"


def test_a_code_works_in_either_case_and_covers_both_channels(tmp_path, capsys, asked):
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(4)
    watched.rig.controller.run_request(False)
    assert stuck_at_b(watched, 12).run(13).facts("alarms")["standing"] == []
    assert watched.lines("alarms")[-1].endswith(f"  To reset: {TURN}")
    watched.rig.plant.key_run = False
    found = watched.run(14).facts("alarms")["reset"]
    assert code_on(watched) == found["code"]
    lines = [
        "row 47a service mode, cabinet; self reset",
        "row 1a emergency stop, first out in channel B; key reset",
        f"Nothing was reset. To reset this: {found['command']}",
    ]
    assert reset(capsys, watched) == (1, lines, [])
    path = f"{watched.folder}/command.sock"
    for given in (str.upper, str.lower):
        done = (0, ["reset of 47a, 1a in channel B: done"], [])
        assert reset(capsys, watched, "--key", given(code_on(watched))) == done
        assert asked.pop() == (path, BY_KEY, *watched.shadow.causes)
    assert watched.shadow.causes[2] == 0


def test_a_malformed_code_is_refused_in_one_short_line(capsys, tmp_path, asked):
    for text, shown in (
        ("1234567\xe9", r"1234567\u00e9"),
        ("1\n" + 10**5 * "2", f"1\\n{38 * '2'}..."),
    ):
        code, _, err = run(capsys, "reset --run-dir", tmp_path, text)
        assert (code, len(err), asked) == (2, 1, []) and len(err[0]) < 200
        assert f'"{shown}": a code is 8 characters' in err[0]


RESULTS = """
(1, 0) | 0 | done ; (2, 0) | 1 | changed ; (3, 0) | 1 | not clear yet ; (5, 0) | 1 | key needed
(None, 0) | 1 | no answer ; (102, 0) | 1 | somebody else's command is not done yet
(103, 0) | 1 | the store does not take it: see the controller's messages
(1, 6) | 0 | done; channel B: nothing to reset ; (1, 5) | 1 | done; channel B: key needed
"""


@pytest.mark.parametrize("option, what", [((), 1), (("--key",), 2)])
def test_a_reset_shows_its_result(capsys, monkeypatch, tripped, option, what):
    for given, code, words in table(RESULTS):
        answer = operator_client.Answer(*given)
        asked = answered(monkeypatch, operator_client, "reset", answer)
        causes = tripped.shadow.causes
        found = reset(capsys, tripped, *option, reset_code.code_of(causes))
        assert found == (code, [f"reset of 1a, 1b: {words}"], [])
        assert asked == [(f"{tripped.folder}/command.sock", what, *causes)]


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("reset"), actions=ESTOP).run(12)


def test_a_reset_needs_a_controller_and_its_user(capsys, monkeypatch, tmp_path, tripped):
    """The journal of a dead controller is not enough."""
    own = reset_code.code_of(tripped.shadow.causes)
    words = "no controller answers in"
    refused(capsys, 3, words, "reset --run-dir", tmp_path)
    for argv in ((), (OTHER,), (own,)):
        refused(capsys, 3, words, "reset --run-dir", tripped.folder, *argv)
    for name in ("reach", "reset"):
        answered(monkeypatch, operator_client, name, PermissionError(13, "Permission denied"))
    for argv in ((), (own,)):
        words = "put sudo -u firebreak before it$"
        refused(capsys, 3, words, "reset --run-dir", tripped.folder, *argv)
