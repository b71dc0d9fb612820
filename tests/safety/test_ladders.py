"""What the whole kernel does over time: start, silence ladders, stops, opening rules. Times are in
ticks of 20 ms.
"""

import itertools

import pytest
from bench import Bench, default_image

from safety import bounds, evidence
from safety import matrix as m
from safety import parameters as p
from safety import signals as s
from safety.kernel import CRC_STEPS

TICK_MS = 20


def ticks(duration_ms):
    """Ticks of a duration."""
    return p.ticks(duration_ms, TICK_MS)


def bms_groups(bench, rack=0):
    """All freshness groups of a rack's BMS."""
    return {bench.layout.rack_group(rack, group) for group in range(len(s.RACK_GROUPS))}


def pcs_groups(bench):
    """Both freshness groups of the first PCS."""
    return {bench.layout.unit_group(0, group) for group in range(len(s.UNIT_GROUPS))}


def test_a_healthy_cabinet_starts_in_order():
    bench = Bench(racks=3)
    seen = []
    for _ in range(20):
        bench.step()
        told = bench.rack(s.CONTACTOR_CLOSE_OK, 2)
        seen.append(
            (bench.out[s.STATE], bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK], told)
        )
    levels = list(dict.fromkeys(itertools.groupby(seen)))
    assert [level for level, _ in levels] == [
        (s.READY, 0, 0, 0),
        (s.CLOSING, 1, 1, 0),
        (s.CLOSING, 0, 1, 0),
        (s.CLOSING, 1, 1, 0),
        (s.CLOSING, 1, 0, 0),
        (s.CLOSING, 0, 1, 0),
        (s.CLOSING, 0, 1, 1),
        (s.CLOSING, 1, 1, 1),
        (s.RUNNING, 1, 1, 1),
    ]


EVIDENCE = [
    (evidence.I_IO_1, lambda b: b.silent.add(s.G_IO_1)),
    (evidence.I_IO_2, lambda b: b.silent.add(s.G_IO_2)),
    (evidence.I_METER, lambda b: b.silent.add(s.G_METER_GRID)),
    (evidence.I_METER, lambda b: b.silent.add(s.G_METER_LOAD)),
    (evidence.I_GAS, lambda b: b.silent.add(s.G_GAS_1)),
    (evidence.I_GAS, lambda b: b.silent.add(s.G_GAS_2)),
    (evidence.I_PCS, lambda b: b.silent.add(b.layout.unit_group(0, s.G_PCS_MEASURE))),
    (evidence.I_PCS, lambda b: b.silent.add(b.layout.unit_group(0, s.G_PCS_CONTROL))),
    (evidence.I_CELLS, lambda b: b.set_rack(s.CELLS_ONLINE, 239)),
    (evidence.I_CURRENT, lambda b: b.set_rack(s.RACK_CURRENT_MA, 7000)),
    (evidence.I_CURRENT, lambda b: b.set_rack(s.RACK_CURRENT_MA, -7000)),
    (evidence.I_INTERLOCK, lambda b: b.inp.__setitem__(s.KEY_RUN_OK, 0)),
    (evidence.I_LOCKED, lambda b: b.inp.__setitem__(s.LOCK_OUT_OK, 0)),
    (evidence.I_IO_3, lambda b: b.silent.add(s.G_IO_3)),
    (evidence.I_GAS, lambda b: b.silent.add(s.G_OFFGAS_1)),
    (evidence.I_GAS, lambda b: b.silent.add(s.G_OFFGAS_2)),
    (evidence.I_GAS, lambda b: b.silent.add(s.G_TOXIC)),
    (evidence.I_CLIMATE, lambda b: b.silent.add(s.G_CLIMATE)),
    (evidence.I_UPS, lambda b: b.silent.add(s.G_UPS)),
    (evidence.I_VOLTAGES, lambda b: b.set_rack(s.RACK_VOLTAGE_MV, 793_001)),
    (evidence.I_CONTACTOR, lambda b: setattr(b, "welded", True)),
] + [
    (evidence.I_BMS, lambda b, group=group: b.silent.add(b.layout.rack_group(1, group)))
    for group in range(len(s.RACK_GROUPS))
]


