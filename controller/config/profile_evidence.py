"""Finds the values of a profile on which rows of the cause-and-effect matrix and actuators depend,
and which of these values are proven by a reading.

The key `evidence` is one word for the whole profile. `evidence_of` names each value that is proven
by a reading of the device or in its document. The register map is the only source for other values.
"""

from controller.forms.field import few
from controller.forms.refusal import not_allowed
from drivers import meter_reads
from drivers.profile import Profile

SETPOINT = "setpoint"
WRITTEN = ("setup", SETPOINT, "start", "stop", "heartbeat")


def rested_on(profile: Profile) -> list[str]:
    """Names of the values that rows or actuators use, and of everything that the driver writes."""
    values = [*profile.registers, *profile.signals, *profile.arrays, *profile.faults]
    written = [name for name in WRITTEN if getattr(profile, name)]
    unused = {*profile.factors, *seldom(profile)}
    names = dict.fromkeys([*values, *written, *profile.sent])
    return [name for name in names if name not in unused]


def proven(profile: Profile) -> list[str]:
    """The values of `rested_on` that a reading proves."""
    return [name for name in rested_on(profile) if name in profile.evidence_of]


def is_set_point_bare(profile: Profile) -> bool:
    """True if the device takes a set-point, and no reading proves how it is written."""
    return bool(profile.setpoint) and SETPOINT not in profile.evidence_of


def checked(profile: Profile) -> Profile:
    """Return the profile. Refuse a name in `evidence_of` that the profile does not have."""
    names = [*rested_on(profile), *seldom(profile)]
    for name in profile.evidence_of:
        if name not in names:
            not_allowed(profile.path.name, ("evidence_of",), name, few(names), names)
    return profile


def seldom(profile: Profile) -> list[str]:
    """Names of the values of a meter that no decision uses."""
    is_meter = profile.family == "meter"
    return meter_reads.slow_names(profile.registers, profile.settings) if is_meter else []
