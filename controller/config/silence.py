"""Silence budgets that follow from the periods of the devices."""

from controller.config import equipment, schema
from controller.config.refusal import not_allowed

# section, key, longest time in ms, in periods of the device, its roles
BUDGETS = (
    ("cabinet", "io_silent_ms", 500, 3, ("io_1", "io_2", "io_3")),
    ("cabinet", "meter_silent_ms", 500, 3, ("meter_grid", "meter_load")),
    ("cabinet", "gas_silent_ms", 3000, 3, equipment.GAS_ROLES),
    ("cabinet", "monitor_silent_ms", 10_000, 3, ("climate", "ups")),
    # Not a silence: two reports of a BMS before its contactors count as not following.
    ("cabinet", "contactor_report_ms", 600, 2, ("bms",)),
    # Nor is this: so many reports of the same values, although the current has changed (row 54).
    ("cabinet", "bms_still_ms", 10_000, 5, ("bms",)),
    ("unit", "pcs_ramp_ms", 2000, 3, ("pcs",)),
    ("unit", "pcs_stop_ms", 3000, 5, ("pcs",)),
    ("unit", "pcs_open_ms", 5000, 8, ("pcs",)),
    ("rack", "bms_warn_ms", 500, 3, ("bms",)),
    ("rack", "bms_ramp_ms", 1000, 5, ("bms",)),
    ("rack", "bms_stop_ms", 3000, 8, ("bms",)),
)


def period_ms(device) -> int:
    """Longest time between two values of the device when it works."""
    return max(device.profile.period_ms, device.profile.settings.get("control_period_ms", 0))


def silence_budgets(values, topology) -> dict:
    """{(section, number..., key): ms} of every row of BUDGETS. Raises ConfigError."""
    found = {}
    for section, key, base_ms, periods, roles in BUDGETS:
        for device in topology.devices:
            if device.role in roles:
                number = () if section == "cabinet" else (str(device.index + 1),)
                path = (section, *number, key)
                budget_ms = _budget_ms(values, device, path, base_ms, periods)
                found[path] = max(found.get(path, 0), budget_ms)
    return found


def _budget_ms(values, device, path, base_ms, periods):
    low_ms = period_ms(device) * periods
    high_ms = min(max(base_ms, low_ms), schema.spec_of(path).allowed[1])
    if low_ms > high_ms:
        values.refuse(
            ("device", device.name, "profile"),
            f"its period of {period_ms(device)} ms is too long for its silence budget {path[-1]}",
            f"1..{high_ms // periods} ms",
        )
    said, entry = said_of(values, path)
    if entry is None:
        return high_ms
    if not low_ms <= entry.value <= high_ms:
        not_allowed(
            entry.file,
            said,
            entry.value,
            f"{low_ms}..{high_ms} (device.{device.name} has a period of {period_ms(device)} ms)",
        )
    return entry.value


def said_of(values, path: tuple) -> tuple:
    """(path, Entry) of a parameter where a file says it, else (path, None)."""
    if len(path) == 2:
        return path, values.entries.get(path)
    section, number, key = path
    own, common = path in values.entries, (section, "all", key) in values.entries
    if not own and not common:
        return path, None
    entry = values.numbered(section, number, key)
    return (path if own and values.entries[path] == entry else (section, "all", key)), entry
