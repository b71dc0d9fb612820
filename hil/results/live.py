"""Keeps the history for the live screen: a column for each second, swing, worst moment."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from controller.config.cabinet_config import Config
from controller.core.base.instances import stage_instances
from hil.plant.cabinet import CabinetPlant
from hil.results import run_result, swing, view
from hil.results.recorder import Recorder

COLUMNS_MAX = 400
SECOND_US = 1_000_000
START_UP = "Start-up: the contactors close and the limits open. Nothing is measured yet."
NAMES = ("load", "grid", "battery")


class Live:
    """Call `view` for each frame. Each second of the run is computed only once."""

    def __init__(
        self, recorder: Recorder, timeline: Callable[[], list[tuple[int, str, str]]], config: Config
    ) -> None:
        """timeline(): the observer's events, for run_result.limits_open_us."""
        self._recorder, self._timeline, self._config = recorder, timeline, config
        self._layout = config.layout()
        self._names = stage_instances(self._layout)
        self._since_s: dict[str, float] = {}  # when each active stage began
        self._columns: dict = {name: deque(maxlen=COLUMNS_MAX) for name in NAMES}
        self._means: dict = {name: deque(maxlen=swing.WITHIN_S) for name in ("load", "grid")}
        self._swing = dict.fromkeys(("load", "grid"), 0.0) | {"within_s": 0}
        self._worst: dict | None = None
        self._open_us: int | None = None
        self._second = 0

    def view(
        self, now_us: int, plant: CabinetPlant, out: Sequence[int] | None, next_action: str | None
    ) -> dict:
        """The changing part of a view. out: the controller's outputs, None while it is dead."""
        now_s, shown = now_us / 1e6, view.plant_part(plant)
        if out is not None:
            shown |= view.controller_part(out, self._layout, self._names, self._since_s, now_s)
        return {**shown, **self.history(now_us), "elapsed_s": now_s, "next_action": next_action}

    def history(self, now_us: int) -> dict:
        """{load_history, grid_history, battery_history: W, one per second; headline, worst}."""
        while (self._second + 1) * SECOND_US <= now_us:
            self._add_second()
        is_known = len(self._means["load"]) >= 2
        return {
            **{f"{name}_history": list(powers_W) for name, powers_W in self._columns.items()},
            "headline": swing.headline(self._swing) if is_known else START_UP,
            "worst": swing.explained(self._worst) if is_known else "",
        }

    def _add_second(self) -> None:
        """Add the next second of the run."""
        begin_us = self._second * SECOND_US
        self._second += 1
        rows = self._recorder.since(begin_us - swing.MOMENT_US)
        rows = rows[rows["t_us"] < begin_us + SECOND_US]
        new = rows[rows["t_us"] >= begin_us]
        if not len(new):
            return
        for name, column in self._columns.items():
            powers_W, before_W = new[f"{name}_W"], column[-1] if column else 0.0
            # Show the value that differs most from the previous column, so that no spike is hidden.
            column.append(float(powers_W[np.abs(powers_W - before_W).argmax()]))
        if self._open_us is None:
            self._open_us = run_result.limits_open_us(self._timeline(), self._config)
        if self._open_us is not None and begin_us >= self._open_us:
            self._measure(new, rows[rows["t_us"] >= self._open_us])

    def _measure(self, new: np.ndarray, rows: np.ndarray) -> None:
        for name, means in self._means.items():
            means.append(float(new[f"{name}_W"].mean()))
            self._swing[name] = max(self._swing[name], max(means) - min(means))
        self._swing["within_s"] = min(self._swing["within_s"] + 1, swing.WITHIN_S)
        worst = swing.worst_moment(rows)
        before_W = abs(self._worst["change_W"]) if self._worst else -1.0
        if worst and abs(worst["change_W"]) > before_W:
            self._worst = worst
