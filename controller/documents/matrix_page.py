"""`firebreak matrix` and `firebreak checklist`: the cause-and-effect matrix to read, to print, to
commission by.

Without a site: every row with its stages as the program has them. With one: the thresholds of that
site, and of each stage whether it is armed, done by somebody else, or not fitted and accepted by
whom. A required row that is missing is named and ends in exit code 1; such a file never runs,
`firebreak check` and `firebreak run` refuse it.
"""

from controller.documents import check, checklist, document, effect_words, matrix_tables
from controller.rows import matrix_words, readings, reason_words
from controller.rows.records import ROWS, STAGES, by_row
from controller.site import bus_times, config, schema, stage_states, tapers, thresholds
from controller.site.refusal import ConfigError
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT, ascii_only, say
from safety import matrix as m

# Of a stage that no rack has armed because its BMS does not tell what it looks at: nothing of this
# program acts there.
NOTHING_OF_OURS = {
    "set": None,
    "clear": None,
    "debounce_ms": None,
    "clear_for_ms": None,
    "trips_at": "",
    "clears_at": "",
    "reset": "",
    "demands": [],
    "demands_not_fitted": [],
    "latest_ms": None,
    "held_latest_ms": None,
}


def add(commands):
    """Add the commands to argparse's subparsers."""
    matrix = commands.add_parser("matrix")
    matrix.add_argument("--site", metavar="FILE", help="cabinet.toml (or the last layer there is)")
    matrix.add_argument("--format", choices=document.FORMATS, default="md", help="(%(default)s)")
    matrix.set_defaults(run=_matrix)
    listing = commands.add_parser("checklist")
    listing.add_argument("--site", metavar="FILE", required=True)
    listing.add_argument("--format", choices=document.FORMATS, default="md", help="(%(default)s)")
    listing.set_defaults(run=_checklist)


def _matrix(arguments):
    found, lines, code = _survey(arguments.site)
    if code == WRONG_INPUT:
        return code
    facts = matrix_facts(found, lines)
    document.show(arguments.format, facts, lambda: matrix_blocks(facts, check.today()))
    return code


def _checklist(arguments):
    found, lines, code = _survey(arguments.site)
    if code:  # a checklist of a cabinet that may not be energised would only mislead
        return WRONG_INPUT
    facts = checklist.facts(found)
    document.show(arguments.format, facts, lambda: checklist.blocks(facts, check.today()))
    return DONE


def _survey(path):
    """(Config or None, lines of refusals, exit code); what is wrong has been said."""
    if path is None:
        return None, [], DONE
    try:
        found, lines = config.survey(path)
    except ConfigError as error:
        say(ascii_only(error))
        return None, [], WRONG_INPUT
    for line in lines:
        say(ascii_only(line))
    return found, lines, NOT_DONE if lines else DONE


# -- facts


def matrix_facts(found=None, lines=()):
    """The matrix as plain data. found: Config of a site or None; lines: of config.survey."""
    schedule = bus_times.schedule(found) if found else None
    rows = [_row(row, stages, found, schedule) for row, stages in by_row().items()]
    facts = {
        "site": None,
        "rows": rows,
        "conflicts": effect_words.conflicts(found),
        "fuse": effect_words.fuse(found),
        "tapers": tapers.facts(found),
        "readings": readings.facts(),
    }
    if found:
        facts["site"] = matrix_tables.site(found, lines)
    return facts


def _row(row, stages, found, schedule):
    code, meaning = matrix_words.confidence(row)
    return {
        "row": row,
        "what": ROWS[row].what,
        "basis": ROWS[row].basis,
        "confidence": code,
        "confidence_means": meaning,
        "is_unconfirmed": code == "G" or "(?)" in ROWS[row].basis,
        "is_ours": row >= readings.OURS_FROM,
        "stages": [_stage(stage, found, schedule) for stage in stages],
    }


