"""The direction of every place that writes a file, played on disks that refuse and lose power.

An act that makes safer comes before its record, so no disk decides about it. An act that releases,
raises or lends comes after its record. The places are those of test_writers.py, found in the syntax
tree: a place without a direction fails, and so does a direction that nobody plays or exempts.
"""

import errno
import itertools
import os
from argparse import Namespace
from dataclasses import replace
from types import SimpleNamespace

import pytest
from power_loss import PowerCut
from test_writers import PLACES, found_and_listed

from controller.console import key, step_test, users
from controller.core.base import standby
from controller.dispatch import epoch_file
from controller.hints import keys
from controller.recorder import proof_watch
from controller.run import operator_client, operator_commands as oc, sign_request
from controller.run.record_feed import _standby_reason
from controller.store import proof_lines as pl, proof_tests, replacements, sign_tests, two_copies
from controller.store.stored_record import AWAKE, Record, StoreError
from controller.system import cli, utc
from tests.exemptions import Exempt, same

# The functions of each file. BOTH: the same file has records of both directions.
DIRECTIONS = {
    "safer": """
        console/users.py remove
        hints/keys.py _remove revoke withdraw
        store/two_copies.py _leave_one mark_failed unmark_saved
        systemd/rollback.py _remember _try_configuration
        systemd/trial.py _note _end
    """,
    "releases": """
        console/users.py add
        store/joining.py begin_ramp
        hints/keys.py create rotate _write_new
        systemd/box_tree.py link put remove
        systemd/signed_bundle.py _signer _unpacked
    """,
    "both": """
        console/login.py _change
        store/durable.py put
        store/proof_tests.py _append _add _opened
        store/two_copies.py save
    """,
    # what has been, or what a person asks for on paper: no permit, power or right follows from it
    "record": """
        console/backup.py _backup _put
        console/backup_file.py packed
        console/login.py give_back take
        console/provision.py _fill _make_folder _provision
        console/terminal/actions.py acknowledge
        doors/alarms/outbox.py _write
        journal/writer.py _take_room
        planner/books.py add
        recorder/capture.py _begin _put _rename adopt drop_oldest finish
        recorder/csv_files.py write_whole
        recorder/database.py _close_to_others _open
        recorder/fast.py _append _begin _drop_oldest
        recorder/head.py publish
        recorder/quarters.py _publish
        recorder/rescue.py _remove begin_anew put_aside settle
        recorder/room.py give_up lay
        state/plan_file.py written
        store/spool.py _read put settle
        store/trips.py append
        system/cli.py write
        system/regular_file.py mapped
        systemd/flash_mcu.py lay_out main
        systemd/make_bundle.py main packed signed
        watch/load_files.py _put
        watch/telemetry.py _add
        workbench/profile.py _new
        workbench/sniff.py _sniff
    """,
}
TRIAL = Exempt(
    "a trial on a full disk stays, although its release may be worse",
    "tests/controller/systemd/test_trial.py::test_a_power_cut_at_any_step_leaves_one_whole_release",
)
BOX_TREE = Exempt(
    "the release before stays",
    "tests/controller/systemd/test_trial.py::test_a_power_cut_at_any_step_leaves_one_whole_release",
)
BUNDLE = Exempt(
    "nothing is installed",
    "tests/controller/systemd/test_signed_bundle.py::test_a_bundle_that_is_cut_anywhere_is_refused",
)
ROLLBACK = Exempt(
    "the way back lacks its way forward, or is refused",
    "tests/controller/systemd/test_rollback.py"
    "::test_after_a_power_cut_at_any_step_the_same_command_goes_on",
)
NOT_PLAYED = {
    "console/login.py _change": Exempt(
        "a person with a right password is refused; the key switch needs no count",
        "tests/controller/console/test_terminal_users.py"
        "::test_the_run_directory_counts_while_the_disk_takes_nothing",
    ),
    "console/users.py remove": Exempt(
        "a person whose removal a disk refuses can still log in, and the command says so",
        "tests/controller/console/test_terminal_users.py"
        "::test_a_user_whom_the_disk_does_not_remove_is_named_and_still_logs_in",
    ),
    "store/two_copies.py unmark_saved": Exempt(
        "a record that waits counts as stored after a kill, until the mark is removed",
        "tests/controller/run/test_store_watch.py"
        "::test_a_proof_that_the_directory_keeps_is_removed_in_a_later_tick",
    ),
    "store/joining.py begin_ramp": Exempt(
        "a cabinet joins or leaves later, after a second try",
        "tests/controller/console/test_join_command.py"
        "::test_the_last_step_begins_the_ramp_before_its_record",
    ),
    **same(ROLLBACK, "systemd/rollback.py _remember", "systemd/rollback.py _try_configuration"),
    **same(TRIAL, "systemd/trial.py _note", "systemd/trial.py _end"),
    **same(BOX_TREE, *[f"systemd/box_tree.py {name}" for name in ("link", "put", "remove")]),
    **same(BUNDLE, "systemd/signed_bundle.py _signer", "systemd/signed_bundle.py _unpacked"),
}


