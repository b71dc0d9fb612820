"""The clock of the day is no timer: nothing subtracts or orders its readings, and days have one
calendar. mypy refuses both on `clock.Utc`; the syntax tree finds what was made a number before.
"""

import ast
import subprocess
import sys

import pytest

from tests.exemptions import Exempt, counts
from tests.house import sources
from tests.repository import ROOT

# Numbers of the time of the day have these names, or are bound from one, or from a reading.
NAMES = """
utc_us utc_s now_s made_s stamp_s stamp_us mtime mtime_ns st_mtime st_mtime_ns st_ctime
st_ctime_ns wall_us wall_s
""".split()
READINGS = "utc utc_us now_s _now_s _utc_s timestamp fromtimestamp getmtime".split()
AS_NUMBER = ("int", "float", "round")
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
# Divided by one of these, a time is the number of a quarter, an hour or a day: an order of data.
CALENDAR = ("SLOT_S", "QUARTER_S", "HOUR_S", "DAY_S")
CLOCKS = {
    "controller/system/utc.py": Exempt(
        "its own readings are compared with each other; a step is reported once",
        "tests/controller/system/test_utc.py::test_a_clock_that_was_set_is_reported_once",
    ),
    "controller/system/clock.py": Exempt(
        "the only place that asks the system for the time",
        "tests/controller/system/test_utc.py::test_the_source_is_named",
    ),
}
# Stamps of data, which no clock of this box has made, or an order that ends nothing that is kept:
# how many lines have them, and why.
AUDIT = "the audit of a recorded file judges a wrong second; no cabinet acts on it"
CHARGE = "a page shows a course that begins at the wrong minute; nothing acts on it"
RANGE = "a time out of its range is refused; a wrong time inside of the range counts as it is"
STAMPS = {
    "controller/audit/sources.py": Exempt(
        AUDIT,
        "tests/controller/audit/test_audit_command.py::test_a_gap_inside_a_window_hides_no_change",
        3,
    ),
    "controller/audit/table.py": Exempt(
        AUDIT,
        "tests/controller/audit/test_audit_command.py"
        "::test_a_record_with_holes_is_judged_or_refused_in_one_line",
    ),
    "controller/workbench/captures.py": Exempt(
        "a capture whose clock jumps is shown with a silence of at most a minute",
        "tests/controller/workbench/test_decode_command.py"
        "::test_a_silence_of_years_is_no_longer_than_a_minute",
        2,
    ),
    "controller/doors/alarms/letter.py": Exempt(
        "a letter names the wrong minute for the begin of an alarm; it is sent all the same",
        "tests/controller/doors/test_alarm_letters.py::test_a_letter_tells_when_an_alarm_began",
    ),
    "controller/hints/key_file.py": Exempt(
        RANGE, "tests/controller/hints/test_keys.py::test_a_key_from_before_1970_is_used"
    ),
    "controller/hints/schedule_file.py": Exempt(
        RANGE, "tests/controller/hints/test_schedule_file.py::test_a_wrong_csv_is_named"
    ),
    "controller/planner/feeds/entsoe.py": Exempt(
        RANGE, "tests/controller/planner/test_feed_entsoe.py::test_a_wrong_document_is_one_line"
    ),
    "controller/planner/feeds/job_plan.py": Exempt(
        "a job stands in a wrong quarter of the plan; the limits of the connection hold",
        "tests/controller/planner/test_feed_files.py"
        "::test_a_plan_of_jobs_tells_nothing_before_its_begin",
        2,
    ),
    "controller/planner/feeds/points.py": Exempt(
        "after a wrong clock a feed keeps its values for the time that its table allows",
        "tests/controller/planner/test_feed_clocks.py::test_what_a_feed_keeps_is_bounded",
    ),
    "controller/recorder/csv_files.py": Exempt(
        RANGE,
        "tests/controller/recorder/test_export.py"
        "::test_what_a_forged_or_damaged_record_holds_is_no_time_and_no_path",
    ),
    "controller/run/operator_commands.py": Exempt(
        RANGE,
        "tests/controller/run/test_command.py::test_anything_else_is_refused_and_does_nothing",
    ),
    "controller/series/times.py": Exempt(
        "a file whose times are wrong is planned with at wrong hours; a doubt names it",
        "tests/controller/series/test_series_powers.py"
        "::test_weather_of_another_zone_or_without_a_course_is_a_doubt",
        2,
    ),
    "controller/state/futures.py": Exempt(
        CHARGE, "tests/controller/state/test_ask.py::test_the_charge_ends_at_the_target", 7
    ),
    "controller/state/forecast.py": Exempt(
        CHARGE, "tests/controller/state/test_ask.py::test_the_battery_gives_in_an_hour", 4
    ),
    "controller/state/propagation_map.py": Exempt(
        "a page shows fire at the next module at a wrong minute; the kernel does not read it",
        "tests/controller/state/test_propagation.py"
        "::test_time_since_ignition_and_rise_bring_the_next_cell_nearer",
        6,
    ),
    "controller/system/local_days.py": Exempt(
        "a plan counts a day of a wrong length, in the two nights of a clock change",
        "tests/controller/system/test_local_days.py::test_a_day_has_its_own_number_of_quarters",
        3,
    ),
    "controller/systemd/trial_verdict.py": Exempt(
        "the caller gives seconds since the boot; by a wall clock a trial would end too early",
        "tests/controller/systemd/test_trial.py"
        "::test_only_time_of_control_counts_and_a_pause_of_the_judge_counts_little",
    ),
}


