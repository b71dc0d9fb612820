"""Exact integer helpers shared by the control functions."""


def within(value: int, low: int, high: int) -> int:
    """value held within [low, high]; low <= high."""
    return low if value < low else high if value > high else value


def low_pass(tick_ms: int, time_ms: int) -> int:
    """24-bit factor of a first-order low-pass of time_ms that steps every tick_ms."""
    return (tick_ms << 24) // (time_ms + tick_ms)


def approach(value: int, towards: int, part: int, ticks: int, bits: int = 24) -> int:
    """value after `ticks` of a first-order low-pass. part: factor of `bits` bits, such as from
    low_pass. The result never passes `towards`, because an overshoot in a long tick could overflow.
    """
    return value + ((towards - value) * min(part * ticks, 1 << bits) >> bits)


def decay(tick_ms: int, time_ms: int) -> int:
    """exp(-tick_ms / time_ms) in 1/65536. The result is the 64th power of the approximation (1 - x
    / 2) / (1 + x / 2) for a 64th of the tick.
    """
    double = 128 * time_ms
    part = (max(0, double - tick_ms) << 32) // (double + tick_ms)
    for _ in range(6):
        part = part * part >> 32
    return part >> 16


def step_timer(
    timer_ms: int, counts: int, is_present: bool, passed_ms: int, times: tuple[int, int, int]
) -> tuple[int, int]:
    """Step the timer of a cause. A cause counts when it has been present for a time, and no longer
    counts when it has been absent for a time.

    Returns (timer_ms, counts). times: ms until it counts; ms until it no longer counts; how many
    times slower the timer runs backward than forward. At equal speeds, a cause that is present half
    of the time would never count.
    """
    set_ms, clear_ms, leak_parts = times
    if counts:
        timer_ms = clear_ms if is_present else max(timer_ms - passed_ms, 0)
        return timer_ms, int(timer_ms > 0)
    timer_ms = timer_ms + passed_ms if is_present else max(0, timer_ms - passed_ms // leak_parts)
    return (clear_ms, 1) if timer_ms >= set_ms else (timer_ms, 0)
