"""The planner takes at most 20 MiB more than Python alone, with full books, all its work done."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from planner_bench import HOUR_S, QUARTER_S, SITE, load_W

from controller.planner import books
from controller.planner.books import Quarter
from controller.recorder.quarters import FILE, HEADER, KEPT
from controller.system import clock

pytestmark = pytest.mark.wire
KIB_MAX = 20 << 10
HIGHEST = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
STEPS = """
import sys
from controller import __main__
from controller.console import planner
from controller.planner.process import Places, Process
folder = sys.argv[1]
names = "planner.toml", "run", "books", "plan", "none.key"
process = Process(Places(*[f"{folder}/{name}" for name in names], trusts_clock=True), print)
for _ in range(4):
    process.step()
"""


def highest_KiB(program, *words):
    done = subprocess.run(
        [sys.executable, "-c", program + HIGHEST, *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_planner_needs_20_MiB_at_most(tmp_path):
    now = int(clock.utc_us()) // (QUARTER_S * 1_000_000)
    for name in ("run", "books", "plan"):
        (tmp_path / name).mkdir()
    (tmp_path / "planner.toml").write_text(SITE)
    rows = [f"{at * QUARTER_S},{load_W(at):.0f},0,,,550" for at in range(now - KEPT, now)]
    (tmp_path / "run" / FILE).write_text("\n".join([HEADER, *rows, ""]))
    prices = [f"{at * HOUR_S},{70 + at % 24}" for at in range(now // 4 - 400, now // 4 + 40)]
    (tmp_path / "prices.csv").write_text("\n".join(["unix,EUR/MWh", *prices, ""]))
    full = Quarter(datetime.now(UTC), *[300e3] * 11)
    before = range(now - books.KEPT, now - KEPT)
    lines = [books._line(full._replace(at=datetime.fromtimestamp(at * 900, UTC))) for at in before]
    (tmp_path / "books" / books.FILE).write_bytes(b"".join(lines))
    *said, own_KiB = highest_KiB(STEPS, str(tmp_path))
    (bare_KiB,) = highest_KiB("pass\n")
    assert said[0].startswith("plan by ") and (tmp_path / "plan" / "plan.json").exists()
    assert int(own_KiB) - int(bare_KiB) < KIB_MAX
