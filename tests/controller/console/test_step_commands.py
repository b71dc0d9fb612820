"""`firebreak test sign` and `step-test` beside a cabinet in virtual time: output, ledger, codes."""

import pytest
from command_line import facts_in, run

from controller.config import configuration
from controller.console import step_test
from controller.journal import snapshot
from controller.run import operator_client, operator_commands, sign_hold
from controller.sites import EXAMPLE
from controller.store import proof_tests, sign_tests, spool
from hil.engine.simulate import VirtualRig
from safety import signals as s

SIGN = """\
unit 1: sign test passed
                  moved, W  expected      +-  verdict
  converter AC       25000     25000       0  agrees
"""
STEP = """\
unit 1: rated 250000 W
  at the converter AC: 10 steps, a new value each 100 ms
"""
PASTE = "dead_time_ms", "ramp_ms"  # measured, or no more than a bound: by the phase of the refresh


class Beside:
    """A cabinet in virtual time that moves on whenever the command waits for a tick."""

    def __init__(self, folder, monkeypatch):
        self.rig = VirtualRig(
            configuration.load(EXAMPLE), lambda t_s: 3e5, 1, (), {"soc": 0.55}, folder / "journal"
        )
        monkeypatch.setattr(step_test, "newest", lambda _: snapshot.read(folder / "journal"))
        monkeypatch.setattr(step_test, "sent", self.sent)
        monkeypatch.setattr(snapshot, "ticks", lambda reader, pause: self.rig.step() or True)

    def sent(self, arguments, ask, *details):
        cabinet = self.rig.controller.cabinet
        if ask is operator_client.step:
            return cabinet.request_step(*details)
        if ask is operator_client.sign:
            return cabinet.request_sign(*details)
        assert ask is operator_client.reach
        return None

    def turn(self, is_run):
        self.rig.plant.key_run = is_run
        return self.rig.run(self.rig.now_us / 1e6 + 1)


@pytest.fixture
def beside(tmp_path, monkeypatch):
    return Beside(tmp_path, monkeypatch)


def test_both_fit_in_one_minute_and_the_ledger_keeps_the_sign(beside, tmp_path, capsys):
    beside.turn(False)
    cabinet, where = beside.rig.controller.cabinet, ("--run-dir", tmp_path, "--state-dir", tmp_path)
    cabinet.sign_held = {1}
    code, out, err = run(capsys, "test sign", *where)
    assert (code, out) == (1, []) and "is not in TEST mode" in err[-1]
    cabinet.request_test()
    beside.turn(True)
    code, out, err = run(capsys, "test sign", "--tester", "A. Tester, NICET II", *where)
    assert code == 0 and "\n".join(out).startswith(SIGN)
    assert "waits for the end of the grid meter's own test" in err[1]
    assert cabinet.sign_held == set(), "a start waits no longer"
    (record,) = [each for each in proof_tests.read(str(tmp_path)).records if each.kind == "sign"]
    assert (record.row, record.result, record.tester) == ("u1", "passed", "A. Tester, NICET II")
    assert record.remark.startswith("devices ") and "; agrees: converter AC, " in record.remark
    code, out, err = run(capsys, "test step", "--run-dir", tmp_path)
    assert code == 0 and "\n".join(out).startswith(STEP) and err[-1].endswith("have begun")
    assert [line for line in out if line.startswith("    dead_time_ms ")][0].endswith("60, fits")
    told = {each.code: each.text for each in spool.Inbox(str(tmp_path), ()).take(5)}
    assert told["STEP"].startswith("step test of unit 1: dead time ")
    for name in PASTE:
        lines = f"    {name} = ", f"    # {name}: at most "
        assert sum([line.startswith(lines) for line in out]) == 1
    code, out, err = run(capsys, "test step", "--json", "--run-dir", tmp_path)
    found = facts_in(out)
    assert code == 0 and found["ended_early"] is None
    assert found["units"][0]["stated"] == {"dead_time_ms": 60, "ramp_ms": 100}
    code, out, err = run(capsys, "test step", "--run-dir", tmp_path)
    assert code == 1 and "TEST mode ended before all steps were done" in err[-1]
    assert out and beside.rig.core.out[s.STATE] != s.RUNNING


def test_what_is_wrong_is_refused_before_a_step(beside, tmp_path, capsys):
    beside.turn(True)
    for words, *argv in (
        ("--unit 2: allowed is a whole number from 1 to 1", "test step", "--unit", "2"),
        ("tester", "test sign", "--tester", "", "--state-dir", tmp_path),
        ("allowed is a name with", "test sign", "--accept", "mail of A. Roe, 2026-03-01"),
        (
            "is a reason",
            "test sign",
            "--tester",
            "A. Roe",
            "--accept",
            "n/a",
            "--state-dir",
            tmp_path,
        ),
        ("there is no such folder", "test sign", "--tester", "x", "--state-dir", tmp_path / "none"),
    ):
        code, out, err = run(capsys, *argv, "--run-dir", tmp_path)
        assert (code, out) == (2, []) and words in err[-1]


