"""Facts of the page `events`. Without a recorder, the events come from the keyframes of the
journal.
"""

from collections.abc import Iterable

from controller.core.base import reasons
from controller.journal import heard, history as h
from controller.journal.snapshot import Shadow
from controller.rows import reason_words
from controller.state import base, record
from controller.state.base import Facts
from controller.system import utc
from safety import matrix as m

WORDS = ("kind", "code", "scope", "text")
TAILS = {h.BEGAN: "", h.CEASED: ": no longer active or latched", h.FIRST_OUT: " is the first-out"}


def facts(shadow: Shadow, history: h.History, recorded: record.Record | None) -> Facts:
    """The page `events` as plain data, oldest first."""
    if recorded is None:
        source = "No recorder: from the journal of this run, times since its start."
        events = [_of_journal(event) for event in history.events]
    else:
        source, events = "From the recorder.", []
        for event in _in_order(recorded.events(1000)):
            texts = {name: event[name] or "" for name in WORDS}
            events.append({**event, **texts, "utc_text": record.utc_text(event["utc_us"])})
    return {**base.head(shadow), "source": source, "events": events}


def _in_order(events: Iterable[Facts]) -> list[Facts]:
    """Events sorted by uptime, because after a gap a recorder first writes a note about it, and
    then the late events of the journal.

    No event moves across a boot, where the uptime begins anew, or across a step of the clock.
    """
    parts: list[list[Facts]] = []
    before_us = None
    for event in events:
        offset_us = event["utc_us"] - 1000 * event["uptime_ms"]
        if before_us is None or abs(offset_us - before_us) > utc.STEP_US:
            parts.append([])
        parts[-1].append(event)
        before_us = offset_us
    return [event for part in parts for event in sorted(part, key=lambda event: event["uptime_ms"])]


def _of_journal(event: Facts) -> Facts:
    if event["kind"] == h.STATE:
        fields = {"kind": "state", "code": "", "scope": "cabinet", "text": event["state"]}
        return {"uptime_ms": event["uptime_ms"], **fields}
    instance = event["stage"]
    stage = base.stage_of(instance)
    name, sentence, _ = reason_words.stage_text(stage)
    if event.get("behind"):
        sentence = heard.named(sentence, event["behind"])
    text = f"{stage[m.S_ID]}: {name}" + (f". {sentence}" if event["kind"] == h.BEGAN else "")
    return {
        "uptime_ms": event["uptime_ms"],
        "kind": event["kind"].partition("_")[0],
        "code": reasons.label(reasons.ROW + stage[m.S_ROW]),
        "scope": h.scope_of(instance),
        "text": text + TAILS[event["kind"]],
    }
