"""Pylontech low voltage: captured frames, dialect traps, each alarm bit, limits of zero."""

import csv
import struct

import pytest
from device_suite import CanSuite, Sink

from controller.config import profiles
from drivers.can_bms import CanBms
from safety import signals as s
from tests.tables import cases

# Limits 53.2 V, 120 A, 160 A, 45 V; SOC 90 %, SOH 100 %; 49.96 V, 1.5 A out; quiet; both enabled.
LIMITS, CHARGE, PACK = "1402B0044006C201", "5A006400", "8413F1FF3700"
QUIET_V12, FLAGS, QUIET_V13 = "0000000004504E", "C000", "AAAAAAAAAAAAAAAA"
V12 = [(0x351, LIMITS), (0x355, CHARGE), (0x356, PACK), (0x359, QUIET_V12), (0x35C, FLAGS)]
BOTH = [*V12, (0x35A, QUIET_V13)]  # some send the alarms twice
SECOND_US = 1_000_000
CURRENTS = (s.CHARGE_CURRENT_MA_MAX, s.DISCHARGE_CURRENT_MA_MAX)


def built(changes=None, **settings):
    """(device, sink) that has just confirmed the dialect; no value has been stored."""
    sink = Sink()
    loaded = profiles.load("pylontech_lv")
    loaded.settings.update(settings)
    for name, keys in (changes or {}).items():
        loaded.signals[name].update(keys)
    device = CanBms(loaded, 0, 0, sink, sink.layout)
    for can_id in (0x351, 0x355, 0x356):
        for second in (-2, -1):
            device.on_frame(can_id, bytes(8), second * SECOND_US)
    device.on_frame(0x351, bytes(8), 0)
    assert not sink.taken() and not any(sink.inp)
    device.frames = device.refused = device.bad_frames = 0
    return device, sink


def feed(device, *frames, now_us=0):
    for can_id, data in frames:
        assert device.on_frame(can_id, bytes.fromhex(data), now_us)


def fed(*frames, **settings):
    """(device, sink) after the limits and these frames; only the groups of the frames are fresh."""
    device, sink = built(**settings)
    feed(device, (0x351, LIMITS))
    sink.taken()
    feed(device, *frames)
    return device, sink


def groups_of(sink, *groups):
    return {sink.layout.rack_group(0, group) for group in groups}


def values(sink, *indexes):
    return tuple(sink.inp[sink.layout.rack_input(0, index)] for index in indexes)


def value(sink, index):
    return values(sink, index)[0]


class TestV13(CanSuite):
    """A receiver that needs 0x359 and 0x35C would never start with V1.3."""

    burst = [(0x351, LIMITS), (0x355, "540060000000"), (0x356, PACK), (0x35A, "0000000000000000")]
    groups = groups_of(Sink(), s.G_BMS_STATE, s.G_BMS_PACK, s.G_BMS_LIMITS, s.G_BMS_CHARGE)

    def build(self):
        return built()

    def unheard(self):
        sink = Sink()
        return CanBms(profiles.load("pylontech_lv"), 0, 0, sink, sink.layout)

    def asking(self):
        return {0x305}

    def frames(self, counter):
        return [(can_id, bytes.fromhex(data)) for can_id, data in self.burst]

    def short_bytes(self, can_id):
        return {0x351: 5, 0x355: 3, 0x356: 3, 0x35A: 3}[can_id]


def test_values():
    device, sink = built()
    feed(device, *V12)
    assert values(sink, *CURRENTS) == (120_000, 160_000)
    assert values(sink, s.SOC_PERMILLE, s.SOH_PERMILLE) == (900, 1000)
    assert values(sink, s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA) == (49_960, 1500)
    assert value(sink, s.BMS_FAULT_BITS) == 0 and device.refused == 0 and device.frames == 5


