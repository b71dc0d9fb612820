"""The content of the rig's live screen: 80 x 24 and larger, lines of plain ASCII.

The view is a dict; what is absent is shown as `-`: title, load_name, mode ("real time" / "virtual
time"), speed, elapsed_s, duration_s, state (name), grid_W, load_W, battery_W, setpoint_W,
request_W, request_by, limit (code, sentence) or None, charge_W_max, discharge_W_max, racks
[(soc_pct, cell_mV_min, cell_mV_max, degC_min, degC_max, current_A, contactor name)], armed,
not_fitted, rows_tripped, rows_warning (numbers of rows), tripped [(stage, sentence, scope, since_s,
reset)] of every stage that stands, with reset "self", "remote" or "key", links {name: text},
tick_ms, ticks, missed, late_us (p50, p99, max), load_history and grid_history [W], next_action.
"""

WIDTH, HEIGHT = 80, 24
LEVELS = (".:-=+*#", "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588")
DEAD_W = 500  # below this an arrow would only show noise


def kilowatt(power_W):
    """Power as kW with one decimal, `-` when unknown."""
    return "-" if power_W is None else f"{power_W / 1000:.1f} kW"


def directed(power_W):
    """Battery power in words: discharge or charge and its size."""
    if not power_W:
        return kilowatt(power_W)
    return ("discharge " if power_W > 0 else "charge ") + kilowatt(abs(power_W))


def frame(view, width=WIDTH, height=HEIGHT, blocks=False):
    """The screen as a list of exactly `height` lines of at most `width` characters (at least 80 x
    24).

    blocks: the terminal shows Unicode block characters (sparklines); else everything is plain
    ASCII.
    """
    width, height = max(width, WIDTH), max(height, HEIGHT)
    rule = "-" * width
    racks, tripped = view.get("racks", ()), view.get("tripped", ())
    spare = height - HEIGHT
    rack_lines = min(len(racks), 3 + spare)
    trip_lines = 3 + max(0, spare - max(0, rack_lines - 3))
    body = [
        *_head(view, width),
        rule,
        *_flow(view, width),
        *_spark_lines(view, width, blocks),
        rule,
        *_decision(view),
        rule,
        *_racks(racks, max(3, rack_lines)),
        rule,
        *_interlocks(view, tripped, trip_lines),
    ]
    foot = [_loop(view), _progress(view, width)]
    body = body[: height - len(foot)] + [""] * (height - len(foot) - len(body))
    return [line[:width].rstrip() for line in body + foot]


def _spread(left, right, width):
    left = left[: width - len(right) - 1]
    return left + " " * (width - len(left) - len(right)) + right


def _head(view, width):
    speed = view.get("speed")
    pace = view.get("mode", "") + (f", {speed:.0f} x" if speed and speed > 1.5 else "")
    return [
        _spread(f"FIREBREAK RIG  {view.get('title', '')}", view.get("state", "-").upper(), width),
        _spread(f"load: {view.get('load_name', '-')}", pace, width),
    ]


def _arrow(length, power_W, sign):
    """Arrow pointing right when power_W times sign > 0, left when < 0, a plain line around zero or
    unknown.
    """
    if power_W is None or abs(power_W) < DEAD_W:
        return "-" * length
    return "=" * (length - 1) + ">" if power_W * sign > 0 else "<" + "=" * (length - 1)


def _flow(view, width):
    """Grid, load and battery as three boxes with arrows that show which way power flows."""
    grid_W, battery_W = view.get("grid_W"), view.get("battery_W")
    gap = (width - 3 * 14 - 2) // 2
    names = [f"|{name:^12}|" for name in ("GRID", "LOAD", "BATTERY")]
    powers = [
        f"|{kilowatt(power_W):^12}|" for power_W in (grid_W, view.get("load_W"), _size(battery_W))
    ]
    border = "+" + "-" * 12 + "+"
    words = [_word(grid_W, "importing", "exporting"), _word(battery_W, "discharging", "charging")]
    return [
        (" " * gap).join([" " + border, border, border]),
        f" "
        f"{names[0]}{_arrow(gap - 2, grid_W, 1):^{gap}}{names[1]}"
        f"{_arrow(gap - 2, battery_W, -1):^{gap}}{names[2]}",
        f" {powers[0]}{words[0]:^{gap}}{powers[1]}{words[1]:^{gap}}{powers[2]}",
        (" " * gap).join([" " + border, border, border]),
    ]


def _size(power_W):
    return None if power_W is None else abs(power_W)


def _word(power_W, positive, negative):
    if power_W is None or abs(power_W) < DEAD_W:
        return ""
    return positive if power_W > 0 else negative