@pytest.mark.parametrize("reason, spoil", EVIDENCE)
def test_each_missing_piece_of_evidence_inhibits_without_latching(reason, spoil):
    bench = Bench(racks=2)
    spoil(bench)
    # row 39 latches a current through open contactors, and welded ones, after 0.3 s
    bench.step(ticks(300) - 1)
    assert bench.out[s.STATE] == s.INHIBITED
    assert bench.out[s.INHIBIT_REASON] == reason
    assert (
        bench.out[s.PCS_ENABLE_OK],
        bench.out[s.CONTACTOR_SUPPLY_OK],
        bench.out[s.LATCHED_COUNT],
    ) == (0, 0, 0)
    assert not bench.rack(s.CONTACTOR_CLOSE_OK)


@pytest.mark.parametrize("relay", [s.PERMIT_1_CLOSED, s.PERMIT_2_CLOSED])
def test_a_permit_relay_that_is_not_dropped_inhibits(relay):
    bench = Bench()
    follow = bench._follow

    def stuck():
        follow()
        bench.inp[relay] = 1

    bench._follow = stuck
    assert bench.step(50).out[s.INHIBIT_REASON] == evidence.I_PERMIT


def test_nothing_closes_before_armed_is_stored():
    bench = Bench()
    follow = bench._follow

    def not_stored():
        follow()
        bench.inp[s.ARMED_STORED] = 0

    bench._follow = not_stored
    bench.step(50)
    assert bench.out[s.ARM_REQUEST] == 1
    assert bench.out[s.STATE] == s.READY
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0


@pytest.mark.parametrize(
    "unclean, unreadable, stage, kind", [(1, 0, "44c", m.REMOTE), (0, 1, "44d", m.KEY)]
)
def test_an_unclean_or_unreadable_store_latches_until_reset(unclean, unreadable, stage, kind):
    bench = Bench()
    bench.kernel.boot(unclean, unreadable, ())
    bench.step(400)
    assert bench.standing() == [stage]
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0
    if kind == m.KEY:
        assert bench.reset(m.REMOTE).step().out[s.RESET_RESULT] == 5
        bench.key_reset()
    assert bench.reset(kind).step().out[s.RESET_RESULT] == 1
    bench.inp[s.KEY_RUN_OK] = 1
    assert bench.step(20).out[s.STATE] == s.RUNNING


def test_latches_of_the_last_run_stand_again_after_boot():
    bench = Bench()
    bench.kernel.boot(0, 0, (0, 3))
    assert bench.step(50).standing() == ["1a", "2"]
    assert bench.out[s.STATE] == s.INHIBITED


@pytest.mark.parametrize("latched", [(0, 3), (3, 0), (3, 0, 5)])
def test_the_first_of_what_was_latched_is_the_first_out(latched):
    bench = Bench()
    bench.kernel.boot(1, 0, latched)
    assert (
        bench.step().out[s.FIRST_OUT_INSTANCE] == latched[0]
        and bench.step(50).out[s.FIRST_OUT] == latched[0]
    )


def test_bms_silence_ladder():
    bench = Bench().run()
    full_W = bench.unit(s.DISCHARGE_W_MAX)
    bench.silent |= bms_groups(bench)
    bench.step(ticks(500) - 1)
    assert bench.standing() == [] and bench.unit(s.DISCHARGE_W_MAX) == full_W
    bench.step()
    assert bench.standing() == ["40a"]
    falling = [bench.step().unit(s.DISCHARGE_W_MAX) for _ in range(ticks(500) - 1)]
    assert falling == sorted(falling, reverse=True) and falling[0] > falling[-1] > 0
    assert bench.step().unit(s.DISCHARGE_W_MAX) == 0
    assert bench.standing() == ["40a", "40b"]
    assert bench.out[s.PCS_ENABLE_OK] == 1
    bench.step(ticks(2000) - 1)
    assert bench.out[s.PCS_ENABLE_OK] == 1
    bench.step()
    assert bench.standing() == ["40a", "40b", "40c"]
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (0, 1)
    bench.step(ticks(200) - 1)
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0, "3.2 s: the current is not known"


