"""The prover: its mutants, its kills, and each proof failing on a broken function."""

import ast
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.tables import cases

HERE = pathlib.Path(__file__).resolve().parent
TINY = '''"""A module of a few lines."""

LEVELS = (("low", 1, "up"), ("high", 7, "down"), ("top", 9, "up"), ("last", 11, "up"))
MOST = 40


def held(value):
    """value within 0..MOST."""
    if value < 0:
        raise ValueError("value is below 0")
    return min(value, MOST)


def count(values):
    """A sum in which every place weighs more than the one before."""
    found = 0
    for at in range(len(values)):
        found += (at + 2) * values[at]
    return found
'''
TINY_TEST = '''"""Tests of the small module."""

import pytest

from safety import tiny


def test_levels():
    assert tiny.LEVELS == (
        ("low", 1, "up"), ("high", 7, "down"), ("top", 9, "up"), ("last", 11, "up"))
    assert tiny.MOST == 40


@pytest.mark.parametrize("value, held", [(0, 0), (3, 3), (39, 39), (40, 40), (41, 40)])
def test_held(value, held):
    assert tiny.held(value) == held


def test_below():
    with pytest.raises(ValueError):
        tiny.held(-1)


def test_count():
    assert [tiny.count(values) for values in ([], [0], [5], [1, 0, 2])] == [0, 0, 10, 10]
'''
WORSE_TEST = TINY_TEST.replace("(40, 40), (41, 40)", "").replace("assert tiny.MOST == 40", "")
ENDLESS = '''"""A loop."""


def count(most):
    """most, counted."""
    at = 0
    while at < most:
        at += 1
    return at
'''
ENDLESS_TEST = '''"""Its test."""

from safety import tiny


def test_count():
    assert [tiny.count(most) for most in (0, 1, 5)] == [0, 1, 5]
'''


