"""The kernel's numbers that are in no table, written a second time with their origin.

A time that is a millisecond longer is the same number of ticks, a bound against overflow is never
reached, and both ends of the link would change together.
"""

import importlib

import pytest

from safety import matrix as m, permit, signals as s
from safety.mcu import loop

CONTACTS = tuple(
    "estop_1_ok estop_2_ok fire_alarm_ok suppression_ok gas_relay_ok airflow_ok "
    "bms_fault_ok".split()
)
COMBUSTIBLE = (s.G_GAS_1, s.GAS_1_LFL_PERMILLE), (s.G_GAS_2, s.GAS_2_LFL_PERMILLE)
VAPOUR = (s.G_OFFGAS_1, s.OFFGAS_1_PPM), (s.G_OFFGAS_2, s.OFFGAS_2_PPM)
ALERTS = (
    (m.F_GAS_OR_SMOKE_ALERT, (2, 3, 4, 5, *range(7, 13), 21)),
    (m.F_GAS_ALERT, (*range(7, 13),)),
    (m.F_HEATING_ALERT, (22, 23)),
    (m.F_ANY_SIGN, (*range(7, 24),)),
)
BOOT = ("image_changed", "step_late_ms", "boot_not_clean", "boot_store_unreadable")
OWN_FEATURES = (*CONTACTS[:2], "estop_discrepancy", *CONTACTS[2:5], CONTACTS[6], *BOOT)
# module, name, value, origin
NUMBERS = (
    ("tapers", "TAPER_DDEGC", ((400, 500), (450, 550)), "rows 18 to 20: charging, discharging"),
    ("tapers", "COLD_NONE_DDEGC", (0, -200), "row 25: 0 and -20 degC"),
    ("tapers", "COLD_SPAN_DDEGC", 100, "project: from 10 K above row 25"),
    ("tapers", "TAPER_STAGES", (("18a", "20a", "25a"), ("18b", "20b", "25b")), "the same rows"),
    ("tapers", "SOC_TAPER_PERMILLE", ((970, 1000), (30, 0)), "project: the last 3 %"),
    ("tapers", "FULL_PERMILLE", 1000, "all of it"),
    ("bounds", "TEST_PERMILLE", 50, "design, TEST mode: 5 % of rated"),
    ("frame", "FRAME_EVERY_TICKS", 2, "design: 40 ms"),
    ("channel", "SEQUENCE_AHEAD_MAX", 25, "0.5 s of frames, one each 20 ms"),
    ("frame", "SHARED_NAMES", CONTACTS, "design; and the BMS's own trip, row 30"),
    ("contactors", "STILL_CLOSED", 1, "a code that the first step tells from none"),
    ("contactors", "LOST", 2, "a code of its own"),
    ("evidence", "VOLTAGE_MV_MIN", 1000, "row 37: ohm per volt, of whole volts"),
    ("features", "TICKS_FOR_MS_MAX", 1_000_000, "times 1000 ms a tick is below 2^30"),
    ("features", "NOC_TICKS_MAX", 10_000_000, "two days of 20 ms"),
    ("gas", "COMBUSTIBLE", COMBUSTIBLE, "rows 11, 12"),
    ("gas", "HALF_S", 5, "project: half of row 10's 10 s"),
    ("gas", "RISE_S", 10, "row 10: 5 ppm/s for 10 s"),
    ("gas", "TOXIC", ((s.G_TOXIC, s.TOXIC_PPM),), "rows 9, 10"),
    ("gas", "VAPOUR", VAPOUR, "rows 7, 8"),
    ("heating", "HISTORY_S", 30, "row 22: for 30 s"),
    ("heating", "FAST_S", 10, "row 23: 0.2 K/s for 10 s"),
    ("heating", "FASTEST_S", 3, "row 23: 1 K/s for 3 s"),
    ("heating", "RISING_DDEGC", 2, "project: above the noise of 0.1 K"),
    ("heating", "ZERO_MARGIN_DDEGC", 100, "row 45, project: the spread that row 26 warns of"),
    ("heating", "UK_PER_DDEGC", 100_000, "0.1 K in millionths"),
    ("image_check", "CRC_STEPS", 100, "2 s of 20 ms for the whole image"),
    ("kernel", "ELAPSED_MAX", 1_000_000, "times 1000 ms a tick is below 2^30"),
    ("latches", "HOUR_MS", 3_600_000, "an hour"),
    ("latches", "TOKENS", 3, "design: three remote resets an hour"),
    ("matrix", "CONFLICTS", ((2, 3, "agent_hold_off_ms", "A32, D1, D2"),), "row 3: the fan"),
    ("matrix", "ALERTS", ALERTS, "rows 15, 16: any gas or smoke; 48: gas; 8: heat rate; 24"),
    ("peer", "DISAGREE_MS", 500, "row 1: contacts that disagree for 0.5 s"),
    ("peer", "CLOCK_WINDOW_MS", 5000, "project: two windows of 5 s"),
    ("peer", "CLOCK_PERMILLE_MAX", 20, "project: 2 %, far above a crystal's error"),
    ("peer", "OWN_TICKS_MAX", 1_000_000, "as the kernel's late step"),
    ("permit", "W_FUSE", 0, "a place"),
    ("permit", "RETRY_MS", 10_000, "foxBMS bms_cfg.h: 10 s before the next attempt"),
    ("permit", "UNKNOWN_CURRENT_MS", 200, "silence ladder: 3 s and 3.2 s"),
    ("permit", "STOPPING_MS_MAX", 5000, "project: a controlled stop ends"),
    ("permit", "RELAY_MS", 1000, "project: relay and off-delay"),
    ("permit", "TEST_MS", 60_000, "design, TEST mode: 60 s"),
    ("permit", "FAILURES_MAX", 3, "row 38: three tries"),
    ("racks", "BAD_FRAMES_MAX", 1000, "project: the bucket is full"),
    ("racks", "ZERO_CURRENT_MA", 2000, "row 35: the larger of 2 A and 1 %"),
    ("racks", "DROP_S", 3, "row 24: within 2 s, and the second that passes between two looks"),
    ("racks", "LOAD_SAG_MV", 150, "project: at rated current"),
    ("runaway", "SIGN_PCT_MAX", 100, "a sign counts once"),
    ("runaway", "SECOND_PCT_MIN", 25, "project: below it there is no second sign"),
    ("second_image", "OWN_FEATURES", OWN_FEATURES, "the rows that B holds alone; its own row 44"),
    ("second", "RELAY_MS", 200, "project: a relay takes 20 ms"),
    ("second_image", "IMAGE_FILE_MAGIC", 0x31424D49, "IMB1, little end first"),
)


@pytest.mark.parametrize(
    "module, name, value, origin", NUMBERS, ids=[f"{row[0]}.{row[1]}" for row in NUMBERS]
)
def test_a_number_is_what_its_origin_says(module, name, value, origin):
    assert getattr(importlib.import_module("safety." + module), name) == value, origin


def test_the_states_that_go_together():
    """Safety README, "Safe states"."""
    assert permit.AT_REST == (s.INHIBITED, s.READY)
    assert permit.STARTING == (s.INHIBITED, s.READY, s.CLOSING)
    assert permit.ENERGISED == (s.CLOSING, s.RUNNING, s.STOPPING)
    assert permit.LIVE == (s.CLOSING, s.RUNNING, s.STOPPING, s.TRIPPED)
    assert permit.ENDING == (s.STOPPING, s.TRIPPED)
    assert importlib.import_module("safety.kernel").POWERED == (s.RUNNING, s.STOPPING, s.TRIPPED)
    assert len(loop.LINE) == 64, "more than a frame at a time"
