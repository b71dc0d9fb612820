"""The `firebreak` command: exit codes, and one line for each mistake."""

import errno
import io
import os
import sys
from array import array
from dataclasses import replace
from types import SimpleNamespace

import pytest
from cabinet_bench import READY, RUN_TICKS, Bench
from command_line import answered, refused, run
from site_files import SiteFiles

from controller import __main__ as cli, sites
from controller.config import configuration
from controller.console import person, run_words
from controller.core.base import standby
from controller.hints import keys
from controller.journal import journal_header
from controller.journal.frame import Counts
from controller.journal.writer import JournalWriter
from controller.run import command, operator_client, self_test
from controller.store import two_copies
from controller.store.stored_record import Record
from controller.system import sockets
from hil.engine.simulate import VirtualRig
from safety import signals as s
from tests.tables import cases, table

EXAMPLE = str(sites.EXAMPLE)


WRONG_FILES = r"""
None | cannot be read: No such file ; 'schema = 1\nlayer = ' | TOML
'schema = 1\nlayer = "cabinet"\nname = "x"\nextends = "nowhere.toml"\n' | nowhere.toml
"""


def test_run_refuses_a_wrong_file(capsys, tmp_path):
    path, places = tmp_path / "cabinet.toml", ("--run-dir", tmp_path / "run", "--state-dir")
    for content, words in table(WRONG_FILES):
        if content is not None:
            path.write_text(content)
        refused(capsys, 2, words, "run", path, *places, tmp_path / "state")
    assert os.listdir(tmp_path) == ["cabinet.toml"]
    site = SiteFiles(tmp_path).append("cabinet", "[rack.all]\nrated_curent_mA = 130000")
    refused(capsys, 2, "rated_curent_mA.*rated_current_mA", "run", site.paths[2], *places[:2])


def run_command(folder, run_dir="run", state_dir="state"):
    places = "--run-dir", folder / run_dir, "--state-dir", folder / state_dir
    return "run --no-realtime", EXAMPLE, *places


def stored(folder, record=None):
    os.makedirs(folder / "state")
    two_copies.Store(str(folder / "state")).save(record or Record())
    return folder


