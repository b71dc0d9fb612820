"""The observer reports a cabinet that stays on without a reason.

Each condition is tested with a controller that lacks the row, and with a right one.
"""

import re
import struct

import pytest
from observed import wiring
from slow import whole

from controller.config import configuration
from controller.sites import EXAMPLE
from hil.campaigns.rows import start
from hil.campaigns.rows.course import Course, do
from hil.campaigns.rows.courses import COURSES
from hil.devices.rtu_slave import with_crc
from hil.observer.latches import Latches
from hil.observer.observer import Observer
from hil.observer.reported import Power, of_rack
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE, tick_ms=100)
REVERSED = Course("56a", (do("pcs_reverse"),))
TAKEN = REVERSED._replace(power_kW=-200)
MOVED = start.REQUEST | {"value_W": 150_000}
AGAIN = (do("hint", 0.5, **MOVED), do("hint", 60.05, **MOVED))
SWING = COURSES["54"]._replace(cause=(do("heat", rack=1, degC=42.0), *AGAIN))
# The racks' limits and tapers stop the charging too, unless every BMS repeats its old values.
BLIND = tuple([do("device_fault", device=f"bms_{rack}", fault="frozen") for rack in (1, 2, 3)])


def violations(course, less, duration_s, config=CONFIG):
    """Violations after the cause of the course, without the stages `less`."""
    rig = start.started(config, course, less)
    for each in course.before:
        start.apply(rig, each)
    start.ask(rig, course.power_kW, duration_s, course.cause)
    rig.run(rig.now_us / 1e6 + duration_s)
    return [re.sub(r"^[\d.]+ s: ", "", line) for line in rig.observer.violations]


CHARGING = [
    (COURSES["25a"], ("25a",), 13, "charging of cells below 0 degC for 10.6 s"),
    (COURSES["28"], ("28",), 8, "charging of a cell above row 28's voltage for 5.5 s"),
]
UNSEEN = [  # no row detects it: open points of H1
    (COURSES["27"], (), 63, "energy while a rack reports a wrong cell voltage for 60.0 s")
]
WORSENED = "power that worsens a violation of the grid connection for 33.0 s"
WRONG_POWER = "energy while the converter reports a wrong power for 10.0 s"
CASES = [
    (REVERSED, ("56a",), 16, "power against the set-point for 10.0 s"),
    (TAKEN, ("56a",), 24, "power against the set-point for 10.0 s"),
    (COURSES["19a"], ("19a", "19b"), 8, "charging of cells above row 19's temperature for 5.5 s"),
    (COURSES["50a"], ("50a",), 3, "charging with a silent grid meter for 1.0 s"),
    (COURSES["57b"], ("57b",), 36, WORSENED),
    (COURSES["57c"], ("57c",), 36, WORSENED),
    (COURSES["40c"], ("40b", "40c"), 8, "energy with a silent BMS for 5.8 s"),
    (COURSES["41c"], ("41c",), 9, "energy with a silent converter for 7.9 s"),
    (COURSES["55"], ("55",), 12, "energy while the racks report a wrong total current for 10.0 s"),
    (COURSES["41d"], ("41d", "55", "56a"), 12, WRONG_POWER),
    (SWING, ("54",), 63, "energy while a rack reports a wrong current for 60.0 s"),
    (SWING, ("54",), 63, "energy while a rack reports a wrong temperature for 60.0 s"),
]


BLINDED = [(each[0]._replace(before=BLIND), *each[1:]) for each in CHARGING + UNSEEN]


@pytest.mark.parametrize(
    "course, less, duration_s, words", CASES[:1] + BLINDED[:1] + whole(*CASES[1:], *BLINDED[1:])
)
def test_a_condition_without_its_row_is_reported(course, less, duration_s, words):
    assert words in violations(course, less, duration_s)


@pytest.mark.parametrize(
    "course, less, duration_s, words", CASES[:1] + whole(*CASES[1:], *CHARGING)
)
def test_a_condition_with_its_row_is_not_reported(course, less, duration_s, words):
    assert words not in violations(course, (), duration_s)