@pytest.fixture
def repository(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__", "self_test*")
    for folder in ("tests/prove", "controller", "hil"):
        shutil.copytree(HERE.parents[1] / folder, tmp_path / folder, ignore=ignored)
    for name in ("exemptions.py", "repository.py"):
        shutil.copy(HERE.parent / name, tmp_path / "tests")
    for folder in ("safety", "tests/safety"):
        (tmp_path / folder).mkdir()
    (tmp_path / "safety/__init__.py").write_text('"""Small."""\n')
    (tmp_path / "safety/tiny.py").write_text(TINY)
    (tmp_path / "tests/safety/test_tiny.py").write_text(TINY_TEST)
    (tmp_path / "tests/prove/equivalent.toml").write_text("")
    return tmp_path


def run(*words, cwd=None):
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def prove(repository, *words):
    tool = str(repository / "tests/prove")
    done = run(tool, "--only", "coverage,mutation", *words, cwd=repository)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def explain(repository, *entries):
    listed = [f"[[equivalent]]\nid = '{name}'\nreason = 'none'\n" for name in entries]
    (repository / "tests/prove/equivalent.toml").write_text("".join(listed))


def test_only_a_well_tested_module_is_proved(repository):
    code, lines = prove(repository)
    assert (code, lines[-4]) == (0, "coverage line 100.0 branch 100.0"), lines
    assert "on import 0" in lines[-2] and "errors 0" in lines[-2]
    words = lines[-1].split()
    assert words[0] == "mutants" and words[1] == words[3] and words[-1] == "0"
    assert int(words[1]) > 25
    test = repository / "tests/safety/test_tiny.py"
    test.write_text(WORSE_TEST)
    code, lines = prove(repository, "--seed", "3")
    assert code == 1
    assert any("tiny.MOST | 40 to 41 | 40 | 0: NOT EXPLAINED" in line for line in lines), lines
    diff = (repository / "build/prove/survivors.txt").read_text()
    assert "-MOST = 40\n+MOST = 41\n" in diff
    test.write_text(TINY_TEST.replace("def test_below", "def below"))
    code, lines = prove(repository, "--sample", "3")
    assert code == 1 and "coverage line 90.9 branch 75.0" in lines, lines
    assert any("not covered: safety/tiny.py" in line for line in lines)


def test_a_cut_run_is_resumed_if_nothing_has_changed(repository):
    _, anew = prove(repository, "--sample", "9")
    code, part = prove(repository, "--resume", "--sample", "12")
    assert code == 0 and "mutants: 9 results of an earlier run of this tree are taken over" in part
    assert part[-4] == anew[-4] and part[-1] == "mutants 12 killed 12 survived 0"
    (repository / "tests/safety/test_tiny.py").write_text(WORSE_TEST)
    code, lines = prove(repository, "--resume")
    assert code == 1 and not any("taken over" in line for line in lines)
    assert not lines[-1].endswith("survived 0")


def test_what_was_kept_is_of_one_key_and_whole(tmp_path):
    import kept

    assert kept.load("a", "1", tmp_path) is None
    kept.save("a", "1", {"x": 2}, tmp_path / "b")
    whole = (tmp_path / "b" / "a.pickle").read_bytes()
    assert kept.load("a", "1", tmp_path / "b") == {"x": 2}
    assert kept.load("a", "2", tmp_path / "b") is None
    for size in range(len(whole)):
        (tmp_path / "b" / "a.pickle").write_bytes(whole[:size])
        assert kept.load("a", "1", tmp_path / "b") is None


def test_the_digest_tells_every_file_that_tests_may_read(tmp_path):
    import kept

    (tmp_path / "safety").mkdir()
    seen = {kept.digest(tmp_path)}
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.toml", "1"), ("c.dbc", "1")):
        (tmp_path / "safety" / name).write_text(text)
        seen.add(kept.digest(tmp_path))
    assert len(seen) == 5


def test_an_endless_mutant_is_said_to_be_one(repository):
    (repository / "safety/tiny.py").write_text(ENDLESS)
    (repository / "tests/safety/test_tiny.py").write_text(ENDLESS_TEST)
    code, lines = prove(repository, "--sample", "4")
    assert "by endless running" in lines[-2] and "errors 0" in lines[-2], lines
    assert int(lines[-2].split("endless running ")[1].split(";")[0]) > 0


OUTSIDE = (
    TINY.replace('"""A module of a few lines."""', '"""A module."""\n\nimport functools')
    + """

LOW, HIGH, TOP, LAST = LEVELS


class Pair:
    def __init__(self, a):
        self.a = a

    @property
    def twice(self):
        return self.a * 2

    @staticmethod
    def half(a):
        return a // 2


class Next(Pair):
    def __init__(self, a):
        super().__init__(a + 1)


@functools.cache
def thrice(a):
    return a * 3


def turns(left):
    made = 0
    while left:
        left -= 1
        made += 1
    return made
"""
)
OUTSIDE_TEST = (
    TINY_TEST.replace("safety import", "drivers import")
    + """

def test_the_rest():
    pair = tiny.Next(6)
    assert (pair.twice, pair.half(7), tiny.thrice(5), tiny.turns(3)) == (14, 3, 15, 3)
    assert tiny.thrice(5) == 15
"""
)


def test_outside_the_kernel_a_copy_of_a_table_tells_nothing(repository):
    for folder in ("drivers", "tests/drivers"):
        (repository / folder).mkdir()
    (repository / "drivers/__init__.py").write_text("")
    (repository / "drivers/tiny.py").write_text(OUTSIDE)
    test = repository / "tests/drivers/test_tiny.py"
    test.write_text(OUTSIDE_TEST)
    words = str(repository / "tests/prove"), "--scope", "drivers"
    done = run(*words, cwd=repository)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done
    # 4 levels, of which one is dropped; their numbers; three of their directions are changed
    assert re.fullmatch("  apart: twice-written tables 8, import 4, time-out [1-9]", lines[-2])
    told = re.fullmatch(
        r"scope drivers: (\d+) mutants, told by behaviour \1, survived 0", lines[-1]
    )
    assert told and int(told[1]) > 30, lines
    test.write_text(OUTSIDE_TEST.replace("def test_the", "def the").replace("def test_c", "def c"))
    done = run(*words, cwd=repository)
    assert done.returncode == 1 and "error: too few for 90 %" in done.stdout
    left = (repository / "build/prove/survivors.txt").read_text()
    assert "Pair.twice | * to + | self.a * 2" in left and "LEVELS" not in left


@cases("""
    percent judged told_min
    90      100    83.01 | 90      400    346.02 | 50      4      -0.33
""")
def test_a_small_sample_may_fall_further_below(percent, judged, told_min):
    import scopes

    scope = scopes.Scope("drivers", told_percent=percent)
    assert round(scope.told_min(judged), 2) == told_min


def test_a_stale_or_wrong_list_is_an_error(repository):
    known, gone = (
        "tiny.held | min to operand 0 | min(value, MOST) | 0",
        "tiny.gone | + to - | a + b",
    )
    explain(repository, known, gone)
    code, lines = prove(repository)
    text = "\n".join(lines)
    assert code == 1 and f"{gone}: no such mutant" in text
    assert f"{known}: killed by safety/test_tiny.py" in text
    explain(repository, *(f"m{number}" for number in range(6)))
    assert prove(repository) == (2, [lines[0], "prove: equivalent.toml: 6 entries, at most 5"])


def test_a_test_that_fails_without_a_mutant_is_no_kill(repository):
    test = repository / "tests/safety/test_tiny.py"
    test.write_text(TINY_TEST + "\n\ndef test_broken():\n    assert tiny.MOST == 41\n")
    code, lines = prove(repository)
    assert code == 1 and lines[-1].startswith("mutants ") and "killed 0" in lines[-1]
    test.write_text(TINY_TEST + "\n\nimport no_such_module\n")
    code, lines = prove(repository)
    assert code == 1 and "could not be collected" in "\n".join(lines)


@cases("""words said
    "--only x"  "'x' is no part" | "--files x"  "'x' is no file of safety/" | "-x"  "unrecognized"
    "--scope x"  "invalid choice" | "--scope drivers --only proofs"  "'proofs' is no part"
    "--scope drivers --files kernel"  "'kernel' is no file of drivers/"
    "--only coverage --workers 0"  "1 or more" | "--seed x"  "invalid int value"
    "--only "  "'' is no part" """)
def test_wrong_arguments(words, said):
    done = run(str(HERE), *words.split(" "))
    assert done.returncode == 2 and said in done.stderr and not done.stdout
    assert done.stderr.startswith("flash.sh prove: ") and done.stderr.count("\n") == 1


def test_without_the_solver_only_the_proofs_are_refused(tmp_path):
    code = """import importlib.util as util, runpy, sys
found = util.find_spec
util.find_spec = lambda name, *rest: None if name == 'z3' else found(name, *rest)
runpy.run_path(sys.argv.pop(1), run_name='__main__')"""
    for words, said in (
        ("--only proofs", "./flash.sh prove installs it"),
        ("--only parity --seed x", "int"),
    ):
        done = run("-c", code, str(HERE), *words.split(), cwd=tmp_path)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def ids(text, tmp_path):
    import mutants

    path = tmp_path / "tiny.py"
    path.write_text(text)
    namespace = {}
    exec(compile(text, "tiny", "exec"), namespace)
    return {each.id for each in mutants.generated(mutants.Source(path), namespace)}


def test_ids_do_not_hold_lines_and_texts_of_errors_are_left_alone(tmp_path):
    found = ids(TINY, tmp_path)
    assert found == ids(TINY.replace("\n\n\n", "\n\n\n# moved\n\n"), tmp_path)
    assert not any("below 0" in name or "raise" in name for name in found)
    assert {
        "tiny.LEVELS[high][1] | 7 to 8 | 7 | 0",
        "tiny.LEVELS[high][2] | to 'up' | 'down' | 0",
        "tiny.LEVELS[high] | element dropped | ('high', 7, 'down') | 0",
    } <= found
    # names are for people
    assert not any("'high'" in name and "dropped" not in name for name in found)


@pytest.mark.parametrize(
    "line",
    """
a < b: < to <=
a >= b: >= to >
a == b: == to !=
a + b: + to -
a // b: // to *
a | b: | to &
a << b: << to >>
a and b: operand 0 dropped, operand 1 dropped
not a: not dropped
min(a, b): min to operand 0, min to operand 1
abs(a): abs dropped
-a: minus dropped
-3: -3 to -2
a[b]: index -1
a[3]: 3 to 2
a[b:]: bound +1
a[:b]: bound -1
True: True to False
range(b): begun at 1, bound -1
range(a, b): bound +1, bound -1
5: 5 to 6
1: 1 to 0
a if a == b else 0: 0 to 1, condition to False, condition to True
""".strip().splitlines(),
)
def test_operators(line, tmp_path):
    before, _, operators = line.partition(": ")
    found = {name.split(" | ")[1] for name in ids(f"def f(a, b):\n    return {before}\n", tmp_path)}
    assert sorted(found - {"return to return 0", "return to return 1"}) == operators.split(", ")


def test_a_name_that_is_the_number_itself_is_no_change(tmp_path):
    text = "NONE, ONE = 0, 1\n\n\ndef f(a):\n    if a:\n        return {}\n    return a.b\n"
    for name, is_told in (("NONE", False), ("ONE", True)):
        returned = {each for each in ids(text.format(name), tmp_path) if "return to" in each}
        assert any(f"| return {name} |" in each for each in returned) == is_told
        assert any("return a.b" in each for each in returned)


@pytest.mark.parametrize("name, is_told", [("NONE", False), ("ONE", True), ("b", True)])
def test_to_take_nothing_away_is_no_change(name, is_told, tmp_path):
    text = f"NONE, ONE = 0, 1\n\n\ndef f(a, b):\n    return a + {name}, b[a + {name}]\n"
    found = ids(text, tmp_path)
    assert any("+ to -" in each for each in found) == is_told
    assert any("index -1" in each for each in found)


NO_CHANGE = ["b = a", "a = b"]
CHANGE = ["b = c", "b = a; c = a", "b = a\n    else:\n        c = a"]


@pytest.mark.parametrize("then", NO_CHANGE + CHANGE)
def test_to_take_the_larger_of_equals_is_no_change(then, tmp_path):
    found = ids(f"def f(a, b, c):\n    if a > b:\n        {then}\n    return b\n", tmp_path)
    assert any("> to >=" in name for name in found) == (then in CHANGE)


def test_every_mutant_is_undone(tmp_path):
    import mutants

    path = tmp_path / "tiny.py"
    path.write_text(TINY)
    source = mutants.Source(path)
    before = ast.dump(source.tree)
    for mutant in mutants.generated(source, {"LEVELS": (), "MOST": 40}):
        assert mutant.module_text() != ast.unparse(source.tree)
        assert ast.dump(source.tree) == before


def broken(tmp_path, name, before, after):
    folder = HERE.parents[1] / (
        "controller/core/base" if name in ("setpoint", "answers") else "safety"
    )
    text = (folder / f"{name}.py").read_text(encoding="utf-8")
    assert text.count(before) >= 1, before
    path = tmp_path / f"{name}.py"
    path.write_text(text.replace(before, after))
    package = ".".join(folder.relative_to(HERE.parents[1]).parts)
    return loaded(f"{package}.{name}_broken", path)


def loaded(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Claim, module and function; the text that is broken (its lines joined by "|"); its replacement.
BREAKS = """
scale_is_within tapers scale_W
    power_W % 1000 * permille // 1000
    power_W % 1000 * permille // 9
taper_is_within tapers taper_permille
    if left <= 0:
    if left < -5:
a_limit_never_widens bounds Bounds._lowest
    limit[at + index] < lowest or
    (nothing)
what_is_published_is_within bounds Bounds._publish
    min(self.lowest_W[place],
    max(self.lowest_W[place],
a_demand_never_widens_a_limit bounds Bounds._limits
    (100 - derate) * 10
    (100 + derate) * 5
a_weaker_rack_never_widens bounds Bounds._rack_limits
    min(least[word], limit[first + word])
    FULL_PERMILLE - min(least[word], limit[first + word])
a_weaker_rack_never_widens bounds Bounds._rack_limits
    min(limit_W[at + L_PCS_RATED], dc_W)
    dc_W
a_share_never_widens bounds Bounds._share_W
    lowest if lowest else rated
    rated - lowest
a_share_never_widens bounds Bounds._share_W
    return rated
    return 2 * rated
a_fault_never_lowers_a_demand kernel _level
    if asked & bit:
    if asked:
a_fault_never_lowers_a_demand kernel Kernel._settle
    self.demand[m.CONFLICTS[place][0]] = 0
    self.demand[m.D_HORN] = 0
a_fault_never_lowers_a_demand kernel Kernel._settle
    if ticks[place] < self.hold_ticks[place]:
    if self.hold_ticks[place]:
permit_holds permit Permit._publish_permits
    if is_ending and pcs_demand < m.PCS_STOP:
    if is_ending:
permit_holds permit Permit.update
    if before not in ENDING:
    if before:
permit_holds permit Permit._from_closing
    s.STOPPING if self._loaded() else s.INHIBITED
    s.INHIBITED
permit_holds permit Permit._leave_closing
    0 if self._loaded() else 1
    1
permit_holds opening Opening.after_demand
    current < 0 and self._pcs_current_zero()
    current < 0
permit_holds opening Opening._in_gas
    if removal and waited >= self.removal_ticks:
    if waited >= self.removal_ticks:
permit_holds opening Opening.waits_for_fuse
    NOT_WAITING < self.waited[W_FUSE] < self.fuse_ticks
    5 < self.waited[W_FUSE] < self.fuse_ticks
permit_holds opening Opening.waits_for_fuse
    NOT_WAITING < self.waited[W_FUSE] < self.fuse_ticks
    NOT_WAITING < self.waited[W_FUSE] < self.open_ticks
permit_holds opening Opening.after_demand
    waited, current = self.waited[W_DEMAND], self.contactors.current_zero()
    waited, current = 0, self.contactors.current_zero()
permit_holds opening Opening.needs_breaker
    self.waited[W_DEMAND] >= self.breaker_ticks
    self.waited[W_DEMAND] >= self.zero_ticks
permit_holds opening Opening._wait
    s.TICKS_MAX) if is_due
    s.TICKS_MAX) if before
permit_holds permit Permit._wanted
    self.inp[s.LOCK_OUT_OK]
    self.inp[s.ARMED_STORED]
relays_are_tested permit Permit._publish
    self.contactors.update(elapsed, 0)
    self.contactors.update(elapsed, 1)
relays_are_tested permit Permit._tested
    self.relays[R_STEP] >=
    self.relays[R_STEP] + 1 >=
relays_are_tested permit Permit._read_back
    == enable and
    <= enable and
no_reset_clears_what_stands latches Latches._clearable
    return NOT_CLEAR_YET
    found = DONE
no_reset_clears_what_stands latches Latches._is_clear
                known|            and not
                not
no_reset_clears_what_stands latches Latches._is_clear
    == m.KNOWN
    != 0
no_reset_clears_what_stands latches Latches.clears
    [m.S_LATCH] <= level
    [m.S_LATCH] >= level
evaluating_never_unlatches evaluate Evaluator._miss
    self.active[index] = self.set_count[index] = 0
    self.latched[index] = 0
evaluating_never_unlatches evaluate Evaluator.update
    busy[block] = self._block(block, elapsed)
    busy[block] = 1 if self._block(block, elapsed) and self._any_hit(block) else 0
every_copy_stays_small image_check ImageCheck.as_image
    evaluator.stage[index] * STAGE_WORDS
    (evaluator.stage[index] + 1) * STAGE_WORDS * 2
what_is_held_acts_in_its_time evaluate Evaluator._beyond
    count >= debounce[D_SET_TICKS]
    count > debounce[D_SET_TICKS]
what_is_held_acts_in_its_time evaluate Evaluator._beyond
    + elapsed, s.TICKS_MAX
    + min(elapsed, 5), s.TICKS_MAX
what_is_held_acts_in_its_time evaluate Evaluator.update
    and self._any_hit(block)
    and self._any_hit(block) and not block
what_is_held_acts_in_its_time kernel Kernel.step
            self._settle(elapsed)
            self._settle(elapsed)|        self.demand[m.D_PCS] = min(self.demand[m.D_PCS], 1)
what_is_held_acts_in_its_time opening Opening._wait
    elapsed if before >= 0 else 1
    1
what_is_held_acts_in_its_time bounds Bounds._limits
    0 if inhibited >= m.INHIBIT_AT_ONCE
    0 if inhibited > m.INHIBIT_AT_ONCE
what_moves_is_looked_at witness Witness._power
    if beyond > 0 or short > 0:
    if beyond > 0:
what_moves_is_looked_at racks Racks._rack
    self.changed[self.layout.units + block] = 1
    self.changed[self.layout.units + block] = due
a_ramp_ends bounds Bounds._ramped_W
    rated // self.ramp_ticks + 1
    rated // self.ramp_ticks
a_hint_only_narrows setpoint Chain._bounded
    within(value_W, bounds.low_W
    within(value_W, -WIDE_W
a_hint_only_narrows answers PowerInterval.narrow
    if low_W > self.low_W or
    if low_W < self.low_W or
""".strip("\n").split("\n")
TEXTS = [text[4:].replace("(nothing)", "").replace("|", "\n") for text in BREAKS]
BREAKS = [(*row[0].split(), *row[1:]) for row in zip(BREAKS[::3], TEXTS[1::3], TEXTS[2::3])]


def test_what_is_broken_is_there(tmp_path):
    """Holds without the solver too: a break must break something."""
    for _, name, function, before, after in BREAKS:
        assert broken(tmp_path, name, before, after) and before != after, function


@pytest.mark.parametrize("broke", BREAKS, ids=[f"{row[0]}-{row[2]}" for row in BREAKS])
def test_a_proof_fails_on_a_broken_function(broke, tmp_path, monkeypatch):
    import proofs

    claim, name, function, before, after = broke
    copy = broken(tmp_path, name, before, after)
    owner = importlib.import_module(copy.__name__.removesuffix("_broken"))
    *classes, last = function.split(".")
    for each in classes:
        owner, copy = getattr(owner, each), getattr(copy, each)
    monkeypatch.setattr(owner, last, getattr(copy, last))
    small = {"units": 1, "racks": 1} if claim.endswith("in_its_time") else {}
    assert proofs.BY_NAME[claim](**small) is not None


def numbers(tmp_path, text):
    """Functions that count as the project's."""
    path = tmp_path / "numbers.py"
    path.write_text(text)
    return loaded("safety.numbers", path)


SMALL = """
def product(a, b):
    if a > 1000:
        a = 1000
    return a * b


def place(values, at):
    if at < 3:
        return values[at]
    return 0


def cube(a, b):
    return a * a * a + b * b * b


def odd(a):
    return {a: 1}
"""


def test_values_that_leave_their_range_and_indices_that_leave_their_array_are_found(tmp_path):
    import symbolic

    small = numbers(tmp_path, SMALL)
    for high, held in ((1_000_000, True), (1_100_000, False)):
        machine = symbolic.Machine()
        any_a, any_b = machine.symbol("a", 0, symbolic.HIGH), machine.symbol("b", 0, high)
        machine.call(small.product, any_a, any_b)
        assert (machine.unmet() is None) == held
    for count, held in ((3, True), (2, False)):
        machine = symbolic.Machine()
        values, at = machine.symbols("values", 0, 9, count), machine.symbol("at", 0, 9)
        machine.call(small.place, values, at)
        assert (machine.unmet() is None) == held


def test_an_unknown_answer_is_not_held(tmp_path):
    import operator

    import symbolic

    small = numbers(tmp_path, SMALL)
    machine = symbolic.Machine(claim_steps=150_000)
    a, b, c = (machine.symbol(name, 2, 900) for name in "abc")
    machine.facts.append((a.e * b.e) % 7919 == (c.e * c.e * a.e + 11) % 7907)
    cubes = machine.call(small.cube, a, b), machine.call(small.cube, c, a)
    unequal = symbolic.compare(operator.ne, *cubes)
    assert machine.refute([("no cube", unequal)]) is not None
    with pytest.raises(symbolic.Unknown):
        machine.call(small.odd, a)
    machine = symbolic.Machine()
    a = machine.symbol("a", 0, 5)
    machine.facts.append(a.e > 5)
    nobody = ("the assumptions", "contradict each other, or nobody knows")
    assert machine.refute([("all", False)]) == nobody


IMPORTS = """
import importlib, pathlib, sys
sys.path[:0] = sys.argv[1:]
import safety.mcu.loop, safety.peer, safety.second
found = set()
def see(frame, event, _):
    if event == "call" and frame.f_globals.get("__name__", "").startswith("safety."):
        found.add(f"{frame.f_globals['__name__']}.{frame.f_code.co_name}")
sys.setprofile(see)
for path in sorted(pathlib.Path(sys.argv[1]).glob("test_*.py")):
    importlib.import_module(path.stem)
sys.setprofile(None)
print(*sorted(found))
"""


def test_no_test_file_runs_a_kernel_when_it_is_collected():
    """A function run then cannot be swapped: its mutants would take five times as long."""
    done = run("-c", IMPORTS, str(HERE.parent / "safety"), str(HERE.parents[1]))
    assert done.returncode == 0, done.stderr
    allowed = ("crc", "parameters", "signals")
    ran = [name for name in done.stdout.split() if name.split(".")[1] not in allowed]
    assert set(ran) <= {"safety.second_image.file_bytes"}


def test_lines_of_code():
    import sizes

    assert sizes.lines_of(TINY) == (19, 11, 2)


def test_the_kernel_is_what_it_imports_and_the_rest_the_second_channel():
    import mutants
    import sizes

    tree = ast.parse(
        "from array import array\nfrom safety import a as b, c\nfrom safety.d import E"
    )
    assert sizes.imported(tree) == {"a", "c", "d"}
    sources = mutants.sources()
    kernel = sizes.part_of(sources)
    second = "__init__ channel frame mcu.__init__ mcu.loop peer second second_image".split()
    assert {source.name for source in sources} - kernel == set(second)
    parts = [line.partition(":")[0] for line in sizes.lines()]
    assert parts == ["the kernel", "the second channel"]


MUTANT = SimpleNamespace(
    id="m", family=(("f", "g"), "f", ""), known_as=str, concerns=lambda name: 1
)


@cases("""listed asked
    ()  [["a"], ["b"]] | ("m",)  [["a"]] | ("n",)  [["a"], ["b"]]""")
def test_a_listed_survivor_is_asked_of_the_likeliest_tests_only(listed, asked):
    import mutation

    learned = mutation.Learned({"a": 1.9, "b": 50.0})
    runner = SimpleNamespace(tests=lambda mutant: ["a", "b"])
    queue = mutation.Queue(runner, learned, [MUTANT], listed)
    result = {"how": mutation.SURVIVED, "by": "", "tried": 1, "cpu_s": 2.0}
    tried = []
    for jobs in (queue.jobs, queue.again):
        for _, names, is_last in jobs():
            tried.append(names)
            queue.take(MUTANT, names, is_last, dict(result))
    assert tried == asked


EVERY_STATEMENT = '''
from __future__ import annotations
import asyncio
from os import path as place
count: int = 3
count += 1
name = [(), (1, 2)]
for each in (1, 2, 3):
    if each == 2:
        continue
    pass
while count > 100:
    break
with open(place.devnull) as file:
    assert file, "it is there"
try:
    raise ValueError("no")
except ValueError as error:
    said = str(error)
try:
    raise ExceptionGroup("several", [ValueError("no")])
except* ValueError:
    del said
match count:
    case 4 | 5:
        found = (1, 2)
class Base:
    def of(self):
        return 6
class Next(Base):
    def of(self):
        return super().of() + len(str(super()))
def counted(step):
    kept = 0
    def more():
        nonlocal kept
        global count
        kept = count = kept + step
        return kept
    return more
async def served(lines, lock):
    """Async for, async with, await."""
    async with lock:
        async for line in lines:
            await asyncio.sleep(len(line) + 1)
class Door:
    async def sent(self, text):
        return await served(text, None) or 5
'''


def test_mutants_are_drawn_of_every_kind_of_statement(tmp_path, monkeypatch):
    """A new kind of statement of Python is missing here until somebody adds it."""
    import mutants
    import outside

    kinds = {type(node) for node in ast.walk(ast.parse(EVERY_STATEMENT))}
    newer = {"TypeAlias"}  # of Python 3.12
    assert {kind.__name__ for kind in ast.stmt.__subclasses__() if kind not in kinds} <= newer
    path = tmp_path / "controller/every.py"
    path.parent.mkdir()
    path.write_text(EVERY_STATEMENT)
    monkeypatch.setattr(outside, "ROOT", tmp_path)
    found = outside.drawn(path, 1000, 1)
    assert len(found) == len(list(mutants.generated(mutants.Source(path), {})))
    for where in ("served |", "Door.sent |", "Next.of |", "counted |"):
        assert [name for name, _ in found if f".{where}" in name], where
