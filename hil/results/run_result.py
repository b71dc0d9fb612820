"""Makes the outcome of a run: document, judged expectations, plot and closing lines."""

import platform
import sys

from controller.config.cabinet_config import Config
from controller.system.paths import DONE as MET, INTERRUPTED, NOT_DONE as NOT_MET
from hil.loads import selection
from hil.observer.reactions import Timeline, first
from hil.results import bands, figures, words
from hil.results.recorder import Run
from hil.scenarios import expectations, faults
from hil.scenarios.scenario import Scenario
from safety import parameters, signals as s

SETTLED_MS = 250  # after the path delay, the battery needs this time to answer an unannounced step


class Outcome:
    """The outcome of a run: `doc`, `results` [(ok, sentence)], `exit_code`, `rows`."""

    def __init__(
        self,
        run: Run,
        extra: dict,
        scenario: Scenario | None = None,
        from_us: float | None = None,
        interrupted: bool = False,
    ) -> None:
        """extra: further keys of the document. Expectations of an interrupted run are not
        judged.
        """
        self.scenario, self.rows = scenario, run.rows
        # Without a scenario, a person may cause any action on the screen.
        labels = {action.label for action in scenario.actions} if scenario else {*faults.ACTIONS}
        self.marks = [(time_us / 1e6, name) for time_us, name, _ in run.timeline if name in labels]
        self.doc = figures.document(run, {**machine(), **extra}, from_us)
        expects = scenario.expects if scenario and not interrupted else ()
        self.results = expectations.evaluate(expects, run, self.doc)
        self.doc["expectations"] = [{"ok": ok, "text": text} for ok, text in self.results]
        self.doc["interrupted"] = interrupted
        is_met = all(ok for ok, _ in self.results) and not run.pauses
        self.exit_code = MET if is_met else NOT_MET
        if interrupted:
            self.exit_code = INTERRUPTED

    def lines(self) -> list[str]:
        """Closing lines, then all expectations; without a scenario, only those that are not met."""
        lines = words.closing_lines(self.doc)
        lines += words.planner_lines(self.doc.get("planner"))
        lines += [f"controller {line}" for line in self.doc.get("controller_messages", ())]
        for ok, text in self.results:
            if self.scenario or not ok:
                lines.append(f"{words.verdict(ok, self.doc):10} {text}")
        command, purpose = words.next_command(self.doc, self.scenario)
        return [*lines, f"try next   {command}", f"           ({purpose})"]

    def write(self, json_path: str | None, plot_path: str | None, title: str) -> list[str]:
        """Write the JSON document and the plot, if their paths are given. Returns the paths."""
        if json_path:
            figures.write_json(json_path, self.doc)
        if len(self.rows) < 2:
            plot_path = None  # the run was interrupted, so there is nothing to draw
        if plot_path:
            # Imported late: matplotlib takes 0.4 s to load, more than everything else together.
            from hil.results import plot

            plot.write(
                plot_path,
                self.rows,
                self.doc,
                title,
                states=s.STATES,
                actions=self.marks,
                results=self.results,
            )
        return [path for path in (plot_path, json_path) if path]


def measured(
    run: Run,
    config: Config,
    extra: dict,
    scenario: Scenario | None,
    from_us: int | None,
    interrupted: bool,
) -> Outcome:
    """Outcome whose figures begin when the limits are open, but not before from_us."""
    open_us = limits_open_us(run.timeline, config)
    if open_us is None:  # the limits never opened, so nothing is measured
        open_us = int(run.rows["t_us"][-1]) + 1 if len(run.rows) else 0
    from_us = max(open_us, from_us or 0)
    rows = run.rows[run.rows["t_us"] >= from_us]
    # The connection carries the load even if the battery was never in use.
    judged = rows if len(rows) else run.rows
    limits_W = selection.connection_W(config, has_hints=scenario is not None)
    extra = {
        **extra,
        "limited_s": figures.limited_s(rows),
        "overload": figures.overload(judged, selection.carried_W(config)),
        "connection_W": limits_W,
        "beyond": figures.beyond(
            judged, limits_W, config.control["track_path_delay_ms"] + SETTLED_MS
        ),
        "bands": bands.of_run(rows, config.control["track_sample_ms"]),
    }
    return Outcome(run, extra, scenario, from_us, interrupted)


def limits_open_us(timeline: Timeline, config: Config) -> int | None:
    """Time when the limits have recovered after the contactors closed; None: not closed."""
    closed_us = first(timeline, "contactors_closed")
    place = config.image_map().cabinet + parameters.P_LIMIT_RECOVERY_PERMILLE_PER_S
    recovery_us = 1_000_000_000 // config.safety_image[place]
    return None if closed_us is None else closed_us + recovery_us


def machine() -> dict[str, str]:
    """Keys of the document: the machine that measured the figures."""
    return {
        "python": sys.version.split()[0],
        "system": platform.system(),
        "machine": platform.machine(),
        "kernel": platform.release(),
    }
