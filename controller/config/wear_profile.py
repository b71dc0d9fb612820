"""What a profile says of stored registers, at each of its writes.

A register that a device keeps in flash wears out. Few documents say which registers are kept, so a
profile says "yes", "no" or "not stated", for all of its writes or for each of them.
"""

from typing import Any

from controller.config.converter_form import STORED
from controller.forms.refusal import not_allowed
from drivers import wear
from drivers.profile import Profile
from drivers.register_write import COIL_WRITES

REPEAT_MS, REPEAT_UNKNOWN_MS, NEVER_MS = 1000, 600_000, 1 << 40  # of an unchanged value


def resolved(profile: Profile) -> Profile:
    """The same profile with `stored` at each write, checked. Raises ConfigError."""
    settings = profile.settings
    if "stored" not in settings:
        return profile
    default = settings["stored"] = STORED[settings["stored"]]
    tables = [
        vars(each)
        for name in ("setpoint", "setup", "start", "stop")
        for each in getattr(profile, name)
    ]
    tables += [profile.heartbeat] if profile.heartbeat else []
    tables += [*profile.sent.values(), *map(vars, profile.registers.values())]
    for each in tables:
        each["stored"] = default if each.get("stored") is None else STORED[each["stored"]]
    for name, register in profile.registers.items():
        if getattr(register, "repeat_ms", 0) is None or "write" in register.direction:
            _repeat(profile.path.name, name, register)
    _check(profile)
    return profile


def _repeat(file: str, name: str, register: Any) -> None:
    """Set how often an unchanged value of a site device is written again."""
    stated_ms = getattr(register, "repeat_ms", REPEAT_MS)
    if stated_ms is not None and register.stored == wear.YES:
        not_allowed(file, ("registers", name, "repeat_ms"), stated_ms, "none: each would be stored")
    if stated_ms is None:
        is_safe = register.stored == wear.NO or register.write_function in COIL_WRITES
        unknown_ms = NEVER_MS if register.stored == wear.YES else REPEAT_UNKNOWN_MS
        register.repeat_ms = REPEAT_MS if is_safe else unknown_ms


def _check(profile: Profile) -> None:
    """Refuse a budget that is missing or without use, and writes that would spend it at once."""
    settings, file = profile.settings, profile.path.name
    if "writes_per_day_max" not in settings:
        return
    stored = {each.stored for each in wear.written(profile)}
    budget, path = settings["writes_per_day_max"], ("settings", "writes_per_day_max")
    if wear.YES in stored and not budget:
        not_allowed(file, path, budget, '1 or more with a register that is stored = "yes"')
    if stored <= {wear.NO} and budget:
        not_allowed(file, path, budget, '0: every register is stored = "no"')
    if budget and wear.of_setpoint(profile) != wear.NO and settings.get("repeat_ms"):
        allowed = "0: each repetition would be stored"
        not_allowed(file, ("settings", "repeat_ms"), settings["repeat_ms"], allowed)
    for name, row in [("heartbeat", profile.heartbeat), *profile.sent.items()]:
        if row and row["stored"] == wear.YES and row["period_ms"]:
            allowed = '"no" or "not stated" for a write that is repeated'
            not_allowed(file, (name, "stored"), row["stored"], allowed)


def unstated(profile: Profile) -> list[str]:
    """Each write of a register of which the profile does not say whether it is stored."""
    found = [each for each in wear.written(profile) if each.stored == wear.NOT_STATED]
    return [f"{each.what} {each.address}" for each in found]
