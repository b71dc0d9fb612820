"""The `firebreak` command as somebody uses it who mistypes: one clear line, and an exit code that
says which kind.
"""

import errno
import io
import os
import re
import signal
import sys
from array import array
from types import SimpleNamespace

import pytest
from cabinet_bench import RUN_TICKS, Bench
from site_files import SiteFiles

from controller import __main__ as cli
from controller import sites
from controller.console import run_words
from controller.hints import keys
from controller.record import journal_header, store
from controller.record.journal_writer import JournalWriter
from controller.record.stored_record import Record
from controller.run import command, operator_commands, run_request, self_test
from controller.site import config
from controller.system import sockets
from hil.simulate import VirtualRig
from safety import signals as s

EXAMPLE = str(sites.EXAMPLE)


def run(capsys, *argv):
    """(exit code, lines on stdout, lines on stderr) of a command."""
    try:
        code = cli.main([str(each) for each in argv])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


def refused(capsys, code, words, *argv):
    """The command must end with this code and one line on stderr that says so."""
    found, out, err = run(capsys, *argv)
    assert (found, out, len(err)) == (code, [], 1), err
    assert re.search(words, err[0]), err[0]
    assert err[0].startswith("firebreak: ")


# -- run


@pytest.mark.parametrize(
    "content, words",
    [
        (
            None,
            r"no such file|cannot be read|No such "
            r"file",
        ),
        ("schema = 1\nlayer = ", "not a TOML|line 2|TOML"),
        ('schema = 1\nlayer = "cabinet"\nname = "x"\nextends = "nowhere.toml"\n', "nowhere.toml"),
    ],
)
def test_run_refuses_a_wrong_file_in_one_line(capsys, tmp_path, content, words):
    path = tmp_path / "cabinet.toml"
    if content is not None:
        path.write_text(content)
    refused(
        capsys,
        2,
        words,
        "run",
        path,
        "--run-dir",
        tmp_path / "run",
        "--state-dir",
        tmp_path / "state",
    )
    assert not (tmp_path / "run").exists() and not (tmp_path / "state").exists()


def test_run_names_the_key_it_does_not_know(capsys, tmp_path):
    site = SiteFiles(tmp_path).append("cabinet", "[rack.all]\nrated_curent_mA = 130000")
    refused(
        capsys,
        2,
        "rated_curent_mA.*rated_current_mA",
        "run",
        site.paths[2],
        "--run-dir",
        tmp_path / "run",
    )


def run_command(tmp_path):
    return (
        "run",
        EXAMPLE,
        "--run-dir",
        tmp_path / "run",
        "--state-dir",
        tmp_path / "state",
        "--no-realtime",
    )


@pytest.mark.wire
def test_run_says_which_wire_is_not_there(capsys, tmp_path):
    (tmp_path / "state").mkdir()
    store.Store(str(tmp_path / "state")).save(Record())
    refused(capsys, 3, "serial port /dev/serial/by-path/.*no such device", *run_command(tmp_path))


@pytest.mark.wire
def test_run_says_that_a_cabinet_is_new(capsys, tmp_path):
    code, _, err = run(capsys, *run_command(tmp_path))
    assert code == 3 and "no store here yet" in err[0]


@pytest.mark.parametrize("option", ["--run-dir", "--state-dir"])
def test_run_says_which_folder_it_cannot_have(capsys, tmp_path, option):
    (tmp_path / "file").write_text("")
    command = [*run_command(tmp_path)]
    command[command.index(option) + 1] = tmp_path / "file" / "inside"
    refused(capsys, 3, "file", *command)


@pytest.mark.parametrize(
    "argv, line",
    [
        (("run", EXAMPLE, "--run-dir", "{}/file/run"), "{}/file/run: Not a directory"),
        (
            ("run", EXAMPLE, "--run-dir", "{}/run", "--state-dir", "{}/file/state"),
            "{}/file/state: Not a directory",
        ),
        (("prepare", "--state-dir", "{}/file"), "{}/file: File exists"),
        (("prepare", "--state-dir", ""), "'': No such file or directory"),
        (("upstream", "--run-dir", "{}/absent"), "{}/absent: No such file or directory"),
        (
            ("reset", "--run-dir", "{}/absent"),
            "no controller answers in {0}/absent: {0}/absent/journal: No such file or directory",
        ),
    ],
)
def test_what_the_system_says_is_said_in_words(capsys, tmp_path, argv, line):
    """ "[Errno 2] No such file or directory: ''" stood there."""
    (tmp_path / "file").write_text("")
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    found = run(capsys, *[each.format(tmp_path) for each in argv])
    for number, handler in zip((signal.SIGTERM, signal.SIGINT), before):
        signal.signal(number, handler)
    assert found == (3, [], [f"firebreak: {line.format(tmp_path)}"])


