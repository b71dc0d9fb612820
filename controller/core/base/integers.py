"""Exact integer helpers shared by the control functions."""


def within(value: int, low: int, high: int) -> int:
    """value held within [low, high]; low <= high."""
    return low if value < low else high if value > high else value


def low_pass(tick_ms: int, time_ms: int) -> int:
    """24-bit factor of a first-order low-pass of time_ms that steps every tick_ms."""
    return (tick_ms << 24) // (time_ms + tick_ms)


def approach(value: int, towards: int, part: int, ticks: int) -> int:
    """value after `ticks` of a first-order low-pass; part: of low_pass. Never beyond `towards`."""
    return value + ((towards - value) * min(part * ticks, 1 << 24) >> 24)
