"""`firebreak matrix` and `firebreak checklist`: the cause-and-effect matrix to read, to print, to
commission by.

Without a site: every row with its stages as the program has them. With one: the thresholds of that
site, and of each stage whether it is armed, done by others, or not fitted and accepted by whom. A
missing required row is named and ends in exit code 1; `check` and `run` refuse such a file.
"""

from controller.config import configuration
from controller.config.refusal import ConfigError
from controller.documents import (
    check,
    checklist,
    checklist_page,
    document,
    effect_words,
    matrix_facts,
    matrix_grid,
    matrix_tables,
)
from controller.rows import matrix_words
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT, say
from safety import matrix as m

FORM = cli.option(
    "--format",
    choices=("md", "html", "json", "grid-html", "grid-csv"),
    default="md",
    help="(%(default)s); grid: causes against outputs, to sign",
)
HEADERS = (
    "row",
    "stage",
    "cause",
    "trips at",
    "after",
    "clears at",
    "for",
    "reset",
    "effects",
    "numbers from",
)


def add(commands) -> None:
    """Add the commands to argparse's subparsers."""
    cli.add(
        commands,
        "matrix",
        _matrix,
        cli.option("--site", metavar="FILE", help="cabinet.toml (or the last layer there is)"),
        FORM,
    )
    site = cli.option("--site", metavar="FILE", required=True)
    cli.add(commands, "checklist", _checklist, site, document.FORM)


def _matrix(arguments):
    found, lines = _survey(arguments.site) if arguments.site else (None, [])
    facts = matrix_facts.facts(found, lines)
    if arguments.format == "grid-csv":
        print(matrix_grid.comma_separated(facts, check.today()))
    elif arguments.format == "grid-html":
        document.show("html", facts, lambda: matrix_grid.blocks(facts, check.today()))
    else:
        document.show(arguments.format, facts, lambda: matrix_blocks(facts, check.today()))
    return NOT_DONE if lines else DONE


def _checklist(arguments):
    found, lines = _survey(arguments.site)
    if lines:  # a checklist of a cabinet that may not be energised would only mislead
        return WRONG_INPUT
    facts = checklist.facts(found)
    document.show(arguments.format, facts, lambda: checklist_page.blocks(facts, check.today()))
    return DONE


def _survey(path):
    """(Config, lines of refusals, already printed)."""
    with cli.ends(WRONG_INPUT, ConfigError):
        found, lines = configuration.survey(path)
    for line in lines:
        say(line)
    return found, lines


def matrix_blocks(facts: dict, day: str | None = None) -> list:
    """The matrix as a document; day: as in site_blocks."""
    named = facts["site"]
    title = f"Cause-and-effect matrix{': ' + list(named['names'].values())[-1] if named else ''}"
    blocks = [
        document.Heading(1, title),
        *(matrix_tables.site_blocks(named, day) if named else _general_blocks()),
    ]
    rows = facts["rows"]
    table = document.Table(
        (*HEADERS[:2], "state", *HEADERS[2:]) if named else HEADERS,
        [cells for row in rows for cells in _cells(row, named)],
    )
    doubt = [str(row["row"]) for row in rows if row["is_unconfirmed"]]
    return [
        *blocks,
        document.Heading(
            2, f"Rows ({len(rows)}) and stages ({sum([len(row['stages']) for row in rows])})"
        ),
        table,
        *matrix_tables.row_blocks(rows),
        document.Text(
            f"Unconfirmed (?): the basis of rows {', '.join(doubt)} is from "
            f"general knowledge or "
            "cites a clause from memory; check it against a purchased copy "
            "before relying on it."
        ),
        *_reason_blocks(facts["reasons"]),
        *matrix_tables.taper_blocks(facts["tapers"]),
        *_conflict_blocks(facts["conflicts"], facts["breaker"], facts["fuse"]),
        *_reading_blocks(facts["readings"]),
    ]


