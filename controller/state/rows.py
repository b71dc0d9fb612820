"""Facts about active or latched rows of the cause-and-effect matrix: start, demands, reset."""

from collections.abc import Iterable

from controller.core import image
from controller.core.base import reasons
from controller.journal import heard
from controller.journal.history import CODES, History, scope_of
from controller.journal.snapshot import Shadow, Snapshot
from controller.rows import danger, facts, reason_words
from controller.rows.records import BY_ID, ROWS
from controller.run import peer_words, self_test
from controller.state import base
from controller.state.base import Facts
from safety import matrix as m, parameters as p, signals as s

RESETS = ("self", "remote", "key")  # in the order of the codes of a stage's latch
# {feature of history.CODES: function that gives the code in words}
SENTENCES = {m.F_PEER_CODE: peer_words.sentence, m.F_SELF_TEST_BITS: self_test.sentence}


def words_of(name: str) -> tuple[str, str, str]:
    """(name, sentence, remedy) of the stage of an instance."""
    return reason_words.stage_text(base.stage_of(name))


def channel_b(seen: Snapshot) -> Facts | None:
    """{stage, name, reset} of the first-out of channel B; None: B has no first-out."""
    if seen.causes[base.PEER_FIRST_OUT :] == image.PEER_EMPTY:
        return None
    stage = peer_words.stage_in_b(seen.causes[base.PEER_FIRST_OUT])
    if stage is None:
        return {"stage": "?", "name": "not of this version", "reset": "unknown"}
    return {
        "stage": stage[m.S_ID],
        "name": words_of(stage[m.S_ID])[0],
        "reset": RESETS[stage[m.S_LATCH]],
    }


def needed(resets: Iterable[str], in_b: Facts | None) -> str | None:
    """The reset that both channels wait for: None, "remote" or "key".

    in_b: see channel_b. If the first-out of B resets itself, a remote reset is still needed: B does
    not report the rows behind it, and one may be latched.
    """
    all_resets = {*resets}
    if in_b:
        all_resets.add(in_b["reset"])
    if "key" in all_resets:
        return "key"
    return "remote" if "remote" in all_resets or in_b else None


def is_key_out(seen: Snapshot) -> bool:
    """True if the last reading of the key switch, which may be stale, was out of RUN."""
    fitted = seen.reader.header["safety_image"][len(p.HEADER) + p.P_KEY_SERVICE_FITTED]
    return not seen.inp[s.KEY_RUN_OK] and bool(not fitted or seen.inp[s.KEY_SERVICE_CLOSED])


def row_of(shadow: Shadow, name: str, history: History) -> Facts:
    """Everything about one instance. began_ms None: unknown; devices: the devices that cause it
    now, or caused it at first.
    """
    index = shadow.stage_names.index(name)
    stage = base.stage_of(name)
    kernel, devices = shadow.core.facts, shadow.reader.header.get("devices", [])
    behind = heard.behind(devices, shadow.inp, kernel, stage) or history.began_behind.get(name, [])
    return {
        "stage": stage[m.S_ID],
        "row": stage[m.S_ROW],
        "scope": scope_of(name),
        "instance": name,
        "devices": behind,
        "where": ", ".join(behind) or scope_of(name),
        "reason": _reason(shadow, stage, history.began_code.get(name, 0)),
        "reset": RESETS[stage[m.S_LATCH]],
        "is_active": kernel.is_active(index),
        "is_latched": kernel.is_latched(index),
        "began_ms": history.began_ms.get(name),
        "clear_for_ms": kernel.clear_for_ms(index),
        "reset_clear_ms": kernel.reset_clear_ms(),
        "demands": demands_of(stage),
        "effect": effect(stage),
        "danger": danger.NAMES[danger.level(stage)],
        "source": facts.sources(ROWS[stage[m.S_ROW]].basis),
    }


