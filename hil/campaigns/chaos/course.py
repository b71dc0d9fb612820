"""The course of a run, a thread beside the rig: calm, disturbance, calm, for each; the figures of
each afterwards.
"""

import sys

from controller.run import loop_statistics
from hil.campaigns import course
from hil.campaigns.chaos import verdict
from hil.observer.beats import largest_gap_us
from hil.rig import RigError

PHASES = ("before", "during", "after")
END = "end"
STARTED_S = 20.0  # so long a companion has to be back, on a busy machine


class Course(course.Course):
    """`taken`: [{name, counters: {mark: ..}, ...}] of the disturbances that were done; `doing`: the
    name of the one at hand.
    """

    def __init__(self, stage, chosen, calm_s, during_s):
        """chosen: [(name, Disturbance)]."""
        super().__init__(stage.rig)
        self._stage, self._chosen = stage, chosen
        self._calm_s, self._during_s = calm_s, during_s
        self.taken, self.doing = [], "before any disturbance"
        stage.wait = self.wait

    def _play(self):
        stage = self._stage
        if not stage.wait_for(lambda: stage.state == "running"):
            raise RigError(f"the cabinet does not come to run, it is {stage.state}")
        stage.wait(self._calm_s)
        for name, disturbance in self._chosen:
            self.doing = name
            print(f"chaos: {name}: {disturbance.what}", file=sys.stderr, flush=True)
            self._disturb(name, disturbance)

    def _disturb(self, name, disturbance):
        stage, counters = self._stage, {}
        stage.notes = []
        # of what came before: this one begins with a cabinet that runs, or says so
        if stage.state != "running":
            stage.note(*stage.runs_again())
        self._begin(name, "before", counters)
        stage.wait(self._calm_s)
        if stage.state != "running":
            stage.note(
                False,
                f"the cabinet was {stage.state} in the calm before, of which this is not the cause",
            )
        stage.companions.take_stall_us()
        self._begin(name, "during", counters)
        with disturbance.act(stage):
            stage.wait(self._during_s)
            self._begin(name, "after", counters)
        stage.wait(self._calm_s)
        self._begin(name, END, counters)
        (stall_us, stalled_us), state = stage.companions.take_stall_us(), stage.state
        if disturbance.ends_running and state != "running":
            stage.note(*stage.runs_again())
            state = stage.state if disturbance.trips_right else state
        self._check_companions()
        self.taken.append(
            {
                "name": name,
                "counters": counters,
                "stall_us": stall_us,
                "stalled_us": stalled_us,
                "state": state,
                "alive": stage.rig.controller.poll() is None,
                "notes": stage.notes,
            }
        )

    def _begin(self, name, phase, counters):
        self._stage.mark(mark(name, phase))
        counters[phase] = self._stage.counters()

    def _check_companions(self):
        for each in self._stage.companions.all:
            if not each.alive:
                said = each.log_lines() or ["it said nothing"]
                self._stage.note(False, f"the {each.name} does not run: {said[-1]}")
            elif each.works is not None:
                self._stage.wait_for(lambda each=each: each.works()[0], STARTED_S)
                self._stage.note(*each.works())


def mark(name, phase):
    """The name on the time line of the bench."""
    return f"{name}/{phase}"


def figures(taken, content):
    """Figures of one disturbance as verdict.judged takes them, and what a reader wants beside them.

    taken: of Course; content: what the bench has recorded, beats as hil.observer.beats.unpacked
    gives them.
    """
    times_us = {name: time_us for time_us, name, _ in content["timeline"] if "/" in name}
    ends = (*PHASES[1:], END)
    spans = {
        phase: (times_us[mark(taken["name"], phase)], times_us[mark(taken["name"], end)])
        for phase, end in zip(PHASES, ends)
    }
    counters = taken["counters"]
    loop = {
        phase: loop_statistics.figures(counters[end]["loop"], counters[phase]["loop"])
        for phase, end in zip(PHASES, ends)
    }
    begin_s, end_s = spans["during"][0] / 1e6, spans["after"][1] / 1e6
    return {
        "name": taken["name"],
        "alive": taken["alive"],
        "state": taken["state"],
        "trips": [trip["stage"] for trip in content["trips"] if begin_s <= trip["t_s"] < end_s],
        "violations": [line for line in content["violations"] if begin_s <= _time_s(line) < end_s],
        "loop": loop,
        "stall_us": taken["stall_us"],
        "stalled_us": taken["stalled_us"],
        "gaps_ms": {
            name: {
                phase: round(largest_gap_us(times, *span) / 1000, 1)
                for phase, span in spans.items()
            }
            for name, times in sorted(content["beats"].items())
        },
        "growth_kB": counters[END]["memory_kB"] - counters["before"]["memory_kB"],
    }


def _time_s(line):
    """When a violation was: the observer begins its sentence with it."""
    return float(line.split(" ", 1)[0])


def judged(found, notes, disturbance):
    """`found` with its verdicts: those of the loop, then what else was noted."""
    said = verdict.judged(
        found, disturbance.trips_right, disturbance.gaps_right, disturbance.ends_running
    )
    said += [tuple(note) for note in notes]
    return {
        **found,
        "what": disturbance.what,
        "ok": all(ok for ok, _ in said),
        "verdicts": [{"ok": ok, "text": text} for ok, text in said],
    }