def is_named(name):
    return name.lstrip("_") in NAMES or name.endswith(tuple(f"_{each}" for each in NAMES))


class Wrong(ast.NodeVisitor):
    """Lines of one file in which a time of the day is subtracted or ordered."""

    def __init__(self, tree):
        self.bound, self.lines = [set()], []
        self.attributes, self.functions = set(), set()
        found = -1
        while found != len(self.attributes) + len(self.functions):  # one may hide another one
            found = len(self.attributes) + len(self.functions)
            self.bound, self.lines, self.inside = [set()], [], [""]
            self.visit(tree)

    def visit_FunctionDef(self, node):
        self.bound.append(set())
        self.inside.append(node.name)
        self.generic_visit(node)
        self.inside.pop()
        self.bound.pop()

    def visit_Return(self, node):
        self.generic_visit(node)
        if node.value and self.is_time(node.value):
            self.functions.add(self.inside[-1])

    def visit_Assign(self, node):
        self.generic_visit(node)
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = zip(target.elts, node.value.elts)
            for name, value in pairs:
                if self.is_time(value):
                    self.bind(name)

    def visit_AnnAssign(self, node):
        self.generic_visit(node)
        if node.value and self.is_time(node.value):
            self.bind(node.target)

    def visit_NamedExpr(self, node):
        self.generic_visit(node)
        if self.is_time(node.value):
            self.bind(node.target)

    def bind(self, target):
        """The name, or the attribute in the whole file, is a time of the day."""
        if isinstance(target, ast.Name):
            self.bound[-1].add(target.id)
        elif isinstance(target, ast.Attribute):
            self.attributes.add(target.attr)

    def is_time(self, node):
        """The value is a time of the day."""
        if isinstance(node, ast.Name):
            return is_named(node.id) or any(node.id in each for each in self.bound)
        if isinstance(node, ast.Attribute):
            return is_named(node.attr) or node.attr in self.attributes
        if isinstance(node, ast.NamedExpr):
            return self.is_time(node.value)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            is_number = name in AS_NUMBER and any(map(self.is_time, node.args))
            return is_number or name in READINGS or name in self.functions
        if isinstance(node, ast.BinOp):
            by = getattr(node.right, "attr", getattr(node.right, "id", ""))
            is_index = isinstance(node.op, (ast.FloorDiv, ast.Mod)) and by in CALENDAR
            return not is_index and (self.is_time(node.left) or self.is_time(node.right))
        if isinstance(node, (ast.IfExp, ast.BoolOp, ast.Subscript)):
            return any(map(self.is_time, ast.iter_child_nodes(node)))
        return False

    def visit_BinOp(self, node):
        if isinstance(node.op, ast.Sub) and (self.is_time(node.left) or self.is_time(node.right)):
            self.lines.append(node.lineno)
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        if isinstance(node.op, ast.Sub) and (self.is_time(node.target) or self.is_time(node.value)):
            self.lines.append(node.lineno)
        self.generic_visit(node)

    def visit_Compare(self, node):
        values = [node.left, *node.comparators]
        if any(isinstance(op, ORDERS) for op in node.ops) and any(map(self.is_time, values)):
            self.lines.append(node.lineno)
        self.generic_visit(node)

    def visit_Call(self, node):
        name = getattr(node.func, "id", "")
        is_span = getattr(node.func, "attr", "") == "total_seconds"  # of two dates
        if is_span or (name in ("min", "max", "sorted") and any(map(self.is_time, node.args))):
            self.lines.append(node.lineno)
        self.generic_visit(node)


def wrong(text):
    found = Wrong(ast.parse(text))
    return sorted(set(found.lines))


def modules():
    """{path: text}."""
    return {path: text for path, text in sources() if path.startswith(("controller/", "drivers/"))}


GUARDS = "the wall clock as a timer, and days of 24 hours"


def covered():
    """The modules that are searched."""
    return [each for each in modules() if each not in CLOCKS]


