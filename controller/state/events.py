"""Events: of the recorder, or without one of the keyframes of the present journal."""

from controller.core import reasons
from controller.journal import history as h
from controller.rows import reason_words
from controller.state import base, record
from controller.system import utc
from safety import matrix as m

WORDS = ("kind", "code", "scope", "text")
TAILS = {h.BEGAN: "", h.CEASED: ": no longer active or latched", h.FIRST_OUT: " is the first-out"}


def facts(shadow, history, recorded) -> dict:
    """The page `events` as plain data, oldest first; recorded: record.Record or None."""
    source = "No recorder: from the journal of this run, times since its start."
    events = [_of_journal(event) for event in history.events] if recorded is None else []
    if recorded is not None:
        source = "From the recorder."
        for event in _in_order(recorded.events(1000)):
            words = {name: event[name] or "" for name in WORDS}
            events.append({**event, **words, "utc_text": record.utc_text(event["utc_us"])})
    return {**base.head(shadow), "source": source, "events": events}


def _in_order(events):
    """Events as they happened. After a gap a recorder writes the events of the journal behind its
    words about the gap; the uptime restores the order.

    The uptime begins anew with each boot, and the day may be set: no event moves across either.
    """
    parts, before_us = [], None
    for event in events:
        offset_us = event["utc_us"] - 1000 * event["uptime_ms"]
        if before_us is None or abs(offset_us - before_us) > utc.STEP_US:
            parts.append([])
        parts[-1].append(event)
        before_us = offset_us
    return [event for part in parts for event in sorted(part, key=lambda event: event["uptime_ms"])]


def _of_journal(event):
    if event["kind"] == h.STATE:
        return {
            "uptime_ms": event["uptime_ms"],
            "kind": "state",
            "code": "",
            "scope": "cabinet",
            "text": event["state"],
        }
    name = event["stage"]
    stage = h.STAGES[name.partition(".")[0]]
    code = reasons.ROW + stage[m.S_ROW]
    own, sentence, _ = reason_words.stage_text(stage)
    words = f"{stage[m.S_ID]}: {own}" + f". {sentence}" * (event["kind"] == h.BEGAN)
    return {
        "uptime_ms": event["uptime_ms"],
        "kind": event["kind"].partition("_")[0],
        "code": reasons.label(code),
        "scope": h.scope_of(name),
        "text": words + TAILS[event["kind"]],
    }
