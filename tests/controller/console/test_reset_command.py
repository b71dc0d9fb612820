"""`firebreak reset`: it names what its operator has seen on a page, by the code that the page ends
with.
"""

import json
import re

import pytest
from watched import Watched, action, two_channels

from controller import __main__ as cli
from controller.console import pages, reset_words, watch
from controller.console.pages.text import CELLS, WIDTH
from controller.run import operator_commands
from controller.state import reset_code
from safety import latches

OTHER = "0123ABCD"
TURN = "turn the key, then look again"
SILENT = dict(device="io_1", fault="silent")
ESTOP, KEY_OUT = (
    [action(5, "estop_press"), action(6, "estop_release")],
    action(12, "key", run=False),
)
IO_SILENT = [action(5, "device_fault", **SILENT), action(7, "device_fault", value=False, **SILENT)]


def run(capsys, *argv):
    """(exit code, lines on stdout, lines on stderr) of a command."""
    try:
        code = cli.main([str(each) for each in argv])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


@pytest.fixture
def asked(monkeypatch):
    """What was sent to the command socket, of which each is answered with "done"."""
    found = []
    monkeypatch.setattr(
        operator_commands,
        "reset",
        lambda *what: found.append(what[1:]) or operator_commands.Answer(latches.DONE, 0),
    )
    monkeypatch.setattr(operator_commands, "reach", lambda path: None)
    return found


def code_on(watched, page="alarms"):
    """The code in the last line of a page."""
    found = re.fullmatch(
        rf"{re.escape(CELLS)} +To reset: firebreak reset (?:--key "
        rf")?([0-9A-F]{{8}})",
        pages.lines(page, watched.facts(page))[-1],
    )
    return found and found[1]


def reset(capsys, watched, *argv):
    """As run, of a reset in the watched rig's folder."""
    return run(capsys, "reset", "--run-dir", watched.folder, *argv)


# -- the code


def test_another_cause_in_either_channel_is_another_code():
    codes = {
        reset_code.code_of(causes)
        for causes in (
            (3, 7, -1, 0),
            (4, 7, -1, 0),
            (3, 8, -1, 0),
            (3, 7, 0, 0),
            (3, 7, -1, 7),
            (-1, 0, 3, 7),
            (90, (1 << 30) - 1, 0, (1 << 30) - 1),
        )
    }
    assert len(codes) == 7 and all(reset_code.FORM.fullmatch(code) for code in codes)
    assert reset_code.code_of((-1, 0, -1, 0)) is None


# -- where it is shown


def test_a_page_ends_with_the_command_that_resets_what_it_shows(tmp_path, capsys, monkeypatch):
    watched = Watched(tmp_path, actions=IO_SILENT).run(4)
    for page in ("alarms", "status"):
        assert pages.lines(page, watched.facts(page))[-1] in (
            CELLS,
            "RESETS 3 of 3 remote resets left this hour.",
        )
    facts = watched.run(20).facts("alarms")
    code = reset_code.code_of(watched.shadow.causes)
    assert (facts["reset"]["code"], facts["reset"]["command"]) == (code, f"firebreak reset {code}")
    lines = pages.lines("alarms", facts)
    assert lines[-1].startswith(f"{CELLS}  ") and lines[-1].endswith(
        f"To reset: firebreak reset {code}"
    )
    assert (
        len(lines[-1]) == WIDTH
        and ("RESET  remote (the command below). Now it would be: done.") in lines
    )
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (watched.rig.step,))
    for page in ("alarms", "status"):
        said = run(
            capsys, page, "--json", "--run-dir", watched.folder, "--state-dir", watched.folder
        )[1]
        assert json.loads("\n".join(said))["reset"]["code"] == code


def test_a_reset_by_key_is_typed_once_the_key_is_turned(tmp_path, capsys, asked):
    """A row stands then that did not before: what was typed with the code of before was always
    refused.
    """
    watched = Watched(tmp_path, actions=[*ESTOP, KEY_OUT]).run(11)
    facts = watched.facts("alarms")
    assert facts["reset"]["command"] is None and facts["reset"]["code"] == reset_code.code_of(
        watched.shadow.causes
    )
    for page in ("alarms", "status"):
        assert pages.lines(page, watched.facts(page))[-1].endswith(f"  To reset: {TURN}")
    assert reset(capsys, watched)[1][-1] == f"Nothing was reset. To reset what stands: {TURN}"
    assert reset(capsys, watched, OTHER)[2][0].endswith(f": now 1a, 1b; to reset that: {TURN}")
    facts = watched.run(13).facts("alarms")
    assert facts["reset"]["command"] == f"firebreak reset --key {facts['reset']['code']}"
    assert code_on(watched) == facts["reset"]["code"]
    assert reset(capsys, watched, "--key", code_on(watched))[1] == ["reset of 1a, 1b, 47: done"]
    assert ("with the key on site (turn it out of RUN, the command below)") in "\n".join(
        pages.lines("alarms", facts)
    )