def sparkline(values, width, blocks=False, low=None, high=None):
    """The newest `width` values as one character each, scaled from `low` to `high` (default: their
    own range).
    """
    values = list(values)[-width:]
    if not values:
        return ""
    low, high = min(values) if low is None else low, max(values) if high is None else high
    levels = LEVELS[blocks]
    scale = (len(levels) - 1) / (high - low) if high > low else 0.0
    return "".join(
        levels[max(0, min(len(levels) - 1, round((value - low) * scale)))] for value in values
    )


def _spark_lines(view, width, blocks):
    """Load and grid on one scale, so that a smooth grid looks smooth beside its load."""
    count = width - 29
    histories = [list(view.get(name) or ())[-count:] for name in ("load_history", "grid_history")]
    every = [power_W for values in histories for power_W in values] or [0.0]
    low, high = min(every), max(every)
    missing = max(0, 50_000 - (high - low)) / 2  # a quieter minute is drawn flat
    return [
        _spark_line(name, values, low - missing, high + missing, count, blocks)
        for name, values in zip(("LOAD", "GRID"), histories)
    ]


def _spark_line(name, values, low, high, count, blocks):
    if not values:
        return name
    drawn = sparkline(values, count, blocks, low, high)
    return f"{name}  {drawn:<{count}}  {min(values) / 1000:.0f} .. {max(values) / 1000:.0f} kW"


def _decision(view):
    limit = view.get("limit")
    by = view.get("request_by")
    request = directed(view.get("request_W")) + (f" by {by}" if by else "")
    return [
        f"REQUEST  {request:<36} SET-POINT  {directed(view.get('setpoint_W'))}",
        "LIMIT    " + (" ".join(str(part) for part in limit) if limit else "none acting"),
        f"AVAILABLE POWER  charge {kilowatt(view.get('charge_W_max'))}, "
        f"discharge {kilowatt(view.get('discharge_W_max'))}",
    ]


def _racks(racks, lines):
    """Header and one line per rack; with more racks than lines the hottest come first."""
    order = list(range(len(racks)))
    if len(racks) > lines:
        order = sorted(order, key=lambda rack: -racks[rack][4])[:lines]
    out = ["RACK  SOC              %   cell V min/max   module C min/max    amps  contactor"]
    for rack in order:
        soc, mV_min, mV_max, low, high, amps, contactor = racks[rack]
        out.append(
            f"{rack + 1:3}   {_bar(soc, 12)} {soc:5.1f}    {mV_min / 1000:.3f}  "
            f"{mV_max / 1000:.3f}"
            f"     {low:5.1f}  {high:5.1f}   {amps:+7.1f}  {contactor}"
        )
    return out + [""] * (lines - len(order))


def _bar(percent, width):
    full = max(0, min(width, round(percent / 100 * width)))
    return "[" + "#" * full + "." * (width - full) + "]"


def _interlocks(view, tripped, lines):
    links = view.get("links") or {}
    bad = [f"{name} {text}" for name, text in links.items() if text != "ok"]
    words = "LINKS  " + (", ".join(bad) if bad else "ok" if links else "-")
    warnings = view.get("rows_warning", "-")
    out = [
        f"INTERLOCKS  {view.get('armed', '-')} armed  {view.get('rows_tripped', '-')} tripped  "
        f"{warnings} warning"
        f"{'s' * (warnings != 1)}  {view.get('not_fitted', '-')} not fitted  {words}"
    ]
    shown = tripped if len(tripped) <= lines - 1 else tripped[: lines - 2]
    for stage, sentence, scope, since_s, reset in shown:
        out.append(f" ! row {stage:<4}{sentence}, {scope}; since {since_s:.1f} s, {reset} reset")
    if len(shown) < len(tripped):
        out.append(f"   and {len(tripped) - len(shown)} more stages, the first above")
    return out


def _loop(view):
    late = view.get("late_us") or (None, None, None)
    texts = ["-" if value is None else f"{value:.0f}" for value in late]
    return (
        f"LOOP  {view.get('tick_ms', '-')} ms   tick {view.get('ticks', 0)}   missed "
        f"{view.get('missed', 0)}   "
        f"late us p50 {texts[0]}  p99 {texts[1]}  max {texts[2]}"
    )


def _progress(view, width):
    elapsed_s, duration_s = view.get("elapsed_s", 0.0), view.get("duration_s")
    if not duration_s:
        return f"{elapsed_s:.1f} s"
    text = f" {elapsed_s:.1f} / {duration_s:g} s"
    action = view.get("next_action")
    text += f"   next: {action}" if action else ""
    return _bar(100 * elapsed_s / duration_s, max(10, width - 2 - max(len(text), 42))) + text
