"""Computes the silence budgets. Such a budget says how long a device may be silent before a stage
of the cause-and-effect matrix acts. A slow device gets a longer budget.
"""

from controller.config import equipment, schema
from controller.config.devices import Device, Topology
from controller.config.profile_form import REGISTER_BMS
from controller.config.values import Values
from controller.forms.field import Entry
from controller.forms.refusal import ConfigError, Path, not_allowed
from drivers.profile import Profile

# (section, key, budget in ms, least budget in periods of the device, roles of the device)
BUDGETS = (
    ("cabinet", "io_silent_ms", 500, 3, ("io_1", "io_2", "io_3")),
    ("cabinet", "meter_silent_ms", 500, 3, ("meter_grid", "meter_load")),
    ("cabinet", "gas_silent_ms", 3000, 3, equipment.GAS_ROLES),
    ("cabinet", "monitor_silent_ms", 10_000, 3, ("climate", "ups")),
    # The next two times are no silences, but they also depend on the period of a device. Row 39
    # needs two reports of a BMS to see that a contactor does not follow its command.
    ("cabinet", "contactor_report_ms", 600, 2, ("bms",)),
    # Row 54 needs five reports with the same values, although the current has changed.
    ("cabinet", "bms_still_ms", 10_000, 5, ("bms",)),
    ("unit", "pcs_ramp_ms", 2000, 3, ("pcs",)),
    ("unit", "pcs_stop_ms", 3000, 5, ("pcs",)),
    ("unit", "pcs_open_ms", 5000, 8, ("pcs",)),
    ("rack", "bms_warn_ms", 500, 3, ("bms",)),
    ("rack", "bms_ramp_ms", 1000, 5, ("bms",)),
    ("rack", "bms_stop_ms", 3000, 8, ("bms",)),
)


def check(profile: Profile, roles: list[str]) -> None:
    """Refuse a device that is too slow for every cabinet. Raises ConfigError."""
    period_ms = longest_period_ms(profile)
    for section, key, _, periods, of_roles in BUDGETS:
        spec = schema.spec_of((section, key) if section == "cabinet" else (section, "1", key))
        if not spec or not set(roles) & set(of_roles):
            continue
        most_ms = spec.allowed[1] // periods
        if period_ms > most_ms:
            problem = f"its longest period of {period_ms} ms is too long for {key} of every cabinet"
            raise ConfigError(f"{profile.path.name}: {problem}; allowed 1..{most_ms} ms")


def longest_period_ms(profile: Profile) -> int:
    """Longest time between two values of a working device of this profile, ms."""
    periods_ms: list[int] = [profile.period_ms, profile.settings.get("control_period_ms", 0)]
    messages = profile.messages.values()
    periods_ms += [row["period_ms"] for row in messages if row["use"] == "required"]
    if profile.family == REGISTER_BMS:
        periods_ms += [register.period_ms for register in profile.registers.values()]
    return max(periods_ms)


def silence_budgets(values: Values, topology: Topology) -> dict[Path, int]:
    """{(section, number..., key): ms} of every row of BUDGETS. Raises ConfigError."""
    budgets_ms: dict[Path, int] = {}
    for section, key, base_ms, periods, roles in BUDGETS:
        for device in topology.devices:
            if device.role in roles:
                number = () if section == "cabinet" else (str(device.index + 1),)
                path: Path = (section, *number, key)
                budget_ms = _budget_ms(values, device, path, base_ms, periods)
                budgets_ms[path] = max(budgets_ms.get(path, 0), budget_ms)
    return budgets_ms


def _budget_ms(values: Values, device: Device, path: Path, base_ms: int, periods: int) -> int:
    period_ms = longest_period_ms(device.profile)
    low_ms = period_ms * periods
    high_ms: int = min(max(base_ms, low_ms), values.spec(path).allowed[1])
    if low_ms > high_ms:
        problem = f"its period of {period_ms} ms is too long for its silence budget {path[-1]}"
        values.refuse(("device", device.name, "profile"), problem, f"1..{high_ms // periods} ms")
    own_path, entry = entry_of(values, path)
    if entry is None:
        return high_ms
    if not low_ms <= entry.value <= high_ms:
        why = f"device.{device.name} has a period of {period_ms} ms"
        not_allowed(entry.file, own_path, entry.value, f"{low_ms}..{high_ms} ({why})")
    return int(entry.value)


def entry_of(values: Values, path: Path) -> tuple[Path, Entry | None]:
    """(path, Entry) of a parameter in the files, for one unit or rack or for all of them. (path,
    None) if no file has the parameter.
    """
    if len(path) == 2:
        return path, values.entries.get(path)
    shared = path[0], "all", path[2]
    own, common = path in values.entries, shared in values.entries
    if not own and not common:
        return path, None
    entry = values.entry(*path)
    return (path if own and values.entries[path] == entry else shared), entry
