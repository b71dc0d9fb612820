"""`firebreak matrix` and `firebreak checklist`: the cause-and-effect matrix to read, to print, to commission by.

Without a site: every row with its stages as the program has them. With one: the thresholds of that site, and of each
stage whether it is armed, done by somebody else, or not fitted and accepted by whom. A required row that is missing is
named and ends in exit code 1; such a file never runs, `firebreak check` and `firebreak run` refuse it.
"""

import json

from controller import (bms_protections, bus_times, check, checklist, config, effect_words, hma, images,
                        matrix_words, printed, readings, reasons, schema, tapers, time_chain, wired)
from controller.layers import ConfigError
from controller.places import DONE, NOT_DONE, WRONG_INPUT, ascii_only, say
from safety import matrix as m
from safety import parameters as p

FORMATS = ("md", "html", "json")
MISSING = "REQUIRED, NOT ARMED"
KINDS = {images.ARMED: "armed", images.BY_PANEL: "armed", images.BY_BMS: "other", images.NOT_ASKED: "other",
         images.NOT_FITTED: "absent", images.NOT_TOLD: "absent"}
# Of a stage that no rack has armed because its BMS does not tell what it looks at: nothing of this program acts there.
NOTHING_OF_OURS = {"set": None, "clear": None, "debounce_ms": None, "clear_for_ms": None, "trips_at": "",
                   "clears_at": "", "reset": "", "demands": [], "demands_not_fitted": [], "latest_ms": None,
                   "held_latest_ms": None}


def add(commands):
    """Add the commands to argparse's subparsers."""
    matrix = commands.add_parser("matrix", help="the cause-and-effect matrix: every row, or those of a site as armed")
    matrix.add_argument("--site", metavar="FILE", help="cabinet.toml (or the last layer there is)")
    matrix.add_argument("--format", choices=FORMATS, default="md", help="(%(default)s)")
    matrix.set_defaults(run=_matrix)
    listing = commands.add_parser("checklist", help="the commissioning checklist of a site: a test for each armed row")
    listing.add_argument("--site", metavar="FILE", required=True)
    listing.add_argument("--format", choices=FORMATS, default="md", help="(%(default)s)")
    listing.set_defaults(run=_checklist)


def _matrix(arguments):
    found, lines, code = _survey(arguments.site)
    if code == WRONG_INPUT:
        return code
    facts = matrix_facts(found, lines)
    _print(arguments.format, facts, lambda: matrix_blocks(facts, check.today()))
    return code


def _checklist(arguments):
    found, lines, code = _survey(arguments.site)
    if code:  # a checklist of a cabinet that may not be energised would only mislead
        return WRONG_INPUT
    facts = checklist.facts(found)
    _print(arguments.format, facts, lambda: checklist.blocks(facts, check.today()))
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


def _print(form, facts, blocks):
    if form == "json":
        print(json.dumps(facts, indent=1))
    else:
        print((printed.page if form == "html" else printed.markdown)(blocks()))


# -- facts

def matrix_facts(found=None, lines=()):
    """The matrix as plain data. found: Config of a site or None; lines: of config.survey."""
    schedule = bus_times.schedule(found) if found else None
    rows = [_row(row, stages, found, schedule) for row, stages in matrix_words.by_row().items()]
    facts = {"site": None, "rows": rows, "conflicts": effect_words.conflicts(found),
             "fuse": effect_words.fuse(found),
             "tapers": tapers.facts(found), "readings": readings.facts()}
    if found:
        facts["site"] = site(found, lines)
    return facts


def site(found, lines=()):
    """Which configuration this is: names, CRC of its limit image, what the analysis says, what is missing."""
    refused = bool(lines)
    return {"file": found.path, "names": dict(found.names),
            "limits_words": None if refused else len(found.safety_image),
            "limits_crc": None if refused else f"{p.image_crc(found.safety_image):08X}",
            "hma": {key: value for key, value in found.hma.items() if value is not None},
            "hard_wired_rows": wired.rows(found), "longer_by_tick": images.longer_by_tick(found),
            "not_fitted": {name: who for name, who in found.topology.not_fitted.items() if who},
            "missing": list(lines)}


