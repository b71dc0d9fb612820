"""Each request that a driver may send later, made once: what no frame can hold is refused early."""

from collections.abc import Iterable
from typing import Any

from drivers.buses import rtu
from drivers.io import IoModule
from drivers.profile import Register, Step
from drivers.register_bms import RegisterBms
from drivers.register_codec import Codec
from drivers.register_pcs import RegisterPcs
from drivers.register_write import COIL_WRITES
from drivers.serial_number import SerialNumber
from drivers.site_device import SiteDevice
from drivers.sunspec import Places

UNIT_ID = 1
READS = (rtu.READ_HOLDING_REGISTERS, rtu.READ_INPUT_REGISTERS)


def check(driver: Any) -> None:
    """ValueError: a request that no frame can hold."""
    if hasattr(driver, "schedule"):
        driver.schedule()
    if driver.profile.serial["registers"]:
        SerialNumber(driver.profile, UNIT_ID)
    if isinstance(driver, RegisterPcs):
        _check_converter(driver)
    if isinstance(driver, SiteDevice):
        for each in driver.profile.registers.values():
            if "write" in each.direction:
                _write(each.write_function, driver.places, each.write_address, _zeros(each))
    if isinstance(driver, RegisterBms):
        for row in driver.profile.sent.values():
            words = row["data"] or [row["count_max"]]
            _write(row["function"], driver.places, row["address"], words)
    if isinstance(driver, IoModule):
        place = driver.profile.registers["output_expiry"].address
        rtu.write_request(rtu.WRITE_REGISTERS, "expiry", UNIT_ID, place, (driver.expiry_raw,))


def _check_converter(driver: RegisterPcs) -> None:
    profile, places = driver.profile, driver.places
    driver.writer.all_of_zero()
    if beat := profile.heartbeat:
        _write(beat["function"], places, beat["address"], (beat["count_max"],))
    for each in profile.identity.values():
        _read(each.function, places, each)
    for step in (*profile.setup, *profile.start, *profile.stop):
        _check_step(step, places)


def _check_step(step: Step, places: Places) -> None:
    if step.function in READS:
        return _read(step.function, places, step.register)
    words = Codec(step.register, {}).words(step.value)
    _write(step.function, places, step.register.address, words)


def _zeros(register: Register) -> list[int]:
    """Zeros for each register or coil that a write of this register has."""
    if register.write_function in COIL_WRITES:
        return [0] * register.count
    return [0] * (register.words + register.complement + len(register.with_words))


def _read(function: int, places: Places, register: Register) -> None:
    place = places.of(register.address), register.words
    rtu.read_request("read", UNIT_ID, function, *place)


def _write(function: int, places: Places, address: int, values: Iterable[int]) -> None:
    rtu.write_request(function, "write", UNIT_ID, places.of(address), tuple(values))
