"""What the whole kernel does over time: start, silence ladders, stops, opening rules. Times are in
ticks of 20 ms.
"""

import itertools

import pytest
from bench import Bench

from safety import evidence
from safety import parameters as p
from safety import signals as s

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


def test_latches_of_the_last_run_stand_again_after_boot():
    bench = Bench()
    bench.kernel.boot(0, 0, (0, 3))
    assert bench.step(50).standing() == ["1a", "2"]
    assert bench.out[s.STATE] == s.INHIBITED


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


def test_a_late_step_trips_row_44_and_a_nearly_late_one_does_not():
    bench = Bench().run()
    assert bench.step(1, elapsed=24).standing() == []
    assert bench.step(1, elapsed=25).standing() == ["44b"]
    assert bench.out[s.PCS_ENABLE_OK] == 0


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