@pytest.mark.wire
def test_run_names_a_missing_wire_and_a_missing_store(capsys, tmp_path):
    code, _, err = run(capsys, *run_command(tmp_path, state_dir="new"))
    assert code == 3 and "no store here yet" in err[0]
    words = "serial port /dev/serial/by-path/.*no such device"
    refused(capsys, 3, words, *run_command(stored(tmp_path)))


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Starts `run` up to its loop; (the cabinet of the loop, what was loaded from the store)."""

    def start():
        loops = answered(monkeypatch, command.loop, "Loop", ZeroDivisionError())
        made = command.cabinets.Cabinet
        loaded = []
        monkeypatch.setattr(
            command.cabinets, "Cabinet", lambda *given: loaded.append(given[1]) or made(*given)
        )
        first, *more = run_command(tmp_path)
        with pytest.raises(ZeroDivisionError):
            cli.main([*first.split(), *map(str, more)])
        return loops[0][0], loaded[0]

    return start


def test_the_running_controller_tests_its_own_memory(started):
    cabinet, _ = started()
    assert isinstance(cabinet.self_test, self_test.SelfTest)
    tested = [each.obj for each in cabinet.self_test._arrays]
    blocks = [block for block in cabinet.core.kernel.state_blocks() if len(block)]
    assert len(tested) == len(blocks)
    assert all(any(own is block for own in tested) for block in blocks)


@cases("""name  state
    "Cabinet 1, serial 0001"  two_copies.CLEAN | "Cabinet 2"  two_copies.UNREADABLE""")
def test_a_store_of_another_cabinet_is_unreadable(capsys, tmp_path, started, name, state):
    stored(tmp_path, Record(cabinets=(name,)))
    assert started()[1].state == state
    named = 'the store belongs to cabinet "Cabinet 2"' in capsys.readouterr().err
    assert named == (state == two_copies.UNREADABLE)


def test_a_store_that_another_controller_writes_is_not_loaded(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(two_copies, "HOLD_S", 0.1)
    monkeypatch.setattr(two_copies, "HOLD_PAUSE_S", 0.1)
    monkeypatch.setattr(two_copies.Store, "load", lambda self: 1 / 0)
    os.makedirs(tmp_path / "state")
    held = two_copies.hold(str(tmp_path / "state"))
    words = f"{tmp_path / 'state'}: another controller, or what a killed one has left, still writes"
    refused(capsys, 3, words, *run_command(tmp_path))
    os.close(held)


@pytest.mark.parametrize("trace", ["record.db", "trips.log", "proof_tests.jsonl"])
def test_a_new_store_of_a_cabinet_that_has_run_needs_the_key(capsys, tmp_path, trace):
    """The lost store may have held a latch, and writing files must not clear it."""
    (tmp_path / trace).write_bytes(b"")
    assert run(capsys, "box prepare --state-dir", tmp_path)[0] == 0
    loaded = two_copies.Store(str(tmp_path)).load()
    bench = Bench(loaded._replace(record=replace(loaded.record, approved=READY.approved)))
    assert bench.tick(3).standing == ["44d"]
    assert bench.clear().reset(1).standing == ["44d"] and bench.key(0).clear().reset(2)
    assert bench.key(1).standing == []


@pytest.mark.parametrize("before", [None, "eve"])
def test_a_prepared_cabinet_is_in_standby_until_a_start(capsys, tmp_path, before):
    """Also after a lost store: its lock-out was lost, and the cabinet closed."""
    if before is not None:
        two_copies.Store(str(tmp_path)).save(Record(locked_out=before))
        for name in two_copies.COPIES:
            os.unlink(tmp_path / name)
    assert run(capsys, "box prepare --state-dir", tmp_path)[0] == 0
    loaded = two_copies.of_cabinet(two_copies.Store(str(tmp_path)).load(), "Cabinet 1, serial 0001")
    bench = Bench(loaded).tick(RUN_TICKS)
    rest = bench.cabinet.run_request.rest.in_effect
    assert (bench.standing, bench.state, rest) == (["58"], "inhibited", (standby.UNKNOWN, ""))
    assert bench.key(0).cabinet.request_approval("anna", bench.cabinet.approval.code) == 0
    assert bench.tick(2).key(1).tick(RUN_TICKS).standing == [] and bench.state == "ready"
    assert not bench.out[s.CONTACTOR_SUPPLY_OK]
    bench.cabinet.request_run(1)
    assert bench.tick(RUN_TICKS).state == "running"


def test_replay_compares_every_byte_of_a_journal_of_this_version(capsys, tmp_path):
    settings, path = configuration.load(EXAMPLE), str(tmp_path / "journal")
    rig = VirtualRig(settings, lambda t_s: 300_000.0, journal_path=path).run(2)
    rig.controller.cabinet.journal.close()
    code, out, err = run(capsys, "replay", path)
    assert (code, err, out[-1]) == (0, [], "the same bytes")
    (tmp_path / "trace.csv").write_bytes(b"t_s,power_W\n0,1\n")
    refused(capsys, 2, "trace.csv: not a journal", "replay", tmp_path / "trace.csv")
    image = array("i", settings.safety_image)
    image[0] += 1  # the schema
    header = dict(journal_header.journal_header(settings), safety_image=image)
    JournalWriter(path, header, Counts(1, 1, 1, 1), 10_000).close()
    refused(capsys, 2, "another version", "replay", path)


def typed(monkeypatch, *words):
    """Answer the questions of test mode, then end the input; returns the questions."""
    questions, left = [], iter(words)

    def given(question):
        questions.append(question)
        for word in left:
            return word
        raise EOFError

    monkeypatch.setattr("builtins.input", given)
    return questions


# command: (what the controller is asked, its name in the answer, the end of an accepted answer)
ASKED = {
    "start": (("ask", 3), "start", ": it closes once the checklist is complete"),
    "stop": (("ask", 4), "stop", ": it ramps to zero and opens"),
    "test lamp": (("ask", 5), "test lamp", ""),
    "test power": (("ask", 6), "test power", ""),
    "lock-out jo": (("lock_out", "jo", True), "lock-out by jo", ""),
    "lock-out jo --end": (
        ("lock_out", "jo", False),
        "end of the lock-out by jo",
        ": start it with `firebreak start`",
    ),
    "approve jo 0badCAFE": (
        ("approve", "jo", 0x0BADCAFE),
        "approval",
        "; turn the key to RUN, then `firebreak start`",
    ),
}
ANSWERS = """
None | no answer ; 103 | the store does not take it: see the controller's messages
105 | it is locked out already ; 106 | it is not locked out ; 108 | turn the key out of RUN first
107 | somebody else has locked it out: only they may end that, or the key out of RUN
109 | a test is under way: ask again when its minute is over
112 | it is locked out, and that has to end first ; 115 | it is approved already
113 | in effect, but a restart may lose it: see the controller's messages
116 | another configuration runs: look at what has changed again ; 100 | accepted
"""


@pytest.mark.parametrize("argv", ASKED)
def test_a_command_shows_the_answer_of_the_controller(capsys, monkeypatch, tmp_path, argv):
    (function, *details), name, more = ASKED[argv]
    for module, other in ((operator_client, "reach"), (person, "prove")):
        answered(monkeypatch, module, other, None)
    for answer, words in table(ANSWERS):
        questions = typed(monkeypatch, "TEST", " TEST ")
        asked = answered(monkeypatch, operator_client, function, answer)
        line = f"{name}: {words}{more if answer == 100 else ''}"
        assert run(capsys, f"{argv} --run-dir", tmp_path) == (int(answer != 100), [line], [])
        assert asked == [(str(tmp_path / "command.sock"), *details)]
        assert len(questions) == 2 * (argv == "test power")
    for question, part in zip(questions, ("key out of RUN", "60 s from now")):
        assert part in question


def test_a_start_shows_its_missing_condition(capsys, monkeypatch, tmp_path):
    rig = VirtualRig(configuration.load(EXAMPLE), lambda t_s: 300_000.0, 1)
    cabinet = rig.controller.cabinet
    path = str(tmp_path / "journal")
    cabinet.journal = journal_header.open_journal(path, cabinet.config, cabinet.core)
    answered(monkeypatch, operator_client, "ask", 100)
    rig.plant.key_run = False
    rig.run(5)
    closes = "it closes once the checklist is complete; now it waits for R701 interlock, row 47a"
    stays = "the contactors are open and stay open"
    for start, stop in ((closes, stays), ("it is running", "it ramps to zero and opens")):
        assert run(capsys, "start --run-dir", tmp_path)[1] == [f"start: accepted: {start}"]
        assert run(capsys, "stop --run-dir", tmp_path)[1] == [f"stop: accepted: {stop}"]
        rig.plant.key_run = True
        rig.run(6)
        cabinet.request_run(1)
        rig.run(12)


def test_a_start_of_a_tripped_cabinet_names_the_rows():
    out = array("i", [0] * 200)
    out[s.STATE] = s.TRIPPED
    seen = SimpleNamespace(out=out, standing=["1a", "40a.rack2", "40c.rack2", "2", "3", "47a"])
    assert run_words.started(seen) == (run_words.CLOSES, "is tripped, row 2, 3, 1a and 2 more")
    seen.standing = ["40a.rack2"]
    assert run_words.started(seen) == (run_words.CLOSES, "is tripped")


def test_test_mode_needs_two_confirmations(capsys, monkeypatch, tmp_path):
    answered(monkeypatch, operator_client, "reach", None)
    monkeypatch.setattr(operator_client, "ask", None)
    words = "test mode: not confirmed, nothing was done"
    for answers in ("", ",", "test", "yes,TEST", "TEST", "TEST,", "TEST,TESTS"):
        questions = typed(monkeypatch, *(answers.split(",") if answers else ()))
        refused(capsys, 1, words, "test power --run-dir", tmp_path)
        assert len(questions) == (2 if answers.startswith("TEST") else 1)


def test_a_closed_input_is_no_confirmation_and_no_password(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdin", None)
    answered(monkeypatch, operator_client, "reach", None)
    refused(capsys, 1, "test mode: not confirmed", "test power --run-dir", tmp_path)
    words = "a password has 15 .. 64"
    refused(capsys, 2, words, "user add jo --state-dir", tmp_path)


def test_test_mode_asks_only_if_a_controller_runs(capsys, monkeypatch, tmp_path):
    """A person must not turn the key before the command finds that no controller runs."""
    questions, path = typed(monkeypatch, "TEST", "TEST"), str(tmp_path / "command.sock")
    refused(capsys, 3, "no controller answers in", "test power --run-dir", tmp_path)
    with sockets.bound(path, "") as listening:
        operator_client.reach(path)
        with pytest.raises(BlockingIOError):  # nothing was sent
            listening.recv(1)
    words = f"{tmp_path} .see --run-dir.: command.sock: Connection refused"  # an old socket
    refused(capsys, 3, words, "test power --run-dir", tmp_path)
    assert questions == []


def test_commands_need_the_user_of_the_controller(capsys, monkeypatch, tmp_path):
    """The socket on a box is 0600 of the user firebreak; the tests run as root."""
    for name in ("ask", "lock_out", "reach"):
        answered(monkeypatch, operator_client, name, PermissionError(13, "Permission denied"))
    for what in ("start", "stop", "test lamp", "lock-out anna", "test power"):
        words = "put sudo -u firebreak before it"
        refused(capsys, 3, words, f"{what} --run-dir", tmp_path)


def test_the_help_lists_every_command_and_each_has_one(capsys):
    done, helped, _ = run(capsys, "--help")
    assert done == 0
    for name in cli.COMMANDS:
        assert any(line.strip().startswith(name) for line in helped)
        code, out, err = run(capsys, name, "--help")
        assert (code, err) == (0, []) and out[0].startswith(f"usage: firebreak {name} ")


class Full(io.StringIO):
    """A full file, as /dev/full: it takes a write and fails at the flush."""

    def __init__(self, number=errno.ENOSPC):
        super().__init__()
        self.number = number

    def flush(self):
        raise OSError(self.number, os.strerror(self.number))

    def fileno(self):
        raise io.UnsupportedOperation


def test_a_full_output_is_code_3_and_a_closed_pipe_no_error(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Full())
    for argv in ("check", EXAMPLE), ("--help",), ("user list --state-dir .",):
        refused(capsys, 3, "the output cannot be written: No space left", *argv)
    monkeypatch.setattr(sys, "stdout", Full(errno.EPIPE))
    assert run(capsys, "check", EXAMPLE) == (1, [], [])


def test_a_closed_output_is_code_3_and_a_controller_needs_none(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", None)
    for argv in ("check", EXAMPLE), ("status",), ("key create site_ems --state-dir .",):
        refused(capsys, 3, "the output cannot be written: it is closed", *argv)
    assert list(tmp_path.iterdir()) == [], "no hidden key was made"
    refused(capsys, 2, "absent.toml", "run", tmp_path / "absent.toml")


def test_a_key_that_was_not_shown_and_stays_stored_is_named(capsys, monkeypatch, tmp_path):
    answered(monkeypatch, keys, "withdraw", keys.KeyStoreError("read-only"))
    monkeypatch.setattr(sys, "stdout", Full())
    words = "No space.*; the key of site_ems is stored but was not shown: firebreak key"
    refused(capsys, 3, f"{words} revoke", "key create site_ems --state-dir", tmp_path)
    assert [path.name for path in (tmp_path / "keys").glob("*.key")] == ["site_ems.key"]
