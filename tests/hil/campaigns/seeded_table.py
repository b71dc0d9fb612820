"""Courses on a shipped table with an error in each of their rows: `python -m
tests.hil.campaigns.seeded_table [LABEL ...]` prints their verdicts.

The errors are seeded before any other module reads the table, so that limit image, kernel and time
chain contain them.
"""

import sys

from safety import matrix as m

COLUMNS = "id row scope feature sense set clear set_ms clear_ms latch gate demand".split()
CELLS = {"feature": m.F_CELL_VOLTAGE_MV_MAX, "sense": 1, "set": 3800, "clear": 3700}
EFFECTS = {
    "3": {"facu": 0},
    "5": {"fan": 0},
    "8a": {"aux_shed": 0},
    "9": {"horn": 0},
    "10a": {"red_lamp": 0},
    "12b": {"dc": m.DC_OPEN_AT_ZERO},
    "17b": {"charge_derate_pct": 25, "discharge_derate_pct": 25},
    "21a": {"pre_alarm": 0},
    "26a": {"charge_derate_pct": 0, "discharge_derate_pct": 0},
    "28": {"charge_inhibit": 0},
    "29": {"pcs": m.PCS_RAMP},
    "31b": {"discharge_inhibit": 0},
    "34b": {"pcs": 0},
    "37a": {"dc": 0},
    "39 open": {"shunt_trip": 0},
    "40e": {"horn": 0, "lamp": 0},
    "41b": {"pcs": m.PCS_RAMP},
    "42a": {"dc": 0},
}
LONGER_ms = {
    "1c": 2000,
    "4": 5000,
    "11": 8000,
    "20b": 4000,
    "32": 10_000,
    "33": 2000,
    "34c": 10_000,
    "36": 400,
    "42b": 3000,
    "43a": 10_000,
    "48a": 3000,
}
SCOPE = {"30": {"scope": m.RACK, **CELLS}}
REMOTE = "1a 2 8b 10b 12a 23a 23b 37b".split()
SELF = "7 21b 22 40c 43c 44b 47b 49 53".split()
ERRORS = {
    **{label: ("effect", levels) for label, levels in EFFECTS.items()},
    **{label: ("time", {"set_ms": time_ms}) for label, time_ms in LONGER_ms.items()},
    **{label: ("scope", columns) for label, columns in SCOPE.items()},
    **{label: ("latch", {"latch": m.REMOTE}) for label in REMOTE},
    **{label: ("latch", {"latch": m.SELF}) for label in SELF},
}


def seeded(stage):
    """The stage with its error."""
    wrong = {label.split()[0]: error for label, error in ERRORS.items()}
    kind, changes = wrong.get(stage[m.S_ID], ("", {}))
    if kind == "effect":
        levels = dict(zip(m.DEMANDS, stage[m.S_DEMAND])) | changes
        changes = {"demand": tuple(levels.values())}
    return tuple((dict(zip(COLUMNS, stage)) | changes).values())


def seed():
    """Put the errors into the table, in the order of its scopes."""
    m.STAGES = tuple(sorted(map(seeded, m.STAGES), key=lambda stage: stage[m.S_SCOPE]))
    scopes = [stage[m.S_SCOPE] for stage in m.STAGES]
    m.STAGES_PER_SCOPE = tuple([scopes.count(scope) for scope in (m.CABINET, m.UNIT, m.RACK)])
    m.LADDERS = m.ladders(m.STAGES)
    m.ASKS = tuple([m.asks(stage, m.LADDERS) for stage in m.STAGES])


def main(labels):
    """Run the courses; print label, kind and verdict of each, and the count of detected ones."""
    from controller.config import configuration
    from controller.sites import EXAMPLE
    from hil.campaigns.rows import courses, limits, play, verdict
    from hil.engine import forks

    detected = 0
    row_of = play.work(limits.Limits(configuration.load(EXAMPLE)), labels)
    for found in forks.values(play.ordered(labels), row_of, forks.cores()):
        row = verdict.Outcome.of(found, courses.EVERY)
        detected += not row.is_met
        label, words = row.course.label, "; ".join(row.complaints)
        print(label, ERRORS[label][0], words, sep="\t", flush=True)
    print(f"{detected} of {len(labels)} seeded errors are detected", file=sys.stderr)


if __name__ == "__main__":
    seed()
    main(sys.argv[1:] or list(ERRORS))
