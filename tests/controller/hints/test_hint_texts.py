"""Texts for an integrator (remedies of codes, the page on sending hints) name only real things."""

import re
import struct
from pathlib import Path

import pytest

import controller.doors.local
from controller.config import configuration
from controller.core.base import hint_codes as h, reasons
from controller.doors.local import messages
from controller.forms.refusal import ConfigError
from controller.hints import no_answer, schedule_wire as s, wire as w
from controller.rows import reason_words
from controller.sites import EXAMPLE

PAGE = (Path(controller.doors.local.__file__).parent / "SENDING.md").read_text(encoding="utf-8")


NUMBERED = r"(?m)^(\d) (\w+) +(\d)(?: (\w+))? "  # a kind and a quantity
FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "n": ""}


def layout(title):
    """(names of the fields, length) of the first block after a title, whose offsets are right."""
    block = PAGE.split(f"**{title}**")[1].split("```")[1]
    found, at = [], 0
    for start, names, kind in re.findall(r"(?m)^ *(\d+)  ([\w, ]+?) +(\[\d+\]|[ui]\d+)", block):
        fields = names.split(", ")
        assert int(start) == at, names
        each = int(kind[1:-1]) if "[" in kind else struct.calcsize(FORMATS[kind])
        at += each * len(fields)
        found += [name for name in fields if name not in ("magic", "zeros", "mac")]
    return found, at


def test_the_remedies_agree_with_the_page():
    assert h.text(h.NOT_UNDERSTOOD)[2] == "Read controller/doors/local/SENDING.md."
    assert "when a third of its validity has passed" in h.text(h.GRANTED)[2]
    assert "when a third of its validity has passed" in PAGE


def test_the_sources_of_the_rig_and_the_quantities_of_a_message_are_those_on_the_page():
    roles = {source.name: source.role for source in configuration.load(str(EXAMPLE)).sources}
    assert roles == {"planner": "grid_cap", "scheduler": "request", "site_ems": "grid_cap"}
    assert all(re.search(rf"`{name}`\s\({role}\)", PAGE) for name, role in roles.items())
    rows = [
        (int(kind), name, int(code), what) for kind, name, code, what in re.findall(NUMBERED, PAGE)
    ]
    assert {kind: name for kind, name, *_ in rows} == h.KINDS
    assert all(h.fits(kind, code) for kind, _, code, _ in rows)
    names = {code: what or "heartbeat" for _, _, code, what in rows}
    assert names == h.QUANTITIES | h.NOTICES | {0: "heartbeat"}
    assert [w.quantity_of(name)[1] for name in names.values()] == [*names]


NUMBERS = {"sequence": 1, "sent_ms": 0, "value_W": 0, "valid_ms": 1000}
GOOD = {"source": "a", "nonce": "00" * 8, "mac": "00" * 32, "quantity": "heartbeat", **NUMBERS}


def test_the_fields_of_a_message_are_those_on_the_page():
    words = PAGE.split("A hint has `source`")[1].split("The quantity of")[0]
    fields = ["source", *re.findall(r"`(\w+)`", words)]
    assert sorted(fields[:-4]) == sorted(GOOD)
    assert fields[-4:] == ["purpose", "start_ms", "kind", "exact"]
    assert messages.datagram(GOOD)
    assert messages.datagram({**GOOD, "purpose": 1, "kind": "heartbeat"})
    for name in GOOD:
        with pytest.raises(ConfigError, match=f"{name}:? is missing"):
            messages.datagram({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(ConfigError, match="hint:fallback: is not a known key"):
        messages.datagram({**GOOD, "fallback": 1})
    names = "granted effect code label name sentence remedy".split()
    assert list(no_answer.problem(h.NO_ANSWER)) == names


def test_the_layouts_are_those_of_the_wire():
    assert layout("Hint") == ([*w.Hint._fields[:-1]], w.HINT.size)
    assert layout("Reply") == ([*w.Reply._fields], w.REPLY.size)
    assert layout("Status") == ([*w.State._fields], w.STATE.size)
    fields, size = layout("Schedule")
    assert {*fields} == {*s.Schedule._fields[:-1], "n"} and size == s.HEAD.size
    block = PAGE.split("**Schedule**")[1].split("```")[1].rpartition("\n56")[2]
    assert re.findall(r"\w+_(?:W|permille)\b", block) == [*s.FIELDS]
    for size in (
        w.HINT.size,
        w.HINT2.size,
        w.REPLY.size,
        w.STATE.size,
        w.WELCOME.size,
        s.ANSWER.size,
    ):
        assert f" {size} bytes" in PAGE, size
    assert all(
        each.decode() in PAGE
        for each in (*w._LENGTHS, w.WELCOME_MAGIC, s.ANSWER_MAGIC, s.TABLE_MAGIC)
    )


def test_every_code_is_on_the_page():
    codes = PAGE.split("## Codes")[1].split("## Programs to copy")[0]
    for code in h.TEXTS:
        ranges = [
            range(int(low), int(high) + 1) for low, high in re.findall(r"H(\d+)\.\.H(\d+)", codes)
        ]
        assert re.search(rf"\bH{code}\b", codes) or any(code in each for each in ranges), code


def test_every_reason_on_the_page_exists():
    table = PAGE.split("A reply has these:")[1].split("## Programs to copy")[0]
    named = {int(code) for code in re.findall(r"\bR(\d+)", table)}
    assert named <= set(reason_words.TEXTS)
    limits = {*reasons.KERNEL_CHARGE, *reasons.KERNEL_DISCHARGE}
    # even: charge, odd: discharge
    assert (min(limits), max(limits)) == (212, 237) and {212, 237} <= named
    assert all(code % 2 == 0 for code in reasons.KERNEL_CHARGE)
    names = "RESERVE_BACKUP GRID_IMPORT GRID_EXPORT GRID_OPERATOR "
    names += "GRID_CAP_HINT HINT_CAP RESERVE_PEAKS SETPOINT_RAMP"
    assert {getattr(reasons, name) for name in names.split()} <= named