@pytest.mark.parametrize(
    "by, is_reported", [(None, True), *whole(("remote", True), ("key", False))]
)
def test_nothing_closes_while_a_row_is_latched(by, is_reported):
    """The controller loses its latches, and a person starts it."""
    course = Course("1a", (do("estop_channel", channel=1), do("estop_release", 1.0)))
    rig = start.started(CONFIG, course)
    start.ask(rig, course.power_kW, 3, course.cause)
    rig.run(rig.now_us / 1e6 + 3)
    evaluator = rig.controller.cabinet.core.kernel.evaluator
    evaluator.latched[:] = bytes(len(evaluator.latched))
    evaluator.moved[0] = 1
    if by:
        rig.observer.mark(rig.now_us, "reset", f"by={by}")
    rig.run(rig.now_us / 1e6 + 1)
    rig.controller.run_request(1)
    rig.run(rig.now_us / 1e6 + 6)
    lines = [line for line in rig.observer.violations if "is latched" in line]
    racks = [f"rack {rack} got a close command while row 1a is latched" for rack in (1, 2, 3)]
    assert [line.split(": ")[1] for line in lines] == (racks if is_reported else [])
    assert "contactors_closed" in [name for _, name, _ in rig.observer.timeline[-20:]]


def close(rack):
    return 0x100 + 0x20 * (rack + 1) + 0x1F, bytes((1, 0, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize("open_us, is_reported", [(220_000, False), (220_001, True)])
def test_a_contact_latches_once_its_row_has_had_its_time(open_us, is_reported):
    seen = Observer(wiring(40_300, 40_420))
    tap = seen.rtu_tap("io")
    for time_us, bits in ((0, 0xFF), (1000, 0xFE), (1000 + open_us, 0xFF)):
        tap(time_us, 1, with_crc(bytes((1, 2, 1, bits))))
    seen.can_tap("can0")(300_000, *close(0))
    assert any(["row 1a is latched" in line for line in seen.violations]) == is_reported


@cases("""stage  values  beyond_us  kind
    "21a"  {"degC_max": 65.0}  1_200_000  2
    "20b"  {"degC_max": 55.0}  2_200_000  1
    "29"  {"cell_V_max": 3.65}  2_200_000  1
    "33"  {"cell_V_min": 2.0}  1_200_000  2""")
def test_a_value_of_a_rack_latches_once_its_row_has_had_its_time(stage, values, beyond_us, kind):
    near = {
        name: value + (0.01 if name == "cell_V_min" else -0.1) for name, value in values.items()
    }
    for last_us, is_latched in ((beyond_us, False), (beyond_us + 1, True)):
        seen = Latches()
        for time_us, racks in ((0, [{}, near]), (1000, [{}, values]), (1000 + last_us, [near, {}])):
            seen.racks(time_us, racks)
        assert (seen.stages.get(stage) == kind) == is_latched
    seen.reset(kind - 1)
    assert stage in seen.stages
    seen.reset(kind)
    assert stage not in seen.stages


def test_values_of_a_silent_rack_latch_nothing():
    rig = start.started(CONFIG, COURSES["46c start"])
    rig.run(1.0)
    last_us = max(rig.observer.bms_us)
    assert len(rig.observer.heard_racks(last_us)) == 3
    assert rig.observer.heard_racks(last_us + 400_001) == []


def test_reported_values_of_a_rack():
    rig = start.started(CONFIG, COURSES["46c start"])
    rig.run(1.5)
    for number, rack in enumerate(rig.plant.racks):
        values = rig.observer.reported_rack(number)
        assert values["current_A"] == pytest.approx(rack.current_A, abs=0.1)
        assert values["cell_V_min"] == pytest.approx(rack.cell_voltage_V_min, abs=2e-3)
        assert values["cell_V_max"] == pytest.approx(rack.cell_voltage_V_max, abs=2e-3)
        assert values["degC_max"] == pytest.approx(max(rack.temperatures_degC), abs=0.1)
    assert rig.observer.units[0].reported_W == 0 and of_rack({}) == {}


def test_only_a_whole_reply_reports_the_power():
    power = Power(1, 40_080, 10)
    request = with_crc(struct.pack(">BBHH", 1, 3, 40_078, 4))
    reply = with_crc(struct.pack(">BBB4h", 1, 3, 8, 1, 2, -300, 4))
    other = with_crc(struct.pack(">BBHH", 1, 3, 40_081, 4))
    for frames, expected_W in (
        ([reply], None),
        ([other, reply], None),
        ([request, reply[:-1]], None),
        ([request, reply], -3000),
    ):
        for frame in frames:
            power.see(int(frame[:3] == reply[:3]), frame)
        assert power.last_W == expected_W


@pytest.mark.parametrize("place", range(4))
def test_each_place_of_a_frame_counts(place):
    """A charging current; one module at 45 degC in this place, one at 25 degC, two not fitted."""
    raw = [0xFFF] * 4
    raw[place], raw[place - 1] = 1050, 850
    word = sum(each << 12 * at for at, each in enumerate(raw))
    frames = {2: struct.pack("<Hh4x", 7000, -805), 9: word.to_bytes(8, "little")}
    assert of_rack(frames) == {"current_A": -80.5, "degC_max": 45.0}
