"""Commands about the folder of a cabinet's state, without a controller (folder.txt)."""

import os
from dataclasses import replace

import pytest
from command_line import cheapen_passwords, run
from site_files import SiteFiles

from controller import __main__ as program
from controller.config import configuration, proof_plan
from controller.console import proof_test, users
from controller.hints import keys
from controller.sites import EXAMPLE
from controller.store import proof_tests, two_copies
from controller.store.stored_record import Record
from controller.system import sockets
from hil.engine.run_directory import approved
from tests.transcript import by_word, each_part, terminal

SENDERS = {
    "firebreak": {0: "firebreak", 1: "firebreak-upstream", 2: "anna", 3: "bert"},
    "firebreak-hints": {3: "bert"},
}

NOW_US = 1_773_454_051_000_000  # 2026-03-14 02:07:31
LEDGER = "--site SITE --run-dir TMP --state-dir TMP/state"
TEST = f"--tester 'J. Doe' --reaction-ms 120 {LEDGER} --result"
NAMES = {"TEST": TEST, "LEDGER": LEDGER, "SITE": EXAMPLE}


class Folder:
    """A state folder, and what a line of folder.txt does to it."""

    def __init__(self, place, monkeypatch):
        self.place, self.files, self._monkeypatch = place, SiteFiles(place / "files"), monkeypatch
        (place / "state").mkdir()
        self._store = two_copies.Store(str(place / "state"))

    @property
    def head(self):
        """The newest hash of the ledger."""
        return proof_tests.read(str(self.place / "state")).head

    def kept(self):
        """A state folder as 0.1 left it: its store has no field of an approval."""
        self._store.save(Record(latches={"29.rack1": 1}, locked_out="anna"))
        keys.create(str(self.place / "state"), "site_ems")
        users.add(str(self.place / "state"), "anna", "a-long-password-1")

    def approved(self):
        record = approved(configuration.load(EXAMPLE))
        self._store.save(replace(record, path_delay=("0badcafe", 182)))

    def write(self, name, *words):
        (self.place / "state" / name).write_text("".join(f"{word}\n" for word in words))

    def open(self, name):
        (self.place / "state" / name).chmod(0o644)

    def senders(self):
        self._monkeypatch.setattr(sockets, "members", SENDERS.__getitem__)

    def say(self, layer, key, value):
        self.files.say(layer, key, value)

    def rename(self, layer, old, new):
        self.files.replace(layer, old, new)

    def clock(self, later_s, source="ntp"):
        moment = NOW_US + int(later_s) * 1_000_000 if later_s != "none" else 0, source
        self._monkeypatch.setattr(proof_test.utc, "moment", lambda: moment)

    def every_row(self):
        """A passed test of every row, in the ledger."""
        ledger = proof_tests.Ledger(str(self.place / "state"))
        for row in proof_plan.plan(configuration.load(EXAMPLE)):
            ledger.test((NOW_US, "ntp"), row, "A", 1, "passed")

    def slow(self, row):
        """A passed test that was not slow by the configuration of its time."""
        ledger = proof_tests.Ledger(str(self.place / "state"))
        ledger.test((NOW_US, "ntp"), row, "A", 10**6, "passed")

    def shorten(self, name):
        """Remove the last line: a chain does not know what came after it."""
        path = self.place / "state" / name
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))

    def change(self, name, old, new):
        path = self.place / "state" / name
        path.write_text(path.read_text().replace(old, new, 1))

    def contents(self):
        paths = [path for path in (self.place / "state").rglob("*") if path.is_file()]
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    cheapen_passwords(monkeypatch)
    return Folder(tmp_path, monkeypatch)


STEPS = "kept approved write open senders say rename clock every_row slow shorten change".split()


@each_part(__file__, "folder.txt")
def test_a_folder(folder, capsys, part):
    run_in = terminal(capsys, program.main, {"TMP": folder.place})

    def command(*words):
        before = folder.contents()
        found = run_in(*[folder.head if word == "HEAD" else word for word in words])
        is_made = not found[0].isdigit() and words[0] != "migrate"
        is_made |= "record" in words  # a first test makes the ledger
        assert is_made or folder.contents() == before, "nothing changes"
        return found

    steps = {name: getattr(folder, name) for name in STEPS}
    part.play(by_word({"$": command, **steps}, {**NAMES, "TMP": folder.place}))


@pytest.mark.needs("root")
def test_a_file_of_another_user_is_named_and_kept(tmp_path, capsys):
    keys.create(str(tmp_path), "site_ems")
    path = tmp_path / "keys" / "site_ems.key"
    os.chown(path, 1, 1)
    _, lines, _ = run(capsys, "box migrate", EXAMPLE, "--state-dir", tmp_path)
    assert any("site_ems.key: belongs to another user" in line for line in lines)
    assert path.stat().st_uid == 1
