"""Makes the parts that the documents of a site have in common. These are the head of the page, the
states and times of stages, and the tapers (power that falls before a stage trips).
"""

from collections.abc import Iterable, Sequence

from controller.config import (
    equipment as equipment_tables,
    hma,
    limit_images,
    stage_states,
    tapers,
    time_chain,
    wired,
)
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.documents.document import (
    Banner,
    Blocks,
    Cell,
    Columns,
    Facts,
    Heading,
    Mark,
    Table,
    Text,
    filled,
    section,
    table,
)
from controller.rows import matrix_words
from controller.store import proof_lines
from controller.system import clock
from safety import matrix as m, parameters as p
from safety.signals import RACK, UNIT

# Indexed by stage_states.ARMED, BY_BMS, NOT_FITTED, BY_PANEL, NOT_ASKED, NOT_REPORTED.
STATES = (
    "armed",
    "done by BMS, by its own limits",
    "not fitted",
    "armed, satisfied by the fire panel",
    "not asked for by the hazard analysis",
    "not available: ",
)

MISSING = "REQUIRED, NOT ARMED"
KINDS = {
    **dict.fromkeys((stage_states.ARMED, stage_states.BY_PANEL), "armed"),
    **dict.fromkeys((stage_states.BY_BMS, stage_states.NOT_ASKED), "other"),
    **dict.fromkeys((stage_states.NOT_FITTED, stage_states.NOT_REPORTED), "absent"),
}


def site_facts(config: Config, missing: Sequence[str] = ()) -> Facts:
    """Facts of a site for the head of a document. missing: lines of configuration.survey."""
    is_refused = bool(missing)
    return {
        "file": config.path,
        "names": dict(config.names),
        "limits_words": None if is_refused else len(config.safety_image),
        "limits_crc": None if is_refused else f"{p.image_crc(config.safety_image):08X}",
        "hma": {key: value for key, value in config.hma.items() if value is not None},
        "hard_wired_rows": wired.rows(config),
        "longer_by_tick": limit_images.longer_by_tick(config),
        "not_fitted": {name: who for name, who in config.topology.not_fitted.items() if who},
        "missing": list(missing),
    }


def times(stage: tuple, config: Config, schedule: Schedule) -> dict[str, int | None]:
    """The longest times of a stage. latest_ms: until power is zero, or until the outputs have
    switched. held_latest_ms: until the fan runs, if the fan waits for the extinguishing agent.
    """
    held = time_chain.held_chain(config, schedule, stage)
    return {
        "latest_ms": sum(part.time_ms for part in time_chain.chain(config, schedule, stage)),
        "held_latest_ms": sum(part.time_ms for part in held) if held else None,
    }


def tables(stage: tuple, config: Config | None) -> tuple[dict[str, int], ...]:
    """The parameters of every unit or rack, by the scope of the stage. () for the cabinet."""
    if not config:
        return ()
    return {UNIT: config.unit_tables, RACK: config.rack_tables}.get(stage[m.S_SCOPE], ())


def own_states(stage: tuple, config: Config) -> set[int]:
    """The states of a stage on all units or racks of the site."""
    return {
        stage_states.stage_state(stage, config.topology, index)[0]
        for candidate, index in stage_states.instances(config.topology)
        if candidate is stage
    }


def states(stage: tuple, config: Config) -> list[Facts]:
    """[{state, kind, where, equipment, accepted_by}] of a stage, with one entry for all racks or
    units that have the same state.
    """
    alike: dict[tuple[int, str], list[str]] = {}
    for candidate, index in stage_states.instances(config.topology):
        if candidate is stage:
            state = stage_states.stage_state(stage, config.topology, index)
            alike.setdefault(state, []).append(str(index + 1))
    scope = matrix_words.SCOPES[stage[m.S_SCOPE]]
    return [
        _state(config, *state, f"{scope} {' '.join(numbers)}" if len(alike) > 1 else "")
        for state, numbers in alike.items()
    ]


def _state(config: Config, state: int, equipment: str, where: str) -> Facts:
    who = stage_states.accepted(config.topology, equipment) if equipment else ""
    missing = state in stage_states.TO_ACCEPT and not who
    return {
        "state": MISSING if missing else _words(state, equipment),
        "kind": "missing" if missing else KINDS[state],
        "where": where,
        "equipment": equipment,
        "accepted_by": who,
    }


def _words(state: int, equipment: str) -> str:
    not_reported = state == stage_states.NOT_REPORTED
    return STATES[state] + (equipment_tables.not_reported(equipment) if not_reported else "")


def placed(state: Facts) -> str:
    """ "armed", or "armed (rack 1 2)" if the racks differ."""
    return state["state"] + (f" ({state['where']})" if state["where"] else "")


