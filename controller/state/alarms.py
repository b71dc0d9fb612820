"""Facts of the page `alarms`: rows by danger, first-out, checks, conditions of reset and start."""

from controller.core import image
from controller.core.base import reasons, standby
from controller.journal.history import History
from controller.journal.snapshot import Shadow
from controller.state import base, propagation, record, rows
from controller.state.base import Facts
from controller.state.reset_code import code_of, command_of
from safety import latches as l, matrix as m, parameters as p, signals as s

STANDBY = {  # why the cabinet is in standby
    standby.PERSON: "person",
    standby.TEST: "test",
    standby.LOCK_OUT: "lock-out",
    standby.UNKNOWN: "unknown",
    standby.ROW: "row",
    standby.RESTART: "restart",
    standby.STORE: "store",
    standby.SIGN: "sign test",
}
CAUSES = ("first_out", "cause_mask", *image.PEER)  # a reset must name these numbers


def facts(
    shadow: Shadow,
    history: History,
    recorded: record.Record | None = None,
    replacing: list[str] | None = None,
) -> Facts:
    """The page `alarms` as plain data. recorded: gives the start of a row that is older than the
    journal; replacing: see proof_tests.facts.
    """
    standing = [rows.row_of(shadow, name, history) for name in shadow.standing]
    for row in standing:
        row["began_text"] = _recorded_begin(row, recorded) if row["began_ms"] is None else None
    first = shadow.stage_names[shadow.first_out] if shadow.first_out >= 0 else None
    ordered = rows.by_danger(standing)
    return {
        **base.head(shadow),
        "standing": ordered,
        "replacing": replacing or [],
        "first_out": first,
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
        "check": _remedies(ordered),
        "reset": reset(shadow, ordered),
        "start": start(shadow),
        "cells_are_live": True,
        "propagation": propagation.facts(shadow, history),
    }


def _recorded_begin(row: Facts, recorded: record.Record | None) -> str | None:
    """When the recorder saw this row begin, as text; None when unknown."""
    scope = row["instance"].partition(".")[2] or "cabinet"
    event = recorded.began(row["stage"], scope) if recorded else None
    return record.utc_text(event["utc_us"], event["utc_source"]) if event else None


def _remedies(ordered: list[Facts]) -> list[Facts]:
    """[{rows: [stage, ...], remedy}]: the remedies in the order of the rows, without repeats."""
    by_remedy: dict[str, list[str]] = {}
    for row in ordered:
        by_remedy.setdefault(row["reason"]["remedy"], []).append(row["stage"])
    return [{"rows": stages, "remedy": remedy} for remedy, stages in by_remedy.items()]


def reset(shadow: Shadow, standing: list[Facts]) -> Facts:
    """The conditions of a reset now.

    needs: the kind of reset: None (nothing is latched), "remote" or "key". waits: latched instances
    whose cause has not been gone for long enough. due_ms: the time that is still missing; None: the
    cause is still active. result: what a reset of this kind would give now, in this channel.
    """
    left, allowed = shadow.core.facts.resets()
    latched = [row for row in standing if row["is_latched"]]
    needs, result = rows.needed([row["reset"] for row in latched], None), l.NOTHING
    if needs:
        kind = m.KEY if needs == "key" else m.REMOTE
        result = shadow.core.facts.verdict(kind, shadow.first_out, shadow.cause_mask)
    return {
        "needs": needs,
        "left": left,
        "allowed": allowed,
        "next_token_ms": next_token_ms(shadow),
        **dict(zip(CAUSES, shadow.causes)),
        **needed_reset(shadow, standing),
        "result": l.RESULTS[result],
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


def needed_reset(shadow: Shadow, standing: list[Facts]) -> Facts:
    """{code, command} of the reset that is needed now; both are None if none is needed. Only
    command is None while the key must be turned first.
    """
    needed = rows.needed([row["reset"] for row in standing], rows.channel_b(shadow))
    code = code_of(shadow.causes) if needed else None
    return {
        "code": code,
        "command": code and command_of(code, needed == "key", rows.is_key_out(shadow)),
    }


def next_token_ms(shadow: Shadow) -> int | None:
    """Time until one more remote reset is allowed, ms; None if all are left or none is allowed."""
    back_ms, (_, allowed) = shadow.core.facts.tokens_back_ms(), shadow.core.facts.resets()
    wait = len(back_ms) - allowed + 1  # tokens that must come back before a reset is allowed
    return back_ms[max(0, wait - 1)] if back_ms and allowed else None


def start(shadow: Shadow) -> Facts:
    """The conditions of a start.

    rests: why the cabinet is in standby (a text of STANDBY), and the name of the person if a
    lock-out that has ended is the reason. rests is None while the cabinet is asked to run or is
    locked out. sign_held: units (from 1) whose missing sign test prevents a start. checklist: None
    once a contactor closes.
    """
    out, state, missing = shadow.out, shadow.out[s.STATE], shadow.out[s.INHIBIT_REASON]
    waiting = missing and state not in (s.RUNNING, s.STOPPING)
    is_asked = bool(shadow.inp[s.RUN_REQUEST])
    places = image.places(shadow.layout, ())
    code, *name = shadow.inp[places["rest"]]
    (held,) = shadow.inp[places["sign_held"]]
    rests = {"why": STANDBY.get(code, STANDBY[standby.PERSON]), "name": image.name_of(name)}
    checklist = {"done": out[s.EVIDENCE_COUNT], "total": out[s.EVIDENCE_TOTAL]}
    return {
        "state": s.STATES[state],
        "waits_for": base.reason(reasons.inhibit_code(missing)) if waiting else None,
        "checklist": checklist if state in (s.INHIBITED, s.READY) else None,
        "is_asked_to_run": is_asked,
        "rests": rests if code and not is_asked and not base.locked_out_by(shadow) else None,
        "sign_held": [unit + 1 for unit in range(shadow.layout.units) if held >> unit & 1],
        "resets_per_hour_max": shadow.core.facts.cabinet_parameter(p.P_RESETS_PER_HOUR_MAX),
    }
