"""A battery inverter (PCS) with SunSpec models 1, 701, 702, 704, 715, 802 from register 40000.

As in these models, power > 0 discharges. Reversion timer and heartbeats advance once a second, by
the device's clock. The inverter refuses a write to a part of a 32-bit point, and a set-point beyond
WMax. When the controller's heartbeat stops, the inverter stops and shows an alarm until the
heartbeat moves again. Then the inverter needs a new START.
"""

import math
import struct
from collections.abc import Callable

from hil.devices import registers
from hil.devices.registers import ModbusException, RegisterDevice
from hil.devices.sunspec_image import (
    EXIT_STANDBY,
    HOLDING,
    MODE_PERCENT,
    START,
    ModelChain,
    models,
    power_scale,
)
from hil.plant.cabinet import CabinetPlant

SECOND_US = 1_000_000
ENABLED = 1
CHARGING, DISCHARGING = 4, 3  # 802 ChaSt
RUNNING, THROTTLED = 3, 4  # 701 InvSt
FOLLOWING, FORMING = 1 << 0, 1 << 1  # 701 DERMode
MANUFACTURER_ALARM = 1 << 16  # 701 Alrm
CURRENT_DA_MAX = 32_767  # 701 A: int16 with one decimal
# a write: byte offset of WSet in it, or None; functions to call afterwards
Plan = tuple[int | None, tuple[Callable[[], None], ...]]
# contactor state (open, pre-charge, closed, fault): 802 State
BATTERY_STATES = {0: 1, 1: 2, 2: 3, 3: 99}
_S32 = struct.Struct(">i").unpack_from