def _listed(table):
    return [
        f"{path} {name}"
        for path, *names in map(str.split, table.strip().splitlines())
        for name in names
    ]


def test_every_place_that_writes_has_one_direction_and_each_is_played_or_exempted():
    """A process that does not start without its file, and a reader, decide about nothing."""
    found, _ = found_and_listed()
    given = [place for table in DIRECTIONS.values() for place in _listed(table)]
    kept = {*_listed(PLACES["start"]), *_listed(PLACES["reads"])}
    assert len(given) == len({*given}) and {*given} == found - kept, {*given} ^ (found - kept)
    played = {place for _, places in PLAYS.values() for place in places}
    assert not played & {*NOT_PLAYED}
    assert played | {*NOT_PLAYED} == {*given} - {*_listed(DIRECTIONS["record"])}


# -- disks

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CALLS = "write pwrite fsync replace rename unlink link mkdir ftruncate posix_fallocate".split()
ROOM = {"open", "write", "pwrite", "mkdir", "link", "posix_fallocate"}
KINDS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "broken": errno.EIO, "cut": None}


class Disk:
    """Refuses, or loses power, from its n-th call that changes something on. `was`:
    None: it took all; else how it ended.
    """

    def __init__(self, patch, kind, last):
        self._kind, self._left, self.was = kind, last, None
        self._open = os.open
        patch.setattr(os, "open", self.opens)
        for name in CALLS:
            patch.setattr(os, name, self._of(name, getattr(os, name)))

    def opens(self, path, flags, *mode, **place):
        if flags & WRITING:
            self._count("open", path)
        return self._open(path, flags, *mode, **place)

    def _of(self, name, real):
        def call(*given, **more):
            self._count(name, given[0])
            return None if name == "fsync" else real(*given, **more)

        return call

    def _count(self, name, path):
        self._left -= 1
        if self._left >= 0 or self._kind == "full" and name not in ROOM:
            return
        self.was = self._kind
        if self._kind == "cut":
            raise PowerCut
        raise OSError(KINDS[self._kind], os.strerror(KINDS[self._kind]), str(path))


# -- plays: each returns (the act, a function that says of its end whether it was right)

NOW, CODE, NAME = utc.moment(), "AAAA", "N. N."
RUNNING = Record(armed=1, clean=0, cabinets=("c",))
OPEN = replace(RUNNING, armed=0)  # asked to run, but something keeps it open


def _starts(folder, run, was):
    """Standby of the next start. The run directory is no disk: a cut of the power empties it, and
    store_watch.py marks in it that the store has failed.
    """
    if was == "cut":
        for each in run.iterdir():
            each.unlink()
    elif was:
        assert two_copies.mark_failed(str(run), True)
    loaded = two_copies.of_run(two_copies.Store(str(folder)).load(), str(run))
    record = loaded.record or Record()
    return _standby_reason(loaded.state, record, True)