def test_one_silent_frame_group_is_a_silent_bms():
    for group in range(len(s.RACK_GROUPS)):
        bench = Bench(racks=2).run()
        bench.silent.add(bench.layout.rack_group(1, group))
        bench.step(ticks(1000))
        assert "40b" in bench.standing(), s.RACK_GROUPS[group]


def test_pcs_silence_ladder():
    bench = Bench().run()
    bench.silent |= pcs_groups(bench)
    assert bench.step(ticks(2000) - 1).standing() == []
    assert bench.step().standing() == ["41a"]
    bench.step(ticks(1000) - 1)
    assert bench.out[s.PCS_ENABLE_OK] == 1
    bench.step()
    assert bench.standing() == ["41a", "41b"] and bench.out[s.PCS_ENABLE_OK] == 0
    assert bench.step(ticks(2000)).standing() == ["41a", "41b", "41c"]
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0


@pytest.mark.parametrize("group", range(len(s.UNIT_GROUPS)))
def test_a_pcs_that_measures_but_no_longer_obeys_is_silent_too(group):
    """A converter switched to local control answers every read and takes no command (SMA, pysunspec
    #27).
    """
    bench = Bench().run()
    bench.silent.add(bench.layout.unit_group(0, group))
    assert bench.step(ticks(2000)).standing() == ["41a"]


@pytest.mark.parametrize("group", [s.G_IO_1, s.G_IO_2])
def test_a_silent_io_module_stops_at_half_a_second(group):
    bench = Bench().run()
    bench.silent.add(group)
    assert bench.step(ticks(500) - 1).standing() == []
    assert bench.step().standing() == ["49"]
    assert (bench.out[s.PCS_ENABLE_OK], bench.out[s.CONTACTOR_SUPPLY_OK]) == (0, 0), (
        "current is zero: opens at once"
    )
    assert bench.unit(s.DISCHARGE_W_MAX) == 0


def test_a_silent_meter_forbids_charging_and_drops_obligations_and_recovers_by_itself():
    bench = Bench().run()
    full_W = bench.unit(s.DISCHARGE_W_MAX)
    bench.silent.add(s.G_METER_GRID)
    bench.step(ticks(500))
    assert bench.standing() == ["50a"]
    assert bench.unit(s.CHARGE_W_MAX) == 0 and bench.unit(s.DISCHARGE_W_MAX) == full_W
    bench.step(2)
    assert bench.out[s.OBLIGATIONS_OK] == 0
    bench.silent.clear()
    bench.step(ticks(1000) + 2)
    assert (
        bench.standing() == []
        and bench.unit(s.CHARGE_W_MAX) > 0
        and bench.out[s.OBLIGATIONS_OK] == 1
    )


def test_a_frozen_meter_is_noticed_at_five_seconds():
    bench = Bench().run()
    follow = bench._follow

    def frozen():
        follow()
        bench.inp[s.GRID_RAW_HASH] = 5

    bench._follow = frozen
    bench.step(ticks(5000))
    assert bench.standing() == []
    bench.step()
    assert bench.standing() == ["50b"]
    assert bench.unit(s.CHARGE_W_MAX) == 0 and bench.out[s.OBLIGATIONS_OK] == 0


def test_never_seen_is_not_silent():
    bench = Bench()
    bench.silent |= (
        bms_groups(bench)
        | pcs_groups(bench)
        | {s.G_IO_1, s.G_IO_2, s.G_METER_GRID, s.G_GAS_1, s.G_GAS_2}
    )
    bench.step(2000)
    assert bench.standing() == [] and bench.out[s.STATE] == s.INHIBITED


@pytest.mark.parametrize("contact", [s.ESTOP_1_OK, s.ESTOP_2_OK])
def test_either_estop_contact_stops_in_the_tick_that_sees_it(contact):
    bench = Bench().run()
    bench.inp[contact] = 0
    bench.step()
    assert bench.out[s.PCS_ENABLE_OK] == 0 and bench.unit(s.DISCHARGE_W_MAX) == 0
    assert bench.out[s.HORN_ON] and bench.out[s.RED_LAMP_ON] and not bench.out[s.SUPERVISORY_OK]
    bench.step(ticks(500))
    assert "1c" in bench.standing(), "contacts that disagree for 0.5 s are their own stage"


