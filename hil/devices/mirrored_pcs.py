"""A simulated converter that answers by the driver's profile, with the plant's converter behind it.

A run proves only the wiring: see mirrored.py.
"""

import struct
from pathlib import Path

from hil.devices import registers, sunspec_chain
from hil.devices.mirrored import MirroredDevice, raw_of
from hil.devices.registers import ModbusException
from hil.devices.sunspec_chain import Table, count_of
from hil.plant.cabinet import CabinetPlant

SECOND_US = 1_000_000
RUNNING, THROTTLED = 3, 4
# {state of the plant: profile states with the same meaning, the best first}
EQUIVALENTS = {
    0: (0, 7, 1),
    1: (1, 7, 0),
    2: (2, 7, 1, 3),
    3: (3,),
    4: (4, 3),
    5: (5, 3),
    6: (6, 0),
    7: (7, 1, 0),
}
WRITES = (registers.WRITE_REGISTER, registers.WRITE_REGISTERS)


class Asked:
    """The power that the controller asks for, decoded from the registers that it wrote."""

    def __init__(self, profile: Table, rated_W: float) -> None:
        """profile: its content."""
        self.frames, self._rated_W = profile["setpoint"], rated_W
        self.starts = {step["address"]: step["value"] for step in _writes(profile, "start")}
        self.stops = {step["address"]: step["value"] for step in _writes(profile, "stop")}
        self.forget()

    def forget(self) -> None:
        """Forget all writes."""
        self.registers: dict[int, int] = {}
        self.is_started: bool | None = None

    def written(self, address: int, data: bytes) -> None:
        """Take the registers of a write, from `address` on."""
        values = struct.unpack(f">{len(data) // 2}H", data)
        self.registers |= enumerate(values, address)
        for steps, starts in ((self.starts, True), (self.stops, False)):
            if steps.get(address) == values[-1]:
                self.is_started = starts

    def touches(self, address: int, count: int) -> bool:
        """True if a write touches the registers of the set-point."""
        return any([frame["address"] in range(address, address + count) for frame in self.frames])

    @property
    def power_W(self) -> float | None:
        """The requested power, W; None if a register was not yet written, or has no valid value."""
        by_role = {}
        for frame in self.frames:
            address = frame["address"]
            for value in frame["values"]:
                places = range(address, address + count_of(value))
                address = places.stop
                if not self.registers.keys() >= set(places):
                    return None
                number = self._number(value, [self.registers[place] for place in places])
                if value["role"] == "constant" and number != value["equals"]:
                    return 0.0
                is_mode = value["role"] == "mode"
                by_role[value["role"]] = _direction(value, number) if is_mode else number
        return _power(by_role)

    def _number(self, value: Table, registers_held: list[int]) -> float:
        raw = raw_of(value, registers_held)
        if value["role"] in ("mode", "constant"):
            return float(raw)
        factor = self._rated_W if value.get("scale_by") else 1
        return float(raw * value.get("scale", 1) * factor + value.get("offset", 0))


def _writes(profile: Table, name: str) -> list[Table]:
    return [step for step in profile.get(name, []) if step["function"] in WRITES]


def _direction(value: Table, raw: float) -> float:
    """-1 charges, 1 discharges, 0 is idle."""
    return {value["idle"]: 0.0, value["charge"]: -1.0, value["discharge"]: 1.0}.get(raw, 0.0)


def _power(by_role: dict[str, float]) -> float:
    direction = by_role.get("mode")
    if direction == 0:
        return 0.0
    if "magnitude" in by_role:
        return (direction or 0.0) * by_role["magnitude"]
    if "charge" in by_role:
        charge_W, discharge_W = by_role["charge"], by_role["discharge"]
        if direction is None:
            return discharge_W - charge_W
        return -charge_W if direction < 0 else discharge_W
    return by_role.get("power", 0.0)


