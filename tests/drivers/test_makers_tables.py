"""States, fault bits and powers as the tables of the makers have them, read by the drivers.

Every number here is written by hand from the sources that the profiles name: wlcrs/huawei-solar-lib
873c1b3b, victronenergy/dbus_modbustcp 24c50db7, wills106/homeassistant-solax-modbus 27875b3b, the
Growatt VPP protocol 2.03, and the tables of Sinexcel, BYD and FENECON in OpenEMS/openems 0e4ea888.
"""

import struct

import pytest
from device_suite import Bus
from register_converter import PROFILES, RATED_W, built, data_of, follow, started

from controller.config import profiles
from drivers.register_codec import Codec
from drivers.setpoint_form import Frame
from safety import signals as s
from tests.exemptions import Exempt, same
from tests.tables import cases

OFF, SLEEPING, STARTING, RUNNING, THROTTLED, STOPPING, FAULT, STANDBY = range(8)


def measured(name, words):
    """The signals of a converter whose registers hold {address: word}, from its first signal on."""
    device, slave, sink, groups = built(name)
    for table in (slave.holding, slave.inputs):
        table.update({at: word for at, word in words.items() if at in table})
    bus = Bus(device, slave, baud_Bd=460_800)
    bus.run(12_000)
    assert device.refused == 0 and sink.fresh[groups[0]], (name, words)
    return sink.inp[sink.layout.unit_input(0, 0) :]


@cases("""name  address  raws  state  forming
    "huawei_luna"    32089  [0, 1, 2, 3, 0x500, 0xA000]                    STANDBY    0
    "huawei_luna"    32089  [0x100, 0x501, 0x600, 0x700, 0x900]            STARTING   0
    "huawei_luna"    32089  [0x200, 0x401, 0x402, 0x403, 0x404, 0x405]     RUNNING    0
    "huawei_luna"    32089  [0x203, 0xA00]                                 RUNNING    1
    "huawei_luna"    32089  [0x201, 0x202, 0x800]                          THROTTLED  0
    "huawei_luna"    32089  [0x301, 0x304, 0x306, 0x308, 0x30C]            OFF        0
    "huawei_luna"    32089  [0x300, 0x302, 0x303, 0x305, 0x307]            FAULT      0
    "victron_vebus"  31     [0]                                            OFF        0
    "victron_vebus"  31     [1]                                            SLEEPING   0
    "victron_vebus"  31     [2]                                            FAULT      0
    "victron_vebus"  31     [3, 4, 5, 6, 7, 10, 11, 252]                   RUNNING    0
    "victron_vebus"  31     [8]                                            STANDBY    0
    "victron_vebus"  31     [9]                                            RUNNING    1
    "solax_x3"       9      [2, 20, 21, 22, 23, 24, 25, 26, 28]            RUNNING    0
    "solax_x3"       9      [9, 10, 27]                                    STANDBY    0
    "solax_x3"       9      [7]                                            RUNNING    1
    "growatt_vpp"    31000  [6, 8]                                         RUNNING    0
    "growatt_vpp"    31000  [7]                                            RUNNING    1
    "growatt_vpp"    31000  [0, 5, 9]                                      STANDBY    0
    "fenecon_c40"    261    [64]                                           RUNNING    0
    "fenecon_c40"    261    [4]                                            OFF        0
    "fenecon_c40"    261    [2]                                            FAULT      0
    "fenecon_c40"    261    [8, 32]                                        STANDBY    0
    "fenecon_c40"    261    [0, 1, 16]                                     STARTING   0
    "sinexcel_pws"   32     [0x04, 0x0C, 0x06]                             RUNNING    0
    "sinexcel_pws"   32     [0x14]                                         RUNNING    1
    "sinexcel_pws"   32     [0x01, 0x05, 0x81]                             FAULT      0
    "goodwe_et"      35187  [2]                                            RUNNING    1
    "goodwe_et"      35187  [3]                                            FAULT      0
""")  # fmt: skip
def test_states_of_the_sources(name, address, raws, state, forming):
    for raw in raws:
        found = measured(name, {address: raw})
        assert (found[s.PCS_STATE], found[s.PCS_FORMING]) == (state, forming), hex(raw)


