"""Makes and checks the settings of SunSpec model 704: set-point of a converter, and reversion.

Reversion: the converter ends a set-point by itself after a time without a new one.
"""

from drivers.profile import Words

# One read returns these points, in this order.
SETTINGS = ("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetEnaRvrt", "WSetRvrtTms", "WSetRvrtRem")
WSET, WSET_RVRT_REM = SETTINGS.index("WSet"), SETTINGS.index("WSetRvrtRem")
ENABLED, WATTS = 1, 1  # WSetEna, WSetMod


def zero_setpoint() -> Words:
    """Registers from WSetEna on: enabled, in watts, set-point 0 W, reversion to 0 W."""
    return ENABLED, WATTS, *words(0), *words(0)


def reversion(reversion_s: int) -> Words:
    """Registers from WSetEnaRvrt on, with which the device ends a set-point after this time."""
    return ENABLED, *words(reversion_s)


def first_wrong(values: Words, reversion_s: int) -> str:
    """The first setting of a reading that differs from the written value, as text, or ""."""
    wanted = {"WSetEna": ENABLED, "WSetMod": WATTS, "WSetRvrt": 0, "WSetEnaRvrt": ENABLED}
    wanted["WSetRvrtTms"] = reversion_s
    for name, value in zip(SETTINGS, values):
        if wanted.get(name, value) != value:
            return f"{name} reads {value}, written {wanted[name]}"
    return ""


def words(value: int) -> tuple[int, int]:
    """A 32-bit integer as two registers, high word first."""
    return value >> 16 & 0xFFFF, value & 0xFFFF