class MirroredPcs(MirroredDevice):
    """One converter. Faults: those of a MirroredDevice."""

    def __init__(self, cabinet: CabinetPlant, index: int, profile: Path) -> None:
        self.pcs = cabinet.pcs[index]
        self.parameters = {"rated_W": self.pcs.rated_W}
        super().__init__(self, profile)  # type: ignore[arg-type]
        self.data = sunspec_chain.read(profile)
        self.asked = Asked(self.data, self.pcs.rated_W)
        self._settings = self.data["settings"]
        self._beat = self.data.get("heartbeat", {})
        self._fed_us: int | None = None
        self._last_beat = -1
        self._seconds = self.losses = 0
        self.pcs.command_run(not self.asked.starts)

    def tick(self, now_us: int) -> None:
        """Go to 0 W if the watchdog was not fed in time."""
        self._seconds = now_us // SECOND_US
        after_us = self._settings["watchdog_s"] * SECOND_US
        if self._fed_us is not None and after_us and now_us - self._fed_us > after_us:
            self._fed_us = None
            self.losses += 1
            self.asked.forget()
            self.pcs.command_setpoint(0.0)
            self.pcs.command_run(not self.asked.starts)

    def signals(self) -> dict[str, float]:
        """{name: value} from the plant's converter."""
        pcs, phases = self.pcs, 3 if "power_3_W" in self._map else 1
        dc_W = pcs.dc_voltage_V * pcs.dc_current_A
        faults = [name for name in self._map if name.startswith("fault_")]
        known_states = self._map.get("state", {}).get("values", {}).values()
        states = [state for state in EQUIVALENTS[pcs.state] if state in known_states]
        return {
            **dict.fromkeys(("power_W", "power_2_W", "power_3_W"), pcs.ac_power_W / phases),
            "dc_voltage_mV": pcs.dc_voltage_V * 1000,
            "dc_current_mA": pcs.dc_current_A * 1000,
            "dc_power_W": dc_W,
            "dc_charge_W": max(0.0, -dc_W),
            "dc_discharge_W": max(0.0, dc_W),
            "rated_W": pcs.rated_W,
            "heartbeat": self._seconds & 0x7FFF,
            "setpoint_W": self.asked.power_W or 0.0,
            "forming": float(pcs.is_forming),
            **dict.fromkeys(faults[:1], float(bool(pcs.alarm_bits))),
            "state": [*states, 0][0],
        }

    def payload(self, function: int, address: int, count: int) -> bytes:
        """The registers, as for a site device. A start step that waits for a value reads this value
        once the converter runs.
        """
        if self._settings["watchdog"] == "reads":
            self._fed_us = self._seconds * SECOND_US
        for step in self.data.get("start", []):
            is_read = step["function"] == function and (step["address"], 1) == (address, count)
            if is_read and "equals" in step and not step.get("mask"):
                runs = self.pcs.state in (RUNNING, THROTTLED)
                return struct.pack(">H", step["equals"][0] if runs else 0)
        return super().payload(function, address, count)

    def write(self, function: int, address: int, values: list[int], now_us: int) -> None:
        """Take a write of one whole set-point frame, of one start or stop step, or of the
        heartbeat.
        """
        if not self._is_known(function, address, len(values)):
            raise ModbusException(registers.ILLEGAL_ADDRESS)
        if self.ignore_writes:
            return
        self._keep(function, address, values)
        self.asked.written(address, struct.pack(f">{len(values)}H", *values))
        self._feed(address, values, now_us)
        if self.asked.starts and self.asked.is_started is not None:
            self.pcs.command_run(self.asked.is_started)
        power_W = self.asked.power_W
        if power_W is not None:
            self.pcs.command_setpoint(power_W)

    def _is_known(self, function: int, address: int, count: int) -> bool:
        for frame in self.asked.frames:
            length = sum(map(count_of, frame["values"]))
            if (function, address, count) == (frame["function"], frame["address"], length):
                return True
        names = "setup", "start", "stop"
        steps = [step for name in names for step in _writes(self.data, name)]
        steps += [self._beat] if self._beat else []
        return any([(function, address) == (step["function"], step["address"]) for step in steps])

    def _feed(self, address: int, values: list[int], now_us: int) -> None:
        is_beat = address == self._beat.get("address")
        feeds = {
            "reads": True,
            "heartbeat": is_beat and values[0] != self._last_beat,
            "setpoint": self.asked.touches(address, len(values)),
        }
        if is_beat:
            self._last_beat = values[0]
        if feeds.get(self._settings["watchdog"]):
            self._fed_us = now_us