def test_captured_alarm_probes(shared):
    """dfch/BydCanProtocol: single-bit probes that Venus OS displayed as these conditions."""
    items = (
        "general high_voltage low_voltage high_temperature low_temperature high_charge_temperature "
        "low_charge_temperature high_discharge_current high_charge_current contactor short_circuit "
        "internal_failure cell_imbalance"
    ).split()
    with (shared / "protocols/vectors/can_frames.csv").open(newline="") as file:
        rows = [each for each in csv.DictReader(file) if each["kind"] == "single_bit_probe"]
    assert len(rows) == 20
    for row in rows:
        _, sink = fed((0x35A, row["data_hex"]))
        severity, item = row["signal"].split("_", 1)
        expected = 1 << 17 + items.index(item) if severity == "alarm" else 1 << 14
        assert value(sink, s.BMS_FAULT_BITS) == expected, row


@cases("""quiet
    "AAAAAAAAAAAAAAAA" | "A8A082000000800A" | "A8828202A8828202" | "ABAAFEAFAAFAFF"
    "0000000000000000" | "FFFFFFFFFFFFFFFF"
""")
def test_real_quiet_alarm_words(quiet):
    """BYD LVS, REC, older BYD, Discover (7 bytes), Pylontech V1.3, not supported."""
    _, sink = fed((0x35A, quiet))
    assert value(sink, s.BMS_FAULT_BITS) == 0 and groups_of(sink, s.G_BMS_STATE) <= sink.taken()


@pytest.mark.parametrize("bit", range(32))
def test_each_bit_of_0x359(bit):
    """diyBMSv4ESP32 266; ArminJo and Battery-Emulator send the system error as 0x80."""
    device, sink = fed((0x359, (1 << bit).to_bytes(4, "little").hex() + "04504E"))
    # 27 = byte 3 bit 3, internal communication fail
    expected = 1 << bit if bit < 16 else 1 << 14 | (1 << 16 if bit == 27 else 0)
    assert value(sink, s.BMS_FAULT_BITS) == expected


@pytest.mark.parametrize("item", range(13))
def test_each_warning_of_0x35A_sets_one_bit(item):
    """Bytes 4 to 7; 10 is quiet."""
    for pair, bits in ((0b01, 1 << 14), (0b10, 0), (0b11, 0)):
        warnings = (pair << 2 * item).to_bytes(4, "little").hex()
        _, sink = fed((0x35A, "00000000" + warnings))
        assert value(sink, s.BMS_FAULT_BITS) == bits


def test_faults_of_both_alarm_frames_are_kept():
    device, sink = fed((0x359, "0800000004504E"), (0x35A, "0400000000000000"))
    assert value(sink, s.BMS_FAULT_BITS) == 0x08 | 1 << 18
    feed(device, (0x359, QUIET_V12))
    assert value(sink, s.BMS_FAULT_BITS) == 1 << 18
    feed(device, (0x359, "0000080004504E"), (0x35A, QUIET_V13))
    assert value(sink, s.BMS_FAULT_BITS) == 1 << 14
    feed(device, (0x359, QUIET_V12))
    assert value(sink, s.BMS_FAULT_BITS) == 0


@cases("""limits  charge_mA  discharge_mA
    "1402B00464 00C201"  120_000  10_000
    "1402B0049CFFC201"  120_000  10_000  # DCL as -10.0 A is a magnitude: diyBMSv4ESP32 87
    "140200000000C201"  0  0  # CCL = 0 stays 0: venus 536
    "1402B00464 00"  120_000  10_000  # six bytes are enough
    "0000B00464 00C201"  0  10_000""")
def test_limits(limits, charge_mA, discharge_mA):
    device, sink = built()
    feed(device, (0x351, limits))
    assert values(sink, *CURRENTS) == (charge_mA, discharge_mA)
    assert sink.taken() == groups_of(sink, s.G_BMS_LIMITS)


@cases("""can_id  data
    0x351  "14020080 6400C201" | 0x351  "1402B0040080C201" | 0x351  "1402FFFF6400C201"
    0x351  "FFFFB0046400C201" | 0x351  "140211276400C201" | 0x355  "65006400" | 0x355  "64006500"
    0x355  "FFFF6400" | 0x356  "8413008000 00" | 0x356  "008000000000" | 0x356  "008000800000"
""")
def test_invalid_values_are_refused_whole(can_id, data):
    """SMA: invalid = 0x8000 / 0xFFFF. diyBMSv4ESP32 194: SOC > 100 % stops no other group."""
    device, sink = fed()
    before = sink.inp[:]
    feed(device, (can_id, data))
    assert device.refused == 1 and sink.inp == before and not sink.taken()
    feed(device, *V12[:3])
    assert len(sink.taken()) == 3


