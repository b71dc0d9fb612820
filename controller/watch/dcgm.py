"""Reads power and utilisation of GPUs from dcgm-exporter or Prometheus; one reading is a scrape.

The mean power between two scrapes comes from the energy counter of each GPU. The reported power
counts instead if there is no counter, if the counter has begun again at 0, or if it rises far too
slowly. If a counter does not move while the GPU reports a power, the exporter may repeat old
values, so the GPU is unknown. A GPU with several rows (MIG, shared by pods, seen by two exporters)
counts once. If one GPU is unknown, so is the total.
"""

import contextlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC
from typing import NamedTuple

from controller.planner.feeds import fetch
from controller.series.refusal import SeriesError
from controller.system.utc import elapsed_s

POWER, UTIL = "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_UTIL"  # W, %
ENERGY = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"  # mJ
HIGHEST = {POWER: 5000.0, UTIL: 100.0, ENERGY: 1e18}
STALE_S, EARLY_S, WAIT_S, MILLIJOULES_PER_J = 120.0, 30.0, 2, 1000
# If the reported power is more than this many times the mean power by the counter, the counter is
# wrong (assumed).
CONTRADICTS = 10
_LABELS = r'\{(?P<labels>(?:[^"}]|"(?:[^"\\]|\\.)*+")*+)\}'
_LINE = re.compile(rf"(?P<name>\w++){_LABELS}\s+(?P<value>\S++)(?:\s+(?P<ms>-?\d{{1,18}}))?\s*")
_LABEL = re.compile(r'(\w++)="((?:[^"\\]|\\.)*+)"')
Gpus = dict[str, dict[str, float]]  # {GPU: {name: highest value}}


class GpuState(NamedTuple):
    """State of all GPUs at one moment."""

    at_s: float
    gpu_count: int
    power_W: float  # NaN: unknown
    util_percent: float  # NaN: unknown
    why: str = ""  # reason of an unknown power

    def __str__(self) -> str:
        if self.why:
            return f"the power of the GPUs is unknown: {self.why}"
        known = self.util_percent == self.util_percent
        util = f"{self.util_percent:.0f} %" if known else "unknown"
        return f"{self.gpu_count} GPUs take {self.power_W / 1000:.1f} kW, utilisation {util}"


def read(data: bytes, now_s: float, where: str = "") -> Gpus:
    """The values of a scrape that are numbers, in range and not stale.

    where: address of the scrape, used if a row names no host. SeriesError: the text is cut or is
    not Prometheus text, so a GPU may be missing.
    """
    error = SeriesError(f"{where}: is cut, or a line is not text of Prometheus with labels")
    if not data.endswith(b"\n"):
        raise error
    gpus: Gpus = defaultdict(dict)
    for line in data.decode("utf-8", "replace").split("\n"):
        row = _LINE.fullmatch(line)
        if row is None and line.startswith(tuple(HIGHEST)):
            raise error
        if row is None or row["name"] not in HIGHEST:
            continue
        labels, name = dict(_LABEL.findall(row["labels"])), row["name"]
        host = labels.get("Hostname") or labels.get("instance") or where
        values = gpus[labels.get("UUID") or f"{host} {labels.get('gpu') or row['labels']}"]
        with contextlib.suppress(ValueError):
            value = float(row["value"])
            age_s = elapsed_s(int(row["ms"] or now_s * 1000) / 1000, now_s)
            if 0 <= value <= HIGHEST[name] and -EARLY_S <= age_s <= STALE_S:
                values[name] = max(value, values.get(name, value))
    return dict(gpus)


class Cluster:
    """The exporters of a cluster. gpu_count_min: number of GPUs that must answer; 0: any number."""

    def __init__(self, urls: Iterable[str], gpu_count_min: int):
        self._urls, self._gpu_count_min = tuple(urls), gpu_count_min
        self._energy: dict[str, tuple[float, float]] = {}  # energy in mJ, time in s

    def state(self, now_s: float, uptime_s: float) -> GpuState:
        """Scrape all exporters. uptime_s: monotonic clock, for the mean since the last scrape."""
        gpus: Gpus = {}
        try:
            for url in self._urls:
                keys = {"url": url, "key_file": "", "time_form": "", "timeout_s": WAIT_S}
                part = read(fetch.fetched(keys, UTC, now_s), now_s, url)
                if not part:
                    raise SeriesError(f"{url}: shows no GPU; needed is {POWER}")
                for gpu, values in part.items():
                    gpus[gpu] = gpus.get(gpu, {}) | values
        except SeriesError as error:
            return GpuState(now_s, len(gpus), math.nan, math.nan, str(error))
        return self._state(gpus, now_s, uptime_s)

    def _state(self, gpus: Gpus, now_s: float, uptime_s: float) -> GpuState:
        powers_W = [self._take_counter(gpu, values, uptime_s) for gpu, values in gpus.items()]
        self._energy = {gpu: counter for gpu, counter in self._energy.items() if gpu in gpus}
        stuck = [gpu for gpu, values in gpus.items() if self._is_stuck(gpu, values, uptime_s)]
        utils = [values.get(UTIL, math.nan) for values in gpus.values()]
        known = sum(power_W == power_W for power_W in powers_W)
        needed = max(len(gpus), self._gpu_count_min)
        why = ""
        if known < needed:
            why = f"the power of {known} of {needed} GPUs is known"
        if stuck:
            why = f"{stuck[0]}: the energy counter does not move, but it reports a power"
        power_W = math.nan if why else math.fsum(powers_W)
        return GpuState(now_s, len(gpus), power_W, math.fsum(utils) / len(utils), why)

    def _take_counter(self, gpu: str, values: dict[str, float], uptime_s: float) -> float:
        """Keep a changed counter. Returns the mean power since the last change, or else the power
        reported now, W; NaN: unknown.
        """
        power_W, energy_mJ = values.get(POWER, math.nan), values.get(ENERGY)
        if energy_mJ is None:
            return power_W
        before_mJ, before_s = self._energy.get(gpu, (None, 0.0))
        if energy_mJ != before_mJ:
            self._energy[gpu] = energy_mJ, uptime_s
        passed_s = uptime_s - before_s
        if before_mJ is None or energy_mJ <= before_mJ or not 1 <= passed_s <= STALE_S:
            return power_W
        mean_W = (energy_mJ - before_mJ) / MILLIJOULES_PER_J / passed_s
        is_wrong = mean_W > HIGHEST[POWER] or power_W > CONTRADICTS * mean_W
        return power_W if is_wrong else mean_W

    def _is_stuck(self, gpu: str, values: dict[str, float], uptime_s: float) -> bool:
        """True if the counter has not moved for STALE_S, although the GPU reports a power."""
        _, moved_s = self._energy.get(gpu, (0.0, uptime_s))
        return ENERGY in values and values.get(POWER, 0.0) > 0 and uptime_s - moved_s >= STALE_S
