"""`firebreak replace` on the journal of a cabinet in virtual time: start, interruption, end."""

import contextlib

import pytest
from command_line import answered, facts_in, flat, refused, run
from watched import CONFIG, SECOND_US, Watched, check

from controller.config import configuration, proof_plan
from controller.console import person, replace
from controller.console.replace_steps import KINDS
from controller.run import link_statistics, operator_client, operator_commands
from controller.sites import FOLDER as SITES
from controller.state import links, watch
from controller.store import proof_state, proof_tests as pt
from controller.system import utc
from tests.tables import cases

METER = "meter meter_grid"
DUE_OF_METER = ["50b", "50c", "50d", "57", "57a"]


class Box:
    """A running cabinet, the command `replace` at it, and the ledger."""

    def __init__(self, capsys, folder, monkeypatch):
        self.capsys, self.watched = capsys, Watched(folder).run(3)
        self.serial, self.locked = "A1", []
        monkeypatch.setattr(watch.Watch.update, "__defaults__", (self.watched.rig.step,))
        monkeypatch.setattr(operator_client, "lock_out", self.lock_out)
        answered(monkeypatch, operator_client, "reach", None)
        sign = lambda _, *given: self.cabinet.request_sign(*given)  # noqa: E731
        monkeypatch.setattr(operator_client, "sign", sign)
        answered(monkeypatch, person, "prove", None)
        monkeypatch.setattr(link_statistics, "read", lambda _: {"serials": self.serials()})

    def serials(self):
        return {("meter_grid", 1): self.serial}

    def lock_out(self, _, name, is_locked):
        self.locked.append((name, is_locked))
        answer = self.cabinet.request_lock_out(name, is_locked)
        self.later(1)
        return answer or operator_commands.ACCEPTED

    @property
    def cabinet(self):
        return self.watched.rig.controller.cabinet

    def later(self, duration_s):
        return self.watched.run(self.watched.rig.now_us / SECOND_US + duration_s)

    def stop(self):
        self.cabinet.request_run(False)
        self.later(8)
        return self

    def where(self):
        return "--run-dir", self.watched.folder, "--state-dir", self.watched.state

    def ask(self, words):
        return run(self.capsys, f"replace {words}", *self.where())

    def refuse(self, code, text, words):
        refused(self.capsys, code, text, f"replace {words}", *self.where())

    def known(self, words=METER):
        return facts_in(self.ask(f"{words} --json")[1])

    def states(self):
        found = pt.read(self.watched.state)
        # a clock that is not steered: the day is that of the newest record
        rows = proof_state.rows(proof_plan.plan(CONFIG), found.records, (0, "rtc"))
        return {row["row"]: proof_state.words(row) for row in rows}


@pytest.fixture
def box(capsys, tmp_path, monkeypatch):
    return Box(capsys, tmp_path, monkeypatch)


def test_a_meter_is_replaced_in_two_steps_and_its_tests_are_due_again(box):
    box.refuse(1, "cabinet is closing: `firebreak stop`, wait", f"{METER} --by anna")
    assert box.stop().locked == [] and not pt.read(box.watched.state).records
    code, page, _ = box.ask(f"{METER} --by anna")
    assert (code, box.locked) == (1, [("anna", True)]) and box.known()["locked_out_by"] == "anna"
    check(page[:20], "replace")
    box.refuse(1, "still has the serial number A1: exchange it", f"{METER} --by anna")
    box.serial = "B2"
    code, out, _ = box.ask(f"{METER} --by anna")
    assert code == 0 and box.locked[1:] == [("anna", False)]
    assert box.cabinet.sign_held == {1} and box.cabinet.request_run(True) == 120
    assert out[0] == (
        "meter_grid: firebreak_fast_meter.toml, serial A1 -> firebreak_fast_meter.toml, serial B2"
    )
    assert (
        out[1]
        == f"due again: {', '.join(DUE_OF_METER)}, sign of unit 1 (firebreak test proof list)"
    )
    due = {row: words for row, words in box.states().items() if words.startswith("due again")}
    assert due == dict.fromkeys(DUE_OF_METER, "due again, meter_grid was replaced")
    assert box.known()["open"] is None and box.known()["serial_before"] == "B2"
    ledger = pt.Ledger(box.watched.state)
    record = ledger.test(utc.moment(), "57", "A", 5, "passed")
    assert record.row == "57" and box.states()["57"] == "ok"


