"""Texts for an integrator (remedies of codes, the page on sending hints) name only real things."""

import re
from pathlib import Path

import pytest

import controller.doors.local
from controller.config import configuration
from controller.core.base import hint_codes as h, reasons
from controller.doors.local import messages
from controller.forms.refusal import ConfigError
from controller.hints import no_answer, wire as w
from controller.rows import reason_words
from controller.sites import EXAMPLE

PAGE = (Path(controller.doors.local.__file__).parent / "SENDING.md").read_text(encoding="utf-8")


def row(first):
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_remedies_agree_with_the_page():
    assert h.text(h.NOT_UNDERSTOOD)[2] == "Read controller/doors/local/SENDING.md."
    assert "when a third of its validity has passed" in h.text(h.GRANTED)[2]
    assert "when a third of its validity has passed" in PAGE


def test_the_sources_of_the_rig_and_the_quantities_of_a_message_are_those_on_the_page():
    roles = {source.name: source.role for source in configuration.load(str(EXAMPLE)).sources}
    assert roles == {"planner": "grid_cap", "scheduler": "request", "site_ems": "grid_cap"}
    assert all(re.search(rf"`{name}`\s\({role}\)", PAGE) for name, role in roles.items())
    names = re.findall(r"\b\w+_W(?:_max)?\b|price\w+|heartbeat", row("quantity")[1].split("(")[0])
    assert names == [*h.QUANTITIES.values(), *h.NOTICES.values(), "heartbeat"]
    assert [w.quantity_of(name)[1] for name in names] == [*h.QUANTITIES, *h.NOTICES, 0]


NUMBERS = {"sequence": 1, "sent_ms": 0, "value_W": 0, "valid_ms": 1000}
GOOD = {"source": "a", "nonce": "00" * 8, "mac": "00" * 32, "quantity": "heartbeat", **NUMBERS}


def test_the_fields_of_a_message_are_those_on_the_page():
    table = PAGE.split("| field of a hint | |")[1].split("\n\n")[0]
    cells = [line.split("|")[1].strip() for line in table.splitlines()[2:]]
    fields = [name for cell in cells for name in cell.split(", ")]
    assert sorted(fields[:-3]) == sorted(GOOD)
    assert fields[-3:] == ["purpose", "start_ms", "kind"]
    assert messages.datagram(GOOD)
    assert messages.datagram({**GOOD, "purpose": 1, "kind": "heartbeat"})
    for name in GOOD:
        with pytest.raises(ConfigError, match=f"{name}:? is missing"):
            messages.datagram({key: value for key, value in GOOD.items() if key != name})
    with pytest.raises(ConfigError, match="hint:fallback: is not a known key"):
        messages.datagram({**GOOD, "fallback": 1})
    names = "granted effect code label name sentence remedy".split()
    assert list(no_answer.problem(h.NO_ANSWER)) == names


def test_the_fields_of_a_state_and_every_code_are_those_on_the_page():
    table = PAGE.split("**4. Status**")[1].split("**5. Schedule**")[0]
    fields = [
        name
        for line in table.splitlines()[6:]
        if line.startswith("|")
        for name in re.findall(r"[a-z]\w*_\w+|nonce", line.split("|")[3])
    ]
    assert fields == [name for name in w.State._fields if name != "source"]
    codes = PAGE.split("## Codes")[1].split("## To copy")[0]
    for code in h.TEXTS:
        ranges = [
            range(int(low), int(high) + 1) for low, high in re.findall(r"H(\d+) \.\. H(\d+)", codes)
        ]
        assert re.search(rf"\bH{code}\b", codes) or any(code in each for each in ranges), code


def test_every_reason_on_the_page_exists():
    table = PAGE.split("An integrator meets these:")[1].split("## To copy")[0]
    named = {int(code) for code in re.findall(r"\bR(\d+)", table)}
    assert named <= set(reason_words.TEXTS)
    limits = {*reasons.KERNEL_CHARGE, *reasons.KERNEL_DISCHARGE}
    # even: charge, odd: discharge
    assert (min(limits), max(limits)) == (212, 237) and {212, 237} <= named
    assert all(code % 2 == 0 for code in reasons.KERNEL_CHARGE)
    names = "REQUEST_RESTS REQUEST_ENDED RESERVE_BACKUP GRID_IMPORT GRID_EXPORT GRID_OPERATOR "
    names += "GRID_CAP_HINT HINT_CAP RESERVE_PEAKS SETPOINT_RAMP"
    assert {getattr(reasons, name) for name in names.split()} <= named
