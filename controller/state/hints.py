"""Hints in force: value, remaining validity, fallback, and the source that binds."""

from controller.core import hint_codes, hint_sources
from controller.core.policies import hint_outputs as t, hint_table

# {what: (word with its source, quantities of that source that may bind it)}
BINDING = {
    "control": (t.O_CONTROL_SOURCE, ("power_W",)),
    "charge_W_max": (t.O_CHARGE_SOURCE, ("charge_W_max", "import_W_max")),
    "discharge_W_max": (t.O_DISCHARGE_SOURCE, ("discharge_W_max", "export_W_max")),
    "import_W_max": (t.O_IMPORT_SOURCE, ("import_W_max",)),
    "export_W_max": (t.O_EXPORT_SOURCE, ("export_W_max",)),
}


def words(shadow):
    """The words that the hint table publishes, () where a journal has none."""
    names = shadow.output_names
    if t.HINT_OUTPUTS[0] not in names:
        return ()
    first = names.index(t.HINT_OUTPUTS[0])
    return shadow.out[first : first + t.output_count(len(source_names(shadow)))]


def source_names(shadow) -> list:
    """Names of the sources by index."""
    return shadow.reader.header.get("source_names", [])


def binding(shadow) -> dict:
    """{what: name of the source whose hint is in force there, or None}."""
    out, names = words(shadow), source_names(shadow)
    return {
        what: names[out[at] - 1] if out and out[at] else None for what, (at, _) in BINDING.items()
    }


def in_force(shadow) -> list:
    """[{source, role, quantity, value_W, valid_s, state, fallback_W}] of every quantity that a
    source has in force.
    """
    out = words(shadow)
    return [
        _entry(shadow, out, index, name, quantity)
        for index, name in enumerate(source_names(shadow))
        for quantity in hint_codes.QUANTITIES
        if out[t.output_at(index, quantity, t.F_STATE)] != t.NONE
    ]


def _entry(shadow, out, index, name, quantity):
    """One quantity of one source. is_heartbeat_owed: its fallback waits for a heartbeat, and not
    only for the first hint since the start.
    """
    value_W, valid_s, state = [
        out[t.output_at(index, quantity, field)] for field in (t.F_VALUE_W, t.F_VALID_S, t.F_STATE)
    ]
    table = shadow.core.functions[hint_table.HintTable.NAME]
    place = hint_sources.QUANTITIES.index(quantity)
    entry = table.entries[index * len(hint_sources.QUANTITIES) + place]
    return {
        "source": name,
        "quantity": hint_codes.QUANTITIES[quantity],
        "value_W": value_W,
        "valid_s": valid_s,
        "state": t.STATES[state],
        "fallback_W": fallback_W(shadow, index, quantity),
        "is_heartbeat_owed": bool(table.state[entry + hint_table.E_LAPSED]),
    }


def fallback_W(shadow, index: int, quantity: int):
    """The fallback of a source, W; None without one."""
    image = shadow.reader.header["source_image"]
    at = hint_sources.HEADER_WORDS + index * hint_sources.SOURCE_WORDS + hint_sources.W_FALLBACK
    value_W = image[at + hint_sources.QUANTITIES.index(quantity)]
    return None if value_W == hint_sources.ABSENT_W else value_W


def remaining_Wh(shadow):
    """Energy above the reserve, Wh; None in a journal without it."""
    out = words(shadow)
    return out[t.O_REMAINING_WH] if out else None


def of_source(shadow, what: str) -> list:
    """The entries in force of the source that binds `what` (a key of BINDING).

    A source whose role does not oblige the battery narrows charging with its import maximum: then
    that is the entry.
    """
    name = binding(shadow)[what]
    own = [each for each in in_force(shadow) if each["source"] == name]
    for quantity in BINDING[what][1]:
        found = [each for each in own if each["quantity"] == quantity]
        if found:
            return found
    return []