class SunSpecPcs(RegisterDevice):
    """One inverter. controller_silence_s_max: longest pause of the controller's heartbeat after its
    first move (0: not supervised).

    Faults: frozen, heartbeat_stopped (DERHb), reversion_broken (the set-point never expires), local
    (LocRemCtl = 1: writes have no effect), readback_offset_W (error of WSet).
    """

    def __init__(
        self, cabinet: CabinetPlant, index: int, rack_indexes: list[int] | tuple[int, ...]
    ) -> None:
        super().__init__()
        self.cabinet = cabinet
        self.pcs = cabinet.pcs[index]
        self.racks = [cabinet.racks[rack] for rack in rack_indexes]
        self.controller_silence_s_max = 5
        self.frozen = self.heartbeat_stopped = self.reversion_broken = False
        self.readback_offset_W = 0
        self.reversions = 0  # expiries of the set-point since the start
        self.image = ModelChain(models(self.pcs.rated_W, len(self.racks)))
        self.scale = power_scale(self.pcs.rated_W)
        self._ac = self.image.block(701, "St", "Hz")
        self._dc = self.image.block(802, "V", "W")
        self._now_us = self._shown_ac_us = self._shown_dc_us = -1
        self._second_us: int | None = None
        self._silence_s: int | None = None
        self._controller_heartbeat: int | None = None
        self._energy_Wh = {"701.TotWhInj": 0.0, "701.TotWhAbs": 0.0}
        setpoints = ("704.WSet", "704.WSetEna", "704.WSetMod", "704.WSetPct")
        self._handlers = {
            **dict.fromkeys(setpoints, self._setpoint_written),
            "715.ControllerHb": self._heartbeat_written,
            "715.OpCtl": self._operation_written,
            "715.AlarmReset": self._alarm_reset_written,
        }
        # by (address, count) of the write
        self._plans: dict[tuple[int, int], Plan] = {}

    @property
    def local(self) -> bool:
        """True if the inverter is in local control."""
        return self.image.get("715.LocRemCtl") == 1

    @local.setter
    def local(self, is_local: bool) -> None:
        self.image.put("715.LocRemCtl", int(is_local))

    def tick(self, now_us: int) -> None:
        """Run the steps of one second up to now_us. The first call starts the device's clock."""
        self._now_us = now_us
        if self._second_us is None:
            self._second_us = now_us + SECOND_US
        while now_us >= self._second_us:
            self._second_us += SECOND_US
            self._each_second()

    def payload(self, function: int, address: int, count: int) -> bytes:
        """Holding registers only. Measurements belong to the time of the last tick()."""
        if function != registers.READ_HOLDING:
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        if not self.frozen:
            self._measure(address, address + count)
        data = self.shown(self.image.data, self.image.base, address, count)
        return self._readback(data, address) if self.readback_offset_W else data

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Take FC6 and FC16, if they write whole writable points."""
        if function not in (registers.WRITE_REGISTER, registers.WRITE_REGISTERS):
            raise ModbusException(registers.ILLEGAL_FUNCTION)
        key = address, len(values)
        if key not in self._plans:
            self._plans[key] = self._plan(*key)
        setpoint_offset, handlers = self._plans[key]
        data = struct.pack(f">{len(values)}H", *values)
        if setpoint_offset is not None and abs(_S32(data, setpoint_offset)[0]) > self.pcs.rated_W:
            raise ModbusException(registers.ILLEGAL_VALUE)
        if self.local:
            return
        first = (address - self.image.base) * 2
        self.image.data[first : first + len(data)] = data
        for handler in handlers:
            handler()

    def _plan(self, address: int, count: int) -> Plan:
        """Raises ModbusException if the write cuts a point."""
        places = self.image.touched(address, count)
        if places is None:
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        offsets = {place.name: (place.address - address) * 2 for place in places}
        handlers = [self._handlers[name] for name in offsets if name in self._handlers]
        return offsets.get("704.WSet"), tuple(dict.fromkeys(handlers))

    def _readback(self, data: bytes, address: int) -> bytes:
        place = self.image.places["704.WSet"]
        first = (place.address - address) * 2
        if not 0 <= first <= len(data) - 4:
            return data
        wrong_W = self.image.get("704.WSet") + self.readback_offset_W
        return data[:first] + wrong_W.to_bytes(4, "big", signed=True) + data[first + 4 :]

    # Effects of a write

    def _setpoint_written(self) -> None:
        image = self.image
        is_enabled = image.get("704.WSetEna") == ENABLED
        image.put("704.WSetRvrtRem", image.get("704.WSetRvrtTms") if is_enabled else 0)
        self._apply_setpoint()

    def _apply_setpoint(self) -> None:
        image = self.image
        setpoint_W = 0.0
        if image.get("704.WSetEna") == ENABLED:
            setpoint_W = image.get("704.WSet")
            if image.get("704.WSetMod") == MODE_PERCENT:
                setpoint_W = self.pcs.rated_W * image.get("704.WSetPct") / 1000
        self.pcs.command_setpoint(setpoint_W)

    def _heartbeat_written(self) -> None:
        heartbeat = self.image.get("715.ControllerHb")
        if heartbeat != self._controller_heartbeat:
            self._controller_heartbeat = heartbeat
            self._silence_s = 0

    def _operation_written(self) -> None:
        starts = self.image.get("715.OpCtl") in (START, EXIT_STANDBY)
        if starts and self._silence_s is not None:
            self._silence_s = 0  # the heartbeat gets its full time again
        self.pcs.command_run(starts)

    def _alarm_reset_written(self) -> None:
        self.image.put("715.AlarmReset", 0)  # no alarm latches; the register clears itself

    def _controller_lost(self) -> bool:
        return self._silence_s is not None and 0 < self.controller_silence_s_max <= self._silence_s

    # Once a second

    def _each_second(self) -> None:
        if not self.heartbeat_stopped:
            self.image.put("715.DERHb", self.image.get("715.DERHb") + 1 & 0x7FFFFFFF)
        self._count_reversion()
        self._count_silence()
        power_W = self.pcs.ac_power_W
        name = "701.TotWhInj" if power_W > 0 else "701.TotWhAbs"
        self._energy_Wh[name] += abs(power_W) / 3600
        self.image.put(name, int(self._energy_Wh[name]))
        self._show_battery()

    def _count_reversion(self) -> None:
        image = self.image
        left_s = image.get("704.WSetRvrtRem")
        if left_s == 0 or self.reversion_broken:
            return
        image.put("704.WSetRvrtRem", left_s - 1)
        if left_s == 1:
            self.reversions += 1
            for name in ("704.WSetEna", "704.WSet", "704.WSetPct"):
                image.put(name, image.get(f"{name}Rvrt"))
            self._apply_setpoint()

    def _count_silence(self) -> None:
        if self._silence_s is not None:
            self._silence_s += 1
        if self._controller_lost():
            self.pcs.command_run(False)

    # Measurements

    def _measure(self, first: int, end: int) -> None:
        """Update the measured blocks that a read of registers [first, end) needs."""
        ac, dc = self._ac, self._dc
        if self._shown_ac_us != self._now_us and first < ac.after and end > ac.first:
            self._shown_ac_us = self._now_us
            self._show_ac()
        if self._shown_dc_us != self._now_us and first < dc.after and end > dc.first:
            self._shown_dc_us = self._now_us
            self._show_dc()

    def _show_ac(self) -> None:
        pcs, cabinet = self.pcs, self.cabinet
        pack, offset, _, _ = self._ac
        power_W = pcs.ac_power_W
        power = round(power_W / 10**self.scale)
        phase_dV = round(cabinet.grid_voltage_V * 10)
        running = int(pcs.state in (RUNNING, THROTTLED))
        alarms = pcs.alarm_bits | (MANUFACTURER_ALARM if self._controller_lost() else 0)
        mode = FORMING if pcs.is_forming else FOLLOWING
        states = running, pcs.state, running, alarms, mode
        powers = power, abs(power), 0, 1000  # W, VA, Var, PF
        current_dA = round(power_W / cabinet.grid_voltage_V / 3 * 10) if phase_dV else 0
        current_dA = max(-CURRENT_DA_MAX, min(CURRENT_DA_MAX, current_dA))  # large near 0 V
        voltages_dV = round(phase_dV * 1.7320508), phase_dV
        frequency = round(cabinet.grid_frequency_Hz * 1000)
        pack(self.image.data, offset, *states, *powers, current_dA, *voltages_dV, frequency)

    def _show_dc(self) -> None:
        pcs, racks = self.pcs, self.racks
        pack, offset, _, _ = self._dc
        voltage_V, current_A = pcs.dc_voltage_V, pcs.dc_current_A
        lowest_V = min(rack.cell_voltage_V_min for rack in racks)
        highest_V = max(rack.cell_voltage_V_max for rack in racks)
        closed = [rack for rack in racks if rack.contactor_state == 2]
        racks_V = [rack.voltage_V for rack in racks]
        voltages_dV = [round(level_V * 10) for level_V in (voltage_V, max(racks_V), min(racks_V))]
        no_place = 0xFFFF, 0xFFFF  # string and module of the cell
        cells_mV = round(highest_V * 1000), *no_place, round(lowest_V * 1000), *no_place
        middle_mV = round((lowest_V + highest_V) * 500)
        charge_A = math.fsum(rack.charge_limit_A for rack in closed)
        discharge_A = math.fsum(rack.discharge_limit_A for rack in closed)
        currents_dA = [round(level_A * 10) for level_A in (current_A, charge_A, discharge_A)]
        power = round(voltage_V * current_A / 10**self.scale)
        pack(self.image.data, offset, *voltages_dV, *cells_mV, middle_mV, *currents_dA, power)

    def _show_battery(self) -> None:
        image, racks = self.image, self.racks
        current_A = self.pcs.dc_current_A
        flowing = DISCHARGING if current_A > 0 else CHARGING
        for name, value in {
            "802.SoC": round(math.fsum(rack.soc for rack in racks) / len(racks) * 10_000),
            "802.SoH": round(min(rack.soh for rack in racks) * 10_000),
            "802.State": BATTERY_STATES[max(rack.contactor_state for rack in racks)],
            "802.ChaSt": flowing if abs(current_A) > 1 else HOLDING,
        }.items():
            image.put(name, value)
