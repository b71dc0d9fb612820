"""Facts about hints in force (value, validity, fallback, source), notices and the schedule."""

from collections.abc import Sequence
from datetime import UTC, datetime

from controller.core.base import hint_codes, hint_sources
from controller.core.policies import hint_outputs as t, hint_table, schedule as of_slots
from controller.core.policies.notices import Notices
from controller.journal.snapshot import Shadow, Snapshot
from controller.state.base import Facts

# {bound: (output with its source, quantities of that source that may set it)}
BINDING = {
    "control": (t.O_CONTROL_SOURCE, ("power_W",)),
    "charge_W_max": (t.O_CHARGE_SOURCE, ("charge_W_max", "import_W_max")),
    "discharge_W_max": (t.O_DISCHARGE_SOURCE, ("discharge_W_max", "export_W_max")),
    "import_W_max": (t.O_IMPORT_SOURCE, ("import_W_max",)),
    "export_W_max": (t.O_EXPORT_SOURCE, ("export_W_max",)),
}


def table_outputs(shadow: Snapshot) -> Sequence[int]:
    """The outputs of the hint table, () in a journal without them."""
    names = shadow.output_names
    if t.HINT_OUTPUTS[0] not in names:
        return ()
    first = names.index(t.HINT_OUTPUTS[0])
    return shadow.out[first : first + t.output_count(len(source_names(shadow)))]


def source_names(shadow: Snapshot) -> list[str]:
    """Names of the sources of hints, in the order of their indexes."""
    return shadow.reader.header.get("source_names", [])


def binding(shadow: Snapshot) -> dict[str, str | None]:
    """{bound: name of the source whose hint sets it, or None}."""
    out, names = table_outputs(shadow), source_names(shadow)
    return {
        bound: names[out[place] - 1] if out and out[place] else None
        for bound, (place, _) in BINDING.items()
    }


def in_force(shadow: Shadow) -> list[Facts]:
    """The hint of each source and quantity whose state is not "none". is_heartbeat_owed: its
    fallback ends only after both a heartbeat and a new hint.
    """
    out, table = table_outputs(shadow), shadow.core.functions[hint_table.HintTable.NAME]
    quantities, facts = hint_codes.QUANTITIES, []
    for index, source in enumerate(source_names(shadow)):
        for position, (quantity, name) in enumerate(quantities.items()):
            first = t.output_at(index, quantity, 0)
            value_W, valid_s, state = out[first : first + len(t.OUTPUT_FIELDS)]
            entry_at = table.entries[index * len(quantities) + position]
            if state != t.NONE:
                facts.append(
                    {
                        "source": source,
                        "quantity": name,
                        "value_W": value_W,
                        "valid_s": valid_s,
                        "state": t.STATES[state],
                        "fallback_W": fallback_W(shadow, index, quantity),
                        "is_heartbeat_owed": bool(table.state[entry_at + hint_table.E_LAPSED]),
                    }
                )
    return facts


def schedule(shadow: Shadow) -> Facts | None:
    """The schedule in force, or None: {source, state, count, starts: start of slot 1}, and the
    values of the present slot: {slot: number from 1, begins, ends, its bounds}. Each value of the
    slot is None while no slot acts. Times are UTC.
    """
    table = shadow.core.functions[of_slots.Schedule.NAME]
    state, number = table.state, table.out[of_slots.O_SLOT]
    if not state.source:
        return None
    begin_min = state.start_min + (number - 1) * state.slot_min
    return {
        "source": source_names(shadow)[state.source - 1],
        "state": of_slots.STATES[table.out[of_slots.O_STATE]],
        "count": state.slot_count,
        "starts": _utc(state.start_min),
        "slot": number or None,
        "begins": _utc(begin_min) if number else None,
        "ends": _utc(begin_min + state.slot_min) if number else None,
        **table.bounds(),
    }


def _utc(minute: int) -> str:
    return datetime.fromtimestamp(60 * minute, UTC).isoformat().replace("+00:00", "Z")


def notices(shadow: Shadow) -> list[Facts]:
    """[{source, notice, value, start_s, left_s}] of each notice in force."""
    function: Notices = shadow.core.functions[Notices.NAME]
    names = source_names(shadow)
    prices = [
        (source, hint_codes.PRICE_IS_NEGATIVE, 1, 0, function.price_ms(source))
        for source in range(function.count)
        if function.price_ms(source)
    ]
    steps = [
        (step.source, hint_codes.STEP_W, step.step_W, step.start_ms, step.left_ms)
        for step in function.steps()
    ]
    return [
        {
            "source": names[source],
            "notice": hint_codes.NOTICES[quantity],
            "value": value,
            "start_s": -(-start_ms // 1000),
            "left_s": -(-left_ms // 1000),
        }
        for source, quantity, value, start_ms, left_ms in prices + steps
    ]


def fallback_W(shadow: Snapshot, index: int, quantity: int) -> int | None:
    """The fallback of a source for a quantity, W; None: it has no fallback."""
    image = shadow.reader.header["source_image"]
    source = hint_sources.sources(image)[index]
    value_W = source.fallback_W[hint_sources.QUANTITIES.index(quantity)]
    return None if value_W == hint_sources.ABSENT_W else value_W


def remaining_Wh(shadow: Snapshot) -> int | None:
    """Energy above the reserve, Wh; None: unknown."""
    out = table_outputs(shadow)
    is_known = out and out[t.O_REMAINING_WH] >= 0
    return out[t.O_REMAINING_WH] if is_known else None


def of_source(shadow: Shadow, bound: str) -> list[Facts]:
    """The hints in force that set `bound`, all of one source. A source's import or export maximum
    may also set the bound of charge or discharge.
    """
    name = binding(shadow)[bound]
    own = [hint for hint in in_force(shadow) if hint["source"] == name]
    for quantity in BINDING[bound][1]:
        matches = [hint for hint in own if hint["quantity"] == quantity]
        if matches:
            return matches
    return []
