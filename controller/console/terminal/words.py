"""The texts of the console: the keys, the help, and the pages `tests` and `export`."""

from controller.console.pages.text import RULE, WIDTH, calibration, spread, wrapped
from controller.state.base import Facts
from controller.store import proof_state
from controller.system import utc

PAGE_OF_KEY = {
    "0": "status",
    "1": "why",
    "2": "alarms",
    "3": "racks",
    "4": "links",
    "5": "hints",
    "6": "trend",
    "7": "tests",
    "8": "export",
    "9": "events",
    "D": "devices",
    "M": "map",
    "P": "plan",
    "?": "help",
}
# On the page of tests, the columns at which a folded line continues.
WORDS_AT, HAND_AT, ROW_WORDS_AT = 21, 26, 42
MENU = "0 Status 1 Why 2 Alarms 3 Racks 4 Links 5 Hints 6 Trend 7 Tests D Devices ?Help"
HEAD = [spread("Firebreak", "serial console"), RULE]
NO_CONTROLLER = (
    "Check that it runs: systemctl status firebreak. This page looks again every second."
)
# On a page of the console, these keys replace the commands of a shell. A key is never longer than
# its command, so the columns stay in place.
_AS_KEYS = (
    ("(firebreak why)", "(press 1)"),
    ("(firebreak alarms)", "(press 2)"),
    ("(turn it out of RUN, the command below)", "(out of RUN, press R)"),
    ("(the command below)", "(press R)"),
    ("(firebreak start)", "(press G)"),
    ("firebreak devices", "press D"),
    ("`firebreak approve`", "Key V"),
    ("firebreak alarms --page 2", "press Space"),
)

HELP = [
    "LOOK   0 status   1 why the power is what it is   2 alarms   3 racks   4 links",
    "       5 hints  6 trend  7 tests  8 export  9 events  D devices  M map  P plan",
    "       Space or N: next part of a page, B: back. The same key again: draw anew.",
    "LOGIN  L logs in, and out again; a login without keys ends after minutes. One",
    "       person acts, others see the name. Without a password: turn the key",
    "       out of RUN, press L, type your name, and press Enter for the password.",
    "       It is recorded as break-glass and ends when the key is back in RUN.",
    "ACT    on page 2:  R reset the rows on the page; refused if they have changed",
    "       A acknowledge: shows who has seen them, silences and resets nothing",
    "       on page 8:  E export to the stick     anywhere:  T flash both lamps, 5 s",
    "       anywhere:  S stop: ramp to zero, open, standby until G starts it",
    "       anywhere:  V shows changes of limits and rows; V again approves them",
    "       anywhere:  K lock out: the cabinet stops, opens and cannot start, also",
    "       after a restart. K ends it: the same person, or any user with the key",
    "       out of RUN. Then G starts it. Use padlock and tag too. All is recorded.",
    "SHELL  firebreak test power, then test sign or step; replace: exchange of a",
    "       device (page 7 shows what is open); probe, sniff: who answers on a bus.",
    "KEYS   Esc or Ctrl-C: leave a question. Ctrl-L: draw anew. Q: leave (here the",
    "       terminal is given back; a serial line logs out). The controller runs on.",
]

EXPORT = [
    "Events, one-second history or captures of trips, as files for a USB stick.",
    "",
    "E      export (login needed). The console asks for the kind and the first day.",
    "",
    "The stick must be mounted at the --export-dir of this console.",
    "An export leaves no partial files. firebreak record verify checks the chain",
    "of hashes of the events; firebreak replay runs a capture again.",
    RULE,
]

FIXED = {"help": HELP, "export": EXPORT}


def tests(facts: Facts) -> list[str]:
    """The page of tests. facts: the facts of the page `status`."""
    loop, lock_text, missed_text = facts["loop"], "none", "no figures"
    if facts["locked_out_by"]:
        lock_text = f"by {facts['locked_out_by']}"
    if loop is not None:
        missed_text = f"{loop['missed'] + loop['late']} ticks missed of {loop['ticks']}"
    return [
        "DUE",
        f"  gas calibration    {calibration(facts['gas_calibration_d'])} (as the detectors report)",
        *_proof_tests(facts["proof_tests"]),
        "RUNS BY ITSELF",
        f"  limits in memory   CRC {facts['version']['limits_crc']}, checked by the controller",
        f"  loop               {missed_text}",
        f"  interlocks         {facts['interlocks']['armed']} rows armed of "
        f"{facts['interlocks']['built']} built",
        f"  lock-out           {lock_text}: K",
        "ON DEMAND",
        "  lamp test               T: both lamps flash for 5 s; the horn is silent",
        "BY HAND",
        "  proof tests             firebreak document checklist --site FILE: the steps",
        "                          shows the row, page 9 its time",
        *_bench(facts["proof_tests"] or {"signs": [], "replacing": []}),
        *_due_tests(facts["proof_tests"]),
    ]


def _bench(facts: Facts) -> list[str]:
    """Lines about the last sign test of each unit, the command of the step test, and open
    replacements.
    """
    rows = [
        (f"sign test, unit {sign['unit']}", " ".join([sign["state"], sign["date"] or ""]).strip())
        for sign in facts["signs"]
    ]
    how = "firebreak test power, key to RUN; test sign or step"
    rows += [("TEST mode", how), ("step test", "page 9 has the figures of the last ones")]
    rows += [
        ("replacement", f"{replacement}; firebreak replace") for replacement in facts["replacing"]
    ]
    if not facts["replacing"]:
        rows += [("replacement", "none is open; firebreak replace meter, pcs, bms or io")]
    return [
        part for label, text in rows for part in wrapped(f"  {label:<{HAND_AT - 2}}{text}", HAND_AT)
    ]


def _proof_tests(facts: Facts | None) -> list[str]:
    if facts is None:
        return ["  proof tests        not in the journal of this controller: another version"]
    late = len(proof_state.wrong(facts["rows"]))
    is_unknown = facts["clock"] == utc.UNKNOWN
    clock_lines = ["  clock              may be wrong: more may be late"] if is_unknown else []
    soon = len([row for row in facts["rows"] if row["state"] == proof_state.DUE])
    return [
        f"  proof tests        {late} overdue or failed, {soon} within "
        f"{proof_state.LIMITS_D[0]} d, of {len(facts['rows'])} "
        f"({proof_state.rows_armed(facts['rows'])} rows armed)",
        *clock_lines,
        *[
            part
            for line in facts["wrong"]
            for part in wrapped(f"  ledger             {line}", WORDS_AT)
        ],
    ]


def _due_tests(facts: Facts | None) -> list[str]:
    """Each proof test that is near or overdue, the most overdue first."""
    rows = sorted(
        [row for row in (facts or {"rows": ()})["rows"] if row["state"] != proof_state.OK],
        key=lambda row: row["days_left"],
    )
    if not rows:
        return []
    return [
        "PROOF TESTS (after a test: firebreak test proof record)",
        *[
            part
            for row in rows
            for part in wrapped(
                f"  row {row['row']:<4}{proof_state.words(row):<32}{row['what']}", ROW_WORDS_AT
            )
        ],
    ]


def at_console(line: str) -> str:
    """A line of a page, in which keys of this console replace the commands of a shell."""
    for command, key in _AS_KEYS:
        if command in line:
            is_last = line.endswith(command)
            line = line.replace(
                command, key.rjust(len(command)) if is_last and len(line) == WIDTH else key
            )
    return line
