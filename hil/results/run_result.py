"""The end of a run, real or virtual: the document, the expectations, the plot, and the lines a
person reads.
"""

import platform
import sys

from hil.loads import selection
from hil.observer.reactions import first
from hil.results import bands, figures, words
from hil.scenarios import expectations
from safety import parameters, signals as s

SETTLED_MS = 250  # an unannounced step is taken one path delay and this later
MET, NOT_MET, INTERRUPTED = 0, 1, 130  # 128 + SIGINT, as shells say it


class Outcome:
    """The outcome of a run: `doc`, `results` [(ok, sentence)], `exit_code`."""

    def __init__(self, run, extra, scenario=None, from_us=None, interrupted=False):
        """run: recorder.Run; extra: further keys of the document, and its hints; scenario: whose
        expectations are judged, or None. An interrupted run is not judged: it has no end.
        """
        self.scenario, self._rows = scenario, run.rows
        labels = {action.label for action in scenario.actions} if scenario else ()
        self.marks = [(time_us / 1e6, name) for time_us, name, _ in run.timeline if name in labels]
        self.doc = figures.document(run, {**machine(), **extra}, from_us)
        expects = scenario.expects if scenario and not interrupted else ()
        self.results = expectations.evaluate(expects, run, self.doc)
        self.doc["expectations"] = [{"ok": ok, "text": text} for ok, text in self.results]
        self.doc["interrupted"] = interrupted
        self.exit_code = MET if all(ok for ok, _ in self.results) else NOT_MET
        if interrupted:
            self.exit_code = INTERRUPTED

    def lines(self):
        """Closing lines, then what was expected and not met (all of it for a scenario)."""
        lines = words.closing_lines(self.doc)
        lines += [f"controller {line}" for line in self.doc.get("controller_messages", ())]
        for ok, text in self.results:
            if self.scenario or not ok:
                lines.append(f"{'met       ' if ok else 'NOT MET   '} {text}")
        command, purpose = words.next_command(self.doc, self.scenario)
        return [*lines, f"try next   {command}", f"           ({purpose})"]

    def write(self, json_path, plot_path, title):
        """Write the JSON document and the plot, each if its path is given. Returns the paths that
        were written.
        """
        if json_path:
            figures.write_json(json_path, self.doc)
        if len(self._rows) < 2:
            plot_path = None  # interrupted before there was anything to draw
        if plot_path:
            # matplotlib takes 0.4 s to load, more than the start of all the rest
            from hil.results import plot

            plot.write(plot_path, self._rows, self.doc, title, s.STATES, self.marks, self.results)
        return [path for path in (plot_path, json_path) if path]


def measured(run, config, carried_W, extra, scenario, from_us, interrupted):
    """Outcome with figures from when the limits are open, and what held the battery back since.

    carried_W: what grid connection and battery can carry together; from_us: not earlier than this,
    None without such a time.
    """
    open_us = limits_open_us(run.timeline, config)
    if open_us is None:  # not in this run: nothing is measured
        open_us = int(run.rows["t_us"][-1]) + 1 if len(run.rows) else 0
    from_us = max(open_us, from_us or 0)
    limits_W = selection.connection_W(config, has_hints=scenario is not None)
    extra = {
        **extra,
        **figures.held_back(run.rows, from_us, carried_W),
        "connection_W": limits_W,
        "beyond": figures.beyond(
            run.rows[run.rows["t_us"] >= from_us],
            limits_W,
            config.control["track_path_delay_ms"] + SETTLED_MS,
        ),
        "bands": bands.of_run(
            run.rows[run.rows["t_us"] >= from_us], config.control["track_sample_ms"]
        ),
    }
    return Outcome(run, extra, scenario, from_us, interrupted)


def limits_open_us(timeline, config):
    """When the contactors had closed and the limits had recovered to rated; None if they did
    not close.
    """
    closed_us = first(timeline, "contactors_closed")
    place = config.image_map().cabinet + parameters.P_LIMIT_RECOVERY_PERMILLE_PER_S
    recovery_us = 1_000_000_000 // config.safety_image[place]
    return None if closed_us is None else closed_us + recovery_us


def machine():
    """The keys that say where a figure was measured."""
    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }
