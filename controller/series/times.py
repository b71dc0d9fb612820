"""Converts times of a series: from cells to UTC, s since 1970, and from seconds to text.

When the clock goes back, one hour of the night exists twice. The hour that is first in the file is
the earlier one, because the times of a series rise.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from controller.series.meaning import BEGIN, said_by
from controller.series.money import small
from controller.series.refusal import SeriesError, shown
from controller.series.table import number

Span = tuple[float, float]  # first and last UTC, s since 1970
# Smaller numbers (before 1973) are refused, and larger ones (after 5138) are milliseconds.
UNIX_S_MIN, UNIX_S_MAX = 1e8, 1e11
HOUR_S = 3600.0
UNIX_MS_MAX = 1e14
ALLOWED = "allowed is a time as 2026-11-25T12:00Z or 2026-11-25T12:00+01:00"
BACK = " (second, the clock has gone back)"
LOCAL = ", or without an offset in local time"
SPAN = " - "  # between start and end of a period
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?"
    r"(Z|[+-]\d\d(?::?[0-5]\d)?)?)?"
)
# 01/05/2026 is 5 January in the United States, and 1 May in a column of Central European Time.
_SLASHED = re.compile(r"(\d\d)/(\d\d)/(\d{4})(?!\d)")
_DAY_FIRST = re.compile(r"\b(?:CES?T|ME[SZ]Z?)\b")
# Markets of North America count the hours of a day by their ends, 1 to 24, beside a date with the
# month first.
_BY_ENDS = re.compile(r"hour\W*_?ending|(?<![a-z])he(?![a-z])")
_END = re.compile(r"(.* )?(0?[1-9]|1\d|2[0-4])(?::00)?")
_UNIX = re.compile(r"\d{9,14}(?:\.\d*)?")
CLOCK = re.compile(r"\d\d:\d\d(?::\d\d)?")
_NAME = re.compile("time|date|zeit|datum|stamp|epoch|unix", re.IGNORECASE)
_NAMED_ZONE = re.compile(
    r"(?<![a-z])(?:utc|gmt)(?![a-z\d])(?:\s*([^\s\w)\],;/]?)\s*(\d[\d:.]*))?", re.IGNORECASE
)
_HOURS = re.compile(r"(0?\d|1[0-4])(?::?([0-5]\d))?")
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?=[ T]|$)")  # dates with points have the day first


def zone_of(name: str) -> tzinfo:
    """The time zone of this name. SeriesError: the machine does not know the name."""
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise SeriesError(
            f"time zone {shown(name)}: allowed is one that this machine has, as Europe/Berlin"
        ) from None


def machine_zone() -> tzinfo:
    """The zone of this machine's clock; UTC if it is not known."""
    try:
        with open("/etc/localtime", "rb") as file:
            return ZoneInfo.from_file(file, key="the zone of this machine")
    except (OSError, ValueError):
        return UTC


def columns(names: Sequence[str], first: Sequence[str]) -> tuple[int, ...]:
    """Places of the columns of the time by the first row, or ().

    The first column with date and time counts, or else a column of dates beside one of clock times.
    """
    texts = [(place, name, cell.strip()) for place, (name, cell) in enumerate(zip(names, first))]
    dated = [
        place
        for place, _, text in texts
        if _ISO.fullmatch(_plain(text)) or _SLASHED.fullmatch(text)
    ]
    clocks = [
        place
        for place, name, text in texts
        if CLOCK.fullmatch(text) or (text.isdecimal() and _BY_ENDS.search(small(name)))
    ]
    # If there are columns of starts and ends, the start counts.
    for places in (dated, clocks):
        places.sort(key=lambda place: said_by(names[place]) != BEGIN)
    timed = [place for place in dated if len(_plain(first[place])) > len("2026-11-25")]
    if timed:
        return (timed[0],)
    if dated:
        return (dated[0], *clocks[:1])
    unix = [place for place, name, text in texts if _NAME.search(name) and _UNIX.fullmatch(text)]
    return tuple(unix[:1])


def is_time(cell: str) -> bool:
    """True if the cell is a date, a time or a clock time, or may be seconds since 1970."""
    text = cell.strip()
    return bool(_ISO.fullmatch(_plain(text)) or CLOCK.fullmatch(text) or _UNIX.fullmatch(text))


def hour_of_year(cell: str) -> int | None:
    """The hour of a cell's time in a year of 365 days; None: the cell is no date."""
    text = _plain(cell)
    try:
        time = datetime.fromisoformat(text) if _ISO.fullmatch(text) else None
    except ValueError:
        return None
    if time is None:
        return None
    day = date(2025, time.month, min(time.day, 28) if time.month == 2 else time.day)
    return (day - date(2025, 1, 1)).days * 24 + time.hour


def _plain(cell: str) -> str:
    """The cell in ISO form. It may be 25.11.2026 12:00, 2026/11/25, a span, or end with UTC."""
    text = cell.strip().partition(SPAN)[0]
    if text.endswith(("z", " UTC")):
        text = text.removesuffix("z").removesuffix(" UTC") + "Z"
    if text[4:8:3] == "//":
        text = text.replace("/", "-", 2)
    return _DOTTED.sub(r"\3-\2-\1", text, count=1)