def test_no_time_of_the_day_is_subtracted_or_ordered():
    """Ages and timers take `clock.now_us`; a span between two stamps of data is
    `utc.elapsed_s`.
    """
    found = {path: wrong(text) for path, text in modules().items() if path not in CLOCKS}
    lines = {path: len(each) for path, each in found.items() if each}
    assert lines == counts(STAMPS), found


@pytest.mark.parametrize("path", STAMPS)
def test_no_file_of_stamps_reads_a_clock(path):
    read = [
        node.attr
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("utc_us", "now_us", "poll", "label")
    ]
    assert not read


@pytest.mark.parametrize(
    "line",
    [
        "age_us = clock.utc_us() - self._since",
        "age = int(clock.utc_us()) - 5",
        "if wall.utc(now_us) > self._due: pass",
        "at_s = int(clock.utc_us()) / 1e6\nif at_s - before > 60: pass",
        "def f(now_s):\n    return now_s - self._tried_s >= 60",
        "self._due = max(self._due, now_s)",
        "at, other = int(clock.utc_us()), 5\nreturn at < self._until",
        "left_s -= utc_s",
        "begin_s = now_s + 60\nwhile begin_s < end_s: pass",
        "now = float(self._utc_s())\nage = made if made else now - 3",
        "age_s = os.stat(path).st_mtime - before",
        "seen = os.stat(path).st_mtime_ns\nif seen > self._seen: pass",
        "age_s = (datetime.now(UTC) - made).total_seconds()",
        "made = datetime.fromtimestamp(at, zone)\nif made < self._until: pass",
        "is_old = points.made_s < self._limit",
        "self._due = int(clock.utc_us())\ndef f(self, at):\n    if at > self._due: pass",
        "def f():\n    return int(clock.utc_us()) / 1e6\ndef g(a):\n    x = f() - a",
        "def f(a):\n    x = self._wall() - a\ndef _wall(self):\n    return float(wall.utc(5))",
        "self._a = self._b = now_s\nx = self._b - 5",
        "at: float = float(wall.utc(5))\nx = at - 5",
        "if (at := int(clock.utc_us())) > self._at: pass",
        "age_us = entry.stamp_us - 4",
    ],
)
def test_the_syntax_tree_finds_a_timer(line):
    assert wrong(line.replace("return at", "x = at"))


@pytest.mark.parametrize(
    "line",
    [
        "quarter = int(now_s // QUARTER_S)\nrows = [at for at in rows if at < quarter]",
        "age_s = elapsed_s(made_s, now_s)\nis_old = age_s > 60",
        "since_s = uptime_s - self._tried_s",
        "text = utc_text(utc_us)",
    ],
)
def test_the_syntax_tree_leaves_data_alone(line):
    assert not wrong(line)


UTC = """
from controller.system import clock, utc
now = clock.utc_us()
wall = utc.WallClock(None)
"""
REFUSED = (
    "now - now",
    "now - 5",
    "5 - now",
    "now < now",
    "now >= 5",
    "max(now, now)",
    "now // 2",
    "wall.label(5)[0] - now",
    "wall.utc(5) - 3",
)


def test_mypy_refuses_a_difference_and_an_order_of_two_readings(tmp_path):
    path = tmp_path / "timer.py"
    path.write_text(UTC + "\n".join([*REFUSED, "int(now) - 5", ""]))
    command = [sys.executable, *"-m mypy --follow-imports=silent --no-incremental".split()]
    command += ["--cache-dir", tmp_path, "--config-file", "", path]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    first = UTC.count("\n") + 1
    lines = {int(line.split(":")[1]) for line in told.splitlines() if ": error:" in line}
    assert lines == set(range(first, first + len(REFUSED))), told


# ---- local days

