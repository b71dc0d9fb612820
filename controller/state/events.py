"""Events: from the recorder where there is one, else what the keyframes of the present journal
tell.
"""

from controller.core import reasons
from controller.record import history as h
from controller.record import utc
from controller.rows import reason_words
from controller.state import base, record
from safety import matrix as m

COUNT_MAX = 1000
WORDS = ("kind", "code", "scope", "text")
FROM_RECORD = "From the recorder."
FROM_JOURNAL = "No recorder: from the journal of this run, times since its start."


def facts(shadow, history, recorded):
    """The page `events` as plain data, oldest first; recorded: record.Record or None."""
    if recorded is not None:
        events = [
            {
                **event,
                **{name: event[name] or "" for name in WORDS},
                "utc_text": record.utc_text(event["utc_us"]),
            }
            for event in _in_order(recorded.events(COUNT_MAX))
        ]
        return {**base.head(shadow), "source": FROM_RECORD, "events": events}
    return {
        **base.head(shadow),
        "source": FROM_JOURNAL,
        "events": [_of_journal(event) for event in history.events],
    }


def _in_order(events):
    """Events as they happened; given as they were written. What a recorder finds in the journal
    after a gap is written later than what it has said about the gap: by the clock that nobody can
    set it finds its place.

    That clock begins anew with each boot, and the day may be set: no event moves beyond either.
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
    words = reason_words.text(code)[0]
    text = {
        h.BEGAN: f"{stage[m.S_ID]}: {words}",
        h.CEASED: f"{stage[m.S_ID]}: {words}: stands no more",
        h.FIRST_OUT: f"{stage[m.S_ID]}: {words} is the first-out",
    }[event["kind"]]
    return {
        "uptime_ms": event["uptime_ms"],
        "kind": event["kind"].partition("_")[0],
        "code": reasons.label(code),
        "scope": h.scope_of(name),
        "text": text,
    }
