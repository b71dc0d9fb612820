"""Every profile against the public maps and readings of its device: no new row stays unseen."""

import fnmatch
import math
import re
import struct
from collections import Counter

import pytest
from public_maps import DEVICES, names_of, places, rows, written

from controller.config import profiles
from drivers import meter_reads
from drivers.profile import FOLDER, SLOT
from drivers.register_codec import Codec
from drivers.register_numbers import Numbers
from drivers.setpoint_form import Frame, power_W
from tests.exemptions import Exempt, same

MAPS = "protocols/maps"
TABLES = ("meters", "converters", "racks_modbus", "io_safety_climate_ups")
PROVES = ("capture", "documented")

# -- readings

BY_BMS = "the box has it from the rack, not from the converter"
BY_METER = "the box has it from the grid meter, not from the converter"
PHASED = "the box reads the power of the whole converter"
# what begins the point, of the profile; why the box has no use for it
NO_USE = {
    "goodwe_et": {
        "V_L": BY_METER,
        "I_L1": BY_METER,
        "f": BY_METER,
        "P_L": PHASED,
        "P_grid": "the inverter's own estimate; the profile goodwe_meter reads the meter",
        "P_inverter": "doubtful in the map: its type differs by model",
        "grid_mode": "the profile reads the work mode (35187)",
        "battery_mode": "the sign of the current says it",
        "SO": BY_BMS,
        "T_battery": BY_BMS,
        "I_charge_max": BY_BMS,
    },
    "sungrow_sh": {
        "run_state_bits": "bits that are no state",
        "battery_": "doubtful in the map: type and sign changed with firmware V112",
        "SOC": BY_BMS,
        "E_": BY_METER,
        "W_start_stop": "a write at the start leaves the inverter in a key stop",
        "W_SOC": "a setting of the inverter, which nobody needs to change",
        "W_P_charge_max": "a setting of the inverter, which nobody needs to change",
    },
    "foxess_h3_smart": {"Q_ac": "reactive power", "pf": BY_METER, "f": BY_METER},
    "huawei_luna": {
        "unit1_P": "one battery of two; the profile reads the power of both (37765)",
        "E_discharged": BY_METER,
    },
    "sunspec_meter_203": {
        "A (": "a sum of currents",
        "V_LN": "a mean",
        "V_L12": "voltage between phases",
        "VA": "reactive and apparent power",
        "PF": "percent or parts by its scale factor",
    },
    "apc_smart_ups": {"out_f": "no role reads a frequency"},
    "sdm630": {"P": "its fast read would be half as long again; the phases have it"},
    "bcu_ems": {"cell_T_min": "the profile reads each module"},
    "seplos_v3": {"cell_T_max": "the profile reads each module"},
    "victron_vebus": {"W_P_L1": "the profile writes 96 to 101, which take more than 32 kW"},
}
UNKNOWN = (
    *("ABB PQstorI", "BYD Battery-Box Premium", "Bender isoCHA", "CPS ECB200KTL"),
    *("ComAp InteliLite", "Daly H/K/M/S", "Deye / Sunsynk", "Discover AES", "Hengdu cabinet"),
    *("Huawei EMMA", "JBD UP16S", "Thermal Care"),
)
# {(profile, address): what the box asked for, W, of a converter of 100 W}: in the reading's words
ASKED = {
    ("sungrow_sh", 13050): 0,
    ("growatt_vpp", 30409): 40,
    ("foxess_h3", 44002): -5000,
    ("kostal_plenticore", 1034): -3000,
    ("ejpcs", 3415): -50_000,
}
RATED = {"rated_W": 100}
DECODED = 60
PER_UNIT = {"V": 1000, "A": 1000, "W": 1, "degC": 10, "%": 10, "": 1}


def readings(shared):
    """[(profile, register or None, row)] of the devices with a profile."""
    for row in rows(shared / MAPS, "readings"):
        for name in names_of(row["device"]):
            found = profiles.load(name)
            yield name, places(found).get((int(row["fc"]), int(row["addr"]))), row


def decoded(found, register, row):
    """The value of a meter's reading; a scale factor by the row's scale, read twice."""
    both, words = [register], bytes.fromhex(row["words_hex"])
    if register.scale_from:
        both.append(found.registers[register.scale_from])
        exponent = round(math.log10(float(row["scale"])))
    reads = meter_reads.grouped(both, {"registers_per_read_max": 125, "gap_registers_max": 125})
    (block,) = reads
    data = bytearray(2 + 2 * block.length)
    for at, start, size in block.places:
        part = words if at == 0 else struct.pack(">h", exponent)
        data[2 + start : 2 + start + size] = part
    numbers = Numbers(both, reads)
    numbers.read(bytes(data))
    return numbers.read(bytes(data))[numbers.names.index(register.name)]


