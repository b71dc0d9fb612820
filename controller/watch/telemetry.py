"""Measures the power of GPUs, whatever schedules their jobs, and writes the planner's files."""

import os
import re
from collections.abc import Iterable
from typing import Any

from controller.forms.field import integer, number, several, text
from controller.series.refusal import SeriesError
from controller.system.paths import Say
from controller.watch.dcgm import Cluster, GpuState
from controller.watch.jobs import Job
from controller.watch.load_files import MEASURED, Files
from controller.watch.settings import HOST, PORT

URLS_MAX = 16
URL = re.compile(f"https?://{HOST}{PORT}(/[!-~]*)?")


FORM = {
    "urls": several(
        URL, URLS_MAX, f"1 to {URLS_MAX} addresses as http://HOST:9400/metrics"
    )._replace(note="dcgm-exporter of each node, or one federation of Prometheus."),
    "gpus": integer(0, 100_000, 0, "If fewer GPUs answer, the load is unknown; 0: any number."),
    "base_W": number(0, 50e6, 0.0, "Load besides the GPUs: hosts, network, cooling."),
    "factor": number(1, 3, 1.0, "W at the meter for each W of the GPUs."),
    "folder": text("", "Where load.csv and forecast.csv are written, beside watch.toml."),
}


class Telemetry:
    """Call `turn` every 10 to 60 s, and `keep_jobs` each time the queue has been read."""

    def __init__(self, values: dict[str, Any], say: Say):
        self._say = say
        self._file_arguments = [values[key] for key in ("folder", "base_W", "factor")]
        self._last_trouble: str | None = None
        self._jobs: Iterable[Job] = ()
        self._cluster = Cluster(values["urls"], values["gpus"])
        self._files: Files | None = None

    def keep_jobs(self, jobs: Iterable[Job]) -> None:
        """Keep the jobs of the queue. Their starts and ends belong to the forecast."""
        self._jobs = jobs

    def turn(self, now_s: float, uptime_s: float) -> None:
        """Make one scrape. Log a line when the power becomes unknown or known again."""
        state = self._cluster.state(now_s, uptime_s)
        line, why = str(state), state.why
        try:
            refused = self._add(state, uptime_s)
            line, why = refused or line, refused or why
        except OSError as error:
            line = why = f"{error.filename}: cannot be written: {error.strerror}"
        why = re.sub(r"\d", "", why)  # 5 of 8 GPUs, then 6 of 8: the same reason
        if why != self._last_trouble:
            self._say(line)
        self._last_trouble = why

    def _add(self, state: GpuState, uptime_s: float) -> str:
        """Add the load to the file. Raises OSError.

        Returns "", or the reason why a bad file was renamed. Then the next turn begins a new file.
        """
        try:
            self._files = self._files or Files(*self._file_arguments)
            self._files.add(state, self._jobs, uptime_s)
        except SeriesError as error:
            path = os.path.join(self._file_arguments[0], MEASURED)
            os.replace(path, f"{path}.bad")
            return f"{error}; the file is {MEASURED}.bad now, and {MEASURED} begins anew"
        return ""

    def show(self, now_s: float) -> bool:
        """Make one scrape and print one line. True if the power is known."""
        state = self._cluster.state(now_s, 0.0)  # there is no scrape before it
        self._say(str(state))
        return not state.why
