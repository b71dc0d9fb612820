"""`firebreak replace meter | pcs | bms | io`: guides a person who replaces a device. The cabinet is
locked out meanwhile.

Without `--by` the command only shows the device. The first call with `--by NAME` begins the
exchange: it locks the cabinet out and notes the old device. The next call ends the exchange if the
new device answers. It then marks the proof tests that are due again, notes the new device and ends
the lock-out. An interruption between the two calls loses nothing, because the proof-test ledger
keeps the exchange, and the stored lock-out keeps the contactors open.

Exit codes: 0 done, or no exchange is open; 1 an exchange is open, or a step is refused; 2 wrong
input; 3 no controller, or the ledger cannot be read or written.
"""

import re
import sys
from argparse import Namespace
from typing import NamedTuple

from controller.console import operator, person
from controller.console.replace_page import lines, tests_in_words
from controller.console.replace_steps import KINDS
from controller.run import answer_words, operator_client, operator_commands, sign_request
from controller.state import base, contacts, watch
from controller.state.base import Facts
from controller.store import proof_lines as pl, proof_tests, replacements, sign_tests
from controller.store.proof_tests import LedgerError
from controller.system import cli, utc
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, quoted
from safety import signals as s

BEGAN = "locked out for it; "  # start of a remark, if the exchange has begun the lock-out
SERIAL_TEXT = re.compile(rf"[!-~]{{1,{replacements.SERIAL_CHARACTERS_MAX}}}")


class Case(NamedTuple):
    """The replacement of one device. facts: what the command shows. records: the whole ledger."""

    facts: Facts
    records: tuple[pl.Record, ...]

    @property
    def device(self) -> str:
        """Name of the device."""
        return str(self.facts["device"])

    @property
    def begun(self) -> pl.Record | None:
        """The record of the open exchange."""
        return replacements.open_of(self.records).get(self.device)

    @property
    def others(self) -> list[pl.Record]:
        """The records of open exchanges of other devices."""
        open_records = replacements.open_of(self.records)
        return [record for name, record in open_records.items() if name != self.device]