def _reason_blocks(reasons):
    return [
        document.Heading(2, "Why the project chose its numbers"),
        document.Text(
            "Every number without a source is here. Chosen by the project as well: a power ramp "
            "of 2 s, derating to 50 and 25 %, the values in brackets for NMC cells (C11, between "
            "those of C6), and for how long a stage has to be clear. A site may only tighten."
        ),
        document.Table(("reason", "number"), reasons),
    ]


def _conflict_blocks(conflicts, breaker, fuse):
    rows = [
        (
            each["yields"],
            f"{each['row']}: {each['to']}",
            effect_words.conflict_words(each),
            each["basis"],
        )
        for each in conflicts
    ]
    to_gas = f"{breaker['row']}: {breaker['to']}"
    rows += [
        (breaker["yields"], to_gas, effect_words.breaker_words(breaker), breaker["basis"]),
        (fuse["yields"], f"no row: {fuse['to']}", effect_words.fuse_words(fuse), fuse["basis"]),
    ]
    return [
        document.Heading(2, "Effects that yield"),
        document.Text(
            "An effect that yields waits after the row named here, whichever row demands it: once "
            "only while that row is active or latched, and not again after a restart. Contactors "
            'wait for the fuse whichever row opens them, row 36 ("wait fuse rule") as any other; '
            "the hard-wired chain does not wait."
        ),
        document.Table(("effect", "yields to row", "for", "basis"), rows),
    ]


def _reading_blocks(found):
    return [
        document.Heading(2, "Where a stage was read otherwise than its row says"),
        document.Text(
            "The project's fact table (section 7) leaves a choice there, or the row is more than "
            "one stage. All other cells of these columns are taken letter for letter. A stage that "
            "the project adds has no cell there: it is compared with the last, strongest step of "
            "its row."
        ),
        document.Table(
            ("stage", "column", "read as"),
            [(each["stage"], each["column"], each["read_as"]) for each in found],
        ),
    ]


def _general_blocks():
    return [
        *matrix_tables.banner(None),
        document.Text(
            "Every row that this program evaluates, with the thresholds for LFP cells (NMC in "
            "brackets). A site may only tighten them. The site decides which rows are armed: give "
            "--site FILE."
        ),
        document.Text(
            "Rows 1 to 48 are those of the project's fact table. The project adds the rows from "
            "49 on and each stage marked (project): the clauses of its row do not require it, or "
            "give no number for it (38b, 40d). A letter with a number, as A47, is a key of the "
            "table of facts at the end."
        ),
    ]


def _cells(row, named):
    """The cells of a row, one tuple per stage."""
    return [tuple(_of_stage(row, stage, named)) for stage in row["stages"]]


def _of_stage(row, stage, named):
    trips, clears = stage["trips_at"], stage["clears_at"]
    if "nmc" in stage:
        trips += f" [{stage['nmc']['trips_at']}]"
        clears += f" [{stage['nmc']['clears_at']}]"
    source, cause, name = stage["numbers_from"], stage["cause"], stage["stage"]
    if "(?)" in source:
        source = document.Mark("doubt", source)
    if stage["scope"] != matrix_words.SCOPES[m.CABINET]:
        cause += f" (each {stage['scope']})"
    if stage["is_ours"]:
        name += " (project)"
    absent = map(effect_words.absent_words, stage["demands_not_fitted"])
    effects = "; ".join(filter(None, [", ".join(stage["demands"]), *absent]))
    return (
        str(row["row"]),
        name,
        *([matrix_tables.state_cell(stage["states"])] if named else []),
        cause,
        trips,
        _after(stage["debounce_ms"]),
        clears,
        _after(stage["clear_for_ms"]),
        stage["reset"],
        effects or stage.get("instead", ""),
        source,
    )


def _after(duration_ms):
    return "" if duration_ms is None else matrix_words.after(duration_ms)
