"""Makes the facts of a profile as plain data, for `firebreak profile list` and `profile check`."""

from collections.abc import Iterable, Iterator
from typing import Any

from controller.config import (
    can_profile,
    converters,
    devices,
    maps,
    meter_profile,
    profile_evidence,
    stage_states,
    wear_profile,
)
from controller.config.profile_form import REGISTER_PCS, SITE_DEVICE, SUNSPEC_PCS
from controller.core.site_devices.roles import ROLES
from controller.forms.refusal import ConfigError
from controller.workbench import profile_bench
from drivers import wear
from drivers.buses.port import RtuPort
from drivers.buses.rtu import place_of
from drivers.profile import SLOT, Profile, Register, SetpointFrame, Step
from drivers.register_codec import Codec
from drivers.register_pcs_readings import DIRECTION
from drivers.setpoint_form import WAYS, Frame

Facts = dict[str, Any]
CHARACTER_BITS = 11  # the longest character: with parity or two stop bits
NO_WATCHDOG = "none"
METER = "meter"
READS = (3, 4)
PROVE_IT = "prove it with a small charge"
POWER_W, RATED_W = 10_000, 100_000  # the set-point that `writes` shows


def facts(name: str, profile: Profile) -> Facts:
    """The facts of a profile: one object of `profile list --json`."""
    roles = profile_bench.roles_of(profile)
    bus_kinds = [kind for role in roles for kind in devices.bus_kinds(role, profile.family)]
    return {
        "name": name,
        "maker": profile.maker,
        "model": profile.model,
        "family": profile.family,
        "roles": roles,
        "buses": list(dict.fromkeys(bus_kinds)),
        "documents": profile.documents,
        "proven": profile.proven,
        "evidence": profile.evidence,
        "evidence_of": profile_evidence.proven(profile),
        "rested_on": profile_evidence.rested_on(profile),
        "map_only": maps.is_map_only(profile),
        "missing": list(lacks(profile)),
        "acceptances": acceptances(profile),
        "sign": sign(profile),
        "watchdog": watchdog(profile),
        "stored": wear.of_setpoint(profile) if "pcs" in roles else None,
        "stored_unstated": wear_profile.unstated(profile),
        "writes_per_day_max": profile.settings.get("writes_per_day_max") or None,
        "tracking": tracking(profile),
    }


def acceptances(profile: Profile) -> list[str]:
    """Names of [not_fitted] that a cabinet with this profile needs."""
    names = converters.lacks(profile)
    if profile.signals:
        lacking = stage_states.LACKING.items()
        names += [name for fact, name in lacking if not can_profile.reports(profile, fact)]
    if can_profile.lacks_limits(profile):
        names.append(maps.LIMITS)
    if maps.is_map_only(profile):
        names.append(maps.acceptance_of(profile_bench.roles_of(profile)[0]))
    return names


def lacks(profile: Profile) -> Iterator[str]:
    """A line for each value that a device of this profile does not report, with the consequence."""
    if profile.family == METER:
        yield from meter_profile.lacks(profile)
    elif profile.signals:
        yield from can_profile.lacks(profile)
    elif profile.family == SITE_DEVICE:
        for signal in ROLES[profile.settings["role"]].signals:
            if signal.name not in profile.registers:
                yield f"no {signal.name}: {signal.text}: unknown"
    for name in converters.lacks(profile):
        yield f"{converters.RESTS[name]} (not_fitted.{name})"


def sign(profile: Profile) -> str:
    """Which sign of power or current the device uses, in words. "" for a device without them."""
    if profile.family == METER:
        counts = "counts export as positive" if profile.settings["inverted"] else "counts import"
        return f"the meter {counts}; the box: import is positive"
    if profile.signals:
        is_turned = profile.signals["rack_current_mA"]["scale"] < 0
        way = "negative, and the profile turns it" if is_turned else "positive"
        return f"the device counts current out of the rack as {way}; {PROVE_IT}"
    if profile.family == REGISTER_PCS:
        return _of_converter(profile)
    return ""


def _of_converter(profile: Profile) -> str:
    """The direction that the device counts as positive, in words. The values of one device may
    differ in this.
    """
    names = ("power_W", "dc_power_W", "dc_current_mA")
    registers = {name: profile.registers[name] for name in names if name in profile.registers}
    values = [register for frame in profile.setpoint for register in frame.values]
    registers |= {
        f"{register.name} (set-point)": register for register in values if register.role == "power"
    }
    directions = [f"{_way(register)} as positive in {name}" for name, register in registers.items()]
    negative_roles = [
        register.role for register in values if register.role in WAYS and register.scale < 0
    ]
    note = ""
    if negative_roles:
        note = f"; its set-point is a negative number for {' and for '.join(negative_roles)}"
    return f"the device counts {', '.join(directions)}{note}; prove each with a small charge"


def _way(register: Register) -> str:
    if getattr(register, "positive", "") == "both":
        return f"both ways ({DIRECTION})"
    return "charge" if register.scale < 0 else "discharge"


