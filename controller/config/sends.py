"""Makes every request that a driver may send later, before the cabinet runs. So a request that does
not fit in a frame is found when the configuration is read, and not while the cabinet runs.
"""

from collections.abc import Iterable
from typing import Any

from drivers.buses import rtu
from drivers.can_bms import CanBms
from drivers.can_codec import EXTENDED
from drivers.io import IoModule
from drivers.pcs import NOMINAL_MODEL, SunSpecPcs
from drivers.profile import Profile, Register, Step
from drivers.register_bms import RegisterBms
from drivers.register_codec import Codec
from drivers.register_pcs import RegisterPcs
from drivers.register_write import COIL_WRITES
from drivers.serial_number import SerialNumber
from drivers.site_device import SiteDevice
from drivers.sunspec import Places

UNIT_ID = 1
STANDARD_MAX, EXTENDED_MAX = 0x7FF, 0x1FFF_FFFF
# The points of each write to a SunSpec converter. Their registers must follow one another.
SUNSPEC_WRITES = (
    ("704.WSetEna", "704.WSetMod", "704.WSet", "704.WSetRvrt"),
    ("704.WSetEnaRvrt", "704.WSetRvrtTms"),
    ("704.WSet",),
    ("715.ControllerHb",),
    ("715.OpCtl",),
)
READS = (rtu.READ_HOLDING_REGISTERS, rtu.READ_INPUT_REGISTERS)


def check(driver: Any) -> None:
    """Raise ValueError for a request that fits in no frame."""
    if hasattr(driver, "schedule"):
        driver.schedule()
    if driver.profile.serial["registers"]:
        SerialNumber(driver.profile, UNIT_ID)
    if isinstance(driver, RegisterPcs):
        _check_converter(driver)
    if isinstance(driver, SunSpecPcs):
        for names in SUNSPEC_WRITES:
            _check_points(driver.profile, names)
    if isinstance(driver, CanBms):
        for can_id in (*driver.can_ids(), *driver.sent_ids()):
            _check_id(can_id)
    if isinstance(driver, SiteDevice):
        for register in driver.profile.registers.values():
            if "write" in register.direction:
                _write(
                    register.write_function, driver.places, register.write_address, _zeros(register)
                )
    if isinstance(driver, RegisterBms):
        for row in driver.profile.sent.values():
            registers = row["data"] or [row["count_max"]]
            _write(row["function"], driver.places, row["address"], registers)
    if isinstance(driver, IoModule):
        place = driver.profile.registers["output_expiry"].address
        rtu.write_request(rtu.WRITE_REGISTERS, "expiry", UNIT_ID, place, (driver.expiry_raw,))


def _check_converter(driver: RegisterPcs) -> None:
    profile, places = driver.profile, driver.places
    driver.writer.all_of_zero()
    if beat := profile.heartbeat:
        _write(beat["function"], places, beat["address"], (beat["count_max"],))
    for register in profile.identity.values():
        _read(register.function, places, register)
    for step in (*profile.setup, *profile.start, *profile.stop):
        _check_step(step, places)


def _check_points(profile: Profile, names: tuple[str, ...]) -> None:
    points = [profile.registers[name] for name in names]
    first = address = points[0].address
    for name, point in zip(names, points):
        if point.address != address:
            line = f"offset {point.address}: allowed {address}, behind {names[0]} in one write"
            raise ValueError(f"registers.{name}: {line}")
        address += point.words
    values = [0] * (address - first)
    rtu.write_request(rtu.WRITE_REGISTERS, names[0], UNIT_ID, NOMINAL_MODEL[0] + first, values)


def _check_id(can_id: int) -> None:
    """Refuse a CAN id with too many bits, because a port would send only its low bits."""
    is_extended, number = can_id >= EXTENDED, can_id & ~EXTENDED
    number_max = EXTENDED_MAX if is_extended else STANDARD_MAX
    if number > number_max:
        raise ValueError(
            f"CAN id 0x{number:X}: allowed 0 to 0x{number_max:X}: see node and node_stride"
        )


def _check_step(step: Step, places: Places) -> None:
    if step.function in READS:
        return _read(step.function, places, step.register)
    registers = Codec(step.register, {}).words(step.value)
    _write(step.function, places, step.register.address, registers)


def _zeros(register: Register) -> list[int]:
    """A zero for each register or coil of a write of this value."""
    if register.write_function in COIL_WRITES:
        return [0] * register.count
    return [0] * (register.words + register.complement + len(register.with_words))


def _read(function: int, places: Places, register: Register) -> None:
    rtu.read_request("read", UNIT_ID, function, places.of(register.address), register.words)


def _write(function: int, places: Places, address: int, values: Iterable[int]) -> None:
    rtu.write_request(function, "write", UNIT_ID, places.of(address), tuple(values))
