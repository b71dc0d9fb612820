"""Surveys a power column in one pass, checks that it can be a power, and finds facts that the user
must know, such as pauses.
"""

import math
from datetime import UTC, tzinfo
from typing import NamedTuple

from controller.series import powers, table
from controller.series.meaning import END, said_by
from controller.series.refusal import SeriesError
from controller.series.text import Path
from controller.series.times import UNIX_S_MIN, local

PAUSE_S = 900.0  # a longer step is a pause, which keeps the power before it
HOUR_S, YEAR_S = 3600.0, 366 * 86_400.0
LOW_W = 1000.0


class Survey(NamedTuple):
    """Counts of a power column."""

    usable: int
    left_out: int
    first: str  # the first row that was left out
    below: int  # rows below 0 W
    begin_s: float  # first time of the file
    length_s: float
    held_s: float  # time in pauses
    highest_W: float
    above_J: float
    below_J: float
    time: str = ""  # name of its column

    def remarks(
        self, run_s: float, rated_W: float = math.inf, start_s: float = math.nan
    ) -> list[str]:
        """Lines about readings that a run changes, or that are doubtful.

        start_s: start of the run, UTC.
        """
        end = f"ends after {self.length_s:g} s of {run_s:g} s, then its last power goes on"
        first = f" (first: {self.first})" if self.first else ""
        is_clock = self.begin_s >= UNIX_S_MIN
        begin = local(self.begin_s, None) if is_clock and self.begin_s != start_s else ""
        cases = {
            f"{self.left_out} rows left out{first}": self.left_out,
            f"{self.below} rows below 0 W, taken as 0": self.below,
            f"{self.held_s:g} s in pauses above {PAUSE_S:g} s keep the power before them": (
                self.held_s
            ),
            "most steps are long: are its times milliseconds? Then their column is t_ms": (
                self.held_s > self.usable * HOUR_S or self.held_s > YEAR_S
            ),
            f"{self.time} names the end of each period: its powers come a period late": (
                said_by(self.time) == END
            ),
            end: self.length_s < run_s,
            f"its first time {begin} is taken as the begin of the run": begin,
            f"reaches only {self.highest_W:g} W: is the unit right?": self.highest_W < LOW_W,
            f"reaches {self.highest_W:g} W, the site is rated for {rated_W:g} W": (
                self.highest_W > rated_W
            ),
        }
        return [remark for remark, is_so in cases.items() if is_so]


def survey(
    path: Path, column: str | None, scale: float, power_W_max: float, zone: tzinfo = UTC
) -> Survey:
    """The survey of a CSV file or its gzip. zone: of times without an offset. SeriesError."""
    with table.opened(path) as sheet:
        readings = powers.Powers(sheet, column, scale, power_W_max, zone)
        before_s = begin_s = held_s = highest_W = above_J = below_J = 0.0
        usable = below = blanks = 0
        for time_s, power_W, _ in readings:
            if not usable:
                before_s = begin_s = time_s
            step_s, before_s = time_s - before_s, time_s
            if step_s > PAUSE_S:
                held_s += step_s
            if power_W < 0:
                below, below_J = below + 1, below_J - power_W * step_s
            else:
                above_J += power_W * step_s
                highest_W = max(highest_W, power_W)
            usable, blanks = usable + 1, readings.refused + readings.empty
        readings.check(usable)
        counts = Survey(
            usable,
            left_out=readings.refused + readings.empty,
            first=readings.first,
            below=below,
            begin_s=begin_s,
            length_s=before_s - begin_s,
            held_s=held_s,
            highest_W=highest_W,
            above_J=above_J,
            below_J=below_J,
            time=sheet.named(readings.time_at),
        )
        _check(counts, blanks, readings.column)
        return counts


def _check(counts: Survey, blank: int, column: str) -> None:
    """SeriesError: the column has hardly any power, or the wrong sign."""
    if blank > counts.usable and counts.held_s > counts.length_s / 2:
        raise SeriesError(
            f"{column}: {blank} rows without a power among {counts.usable}, in pauses above "
            f"{PAUSE_S:g} s: allowed is at most half of the time"
        )
    if counts.below_J > counts.above_J:
        raise SeriesError(
            f"{column}: most of its energy is below 0: allowed is a power above 0 that a load "
            f"takes or PV gives"
        )