def watchdog(profile: Profile) -> str | None:
    """What the device does when it receives nothing, in words. NO_WATCHDOG if nothing stops the
    device. None if devices of this family have no watchdog.
    """
    settings = profile.settings
    if profile.family == REGISTER_PCS:
        if settings["watchdog"] == "none":
            return NO_WATCHDOG
        after_s = f"{settings['watchdog_s']:g} s after the last {settings['watchdog']}"
        return f"{after_s}: {settings['on_loss']}"
    if profile.family == SUNSPEC_PCS:
        return f"{settings['reversion_s']} s after the last setpoint: its set-point is void"
    if profile.family == "io":
        return f"{settings['expiry_ms']} ms after the last write: all coils 0"
    return None


def tracking(profile: Profile) -> bool | None:
    """Whether load tracking may ask for set-points; None for a device that takes none."""
    if "pcs" not in profile_bench.roles_of(profile):
        return None
    return wear.of_setpoint(profile) != wear.YES


def reads(profile: Profile, baud_Bd: int) -> list[Facts]:
    """The reads of a Modbus device: registers, period, and the longest time on a serial line. The
    key `of` names the SunSpec model from whose ID register the addresses count.
    """
    device, _ = profile_bench.build(profile)
    port = RtuPort("line", baud_Bd, CHARACTER_BITS)
    rows = []
    try:
        schedule = device.schedule()
    except ValueError as error:
        raise ConfigError(f"{profile.path.name}: {error}") from None
    for request, period_us in schedule:
        sizes = len(request.frame), request.reply_bytes
        time_us = port.transaction_us(*sizes, profile.turnaround_ms * 1000)
        slot, offset = divmod(request.place, SLOT)
        address, count = place_of(request.frame)
        rows.append(
            {
                "what": request.key[1],
                "function": request.function,
                "address": offset if slot else address,
                "of": profile.models[slot - 1].name if slot else "",
                "count": count,
                "period_ms": period_us / 1000,
                "time_ms": time_us / 1000,
            }
        )
    return rows


def messages(profile: Profile) -> list[Facts]:
    """The messages of a BMS on CAN."""
    return [
        {
            "what": name,
            "id": f"0x{row['id']:X}",
            "ids": row["ids"],
            "use": row["use"],
            "period_ms": row["period_ms"] or profile.period_ms,
        }
        for name, row in profile.messages.items()
    ]


def signals(profile: Profile) -> list[tuple[str, str]]:
    """[(name, unit)] of every value that the profile reads."""
    registers = [(name, register.unit) for name, register in profile.registers.items()]
    values = [(name, "") for table in (profile.signals, profile.arrays) for name in table]
    return list(dict([*registers, *values]).items())


def writes(profile: Profile) -> list[str]:
    """Words for each frame that is written to a converter with plain registers, or to a BMS."""
    lines = [_command(profile, name, row) for name, row in profile.sent.items()]
    lines += [_step(profile, "setup", step) for step in profile.setup]
    lines += [_step(profile, "start", step) for step in profile.start]
    for way, power_W in (("discharge ", POWER_W), ("charge ", -POWER_W), ("", 0)):
        for frame in [Frame(setpoint, {"rated_W": RATED_W}) for setpoint in profile.setpoint]:
            label = f"{way}{abs(power_W)} W of {RATED_W} W"
            try:
                registers = frame.words(power_W)
            except ValueError as error:
                raise ConfigError(f"{profile.path.name}: {error}; allowed {label}") from None
            lines.append(_written(profile, label, frame, registers))
    if beat := profile.heartbeat:
        place = _place(profile, beat["address"])
        lines.append(
            f"heartbeat: 1 to {beat['count_max']} to {place}, every {beat['period_ms']} ms"
        )
    return lines + [_step(profile, "stop", step) for step in profile.stop]


def _command(profile: Profile, name: str, row: Facts) -> str:
    """A frame to a BMS in words, with the data while contactors are open and the data to close
    them.
    """
    data, close = [_data(row[key]) for key in ("data", "data_close")]
    if row.get("count_max"):
        data = f"1 to {row['count_max']}"
    place = f"0x{row['id']:X}" if "id" in row else _place(profile, row["address"])
    when = f"every {row['period_ms']} ms" if row["period_ms"] else "at each change"
    return f"{name}: {data}{f', to close {close},' if close else ''} to {place}, {when}"


def _data(data: str | Iterable[int]) -> str:
    """Bytes in hexadecimal, or words."""
    return data if isinstance(data, str) else " ".join(f"0x{word:04X}" for word in data)


def _step(profile: Profile, label: str, step: Step) -> str:
    if step.function in READS:
        allowed = " or ".join(map(str, step.equals))
        place = _place(profile, step.register.address)
        return f"{label}: wait until {place} reads {allowed} (function {step.function})"
    registers = Codec(step.register, {}).words(step.value)
    frame = SetpointFrame(function=step.function, address=step.register.address)
    again = f", every {step.repeat_ms} ms while it runs" if step.repeat_ms else ""
    return _written(profile, label, frame, registers) + again


def _written(
    profile: Profile, label: str, frame: SetpointFrame | Frame, registers: Iterable[int]
) -> str:
    place = _place(profile, frame.address)
    return f"{label}: {_data(registers)} to {place} (function {frame.function})"


def _place(profile: Profile, address: int) -> str:
    slot, offset = divmod(address, SLOT)
    return f"{offset} of {profile.models[slot - 1].name}" if slot else str(address)