def _saved(folder, before, after):
    """(the act that saves `after` over `before`, the run directory)."""
    run, store = folder / "run", two_copies.Store(str(folder))
    run.mkdir()
    store.load()
    for _ in range(2):
        store.save(before)
    two_copies.mark_failed(str(run), False)
    return lambda: store.save(after), run


def _lock_out(before):
    after = replace(before, armed=0, clean=1, rest=(standby.LOCK_OUT, "anna"), locked_out="anna")

    def play(folder):
        act, run = _saved(folder, before, after)
        return act, lambda was: _starts(folder, run, was) != AWAKE

    return play


def start(folder):
    """A start that was refused is not in force later; a cut may leave it."""
    act, run = _saved(folder, replace(OPEN, clean=1, rest=(standby.PERSON, "")), OPEN)
    return act, lambda was: was in (None, "cut") or _starts(folder, run, was) != AWAKE


def marked(folder):
    """The proof goes before the mark comes. It stays only if nothing can be changed at all."""
    _, run = _saved(folder, RUNNING, RUNNING)
    failed, saved = [run / name for name in (two_copies.FAILED_NAME, two_copies.SAVED_NAME)]
    return (
        lambda: two_copies.mark_failed(str(run), True),
        lambda was: not saved.exists() or was and not failed.exists(),
    )


class Asked(list):
    """What the controller was asked for; the ledger at that moment."""

    def __init__(self, folder):
        super().__init__()
        self._folder = str(folder)

    def sent(self, arguments, ask, *given):
        self.append((*given, self.held()))
        return oc.ACCEPTED

    def held(self):
        return sign_tests.held(sign_tests.units([CODE], proof_tests.read(self._folder).records))


def _sign(folder, before, after, patch):
    ledger, asked = proof_tests.Ledger(str(folder)), Asked(folder)
    ledger.sign(NOW, "u1", NAME, before, sign_tests.remark_of(CODE, "x"))
    patch.setattr(step_test, "sent", asked.sent)
    patch.setattr(step_test, "note_hash", lambda *_: None)
    patch.setattr(step_test, "ledger_facts", SimpleNamespace(codes=lambda header: [CODE]))
    patch.setattr(step_test, "step_words", SimpleNamespace(remark=lambda each: "x"))
    arguments = Namespace(state_dir=str(folder), run_dir=str(folder), tester=NAME, unit=None)
    seen = SimpleNamespace(reader=SimpleNamespace(header={}))
    return asked, lambda: step_test._record(arguments, seen, [{"result": after, "unit": 1}])


def failed_sign(folder, patch):
    asked, act = _sign(folder, pl.PASSED, pl.FAILED, patch)
    return act, lambda was: [each[:2] for each in asked] == [(1, sign_request.FAILED)]


def passed_sign(folder, patch):
    asked, act = _sign(folder, pl.FAILED, pl.PASSED, patch)
    return act, lambda was: asked == [(1, sign_request.OVER, [])][: len(asked)] and (was or asked)


def other_serial(folder, patch):
    """Two converters at once: the record of the first keeps no hold of the second back."""
    ledger, held = proof_tests.Ledger(str(folder)), []
    for name in ("pcs_1", "pcs_2"):
        ledger.add(NOW, pl.SERIAL, name, "recorder", replacements.identity("p", "S1"))
    places = {f"pcs_{unit}": {"tests": [f"u{unit}"], "profile": "p"} for unit in (1, 2)}
    watch = proof_watch.ProofWatch(str(folder))
    patch.setattr(watch, "_serials", lambda header: {"pcs_1": "S2", "pcs_2": "S2"})
    patch.setattr(watch, "_hold", held.append)
    found = proof_tests.read(str(folder))
    act = lambda: watch._swapped(NOW[:2], {"places": places}, found)  # noqa: E731
    return act, lambda was: held == [1, 2]