def taper_blocks(facts: list[Facts]) -> Blocks:
    """A section about the tapers. facts: result of tapers.facts."""
    columns: Columns = {
        "of the": "what",
        "power": "power",
        "falls": tapers.range_words,
        "listed at stage": lambda taper: taper["stage"] or "-",
        "basis": "basis",
    }
    paragraph = (
        "Limits that fall in a line from full power to none. They always act, with or without an "
        "active row. The weakest rack decides."
    )
    return section("Tapers", table(facts, columns), paragraph)


def row_blocks(rows: list[Facts]) -> Blocks:
    """A section with the source of each row. rows: from matrix_facts.facts."""
    codes = "; ".join(f"{code}: {meaning}" for code, meaning in matrix_words.CONFIDENCE.items())
    paragraph = (
        "The clause that asks for the row. The confidence of its numbers is beside each stage."
    )
    columns: Columns = {
        "row": "row",
        "what it is": "what",
        "source and clause": _source,
        "confidence": _confidence,
    }
    sources = table(rows, columns)
    return section("Source of each row", sources, f"{paragraph} {codes}.")


def _source(row: Facts) -> str:
    cited = [f"{fact['source']} ({fact['key']}, {fact['confidence']})" for fact in row["sources"]]
    return "; ".join(cited) or "the project's design"


def _confidence(row: Facts) -> Cell:
    sure: str = row["confidence"]
    return Mark("doubt", f"{sure} (?)") if row["is_unconfirmed"] else sure


def identity(site: Facts) -> str:
    """The file, the names of its layers, and its limit image."""
    names = "; ".join(f"{layer}: {name}" for layer, name in site["names"].items())
    image = "none, this file is refused and cannot run"
    if site["limits_crc"]:
        image = f"{site['limits_words']} words, CRC {site['limits_crc']}"
    return f"{site['file']} ({names}). Limit image: {image}."


def title(text: str, site: Facts | None) -> Heading:
    """The title of a document. site: result of `site_facts`, or None."""
    return Heading(1, f"{text}: {list(site['names'].values())[-1]}" if site else text)


def today() -> str:
    """UTC day by the clock of this box, for example 2026-03-14. The clock may be wrong."""
    return proof_lines.utc_text(clock.utc_us())[:10]


def banner(site: Facts | None) -> list[Banner]:
    """[Banner with reasons not to energise a cabinet], or []. site: as for `title`."""
    if site is None:
        return [Banner("NOT A SITE'S MATRIX. Nothing may be energised by this document.")]
    analysis = site["hma"], site["not_fitted"]
    reasons = [*hma.placeholder_lines(*analysis), *hma.ahead_lines(*analysis, today())]
    if site["missing"]:
        reasons.insert(0, f"required equipment is missing: {'; '.join(site['missing'])}")
    return [Banner(f"MUST NOT BE ENERGISED: {'; '.join(reasons)}.")] if reasons else []


def site_blocks(site: Facts) -> Blocks:
    """The head of every document about a site."""
    blocks: Blocks = [*banner(site), Text(identity(site))]
    if site["longer_by_tick"]:
        blocks.append(Text(matrix_words.longer_by_tick(site["longer_by_tick"])))
    if site["missing"]:
        missing = [(Mark("missing", line),) for line in site["missing"]]
        title = "Required and missing: no energisation"
        blocks += section(title, Table(("what",), missing))
    analysis = [(key, _plain(value)) for key, value in site["hma"].items()]
    blocks += section("Hazard mitigation analysis", Table(("fact", "value"), analysis))
    return blocks + not_fitted("Not fitted", site)


def not_fitted(title: str, site: Facts) -> Blocks:
    """A table of the equipment that is not fitted. site: result of `site_facts`."""
    return filled(title, ("equipment", "accepted by"), list(site["not_fitted"].items()))


def _plain(value: bool | int | str | Sequence) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def state_cell(stage: Facts) -> Cell:
    """ "armed (rack 1 2); not fitted (rack 3), accepted by: N. N.", coloured by the worst state."""
    states = stage.get("states")
    if not states:
        return ""
    who = [f"accepted by: {state['accepted_by']}" for state in states if state["accepted_by"]]
    kinds = [state["kind"] for state in states]
    worst = min(kinds, key=("missing", "absent", "other", "armed").index)
    return Mark(worst, "; ".join(map(placed, states)), "; ".join(dict.fromkeys(who)))


# columns of a table of stages that are not armed
NOT_ARMED: Columns = {"stage": "stage", "cause": "cause", "state": state_cell}


def stages_of(rows: Iterable[Facts]) -> list[Facts]:
    """The stages of rows, each with its row."""
    return [{**stage, "row": row["row"]} for row in rows for stage in row["stages"]]


def after(duration_ms: int | None) -> str:
    """A duration in words. "" for None."""
    return "" if duration_ms is None else matrix_words.after(duration_ms)