def _row(row, stages, found, schedule):
    what, basis, _ = m.CLAUSES[row]
    code, meaning = matrix_words.confidence(row)
    return {"row": row, "what": what, "basis": basis, "confidence": code, "confidence_means": meaning,
            "is_unconfirmed": code == "G" or "(?)" in basis, "is_ours": row >= readings.OURS_FROM,
            "stages": [_stage(stage, found, schedule) for stage in stages]}


def _stage(stage, found, schedule):
    name, sentence, remedy = reasons.stage_text(stage)
    basis, confidence = readings.basis(stage)
    facts = {"stage": stage[m.S_ID], "is_ours": readings.is_ours(stage), "basis": basis, "confidence": confidence,
             "scope": matrix_words.SCOPES[stage[m.S_SCOPE]], "cause": matrix_words.cause(stage),
             **_numbers(stage, found), "reset": matrix_words.RESETS[stage[m.S_LATCH]],
             "demands": effect_words.effects(stage, found),
             "demands_not_fitted": effect_words.absent(stage, found), "name": name, "sentence": sentence,
             "remedy": remedy}
    return _of_site(facts, stage, found, schedule) if found else facts


def _of_site(facts, stage, found, schedule):
    """What a site adds to the facts of a stage, or takes from them where its BMS keeps to itself what it looks at."""
    facts |= {"states": states(stage, found), **times(stage, found, schedule), "instead": ""}
    own = {images.stage_state(each, found.topology, index)[0] for each, index in images.instances(found.topology)
           if each is stage}
    if own == {images.BY_BMS}:
        return facts | NOTHING_OF_OURS | {"trips_at": bms_protections.WORDS,
                                          "instead": bms_protections.DONE[stage[m.S_ID]]}
    if own == {images.NOT_TOLD}:
        return facts | NOTHING_OF_OURS | {"instead": f"nobody does it: {bms_protections.NOBODY[stage[m.S_ID]]}"}
    return facts


def times(stage, found, schedule):
    """{latest_ms: until power is zero or the outputs have followed; held_latest_ms: until the fan that waits for the
    agent runs, None where it does not wait}."""
    held = time_chain.held_chain(found, schedule, stage)
    return {"latest_ms": _sum_ms(time_chain.chain(found, schedule, stage)),
            "held_latest_ms": _sum_ms(held) if held else None}


def _sum_ms(parts):
    return sum([part.time_ms for part in parts])


def _numbers(stage, found):
    """Threshold and debounce, of the matrix (with those of NMC cells where they differ) or of the site."""
    if found:
        level, clear, set_ticks, clear_ticks = found.stage_words[stage[m.S_ID]]
        set_ms, clear_ms = set_ticks * found.tick_ms, clear_ticks * found.tick_ms
    else:
        level, clear = stage[m.S_SET], stage[m.S_CLEAR]
        set_ms, clear_ms = stage[m.S_SET_MS], stage[m.S_CLEAR_MS]
    facts = {"trips_at": matrix_words.trips_at(stage, level, tables(stage, found)), "set": level, "debounce_ms": set_ms,
             "clears_at": matrix_words.clears_at(stage, clear), "clear": clear, "clear_for_ms": clear_ms}
    other = schema.thresholds(stage, schema.NMC)
    if not found and other != (level, clear):
        facts["nmc"] = {"trips_at": matrix_words.trips_at(stage, other[0]),
                        "clears_at": matrix_words.clears_at(stage, other[1])}
    return facts


def tables(stage, found):
    """Parameters of every unit or rack that a stage looks at; () for one of the cabinet, or without a site."""
    return {m.UNIT: found.unit_tables, m.RACK: found.rack_tables}.get(stage[m.S_SCOPE], ()) if found else ()