def test_the_controller_that_runs_tests_itself(tmp_path, monkeypatch):
    """Row 44 is as good as the self-test that feeds it: the kernel's own memory, and the
    program.
    """
    seen = []

    class Loop:
        """Takes the cabinet as the real one does, and ends at once."""

        def __init__(self, cabinet, *_):
            seen.append(cabinet)

        def run(self):
            return 0

        def close(self):
            return None

    monkeypatch.setattr(command.loop, "Loop", Loop)
    assert cli.main([*map(str, run_command(tmp_path))]) == 0
    (cabinet,) = seen
    assert isinstance(cabinet.self_test, self_test.SelfTest)
    tested = [each.obj for each in cabinet.self_test._arrays]
    assert len(tested) == len([block for block in cabinet.core.kernel.state_blocks() if len(block)])
    assert all(
        any(own is block for own in tested)
        for block in cabinet.core.kernel.state_blocks()
        if len(block)
    )


@pytest.mark.parametrize(
    "name, state", [("Cabinet 1, serial 0001", store.CLEAN), ("Cabinet 2", store.UNREADABLE)]
)
def test_a_controller_takes_no_other_cabinets_store_for_its_own(
    capsys, tmp_path, monkeypatch, name, state
):
    seen = []
    monkeypatch.setattr(
        command.cabinets, "Cabinet", lambda settings, loaded, keeper: seen.append(loaded) or 1 / 0
    )
    os.makedirs(tmp_path / "state")
    store.Store(str(tmp_path / "state")).save(Record(cabinets=(name,)))
    with pytest.raises(ZeroDivisionError):
        cli.main([*map(str, run_command(tmp_path))])
    assert [loaded.state for loaded in seen] == [state]
    assert ('the store is of the cabinet "Cabinet 2"' in capsys.readouterr().err) == (
        state == store.UNREADABLE
    )


def test_a_controller_loads_no_store_that_another_one_still_writes(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "HOLD_S", 0.1)
    monkeypatch.setattr(store, "HOLD_PAUSE_S", 0.1)
    monkeypatch.setattr(store.Store, "load", lambda self: 1 / 0)
    os.makedirs(tmp_path / "state")
    held = store.hold(str(tmp_path / "state"))
    words = f"{tmp_path / 'state'}: another controller, or what a killed one has left, still writes"
    refused(capsys, 3, words, *run_command(tmp_path))
    os.close(held)


# -- prepare

RESTS = "; the cabinet rests until `firebreak start`"


def test_prepare_makes_a_clean_store_once(capsys, tmp_path):
    place = tmp_path / "state"
    made = ", ".join([str(place / name) for name in store.COPIES])
    words = f"made the folder and the first store: {made}{RESTS}"
    assert run(capsys, "prepare", "--state-dir", place) == (0, [words], [])
    loaded = store.Store(str(place)).load()
    assert (loaded.state, loaded.record) == (store.CLEAN, Record(rest=(4, "")))
    refused(capsys, 2, "holds a store already", "prepare", "--state-dir", place)


@pytest.mark.parametrize("before", [None, "eve"])
def test_what_was_prepared_rests_until_somebody_starts_it(capsys, tmp_path, before):
    """Also in the place of a store that was lost: its lock-out went with it, and it closed by
    itself.
    """
    if before is not None:
        store.Store(str(tmp_path)).save(Record(locked_out=before))
        for name in store.COPIES:
            os.unlink(tmp_path / name)
    assert run(capsys, "prepare", "--state-dir", tmp_path)[0] == 0
    loaded = store.of_cabinet(store.Store(str(tmp_path)).load(), "Cabinet 1, serial 0001")
    bench = Bench(loaded).tick(RUN_TICKS)
    assert (bench.standing, bench.state, bench.cabinet.run_request.rest.in_effect) == (
        [],
        "ready",
        (run_request.UNKNOWN, ""),
    )
    assert not bench.out[s.CONTACTOR_SUPPLY_OK]
    bench.cabinet.request_run(1)
    assert bench.tick(RUN_TICKS).state == "running"