@cases("""centivolts  taken
    0  0 | 522  0 | 5220  1 | 3149  0 | 3150  1 | 6650  1 | 6651  0""")
def test_voltage_must_fit_the_limits(centivolts, taken):
    """bms-to-inverter 34, 107: Discover AES read as 5.2 V or 522 V, because its scale is 0.1 V."""
    _, sink = fed((0x356, centivolts.to_bytes(2, "little").hex() + "00000000"))
    assert sink.taken() == (groups_of(sink, s.G_BMS_PACK) if taken else set())


def test_the_voltage_is_judged_by_the_last_limits_and_by_half_of_them_without_a_cut_off():
    device, sink = fed((0x351, "E803B0046400"))  # 100 V: 35 V to 125 V
    sink.taken()
    for centivolts, taken in ((3499, 0), (3500, 1), (12_500, 1), (12_501, 0)):
        feed(device, (0x356, centivolts.to_bytes(2, "little").hex() + "00000000"))
        assert bool(sink.taken()) == taken


@cases("""centivolts  stored_mV
    5200  52_000 | 900  9000 | 0  0 | -1  0 | 9000  66_500""")
@pytest.mark.parametrize("current_dA", [10_001, -10_001, 32_767, -32_767])
def test_a_short_circuit_counts_at_any_voltage(centivolts, stored_mV, current_dA):
    """A refused frame once left row 36 with an old current: contactors opened under the short."""
    device, sink = fed((0x356, struct.pack("<hhh", centivolts, current_dA, 0).hex()))
    assert sink.taken() == groups_of(sink, s.G_BMS_PACK) and device.refused == 0
    stored = (stored_mV, -100 * current_dA)
    assert values(sink, s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA) == stored


@pytest.mark.parametrize("scale_mV, stored_mV", [(100, 52_200), (10, 0)])
def test_the_scale_of_the_voltage_can_be_chosen(scale_mV, stored_mV):
    device, sink = fed((0x356, "0A0200000000"), changes={"rack_voltage_mV": {"scale": scale_mV}})
    assert value(sink, s.RACK_VOLTAGE_MV) == stored_mV and device.refused == (not stored_mV)


@pytest.mark.parametrize("can_id, data", [(0x356, PACK), (0x356, "000000000000"), V12[3]])
def test_voltage_and_state_wait_for_the_limits(can_id, data):
    device, sink = built()
    feed(device, (can_id, data))
    assert not sink.taken() and device.refused == (can_id == 0x356)


@cases("""convention  raw_dA  current_mA
    "charge"  15  -1500 | "charge"  -15  1500 | "discharge"  15  1500 | "discharge"  -15  -1500""")
def test_current_sign_of_each_dialect(convention, raw_dA, current_mA):
    """Battery-Emulator 2919, 2920; Deye native: + discharges."""
    data = struct.pack("<hhh", 4996, raw_dA, 0).hex()
    sign = {"charge": -100, "discharge": 100}[convention]
    _, sink = fed((0x356, data), changes={"rack_current_mA": {"scale": sign}})
    assert value(sink, s.RACK_CURRENT_MA) == current_mA


@cases("""flags  currents_mA
    "C0"  (120_000, 160_000) | "E0"  (120_000, 160_000) | "40"  (0, 160_000) | "80"  (120_000, 0)
    "20"  (0, 0) | "00"  (0, 0) | "3F"  (0, 0)""")
def test_enable_flags_set_the_limits_to_zero(flags, currents_mA):
    """pylontech-bms-mqtt: 0x20 is "force charge". After re-enabling, it waits for new limits."""
    device, sink = fed((0x35C, flags))
    assert values(sink, *CURRENTS) == currents_mA
    feed(device, (0x351, LIMITS), (0x359, QUIET_V12))
    assert values(sink, *CURRENTS) == currents_mA
    feed(device, (0x35C, "C0"))
    assert values(sink, *CURRENTS) == currents_mA
    feed(device, (0x351, LIMITS))
    assert values(sink, *CURRENTS) == (120_000, 160_000)


