"""Makes the gate of each converter, which decides which frames may go to the converter. Also finds
what a converter with plain Modbus registers lacks, and makes the facts that `firebreak check`
prints about it.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from struct import Struct

from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.config.equipment import STORED
from controller.config.profile_form import FLOATS, REGISTER_PCS, SUNSPEC_PCS
from controller.config.values import Values
from controller.core.base.converter_gate import ConverterGate, Write
from controller.core.base.form_gate import FormGate, FrameForm, ValueForm
from controller.core.base.gate import big_endian
from controller.core.base.scaled_gate import ScaledGate
from drivers import wear
from drivers.pcs import SunSpecPcs
from drivers.profile import Profile, Register
from drivers.register_codec import INTEGERS
from drivers.setpoint_form import Frame
from safety.signals import PCS_FAULT

# {name in [not_fitted]: what a person accepts with this name, as text after the device's name}
RESTS = {
    "pcs_faults": "reports no fault bits: stage 59c does not see a fault of it",
    "pcs_state": 'reports no state "fault" (row 59); without any state row 56 takes the command',
    "pcs_readback": "has no set-point to read back: its acknowledgement counts as it",
    "pcs_heartbeat": "reports no heartbeat: values of a program that hangs look new (row 41)",
    "pcs_watchdog": "has no watchdog and no enable input: only channel B stops it",
    STORED: "does not state whether it stores set-points: load tracking may wear out its flash",
}


def lacks(profile: Profile) -> list[str]:
    """Names of RESTS that a converter of this profile lacks."""
    if profile.family == SUNSPEC_PCS:
        return [STORED] if wear.of_setpoint(profile) == wear.NOT_STATED else []
    if profile.family != REGISTER_PCS:
        return []
    registers, settings = profile.registers, profile.settings
    state = registers.get("state")
    states = state.values.values() or range(int(state.low), int(state.high) + 1) if state else ()
    has = {
        "pcs_faults": any(name.startswith("fault_") for name in registers),
        "pcs_state": PCS_FAULT in states,
        "pcs_readback": settings["read_back"] or "setpoint_W" in registers,
        "pcs_heartbeat": "heartbeat" in registers,
        "pcs_watchdog": settings["watchdog"] != "none" or settings["enable_input"],
        STORED: wear.of_setpoint(profile) != wear.NOT_STATED,
    }
    return [name for name in RESTS if not has[name]]


def check(values: Values, config: Config) -> None:
    """Refuse a converter that lacks equipment, unless a person has accepted that. Also refuse a
    rating that its registers cannot hold, and load tracking that would wear out its flash.
    """
    accepted = config.topology.not_fitted
    for device in [device for device in config.devices if device.role == "pcs"]:
        for name in lacks(device.profile):
            if name not in accepted and (name != STORED or _is_tracked(config, device)):
                values.not_accepted(name, f"device.{device.name} {RESTS[name]}")
            if name == "pcs_watchdog":
                _check_stop(values, config, device)
        if device.profile.family == REGISTER_PCS:
            _check_rating(values, config, device)


def _is_tracked(config: Config, device: Device) -> bool:
    """True if load tracking asks this converter for set-points."""
    rated_W = config.unit_tables[device.index]["rated_W"]
    return config.control["track_dead_band_W"] <= rated_W


def _check_stop(values: Values, config: Config, device: Device) -> None:
    """Refuse a converter without watchdog and enable input if there is no channel B. Nothing else
    stops such a converter when the controller dies.
    """
    if not config.topology.second_channel:
        problem = f'is "none", and nothing stops device.{device.name} if the controller dies'
        allowed = '"fitted", or a profile with a watchdog, or one with enable_input = true, by wire'
        values.refuse(("cabinet", "second_channel"), problem, allowed)


def _check_rating(values: Values, config: Config, device: Device) -> None:
    rated_W, path = config.unit_tables[device.index]["rated_W"], ("device", device.name, "profile")
    settings = {"rated_W": rated_W}
    for frame in [Frame(setpoint, settings) for setpoint in device.profile.setpoint]:
        for power_W in (-rated_W, rated_W):
            try:
                frame.words(power_W)
            except ValueError as error:
                values.refuse(path, f"{error}: rated_W of unit {device.index + 1}", "a wider type")
    power = device.profile.registers["power_W"]
    if not power.low <= -rated_W <= rated_W <= power.high:
        range_W = f"[{power.low:g}, {power.high:g}]"
        allowed = f"a range that contains -{rated_W}..{rated_W}"
        values.refuse(path, f"registers.power_W.range: {range_W}", allowed)
    if wear.of_setpoint(device.profile) == wear.YES and _is_tracked(config, device):
        problem = f"stores each set-point of device.{device.name}, and load tracking asks for many"
        key = ("control", "track_dead_band_W")
        values.refuse(key, problem, f"more than {rated_W}: load tracking then asks for nothing")


def words_of(config: Config, device: Device) -> Iterator[str]:
    """Facts for a person about a converter."""
    for name in lacks(device.profile):
        yield f"{RESTS[name]} (not_fitted.{name})"
    if device.profile.family != REGISTER_PCS:
        return
    settings = device.profile.settings
    watchdog, loss = settings["watchdog"], settings["on_loss"]
    if watchdog == "none":
        acceptance = config.topology.not_fitted.get("pcs_watchdog")
        has_input = settings["enable_input"]
        stop = "its enable input, by wire" if has_input else f"channel B ({acceptance})"
        yield f"without the controller: {loss}, for it has no watchdog; what stops it: {stop}"
    else:
        time_s = settings["watchdog_s"]
        yield f"without the controller: {loss}, {time_s:g} s after the last {watchdog}"
    if writes_max := settings["writes_per_day_max"]:
        yield f"stores what is written: at most {writes_max} writes in a day, then 0 W and no start"
    yield "the sign of its power is what its maker states; prove it with a small charge"


def gate(
    device: Device, rated_W: int, place: Callable[[int], int] = lambda address: address
) -> ConverterGate:
    """The gate of a converter with plain registers, from its profile. place: see FormGate."""
    profile = device.profile
    writes = []
    for is_start, sequence in ((True, profile.start), (False, profile.stop + profile.setup)):
        for step in [step for step in sequence if step.value is not None]:
            register, word_count = step.register, step.register.words
            content = (step.value % (1 << 16 * word_count)).to_bytes(2 * word_count, "big")
            content = big_endian(content, register.word_order == "little", False)
            writes.append(Write(is_start, step.function, register.address, word_count, content))
    if beat := profile.heartbeat:
        writes.append(Write(False, beat["function"], beat["address"], 1))
    setpoint = setpoint_gate(device, rated_W, place)
    return ConverterGate(device.address, writes, place, setpoint, rated_W)


def sunspec_gate(device: Device, rated_W: int, pcs: SunSpecPcs) -> ConverterGate:
    """The gate of a SunSpec converter: models 704 and 715 of the definitions of 2018."""
    reversion_s = device.profile.settings["reversion_s"]
    writes = [
        Write(True, 16, "715.OpCtl", 1, b"\0\1"),
        Write(False, 16, "715.OpCtl", 1, b"\0\0"),
        Write(False, 16, "715.ControllerHb", 2),
        # WSetEna on, WSetMod in watts, 0 W in WSet and in WSetRvrt
        Write(False, 16, "704.WSetEna", 6, b"\0\1\0\1" + bytes(8)),
        Write(False, 16, "704.WSetEnaRvrt", 3, Struct(">HI").pack(1, reversion_s)),
    ]
    setpoint = ScaledGate(device.address, pcs)
    return ConverterGate(device.address, writes, pcs.written_at.get, setpoint, rated_W)


def setpoint_gate(
    device: Device, rated_W: int, place: Callable[[int], int] = lambda address: address
) -> FormGate:
    """The gate for the frames of a converter's set-point, without its other writes."""
    return FormGate(
        [
            FrameForm(
                device.address,
                frame.function,
                frame.address,
                tuple(_value_form(register, rated_W) for register in frame.values),
            )
            for frame in device.profile.setpoint
        ],
        place,
    )


def _value_form(register: Register, rated_W: int) -> ValueForm:
    is_signed = register.type not in FLOATS and INTEGERS[register.type][1]
    raws: dict[int, int] = {}
    if register.role == "mode":
        raws = {register.idle: 0, register.charge: -1, register.discharge: 1}
    if register.role == "constant":
        raws = {register.equals: 0}
    return ValueForm(
        register.role,
        register.words,
        encoding="float" if register.type in FLOATS else "signed" if is_signed else "unsigned",
        is_word_little=register.word_order == "little",
        is_byte_little=register.byte_order == "little",
        scale=Fraction(str(register.scale)) * (rated_W if register.scale_by else 1),
        offset=Fraction(str(register.offset)),
        raws=raws,
    )
