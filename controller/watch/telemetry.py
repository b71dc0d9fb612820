"""Measures GPUs beside any scheduler. Each turn reads them and writes the planner's files."""

import os
import re
from collections.abc import Iterable
from typing import Any

from controller.forms.field import integer, number, several, text
from controller.series.refusal import SeriesError
from controller.system.paths import Say
from controller.watch.dcgm import Cluster, Now
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
    """Call `turn` every 10 to 60 s, and `hear` each time the queue has been read."""

    def __init__(self, values: dict[str, Any], say: Say):
        self._told, self._place = say, [values[key] for key in ("folder", "base_W", "factor")]
        self._said: str | None = None
        self._jobs: Iterable[Job] = ()
        self._cluster = Cluster(values["urls"], values["gpus"])
        self._files: Files | None = None

    def hear(self, jobs: Iterable[Job]) -> None:
        """Keep these jobs, because their starts and ends belong to the forecast."""
        self._jobs = jobs

    def turn(self, now_s: float, uptime_s: float) -> None:
        """Make one scrape. Log a line when the power becomes unknown or known again."""
        now = self._cluster.now(now_s, uptime_s)
        line, why = str(now), now.why
        try:
            refused = self._add(now, uptime_s)
            line, why = refused or line, refused or why
        except OSError as error:
            line = why = f"{error.filename}: cannot be written: {error.strerror}"
        why = re.sub(r"\d", "", why)  # 5 of 8 GPUs, then 6 of 8: the same reason
        if why != self._said:
            self._told(line)
        self._said = why

    def _add(self, now: Now, uptime_s: float) -> str:
        """Add the load to the file. Raises OSError.

        Returns "", or the reason why a bad file was renamed. Then the next turn begins a new file.
        """
        try:
            self._files = self._files or Files(*self._place)
            self._files.add(now, self._jobs, uptime_s)
        except SeriesError as error:
            path = os.path.join(self._place[0], MEASURED)
            os.replace(path, f"{path}.bad")
            return f"{error}; the file is {MEASURED}.bad now, and {MEASURED} begins anew"
        return ""

    def show(self, now_s: float) -> bool:
        """Make one scrape and print one line. True if the power is known."""
        now = self._cluster.now(now_s, 0.0)  # there is no scrape before it
        self._told(str(now))
        return not now.why