def test_a_person_accepts_a_unit_without_a_test_but_no_failure(beside, tmp_path, capsys):
    cabinet, ledger = beside.turn(True).controller.cabinet, proof_tests.Ledger(str(tmp_path))
    cabinet.sign_held, moment = {1}, (1_773_454_051_000_000, "ntp")
    (code,) = sign_hold.codes_of(beside.rig.config)
    words = "test sign", "--tester", "A. Roe", "--accept", "no grid until May, mail of B. Roe"
    where = "--run-dir", tmp_path, "--state-dir", tmp_path
    ledger.sign(moment, "u1", "A. Roe", "failed", sign_tests.remark_of(code, "opposite"))
    code, out, err = run(capsys, *words, *where)
    assert code == 1 and "unit 1 has failed: mend it" in err[-1] and cabinet.sign_held == {1}
    ledger.add(moment, "sign", "u1", "anna", "pcs_1 was replaced")
    code, out, err = run(capsys, *words, *where)
    assert code == 0 and "sign test of unit 1 accepted; hash" in err[-1]
    assert cabinet.sign_held == set()
    record = proof_tests.read(str(tmp_path)).records[-1]
    assert (record.tester, record.result) == ("A. Roe", "accepted") and "May" in record.remark
    assert sign_hold.of_ledger(beside.rig.config, str(tmp_path)) == (set(), [])


def test_a_refusal_of_the_controller_is_no_failed_test(beside, tmp_path, capsys, monkeypatch):
    beside.turn(True)
    proof_tests.Ledger(str(tmp_path)).commission((1_773_454_051_000_000, "ntp"))
    words = "test sign", "--tester", "A. Roe", "--accept", "no grid until May, mail of B. Roe"
    cabinet = beside.rig.controller.cabinet
    monkeypatch.setattr(cabinet, "request_sign", lambda *_: operator_commands.REFUSED_FORM)
    code, out, err = run(capsys, *words, "--run-dir", tmp_path, "--state-dir", tmp_path)
    assert code == 1 and out == [] and "unit 1 is not accepted: " in err[-1]
    assert "failed" not in err[-1]
    assert [record.kind for record in proof_tests.read(str(tmp_path)).records] == ["commissioned"]


def test_the_controller_reads_at_its_start_which_units_hold_a_start(tmp_path):
    config = configuration.load(EXAMPLE)
    line = "a start waits for the sign test of unit 1: `firebreak test sign`"
    assert sign_hold.of_ledger(config, str(tmp_path)) == ({1}, [line])
    (tmp_path / proof_tests.FILE).mkdir()
    held, lines = sign_hold.of_ledger(config, str(tmp_path))
    assert held == {1} and proof_tests.FILE in lines[0] and lines[1] == line


def test_it_is_due_again_with_other_devices_and_after_a_failed_record(tmp_path):
    config = configuration.load(EXAMPLE)
    devices = [(each.name, each.role, each.index) for each in config.devices]
    crcs = {f"device {name}": 1 for name, *_ in devices}
    (code,) = sign_tests.codes(config.safety_image, crcs, devices)
    ledger, moment = proof_tests.Ledger(str(tmp_path)), (1_773_454_051_000_000, "ntp")

    def state(own=code):
        return sign_tests.units([own], proof_tests.read(str(tmp_path)).records)[0]["state"]

    assert state() == "never done"
    ledger.sign(moment, "u1", "A. Tester", "passed", sign_tests.remark_of(code, "agrees"))
    assert state() == "passed" and sign_tests.summary([{"unit": 1, "state": state()}]) == ""
    for name in ("pcs_1", "bms_2", "meter_grid"):
        (other,) = sign_tests.codes(config.safety_image, {**crcs, f"device {name}": 2}, devices)
        assert state(other) == "of other devices"
    (same,) = sign_tests.codes(config.safety_image, {**crcs, "device io_1": 2}, devices)
    assert state(same) == "passed"
    ledger.sign(moment, "u1", "A. Tester", "failed", sign_tests.remark_of(code, "replaced"))
    assert state() == "failed"
    path = tmp_path / proof_tests.FILE
    whole = path.read_bytes()
    for older in (whole[: whole[:-1].rindex(b"\n") + 1], b"", whole.replace(b"failed", b"passed")):
        path.write_bytes(older)
        assert state() == "never done", "the missing record may say anything"
    path.write_bytes(whole)
    assert sign_tests.summary([{"unit": 1, "state": state()}]) == "sign test of unit 1"
