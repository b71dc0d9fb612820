"""`python -m hil hint-attack`: options, course beside the rig, report."""

import os
import tempfile
from argparse import Namespace
from typing import Any

from controller.run import loop_statistics
from hil.campaigns import course, order
from hil.campaigns.hint_attack.attack import Attack
from hil.engine import coverage
from hil.engine.arguments import whole
from hil.engine.rig import Rig, RigError
from hil.results import words
from hil.results.run_result import machine
from hil.runner import options, report

COUNT, COUNT_MAX = 100_000, 10_000_000
QUIET_S = 10.0  # before the attack, to measure the loop's lateness without it
READY_S = 0.1
OPTIONS = options.JSON | options.SEED | options.CABINET
OPTIONS |= {"--count": options.value(whole(1, COUNT_MAX), "NUMBER", "(%(default)s)", COUNT)}


class Course(course.Course):
    """A quiet phase, then the attack; `figures` afterwards."""

    def __init__(self, rig: Rig, count: int, seed: int) -> None:
        super().__init__(rig)
        self._attack = Attack(rig.directory, rig.keys, count, seed)
        self.figures: dict[str, Any] = {}

    def _play(self) -> None:
        stats = os.path.join(self.rig.directory, "loop.stats")
        socket = os.path.join(self.rig.directory, "hints.sock")
        while not os.path.exists(socket) or not (at_start := loop_statistics.content(stats)):
            self.wait(READY_S)
        self.wait(QUIET_S)
        before = loop_statistics.content(stats) or at_start
        self._attack.run()
        after = loop_statistics.content(stats) or before
        self.figures = {
            **self._attack.figures(),
            "loop_quiet": loop_statistics.figures(before, at_start),
            "loop_under_attack": loop_statistics.figures(after, before),
        }


def main(arguments: Namespace) -> int:
    """Returns 0 if all bad hints were refused and all genuine ones accepted, else 1."""
    config = coverage.loaded(arguments.cabinet, is_virtual=False)
    with tempfile.TemporaryDirectory(prefix="firebreak-attack-") as directory:
        given = order.made(config, order.WHOLE_DAY_S, arguments.seed, run_dir=directory)
        rig = Rig(given, None, config)
        try:
            rig.start()
            played = Course(rig, arguments.count, arguments.seed)
            played.beside(lambda shown: None)
        finally:
            rig.stop()
    if played.error is not None:
        raise RigError(played.error)
    figures = played.figures
    ok = figures["accepted"] == 0 and figures["genuine"] == figures["genuine_accepted"]
    doc = {"command": "hint-attack", "seed": arguments.seed, **figures, **machine(), "ok": ok}
    doc["mirrored"] = coverage.about(config)
    return report.finish(arguments, doc, lines(doc), ok)


def lines(doc: dict[str, Any]) -> list[str]:
    """The report as lines."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in doc["by_kind"].items())
    return [
        f"seed       {doc['seed']}",
        *words.mirrored_lines(doc),
        f"sent       {doc['sent']} bad hints: {kinds}",
        f"accepted   {doc['accepted']} bad hints; {doc['genuine_accepted']} of {doc['genuine']} "
        f"genuine hints",
        _loop("quiet", doc["loop_quiet"]),
        _loop("attacked", doc["loop_under_attack"]),
    ]


def _loop(name: str, loop: dict[str, Any]) -> str:
    late = loop["lateness_us"]
    return (
        f"{name:10} {loop['ticks']} ticks, {loop['missed']} missed, {loop['late']} late; lateness "
        f"p50 {late['p50']}, p99 {late['p99']}, p99.9 {late['p99_9']}, max {late['max']} us"
    )


add = options.command(
    "hint-attack", "send bad hints to a real controller; it must refuse them all", main, OPTIONS
)