def _stage(stage, found, schedule):
    name, sentence, remedy = reason_words.stage_text(stage)
    basis, confidence = readings.basis(stage)
    facts = {
        "stage": stage[m.S_ID],
        "is_ours": readings.is_ours(stage),
        "basis": basis,
        "confidence": confidence,
        "scope": matrix_words.SCOPES[stage[m.S_SCOPE]],
        "cause": matrix_words.cause(stage),
        **_numbers(stage, found),
        "reset": matrix_words.RESETS[stage[m.S_LATCH]],
        "demands": effect_words.effects(stage, found),
        "demands_not_fitted": effect_words.absent(stage, found),
        "name": name,
        "sentence": sentence,
        "remedy": remedy,
    }
    return _of_site(facts, stage, found, schedule) if found else facts


def _of_site(facts, stage, found, schedule):
    """What a site adds to the facts of a stage, or takes from them where its BMS keeps to itself
    what it looks at.
    """
    facts |= {
        "states": matrix_tables.states(stage, found),
        **matrix_tables.times(stage, found, schedule),
        "instead": "",
    }
    own = {
        stage_states.stage_state(each, found.topology, index)[0]
        for each, index in stage_states.instances(found.topology)
        if each is stage
    }
    if own == {stage_states.BY_BMS}:
        return (
            facts
            | NOTHING_OF_OURS
            | {"trips_at": "by the BMS's own limits", "instead": STAGES[stage[m.S_ID]].by_bms}
        )
    if own == {stage_states.NOT_TOLD}:
        return (
            facts
            | NOTHING_OF_OURS
            | {"instead": f"nobody does it: {STAGES[stage[m.S_ID]].by_nobody}"}
        )
    return facts


def _numbers(stage, found):
    """Threshold and debounce, of the matrix (with those of NMC cells where they differ) or of the
    site.
    """
    if found:
        level, clear, set_ticks, clear_ticks = found.stage_words[stage[m.S_ID]]
        set_ms, clear_ms = set_ticks * found.tick_ms, clear_ticks * found.tick_ms
    else:
        level, clear = stage[m.S_SET], stage[m.S_CLEAR]
        set_ms, clear_ms = stage[m.S_SET_MS], stage[m.S_CLEAR_MS]
    facts = {
        "trips_at": matrix_words.trips_at(stage, level, matrix_tables.tables(stage, found)),
        "set": level,
        "debounce_ms": set_ms,
        "clears_at": matrix_words.clears_at(stage, clear),
        "clear": clear,
        "clear_for_ms": clear_ms,
    }
    other = thresholds.levels(stage, schema.NMC)
    if not found and other != (level, clear):
        facts["nmc"] = {
            "trips_at": matrix_words.trips_at(stage, other[0]),
            "clears_at": matrix_words.clears_at(stage, other[1]),
        }
    return facts


# -- blocks


def matrix_blocks(facts, day=None):
    """The matrix as a document; day: as in site_blocks."""
    named = facts["site"]
    title = f"Cause-and-effect matrix{': ' + list(named['names'].values())[-1] if named else ''}"
    blocks = [
        document.Heading(1, title),
        *(matrix_tables.site_blocks(named, day) if named else _general_blocks()),
    ]
    rows = facts["rows"]
    table = document.Table(_headers(named), [cells for row in rows for cells in _cells(row, named)])
    doubt = [str(row["row"]) for row in rows if row["is_unconfirmed"]]
    return [
        *blocks,
        document.Heading(
            2, f"Rows ({len(rows)}) and stages ({sum([len(row['stages']) for row in rows])})"
        ),
        table,
        document.Text(
            f"Unconfirmed (?): the basis of rows {', '.join(doubt)} is from "
            f"general knowledge or "
            "cites a clause from memory; check it against a purchased copy "
            "before relying on it."
        ),
        *matrix_tables.taper_blocks(facts["tapers"]),
        *_conflict_blocks(facts["conflicts"], facts["fuse"]),
        *_reading_blocks(facts["readings"]),
    ]


