"""A plant for device tests: plain attributes named as in hil/plant, and the commands it got."""

import struct
from types import SimpleNamespace

import pytest

from hil.devices.registers import ModbusException
from hil.plant.cabinet import CONTACTS, DETECTORS


def refused(request, *arguments):
    with pytest.raises(ModbusException) as refusal:
        request(*arguments)
    return refusal.value.code


def read(device, function, address, count):
    data = device.payload(function, address, count)
    if function >= 3:
        return list(struct.unpack(f">{count}H", data))
    return [data[bit >> 3] >> (bit & 7) & 1 for bit in range(count)]


def rack():
    one = SimpleNamespace(commands=[])
    one.command_close = one.commands.append
    one.cell_voltage_V_min, one.cell_voltage_V_max = 3.281, 3.312
    one.position_min, one.position_max = 3 * 32 + 7, 14 * 32 + 15
    one.voltage_V, one.current_A = 790.4, 100.3
    one.charge_limit_A, one.discharge_limit_A, one.charge_voltage_V_max = 140.0, 135.5, 852.0
    one.soc, one.soh, one.cycles, one.insulation_kohm = 0.5123, 0.9876, 321, 2500.0
    one.temperatures_degC = [20.0 + 0.5 * module for module in range(15)]
    one.contactor_state, one.cells_online, one.fault_bits, one.sensors_invalid = 2, 240, 0, 1
    return one


def pcs():
    one = SimpleNamespace(rated_W=250_000, state=3, alarm_bits=0, setpoint_W=0.0, runs=[])
    one.is_forming = False
    one.ac_power_W, one.dc_voltage_V, one.dc_current_A = 100_000.0, 790.0, 130.0
    one.command_setpoint = lambda setpoint_W: setattr(one, "setpoint_W", setpoint_W)
    one.command_run = one.runs.append
    return one


def plant():
    one = SimpleNamespace(racks=[rack() for _ in range(3)], pcs=[pcs()], coils={})
    one.set_coil = one.coils.__setitem__
    one.grid_power_W, one.load_power_W, one.load_channels = 200_000.0, 300_000.0, None
    one.inside_W, one.grid_voltage_V, one.grid_frequency_Hz = 0.0, 230.0, 50.0
    one.contacts = dict.fromkeys(CONTACTS[:12], True)
    one.gas_lfl_pct, one.vent_lfl_share = [0.4, 12.34], 0.06
    one.offgas_ppm, one.toxic_ppm = [0.4, 21.6], [48.2, 61.7]
    one.air_degC, one.humidity_permille = 25.04, 441.6
    one.ups = SimpleNamespace(mains=True, reserve_min=194.9, invalid=False)
    one.detector_fault = dict.fromkeys(DETECTORS, False)
    one.calibration_d = {**dict.fromkeys(DETECTORS, 180), "gas_2": -3}
    return one