def value_of(found, register, row):
    """(value by the driver, value of the reading in the same unit)."""
    wanted = float(row["value"])
    if found.family == "meter":
        if register.name in meter_reads.SINGLE[1:] and row["unit"] == "Wh":
            wanted /= 1000
        return decoded(found, register, row), wanted
    sign = 1 if register.scale > 0 else -1
    return Codec(register, {}).read(bytes.fromhex(row["words_hex"]))[0], (
        wanted * PER_UNIT[row["unit"]] * sign
    )


def reason_of(device, point):
    """(profile, key of NO_USE) of a point that the box has no use for, else None."""
    listed = [(name, each) for name in names_of(device) for each in NO_USE.get(name, ())]
    return next((each for each in listed if point.startswith(each[1])), None)


def check(name, register, row):
    """Whether the profile has the reading, and then rightly."""
    found, at = profiles.load(name), int(row["addr"])
    if register is not None:
        value, wanted = value_of(found, register, row)
        # readings have the digits that their device shows
        assert value == pytest.approx(wanted, rel=1e-6, abs=0.051), (name, row["point"])
        return True
    if (name, at) not in ASKED:
        return False
    (frame,) = [Frame(each, RATED) for each in found.setpoint if each.address == at]
    asked_W = power_W(frame.values(bytes.fromhex(row["words_hex"])))
    assert asked_W == ASKED[name, at], (name, row["point"])
    return True


def test_every_reading_decodes_or_has_no_use_by_name(shared):
    decodes, of_row, row_of = Counter(), {}, {}
    for name, register, row in readings(shared):
        key = row["device"], row["addr"], row["words_hex"]
        row_of[key] = row["point"]
        if check(name, register, row):
            decodes[name] += 1
            of_row[key] = True
        of_row.setdefault(key, False)
    left = [key for key, is_done in of_row.items() if not is_done]
    whys = {key: reason_of(key[0], row_of[key]) for key in left}
    assert [(key, row_of[key]) for key, why in whys.items() if not why] == []
    listed = {(name, start) for name, every in NO_USE.items() for start in every}
    assert set(whys.values()) == listed, "a reason without a reading"
    assert decodes["goodwe_meter"] == 11 and len(of_row) - len(left) == DECODED


def test_every_device_with_readings_is_known(shared):
    devices = {
        row["device"] for row in rows(shared / MAPS, "readings") if not names_of(row["device"])
    }
    assert [each for each in devices if not each.startswith(UNKNOWN)] == []


# -- what of a profile a reading proves

OTHER_MODELS = {f"sunspec_meter_{each}" for each in (201, 202, 204)}  # the captures are of a 203
TINY = 1e-6  # an energy of 6e-39 is no reading of it
OF_FRAMES = {"gosdm630_readme": "sdm630", "esphome_issues_3912": "sdm230"}


def framed(shared):
    """{profile: words by address} of the captured replies on a line."""
    found, first = {}, 0
    for row in rows(shared / "protocols/vectors", "rtu_frames"):
        if name := OF_FRAMES.get(row["source"]):
            frame = bytes.fromhex(row["frame_hex"])
            if row["direction"] == "req":
                first = int.from_bytes(frame[2:4], "big")
            else:
                count = (len(frame) - 3) // 2
                words = struct.unpack(f">{count}H", frame[3 : 3 + 2 * count])
                found.setdefault(name, {}).update(zip(range(first, first + count), words))
    return found


def proven(shared):
    """{profile: names that a reading proves}: 0 proves no place."""
    found = {}
    for name, register, row in readings(shared):
        is_real = row["kind"] in PROVES and any(bytes.fromhex(row["words_hex"]))
        if register is not None and is_real and name not in OTHER_MODELS:
            found.setdefault(name, set()).add(register.name)
    for name, words in framed(shared).items():
        for each in profiles.load(name).registers.values():
            pair = [words.get(each.address + at, 0) for at in range(2)]
            (number,) = struct.unpack(">f", struct.pack(">2H", *pair))
            if abs(number) > TINY:
                found.setdefault(name, set()).add(each.name)
    return found


