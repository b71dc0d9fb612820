"""Forms of set-points that no shipped profile has, and an independent model of what a converter
does with its registers: judged from the TOML alone.
"""

import math
import struct
from fractions import Fraction

SIZES = {"u16": 1, "s16": 1, "u32": 2, "s32": 2, "float32": 2}

HEAD = """
maker = "N. N."
model = "constructed"
family = "register_pcs"
documents = ["none"]
[timing]
period_ms = 100
turnaround_ms = 5
timeout_ms = 100
[settings]
control_period_ms = 200
restart_silence_ms = 2000
retry_ms = 500
dead_time_ms = 60
ramp_ms = 100
repeat_ms = {repeat_ms}
read_back = {read_back}
watchdog = "{watchdog}"
watchdog_s = {watchdog_s}
on_loss = "goes to 0 W"
{settings}
[registers]
power_W = {{type = "s32", address = 10, range = [-400000, 400000]}}
dc_voltage_mV = {{type = "u16", address = 12, scale = 100, range = [0, 1000000]}}
dc_current_mA = {{type = "s16", address = 13, scale=100, range=[-1e6, 1e6], positive = "discharge"}}
state = {{type = "u16", address = 14, range = [0, 7], values = {{1 = 7, 2 = 3, 3 = 6}}}}
{registers}
"""
FRAMES = {
    "signed": """
[[setpoint]]
address = 100
function = 16
values = [{role = "power", type = "s32"}]
""",
    "little": """
[[setpoint]]
address = 100
function = 16
values = [{role = "power", type = "s32", word_order = "little", byte_order = "little", scale = -1}]
""",
    "float": """
[[setpoint]]
address = 100
function = 16
values = [{role = "power", type = "float32", scale = 1000}]
""",
    "one_register": """
[[setpoint]]
address = 100
function = 6
values = [{role = "power", type = "s16", scale = 100}]
""",
    "mode_first": """
[[setpoint]]
address = 100
function = 6
values = [{role = "mode", type = "u16", charge = 0xAA, discharge = 0xBB, idle = 0xCC}]
[[setpoint]]
address = 101
function = 6
values = [{role = "magnitude", type = "u16", scale = 10}]
""",
    "magnitude_first": """
[[setpoint]]
address = 101
function = 16
values = [{role = "magnitude", type = "u16", scale = 10}]
[[setpoint]]
address = 100
function = 6
values = [{role = "mode", type = "u16", charge = 11, discharge = 12, idle = 8}]
""",
    "percent": """
[[setpoint]]
address = 100
function = 6
values = [{role = "power", type = "s16", scale = -0.01, scale_by = "rated_W"}]
""",
    "two_registers": """
[[setpoint]]
address = 100
function = 16
values = [{role = "charge", type = "u32"}]
[[setpoint]]
address = 104
function = 16
values = [{role = "discharge", type = "u32"}]
""",
    "two_signed": """
[[setpoint]]
address = 100
function = 6
values = [{role = "charge", type = "s16"}]
[[setpoint]]
address = 101
function = 6
values = [{role = "discharge", type = "s16"}]
""",
    "two_and_mode": """
[[setpoint]]
address = 100
function = 16
values = [{role = "charge", type = "u32"}]
[[setpoint]]
address = 104
function = 16
values = [{role = "discharge", type = "u32"}]
[[setpoint]]
address = 108
function = 6
values = [{role = "mode", type = "u16", charge = 1, discharge = 2, idle = 0}]
""",
    "idle_is_charge": """
[[setpoint]]
address = 100
function = 16
values = [{role = "charge", type = "u32"}]
[[setpoint]]
address = 104
function = 6
values = [{role = "mode", type = "u16", charge = 3, discharge = 5, idle = 3}]
[[setpoint]]
address = 108
function = 16
values = [{role = "discharge", type = "u32"}]
""",
    "crossed": """
[[setpoint]]
address = 100
function = 16
values = [
  {role = "power", type = "s16", scale = 0.0001, scale_by = "rated_W"},
  {role = "power", type = "s16", scale = -0.0001, scale_by = "rated_W"},
]
""",
    "crossed_apart": """
[[setpoint]]
address = 100
function = 6
values = [{role = "power", type = "s16", scale = 0.0001, scale_by = "rated_W"}]
[[setpoint]]
address = 101
function = 6
values = [{role = "power", type = "s16", scale = -0.0001, scale_by = "rated_W"}]
""",
    "block": """
[[setpoint]]
address = 100
function = 16
values = [
  {role = "constant", type = "u16", equals = 1},
  {role = "power", type = "s32", word_order = "little", scale = -1},
  {role = "constant", type = "u16", equals = 20},
]
""",
    "mode_in_block": """
[[setpoint]]
address = 100
function = 16
values = [
  {role = "mode", type = "u16", charge = 1, discharge = 2, idle = 0},
  {role = "magnitude", type = "u32"},
]
""",
}


def toml(form, registers="", settings="", tail="", **own):
    """A profile of a form. own: keys of HEAD."""
    given = {"repeat_ms": 0, "read_back": "true", "watchdog": "none", "watchdog_s": 0} | own
    return HEAD.format(registers=registers, settings=settings, **given) + FRAMES[form] + tail


def values_of(data, words, rated_W):
    """[(entry, number)] of registers {address: word}; the raw value of a mode and a constant."""
    found = []
    for frame in data["setpoint"]:
        at = frame["address"]
        for value in frame["values"]:
            size = SIZES[value["type"]]
            own = [words[at + place] for place in range(size)]
            at += size
            if value.get("byte_order") == "little":
                own = [(word & 0xFF) << 8 | word >> 8 for word in own]
            own = own[::-1] if value.get("word_order") == "little" else own
            content = struct.pack(f">{size}H", *own)
            if value["type"] == "float32":
                (raw,) = struct.unpack(">f", content)
                raw = Fraction(raw) if math.isfinite(raw) else Fraction(10**12)
            else:
                raw = Fraction(int.from_bytes(content, "big", signed=value["type"][0] == "s"))
            factor = rated_W if value.get("scale_by") else 1
            if value["role"] not in ("mode", "constant"):
                raw *= Fraction(str(value.get("scale", 1))) * factor
            found.append((value, raw))
    return found


def reach_W(data, words, rated_W):
    """(most charge, most discharge) that a converter may make of its registers."""
    found = values_of(data, words, rated_W)
    ways = {"charge", "discharge"}
    for value, raw in found:
        if value["role"] == "mode":
            ways = {way for way in ways if value[way] == raw}
            if raw not in (value["charge"], value["discharge"], value["idle"]):
                ways = {"charge", "discharge"}
    charge = discharge = Fraction(0)
    for value, raw in found:
        role = value["role"]
        if role == "power":
            charge, discharge = max(charge, -raw), max(discharge, raw)
        if role in ("magnitude", "charge") and "charge" in ways:
            charge = max(charge, abs(raw))
        if role in ("magnitude", "discharge") and "discharge" in ways:
            discharge = max(discharge, abs(raw))
    return charge, discharge