@pytest.mark.parametrize("supply, state", [(0, s.CONTACTOR_OPEN), (1, s.CONTACTOR_CLOSED)])
def test_contactors_follow_the_read_back_of_their_supply(supply, state):
    """No frame reports contactors: without supply they count as open, so the cabinet can start."""
    device, sink = built()
    sink.inp[s.PERMIT_2_CLOSED] = supply
    feed(device, (0x351, LIMITS), (0x35A, QUIET_V13))
    assert value(sink, s.CONTACTOR_STATE) == s.CONTACTOR_OPEN, "a test of the supply is shorter"
    feed(device, (0x351, LIMITS), (0x35A, QUIET_V13), now_us=2 * SECOND_US - 1)
    assert value(sink, s.CONTACTOR_STATE) == s.CONTACTOR_OPEN
    feed(device, (0x351, LIMITS), (0x35A, QUIET_V13), now_us=2 * SECOND_US)
    assert value(sink, s.CONTACTOR_STATE) == state


@pytest.mark.parametrize("soc_pct, soh_pct", [(100, 99), (99, 100), (0, 0)])
def test_charge_at_its_ends_is_taken(soc_pct, soh_pct):
    device, sink = fed((0x355, struct.pack("<hh", soc_pct, soh_pct).hex()))
    assert values(sink, s.SOC_PERMILLE, s.SOH_PERMILLE) == (10 * soc_pct, 10 * soh_pct)
    assert sink.taken() == groups_of(sink, s.G_BMS_CHARGE) and device.refused == 0


@cases("""stopped  group
    0x35C  s.G_BMS_LIMITS
    *((each, s.G_BMS_STATE) for each in (0x35C, 0x351, 0x359, 0x35A))""")
def test_a_group_stops_with_its_frame(stopped, group):
    """A BMS can keep sending 0x35E while 0x351 stops: freshness is per frame."""
    device, sink = built()
    for second in range(8):
        burst = [frame for frame in BOTH if second < 3 or frame[0] != stopped]
        feed(device, *burst, now_us=second * SECOND_US)
        assert (groups_of(sink, group) <= sink.taken()) == (second <= 2 + 3), second
    feed(device, *BOTH, *BOTH, now_us=9 * SECOND_US)
    assert groups_of(sink, group) <= sink.taken()


@pytest.mark.parametrize("limits", ["FFFFB0046400C201", "1402"])
def test_limits_that_are_no_longer_usable_count_as_stopped(limits):
    device, sink = fed(*BOTH)
    for second in range(1, 6):
        feed(device, (0x351, limits), *BOTH[1:], now_us=second * SECOND_US)
        state = groups_of(sink, s.G_BMS_STATE) <= sink.taken()
        assert state == (second <= 3)
    # a frame that is too short is none, so then the id has stopped, and nothing counts
    counted = {"1402": (5, 10, 3 * 5), "FFFFB0046400C201": (0, 5, 5 * 5)}[limits]
    assert (device.bad_frames, device.refused, device.frames - 1 - 6) == counted


def test_limits_end_with_flags_that_are_no_longer_usable():
    device, sink = built({"charge_allowed": {"invalid": [1]}})
    for second in range(7):
        flags = "40" if second < 2 else "C0"
        feed(device, (0x351, LIMITS), *V12[1:4], (0x35C, flags), now_us=second * SECOND_US)
        assert (groups_of(sink, s.G_BMS_LIMITS) <= sink.taken()) == (second <= 1 + 3), second


@pytest.mark.parametrize("late_us, fresh", [(0, 1), (1, 0)])
def test_limits_do_not_outlive_the_enable_flags(late_us, fresh):
    device, sink = built(stopped_ms=3000)
    feed(device, *V12)
    sink.taken()
    feed(device, (0x351, LIMITS), now_us=3_000_000 + late_us)
    assert (groups_of(sink, s.G_BMS_LIMITS) == sink.taken()) == fresh


def test_the_acknowledgement_is_eight_zeros_each_second():
    """esphome-yambms 268: without 0x305 the BMS reports a lost inverter and stops."""
    device, _ = built()
    assert device.command(True) == device.command(False) == [(0x305, bytes(8))]
    assert device.command_period_us == SECOND_US