def test_the_status_page_has_the_code_only_where_it_shows_all_that_stands(tmp_path):
    watched = Watched(tmp_path, actions=IO_SILENT).run(20)
    facts, typed = watched.facts("status"), pages.lines("alarms", watched.facts("alarms"))[-1]
    two, three = ({**facts, "standing": (3 * facts["standing"])[:count]} for count in (2, 3))
    assert pages.lines("status", two)[-1] == typed and code_on(watched) in typed
    unseen = f"{CELLS}{'To reset: firebreak alarms':>{WIDTH - len(CELLS)}}"
    in_b = {"stage": "1a", "name": "emergency stop", "reset": "key"}
    assert (
        pages.lines("status", three)[-1]
        == pages.lines("status", {**two, "channel_b": in_b})[-1]
        == unseen
    )


def test_what_goes_by_itself_has_no_code(tmp_path, capsys, asked):
    watched = Watched(tmp_path, actions=[action(5, "key", run=False)]).run(8)
    facts = watched.facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["47"]
    assert (facts["reset"]["code"], facts["reset"]["command"]) == (None, None)
    assert (
        pages.lines("alarms", facts)[-1]
        == pages.lines("status", watched.facts("status"))[-1]
        == CELLS
    )
    assert reset(capsys, watched) == (
        1,
        [
            "row 47 service mode, cabinet; self reset",
            "Nothing was reset: what stands goes by itself with its cause.",
        ],
        [],
    )
    assert reset(capsys, watched, OTHER) == (
        1,
        [],
        [
            f"firebreak: what stands has changed since {OTHER}: now 47, which goes by itself with "
            f"its "
            f"cause"
        ],
    )
    assert asked == []


# -- what it does


def test_a_reset_clears_nothing_that_came_after_the_page(tmp_path, capsys, asked):
    """It read what stands in the moment of the command, so it cleared what its operator had never
    seen.
    """
    watched = Watched(
        tmp_path,
        actions=[
            *ESTOP,
            KEY_OUT,
            action(20, "device_fault", **SILENT),
            action(22, "device_fault", value=False, **SILENT),
        ],
    ).run(15)
    seen, before = code_on(watched), watched.shadow.causes
    assert reset(capsys, watched.run(16), "--key", seen)[:2] == (0, ["reset of 1a, 1b, 47: done"])
    now = code_on(watched.run(40))
    assert asked == [(operator_commands.KEY_RESET, *before)] and now not in (None, seen)
    names = ", ".join(watched.shadow.standing)
    assert "49" in names and reset(capsys, watched, "--key", seen) == (
        1,
        [],
        [
            f"firebreak: what stands has changed since {seen}: now {names}; to reset that: "
            f"firebreak reset --key {now}"
        ],
    )
    assert len(asked) == 1, "nothing was sent"
    assert reset(capsys, watched, "--key", now)[0] == 0 and asked[1:] == [
        (operator_commands.KEY_RESET, *watched.shadow.causes)
    ]


def test_a_reset_without_a_code_shows_what_stands_and_resets_nothing(tmp_path, capsys, asked):
    watched = Watched(tmp_path, actions=IO_SILENT).run(4)
    assert reset(capsys, watched) == (1, ["nothing stands: nothing to reset"], [])
    assert reset(capsys, watched, OTHER) == (
        1,
        [],
        [f"firebreak: what stands has changed since {OTHER}: now nothing"],
    )
    code, out, err = reset(capsys, watched.run(20))
    typed = code_on(watched)
    assert (code, err) == (1, []) and len(out) == len(watched.shadow.standing) + 2
    assert out[-2] == reset_words.IS_A_START
    assert "row 49 I/O module silent, cabinet; remote reset" in out
    assert out[-1] == f"Nothing was reset. To reset what stands: firebreak reset {typed}"
    assert reset(capsys, watched, "--key")[1][-1].endswith(f": {TURN}")
    assert asked == []


@pytest.mark.parametrize("is_stopped, ends", [(False, "running"), (True, "ready")])
def test_a_reset_is_a_start_too_unless_somebody_has_stopped_it_first(
    tmp_path, capsys, asked, is_stopped, ends
):
    """After an emergency stop as well, which whoever turns the key has to know."""
    reset_there = [action(14, "reset", by="key"), action(15, "key", run=True)]
    watched = Watched(tmp_path, actions=[*ESTOP, KEY_OUT, *reset_there]).run(13)
    if is_stopped:
        watched.rig.controller.run_request(False)
    said = reset(capsys, watched.run(13.5))[1]
    assert (reset_words.IS_A_START in said) == (not is_stopped)
    assert watched.run(25).facts("status")["state"] == ends


