"""A planner beside the sockets of a real controller, on clocks that a test moves."""

import math
import os
from datetime import UTC, datetime
from pathlib import Path

from hinted_site import HintedSite
from recorder_bench import FakeClocks

from controller.planner.process import Places, Process
from controller.recorder.quarters import HEADER
from controller.state import plan_file

SOURCE = "site_ems"
START_S = datetime(2026, 11, 26, 12, 0, 20, tzinfo=UTC).timestamp()
HOUR_S, QUARTER_S, DAY_QUARTERS = 3600, 900, 96
SITE = """
[site]
zone = "Europe/Berlin"
import_W_max = 500_000
export_W_max = 0
[battery]
energy_Wh = 645_000
power_W = 250_000
[tariff]
currency = "EUR"
demand_per_kW_month = [8.0]
[feed.day_ahead]
kind = "prices"
format = "csv"
path = "prices.csv"
time_is = "begin"
[feed.load]
kind = "load"
format = "recorder"
path = "run/quarters.csv"
"""


def load_W(at):
    """Load of a quarter of an hour since 1970: 200 kW, at noon 330 kW."""
    return 200e3 + 130e3 * max(0.0, math.sin(2 * math.pi * (at % DAY_QUARTERS - 20) / 96))


class PlannerBench:
    """`planner` steps by hand; the folder has `run` of the controller."""

    def __init__(self, folder):
        self.folder, self.said, self.clocks = Path(folder), [], FakeClocks()
        self.clocks.wall_us = round(START_S * 1e6)
        self.site = HintedSite(folder)
        self.site.set_clock(int(START_S // 60))
        for name in ("books", "plan"):
            (self.folder / name).mkdir()
        (self.folder / "planner.toml").write_text(SITE)
        self.now = int(START_S // QUARTER_S)
        self.prices(40)
        self.measured()
        self.start()

    def start(self, **changed):
        key = self.folder / "state" / "keys" / f"{SOURCE}.key"
        folders = [str(self.folder / each) for each in ("planner.toml", "run", "books", "plan")]
        places = Places(*folders, str(key), SOURCE)._replace(**changed)
        self.planner = Process(places, self.said.append, self.clocks)

    def prices(self, hours, level=80.0):
        """Prices from three days before until so many hours after noon."""
        first = int(START_S // HOUR_S) - 72
        rows = [
            f"{(first + at) * HOUR_S},{level + 60 * math.sin(2 * math.pi * at / 24):.2f}"
            for at in range(72 + hours)
        ]
        path = self.folder / "prices.csv"
        path.write_text("\n".join(["unix,EUR/MWh", *rows]) + "\n")
        self._written(path)

    def measured(self, until=0, soc="550", able="645000,250000,250000"):
        """What the recorder publishes: two days until `until` quarters after noon."""
        rows = [
            f"{at * QUARTER_S},{load_W(at):.0f},0,{load_W(at):.0f},0,{soc},,{able},"
            for at in range(self.now - 2 * DAY_QUARTERS, self.now + until)
        ]
        path = self.folder / "run" / "quarters.csv"
        path.write_text("\n".join([HEADER, *rows]) + "\n")
        self._written(path)

    def _written(self, path):
        os.utime(path, (self.clocks.wall_us / 1e6,) * 2)

    def pass_s(self, seconds):
        self.clocks.pass_us(round(seconds * 1e6))
        self.site.bench.now_us += round(seconds * 1e6)
        self.site.set_clock(int(self.clocks.wall_us // 60_000_000))
        return self

    def step(self):
        """One step beside the ticking controller."""
        with self.site.pumped():
            self.planner.step()
        return self

    def plan(self):
        return plan_file.read(str(self.folder / "plan" / plan_file.FILE))

    def held(self):
        """The schedule that the controller has."""
        key = (self.folder / "state" / "keys" / f"{SOURCE}.key").read_text()
        with self.site.pumped(), self.site.client() as client:
            return client.held(SOURCE, bytes.fromhex(key))

    def plans(self):
        return [each for each in self.said if each.startswith("plan by")]

    def heard(self):
        """Hints and schedules that the controller has taken."""
        return self.site.source(SOURCE)["accepted"]
