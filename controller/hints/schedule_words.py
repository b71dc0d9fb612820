"""A schedule and its answer in words, as `firebreak hint schedule` prints them, and as fields."""

import datetime
from typing import Any

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.core.policies import schedule as s
from controller.hints import schedule_wire as sw
from controller.hints.words import kW

ALLOWED = (
    "slots of 1 .. 60 min",
    "0 .. 10^9 W, and only of a source of role grid_cap",
    "-10^9 .. 10^9 W",
    "battery_low_W .. 10^9 W",
    "0 .. 1000 permille",
)
_BEAT = "keep a heartbeat valid: firebreak hint --source NAME --heartbeat --for 300s"
_REMEDIES = {
    s.CLOCK: "give the box a time source (NTP): its clock's error is unknown or too large",
    s.OVER: "send a schedule with slots of now",
}


def answer_fields(answer: sw.Answer) -> dict[str, Any]:
    """Every field of an Answer as plain values, with the text of its code and what is allowed."""
    name, sentence, remedy = h.TEXTS.get(answer.code, ("", "", ""))
    is_slot = answer.code == h.WRONG_SLOT or answer.refused_slot > 0
    return {
        **answer._asdict(),
        "nonce": answer.nonce.hex(),
        "granted": h.taken(answer.code),
        "effect": h.YES if h.taken(answer.code) else h.NO,
        "label": h.label(answer.code),
        "name": name,
        "sentence": sentence,
        "remedy": remedy,
        "refused_slot": answer.refused_slot or None,
        "refused_field": sw.FIELDS[answer.refused_field - 1] if answer.refused_field else None,
        "allowed": ALLOWED[answer.refused_field] if is_slot else None,
        "state": s.STATES[answer.state],
        "slot": answer.slot or None,
    }


def held_fields(held: sw.Held) -> dict[str, Any]:
    """Every field of a Held as plain values; None for a power without a bound."""
    return {
        **held._asdict(),
        "nonce": held.nonce.hex(),
        "owner": held.owner or None,
        "state": s.STATES[held.state],
        "slot": held.slot or None,
        "slots": [[None if value == OPEN_W else value for value in slot] for slot in held.slots],
    }


def answer_lines(answer: sw.Answer) -> list[str]:
    """The answer to a schedule as lines of a screen."""
    fields = answer_fields(answer)
    if not fields["granted"]:
        where = f": slot {fields['refused_slot']}" if fields["refused_slot"] else ""
        where += f", {fields['refused_field']}" if fields["refused_field"] else ""
        lines = [f"REFUSED {fields['label']} {fields['name']}{where}. Nothing changed."]
        lines += [f"  allowed    {fields['allowed']}"] if fields["allowed"] else []
        return [*lines, f"  do         {fields['remedy']}"]
    if not answer.slot_count:
        return [f"GRANTED {fields['label']} no schedule is in force."]
    return [
        f"GRANTED {fields['label']} schedule of {answer.slot_count} slots.",
        f"  state      {state(fields['state'], fields['slot'])}",
        f"  do         {_REMEDIES.get(answer.state, _BEAT)}",
    ]


def state(text: str, slot: int | None) -> str:
    """State of a schedule in words, such as "acts, slot 3"."""
    return f"{text}, slot {slot}" if slot else text


def held_lines(held: sw.Held) -> list[str]:
    """The table in force as lines of a screen. The present slot has a star."""
    if not held.slots:
        return ["no schedule is in force"]
    start = datetime.datetime.fromtimestamp(60 * held.start_min, datetime.UTC)
    step = datetime.timedelta(minutes=held.slot_min)
    lines = [
        f"schedule of {held.owner}: {state(s.STATES[held.state], held.slot or None)}",
        f"  {'slot':>4}  {'begins, UTC':16} {'grid cap':>11} {'battery from':>13} {'to':>11} "
        f"{'reserve':>8}",
    ]
    for number, slot in enumerate(held.slots, 1):
        begins = (start + (number - 1) * step).strftime("%Y-%m-%d %H:%M")
        mark = "*" if number == held.slot else " "
        lines.append(f" {mark}{number:>4}  {begins:16} {_powers(slot)}")
    return lines


def _powers(slot: Slot) -> str:
    cap, low, high = ["-" if power_W == OPEN_W else kW(power_W) for power_W in slot[:3]]
    return f"{cap:>11} {low:>13} {high:>11} {slot.reserve_permille / 10:>6g} %"