def test_an_interrupted_replacement_is_shown_and_keeps_the_cabinet_locked_out(box):
    box.stop().ask(f"{METER} --by anna")
    controller = box.watched.rig.controller
    words = box.known()["open"]
    assert words.startswith("replacement of meter_grid open since ") and words.endswith("by anna")
    assert words in flat(box.watched.lines("alarms"))
    facts = box.watched.facts("status")
    assert facts["proof_tests"]["replacing"] == [words] and facts["locked_out_by"] == "anna"
    assert "meter_grid is being replaced" in box.watched.text("status")
    controller.kill()
    controller.start()
    assert controller.store.record.locked_out == "anna"


def test_two_replacements_share_a_lock_out_that_ends_with_the_last(box):
    box.stop().ask(f"{METER} --by anna")
    box.ask("io io_1 --by anna")
    box.serial = "B2"
    code, out, _ = box.ask(f"{METER} --by anna")
    assert code == 0 and out[-1] == "the lock-out by anna stays: io_1 is being replaced too"
    assert box.known()["locked_out_by"] == "anna"
    code, out, _ = box.ask("io io_1 --by anna --serial K7")
    assert code == 0 and box.locked == [("anna", True), ("anna", False)]
    assert box.cabinet.sign_held == {1}, "no sign rests on io_1"


@contextlib.contextmanager
def interrupted(monkeypatch, at):
    """Ctrl-C at the so-manieth effect of a command: a record, a command to the controller."""
    left = [at]

    def counted(effect):
        def effected(*given):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return effect(*given)

        return effected

    with monkeypatch.context() as patch:
        patch.setattr(replace, "_note", counted(replace._note))
        patch.setattr(operator_client, "sign", counted(operator_client.sign))
        patch.setattr(operator_client, "lock_out", counted(operator_client.lock_out))
        yield


def test_an_interruption_at_each_step_forgets_nothing(box, monkeypatch):
    """What a kill or a power cut leaves is the same: nothing is done after an interruption."""
    box.stop()
    for at in (1, 2):
        with interrupted(monkeypatch, at):
            assert box.ask(f"{METER} --by anna")[::2] == (130, ["firebreak: interrupted"])
        assert box.known()["open"] is None and len(box.locked) == at - 1
    assert box.known()["locked_out_by"] == "anna" and box.ask(f"{METER} --by anna")[0] == 1
    box.serial = "B2"
    for at in (1, 6, 7, 8):  # of five tests, the hold of a start, the sign, the end
        with interrupted(monkeypatch, at):
            assert box.ask(f"{METER} --by anna")[::2] == (130, ["firebreak: interrupted"])
        known = box.known()
        assert known["open"] and known["locked_out_by"] == "anna"
        assert (at < 7) == (not box.cabinet.sign_held)
    code, out, _ = box.ask(f"{METER} --by anna")
    assert code == 0 and out[-1] == "the lock-out by anna stays: firebreak lock-out anna --end"
    due = {row for row, words in box.states().items() if words.startswith("due again")}
    assert due == {*DUE_OF_METER} and box.cabinet.sign_held == {1}


def test_a_cancel_after_the_exchange_is_refused_and_so_is_a_hold_that_is(box, monkeypatch):
    box.stop().ask(f"{METER} --by anna")
    box.serial = "B2"
    box.refuse(1, "has the serial number B2, before A1: it is exch", f"{METER} --by anna --cancel")
    answered(monkeypatch, operator_client, "sign", operator_commands.REFUSED_FORM)
    box.refuse(1, "sign test of unit 1: .*; the replacement stays open", f"{METER} --by anna")
    assert box.known()["open"] and not box.cabinet.sign_held


def test_a_ledger_that_this_user_may_not_write_begins_no_lock_out(box, monkeypatch):
    refusal = pt.NotWrittenError("proof_tests.jsonl: nothing is recorded: Permission denied")
    answered(monkeypatch, pt.Ledger, "commission", refusal)
    box.stop().refuse(3, "nothing is recorded: Permission denied", f"{METER} --by anna")
    assert box.locked == []