def test_the_evidence_of_each_profile_is_what_the_readings_prove(shared):
    wanted = proven(shared)
    for path in FOLDER.glob("*.toml"):
        found = profiles.load(path.stem)
        if found.family != "can_bms":
            names = wanted.get(path.stem, set()) - set(found.identity)
            assert set(found.evidence_of) == names, path.stem


# -- registers


UNITS = {"mV": 1000, "mA": 1000, "permille": 10, "ddegC": 10, "W": 1, "kohm": 1}
OF_MAP = {"mV": 0.001, "Wh": 0.001}  # of a row, to V and to kWh
TYPES = {"f32": "float32", "f64": "float64", "bits": "u16", "enum": "u16", "block": ""}
ORDERS = {"ABCD": "big", "CDAB": "little"}
SIGNS = {"positive = charge": -1, "positive = discharge": 1}
# maps in prose, models of SunSpec, devices that the project defined, relays with a wired device
NO_TABLE = Exempt(
    "an address that differs from the maker's prose is found by no comparison of tables",
    "tests/drivers/test_makers_tables.py::test_states_of_the_sources",
)
OF_SUNSPEC = Exempt(
    "none: the model's points have their places by its number",
    "tests/drivers/test_sunspec.py::test_models_are_found_at_each_base_and_in_each_order",
)
OWN = Exempt(
    "none: the project defined the device, so its profile is the map",
    "tests/controller/config/test_profiles.py::test_shipped_profiles",
)
ELSEWHERE = {
    **same(NO_TABLE, *("byd_c130", "dse_genset", "fenecon_c40", "pylontech_m2", "sinexcel_pws")),
    **same(NO_TABLE, "waveshare_relays"),
    **same(OF_SUNSPEC, "sunspec_battery", "sunspec_pcs", "sunspec_pv"),
    **same(OWN, *("chiller_contact", "heater_contact", "fan_contact", "climate_monitor")),
    **same(OWN, *("firebreak_fast_meter", "gas_detector", "io_8in_8out", "load_cap_tcp")),
    **same(OWN, *("operator_contacts", "offgas_detector", "toxic_detector", "ups_monitor")),
}
FRONIUS = "fronius_gen24"  # by the SunSpec models; its map has the addresses of one firmware
# profile, register and difference | why
DIFFERS = """
apc_smart_ups load_W: scale 0.00390625 | percent of the rating, which scale_by brings in
em24 power_W: no row | its document reads it by function 3
em112 *: invalid 2147483647 | as the other meters of the maker; the map has none
abb_b23 energy_*: invalid 18446744073709551615 | all ones, as the text of the map has it
abb_b23 frequency: invalid 65535 | all ones
growatt_vpp fault_alarm: no row | the document of the maker has it, not the map
victron_vebus fault_error: no row | the table of the maker has it, not the map
foxess_h3 dc_voltage_mV: no row | one source, not in the map
foxess_h3_smart dc_voltage_mV: no row | one source, not in the map
goodwe_et dc_current_mA: invalid -1 | -0.1 A is a value: the current would be lost in standby
goodwe_et fault_errors_*: * | two words u16, so that many bits at once count too
huawei_luna *: invalid -1 | 0xFFFFFFFF is that of u32; -1 W is a value
sma_s* power_W: invalid -1 | 0xFFFFFFFF is that of u32; -1 W is a value
sma_s* dc_*charge_W: invalid 2147483648 | 0x80000000 is that of s32
sma_s* dc_voltage_mV: no row | one source, not in the map
sma_s* state: no row | one source, not in the map
victron_vebus dc_current_mA: * | the row of the voltage names it in its text: s16, 0.1 A
bcu_ems rack_current_mA: invalid -1 | -0.1 A is a value
bcu_ems module_temperature_ddegC: invalid -1 | -0.1 degC is a value
seplos_v3 fault_*: no row | bits from 4608 and 5120 on, which the text of the map counts from 0
seplos_v3 *charge_allowed: no row | bits, likewise
jk_pb cell_voltage_mV: invalid 0 | a place without a cell reads 0
jk_pb fault_*: * | two words u16, so that many bits at once count too
"""


def rows_at(shared, device):
    """{(function, address): rows} of a device: the row of the address first, then those that only
    name it in their text.
    """
    found = {}
    every = [row for row in rows(shared / MAPS, *TABLES) if row["device"].startswith(device)]
    for exact in (True, False):
        for row in every:
            named = re.findall(r"^\d+$", row["addr"]) if exact else numbers(row)
            for fc in filter(str.isdigit, row["fc"].split("/")):
                for at in named:
                    found.setdefault((int(fc), int(at)), []).append(row)
    return found