def _key(action, folder, patch):
    told, names = [], lambda: keys.names(str(folder))
    patch.setattr(operator_client, "change_key", lambda *given: told.append(names()) or oc.ACCEPTED)
    arguments = Namespace(action=action, name="ems", state_dir=str(folder), run_dir=str(folder))
    return told, lambda: key._change(arguments)


def revoked(folder, patch):
    keys.create(str(folder), "ems")
    told, act = _key("revoke", folder, patch)
    return act, lambda was: told == [["ems"]]


def created(folder, patch):
    told, act = _key("create", folder, patch)
    return act, lambda was: told == [["ems"]][: len(told)] and (was or told)


def rotated(folder, patch):
    old = keys.create(str(folder), "ems")
    told, act = _key("rotate", folder, patch)
    path = folder / keys.DIRECTORY / "ems.key"
    return act, lambda was: not told or path.read_text() != old.hex() + "\n"


def unshown(folder, patch):
    """A key that was never shown is told to nobody, so a disk that keeps it allows nothing."""
    keys.create(str(folder), "ems")
    told, _ = _key("create", folder, patch)
    return lambda: keys.withdraw(str(folder), "ems"), lambda was: told == []


def user(folder, patch):
    words = "correct horse battery"
    act = lambda: users.add(str(folder), "anna", words)  # noqa: E731
    is_in = lambda: users.is_right(str(folder), "anna", words)  # noqa: E731
    return act, lambda was: bool(was) != is_in() or was == "cut"


def epoch(folder, patch):
    """What was not stored is not used."""
    path, used = str(folder / "epoch"), []

    def act():
        used.append(epoch_file.take(path, epoch_file.read(path), True))

    return act, lambda was: used == [epoch_file.read(path).epoch][: len(used)]


STORE = ("store/two_copies.py save", "store/two_copies.py _leave_one", "store/durable.py put")
LEDGER = tuple(f"store/proof_tests.py {name}" for name in ("_append", "_add", "_opened"))
WRITE_NEW = "hints/keys.py _write_new"
# {name: (play, places)}
PLAYS = {
    "lock-out while it runs": (_lock_out(RUNNING), STORE),
    "lock-out while it is open": (_lock_out(OPEN), STORE),
    "start": (start, STORE),
    "mark of a failed store": (marked, ("store/two_copies.py mark_failed",)),
    "failed sign test": (failed_sign, LEDGER),
    "passed sign test": (passed_sign, LEDGER),
    "other serial number": (other_serial, LEDGER),
    "key revoked": (revoked, ("hints/keys.py revoke", "hints/keys.py _remove")),
    "key made": (created, ("hints/keys.py create", WRITE_NEW)),
    "key replaced": (rotated, ("hints/keys.py rotate", WRITE_NEW)),
    "key never shown": (unshown, ("hints/keys.py withdraw",)),
    "new user": (user, ("console/users.py add",)),
    "epoch of a dispatcher": (epoch, ("store/durable.py put",)),
}
ENDS = OSError, StoreError, cli.Ended, keys.KeyStoreError, PowerCut


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PLAYS)
def test_what_makes_safer_acts_first_and_what_releases_is_stored_first(
    name, kind, tmp_path, monkeypatch
):
    play, _ = PLAYS[name]
    for last in itertools.count():
        (folder := tmp_path / str(last)).mkdir()
        with monkeypatch.context() as patch:
            given = (folder, patch) if "patch" in play.__code__.co_varnames else (folder,)
            act, is_right = play(*given)
            with monkeypatch.context() as broken:
                disk = Disk(broken, kind, last)
                try:
                    act()
                except (*ENDS, users.UserError, epoch_file.Refused, proof_tests.LedgerError):
                    pass
            assert is_right(disk.was), (last, disk.was)
        if disk.was is None:
            break
    assert last > 0, "nothing was written"
