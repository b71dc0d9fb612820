"""The clock of the day is no timer: nothing subtracts or orders its readings, and days have one
calendar. mypy refuses both on `clock.Utc`; the syntax tree finds what was made a number before.
"""

import ast
import subprocess
import sys

import pytest

from tests.repository import ROOT, tree

# Numbers of the time of the day have these names, or are bound from one, or from a reading.
NAMES = ("utc_us", "utc_s", "now_s", "made_s", "stamp_s", "stamp_us", "mtime", "mtime_ns")
NAMES += ("st_mtime", "st_mtime_ns", "st_ctime", "st_ctime_ns", "wall_us", "wall_s")
READINGS = ("utc", "utc_us", "now_s", "_now_s", "_utc_s", "timestamp", "fromtimestamp", "getmtime")
AS_NUMBER = ("int", "float", "round")
ORDERS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
# Divided by one of these, a time is the number of a quarter, an hour or a day: an order of data.
CALENDAR = ("SLOT_S", "QUARTER_S", "HOUR_S", "DAY_S")
CLOCKS = ("controller/system/utc.py", "controller/system/clock.py")
# Stamps of data, which no clock of this box has made, or an order that ends nothing that is kept:
# how many lines have them, and why.
STAMPS = {
    "controller/audit/sources.py": (3, "times of recorded files, in their order"),
    "controller/audit/table.py": (1, "times of recorded files, in their order"),
    "controller/console/captures.py": (2, "times of a foreign capture, from its first one on"),
    "controller/dispatch/roll_out.py": (2, "seconds of the caller's clock, from the begin on"),
    "controller/doors/alarms/letter.py": (1, "the label of a moment so long before another one"),
    "controller/hints/key_file.py": (1, "a label, not below 1970"),
    "controller/hints/schedule_file.py": (1, "the range of a time that a person writes"),
    "controller/planner/feeds/entsoe.py": (1, "the range of a time of a document"),
    "controller/planner/feeds/job_plan.py": (2, "places of jobs among the quarters of a plan"),
    "controller/planner/feeds/points.py": (1, "values are as old as their end"),
    "controller/recorder/csv_files.py": (1, "the range that a stored label may have"),
    "controller/run/operator_commands.py": (1, "the range of a label in a message"),
    "controller/series/times.py": (2, "the range and the order of the times of a file"),
    "controller/state/course.py": (7, "seconds of a forecast, from now on"),
    "controller/state/forecast.py": (4, "seconds of a forecast, from now on"),
    "controller/state/propagation_map.py": (6, "seconds of a forecast, from now on"),
    "controller/system/local_days.py": (3, "the calendar"),
    "controller/systemd/trial_verdict.py": (1, "seconds since the boot, from look to look"),
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


def sources():
    every = [path.relative_to(ROOT).as_posix() for path in tree() if path.suffix == ".py"]
    return [each for each in every if each.startswith(("controller/", "drivers/"))]


def test_no_time_of_the_day_is_subtracted_or_ordered():
    """Ages and timers take `clock.now_us`; a span between two stamps of data is
    `utc.elapsed_s`.
    """
    found = {path: wrong((ROOT / path).read_text()) for path in sources() if path not in CLOCKS}
    counts = {path: len(lines) for path, lines in found.items() if lines}
    assert counts == {path: count for path, (count, _) in STAMPS.items()}, found


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
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--no-incremental"]
    command += ["--cache-dir", str(tmp_path), "--config-file", "", str(path)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    first = UTC.count("\n") + 1
    lines = {int(line.split(":")[1]) for line in told.splitlines() if ": error:" in line}
    assert lines == set(range(first, first + len(REFUSED))), told


# ---- local days

CALENDAR_FILE = "controller/system/local_days.py"
# 24 hours, whatever a local clock shows
DAYS_OF_24_H = {
    "controller/config/converter_form.py": "a range",
    "controller/console/key.py": "words for an age",
    "controller/console/pages/text.py": "words for an age",
    "controller/console/sniff.py": "a range",
    "controller/core/policies/peak_shaving.py": "days of UTC, of the words of the tick",
    "controller/core/policies/schedule.py": "days of UTC, of the words of the tick",
    "controller/core/site_devices/reading_roles.py": "a range",
    "controller/planner/feeds/sun.py": "mean days of the almanac",
    "controller/planner/tariff.py": "a mean month",
    "controller/recorder/process.py": "a range",
    "controller/recorder/rescue.py": "seconds that are rescued",
    "controller/run/site_clock.py": "days of UTC",
    "controller/series/survey.py": "a length of a file",
    "controller/series/units.py": "a range",
    "controller/state/ask.py": "a range",
    "controller/state/situation.py": "days of UTC, of the words of the tick",
    "controller/store/proof_state.py": "days of the UTC calendar, in dates",
    "controller/watch/jobs.py": "a range",
    "controller/watch/settings.py": "a range",
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
    found = {path: days_in((ROOT / path).read_text()) for path in sources()}
    found.pop(CALENDAR_FILE)
    assert {path for path, lines in found.items() if lines} == set(DAYS_OF_24_H), found


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
