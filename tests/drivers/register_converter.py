"""A scripted converter with the registers of a profile, and its driver with the gate before it."""

import struct
import tomllib

from device_suite import Bus, Sink, Slave

from controller.config import profiles
from drivers import profile, register_pcs
from hil.devices import sunspec_chain
from safety import signals as s

SIZES = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "float32": 2, "u64": 4, "s64": 4, "float64": 4}
RATED_W = 10_000
PROFILES = sorted(
    path.stem
    for path in profile.FOLDER.glob("*.toml")
    if tomllib.loads(path.read_text())["family"] == "register_pcs"
)


def words_of(entry, raw):
    """Registers of a raw integer, in the order of the entry of a TOML file."""
    size = SIZES[entry["type"]]
    data = (int(raw) % (1 << 16 * size)).to_bytes(2 * size, "big")
    words = struct.unpack(f">{size}H", data)
    return words[::-1] if entry.get("word_order") == "little" else words


class Converter(Slave):
    """Reads as its profile asks at the start: state running, no set-point. A test
    changes registers; `runs_when` follows the steps of a start.
    """

    def __init__(self, data):
        super().__init__()
        self.data = data
        # a battery of 500 V, of 48 V where no more fits
        self.voltage_mV = min(500_000, data["registers"]["dc_voltage_mV"]["range"][1] * 48 // 100)
        if "chain_40000" in data.get("identity", {}):
            self.holding.update(dict.fromkeys(range(40_000, 40_500), 0))
        for name, entry in (*data["registers"].items(), *data.get("identity", {}).items()):
            if name == "forming" and "values" in entry:
                continue  # its register is that of the state
            raw = entry.get("equals", [0])[0]
            if name == "dc_voltage_mV":
                raw = round(self.voltage_mV / entry.get("scale", 1))
            if name == "rated_W":
                raw = round(RATED_W / entry.get("scale", 1))
            if entry.get("values"):
                states = entry["values"]
                raw = next((raw for raw in states if states[raw] == 3), next(iter(states)))
                raw = int(raw) << (entry.get("mask", 1) & -entry.get("mask", 1)).bit_length() - 1
            if entry["type"] == "float32" and name == "dc_voltage_mV":
                raw = int.from_bytes(struct.pack(">f", self.voltage_mV / 1000), "big")
            self.put(entry, raw)
        for frame in data["setpoint"]:
            at = frame["address"]
            for value in frame["values"]:
                raw = value.get("equals", value.get("idle", 0))
                self.holding.update(enumerate(words_of(value, raw), at))
                at += SIZES[value["type"]]
        for step in data.get("setup", []) + data.get("start", []) + data.get("stop", []):
            step = {"type": "u16", **step}
            if step["address"] not in self.holding:
                self.holding.update(enumerate(words_of(step, 0), step["address"]))

        gap = data["settings"].get("gap_registers_max", 0)
        for table in (self.holding, self.inputs):
            places = sorted(table)
            for first, after in zip(places, places[1:]):
                if after - first <= gap + 1:
                    table.update(dict.fromkeys(range(first + 1, after), 0))

    def put(self, entry, raw):
        table = self.holding if entry.get("function", 3) == 3 else self.inputs
        words = words_of(entry, raw)
        if entry.get("mask") and entry["address"] in table:
            words = (table[entry["address"]] | words[0],)
        table.update(enumerate(words, entry["address"]))

    def reading(self, name, raw):
        self.put(self.data["registers"][name], raw)

    def _write(self, function, address, count, frame):
        if function == 6:
            self.writes.append((function, address, frame[4:6]))
            if not self.ignore_writes:
                self.holding[address] = count
                self._on_step(address, count)
            return
        super()._write(function, address, count, frame)
        self._on_step(address, self.holding.get(address))

    def _on_step(self, address, value):
        """A start makes the register that is waited for as wanted."""
        starts = self.data.get("start", [])
        writes = [each for each in starts if each["function"] in (6, 16)]
        if [each for each in writes if (each["address"], each["value"]) == (address, value)]:
            for each in starts:
                if "equals" in each:
                    mask = each.get("mask", 1)
                    shifted = each["equals"][0] << (mask & -mask).bit_length() - 1
                    self.holding[each["address"]] = self.holding.get(each["address"], 0) | shifted


def data_of(name):
    return sunspec_chain.read(profile.FOLDER / f"{name}.toml")


def built(name, data=None, **settings):
    """(driver, converter, sink, measure group). data: of another converter's TOML."""
    sink, loaded = Sink(), profiles.load(name)
    loaded.settings.update(settings)
    layout = sink.layout
    groups = [layout.unit_group(0, each) for each in (s.G_PCS_MEASURE, s.G_PCS_CONTROL)]
    own = {"rated_W": RATED_W, "setpoint_ms": 20, "tick_ms": 20}
    places = (layout.unit_input(0, 0), *groups)
    device = register_pcs.RegisterPcs(loaded, 1, sink, places, own)
    return device, Converter(data or data_of(name)), sink, groups


def running(name, **settings):
    """(bus, sink, groups) of a driver that is ready."""
    device, slave, sink, groups = built(name, **settings)
    bus = Bus(device, slave, baud_Bd=460_800)  # a block leaves before its answer comes
    bus.run(6000)
    assert device.ready, device.fault
    sink.taken()
    return bus, sink, groups


def follow(bus, setpoint_W, duration_ms, check=None):
    """Ask for a set-point for so long, as PcsChannel does. check(frame): of each frame before it is
    sent; the reply and the failure go on to the driver.
    """
    device, sent_W = bus.device, None
    for _ in range(duration_ms // 20):
        due = device.write_due(bus.now_us)
        request = device.setpoint(setpoint_W) if setpoint_W != sent_W or due else None
        sent_W = setpoint_W
        if request is not None:
            if check:
                check(request)
            bus.port.submit(request)
        bus.run(20)


def started(name, check=None, **settings):
    """What `running` gives, of a converter that has been started."""
    bus, sink, groups = running(name, **settings)
    bus.device.start()
    follow(bus, 0, 8000, check)
    assert bus.device.readings.is_started, bus.device.fault
    bus.slave.writes.clear()
    return bus, sink, groups