def test_prepare_says_that_the_folder_was_there(capsys, tmp_path):
    made = ", ".join([str(tmp_path / name) for name in store.COPIES])
    assert run(capsys, "prepare", "--state-dir", tmp_path) == (
        0,
        [f"made the first store: {made}{RESTS}"],
        [],
    )


@pytest.mark.parametrize("above", ["absent", "file"])
def test_prepare_makes_no_folders_above_its_own(capsys, tmp_path, above):
    """A mistyped path got a store of its own, and the cabinet asked for the key."""
    (tmp_path / "file").write_text("")
    place = tmp_path / above / "state"
    refused(
        capsys,
        2,
        f"--state-dir {place}: there is no folder {tmp_path / above} to make it in",
        "prepare",
        "--state-dir",
        place,
    )
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("damaged", store.COPIES)
def test_prepare_never_replaces_a_damaged_store(capsys, tmp_path, damaged):
    (tmp_path / damaged).write_bytes(b"x")
    refused(capsys, 2, "holds a store already", "prepare", "--state-dir", tmp_path)
    assert (tmp_path / damaged).read_bytes() == b"x"


# -- check


def test_check_reports_a_good_file(capsys):
    code, out, err = run(capsys, "check", EXAMPLE)
    assert code == 0 and len(out) > 20 and err == []


def test_check_refuses_in_one_line(capsys, tmp_path):
    site = SiteFiles(tmp_path).append("cabinet", "[rack.all]\nrated_current_mA = 999999")
    code, out, err = run(capsys, "check", site.paths[2])
    assert (code, out, len(err)) == (2, [], 1) and "999999" in err[0]


def test_check_takes_a_file_or_asks_for_the_keys(capsys):
    code, out, err = run(capsys, "check", "--keys", EXAMPLE)
    assert (code, out, len(err)) == (2, [], 1) and err[0].startswith("usage: check FILE")


def test_check_lists_every_key(capsys):
    code, out, _ = run(capsys, "check", "--keys")
    assert code == 0 and any(line.startswith("rack.") for line in out)