@pytest.mark.parametrize("given", [str.upper, str.lower])
def test_a_code_is_taken_in_either_case_and_names_both_channels(tmp_path, capsys, asked, given):
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(4)
    watched.rig.controller.run_request(False)
    watched.run(12).rig.channel_b.stuck["estop_1_ok"] = 0
    watched.run(12.3).rig.channel_b.stuck.clear()
    facts = watched.run(13).facts("alarms")
    assert facts["standing"] == [] and pages.lines("alarms", facts)[-1].endswith(
        f"  To reset: {TURN}"
    )
    watched.rig.plant.key_run = False
    facts = watched.run(14).facts("alarms")
    assert code_on(watched) == facts["reset"]["code"] and reset(capsys, watched) == (
        1,
        [
            "row 47 service mode, cabinet; self reset",
            "row 1a emergency stop, first out in channel B; key reset",
            f"Nothing was reset. To reset what stands: {facts['reset']['command']}",
        ],
        [],
    )
    said = reset(capsys, watched, "--key", given(code_on(watched)))
    assert said == (0, ["reset of 47, 1a in channel B: done"], [])
    assert asked == [(operator_commands.KEY_RESET, *watched.shadow.causes)] and asked[0][3] == 0


@pytest.mark.parametrize(
    "text", ["", "1234567", "123456789", "0123ABCG", "0x123456", "12 45678", "1234567\xe9"]
)
def test_what_is_no_code_is_one_line_and_code_2(tmp_path, capsys, asked, text):
    code, out, err = run(capsys, "reset", "--run-dir", tmp_path, text)
    assert (code, out, len(err)) == (2, [], 1) and err[0].isascii()
    assert err[0].endswith(
        f"{json.dumps(text)}: a code is 8 characters of 0-9 and A-F, as the "
        f"last line of firebreak "
        "alarms shows it"
    )
    assert asked == []


def test_what_is_no_code_is_shown_by_its_beginning(tmp_path, capsys, asked):
    code, _, err = run(capsys, "reset", "--run-dir", tmp_path, "1\n" + 100_000 * "2")
    assert (
        (code, len(err)) == (2, 1)
        and (f'"1\\n{38 * "2"}...": a code is') in err[0]
        and len(err[0]) < 200
    )


@pytest.mark.parametrize(
    "answer, code, words",
    [
        ((1, 0), 0, "done"),
        ((2, 0), 1, "changed"),
        ((3, 0), 1, "not clear yet"),
        ((5, 0), 1, "key needed"),
        ((None, 0), 1, "no answer"),
        ((102, 0), 1, "somebody else's command is not done yet"),
        ((103, 0), 1, "the store does not take it: see the controller's messages"),
        ((1, 6), 0, "done; channel B: nothing to reset"),
        ((1, 5), 1, "done; channel B: key needed"),
    ],
)
@pytest.mark.parametrize("option, what", [((), 1), (("--key",), 2)])
def test_a_reset_says_how_it_went(capsys, monkeypatch, tripped, answer, code, words, option, what):
    asked = []
    monkeypatch.setattr(
        operator_commands,
        "reset",
        lambda *details: asked.append(details) or operator_commands.Answer(*answer),
    )
    causes = tripped.shadow.causes
    assert reset(capsys, tripped, *option, reset_code.code_of(causes)) == (
        code,
        [f"reset of 1a, 1b: {words}"],
        [],
    )
    assert asked == [(f"{tripped.folder}/command.sock", what, *causes)]


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    """After an E-stop, for tests that only look."""
    return Watched(tmp_path_factory.mktemp("reset"), actions=ESTOP).run(12)


# -- without a controller


def test_a_reset_without_a_controller(capsys, tmp_path, tripped):
    """Nor one that has left its journal, whose last words are no news."""
    found = run(capsys, "reset", "--run-dir", tmp_path)
    assert (found[0], found[1], len(found[2])) == (3, [], 1) and (
        "no controller answers in"
    ) in found[2][0]
    for argv in ((), (OTHER,), (reset_code.code_of(tripped.shadow.causes),)):
        code, out, err = reset(capsys, tripped, *argv)
        assert (code, out, len(err)) == (3, [], 1) and err[0].startswith(
            "firebreak: no controller answers in"
        )


def test_who_may_not_reset_is_told_who_may(capsys, monkeypatch, tripped):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(operator_commands, "reach", closed)
    monkeypatch.setattr(operator_commands, "reset", closed)
    for argv in ((), (reset_code.code_of(tripped.shadow.causes),)):
        code, out, err = reset(capsys, tripped, *argv)
        assert (code, out, len(err)) == (3, [], 1) and err[0].endswith(
            "put sudo -u firebreak before it"
        )
