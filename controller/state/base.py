"""Facts (plain data) that several pages share. A function returns None if a signal is unknown."""

from collections.abc import Callable, Sequence
from typing import Any

from controller.core import image
from controller.core.base import reasons
from controller.core.policies.modes import Modes
from controller.core.site_devices.layout import SiteDevice
from controller.journal.history import Moment
from controller.journal.snapshot import Shadow, Snapshot
from controller.rows import danger, reason_words
from controller.rows.records import BY_ID
from controller.run import peer_words
from safety import signals as s

Facts = dict[str, Any]  # plain data: the console prints it, `--json` shows it
Computed = Shadow | Moment  # both have a core in the same state as the controller
# places in a row of the kernel's input tables (signals.CABINET_INPUTS and alike)
INPUT_NAME, INPUT_LOW, INPUT_GROUP = 0, 2, 4
PEER_FIRST_OUT = 2  # place in Snapshot.causes: first-out of channel B; its mask follows


def reason(code: int) -> Facts | None:
    """{code, label, name, sentence, remedy} of a reason code; None for reasons.NONE."""
    return None if code == reasons.NONE else reason_facts(code, *reason_words.text(code))


def reason_facts(code: int, name: str, sentence: str, remedy: str) -> Facts:
    """The facts of a reason code, with other words than its own."""
    texts = {"name": name, "sentence": sentence, "remedy": remedy}
    return {"code": code, "label": reasons.label(code), **texts}


def uptime_ms(shadow: Computed) -> int:
    """Time since the controller's start, counted in ticks, ms."""
    return (shadow.sequence or 0) * shadow.core.facts.tick_ms


def age_ms(shadow: Computed, group: int) -> int | None:
    """Age of a freshness group, ms; None if it was never seen."""
    facts = shadow.core.facts
    return facts.age_ticks(group) * facts.tick_ms if facts.was_seen(group) else None


def is_known(shadow: Computed, group: int) -> bool:
    """True if the group was seen, is not older than its budget, and does not come from a frozen
    meter (is_frozen).
    """
    return is_fresh(shadow, group) and not shadow.core.facts.is_frozen(group)


def is_fresh(shadow: Computed, group: int) -> bool:
    """True if the group was seen and is not older than its budget."""
    return not shadow.core.facts.is_silent(group)


def is_frozen(shadow: Computed, group: int) -> bool:
    """True for the group of a meter that repeats the same words. Off the grid this does not count
    for the grid meter, because it may measure the same values there again and again.
    """
    is_idle = group == s.G_METER_GRID and shadow.core.facts.is_off_grid()
    return is_fresh(shadow, group) and not is_idle and shadow.core.facts.is_frozen(group)


def bit_names(device: Facts, bits: int | None) -> list[str]:
    """Names of the set bits, in the order of the device's profile; "bit 9" without a name."""
    positions, word = device.get("fault_bits", {}), bits or 0
    names = [name for name, bit in positions.items() if word >> bit & 1]
    unnamed = sorted({*range(word.bit_length())} - {*positions.values()})
    return names + [f"bit {bit}" for bit in unnamed if word >> bit & 1]


def cabinet_value(shadow: Computed, index: int) -> int | None:
    """Input `index` of CABINET_INPUTS, None while its group is not known."""
    group = int(s.CABINET_INPUTS[index][INPUT_GROUP])
    return shadow.inp[index] if is_known(shadow, group) else None


def unit_value(shadow: Computed, unit: int, index: int) -> int | None:
    """Input `index` of UNIT_INPUTS of a unit (from 0), None while its group is not known."""
    group = shadow.layout.unit_group(unit, int(s.UNIT_INPUTS[index][INPUT_GROUP]))
    return shadow.inp[shadow.layout.unit_input(unit, index)] if is_known(shadow, group) else None


def rack_value(shadow: Computed, rack: int, index: int) -> int | None:
    """Input `index` of RACK_INPUTS of a rack (from 0), None while its group is not known."""
    group = shadow.layout.rack_group(rack, int(s.RACK_INPUTS[index][INPUT_GROUP]))
    return shadow.inp[shadow.layout.rack_input(rack, index)] if is_known(shadow, group) else None


def battery_W(shadow: Computed) -> int | None:
    """Measured power of all converters, W; None while one is unknown."""
    units = range(shadow.layout.units)
    return of_all(sum, [unit_value(shadow, unit, s.PCS_POWER_W) for unit in units])


def of_all(combine: Callable[[list[int]], int], values: Sequence[int | None]) -> int | None:
    """combine(values); None if one of them is unknown."""
    known_values = [value for value in values if value is not None]
    return combine(known_values) if len(known_values) == len(values) else None


def head(shadow: Shadow) -> Facts:
    """The facts at the top of every page."""
    names, facts = shadow.reader.header.get("names", {}), shadow.core.facts
    return {
        "cabinet": names.get("cabinet") or names.get("site", "-"),
        "state": s.STATES[shadow.out[s.STATE]],
        "mode": reason(shadow.core.functions[Modes.NAME].out[0]),
        "uptime_ms": uptime_ms(shadow),
        "sequence": shadow.sequence,
        "locked_out_by": locked_out_by(shadow),
        "test_left_ms": facts.test_left_ms() if shadow.inp[s.TEST_REQUEST] else None,
        "danger": danger_of(shadow),
        "contradicted": contradicted(shadow),
    }


def contradicted(shadow: Shadow) -> list[Facts]:
    """Each signal that other measurements contradict: {signal, reason}."""
    return [
        {"signal": name, "reason": reason(code)}
        for function in shadow.core.functions.values()
        for name, code in function.contradicted()
    ]


def stage_of(instance: str) -> tuple:
    """The stage of the matrix of an instance name such as 29.rack2."""
    return BY_ID[instance.partition(".")[0]]


def danger_of(shadow: Snapshot) -> Facts:
    """{level, name, words: what to do} of the most dangerous row in either channel."""
    stages = [stage_of(name) for name in shadow.standing]
    in_b = peer_words.stage_in_b(shadow.causes[PEER_FIRST_OUT])
    if in_b:
        stages.append(in_b)
    level = max(map(danger.level, stages), default=danger.WARNING)
    return {"level": level, "name": danger.NAMES[level], "words": danger.FIRST[level]}


def locked_out_by(shadow: Snapshot) -> str | None:
    """Name of the person who has locked the cabinet out; None: nobody has."""
    return image.name_of(shadow.inp[image.places(shadow.layout, ())["locked_out"]]) or None


def entry_of(shadow: Snapshot, device: SiteDevice) -> Facts:
    """Entry of a site device in the journal's header; {} for the clock, a part of the box."""
    place = device.role.name, device.number - 1
    devices = shadow.reader.header.get("devices", [])
    return next((row for row in devices if (row["role"], row["index"]) == place), {})


def differing(device: Facts, number: int) -> str | None:
    """Name of register `number` (from 1) of a device's identity; None: there is none."""
    names: list[str] = device.get("identity", [])
    return names[number - 1] if 0 < number <= len(names) else None


def configured(shadow: Snapshot, device: SiteDevice) -> str | None:
    """Name of a site device in the configuration; None for the clock."""
    return entry_of(shadow, device).get("name")
