"""`rig --with planner`: runs recorder and planner beside the rig's controller, as on a box.

A planner learns from up to four weeks of quarters of an hour. So the rig writes files of the two
weeks before its start, with the mean of the rig's load, and prices by a formula. The planner can
then make its first plan at once. In these files the rig always starts at BEGIN_H, so a run in the
morning and one at night get the same plan.
"""

import math
import os
import pathlib
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from controller import planner
from controller.config.cabinet_config import Config
from controller.recorder import quarters
from controller.state import plan_file
from controller.system import clock, toml_text
from hil.engine import cabinet_file, processes
from hil.loads.trace import Load

EXAMPLE = pathlib.Path(planner.__file__).parent / "example" / "planner.toml"
NAME, SOURCE = "planner", "planner"
QUARTER_S, DAY_S, PAST_DAYS, AHEAD_DAYS = 900, 86_400, 14, 2
DEFAULT_S, MEAN_S = 1800.0, 600
CLUSTER = 0.975, 0.1, 15  # over a day: level and swing (parts of the mean), hour of the peak
EVENING, EVENING_H = 0.2, range(17, 20)  # additional load in these hours, as a part of the mean
PRICES = 75.0, 30.0, 15.0  # EUR/MWh: mean, then the swing of a 12 h and of a 24 h wave
DEAR_H = 20
BEGIN_H = 13


def quarters_of(now_s: int, first_d: int, last_d: int) -> Iterator[tuple[int, float]]:
    """(number of quarters of an hour since 1970, hour of the day if the rig starts at BEGIN_H) for
    each quarter of these days.
    """
    now = now_s // QUARTER_S
    for quarter in range(first_d * DAY_S // QUARTER_S, last_d * DAY_S // QUARTER_S):
        yield now + quarter, (quarter * QUARTER_S + BEGIN_H * 3600) % DAY_S / 3600


def mean_W(load: Load) -> float:
    """Mean power of the load's first minutes, from one value in each second."""
    samples = [load.power(float(at_s)) for at_s in range(MEAN_S)]
    return statistics.fmean(
        [sample[0] if isinstance(sample, tuple) else sample for sample in samples]
    )


def history(now_s: int, mean_W: float, soc_permille: int) -> str:
    """The content of quarters.csv for the last two weeks, in which the battery was idle."""
    level, swing, peak_h = CLUSTER
    lines = [quarters.HEADER]
    for quarter, hour in quarters_of(now_s, -PAST_DAYS, 0):
        part = level + swing * math.cos(math.tau * (hour - peak_h) / 24)
        load_W = round(mean_W * (part + EVENING * (int(hour) in EVENING_H)))
        lines.append(f"{quarter * QUARTER_S},{load_W},0,{load_W},0,{soc_permille}")
    return "\n".join([*lines, ""])


def prices(now_s: int) -> str:
    """The content of prices.csv, until the day after tomorrow."""
    mean, half_day, day = PRICES
    lines = ["start,price_EUR_per_MWh"]
    for quarter, hour in quarters_of(now_s, -PAST_DAYS, AHEAD_DAYS):
        angle = math.tau * (hour - DEAR_H) / 24
        price = mean + half_day * math.cos(2 * angle) + day * math.cos(angle)
        utc = datetime.fromtimestamp(quarter * QUARTER_S, UTC).strftime("%Y-%m-%dT%H:%MZ")
        lines.append(f"{utc},{price:.2f}")
    return "\n".join([*lines, ""])


def planner_toml(config: Config) -> str:
    """The example planner.toml for the rig's cabinet, without its own PV."""
    content = toml_text.read(str(EXAMPLE))
    limits = ("import_W_max", "export_W_max")
    content["site"] |= {name: config.control[f"grid_{name}"] for name in limits}
    del content["site"]["pv_rated_W"]
    band = {key: content["battery"][key] for key in ("reserve_permille", "high_permille")}
    content["battery"] = {"cabinet": "../cabinet.toml", **band}
    for feed in content["feed"].values():
        if feed["format"] == "recorder":
            feed["path"] = f"../{quarters.FILE}"
    return cabinet_file.toml(content)


class Beside(processes.Processes):
    """Recorder and planner."""

    def __init__(self, directory: str, config: Config, mean_W: float, soc_pct: float) -> None:
        """mean_W: mean load of the two weeks."""
        super().__init__(directory)
        self._folder = os.path.join(directory, NAME)
        os.makedirs(self._folder, exist_ok=True)
        now_s = int(clock.utc_us()) // 1_000_000
        texts = {
            "planner.toml": planner_toml(config),
            "prices.csv": prices(now_s),
            f"../state/{quarters.FILE}": history(now_s, mean_W, round(10 * soc_pct)),
        }
        for path, text in texts.items():
            pathlib.Path(self._folder, path).write_text(text, encoding="ascii")

    def start(self) -> None:
        """Start recorder and planner."""
        key = os.path.join(self.state, "keys", f"{SOURCE}.key")
        options = ("--plan-dir", self._folder, "--key-file", key, "--source", SOURCE)
        site, books = [os.path.join(self._folder, name) for name in ("planner.toml", "books")]
        self.record()
        self.begin(NAME, "planner", site, *self.where[:3], books, *options)

    def welcome(self) -> list[str]:
        """Commands that show the planner in a second terminal."""
        return [
            "planner    its first plan comes within seconds; from a second terminal, with",
            f"           --run-dir {self.directory} behind each command:",
            "           .venv/bin/firebreak plan          what it planned, and what it costs",
            "           .venv/bin/firebreak why           the slot of the schedule that acts",
            "           .venv/bin/firebreak ask --power 150kW --for 1h    when such a job fits",
        ]

    def facts(self) -> dict[str, Any]:
        """The main keys of the last plan.json, for the document of the run; {} without a plan."""
        try:
            plan = plan_file.read(os.path.join(self._folder, plan_file.FILE))
        except (FileNotFoundError, plan_file.PlanFileError):
            return {"planner": {}}
        keys = "made_at", "habit", "cap_W", "sent", "waits"
        return {"planner": {key: plan[key] for key in keys}}
