"""Says in words what the controller does when a stage of the cause-and-effect matrix is active, for
example "contactors open". A stage is one threshold of a row. For one site, the words also
give how long an effect waits, which output the site lacks, and how power is reduced (tapers).
"""

from controller.config import equipment, tapers, time_chain
from controller.config.cabinet_config import Config
from controller.documents.document import Facts
from controller.rows import matrix_words
from controller.rows.records import ROWS
from safety import matrix as m, opening

_WORDS = dict(matrix_words.EFFECTS)  # {demand: the words of each level}


def effects(stage: tuple, config: Config | None = None) -> list[str]:
    """Words for each effect of a stage. An effect whose output is not fitted is left out (see
    `absent`). config: the configuration of a site, or None for words without the site's numbers.
    """
    absent_effects = [fact["effect"] for fact in absent(stage, config)]
    texts = [
        _held(stage, demand, config) if config else demand
        for demand in matrix_words.demands(stage)
        if demand not in absent_effects
    ]
    return texts + [
        tapers.words(fact) for fact in tapers.facts(config) if fact["stage"] == stage[m.S_ID]
    ]


def absent(stage: tuple, config: Config | None = None) -> list[dict[str, str]]:
    """[{effect, equipment, accepted_by}] of the effects of a stage that this site cannot produce,
    because the output is not fitted.

    accepted_by is "" if no person has accepted this. Such a file is refused.
    """
    if not config:
        return []
    demand = stage[m.S_DEMAND]
    pairs = [
        (_WORDS[index][demand[index]], equipment.of_signal(output)[0])
        for index, output in time_chain.OUTPUTS
        if demand[index] and config.topology.driven(output) is None
    ]
    return [
        {"effect": effect, "equipment": name, "accepted_by": config.topology.not_fitted[name]}
        for effect, name in pairs
    ]


def absent_words(fact: dict[str, str]) -> str:
    """Words such as "shunt trip upstream: not fitted, accepted by N. N.: a fuse upstream"."""
    return f"{fact['effect']}: " + (
        f"not fitted, accepted by {fact['accepted_by']}"
        if fact["accepted_by"]
        else "REQUIRED, NOT FITTED"
    )


def _held(stage: tuple, effect: str, config: Config) -> str:
    """Words such as "fan on after 30 s (agent hold-off: A32, D1, D2)" if the effect waits."""
    for demand, _, _, clause in m.CONFLICTS:
        waits_ms = time_chain.hold_off_ms(config, stage, demand)
        if waits_ms and effect in _WORDS[demand]:
            return (
                f"{effect} after {matrix_words.after(waits_ms)} ({matrix_words.HOLD_OFF}: {clause})"
            )
    return effect


def conflicts(config: Config | None = None) -> list[Facts]:
    """The facts of the table of conflicts: which effect waits for which row, and for how long."""
    return [
        {
            "yields": _WORDS[demand][1],
            "row": row,
            "to": ROWS[row].what,
            "parameter": key,
            "basis": clause,
            "hold_off_ms": config.cabinet[key] if config else None,
        }
        for demand, row, key, clause in m.CONFLICTS
    ]


def fuse(config: Config | None = None) -> Facts:
    """The facts of the wait for the fuse. Contactors cannot break a current above their breaking
    current, so they stay closed until the fuse has blown or the longest wait has passed.
    """
    breaks_mA = (
        sorted({table["break_current_mA"] for table in config.rack_tables}) if config else None
    )
    return {
        "yields": "contactors open",
        "to": "the fuse, while a rack carries more than its contactors break",
        "parameter": "fuse_wait_ms",
        "basis": "C65",
        "break_current_mA": breaks_mA,
        "wait_ms_max": config.cabinet["fuse_wait_ms"] if config else None,
    }


def breaker(config: Config | None = None) -> Facts:
    """The facts of the wait for the breaker. During row 12 (combustible gas) an arc of a contactor
    could ignite the gas, so rows 1 to 3 wait before they open contactors under current.
    """
    stages: tuple[tuple, ...] = m.STAGES
    rows = sorted({stage[m.S_ROW] for stage in stages if stage[m.S_DEMAND][m.D_REMOVAL]})
    return {
        "yields": f"contactors open (rows {', '.join(map(str, rows))})",
        "row": 12,
        "to": ROWS[12].what,
        "basis": "; ".join(ROWS[row].basis for row in (*rows, 12)),
        "breaker": config.hma["breaker"] if config else None,
        "breaker_ms": opening.BREAKER_MS,
        "wait_ms_max": opening.REMOVAL_MS,
    }


def breaker_words(fact: Facts) -> str:
    """ "at most 4 s; under current the converter's AC breaker trips after 1 s"."""
    name = equipment.BREAKERS.get(fact["breaker"], "the breaker named by [hma] breaker")
    delay, last = (matrix_words.after(fact[key]) for key in ("breaker_ms", "wait_ms_max"))
    return f"at most {last}; under current {name} trips after {delay}"


def fuse_words(fact: Facts) -> str:
    """ "at most 30 s, above 300 A". Without a site, the keys that set these numbers."""
    if fact["wait_ms_max"] is None:
        return f"at most {fact['parameter']} of [cabinet], above break_current_mA of the rack"
    breaks = " or ".join(f"{breaks_mA / 1000:g} A" for breaks_mA in fact["break_current_mA"])
    return f"at most {matrix_words.after(fact['wait_ms_max'])}, above {breaks}"


def conflict_words(conflict: Facts) -> str:
    """How long the effect of a conflict waits: a time, never, or the key that sets the time."""
    held_ms = conflict["hold_off_ms"]
    if held_ms is None:
        return (
            f"{conflict['parameter']} of [cabinet] (0 unless the type gives a time, and its "
            "reason under [hma])"
        )
    return matrix_words.after(held_ms) if held_ms else "not at all: venting wins"
