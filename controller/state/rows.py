"""The rows of the cause-and-effect matrix: which stand, since when, what they demand, what resets
them.
"""

from controller.core import image, reasons
from controller.record.history import CODES, STAGES, scope_of
from controller.rows import reason_words
from controller.run import peer_words, self_test
from controller.state import base
from safety import matrix as m
from safety import signals as s

RESETS = ("self", "remote", "key")  # by the latch of a stage
# what history.CODES say
SENTENCES = {m.F_PEER_CODE: peer_words.sentence, m.F_SELF_TEST_BITS: self_test.sentence}


def words_of(name):
    """(name, sentence, remedy) of the stage of an instance."""
    return reason_words.stage_text(STAGES[name.partition(".")[0]])


def channel_b(seen):
    """What stands in the second channel: {stage, name, reset} of its first-out, None when nothing
    does.

    seen: snapshot.Snapshot.
    """
    first_out, mask = seen.causes[2:]
    if (first_out, mask) == image.PEER_EMPTY:
        return None
    stage = peer_words.stage_in_b(first_out)
    if stage is None:
        return {"stage": "?", "name": "not of this version", "reset": "unknown"}
    return {
        "stage": stage[m.S_ID],
        "name": words_of(stage[m.S_ID])[0],
        "reset": RESETS[stage[m.S_LATCH]],
    }


def needed(resets, in_b):
    """Which reset both channels wait for: None, "remote" or "key".

    resets: words of RESETS of what stands here (what latches and stands is latched); in_b: of
    channel_b, which names its first-out alone, so that something else may be latched behind one
    that goes by itself.
    """
    found = {*resets, *([in_b["reset"]] if in_b else [])}
    if "key" in found:
        return "key"
    return "remote" if "remote" in found or in_b else None


def is_key_out(seen):
    """The key switch was out of RUN when it was last heard; the kernel asks too whether that is
    known now.
    """
    return not seen.inp[s.KEY_RUN_OK]


def row_of(shadow, name, began_ms, began_code=0):
    """Everything about one standing instance.

    began_ms: uptime of its beginning, None when nobody knows; began_code: of history.History, 0
    where it has none.
    """
    index = shadow.stage_names.index(name)
    stage = STAGES[name.partition(".")[0]]
    evaluator, latches = shadow.core.kernel.evaluator, shadow.core.kernel.latches
    clear_ticks = evaluator.clear_count[index]
    return {
        "stage": stage[m.S_ID],
        "row": stage[m.S_ROW],
        "scope": scope_of(name),
        "instance": name,
        "reason": _reason(shadow, stage, began_code),
        "reset": RESETS[stage[m.S_LATCH]],
        "is_active": bool(evaluator.active[index]),
        "is_latched": bool(evaluator.latched[index]),
        "began_ms": began_ms,
        "clear_for_ms": 0 if evaluator.active[index] else clear_ticks * base.tick_ms(shadow),
        "reset_clear_ms": latches.clear_ticks * base.tick_ms(shadow),
        "demands": demands_of(stage),
        "effect": effect(stage),
    }


def _reason(shadow, stage, began_code):
    """As reason_of; the rows of second channel and self-test say what they name now, else what they
    named at first.
    """
    found = reason_of(stage)
    if stage[m.S_SCOPE] == s.CABINET and stage[m.S_FEATURE] in SENTENCES:
        sentence, code = (
            SENTENCES[stage[m.S_FEATURE]],
            base.cabinet_value(shadow, CODES[stage[m.S_FEATURE]]) or 0,
        )
        at_first = sentence(began_code)
        found["sentence"] = (
            sentence(code) or (at_first and f"At first: {at_first}") or found["sentence"]
        )
    return found


def reason_of(stage):
    """{code, label, name, sentence, remedy}: the code of the row, the words of the stage."""
    name, sentence, remedy = reason_words.stage_text(stage)
    return {
        **base.reason(reasons.ROW + stage[m.S_ROW]),
        "name": name,
        "sentence": sentence,
        "remedy": remedy,
    }


def demands_of(stage):
    """{output: level} of what a stage asks for, without the levels 0."""
    return {name: level for name, level in zip(m.DEMANDS, stage[m.S_DEMAND]) if level}


def effect(stage):
    """What a stage does to the power, in a few words."""
    demand = stage[m.S_DEMAND]
    words = []
    if demand[m.D_PCS]:
        words.append("stop" if demand[m.D_PCS] >= m.PCS_STOP else "ramp to zero")
    if demand[m.D_DC] >= m.DC_OPEN_AT_ZERO:
        words.append("open")
    elif not words:
        words += ["no charge"] * bool(demand[m.D_CHARGE_INHIBIT])
        words += ["no discharge"] * bool(demand[m.D_DISCHARGE_INHIBIT])
        derate = max(demand[m.D_CHARGE_DERATE_PCT], demand[m.D_DISCHARGE_DERATE_PCT])
        words += [f"{100 - derate} % power"] * bool(derate) + ["no start"] * bool(demand[m.D_DC])
    return ", ".join(words) or "warning"


def rows_demanding(shadow, demand, level):
    """[{stage, row, scope, name, remedy}] of the standing instances that ask for this level of a
    demand or more.
    """
    found = []
    for name in shadow.standing:
        stage = STAGES[name.partition(".")[0]]
        if stage[m.S_DEMAND][demand] >= level:
            words = words_of(name)
            found.append(
                {
                    "stage": stage[m.S_ID],
                    "row": stage[m.S_ROW],
                    "scope": scope_of(name),
                    "name": words[0],
                    "remedy": words[2],
                }
            )
    return found


def tripped_and_warning(standing):
    """({row that stops power}, {row that only warns}) of the names of the stage instances that
    stand.
    """
    tripped, warning = set(), set()
    for name in standing:
        stage = STAGES[name.partition(".")[0]]
        demand = stage[m.S_DEMAND]
        stops = demand[m.D_PCS] >= m.PCS_RAMP or demand[m.D_DC] >= m.DC_OPEN_AT_ZERO
        (tripped if stops else warning).add(stage[m.S_ROW])
    return tripped, warning - tripped


def armed_count(shadow):
    """Armed stage instances of the matrix's rows, as (armed rows, rows of the matrix that are built
    in).
    """
    armed = set()
    image, first = shadow.core.safety_image, shadow.core.kernel.bounds.map.armed
    for index, name in enumerate(shadow.stage_names):
        if image[first + index]:
            armed.add(STAGES[name.partition(".")[0]][m.S_ROW])
    return len(armed), len({stage[m.S_ROW] for stage in m.STAGES})
