"""Plays disturbances in a thread beside the rig, with a calm time before and after each."""

import sys
from collections.abc import Mapping
from typing import Any

from controller.run import loop_statistics
from hil.campaigns import course
from hil.campaigns.chaos import verdict
from hil.campaigns.chaos.companions import Works
from hil.campaigns.chaos.disturbances import Disturbance
from hil.campaigns.chaos.stage import Stage
from hil.engine.rig import RigError
from hil.observer.beats import largest_gap_us

PHASES = ("before", "during", "after")
END = "end"
Figures = dict[str, Any]  # of a disturbance, as plain data


class Course(course.Course):
    """`taken`: [{name, alive, state, stall_us, stalled_us, counters: {phase: of Stage.counters},
    notes: [(ok, sentence)]}] of the disturbances that have ended; `doing`: name of the present one.
    """

    def __init__(
        self, stage: Stage, chosen: Mapping[str, Disturbance], calm_s: float, during_s: float
    ) -> None:
        super().__init__(stage.rig)
        self._stage, self._chosen = stage, chosen
        self._calm_s, self._during_s = calm_s, during_s
        self.taken: list[Figures] = []
        self.doing = "before any disturbance"
        stage.wait = self.wait

    def _play(self) -> None:
        stage = self._stage
        if not stage.wait_for(lambda: stage.state == "running"):
            raise RigError(f"the cabinet does not start, it is {stage.state}")
        stage.wait(self._calm_s)
        for name, disturbance in self._chosen.items():
            self.doing = name
            print(f"chaos: {name}: {disturbance.what}", file=sys.stderr, flush=True)
            self._disturb(name, disturbance)

    def _disturb(self, name: str, disturbance: Disturbance) -> None:
        stage = self._stage
        counters: Figures = {}

        def begin(phase: str) -> None:
            stage.mark(mark(name, phase))
            counters[phase] = stage.counters()

        stage.notes = []
        # The cabinet must run before a disturbance begins. If it does not, a note says so.
        if stage.state != "running":
            stage.note(*stage.runs_again())
        begin("before")
        stage.wait(self._calm_s)
        if stage.state != "running":
            remark = "in the calm before; this disturbance is not the cause"
            stage.note(False, f"the cabinet was {stage.state} {remark}")
        stage.companions.take_stall_us()
        begin("during")
        with disturbance.act(stage):
            stage.wait(self._during_s)
            begin("after")
        stage.wait(self._calm_s)
        begin(END)
        (stall_us, stalled_us), state = stage.companions.take_stall_us(), stage.state
        if disturbance.ends_running and state != "running":
            stage.note(*stage.runs_again())
            state = stage.state if disturbance.trips_right else state
        self._check_companions()
        self.taken.append(
            {
                "name": name,
                "alive": stage.controller.poll() is None,
                "state": state,
                "stall_us": stall_us,
                "stalled_us": stalled_us,
                "counters": counters,
                "notes": stage.notes,
            }
        )

    def _check_companions(self) -> None:
        for companion in self._stage.companions.all:
            if not companion.alive:
                log = companion.log_lines() or ["without a message"]
                self._stage.note(False, f"the {companion.name} does not run: {log[-1]}")
            elif companion.works is not None:
                self._stage.note(*self._answer(companion.works))

    def _answer(self, works: Works) -> tuple[bool, str]:
        # the process may need this long to start again on a busy machine
        self._stage.wait_for(lambda: works()[0], 20.0)
        return works()


def mark(name: str, phase: str) -> str:
    """The name of a phase on the timeline of the plant process."""
    return f"{name}/{phase}"


def judged(taken: Figures, content: Figures, disturbance: Disturbance) -> Figures:
    """Figures and verdicts. content: the recording of the plant process, with unpacked beats."""
    taken = dict(taken)
    name, counters, notes = taken["name"], taken.pop("counters"), taken.pop("notes")
    times_us = {label: time_us for time_us, label, _ in content["timeline"]}
    spans_us, loop = {}, {}
    for phase, following in zip(PHASES, (*PHASES[1:], END)):
        spans_us[phase] = times_us[mark(name, phase)], times_us[mark(name, following)]
        begin, end = counters[phase]["loop"], counters[following]["loop"]
        loop[phase] = loop_statistics.figures(end, begin)
    growth_kB = counters[END]["memory_kB"] - counters["before"]["memory_kB"]
    figures = {**taken, **_wires(content, spans_us), "loop": loop, "growth_kB": growth_kB}
    sentences = verdict.judged(figures, disturbance) + notes
    return {
        **figures,
        "what": disturbance.what,
        "ok": all(ok for ok, _ in sentences),
        "verdicts": [{"ok": ok, "text": text} for ok, text in sentences],
    }


def _wires(content: Figures, spans_us: dict[str, tuple[int, int]]) -> Figures:
    """{trips, violations, gaps_ms} within these spans, {phase: (us, us)}."""
    begin_s, end_s = spans_us["during"][0] / 1e6, spans_us["after"][1] / 1e6
    return {
        "trips": [trip["stage"] for trip in content["trips"] if begin_s <= trip["t_s"] < end_s],
        # The observer's line begins with the time.
        "violations": [
            line for line in content["violations"] if begin_s <= float(line.split()[0]) < end_s
        ],
        "gaps_ms": {
            output: {
                phase: round(largest_gap_us(beats_us, *span_us) / 1000, 1)
                for phase, span_us in spans_us.items()
            }
            for output, beats_us in sorted(content["beats"].items())
        },
    }
