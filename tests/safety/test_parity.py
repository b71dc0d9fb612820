"""Kernel, channel B and its loop do the same on CPython and on 32-bit MicroPython, heap locked."""

import functools
import shutil
import time

import loop_on_board
import parity_steps
import pytest

from hil.oracle import channel_b_course as course, wasm
from safety import peer as pe
from tests.repository import ROOT

pytestmark = pytest.mark.wire  # it waits once, for the threads of the WebAssembly runtime

# seed, steps, racks, modules, tick in ms
CASES = ((11, 1200, 1, 15, 20), (12, 400, 3, 15, 10), (13, 80, 16, 64, 20))
COURSES = ((2, 3200), (5, 3200))  # seed, steps: together they visit every state that matters
SCRIPT = """import sys
sys.path.insert(0, "/input")
words = [int(word) for word in sys.argv[1:]]
if not words:
    from micropython import heap_lock, heap_unlock
    import loop_on_board
    loop_on_board.main(heap_lock, heap_unlock)
elif len(words) == 5:
    import parity_steps
    parity_steps.main(*words)
else:
    import channel_b_course as course
    print(course.walk(*words, course.default_image(1, 3)))
"""


@functools.cache
def walked(*case):
    return course.walk(*case, course.default_image(1, 3))


@pytest.fixture(scope="module")
def micropython(tmp_path_factory):
    folder = tmp_path_factory.mktemp("micropython")
    ignored = shutil.ignore_patterns("__pycache__", "*.md")
    shutil.copytree(ROOT / "safety", folder / "safety", ignore=ignored)
    for path in (parity_steps.__file__, loop_on_board.__file__, course.__file__):
        shutil.copy(path, folder)
    (folder / "run.py").write_text(SCRIPT)
    machine = wasm.MicroPython()  # compiled once

    def run(*case):
        code, printed, _ = machine.run(folder, "/input/run.py", *map(str, case))
        assert code == 0, printed
        return printed.strip()

    yield run
    time.sleep(wasm.SETTLE_S)


@pytest.mark.parametrize("case", CASES)
def test_the_kernel(micropython, capsys, case):
    parity_steps.main(*case)
    assert micropython(*case) == capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "case", [(2, 500), *(pytest.param(case, marks=pytest.mark.slow) for case in COURSES)]
)
def test_channel_b(micropython, case):
    assert micropython(*case) == str(walked(*case))


def test_the_loop(micropython, capsys):
    loop_on_board.main(lambda: None, lambda: None)
    expected = capsys.readouterr().out.strip()
    assert micropython() == expected
    permits, resets = [int(word) for word in expected.split()[1:3]]
    assert permits > 100 and resets > 0


def test_the_walk_visits_the_states_that_matter(capsys):
    parity_steps.main(1, 3000, 1, 15)
    words = capsys.readouterr().out.split()
    seen = map(int, words[words.index("states") + 1 :])
    inhibited, _, closing, running, _, tripped = seen
    assert inhibited and closing and running and tripped


@pytest.mark.slow
def test_the_courses_visit_what_matters():
    counts = [sum(column) for column in zip(*(walked(*case)[1] for case in COURSES), strict=True)]
    visited = {pe.REASONS[reason] for reason, count in enumerate(counts) if count}
    never = {"other tables", "other limit image", "clocks differ"}  # one comparison each
    assert visited == set(pe.REASONS) - never
