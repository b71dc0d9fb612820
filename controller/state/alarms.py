"""Alarms: what tripped first, what followed, what to check in which order, what a reset needs, what
the start lacks.
"""

from controller.core import image, reasons
from controller.run import run_request
from controller.state import base, propagation, record, rows
from controller.state.reset_code import code_of, command_of
from safety import latches as l
from safety import matrix as m
from safety import parameters as p
from safety import signals as s

RESTS = {
    run_request.PERSON: "person",
    run_request.TEST: "test",
    run_request.LOCK_OUT: "lock-out",
    run_request.UNKNOWN: "unknown",
}
CAUSES = ("first_out", "cause_mask", *image.PEER)  # what a reset names


def facts(shadow, history, recorded=None):
    """The page `alarms` as plain data; recorded: record.Record or None, asked for what began before
    the journal.
    """
    standing = [
        rows.row_of(shadow, name, history.began_ms.get(name), history.began_code.get(name, 0))
        for name in shadow.standing
    ]
    for row in standing:
        row["began_text"] = _recorded(row, recorded) if row["began_ms"] is None else None
    first = shadow.stage_names[shadow.first_out] if shadow.first_out >= 0 else None
    ordered = sorted(standing, key=lambda row: _order(row, first))
    return {
        **base.head(shadow),
        "standing": ordered,
        "first_out_per_scope": [
            {
                "scope": scope,
                "instance": name,
                "stage": name.partition(".")[0],
                "name": rows.words_of(name)[0],
                "began_ms": began_ms,
            }
            for scope, name, began_ms in history.first_out_per_scope()
        ],
        "channel_b": rows.channel_b(shadow),
        "check": check(ordered),
        "reset": reset(shadow, ordered),
        "start": start(shadow),
        "cells_are_live": True,
        "propagation": propagation.facts(shadow, history),
    }


def _recorded(row, recorded):
    """When the recorder saw this row begin, as text; None without a recorder, or where it does not
    know.
    """
    found = (
        recorded.began(row["stage"], row["instance"].partition(".")[2] or "cabinet")
        if recorded
        else None
    )
    return record.utc_text(found["utc_us"], found["utc_source"]) if found else None


def _order(row, first):
    """The kernel's first-out leads; then by time (what nobody saw begin came before), then what
    stops most.
    """
    began_ms = -1 if row["began_ms"] is None else row["began_ms"]
    return row["instance"] != first, began_ms, -row["demands"].get("pcs", 0), row["row"]


def check(ordered):
    """What to look at, in order, each remedy once: [{rows: [stage, ...], remedy}]."""
    found = {}
    for row in ordered:
        found.setdefault(row["reason"]["remedy"], []).append(row["stage"])
    return [{"rows": stages, "remedy": remedy} for remedy, stages in found.items()]


def reset(shadow, standing):
    """What a reset needs now: {needs, left, allowed, next_token_ms, CAUSES, code, command, waits,
    result}.

    needs: None (nothing is latched), "remote" or "key"; waits: instances whose cause is not gone
    long enough, with the time still due (None while it stands); result: what a reset by that way
    would come to now, in this channel.
    """
    rules = shadow.core.kernel.latches
    latched = [row for row in standing if row["is_latched"]]
    needs = None
    if latched:
        needs = "key" if any(row["reset"] == "key" for row in latched) else "remote"
    return {
        "needs": needs,
        "left": rules.left(),
        "allowed": rules.allowed,
        "next_token_ms": next_token_ms(shadow),
        **dict(zip(CAUSES, shadow.causes)),
        **typed(shadow, standing),
        "result": _verdict(shadow, needs),
        "waits": [
            {
                "instance": row["instance"],
                "stage": row["stage"],
                "scope": row["scope"],
                "due_ms": None if row["is_active"] else row["reset_clear_ms"] - row["clear_for_ms"],
            }
            for row in latched
            if row["is_active"] or row["clear_for_ms"] < row["reset_clear_ms"]
        ],
    }


def typed(shadow, standing):
    """What resets all this at a shell: {code, command}, of both channels; both None where nothing
    waits for a reset.

    command: also None as long as the key has to be turned first.
    """
    needed = rows.needed([row["reset"] for row in standing], rows.channel_b(shadow))
    code = code_of(shadow.causes) if needed else None
    return {
        "code": code,
        "command": code and command_of(code, needed == "key", rows.is_key_out(shadow)),
    }


def next_token_ms(shadow):
    """Time until one more remote reset is allowed, ms; None while all are there or none ever is."""
    rules, tick_ms = shadow.core.kernel.latches, base.tick_ms(shadow)
    spent = [rules.hour_ticks - age for age in rules.token_age if age < rules.hour_ticks]
    wait = len(spent) - rules.allowed + 1  # that many must come back before one more is allowed
    if not spent or not rules.allowed:
        return None
    return sorted(spent)[max(0, wait - 1)] * tick_ms


def _verdict(shadow, needs):
    if needs is None:
        return l.RESULTS[l.NOTHING]
    rules, key_out = shadow.core.kernel.latches, base.cabinet_value(shadow, s.KEY_RUN_OK) == 0
    kind = m.KEY if needs == "key" else m.REMOTE
    return l.RESULTS[rules.verdict(kind, shadow.first_out, shadow.cause_mask, key_out)]


def start(shadow):
    """What the start waits for: {state, waits_for, checklist, is_asked_to_run, rests,
    resets_per_hour_max}.

    rests: {"why", "name"} of what has left it at rest until somebody starts it, one of RESTS and
    whose lock-out it was; None where it does not rest, or is locked out still. checklist: {"done",
    "total"} items of the start evidence; None once something closes, when only a part is asked.
    """
    missing = shadow.out[s.INHIBIT_REASON]
    waiting = missing and shadow.out[s.STATE] not in (s.RUNNING, s.STOPPING)
    return {
        "state": s.STATES[shadow.out[s.STATE]],
        "waits_for": base.reason(reasons.inhibit_code(missing)) if waiting else None,
        "checklist": _checklist(shadow.out),
        "is_asked_to_run": bool(shadow.inp[s.RUN_REQUEST]),
        "rests": None
        if shadow.inp[s.RUN_REQUEST] or base.locked_out_by(shadow)
        else _rests(shadow),
        "resets_per_hour_max": base.cabinet_parameter(shadow, p.P_RESETS_PER_HOUR_MAX),
    }


def _rests(shadow):
    code, *name = shadow.inp[image.places(shadow.layout)["rest"]]
    return (
        {"why": RESTS.get(code, RESTS[run_request.PERSON]), "name": image.name_of(name)}
        if code
        else None
    )


def _checklist(out):
    at_rest = out[s.STATE] in (s.INHIBITED, s.READY)
    return {"done": out[s.EVIDENCE_COUNT], "total": out[s.EVIDENCE_TOTAL]} if at_rest else None
