"""The share rule as a model for SPIN: `python -m tests.controller.dispatch.share_model` plays all.

A case names a broken version of the rule ("ok": none) and its sizes. Model: share_rule.pml.j2.
"""

import itertools
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import jinja2

TEMPLATE = Path(__file__).with_name("share_rule.pml.j2")
SHORTEST = ("-DBFS",), ()  # breadth first: the shortest trail
WHOLE = (), ("-m100000", "-w24")
HOLDS, FOUND = "holds, complete", "found"


class Case(NamedTuple):
    """Sizes: hints in all, fallbacks, connection above them, restarts, reboots, a take-over, and by
    how many ticks the clock of a cabinet may err in each lease.
    """

    variant: str
    count: int
    fallbacks: tuple[int, ...] = (0, 0)
    connection: int = 1
    restart_count: int = 0
    reboot_count: int = 0
    takeover: bool = False
    error: int = 0

    @property
    def is_deep(self) -> bool:
        """Its trail is long, so it is searched depth first."""
        return self.variant in ("ok", "epoch_forgotten", "epoch_unstored", "restart_after_takeover")


RIGHT = (
    Case("ok", 4),
    Case("ok", 4, error=1),
    Case("ok", 3, (0, 1), 2, 1, 1, error=1),
    Case("ok", 3, takeover=True, reboot_count=1),
    Case("ok", 3, takeover=True, error=1),
    Case("ok", 3, takeover=True, restart_count=1),
    Case("ok", 3, (0, 0, 0), 1, 1, 1),
    Case("ok", 4, restart_count=1, reboot_count=1),
    Case("ok", 4, takeover=True),
)
BROKEN = (
    Case("raise_early", 3),
    Case("by_value", 4),
    Case("no_w", 3),
    Case("no_window", 3),
    Case("below_fallback", 3, (0, 1), 2),
    Case("restart_fallback", 3, restart_count=1),
    Case("clock", 3, error=1),
    Case("takeover_no_wait", 3, takeover=True),
    Case("takeover_no_fence", 4, takeover=True),
    Case("takeover_no_count", 4, takeover=True),
    Case("no_epoch", 4, takeover=True),
    Case("nonce_frees", 4, reboot_count=1),
    Case("epoch_forgotten", 4, reboot_count=1, takeover=True),
    Case("epoch_unstored", 4, reboot_count=1, takeover=True),
    Case("restart_after_takeover", 3, takeover=True, restart_count=1),
)


def source(case: Case) -> str:
    """The model in Promela."""
    slips = itertools.product(range(3 if case.error else 1), repeat=len(case.fallbacks))
    made = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)
    text = made.from_string(TEMPLATE.read_text(encoding="ascii"))
    return text.render(**case._asdict(), valid=1, window=1, combinations=[*slips])


def searched(case: Case) -> tuple[str, int, float]:
    """(verdict, states, s). RuntimeError: a tool fails."""
    compiled, given = WHOLE if case.is_deep else SHORTEST
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "m.pml").write_text(source(case), encoding="ascii")
        _ran(folder, "spin", "-a", "m.pml")
        _ran(folder, *"gcc -O2 -w -DSAFETY -DCOLLAPSE".split(), *compiled, *"-o pan pan.c".split())
        out = _ran(folder, "./pan", *given)
    errors = int(re.search(r"errors: (\d+)", out)[1])
    is_whole = not re.search("not completed|too small|out of memory", out)
    verdict = FOUND if errors else HOLDS if is_whole else "not complete"
    seconds = float(re.search(r"elapsed time ([\d.]+)", out)[1])
    return verdict, int(float(re.search(r"([\d.e+]+) states, stored", out)[1])), seconds


def _ran(folder: str, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout


if __name__ == "__main__":
    for each in RIGHT + BROKEN if len(sys.argv) < 2 else [Case(sys.argv[1], int(sys.argv[2]))]:
        verdict, states, seconds = searched(each)
        print(
            f"{each.variant:24}{str(each[1:]):44}{states:>10} states {seconds:6.1f} s  {verdict}",
            flush=True,
        )
