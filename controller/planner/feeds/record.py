"""Reads load and PV from the recorder's `quarters.csv`.

The load is the wanted load, before a scheduler lowered it on request.
"""

from controller.planner.feeds.points import QUARTER_S, Points, Span, of_quarters
from controller.recorder import quarters
from controller.series.refusal import SeriesError

VALUES = {"load": 1, "pv": 2}  # index of each value in a Quarter


def read(path: str, kind: str, span: Span) -> Points:
    """The finished quarters after span.since_s. SeriesError says why in one line."""
    doubts = list[str]()
    try:
        rows = quarters.read(path, doubts)
    except FileNotFoundError:
        raise SeriesError(
            f"{path}: no quarters of an hour: needed is `firebreak record run`"
        ) from None
    except OSError as error:
        raise SeriesError(f"{path}: cannot be read: {error.strerror}") from None
    except quarters.QuartersError as error:
        raise SeriesError(str(error)) from None
    first, end = [time_s // QUARTER_S for time_s in (max(span.start_s, span.since_s), span.now_s)]
    rows = [quarters.unlowered(row) for row in rows]
    known = [(row.number, row[VALUES[kind]]) for row in rows if first <= row.number < end]
    powers_W = {
        float(quarter) * QUARTER_S: power_W for quarter, power_W in known if power_W is not None
    }
    if not powers_W:
        raise SeriesError(f"{path}: no new quarter of an hour with a known {kind}")
    return of_quarters(powers_W, span.now_s, doubts)