def numbers(row):
    """The addresses that the text of a row may name: "then 18, 20", "23355..23357"."""
    named = re.findall(r"(?<![\w.])(\d+)(?:\.\.(\d+))?(?![\w.])", row["sign_or_values"])
    return [at for first, last in named for at in range(int(first), int(last or first) + 1)]


def factor_of(register, row):
    """|scale| that a register must have, by its row; None: it has no unit, or a scale register."""
    if not row["unit"] or not re.fullmatch(r"[\d.]+", row["scale"]):
        return None
    unit = next((UNITS[each] for each in register.name.split("_") if each in UNITS), 1)
    return float(row["scale"]) * OF_MAP.get(row["unit"], 1) * unit


def invalid_of(register, row):
    """Raw values without meaning, by the row, that fit the size and the type of the register."""
    found, bits = set(), 16 * register.words
    for number, kind in re.findall(r"\b(0x[0-9A-F]+|0)\b(?: (s16|u16|acc32))?", row["invalid"]):
        if kind and kind != {"u32": "acc32"}.get(register.type, register.type):
            continue
        if kind == "acc32" or 4 * (len(number) - 2) == bits:
            raw = int(number, 16)
            found.add(raw - (1 << bits) * (register.type[0] == "s" and raw >> bits - 1))
    return found


def type_of(row):
    """The type as a profile names it, "" of a block."""
    return TYPES.get(row["type"], row["type"])


def sign_of(found, register, row):
    """Whether the sign is the one that the row states."""
    text = row["sign_or_values"].lower()
    if found.family == "meter":
        return found.settings["inverted"] or not text.startswith("positive = export")
    ways = [way for start, way in SIGNS.items() if text.startswith(start)]
    return all(way * register.scale > 0 for way in ways)


def differences(found, register, row):
    """What of a register differs from its row of the map."""
    if type_of(row) != register.type:
        yield f"type {row['type']}"
    if register.words > 1 and ORDERS.get(row["order"], "big") != register.word_order:
        yield f"order {row['order']}"
    factor = factor_of(register, row)
    if factor is not None and abs(register.scale) != pytest.approx(factor, rel=1e-9):
        yield f"scale {row['scale']}"
    if not sign_of(found, register, row):
        yield "sign"
    invalid = invalid_of(register, row)
    if not getattr(register, "values", {}) and register.type[0] != "f" and register.type != "bit":
        for raw in sorted(invalid ^ set(register.invalid)):
            yield f"invalid {raw}"
    if row["conf"] == "?":
        yield "doubtful"


# the layout of the fast values is that of the slow ones, which lie 4096 registers on
SHIFTED = {"acuvim2": 4096}


def compared(at, name):
    """The differences of a profile, in words. at: as of rows_at."""
    found, shift = profiles.load(name), SHIFTED.get(name, 0)
    for register in found.registers.values():
        places = [(register.function, register.address % SLOT + each) for each in (0, shift)]
        row = next((at[each][0] for each in places if each in at), None)
        is_factor = row and register.name in found.factors
        words = [] if is_factor else differences(found, register, row) if row else ["no row"]
        yield from [f"{name} {register.name}: {each}" for each in words]
    for address, register in written(found).items():
        row = next((at[fc, address][0] for fc in (6, 16, 3) if (fc, address) in at), None)
        if row is None:
            yield f"{name} write {address}: no row"
        elif row["addr"] == str(address) and type_of(row) not in ("", register.type):
            yield f"{name} write {address}: type {row['type']}"


def test_every_register_is_as_its_map_has_it_or_differs_by_name(shared):
    found = []
    for device, names in DEVICES.items():
        at = rows_at(shared, device)
        assert at, f"no map begins with {device}"
        found += [each for name in names if name != FRONIUS for each in compared(at, name)]
    patterns = [line.split(" | ")[0] for line in DIFFERS.strip().splitlines()]
    hits = {each: [fnmatch.fnmatchcase(each, one) for one in patterns] for each in found}
    assert [each for each, hit in hits.items() if not any(hit)] == []
    unused = [one for one, *every in zip(patterns, *hits.values()) if not any(every)]
    assert not unused, "a reason without a difference"


def test_every_profile_by_registers_has_a_map_or_is_known():
    """A new profile joins the comparison."""
    named = {name for names in DEVICES.values() for name in names}
    every = [profiles.load(each.stem) for each in FOLDER.glob("*.toml")]
    by_registers = {each.path.stem for each in every if each.registers}
    assert by_registers - named == set(ELSEWHERE)