def test_estop_opens_under_load_after_200_ms():
    bench = Bench().run()
    bench.set_rack(s.RACK_CURRENT_MA, 100_000)
    bench.inp[s.ESTOP_1_OK] = bench.inp[s.ESTOP_2_OK] = 0
    bench.step(ticks(200))
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def test_gas_at_25_pct_never_opens_under_load():
    bench = Bench().run()
    bench.set_rack(s.RACK_CURRENT_MA, 100_000)
    bench.inp[s.GAS_1_LFL_PERMILLE] = 250
    bench.step()
    assert bench.out[s.PCS_ENABLE_OK] == 0 and bench.out[s.FAN_ON] == 1
    bench.inp[s.ESTOP_1_OK] = 0
    bench.step(ticks(60_000))
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1, (
        "row 12: no time limit on waiting for zero current"
    )
    bench.set_rack(s.RACK_CURRENT_MA, 6_999)
    assert bench.step().out[s.CONTACTOR_SUPPLY_OK] == 0


def test_a_trip_at_zero_opens_after_two_seconds_at_the_latest():
    bench = Bench().run()
    bench.set_rack(s.RACK_CURRENT_MA, 60_000)
    bench.set_rack(s.CELL_VOLTAGE_MV_MAX, 3650)
    bench.step(ticks(2000))
    assert "29" in bench.standing() and bench.out[s.PCS_ENABLE_OK] == 0
    bench.step(ticks(2000) - 1)
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 1
    bench.step(2)
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0


def test_ramp_to_zero_takes_at_most_two_seconds_and_never_rises():
    bench = Bench().run()
    bench.set_rack(s.RACK_CURRENT_MA, 150_000)
    bench.step(ticks(10_000) - 1)
    assert bench.standing() == []
    falling = [bench.step().unit(s.DISCHARGE_W_MAX) for _ in range(ticks(2000) + 1)]
    assert bench.standing() == ["35a"]
    assert falling == sorted(falling, reverse=True)
    assert falling[10] > 0 and falling[-1] == 0


def test_controlled_stop_ramps_opens_and_says_clean():
    bench = Bench().run()
    bench.inp[s.RUN_REQUEST] = 0
    bench.step(2)
    assert bench.out[s.STATE] in (s.STOPPING, s.INHIBITED, s.READY)
    bench.step(ticks(6000))
    assert bench.out[s.STATE] == s.READY
    assert (bench.out[s.CONTACTOR_SUPPLY_OK], bench.out[s.ARM_REQUEST]) == (0, 0)


def test_contactors_that_do_not_close_in_time_end_the_attempt():
    bench = Bench()
    bench._follow, follow = (
        (lambda: (follow(), bench.set_rack(s.CONTACTOR_STATE, s.CONTACTOR_OPEN))),
        bench._follow,
    )
    states = [bench.step().out[s.STATE] for _ in range(ticks(5000) + 20)]
    assert s.RUNNING not in states
    assert states[-1] == s.INHIBITED and bench.out[s.INHIBIT_REASON] == evidence.I_WAIT
    assert bench.out[s.CONTACTOR_SUPPLY_OK] == 0


def test_a_reset_must_name_what_stands():
    bench = Bench().run()
    bench.silent |= bms_groups(bench)
    bench.step(ticks(1200))
    bench.silent.clear()
    bench.step(ticks(5000) + 60)
    assert bench.standing() == ["40b"]
    bench.reset()
    bench.inp[s.RESET_MASK] ^= 1
    assert bench.step().out[s.RESET_RESULT] == 2
    bench.reset()
    bench.inp[s.RESET_FIRST_OUT] += 1
    assert bench.step().out[s.RESET_RESULT] == 2
    assert bench.reset().step().out[s.RESET_RESULT] == 1
    assert bench.standing() == []


def test_a_reset_needs_five_clear_seconds():
    bench = Bench().run()
    bench.silent |= bms_groups(bench)
    bench.step(ticks(1000))
    bench.silent.clear()
    bench.step(ticks(5000) - 2)
    assert bench.reset().step().out[s.RESET_RESULT] == 3
    assert bench.reset().step().out[s.RESET_RESULT] == 1