@cases("""name  address  word  trips  warnings
    "sinexcel_pws"  36  0x0001  ["grid"]              []
    "sinexcel_pws"  36  0x0100  ["ground"]            []
    "sinexcel_pws"  37  0x0001  ["epo"]               []
    "sinexcel_pws"  37  0x0100  ["bus_over_voltage"]  []
    "sinexcel_pws"  37  0x1000  ["ac_relay_short"]    []
    "sinexcel_pws"  38  0x0010  ["ac_relay_open"]     []
    "sinexcel_pws"  39  0x0004  []                    ["alarm"]
    "sinexcel_pws"  40  0x0003  []                    []
    "sinexcel_pws"  40  0x0030  ["dc_fault"]          ["dc_alarm"]
    "sinexcel_pws"  44  0x0001  ["dc_voltage"]        []
    "sinexcel_pws"  44  0x0020  []                    ["links"]
    "sinexcel_pws"  45  0x0002  ["dc_relay"]          []
    "sinexcel_pws"  47  0x0001  []                    ["dc_current"]
    "fenecon_c40"   272  0x0004  ["emergency_stop"]   []
    "fenecon_c40"   272  0x0040  []                   ["key_stop"]
    "fenecon_c40"   384  0x0400  ["contactor"]        []
    "fenecon_c40"   386  0x0001  ["dc"]               []
    "fenecon_c40"   389  0x0001  []                   ["grid"]
    "fenecon_c40"   390  0x3000  ["emergency_input"]  ["inspection"]
    "growatt_vpp"   31007  7     []                   ["alarm"]
    "victron_vebus"  32  5       ["error"]            []
""")  # fmt: skip
def test_fault_bits_of_the_sources(name, address, word, trips, warnings):
    bits = profiles.load(name).fault_bits
    named = [bits["trip"][each] for each in trips] + [bits["warn"][each] for each in warnings]
    found = measured(name, {address: word})
    assert found[s.PCS_ALARM_BITS] == sum([1 << bit for bit in named])


@cases("""word  address  trips  warnings
    0x0080  8516  []           ["slave"]
    0x0100  8516  []           ["slave"]
    0x0080  8581  ["failure"]  []
    0x0010  8581  ["failure"]  []
    0x0100  8581  []           ["board"]
""")
def test_failures_of_the_byd_battery(word, address, trips, warnings):
    found = profiles.load("byd_c130")
    set_ = [
        each.name.removeprefix("fault_")
        for each in found.registers.values()
        if each.address == address and Codec(each, {}).value(struct.pack(">H", word))
    ]
    assert [each for each in set_ if each in found.fault_bits["trip"]] == trips
    assert [each for each in set_ if each in found.fault_bits["warn"]] == warnings


def test_the_power_of_fenecon_is_its_own_and_not_that_of_the_grid():
    found = measured("fenecon_c40", {528: 70, 552: 0xFFCE})
    assert found[s.PCS_POWER_W] == -5000


# -- 0 W

# no value of theirs gives the power back: it goes back when nobody writes; sma_storage holds 0 W by
# its four limits, which its default mode keeps
NO_RELEASE = same(
    Exempt(
        "the power is the converter's own again only after its watchdog; until then it holds 0 W",
        "tests/drivers/test_makers_tables.py::test_each_converter_names_what_gives_its_power_back",
    ),
    *("ejpcs", "fenecon_c40", "kostal_plenticore", "sinexcel_pws", "victron_vebus"),
    "sma_storage",
)


def releases_of(data):
    """[(table, its raw value that gives the power back)] of a profile's file."""
    tables = [each for frame in data["setpoint"] for each in frame["values"]]
    tables += data.get("setup", []) + data.get("start", [])
    return [(each, each["release"]) for each in tables if "release" in each]


def test_each_converter_names_what_gives_its_power_back():
    named = {name for name in PROFILES if releases_of(data_of(name))}
    assert set(PROFILES) - named == set(NO_RELEASE)


@pytest.mark.parametrize("name", PROFILES)
def test_zero_is_held_and_gives_no_power_back(name):
    """A 0 W that ended the forced mode let the inverter follow its own plan."""
    data, found = data_of(name), profiles.load(name)
    for frame, form in zip([Frame(each, {"rated_W": RATED_W}) for each in found.setpoint],
                           data["setpoint"]):  # fmt: skip
        words = struct.pack(f">{frame.count}H", *frame.words(0))
        for (_, number), value in zip(frame.values(words), form["values"]):
            if value["role"] in ("mode", "constant"):
                assert number != value.get("release"), (name, frame.address)
            else:
                assert number == 0, (name, frame.address)
    for table, release in releases_of(data):
        assert release not in [table.get(key) for key in ("value", "equals", "idle")]


@cases("""name  written
    "huawei_luna"    {47100: 2, 47247: 0, 47248: 0, 47249: 0, 47250: 0}
    "goodwe_et"      {47511: 8, 47512: 0}
    "growatt_vpp"    {30407: 1, 30409: 0}
    "solax_x3"       {124: 1, 126: 0, 127: 0}
    "sungrow_sh"     {13049: 2, 13050: 0xCC, 13051: 0}
    "sma_storage"    {40794: 0, 40796: 0, 40798: 0, 40800: 0}
""")
def test_a_stop_of_the_power_leaves_these_words(name, written):
    bus, _, _ = started(name)
    for power_W in (3000, -3000, 0):
        follow(bus, power_W, 9000)
    assert {at: bus.slave.holding[at] for at in written} == written
