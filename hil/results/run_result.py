"""The end of a run, real or virtual: the document, the expectations, the plot, and the lines a
person reads.
"""

import platform
import sys

from hil.observer.observer import reaction_ms
from hil.results import figures
from hil.scenarios import expectations
from safety import signals as s

MET, NOT_MET, INTERRUPTED = 0, 1, 130  # 128 + SIGINT, as shells say it
ROWS_OF_PLOT_MIN = 2


class Outcome:
    """What a run left: `doc`, `results` [(ok, sentence)], `exit_code`."""

    def __init__(
        self,
        recorder,
        observer,
        trips,
        loop,
        load,
        extra,
        scenario=None,
        from_us=None,
        interrupted=False,
    ):
        """loop, load, extra: as report.document takes them, its hints among extra; scenario: whose
        expectations are judged, or None; they are not when the run was interrupted, because what
        was to come did not.
        """
        timeline = observer.result()
        self.recorder, self.scenario = recorder, scenario
        self.marks = [
            (time_us / 1e6, name)
            for time_us, name, _ in timeline
            if scenario and name in {action.label for action in scenario.actions}
        ]
        extra = {
            "timeline": [[time_us / 1e6, name, detail] for time_us, name, detail in timeline],
            "violations": list(observer.violations),
            **machine(),
            **extra,
        }
        hints = extra.pop("hints", None)
        self.doc = figures.document(
            recorder,
            loop,
            reaction_ms(timeline),
            trips,
            hints,
            load=load,
            extra=extra,
            from_us=from_us,
        )
        evidence = expectations.Evidence(
            timeline, trips, recorder.rows(), self.doc, observer.violations
        )
        self.results = [
            (one.ok, one.text)
            for one in expectations.evaluate(
                scenario.expects if scenario and not interrupted else (), evidence
            )
        ]
        self.doc["expectations"] = [{"ok": ok, "text": text} for ok, text in self.results]
        self.doc["interrupted"] = interrupted
        self.exit_code = MET if all(ok for ok, _ in self.results) else NOT_MET
        if interrupted:
            self.exit_code = INTERRUPTED

    def lines(self):
        """Summary, then what was expected and not met (all of it for a scenario)."""
        lines = figures.summary_lines(self.doc)
        lines += [f"controller {line}" for line in self.doc.get("controller_messages", ())]
        for ok, text in self.results:
            if self.scenario or not ok:
                lines.append(f"{'met       ' if ok else 'NOT MET   '} {text}")
        return lines

    def write(self, json_path, plot_path, title):
        """Write the JSON document and the plot, each if its path is given. Returns the paths that
        were written.
        """
        if json_path:
            figures.write_json(json_path, self.doc)
        if plot_path and self.recorder.count < ROWS_OF_PLOT_MIN:
            plot_path = None  # interrupted before there was anything to draw
        if plot_path:
            # matplotlib takes 0.4 s to load, more than the start of all the rest
            from hil.results import plot

            plot.write(
                plot_path, self.recorder, self.doc, title, s.STATES, self.marks, self.results
            )
        return [path for path in (plot_path, json_path) if path]


def machine():
    """The keys that say where a figure was measured."""
    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }
