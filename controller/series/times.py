"""Times of a series: cells to UTC seconds since 1970, and seconds to words.

A cell is ISO 8601 with `Z` or an offset, the local time of a zone (also 25.11.2026 12:00), or
seconds since 1970. In the night in which the clock goes back an hour exists twice. Its first
occurrence in the file is the first one, because a series goes forward.
"""

import math
import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from controller.series.refusal import SeriesError, shown
from controller.series.table import number

# A number below 1973 is no time since 1970; one above the year 5138 counts milliseconds.
UNIX_S_MIN, UNIX_S_MAX = 1e8, 1e11
ALLOWED = "allowed is a time as 2026-11-25T12:00Z or 2026-11-25T12:00+01:00"
BACK = " (second, the clock has gone back)"
LOCAL = ", or without an offset in local time"
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?"
)
_DOTTED = re.compile(r"(\d\d)\.(\d\d)\.(\d{4})(?=[ T]|$)")  # only days first have points


def zone_of(name: str) -> tzinfo:
    """The time zone of a name. SeriesError: this machine has none of that name."""
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        raise SeriesError(
            f"time zone {shown(name)}: allowed is one that this machine has, as Europe/Berlin"
        ) from None


def is_iso(cell: str) -> bool:
    """The cell has the form of a date or a time."""
    return _ISO.fullmatch(_plain(cell)) is not None


def _plain(cell: str) -> str:
    """The cell in ISO form, if it is 25.11.2026 12:00."""
    return _DOTTED.sub(r"\3-\2-\1", cell.strip(), count=1)


def too_large(seconds: float) -> str:
    """Words for a time that is no second since 1970."""
    return f"{seconds:.0f} is beyond the year 5138: allowed are seconds, not milliseconds"


class TimeCells:
    """Reads the times of one column in the order of the file. zone: of times without an offset;
    None: they are refused. span_s: rows outside of it are neither compared nor checked for hours
    that the clock leaves out.
    """

    def __init__(
        self, zone: tzinfo | None, span_s: tuple[float, float] = (-math.inf, math.inf)
    ) -> None:
        self._zone, self._span_s = zone, span_s
        self._before_s, self._form = -math.inf, ""
        self._allowed = ALLOWED + LOCAL * (zone is not None)

    def __call__(self, cell: str) -> float:
        """UTC, seconds since 1970. SeriesError: no time, not later than the one before, or in
        another form.
        """
        text = _plain(cell)
        found = _ISO.fullmatch(text) if text.isascii() else None
        form, seconds = self._iso(text, bool(found[1])) if found else self._unix(text)
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
        first = time.replace(tzinfo=zone)
        seconds = _bounded(first)
        back = datetime.fromtimestamp(seconds, zone).replace(tzinfo=None, fold=0)
        if back != time and self._is_needed(seconds):
            raise SeriesError(
                f"{time:%Y-%m-%dT%H:%M} does not exist: the clock of {zone} goes forward then"
            )
        return first.replace(fold=1).timestamp() if seconds <= self._before_s else seconds


def _bounded(time: datetime) -> float:
    seconds = time.timestamp()
    if not 0 <= seconds <= UNIX_S_MAX:
        raise ValueError
    return seconds


def local(seconds: float, zone: tzinfo | None) -> str:
    """A time for messages; the second of an hour that exists twice is named."""
    time = datetime.fromtimestamp(seconds, zone or UTC)
    return f"{time:%Y-%m-%d %H:%M}" + BACK * time.fold + ("" if zone else "Z")