def test_what_changes_while_a_person_types_the_password_counts(box, monkeypatch):
    monkeypatch.setattr(person, "prove", lambda *_: box.cabinet.request_run(True) or box.later(2))
    box.stop().cabinet.sign_held.clear()
    box.refuse(1, "cabinet is closing", f"{METER} --by anna")
    assert box.locked == []
    monkeypatch.setattr(person, "prove", lambda *_: box.lock_out(0, "bert", True))
    box.stop().refuse(1, "bert has locked it out: bert ends", f"{METER} --by anna")


@cases("""
    serial  state  more  words
    ""  "ok"  ""  "reports no serial number: add --serial TEXT"
    "B2"  "LATE"  ""  "is LATE: supply, bus meter_grid, RTU .*, unit_id 1; see"
    "B2"  "ok"  "--serial C3"  "meter_grid reports B2: correct"
""")
def test_the_exchange_ends_only_with_a_known_device_that_answers(
    box, monkeypatch, serial, state, more, words
):
    box.stop().ask(f"{METER} --by anna")
    box.serial = serial
    whole = links._device
    monkeypatch.setattr(links, "_device", lambda *given: {**whole(*given), "state": state})
    box.refuse(2 if more else 1, words, f"{METER} --by anna {more}")
    assert box.known()["open"] and len(box.locked) == 1


def test_it_ends_only_with_an_approved_configuration(box, monkeypatch):
    box.stop().ask(f"{METER} --by anna")
    box.serial = "B2"
    whole = watch.Watch.facts

    def unapproved(seen, *given):
        seen.shadow.inp[links.s.IMAGE_APPROVED_OK] = 0
        return whole(seen, *given)

    monkeypatch.setattr(watch.Watch, "facts", unapproved)
    box.refuse(1, "has changed: `firebreak check`, then `firebreak approve`", f"{METER} --by anna")


def test_the_old_device_may_stay_and_another_person_may_end_it(box):
    box.stop().ask(f"{METER} --by anna")
    code, out, _ = box.ask(f"{METER} --by bert --cancel")
    assert (code, out[1:]) == (0, ["the lock-out by anna stays: firebreak lock-out anna --end"])
    assert box.known()["open"] is None and "50c" in box.states()
    assert not any(words.startswith("due again") for words in box.states().values())
    assert box.known()["locked_out_by"] == "anna" and box.locked == [("anna", True)]
    box.refuse(1, "anna has locked it out: anna ends that first", f"{METER} --by bert")
    for option in ("--cancel", "--by anna --cancel", "--by anna --serial B2"):
        box.refuse(1, "no replacement is open", f"{METER} {option}")


@cases(r"""
    words  code  line
    "meter"  2  "no device is named; allowed meter_grid, meter_load"
    "meter pcs_1"  2  "pcs_1.*; allowed meter_grid, meter_load"
    "meter meter_grid --serial \xe4"  2  "allowed is 1 to 32 ASCII characters"
""")
def test_a_wrong_device_or_serial_gets_one_line(box, words, code, line):
    box.refuse(code, line, words)


def test_a_relay_module_needs_its_contacts_its_outputs_and_their_expiry(box):
    assert box.known("io io_1")["tests"] == ["1", "1c", "2", "3", "12b", "15", "44w", "47", "48"]
    assert {"54", "50d"} <= {*box.known("pcs")["tests"]} and "36" in box.known("bms bms_2")["tests"]


@pytest.mark.parametrize("site", ["example", "pv_genset", "pylontech", "three_units"])
def test_every_device_of_the_kinds_has_tests_in_every_shipped_cabinet(site):
    found = configuration.load(SITES / site / "cabinet.toml")
    tests, roles = (
        proof_plan.resting(found),
        [role for kind in KINDS.values() for role in kind.roles],
    )
    assert [
        each.name for each in found.devices if each.role in roles and not tests[each.name]
    ] == []


@cases("""
    device  units
    "pcs_2"  ["u2"] | "bms_4"  ["u2"] | "meter_grid"  ["u1", "u2", "u3"]
""")
def test_a_part_of_one_unit_holds_that_unit_alone(device, units):
    tests = proof_plan.resting(configuration.load(SITES / "three_units" / "cabinet.toml"))[device]
    assert [key for key in tests if key.startswith("u")] == units
