"""What the sources of hints have in force: value, how long it is valid, what comes then, and who
binds.
"""

from controller.core import hint_codes, hint_sources
from controller.core.policies import hint_table as t

BINDING = {
    "control": t.O_CONTROL_SOURCE,
    "charge_W_max": t.O_CHARGE_SOURCE,
    "discharge_W_max": t.O_DISCHARGE_SOURCE,
    "import_W_max": t.O_IMPORT_SOURCE,
    "export_W_max": t.O_EXPORT_SOURCE,
}

QUANTITIES_OF = {
    "control": ("power_W",),
    "charge_W_max": ("charge_W_max", "import_W_max"),
    "discharge_W_max": ("discharge_W_max", "export_W_max"),
    "import_W_max": ("import_W_max",),
    "export_W_max": ("export_W_max",),
}


def words(shadow):
    """The words that the hint table publishes, () where a journal has none."""
    names = shadow.output_names
    if t.HINT_OUTPUTS[0] not in names:
        return ()
    first = names.index(t.HINT_OUTPUTS[0])
    return shadow.out[first : first + t.output_count(len(source_names(shadow)))]


def source_names(shadow):
    """Names of the sources by index."""
    return shadow.reader.header.get("source_names", [])


def binding(shadow):
    """{what: name of the source whose hint is in force there, or None}."""
    out, names = words(shadow), source_names(shadow)
    return {what: names[out[at] - 1] if out and out[at] else None for what, at in BINDING.items()}


def in_force(shadow):
    """[{source, role, quantity, value_W, valid_s, state, fallback_W}] of every quantity that a
    source has in force.
    """
    out, found = words(shadow), []
    for index, name in enumerate(source_names(shadow)):
        for quantity, called in hint_codes.QUANTITIES.items():
            state = out[t.output_at(index, quantity, t.F_STATE)]
            if state != t.NONE:
                value_W, valid_s = [
                    out[t.output_at(index, quantity, field)] for field in (t.F_VALUE_W, t.F_VALID_S)
                ]
                found.append(
                    {
                        "source": name,
                        "quantity": called,
                        "value_W": value_W,
                        "valid_s": valid_s,
                        "state": t.STATES[state],
                        "fallback_W": fallback_W(shadow, index, quantity),
                        "is_heartbeat_owed": _is_owed(shadow, index, quantity),
                    }
                )
    return found


def _is_owed(shadow, index, quantity):
    """True while a fallback waits for a heartbeat, and not only for the first hint since the
    start.
    """
    table = shadow.core.functions[t.HintTable.NAME]
    entry = table.entries[
        index * len(hint_sources.QUANTITIES) + hint_sources.QUANTITIES.index(quantity)
    ]
    return bool(table.state[entry + t.E_LAPSED])


def fallback_W(shadow, index, quantity):
    """What a source falls back to, W, None without a fallback."""
    image = shadow.reader.header["source_image"]
    at = hint_sources.HEADER_WORDS + index * hint_sources.SOURCE_WORDS + hint_sources.W_FALLBACK
    value_W = image[at + hint_sources.QUANTITIES.index(quantity)]
    return None if value_W == hint_sources.ABSENT_W else value_W


def remaining_Wh(shadow):
    """Energy above the reserve, Wh; None where nobody publishes it."""
    out = words(shadow)
    return out[t.O_REMAINING_WH] if out else None


def of_source(shadow, what):
    """The entries in force of whoever binds `what` (a key of BINDING), for the cause of a reason.

    A source whose role does not oblige the battery narrows charging with its import maximum: then
    that is the entry.
    """
    name = binding(shadow)[what]
    own = [each for each in in_force(shadow) if each["source"] == name]
    for quantity in QUANTITIES_OF[what]:
        found = [each for each in own if each["quantity"] == quantity]
        if found:
            return found
    return []
