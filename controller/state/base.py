"""Parts of every page's facts: reasons, ages, and values that are None while unknown."""

from controller.core import image, reasons
from controller.journal.history import STAGES
from controller.rows import danger, reason_words
from controller.run import peer_words
from safety import parameters as p, signals as s


def reason(code: int):
    """{code, label, name, sentence, remedy} of a reason code, None for "nothing acts"."""
    if code == reasons.NONE:
        return None
    name, sentence, remedy = reason_words.text(code)
    return {
        "code": code,
        "label": reasons.label(code),
        "name": name,
        "sentence": sentence,
        "remedy": remedy,
    }


def tick_ms(shadow) -> int:
    """Length of a tick of this controller, ms."""
    return shadow.core.safety_image[p.H_TICK_MS]


def uptime_ms(shadow) -> int:
    """Ticks since the controller's start, as time."""
    return shadow.sequence * tick_ms(shadow)


def age_ms(shadow, group: int):
    """Age of a freshness group, ms; None if it was never seen."""
    ages = shadow.core.kernel.features.ages
    return ages.ticks[group] * tick_ms(shadow) if ages.seen[group] else None


def known(shadow, group: int) -> bool:
    """True while the group counts as known: seen, and within its budget."""
    return bool(shadow.core.kernel.features.ages.known(group))


def bit_names(device: dict, bits: int | None) -> list:
    """What the bits of a device of the journal's header are called; "bit 9": its profile names it
    not. Names in the order of the profile.
    """
    known, rest = device.get("fault_bits", {}), bits or 0
    names = [name for name, bit in known.items() if rest >> bit & 1]
    unknown = [
        bit for bit in range(rest.bit_length()) if rest >> bit & 1 and bit not in known.values()
    ]
    return names + [f"bit {bit}" for bit in unknown]


def cabinet_value(shadow, index: int) -> int | None:
    """Input `index` of CABINET_INPUTS, None while its group is not known."""
    return shadow.inp[index] if known(shadow, s.CABINET_INPUTS[index][4]) else None


def unit_value(shadow, unit: int, index: int):
    """Input `index` of UNIT_INPUTS of a unit (from 0), None while its group is not known."""
    group = shadow.layout.unit_group(unit, s.UNIT_INPUTS[index][4])
    return shadow.inp[shadow.layout.unit_input(unit, index)] if known(shadow, group) else None


def rack_value(shadow, rack: int, index: int) -> int | None:
    """Input `index` of RACK_INPUTS of a rack (from 0), None while its group is not known."""
    group = shadow.layout.rack_group(rack, s.RACK_INPUTS[index][4])
    return shadow.inp[shadow.layout.rack_input(rack, index)] if known(shadow, group) else None


def battery_W(shadow) -> int | None:
    """Measured power of all converters, W; None while one is unknown."""
    values = [unit_value(shadow, unit, s.PCS_POWER_W) for unit in range(shadow.layout.units)]
    return None if None in values else sum(values)


def rack_parameter(shadow, rack: int, index: int) -> int:
    """Word `index` of RACK_PARAMETERS of a rack (from 0) in the safety image."""
    core = shadow.core
    return core.safety_image[core.kernel.bounds.map.rack + rack * p.RACK_WORDS + index]


def unit_parameter(shadow, unit: int, index: int) -> int:
    """Word `index` of UNIT_PARAMETERS of a unit (from 0) in the safety image."""
    core = shadow.core
    return core.safety_image[core.kernel.bounds.map.unit + unit * p.UNIT_WORDS + index]


def cabinet_parameter(shadow, index: int) -> int:
    """Word `index` of CABINET_PARAMETERS in the safety image."""
    return shadow.core.safety_image[shadow.core.kernel.bounds.map.cabinet + index]


def head(shadow) -> dict:
    """The facts at the top of every page."""
    names = shadow.reader.header.get("names", {})
    return {
        "cabinet": names.get("cabinet") or names.get("site", "-"),
        "state": s.STATES[shadow.out[s.STATE]],
        "uptime_ms": uptime_ms(shadow),
        "sequence": shadow.sequence,
        "locked_out_by": locked_out_by(shadow),
        "test_left_ms": test_left_ms(shadow),
        "danger": danger_of(shadow),
    }


def danger_of(shadow) -> dict:
    """{level, name, words}: the most dangerous of what is active or latched in either channel;
    words: what a person does first, "" where the remedies are enough.
    """
    found = [STAGES[name.partition(".")[0]] for name in shadow.standing]
    in_b = peer_words.stage_in_b(shadow.causes[2])
    level = max(map(danger.level, [*found, *([in_b] if in_b else [])]), default=danger.WARNING)
    return {"level": level, "name": danger.NAMES[level], "words": danger.FIRST[level]}


def test_left_ms(shadow):
    """Time left of TEST mode as the kernel counts it, ms; 0 while it stops at its end; None in
    other modes.
    """
    permit = shadow.core.kernel.permit
    return (
        max(0, permit.test_ticks - permit.tried[1]) * tick_ms(shadow)
        if shadow.inp[s.TEST_REQUEST]
        else None
    )


def locked_out_by(shadow) -> str | None:
    """Name of the person who has locked the cabinet out, None without one."""
    return image.name_of(shadow.inp[image.places(shadow.layout)["locked_out"]]) or None
