"""`python -m hil trials hint-attack` sends bad hints to a real controller, and reports."""

import os

from controller.run import loop_statistics
from hil.campaigns import course, order
from hil.campaigns.hint_attack.attack import Attack
from hil.campaigns.trials import Figures, Judged, Trial, count_option
from hil.engine import coverage
from hil.engine.rig import Rig
from hil.results.run_result import machine
from hil.runner import options
from hil.runner.cases import in_turn

QUIET_S = 10.0  # before the attack, to measure how late the loop is without it
READY_S = 0.1


class Course(course.Course):
    """A quiet phase, then the attack. Afterwards `figures` has the results."""

    def __init__(self, rig: Rig, count: int, seed: int) -> None:
        super().__init__(rig)
        self._attack = Attack(rig.directory, rig.keys, count, seed)
        self.figures: Figures = {}

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


class HintAttack(Trial):
    """This trial is met if all bad hints were refused and all genuine ones accepted."""

    summary = "send bad hints to a real controller; it must refuse them all"
    mode = "real time"
    own_options = options.CABINET | count_option(10_000_000, 100_000, "bad hints")
    engine = staticmethod(in_turn)

    def draw(self) -> list[int]:
        """One attack, with the given count of hints."""
        return [self.arguments.count]

    def play(self, case: int) -> Figures:
        """The figures of an attack."""
        config = coverage.loaded(self.arguments.cabinet, is_virtual=False)
        seed = self.arguments.seed
        *_, attack = order.played(
            config, order.WHOLE_DAY_S, seed, course=lambda rig: Course(rig, case, seed)
        )
        return attack.figures

    def judge(self, outcomes: list[Figures]) -> Judged:
        """See Trial."""
        (figures,) = outcomes
        bad, genuine = figures["accepted"], figures["genuine"]
        verdict = f"{bad} bad hints accepted; {figures['genuine_accepted']} of {genuine} genuine"
        is_met = bad == 0 and genuine == figures["genuine_accepted"]
        return Judged({**figures, **machine(), "ok": is_met}, lines(figures), verdict, is_met)


def lines(figures: Figures) -> list[str]:
    """The report as lines."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in figures["by_kind"].items())
    return [
        f"sent       {figures['sent']} bad hints: {kinds}",
        _loop("quiet", figures["loop_quiet"]),
        _loop("attacked", figures["loop_under_attack"]),
    ]


def _loop(name: str, loop: Figures) -> str:
    late = loop["lateness_us"]
    return (
        f"{name:10} {loop['ticks']} ticks, {loop['missed']} missed, {loop['late']} late; lateness "
        f"p50 {late['p50']}, p99 {late['p99']}, p99.9 {late['p99_9']}, max {late['max']} us"
    )
