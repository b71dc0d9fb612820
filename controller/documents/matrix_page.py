"""Makes the cause-and-effect matrix as a document. For a site, the document has the site's
thresholds and the state of each stage. A stage is one threshold of a row.
"""

from controller.documents import document, effect_words, matrix_tables
from controller.documents.document import (
    Blocks,
    Cell,
    Columns,
    Facts,
    Heading,
    Mark,
    Table,
    Text,
    section,
)
from controller.rows import matrix_words
from safety.signals import CABINET


def blocks(facts: Facts) -> Blocks:
    """The matrix as a document. facts: result of matrix_facts.facts."""
    site = facts["site"]
    rows = facts["rows"]
    stages = matrix_tables.stages_of(rows)
    doubt = [str(row["row"]) for row in rows if row["is_unconfirmed"]]
    return [
        matrix_tables.title("Cause-and-effect matrix", site),
        *(matrix_tables.site_blocks(site) if site else _general_blocks()),
        Heading(2, f"Rows ({len(rows)}) and stages ({len(stages)})"),
        document.table(stages, _columns(site)),
        *matrix_tables.row_blocks(rows),
        Text(
            f"Unconfirmed (?): the basis of rows {', '.join(doubt)} is general knowledge or a "
            "clause cited from memory. Check it against a purchased copy before you rely on it."
        ),
        *_reason_blocks(facts["reasons"]),
        *matrix_tables.taper_blocks(facts["tapers"]),
        *_conflict_blocks(facts["conflicts"], facts["breaker"], facts["fuse"]),
        *_reading_blocks(facts["readings"]),
    ]


def _reason_blocks(reasons: list[tuple[str, str]]) -> Blocks:
    paragraph = (
        "This table has every number without a source. The project also chose: a power ramp of "
        "2 s, derating to 50 and 25 %, the values in brackets for NMC cells (C11, between those of "
        "C6), and how long a stage has to be clear. A site may only tighten them."
    )
    table = Table(("reason", "number"), reasons)
    return section("Why the project chose its numbers", table, paragraph)


def _conflict_blocks(conflicts: list[Facts], breaker: Facts, fuse: Facts) -> Blocks:
    rows = [
        (
            conflict["yields"],
            f"{conflict['row']}: {conflict['to']}",
            effect_words.conflict_words(conflict),
            conflict["basis"],
        )
        for conflict in conflicts
    ]
    to_gas = f"{breaker['row']}: {breaker['to']}"
    rows += [
        (breaker["yields"], to_gas, effect_words.breaker_words(breaker), breaker["basis"]),
        (fuse["yields"], f"no row: {fuse['to']}", effect_words.fuse_words(fuse), fuse["basis"]),
    ]
    paragraph = (
        "An effect that yields waits after the row in this table, for every row that demands it. "
        "It waits once while that row is active or latched, and not again after a restart. "
        'Contactors wait for the fuse for every row that opens them, row 36 ("wait fuse rule") '
        "included. The hard-wired chain does not wait."
    )
    table = Table(("effect", "yields to row", "for", "basis"), rows)
    return section("Effects that yield", table, paragraph)


def _reading_blocks(readings: list[Facts]) -> Blocks:
    paragraph = (
        "In these cells the project's fact table (section 7) leaves a choice, or the row has more "
        "than one stage. All other cells of these columns are copied letter for letter. The fact "
        "table has no cell for a stage that the project adds: this table compares the stage with "
        "the last, strongest step of its row."
    )
    title = "Stages that differ from their row of the fact table"
    columns = {"stage": "stage", "column": "column", "read as": "read_as"}
    return section(title, document.table(readings, columns), paragraph)


def _general_blocks() -> Blocks:
    return [
        *matrix_tables.banner(None),
        Text(
            "Every row that this program evaluates, with the thresholds for LFP cells (NMC in "
            "brackets). A site may only tighten them. The site decides which rows are armed: give "
            "--site FILE to see them."
        ),
        Text(
            "Rows 1 to 48 are from the project's fact table. The project adds the rows from 49 on "
            "and each stage marked (project): the clauses of its row do not require the stage, or "
            "give no number for it (38b, 40d). A letter with a number, for example A47, is a key "
            "of the table of facts at the end."
        ),
    ]


def _columns(site: Facts | None) -> Columns:
    """{header: its column} of the table of stages. site: facts of a site, or None."""
    state = {"state": matrix_tables.state_cell} if site else {}
    return {
        "row": "row",
        "stage": lambda stage: stage["stage"] + (" (project)" if stage["is_ours"] else ""),
        **state,
        "cause": _cause,
        "trips at": lambda stage: _with_nmc(stage, "trips_at"),
        "after": lambda stage: matrix_tables.after(stage["debounce_ms"]),
        "clears at": lambda stage: _with_nmc(stage, "clears_at"),
        "for": lambda stage: matrix_tables.after(stage["clear_for_ms"]),
        "reset": "reset",
        "effects": _effects,
        "numbers from": _source,
    }


def _cause(stage: Facts) -> str:
    is_of_cabinet = stage["scope"] == matrix_words.SCOPES[CABINET]
    return stage["cause"] + ("" if is_of_cabinet else f" (each {stage['scope']})")


def _with_nmc(stage: Facts, key: str) -> str:
    return stage[key] + (f" [{stage['nmc'][key]}]" if "nmc" in stage else "")


def _effects(stage: Facts) -> str:
    absent = map(effect_words.absent_words, stage["demands_not_fitted"])
    effects = "; ".join(filter(None, [", ".join(stage["demands"]), *absent]))
    return effects or stage.get("instead", "")


def _source(stage: Facts) -> Cell:
    source: str = stage["numbers_from"]
    return Mark("doubt", source) if "(?)" in source else source