CALENDAR_FILE = "controller/system/local_days.py"
# 24 hours, whatever a local clock shows
RANGE_OF_DAYS = "a number an hour beside the end of its range is taken, or refused"
IN_UTC = "words of the tick count days of UTC; a cabinet's own day is found by local_days alone"
PAGES = "an age of some days is an hour off on a page"
DAYS_OF_24_H = {
    "controller/config/converter_form.py": Exempt(
        RANGE_OF_DAYS,
        "tests/controller/config/test_converters.py::test_a_profile_is_refused_in_one_line",
        2,
    ),
    "controller/console/key.py": Exempt(
        PAGES,
        "tests/controller/hints/test_keys.py::test_the_old_key_lasts_a_day_after_the_rotation",
    ),
    "controller/console/pages/text.py": Exempt(
        PAGES,
        "tests/controller/console/test_ask_command.py"
        "::test_a_time_of_day_is_the_next_one_of_the_site",
        2,
    ),
    "controller/workbench/sniff.py": Exempt(
        RANGE_OF_DAYS, "tests/whole/test_walk_bench.py::test_probe_sniff_and_decode_on_every_bus"
    ),
    "controller/core/site_devices/reading_roles.py": Exempt(
        RANGE_OF_DAYS,
        "tests/controller/run/test_site_clock.py::test_the_day_the_second_and_the_error_rounded_up",
    ),
    "controller/core/site_devices/signals_view.py": Exempt(
        IN_UTC, "tests/controller/core/test_schedule.py::test_the_slot_is_that_of_the_clock"
    ),
    "controller/planner/feeds/sun.py": Exempt(
        "the sun of a clear day is minutes off; the plan counts less or more PV",
        "tests/controller/planner/test_inputs.py"
        "::test_without_weather_pv_is_a_clear_sky_as_clear_as_the_last_days",
    ),
    "controller/planner/tariff.py": Exempt(
        "a charge of a month is spread over a mean month; the bill of a back-test is 2 % off",
        "tests/controller/planner/test_tariff.py::test_each_month_has_its_own_rate_and_peak",
    ),
    "controller/recorder/batch.py": Exempt(
        RANGE_OF_DAYS, "tests/controller/recorder/test_export.py::test_wrong_input_is_one_line"
    ),
    "controller/recorder/rescue.py": Exempt(
        "a rescue takes an hour more or less of seconds, which the ring has anyway",
        "tests/controller/recorder/test_recorder_rescue.py"
        "::test_seconds_left_out_for_want_of_room_are_counted_anew_each_time",
    ),
    "controller/run/site_clock.py": Exempt(
        IN_UTC,
        "tests/controller/run/test_site_clock.py::test_the_day_the_second_and_the_error_rounded_up",
    ),
    "controller/series/survey.py": Exempt(
        "a file is an hour short of a day and counts as whole; a doubt names its hole",
        "tests/controller/series/test_series_prices.py"
        "::test_a_day_has_23_24_or_25_hours_in_every_form_of_time",
    ),
    "controller/series/units.py": Exempt(
        RANGE_OF_DAYS,
        "tests/controller/series/test_series_prices.py"
        "::test_a_row_that_is_missing_or_at_a_wrong_time_is_named",
    ),
    "controller/state/ask.py": Exempt(
        RANGE_OF_DAYS, "tests/controller/state/test_ask.py::test_any_length_is_answered", 2
    ),
    "controller/state/situation.py": Exempt(
        IN_UTC, "tests/controller/state/test_ask.py::test_a_slot_of_the_schedule_binds_in_its_time"
    ),
    "controller/store/proof_state.py": Exempt(
        "a proof test is due on a day of UTC, hours beside the local day",
        "tests/controller/store/test_proof_due.py::test_each_limit_is_passed_on_its_day",
    ),
    "controller/watch/jobs.py": Exempt(
        RANGE_OF_DAYS,
        "tests/controller/watch/test_slurm.py"
        "::test_a_big_job_of_a_later_day_is_released_on_that_day",
    ),
    "controller/watch/settings.py": Exempt(
        RANGE_OF_DAYS,
        "tests/controller/watch/test_watch_gate.py"
        "::test_a_job_that_may_begin_only_in_days_is_not_asked_for_yet",
        2,
    ),
}
DAYS = {86_400, 86_400_000, 86_400_000_000}


def is_day(node):
    """The length of a day, or a step by days."""
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float) and node.value in DAYS
    if isinstance(node, ast.BinOp):
        parts = [node.left, node.right]
        numbers = sorted([getattr(each, "value", 0) for each in parts], key=str)
        is_product = isinstance(node.op, ast.Mult) and numbers in ([24, 3600], [900, 96])
        is_step = isinstance(node.op, (ast.Add, ast.Sub))
        return is_product or is_step and "SLOTS_PER_DAY" in [getattr(e, "id", "") for e in parts]
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "timedelta":
        return bool(node.args or {"days", "weeks"} & {each.arg for each in node.keywords})
    return False


def days_in(text):
    return [node.lineno for node in ast.walk(ast.parse(text)) if is_day(node)]


def test_one_calendar_has_the_local_days():
    """A step by days passes system/local_days.py; a day of 24 hours is named here."""
    found = {path: days_in(text) for path, text in modules().items()}
    found.pop(CALENDAR_FILE)
    lines = {path: len(each) for path, each in found.items() if each}
    assert lines == counts(DAYS_OF_24_H), found


@pytest.mark.parametrize(
    "line",
    [
        "before = at_s - 86400",
        "DAY_S = 24 * 3600",
        "tomorrow = day + timedelta(days=1)",
        "tomorrow = day + timedelta(1)",
        "before = past[at - SLOTS_PER_DAY]",
        "DAY_US = 86_400_000_000",
    ],
)
def test_the_syntax_tree_finds_a_step_by_days(line):
    assert days_in(line)