def states(stage, found):
    """[{state, kind, where, equipment, accepted_by}] of a stage: one entry for all instances that are alike."""
    alike = {}
    for each, index in images.instances(found.topology):
        if each is stage:
            alike.setdefault(images.stage_state(stage, found.topology, index), []).append(index + 1)
    return [_state(stage, found, *key, numbers if len(alike) > 1 else []) for key, numbers in alike.items()]


def _state(stage, found, state, equipment, numbers):
    who = images.accepted(found.topology, equipment) if equipment else ""
    missing = state in images.TO_ACCEPT and not who
    where = f"{matrix_words.SCOPES[stage[m.S_SCOPE]]} {' '.join(map(str, numbers))}" if numbers else ""
    return {"state": MISSING if missing else check.state_words(state, equipment),
            "kind": "missing" if missing else KINDS[state], "where": where, "equipment": equipment, "accepted_by": who}


# -- blocks

def matrix_blocks(facts, day=None):
    """The matrix as a document; day: as in site_blocks."""
    named = facts["site"]
    title = f"Cause-and-effect matrix{': ' + list(named['names'].values())[-1] if named else ''}"
    blocks = [printed.Heading(1, title), *(site_blocks(named, day) if named else _general_blocks())]
    rows = facts["rows"]
    table = printed.Table(_headers(named), [cells for row in rows for cells in _cells(row, named)])
    doubt = [str(row["row"]) for row in rows if row["is_unconfirmed"]]
    return [*blocks, printed.Heading(2, f"Rows ({len(rows)}) and stages ({sum([len(row['stages']) for row in rows])})"),
            table, printed.Text(f"Unconfirmed (?): the basis of rows {', '.join(doubt)} is from general knowledge or "
                                "cites a clause from memory; check it against a purchased copy before relying on it."),
            *taper_blocks(facts["tapers"]), *_conflict_blocks(facts["conflicts"], facts["fuse"]),
            *_reading_blocks(facts["readings"])]


def taper_blocks(found):
    """The tapers as a section of a document; found: of tapers.facts."""
    rows = [(each["what"], each["power"], tapers.range_words(each), each["stage"] or "-", each["basis"])
            for each in found]
    return [printed.Heading(2, "Tapers"),
            printed.Text("Limits that fall in a line from full power to none. They always act, whatever stands; the "
                         "weakest rack decides."),
            printed.Table(("of the", "power", "falls", "told with stage", "basis"), rows)]


def _conflict_blocks(conflicts, fuse):
    rows = [(each["yields"], f"{each['row']}: {each['to']}", effect_words.conflict_words(each), each["basis"])
            for each in conflicts]
    rows.append((fuse["yields"], f"no row: {fuse['to']}", effect_words.fuse_words(fuse), fuse["basis"]))
    return [printed.Heading(2, "Effects that yield"),
            printed.Text("An effect that yields waits after the row named here, whichever row asks for it; once only "
                         "while that row stands, and not again after a restart. Contactors wait for the fuse whichever "
                         "row asks them to open, row 36 (\"wait fuse rule\") as any other; the hard-wired chain does "
                         "not."),
            printed.Table(("effect", "yields to row", "for", "basis"), rows)]


def _reading_blocks(found):
    return [printed.Heading(2, "Where a stage was read otherwise than its row says"),
            printed.Text("The project's fact table (section 7) leaves a choice there, or the row is more than one "
                         "stage. All other cells of these columns are taken letter for letter. A stage of ours has no "
                         "cell there: it is held against the last, strongest step of its row."),
            printed.Table(("stage", "column", "read as"), [
                (each["stage"], each["column"], each["read_as"]) for each in found])]


