"""Finds for each write of a profile whether the device stores the value in flash memory: "yes",
"no" or "not stated".

Flash memory wears out with each write. Few documents say which registers are stored in it. A
profile states this for all of its writes together or for each write.
"""

from controller.config.converter_form import STORED
from controller.forms.refusal import not_allowed
from drivers import wear
from drivers.profile import Profile

DAY_MS = wear.DAY_US // 1000
# {statement: time after which an unchanged value of a site device is written again, ms}, unless the
# profile states the time
REPEAT_MS = {wear.NO: 1000, wear.NOT_STATED: 600_000, wear.YES: 1 << 40}


def resolved(profile: Profile) -> Profile:
    """Give each write of the profile its own `stored`. Returns the profile. Raises ConfigError."""
    settings, registers = profile.settings, profile.registers.values()
    if "stored" not in settings:
        return profile
    default = settings["stored"] = STORED[settings["stored"]]
    writes = [*profile.setpoint, *profile.setup, *profile.start, *profile.stop, *registers]
    for row in filter(None, [profile.heartbeat, *profile.sent.values(), *map(vars, writes)]):
        stated = row.get("stored")
        row["stored"] = default if stated is None else STORED[stated]
    for register in registers:
        if getattr(register, "repeat_ms", 0) is None:
            is_coil = register.type == "bit"
            register.repeat_ms = REPEAT_MS[wear.NO if is_coil else register.stored]
    _check(profile)
    return profile


def _check(profile: Profile) -> None:
    """Refuse a budget of writes that is missing, useless, or too small for its repetitions."""
    file, stored, repetitions = profile.path.name, set[str](), 0
    for write in wear.written(profile):
        stored.add(write.stored)
        if write.stored == wear.NO or not write.repeat_ms:
            continue
        repetitions += DAY_MS // write.repeat_ms
        if write.stored == wear.YES and write.repeat_ms != REPEAT_MS[wear.YES]:
            allowed = "0: each repetition would be stored"
            not_allowed(file, (write.what,), f"repeated every {write.repeat_ms} ms", allowed)
    writes_max, path = (
        profile.settings.get("writes_per_day_max"),
        ("settings", "writes_per_day_max"),
    )
    if writes_max == 0 and wear.YES in stored:
        not_allowed(file, path, writes_max, '1 or more with a register that is stored = "yes"')
    if writes_max and stored <= {wear.NO}:
        not_allowed(file, path, writes_max, '0: every register is stored = "no"')
    if writes_max and writes_max <= repetitions:
        not_allowed(
            file, path, writes_max, f"0, or more than the {repetitions} repetitions of a day"
        )


def unstated(profile: Profile) -> list[str]:
    """Each write for which the profile does not say whether the device stores it in flash."""
    writes = [write for write in wear.written(profile) if write.stored == wear.NOT_STATED]
    return [f"{write.what} {write.address}" for write in writes]