def too_large(seconds: float) -> str:
    """Text about a number that is too large for seconds since 1970."""
    return f"{seconds:.0f} is beyond the year 5138: allowed are seconds, not milliseconds"


class TimeCells:
    """Reads the times of one column in the order of the file.

    zone: of times without an offset; None: such times are refused. span_s: only times in this span
    must rise, and must not be in an hour that the clock skips. name: column name; it may state a
    zone, as in `Datetime (UTC)`.
    """

    def __init__(self, zone: tzinfo | None, span_s: Span = (-math.inf, math.inf), name: str = ""):
        self._zone, self._span_s = zone and _zone_in(name, zone), span_s
        self._has_ends = _BY_ENDS.search(small(name)) is not None
        day_first, month_first = r"\1.\2.\3", r"\2.\1.\3" if self._has_ends else r"\g<0>"
        self._slashed = day_first if _DAY_FIRST.search(name) else month_first
        self._before_s, self._form = -math.inf, ""
        self._allowed = ALLOWED + (LOCAL if zone else "")

    def __call__(self, cell: str) -> float:
        """UTC, s since 1970. SeriesError: no time, not after the row before, or in another form."""
        hour = _END.fullmatch(cell.strip()) if self._has_ends else None
        if hour is None:
            return self._read(cell)
        # The begin is read and an hour is added, because 24:00 is no time and the hour in which the
        # clock goes back has its two ends at other times.
        return self._read(f"{hour[1]}{int(hour[2]) - 1:02}:00") + HOUR_S

    def _read(self, cell: str) -> float:
        text = _plain(_SLASHED.sub(self._slashed, cell, count=1))
        match = _ISO.fullmatch(text) if text.isascii() else None
        form, seconds = self._iso(text, bool(match[1])) if match else self._unix(text)
        if self._form not in ("", form):
            raise SeriesError(f"{shown(text)} is {form}, the rows before: {self._form}")
        self._form = form
        if self._is_needed(seconds):
            if seconds <= self._before_s:
                before = local(self._before_s, self._zone)
                raise SeriesError(f"{shown(text)}: allowed is later than {before}, a row before")
            self._before_s = seconds
        return seconds

    def _is_needed(self, seconds: float) -> bool:
        return self._span_s[0] <= seconds <= self._span_s[1]

    def _unix(self, text: str) -> tuple[str, float]:
        seconds = number(text, False)
        if UNIX_S_MAX < seconds <= UNIX_MS_MAX:
            return "milliseconds since 1970", seconds / 1000
        if seconds > UNIX_S_MAX:
            raise SeriesError(too_large(seconds))
        if not seconds >= UNIX_S_MIN:
            raise SeriesError(f"{shown(text)}: {self._allowed}, or seconds since 1970")
        return "seconds since 1970", seconds

    def _iso(self, text: str, has_offset: bool) -> tuple[str, float]:
        try:
            time = datetime.fromisoformat(text)
            if has_offset:
                return "a time with an offset", _bounded(time)
            if self._zone is None:
                raise SeriesError(f"{shown(text)}: allowed is a time with Z or an offset")
            return "a time without an offset", self._local(time, self._zone)
        except SeriesError:
            raise
        except (ValueError, OverflowError):
            raise SeriesError(f"{shown(text)}: {self._allowed}") from None

    def _local(self, time: datetime, zone: tzinfo) -> float:
        earlier = time.replace(tzinfo=zone)
        seconds = _bounded(earlier)
        round_trip = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0)
        if round_trip != time and self._is_needed(seconds):
            raise SeriesError(
                f"{time:%Y-%m-%dT%H:%M} does not exist: the clock of {zone} goes forward then"
            )
        return earlier.replace(fold=1).timestamp() if seconds <= self._before_s else seconds


def _zone_in(name: str, zone: tzinfo) -> tzinfo:
    """The zone in the name of a column, as in `Time (UTC+05:30)`, or else the given zone."""
    match = _NAMED_ZONE.search(name)
    if not match:
        return zone
    hours = _HOURS.fullmatch(match[2] or "0")
    if not hours or (match[2] and match[1] not in ("+", "-")):
        raise SeriesError(f"{shown(name)} names no zone: allowed is a name as UTC or UTC+05:30")
    offset = timedelta(hours=int(hours[1]), minutes=int(hours[2] or 0))
    return timezone(-offset if match[1] == "-" else offset)


def _bounded(time: datetime) -> float:
    seconds = time.timestamp()
    if not 0 <= seconds <= UNIX_S_MAX:
        raise ValueError
    return seconds


def local(seconds: float, zone: tzinfo | None) -> str:
    """A time for messages. If its hour exists twice, the second one is marked."""
    time = datetime.fromtimestamp(seconds, zone or UTC)
    return f"{time:%Y-%m-%d %H:%M}" + (BACK if time.fold else "") + ("" if zone else "Z")