def test_three_remote_resets_an_hour_and_the_fourth_waits():
    bench = Bench().run()

    def trip_and_reset():
        bench.silent.update(bms_groups(bench))
        bench.step(ticks(1000))
        bench.silent.clear()
        bench.step(ticks(6100))
        return bench.reset().step().out[s.RESET_RESULT]

    assert [trip_and_reset() for _ in range(4)] == [1, 1, 1, 4]
    assert bench.out[s.RESETS_LEFT] == 0
    bench.kernel.latches.token_age[0] = ticks(3_600_000) - 1
    bench.step()
    assert bench.reset().step().out[s.RESET_RESULT] == 1


def test_a_remote_reset_never_clears_a_key_latch():
    bench = Bench().run()
    bench.inp[s.FIRE_ALARM_OK] = 0
    bench.step(20)
    bench.inp[s.FIRE_ALARM_OK] = 1
    bench.step(ticks(6000))
    assert bench.reset(m.REMOTE).step().out[s.RESET_RESULT] == 5
    assert bench.reset(m.KEY).step().out[s.RESET_RESULT] == 5, "the key is still in RUN"
    assert bench.key_reset().step().out[s.RESET_RESULT] == 1


def test_a_late_step_trips_row_44_and_a_nearly_late_one_does_not():
    bench = Bench().run()
    assert bench.step(1, elapsed=24).standing() == []
    assert bench.step(1, elapsed=25).standing() == ["44b"]
    assert bench.out[s.PCS_ENABLE_OK] == 0


def test_a_changed_image_trips_row_44_within_its_scan_time():
    image = default_image()
    bench = Bench(image).run()
    image[len(image) // 2] ^= 1
    bench.step(2 * CRC_STEPS + 2)
    assert bench.standing() == ["44a"]


@pytest.mark.parametrize(
    "signal, limit",
    [(s.CHARGE_CURRENT_MA_MAX, s.CHARGE_W_MAX), (s.DISCHARGE_CURRENT_MA_MAX, s.DISCHARGE_W_MAX)],
)
def test_a_bms_limit_of_zero_means_zero_at_once(signal, limit):
    """CCL = 0 stays 0 (Louisvdw/dbus-serialbattery #107, venus #1358), in the tick that sees it
    (EVerest #1223).
    """
    bench = Bench(racks=3).run()
    bench.set_rack(signal, 0, rack=2)
    assert bench.step().unit(limit) == 0
    assert (
        bench.unit(s.DISCHARGE_REASON if limit == s.DISCHARGE_W_MAX else s.CHARGE_REASON)
        == bounds.L_BMS_CURRENT
    )


def test_a_recovering_limit_rises_slowly():
    """A limit that toggles does not become a square wave (Battery-Emulator #2607)."""
    bench = Bench(racks=3).run()
    bench.set_rack(s.DISCHARGE_CURRENT_MA_MAX, 0)
    bench.step()
    bench.set_rack(s.DISCHARGE_CURRENT_MA_MAX, 140_000)
    rising = [bench.step().unit(s.DISCHARGE_W_MAX) for _ in range(50)]
    assert rising == sorted(rising)
    assert rising[-1] <= 250_000 * 50 // 1000 + 50 * 2


def test_dc_limits_convert_on_the_safe_side():
    bench = Bench(racks=3).run()
    for rack in range(3):
        bench.set_rack(s.DISCHARGE_CURRENT_MA_MAX, 36_400, rack)
        bench.set_rack(s.RACK_VOLTAGE_MV, 769_000, rack)
    bench.step()
    exact_W = 3 * 36.4 * 769 * 0.97 * 0.97
    assert exact_W - 300 < bench.unit(s.DISCHARGE_W_MAX) <= exact_W


def test_never_one_output_without_the_other_side_of_the_drop_order():
    """PCS enable never stays while the contactor supply is gone."""
    for contact in (
        s.ESTOP_1_OK,
        s.FIRE_ALARM_OK,
        s.SUPPRESSION_OK,
        s.GAS_RELAY_OK,
        s.BMS_FAULT_OK,
    ):
        bench = Bench().run()
        bench.inp[contact] = 0
        for _ in range(300):
            bench.step()
            assert not (bench.out[s.PCS_ENABLE_OK] and not bench.out[s.CONTACTOR_SUPPLY_OK])