def _general_blocks():
    return [printed.Text("Every row that this program evaluates, with the thresholds for LFP cells (NMC in brackets). "
                         "A site may only tighten them; which rows are armed the site decides: give --site FILE."),
            printed.Text("Rows 1 to 48 are those of the project's fact table, rows from 49 on are ours, and so is each "
                         "stage marked so: it stands under the row it belongs to, whose clauses do not ask for it, or "
                         "whose words (38b, 40d) have no number. "
                         "Numbers and letters under basis are keys of that table.")]


def site_blocks(named, day=None):
    """What heads every document about a site. day: today's, or None where no acceptance is held to it."""
    names = "; ".join([f"{layer}: {name}" for layer, name in named["names"].items()])
    crc = f"Limit image: {named['limits_words']} words, CRC {named['limits_crc']}." if named["limits_crc"] else \
        "Limit image: none, this file is refused and cannot run."
    blocks = [printed.Text(f"{named['file']} ({names}). {crc}")]
    papers = named["hma"], named["not_fitted"]
    blocks += [printed.Text(line) for line in [*hma.placeholder_lines(*papers),
                                               *(hma.ahead_lines(*papers, day) if day else ())]]
    if named["longer_by_tick"]:
        blocks.append(printed.Text(matrix_words.longer_by_tick(named["longer_by_tick"])))
    if named["missing"]:
        blocks += [printed.Heading(2, "Required and missing: no energisation"),
                   printed.Table(("what", ), [(printed.Mark("missing", line),) for line in named["missing"]])]
    blocks += [printed.Heading(2, "Hazard mitigation analysis"),
               printed.Table(("fact", "said"), [(key, _plain(value)) for key, value in named["hma"].items()])]
    if named["not_fitted"]:
        blocks += [printed.Heading(2, "Not fitted"), printed.Table(
            ("equipment", "accepted by"), list(named["not_fitted"].items()))]
    return blocks


def _plain(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _headers(named):
    headers = ("row", "stage", "cause", "trips at", "after", "clears at", "for", "reset", "effects", "basis",
               "confidence")
    return (*headers[:2], "state", *headers[2:]) if named else headers


def _cells(row, named):
    cells = []
    for stage in row["stages"]:
        trips, clears = stage["trips_at"], stage["clears_at"]
        if "nmc" in stage:
            trips, clears = f"{trips} [{stage['nmc']['trips_at']}]", f"{clears} [{stage['nmc']['clears_at']}]"
        sure, is_ours = stage["confidence"], stage["is_ours"]
        doubt = printed.Mark("doubt", f"{sure} (?)") if row["is_unconfirmed"] and not is_ours else sure
        state = [state_cell(stage["states"])] if named else []
        each = "" if stage["scope"] == matrix_words.SCOPES[m.CABINET] else f" (each {stage['scope']})"
        name = stage["stage"] + (" (ours)" if is_ours else "")
        cells.append((str(row["row"]), name, *state, stage["cause"] + each, trips,
                      _after(stage["debounce_ms"]), clears, _after(stage["clear_for_ms"]), stage["reset"],
                      _effects(stage) or stage.get("instead", ""), stage["basis"], doubt))
    return cells


def _effects(stage):
    """What follows, then what would if its output were fitted: an acceptance has commas of its own."""
    return "; ".join([*filter(None, [", ".join(stage["demands"])]),
                      *map(effect_words.absent_words, stage["demands_not_fitted"])])


def _after(duration_ms):
    return "" if duration_ms is None else matrix_words.after(duration_ms)


def state_cell(found):
    """"armed (rack 1 2); not fitted (rack 3), accepted by: N. N.", marked by the worst of them."""
    words = "; ".join([each["state"] + (f" ({each['where']})" if each["where"] else "") for each in found])
    who = "; ".join(dict.fromkeys([f"accepted by: {each['accepted_by']}" for each in found if each["accepted_by"]]))
    kinds = [each["kind"] for each in found]
    return printed.Mark(next(kind for kind in ("missing", "absent", "other", "armed") if kind in kinds), words, who)
