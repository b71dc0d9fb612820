"""Writes the ring of ticks as CSV, for `firebreak record export --what ticks` and for `audit`."""

from collections.abc import Iterator

from controller.recorder import fast_ring
from controller.recorder.csv_files import utc_text
from controller.recorder.ticks import NONE

# {column of the ring: (name in the file, divisor)}
COLUMNS = {
    "load_W": ("load_W", 1),
    "grid_W": ("grid_W", 1),
    "battery_W": ("battery_W", 1),
    "voltage_permille": ("voltage_pu", 1000),
    "frequency_mHz": ("frequency_Hz", 1000),
    "commanded": ("commanded", 1),
}


def has_ticks(folder: str, from_us: int, to_us: int) -> bool:
    """True if a block of the ring has ticks of that time. Raises OSError, ValueError."""
    return next(_between(folder, from_us, to_us), None) is not None


def pieces(folder: str, from_us: int, to_us: int) -> Iterator[bytes]:
    """The bytes of the CSV file, one piece per minute. Raises OSError, ValueError."""
    yield (",".join(["utc", *[name for name, _ in COLUMNS.values()]]) + "\r\n").encode("ascii")
    for placed in _between(folder, from_us, to_us):
        values = [fast_ring.unpacked(placed.columns[name]) for name in COLUMNS]
        divisors = [divisor for _, divisor in COLUMNS.values()]
        at_us, step_us = placed.begin_us, placed.block.header["tick_ms"] * 1000
        lines = []
        for place, row in enumerate(zip(*values)):
            at_us += placed.elapsed[place] * step_us if place else 0
            if from_us <= at_us < to_us:
                cells = [_cell(*pair) for pair in zip(row, divisors)]
                lines.append(",".join([utc_text(at_us), *cells]))
        if lines:
            yield ("\r\n".join(lines) + "\r\n").encode("ascii")


def _between(folder: str, from_us: int, to_us: int) -> Iterator[fast_ring.Placed]:
    for placed in fast_ring.placed(folder):
        step_us = placed.block.header["tick_ms"] * 1000
        if placed.begin_us < to_us and placed.begin_us + sum(placed.elapsed) * step_us > from_us:
            yield placed


def _cell(value: int, divisor: int) -> str:
    if value == NONE:
        return ""
    return str(value) if divisor == 1 else f"{value / divisor:.3f}"