def by_danger(rows: list[Facts]) -> list[Facts]:
    """Rows of `row_of`, the most dangerous first, then the oldest. Unknown counts as oldest."""
    return sorted(
        rows,
        key=lambda row: (
            danger.order(BY_ID[row["stage"]]),
            -1 if row["began_ms"] is None else row["began_ms"],
        ),
    )


def _reason(shadow: Shadow, stage: tuple, began_code: int) -> Facts:
    """See `reason_of`. For channel B and the self-test the sentence names the present cause, or the
    first cause if there is none now.
    """
    reason, feature = reason_of(stage), stage[m.S_FEATURE]
    if stage[m.S_SCOPE] == s.CABINET and feature in SENTENCES:
        sentence = SENTENCES[feature]
        now = sentence(base.cabinet_value(shadow, CODES[feature]) or 0)
        at_first = sentence(began_code)
        reason["sentence"] = now or (at_first and f"At first: {at_first}") or reason["sentence"]
    return reason


def reason_of(stage: tuple) -> Facts:
    """{code, label, name, sentence, remedy} with the code of the row and the words of the stage."""
    return base.reason_facts(reasons.ROW + stage[m.S_ROW], *reason_words.stage_text(stage))


def demands_of(stage: tuple) -> dict[str, int]:
    """{output: level} of the demands of a stage, without demands of level 0."""
    return {name: level for name, level in zip(m.DEMANDS, stage[m.S_DEMAND]) if level}


def effect(stage: tuple) -> str:
    """The effect of a stage on the power, in a few words."""
    demand = stage[m.S_DEMAND]
    effects = []
    if demand[m.D_PCS]:
        effects.append("stop" if demand[m.D_PCS] >= m.PCS_STOP else "ramp to zero")
    if demand[m.D_DC] >= m.DC_OPEN_AT_ZERO:
        effects.append("open")
    elif not effects:
        derate_pct = max(demand[m.D_CHARGE_DERATE_PCT], demand[m.D_DISCHARGE_DERATE_PCT])
        levels = {
            "no charge": demand[m.D_CHARGE_INHIBIT],
            "no discharge": demand[m.D_DISCHARGE_INHIBIT],
            f"{100 - derate_pct} % power": derate_pct,
            "no start": demand[m.D_DC],
        }
        effects = [text for text, level in levels.items() if level]
    return ", ".join(effects) or "warning"


def rows_demanding(seen: Snapshot, demand: int, level: int) -> list[Facts]:
    """[{stage, row, scope, name, remedy}] of instances whose demand has this level or more."""
    stages = {name: base.stage_of(name) for name in seen.standing}
    return [
        {
            "stage": stage[m.S_ID],
            "row": stage[m.S_ROW],
            "scope": scope_of(name),
            "name": words_of(name)[0],
            "remedy": words_of(name)[2],
        }
        for name, stage in sorted(stages.items(), key=lambda pair: danger.order(pair[1]))
        if stage[m.S_DEMAND][demand] >= level
    ]


def tripped_and_warning(standing: Iterable[str]) -> tuple[set[int], set[int]]:
    """({row that stops power}, {row that only warns}) of names of stage instances."""
    tripped: set[int] = set()
    warning: set[int] = set()
    for name in standing:
        stage = base.stage_of(name)
        demand = stage[m.S_DEMAND]
        stops = demand[m.D_PCS] >= m.PCS_RAMP or demand[m.D_DC] >= m.DC_OPEN_AT_ZERO
        (tripped if stops else warning).add(stage[m.S_ROW])
    return tripped, warning - tripped


def armed_count(shadow: Shadow) -> tuple[int, int]:
    """(rows with an armed stage instance, rows of the matrix)."""
    names = enumerate(shadow.stage_names)
    is_armed = shadow.core.facts.is_armed
    armed = {base.stage_of(name)[m.S_ROW] for index, name in names if is_armed(index)}
    return len(armed), len({stage[m.S_ROW] for stage in m.STAGES})