def _conflict_blocks(conflicts, fuse):
    rows = [
        (
            each["yields"],
            f"{each['row']}: {each['to']}",
            effect_words.conflict_words(each),
            each["basis"],
        )
        for each in conflicts
    ]
    rows.append(
        (fuse["yields"], f"no row: {fuse['to']}", effect_words.fuse_words(fuse), fuse["basis"])
    )
    return [
        document.Heading(2, "Effects that yield"),
        document.Text(
            "An effect that yields waits after the row named here, whichever row "
            "asks for it; once only "
            "while that row stands, and not again after a restart. Contactors wait "
            "for the fuse whichever "
            'row asks them to open, row 36 ("wait fuse rule") as any other; the '
            "hard-wired chain does "
            "not."
        ),
        document.Table(("effect", "yields to row", "for", "basis"), rows),
    ]


def _reading_blocks(found):
    return [
        document.Heading(2, "Where a stage was read otherwise than its row says"),
        document.Text(
            "The project's fact table (section 7) leaves a choice there, or the row "
            "is more than one "
            "stage. All other cells of these columns are taken letter for letter. A "
            "stage of ours has no "
            "cell there: it is held against the last, strongest step of its row."
        ),
        document.Table(
            ("stage", "column", "read as"),
            [(each["stage"], each["column"], each["read_as"]) for each in found],
        ),
    ]


def _general_blocks():
    return [
        document.Text(
            "Every row that this program evaluates, with the thresholds for LFP "
            "cells (NMC in brackets). "
            "A site may only tighten them; which rows are armed the site decides: "
            "give --site FILE."
        ),
        document.Text(
            "Rows 1 to 48 are those of the project's fact table, rows from 49 on "
            "are ours, and so is each "
            "stage marked so: it stands under the row it belongs to, whose clauses "
            "do not ask for it, or "
            "whose words (38b, 40d) have no number. "
            "Numbers and letters under basis are keys of that table."
        ),
    ]


def _headers(named):
    headers = (
        "row",
        "stage",
        "cause",
        "trips at",
        "after",
        "clears at",
        "for",
        "reset",
        "effects",
        "basis",
        "confidence",
    )
    return (*headers[:2], "state", *headers[2:]) if named else headers


def _cells(row, named):
    cells = []
    for stage in row["stages"]:
        trips, clears = stage["trips_at"], stage["clears_at"]
        if "nmc" in stage:
            trips, clears = (
                (f"{trips} [{stage['nmc']['trips_at']}]"),
                f"{clears} [{stage['nmc']['clears_at']}]",
            )
        sure, is_ours = stage["confidence"], stage["is_ours"]
        doubt = (
            document.Mark("doubt", f"{sure} (?)") if row["is_unconfirmed"] and not is_ours else sure
        )
        state = [matrix_tables.state_cell(stage["states"])] if named else []
        each = (
            ""
            if stage["scope"] == matrix_words.SCOPES[m.CABINET]
            else (f" (each {stage['scope']})")
        )
        name = stage["stage"] + (" (ours)" if is_ours else "")
        cells.append(
            (
                str(row["row"]),
                name,
                *state,
                stage["cause"] + each,
                trips,
                _after(stage["debounce_ms"]),
                clears,
                _after(stage["clear_for_ms"]),
                stage["reset"],
                _effects(stage) or stage.get("instead", ""),
                stage["basis"],
                doubt,
            )
        )
    return cells


def _effects(stage):
    """What follows, then what would if its output were fitted: an acceptance has commas of its
    own.
    """
    return "; ".join(
        [
            *filter(None, [", ".join(stage["demands"])]),
            *map(effect_words.absent_words, stage["demands_not_fitted"]),
        ]
    )


def _after(duration_ms):
    return "" if duration_ms is None else matrix_words.after(duration_ms)