# -- replay


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Two seconds of a virtual run."""
    path = str(tmp_path_factory.mktemp("cli") / "journal")
    rig = VirtualRig(config.load(EXAMPLE), lambda t_s: 300_000.0, journal_path=path).run(2)
    rig.controller.cabinet.journal.close()
    return path


def test_replay_of_a_good_journal(capsys, journal):
    code, out, err = run(capsys, "replay", journal)
    assert (code, err) == (0, []) and out[-1] == "the same bytes"


def test_replay_of_no_journal(capsys, tmp_path):
    code, out, err = run(capsys, "replay", tmp_path / "journal")
    assert (code, len(out), err) == (2, 1, [])


def test_replay_of_another_versions_journal(capsys, tmp_path):
    settings = config.load(EXAMPLE)
    path = str(tmp_path / "journal")
    image = array("i", settings.safety_image)
    image[0] += 1  # the schema
    writer = JournalWriter(
        path, dict(journal_header.journal_header(settings), safety_image=image), 1, 1, 1, 1, 10_000
    )
    writer.close()
    refused(capsys, 2, "another version", "replay", path)


# -- what an operator may ask for


@pytest.mark.parametrize(
    "answer, code, words",
    [
        (100, 0, "accepted"),
        (105, 1, "locked out already"),
        (106, 1, "not locked out"),
        (107, 1, "somebody else"),
        (103, 1, "store does not take it"),
        (None, 1, "no answer"),
        (113, 1, "in effect, but a restart loses it"),
    ],
)
@pytest.mark.parametrize("option, is_locked", [((), True), (("--end",), False)])
def test_lock_out_says_how_it_went(
    capsys, monkeypatch, tmp_path, answer, code, words, option, is_locked
):
    asked = []
    monkeypatch.setattr(
        operator_commands, "lock_out", lambda *details: asked.append(details) or answer
    )
    found, out, err = run(capsys, "lock-out", "anna", "--run-dir", tmp_path, *option)
    assert (found, err, len(out)) == (code, [], 1) and words in out[0]
    assert out[0].endswith("accepted: start it with `firebreak start`") == (
        code == 0 and not is_locked
    )
    assert asked == [(str(tmp_path / "command.sock"), "anna", is_locked)]


@pytest.mark.parametrize(
    "what, asked_for, comes_to",
    [
        ("start", "RUN", "it closes once the checklist is complete"),
        ("stop", "STOP", "it ramps to zero and opens"),
    ],
)
@pytest.mark.parametrize(
    "answer, code, words",
    [(100, 0, "accepted: "), (103, 1, "the store does not take it"), (None, 1, "no answer")],
)
def test_start_and_stop_say_how_it_went(
    capsys, monkeypatch, tmp_path, what, asked_for, comes_to, answer, code, words
):
    asked = []
    monkeypatch.setattr(operator_commands, "ask", lambda *details: asked.append(details) or answer)
    found, out, err = run(capsys, what, "--run-dir", tmp_path)
    assert (found, err, len(out)) == (code, [], 1) and out[0].startswith(f"{what}: {words}")
    assert out[0].endswith(comes_to) == (code == 0)
    assert asked == [(str(tmp_path / "command.sock"), getattr(operator_commands, asked_for))]


def test_a_start_says_what_keeps_it_open_now(capsys, monkeypatch, tmp_path):
    """Out of the journal: the missing piece of the checklist and the rows behind it."""
    rig = VirtualRig(config.load(EXAMPLE), lambda t_s: 300_000.0, 1)
    cabinet = rig.controller.cabinet
    cabinet.journal = journal_header.open_journal(
        str(tmp_path / "journal"), cabinet.config, cabinet.core
    )
    monkeypatch.setattr(operator_commands, "ask", lambda *_: 100)
    rig.plant.key_run = False
    rig.run(5)
    assert run(capsys, "start", "--run-dir", tmp_path)[1] == [
        "start: accepted: it closes once the checklist is complete; now it waits for R701 "
        "interlock, row 47"
    ]
    assert run(capsys, "stop", "--run-dir", tmp_path)[1] == [
        "stop: accepted: nothing is closed, and it stays so"
    ]
    rig.plant.key_run = True
    rig.run(10)
    assert run(capsys, "start", "--run-dir", tmp_path)[1] == ["start: accepted: it is running"]
    assert run(capsys, "stop", "--run-dir", tmp_path)[1] == [
        "stop: accepted: it ramps to zero and opens"
    ]


def test_a_start_of_what_has_tripped_says_so():
    out = array("i", [0] * 200)
    out[s.STATE] = s.TRIPPED
    seen = SimpleNamespace(out=out, standing=["1a", "40a.rack2", "40c.rack2", "2", "3", "47"])
    assert run_words.started(seen) == (run_words.CLOSES, "is tripped, row 1a, 40c, 2 and 2 more")
    seen.standing = ["40a.rack2"]
    assert run_words.started(seen) == (run_words.CLOSES, "is tripped")


def test_lamp_test_says_how_it_went(capsys, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(operator_commands, "ask", lambda *details: asked.append(details) or 100)
    assert run(capsys, "lamp-test", "--run-dir", tmp_path) == (0, ["lamp test: accepted"], [])
    assert asked == [(str(tmp_path / "command.sock"), operator_commands.LAMP_TEST)]


# -- test mode: twice the word, or nothing is asked of anybody


@pytest.fixture
def reached(monkeypatch):
    """Paths of the sockets at which somebody was looked for, and found."""
    paths = []
    monkeypatch.setattr(operator_commands, "reach", paths.append)
    return paths


def typed(monkeypatch, *words):
    """Answer the questions of test mode; what comes after the last word is the end of the input.
    The questions.
    """
    questions, left = [], list(words)

    def given(question):
        questions.append(question)
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", given)
    return questions


@pytest.mark.parametrize(
    "answer, code, words",
    [
        (100, 0, "accepted"),
        (108, 1, "turn the key out of RUN first"),
        (109, 1, "a test is under way"),
        (112, 1, "it is locked out, and that has to end first"),
        (None, 1, "no answer"),
    ],
)
def test_test_mode_says_how_it_went(capsys, monkeypatch, tmp_path, reached, answer, code, words):
    asked, questions = [], typed(monkeypatch, "TEST", " TEST ")
    monkeypatch.setattr(operator_commands, "ask", lambda *details: asked.append(details) or answer)
    found, out, err = run(capsys, "test-mode", "--run-dir", tmp_path)
    assert (
        (found, err, len(out)) == (code, [], 1)
        and out[0].startswith("test mode: ")
        and words in out[0]
    )
    assert asked == [(str(tmp_path / "command.sock"), operator_commands.TEST_MODE)] and reached == [
        asked[0][0]
    ]
    assert (
        "key is out of RUN" in questions[0]
        and "60 s from now" in questions[1]
        and len(questions) == 2
    )


@pytest.mark.parametrize(
    "said", [(), ("",), ("test",), ("yes", "TEST"), ("TEST",), ("TEST", ""), ("TEST", "TESTS")]
)
def test_test_mode_that_is_not_confirmed_twice_does_nothing(
    capsys, monkeypatch, tmp_path, reached, said
):
    questions = typed(monkeypatch, *said)
    monkeypatch.setattr(operator_commands, "ask", None)
    refused(
        capsys, 1, "test mode: not confirmed, nothing was done", "test-mode", "--run-dir", tmp_path
    )
    assert len(questions) == (2 if said[:1] == ("TEST",) else 1), (
        "the second question comes after the first yes only"
    )


def test_a_closed_input_confirms_nothing_and_is_no_password(capsys, monkeypatch, tmp_path, reached):
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(operator_commands, "ask", None)
    refused(
        capsys, 1, "test mode: not confirmed, nothing was done", "test-mode", "--run-dir", tmp_path
    )
    refused(
        capsys,
        2,
        "a password or PIN has 6 .. 64",
        "console-user",
        "add",
        "jo",
        "--state-dir",
        tmp_path,
    )


def test_test_mode_asks_nothing_of_anybody_without_a_controller(capsys, monkeypatch, tmp_path):
    """Nobody turns a key and looks into the cabinet to learn that nothing runs; a socket left over
    is no controller.
    """
    questions = typed(monkeypatch, "TEST", "TEST")
    refused(capsys, 3, "no controller answers in", "test-mode", "--run-dir", tmp_path)
    sockets.bound(str(tmp_path / "command.sock"), 0o600).close()
    refused(
        capsys,
        3,
        f"answers in {tmp_path}: command.sock: Connection refused",
        "test-mode",
        "--run-dir",
        tmp_path,
    )
    monkeypatch.setattr(
        operator_commands,
        "reach",
        lambda path: (_ for _ in ()).throw(PermissionError(13, "denied")),
    )
    refused(capsys, 3, "put sudo -u firebreak before it", "test-mode", "--run-dir", tmp_path)
    assert questions == []


def test_whoever_is_looked_for_is_sent_nothing(tmp_path):
    path = str(tmp_path / "command.sock")
    with sockets.bound(path, 0o600) as listening:
        operator_commands.reach(path)
        with pytest.raises(BlockingIOError):
            listening.recv(1)


def test_lock_out_and_lamp_test_without_a_controller_or_a_name(capsys, tmp_path):
    refused(capsys, 3, "no controller answers in", "lock-out", "anna", "--run-dir", tmp_path)
    for what in ("start", "stop", "lamp-test"):
        refused(capsys, 3, "no controller answers in", what, "--run-dir", tmp_path)
    refused(
        capsys, 2, '"Anna!": a name is 1 .. 16 of a-z', "lock-out", "Anna!", "--run-dir", tmp_path
    )
    refused(
        capsys, 2, 'firebreak: "": a name is 1 .. 16 of a-z', "lock-out", "", "--run-dir", tmp_path
    )
    refused(
        capsys,
        2,
        f'"{"a" * 40}[.]{{3}}": a name is 1 .. 16 of a-z',
        "lock-out",
        "a" * 99,
        "--run-dir",
        tmp_path,
    )


def test_who_may_not_send_commands_is_told_who_may(capsys, monkeypatch, tmp_path):
    """On a box the socket is 0600 of the user firebreak; root, who runs tests, would be let
    through.
    """

    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(operator_commands, "ask", closed)
    monkeypatch.setattr(operator_commands, "lock_out", closed)
    for what in ("start", "stop", "lamp-test"):
        refused(capsys, 3, "put sudo -u firebreak before it", what, "--run-dir", tmp_path)
    refused(capsys, 3, "put sudo -u firebreak before it", "lock-out", "anna", "--run-dir", tmp_path)


def test_what_root_prepares_belongs_to_the_owner_of_the_directory(capsys, monkeypatch, tmp_path):
    """Else the service, which is not root, finds a store that it cannot read."""
    given = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda path, *ids: given.append((path, ids)))
    assert run(capsys, "prepare", "--state-dir", tmp_path)[0] == 0
    owner = os.stat(tmp_path)
    assert given == [(str(tmp_path / name), (owner.st_uid, owner.st_gid)) for name in store.COPIES]


def test_what_others_prepare_is_theirs(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "chown", None)
    assert run(capsys, "prepare", "--state-dir", tmp_path)[0] == 0


# -- the command line itself


@pytest.mark.parametrize("argv", [(), ("fly",), ("run",), ("replay",), ("reset", "--keys")])
def test_a_wrong_command_line_is_code_2(capsys, argv):
    code, out, err = run(capsys, *argv)
    assert code == 2 and out == [] and err


def test_a_wrong_command_line_is_one_line(capsys):
    assert run(capsys, "check", "file.toml", "another") == (
        2,
        [],
        ["firebreak: unrecognized arguments: another"],
    )


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_module_of_a_command_makes_its_parser(capsys, name):
    code, out, err = run(capsys, name, "--help")
    assert (code, err) == (0, []) and out[0].startswith(f"usage: firebreak {name} ")


def test_help_and_a_wrong_command_list_every_command(capsys):
    (done, helped, _), (code, _, said) = run(capsys, "--help"), run(capsys, "launch")
    assert (done, code) == (0, 2)
    for name in cli.COMMANDS:
        assert any(line.strip().startswith(name) for line in helped) and f"'{name}'" in said[0]


# -- an output that takes nothing


def full(number=errno.ENOSPC):
    """A file that has no room, as /dev/full is: a write is taken, its flush is not."""

    class Full(io.StringIO):
        def flush(self):
            raise OSError(number, os.strerror(number))

        def fileno(self):
            raise io.UnsupportedOperation

    return Full()


@pytest.mark.parametrize(
    "argv", [("check", EXAMPLE), ("--help",), ("console-user", "list", "--state-dir", "absent")]
)
def test_an_output_without_room_is_one_line_and_code_3(capsys, monkeypatch, argv):
    monkeypatch.setattr(sys, "stdout", full())
    refused(capsys, 3, "the output cannot be written: No space left", *argv)


def test_a_reader_that_has_seen_enough_is_no_trouble(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", full(errno.EPIPE))
    assert run(capsys, "check", EXAMPLE) == (1, [], [])


@pytest.mark.parametrize(
    "argv", [("check", EXAMPLE), ("status",), ("key", "create", "site_ems", "--state-dir", ".")]
)
def test_a_closed_output_is_one_line_and_code_3(capsys, monkeypatch, tmp_path, argv):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", None)
    refused(capsys, 3, "the output cannot be written: it is closed", *argv)
    assert list(tmp_path.iterdir()) == [], "no key was made that nobody can see"


def test_a_controller_needs_no_output(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stdout", None)
    refused(capsys, 2, "absent.toml", "run", tmp_path / "absent.toml")


def test_a_key_that_nobody_saw_and_that_cannot_be_taken_back_is_said_to_be_stored(
    capsys, monkeypatch, tmp_path
):
    def withdraw(*_):
        raise keys.KeyStoreError("read-only")

    monkeypatch.setattr(keys, "withdraw", withdraw)
    monkeypatch.setattr(sys, "stdout", full())
    refused(
        capsys,
        3,
        "No space.*; the key of site_ems is stored but was shown to nobody: firebreak key revoke",
        "key",
        "create",
        "site_ems",
        "--state-dir",
        tmp_path,
    )
    assert [path.name for path in (tmp_path / "keys").glob("*.key")] == ["site_ems.key"]