@cli.command(
    "replace",
    cli.option("kind", choices=tuple(KINDS)),
    cli.option("device", nargs="?", help="its name in the configuration, if there are several"),
    cli.option("--by", metavar="NAME", help="your name: do the next step; without it: only show"),
    cli.option("--serial", metavar="TEXT", help="on the plate of the new device"),
    cli.option("--cancel", action="store_true", help="the old device stays: end without exchange"),
    cli.option("--json", action="store_true", help="what is known of the device, as JSON"),
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _replace(arguments: Namespace) -> int:
    if arguments.serial is not None and not SERIAL_TEXT.fullmatch(arguments.serial):
        allowed = f"1 to {replacements.SERIAL_CHARACTERS_MAX} ASCII characters without blanks"
        raise cli.Ended(WRONG_INPUT, f"--serial {quoted(arguments.serial)}: allowed is {allowed}")
    case = _case(arguments)
    if arguments.cancel and not case.begun and not arguments.json:
        raise cli.Ended(NOT_DONE, f"{case.device}: no replacement is open, so none to cancel")
    if arguments.by and not arguments.json:
        operator.prove(arguments, arguments.by)
        arguments.device = case.device
        case = _case(arguments)  # read again: it may have changed while the person typed
        with cli.ends(NO_START, LedgerError, OSError, at=arguments.state_dir):
            return (_end if case.begun else _begin)(arguments, case)
    cli.show(arguments.json, case.facts, lambda: lines(case.facts))
    return NOT_DONE if case.begun else DONE


# -- what is known


def _case(arguments: Namespace) -> Case:
    with watch.first_look(arguments) as seen:
        links = seen.facts("links")["devices"]
    with cli.ends(NO_START, OSError, at=proof_tests.path_of(arguments.state_dir)):
        records = proof_tests.read(arguments.state_dir).records
    shadow = seen.shadow
    links = [link for link in links if link["role"] in KINDS[arguments.kind].roles]
    link = _chosen(arguments, links)
    facts = _facts(arguments.kind, link, shadow.reader.header, records) | {
        "cabinet_state": s.STATES[shadow.out[s.STATE]],
        "is_open": contacts.is_open(shadow),
        "locked_out_by": base.locked_out_by(shadow),
        "is_approved": bool(shadow.inp[s.IMAGE_APPROVED_OK]),
        "is_live": seen.is_live,
    }
    shadow.close()
    return Case(facts, records)


def _chosen(arguments: Namespace, devices: list[Facts]) -> Facts:
    """The facts of the device that the person names, as an argument or as an answer."""
    names = [device["device"] for device in devices]
    name = arguments.device or (names[0] if len(names) == 1 else "")
    if not name and names and sys.stdin is not None and sys.stdin.isatty():
        name = input(f"Which device ({', '.join(names)})? ").strip()
    if name not in names:
        named = quoted(name) if name else "no device is named"
        allowed = ", ".join(names) or f"none: this cabinet has no {arguments.kind}"
        raise cli.Ended(WRONG_INPUT, f"replace {arguments.kind}: {named}; allowed {allowed}")
    return devices[names.index(name)]


def _facts(kind: str, link: Facts, header: Facts, records: tuple[pl.Record, ...]) -> Facts:
    name = link["device"]
    place = header.get("places", {}).get(name, {"profile": "?", "wiring": "?", "tests": []})
    begun = replacements.open_of(records).get(name)
    return {
        "device": name,
        "kind": kind,
        "role": link["role"],
        **place,
        "state": link["state"],
        "serial": link.get("serial"),
        "serial_before": replacements.serial_of(records, name),
        "open": replacements.words(begun) if begun else None,
        "before": begun.remark.removeprefix(BEGAN) if begun else None,
    }


# -- the two steps


def _begin(arguments: Namespace, case: Case) -> int:
    facts, name = case.facts, arguments.by
    if arguments.serial:
        line = f"{case.device}: no replacement is open: begin it without --serial"
        raise cli.Ended(NOT_DONE, line)
    if not facts["is_open"]:
        line = f"the cabinet is {facts['cabinet_state']}: `firebreak stop`, wait until it is open"
        raise cli.Ended(NOT_DONE, f"{line}, then ask again")
    holder = facts["locked_out_by"]
    if holder not in (None, name):
        raise cli.Ended(NOT_DONE, f"{holder} has locked it out: {holder} ends that first")
    identity = replacements.identity(facts["profile"], facts["serial"] or facts["serial_before"])
    # This comes first: a user who may not write the ledger must not begin a lock-out.
    proof_tests.Ledger(arguments.state_dir).commission(utc.moment())
    if holder is None:
        answer = operator.sent(arguments, operator_client.lock_out, name, True)
        if answer != operator_commands.ACCEPTED:
            line = f"lock-out by {name}: {answer_words.text(answer)}"
            raise cli.Ended(NOT_DONE, f"{line}; nothing is begun")
    is_own = holder is None or any(record.remark.startswith(BEGAN) for record in case.others)
    remark = f"{BEGAN}{identity}" if is_own else identity
    _note(arguments, pl.REPLACING, case.device, remark)
    text = f"{name} begins to replace {case.device}, {identity}"
    person.note(arguments, "REPLACE", text)
    begun_facts = {**facts, "open": f"replacement of {case.device} open since now by {name}"}
    print("\n".join(lines({**begun_facts, "locked_out_by": name, "before": identity})))
    return NOT_DONE


def _end(arguments: Namespace, case: Case) -> int:
    facts, begun = case.facts, case.begun
    assert begun is not None
    serial = _new_serial(arguments, facts)
    if arguments.cancel:
        _check_cancel(facts, serial)
        after = "not exchanged"
    else:
        _check_end(facts, serial)
        after = replacements.identity(facts["profile"], serial)
        for kind, row in replacements.tests_of(facts["tests"]):
            if kind == pl.SIGN:
                hold_sign(arguments, sign_tests.unit_of(row), "the replacement stays open")
            _note(arguments, kind, row, replacements.due_remark(case.device))
    _note(arguments, pl.REPLACED, case.device, after)
    text = f"{arguments.by} has replaced {case.device}: {facts['before']} -> {after}"
    person.note(arguments, "REPLACE", text)
    print(f"{case.device}: {facts['before']} -> {after}")
    if not arguments.cancel:
        due = tests_in_words(facts["tests"]) or "no proof test"
        print(f"due again: {due} (firebreak test proof list)")
        print("\n".join(KINDS[facts["kind"]].after))
    return _unlock(arguments, case, begun)


def hold_sign(arguments: Namespace, unit: int, consequence: str) -> None:
    """Make a start wait for the sign test. This comes before the ledger gets the record. Otherwise
    the cabinet could start untested after an interruption between the two steps. consequence:
    end of the message if the controller refuses it.
    """
    answer = operator.sent(arguments, operator_client.sign, unit, sign_request.DUE)
    if answer != operator_commands.ACCEPTED:
        line = f"sign test of unit {unit}: {answer_words.text(answer)}"
        raise cli.Ended(NOT_DONE, f"{line}; {consequence}")


def _check_cancel(facts: Facts, serial: str) -> None:
    """End the command if a new device already answers, because its tests would be forgotten."""
    before = facts["serial_before"]
    if serial and before and serial != before:
        line = f"{facts['device']} has the serial number {serial}, before {before}: it is exchanged"
        raise cli.Ended(NOT_DONE, f"{line}; end it without --cancel")


def _new_serial(arguments: Namespace, facts: Facts) -> str:
    reported, typed = facts["serial"], arguments.serial
    if reported and typed and reported != typed:
        line = f"--serial {typed}: {facts['device']} reports {reported}: correct one of them"
        raise cli.Ended(WRONG_INPUT, line)
    return reported or typed or ""


def _check_end(facts: Facts, serial: str) -> None:
    """End the command unless the new device answers and the running image is approved."""
    device = facts["device"]
    if facts["state"] != "ok":
        line = f"{device} is {facts['state']}: supply, {facts['wiring']}; see `firebreak links`"
    elif not facts["is_approved"]:
        line = "the configuration has changed: `firebreak check`, then `firebreak approve`"
    elif not serial:
        line = f"{device} reports no serial number: add --serial TEXT from its plate"
    elif serial == facts["serial_before"]:
        line = f"{device} still has the serial number {serial}: exchange it, or --cancel"
    else:
        return
    raise cli.Ended(NOT_DONE, f"{line}; the replacement stays open")


def _unlock(arguments: Namespace, case: Case, begun: pl.Record) -> int:
    """End the lock-out if this exchange has begun it and no other exchange is open. A lock-out for
    another reason stays.
    """
    holder = case.facts["locked_out_by"]
    if holder is None:
        return DONE
    reason = ""
    if case.others:
        names = ", ".join(record.row for record in case.others)
        reason = f"{names} is being replaced too"
    elif holder != arguments.by or not begun.remark.startswith(BEGAN):
        reason = f"firebreak lock-out {holder} --end"
    if reason:
        print(f"the lock-out by {holder} stays: {reason}")
        return DONE
    answer = operator.sent(arguments, operator_client.lock_out, holder, False)
    is_done = answer == operator_commands.ACCEPTED
    more = "; it stays in standby until `firebreak start`" if is_done else ""
    print(f"end of the lock-out by {holder}: {answer_words.text(answer)}{more}")
    return DONE if is_done else NOT_DONE


def _note(arguments: Namespace, kind: str, row: str, remark: str) -> None:
    ledger = proof_tests.Ledger(arguments.state_dir)
    ledger.add(utc.moment(), kind, row, arguments.by, remark)
