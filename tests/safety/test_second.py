"""Channel B: its image, its permit, the causes that drop it alone, resets of its latches."""

import pytest
from bench import default_image
from channel_b_bench import CLOSED, DISAGREE_TICKS, EXPIRY_TICKS, ChannelB, permitting

from safety import (
    channel as c,
    frame as f,
    latches,
    matrix as m,
    parameters as p,
    peer as pe,
    second as sc,
    second_image as si,
    signals as s,
)
from safety.kernel import Kernel
from tests.tables import cases

STAGE = {row[m.S_ID]: index for index, row in enumerate(m.STAGES)}
CABINET = [stage for stage in m.STAGES if stage[m.S_SCOPE] == s.CABINET]
LATCHING = [index for index, stage in enumerate(CABINET) if stage[m.S_LATCH] != m.SELF]


def _bit(name):
    return 1 << sc.CONTACT_NAMES.index(name)


def _armed(image):
    first = si.image_map_of(image).armed
    return [stage[m.S_ID] for place, stage in enumerate(CABINET) if image[first + place]]


def test_all_that_it_has_no_wires_for_counts_as_not_fitted():
    ends = ("_fitted", "_detectors", "_required", "_zones")
    equipment = {row[0] for row in p.CABINET_PARAMETERS if row[0].endswith(ends)}
    assert set(si.OF_A_ONLY) == equipment - {"bms_fault_contact_fitted"}
    assert set(si.OWN_FEATURES) <= set(m.CABINET_FEATURES)


@pytest.mark.parametrize("units, racks, modules", [(1, 1, 15), (1, 3, 15), (4, 16, 64)])
def test_its_image_is_that_of_a_with_what_it_can_see(units, racks, modules):
    image = default_image(units=units, racks=racks, modules=modules)
    mine = si.own_image(image)
    ours, theirs = si.image_map_of(mine), si.image_map_of(image)
    assert len(mine) == ours.words
    assert list(mine[: len(p.HEADER)]) == [image[0], 0, 0, 0, image[p.H_TICK_MS]]
    assert mine[ours.stage : ours.armed] == image[theirs.stage : theirs.armed]
    for index, row in enumerate(p.CABINET_PARAMETERS):
        expected = 0 if row[0] in si.OF_A_ONLY else image[theirs.cabinet + index]
        assert mine[ours.cabinet + index] == expected
    Kernel(mine)
    rows = {m.STAGES[STAGE[name]][m.S_ROW] for name in _armed(mine)}
    assert rows == {1, 2, 3, 12, 30, 40, 44} and "50a" not in _armed(mine)


def test_the_file_of_the_image_comes_out_as_it_went_in():
    image = default_image(racks=3)
    image[-1] = -5
    assert si.read_file(si.file_bytes(image)) == image


@pytest.mark.parametrize("at", [0, 3, 4, 8, 100, -1])
def test_a_spoilt_image_file_is_refused(at):
    data = bytearray(si.file_bytes(default_image()))
    data[at] ^= 4
    for spoilt in (data, data[:at], data[:-1] + data[-1:] * 2, b""):
        with pytest.raises(ValueError, match="limit image"):
            si.read_file(bytes(spoilt))


@pytest.mark.parametrize("words", range(len(p.HEADER) + 1))
def test_an_image_too_short_or_of_another_schema_or_topology_is_refused(words):
    image = si.read_file(si.file_bytes(default_image()[:words]))
    assert len(image) == words
    images = [image, default_image(), default_image()]
    images[1][p.H_SCHEMA] += 1
    images[2][p.H_RACKS] += 1
    for each in images:
        with pytest.raises(ValueError, match="schema or topology"):
            sc.Second(each, 0)


@pytest.mark.parametrize("name", f.SHARED_NAMES)
def test_a_contact_is_fitted_where_a_row_that_looks_at_it_is_armed(name):
    feature = {contact: feature for feature, contact in si.CONTACT_OF_FEATURE.items()}
    image, without = default_image(), default_image()
    first = si.image_map_of(image).armed
    for place, stage in enumerate(CABINET):
        looks = m.CABINET_FEATURES[stage[m.S_FEATURE]] == feature.get(name, name)
        image[first + place] = int(looks)
        without[first + place] &= not looks
    second = sc.Second(image, 0)
    assert second.fitted_bits == _bit(name)
    assert second.opening_bits == (0 if name == "airflow_ok" else _bit(name))
    second = sc.Second(without, 0)
    assert second.fitted_bits == CLOSED & ~_bit(name)
    assert name != "suppression_ok" or "3" not in _armed(second.kernel.image)


def test_nothing_is_permitted_or_sent_before_the_first_step():
    second = sc.Second(default_image(), 0)
    assert (second.permit, second.reason, second.subject) == (0, pe.NOT_HEARD, 0)
    assert (second.latch_level, second.frame_due, second.kernel.out[s.CAUSE_MASK]) == (0, False, 0)
    second.report()
    fields = (f.VOTE, f.REASON, f.SIGNAL_BITS, f.RESET_RESULT)
    assert [second.sender.frame.get(field) for field in fields] == [0, pe.NOT_HEARD, 0, 0]


def test_two_frames_before_the_first_step_are_no_rest():
    for vote, reason in enumerate(("none", "waits until the other gives no permit")):
        bench = ChannelB().hear(vote=vote).hear(vote=vote).alone()
        assert (bench.why, bench.second.permit) == (reason, 1 - vote)


def test_a_reset_before_the_first_step_is_taken():
    bench = ChannelB(level=m.REMOTE).hear(reset_kind=m.REMOTE).hear().alone(2)
    assert bench.told(f.RESET_RESULT) == latches.CHANGED


@pytest.mark.parametrize("name", f.SHARED_NAMES)
def test_each_contact_drops_the_permit_without_channel_a(name):
    """Channel A's frames still report closed; stopped at the same moment it changes nothing."""
    bench, ticks = permitting(), 0
    bench.contacts &= ~_bit(name)
    while bench.second.permit and ticks < 60:
        bench.step()
        ticks += 1
    own = [stage for stage in CABINET if m.CABINET_FEATURES[stage[m.S_FEATURE]] == name]
    alone = permitting()
    alone.contacts &= ~_bit(name)
    alone.alone(10)
    assert (alone.why == "interlock") == (name != "airflow_ok") == (not alone.second.permit)
    if own:
        debounce = max(1, p.ticks(own[0][m.S_SET_MS], 20))
        assert (ticks, bench.why) == (debounce, "interlock")
        assert m.STAGES[bench.second.subject - 1][m.S_ID] == own[0][m.S_ID]
    else:
        assert (ticks, bench.why) == (DISAGREE_TICKS, "signal disagrees")
        assert f.SHARED_NAMES[bench.second.subject - 1] == name


def test_after_a_silence_it_returns_only_when_the_other_gives_none():
    bench = permitting().alone(EXPIRY_TICKS)
    assert bench.step(20, vote=1).why == "waits until the other gives no permit"
    assert bench.step(1, vote=0).second.permit


def test_an_open_contact_holds_the_first_permit_at_once():
    bench = ChannelB()
    bench.contacts &= ~_bit("fire_alarm_ok")
    assert not any(bench.step().second.permit for _ in range(20))
    bench = ChannelB()
    bench.contacts &= ~_bit("airflow_ok")  # a fan that stands still holds no permit up
    assert bench.step(5, signal_bits=CLOSED & ~_bit("airflow_ok")).second.permit
    assert bench.second.opening_bits == bench.second.fitted_bits & ~_bit("airflow_ok")


@pytest.mark.parametrize("ending", ["none", "relay does not follow"])
def test_a_subject_goes_with_its_reason(ending):
    bench = permitting().step(DISAGREE_TICKS, signal_bits=CLOSED & ~_bit("fire_alarm_ok"), vote=0)
    assert bench.second.subject == 1 + sc.CONTACT_NAMES.index("fire_alarm_ok")
    if ending != "none":
        bench.follows, bench.relay = False, 1
        bench.step(20)
    bench.step(1, signal_bits=CLOSED)
    assert (bench.why, bench.second.subject) == (ending, 0)


def test_ticks_of_a_relay_stay_small_numbers():
    bench = permitting()
    bench.follows, bench.relay = False, 0
    for _ in range(3):
        bench.second.permit = 1
        bench.second._watch_relay(s.TICKS_MAX, CLOSED)
    assert bench.second._relay_ticks == s.TICKS_MAX


@pytest.mark.parametrize("ticks, permit", [(9, 1), (10, 0)])
def test_a_relay_that_does_not_close_takes_the_permit_for_good(ticks, permit):
    bench = ChannelB()
    bench.follows = False
    bench.step(2 + ticks)
    assert bench.second.permit == permit
    bench.follows = True
    assert permit or bench.step(100, vote=0).why == "relay does not follow"
    bench.step(3)
    bench.follows, bench.relay = False, 0  # late again: it counts anew
    assert bench.step(ticks).second.permit == permit


@pytest.mark.parametrize("ticks, why", [(9, "none"), (10, "relay does not follow")])
def test_a_relay_may_open_in_its_time_after_the_start(ticks, why):
    bench = ChannelB()
    bench.follows, bench.relay = False, 1
    bench.step(ticks, vote=0)
    bench.follows = True
    assert bench.step(5).why == why


@cases("""demand level before after
    m.D_PCS  m.PCS_RAMP  1  1 | m.D_PCS  m.PCS_STOP  0  0 | m.D_DC  m.DC_INHIBIT  0  1
    m.D_DC  m.DC_OPEN_AT_ZERO  0  0 | m.D_DC  m.DC_OPEN  0  0
    m.D_DC  m.DC_OPEN_ONLY_AT_ZERO  0  0""")
def test_which_demands_hold_a_first_permit_up_or_take_one(demand, level, before, after):
    for bench, expected in ((ChannelB(), before), (permitting(), after)):
        kernel = bench.second.kernel
        assert bench.second.permit in (0, 1)
        assert (bench.second.permit == 1) == (bench.told(f.VOTE) == 1)
        kernel.judge = lambda elapsed, kernel=kernel: kernel.demand.__setitem__(demand, level)
        assert bench.step(5).second.permit == expected


def _tripped():
    bench = permitting()
    bench.contacts &= ~(_bit("estop_1_ok") | _bit("estop_2_ok"))
    bench.step(5, vote=0, signal_bits=CLOSED & ~3)
    bench.contacts |= CLOSED
    bench.step(260, signal_bits=CLOSED)
    assert bench.why == "interlock" and bench.told(f.FIRST_OUT)
    out, demand = bench.second.kernel.out, bench.second.kernel.demand
    assert demand[m.D_PCS] == m.PCS_STOP and demand[m.D_DC] == m.DC_OPEN
    unread = out[s.ACTIVE_COUNT], out[s.LATCHED_COUNT], demand[m.D_LAMP]
    assert unread == (0, 0, 0), "the step has to fit a microcontroller"
    return bench


def _reset(bench, kind):
    first_out, mask = bench.told(f.FIRST_OUT), bench.told(f.CAUSE_MASK)
    bench.step(3, reset_kind=kind, reset_first_out=first_out, reset_mask=mask)
    return latches.RESULTS[bench.told(f.RESET_RESULT)]


def test_a_key_latch_needs_the_key_at_b_and_the_order_of_a():
    bench = _tripped()
    assert (bench.second.latch_level, _reset(bench, m.REMOTE)) == (m.KEY, "key needed")
    bench.step(2, reset_kind=0)
    assert _reset(bench, m.KEY) == "key needed"  # the key is still in RUN
    bench.step(2, reset_kind=0)
    bench.contacts &= ~sc.KEY_BIT
    assert bench.step(300).why == "interlock"  # the key alone clears nothing
    assert _reset(bench, m.KEY) == "done"
    bench.step(2, reset_kind=0)
    assert bench.second.permit and bench.second.latch_level == 0 and bench.told(f.RESET_RESULT) == 0


def test_an_order_of_a_controller_with_another_image_is_not_taken():
    bench = _tripped()
    bench.contacts &= ~sc.KEY_BIT
    bench.sender.frame.put(f.IMAGE_CRC, 5)
    assert _reset(bench, m.KEY) == "none" and bench.second.latch_level == m.KEY


@pytest.mark.parametrize("level, stage", [(m.REMOTE, "44c"), (m.KEY, "44d")])
def test_what_was_latched_is_latched_after_a_restart(level, stage):
    bench = ChannelB(level=level).step(20)
    assert bench.why == "interlock" and bench.second.subject == STAGE[stage] + 1
    assert bench.second.latch_level == level
    if level == m.KEY:
        bench.contacts &= ~sc.KEY_BIT
    assert (bench.step(300).why, _reset(bench, level)) == ("interlock", "done")
    assert bench.step(2, reset_kind=0).second.permit


@pytest.mark.parametrize("first", LATCHING)
def test_it_remembers_the_strictest_latch_of_any_instance(first):
    second = sc.Second(default_image(), 0)
    kernel, latched = second.kernel, second.kernel.evaluator.latched
    kernel.judge = lambda elapsed: None
    for count, other in enumerate(LATCHING):
        kernel.out[s.CAUSE_MASK] = count + 1  # another one each time, so that it looks again
        latched[first] = latched[other] = 1
        second.step(1, CLOSED)
        assert second.latch_level == max(CABINET[first][m.S_LATCH], CABINET[other][m.S_LATCH])
        latched[first] = latched[other] = second.latch_level = 0


def test_no_instance_is_left_out_whatever_the_table_says_of_its_reset(monkeypatch):
    second = sc.Second(default_image(), 0)
    kernel = second.kernel
    kernel.judge = lambda elapsed: None
    by_key = [(*stage[: m.S_LATCH], m.KEY, *stage[m.S_LATCH + 1 :]) for stage in m.STAGES]
    monkeypatch.setattr(m, "STAGES", tuple(by_key))
    for index in range(kernel.evaluator.count):
        kernel.out[s.CAUSE_MASK] = index + 1
        kernel.evaluator.latched[index] = 1
        second.step(1, CLOSED)
        assert second.latch_level == m.KEY
        kernel.evaluator.latched[index], second.latch_level = 0, m.SELF
    assert index == len(CABINET) - 1


def test_it_looks_at_the_latches_only_when_what_stands_has_changed():
    """40 instances in each step would be a tenth of the instructions that it has."""
    second = sc.Second(default_image(), 0)
    kernel, evaluator = second.kernel, second.kernel.evaluator
    kernel.judge, kernel.evaluator = lambda elapsed: None, None
    second.step(1, CLOSED)
    kernel.out[s.CAUSE_MASK], kernel.evaluator = 5, evaluator
    evaluator.latched[LATCHING[0]] = 1
    second.step(1, CLOSED)
    assert second.latch_level == CABINET[LATCHING[0]][m.S_LATCH]
    kernel.evaluator = None
    second.step(1, CLOSED)
    assert second.latch_level


def test_every_field_of_its_frame():
    bench = permitting()
    second, frame = bench.second, bench.second.sender.frame
    uptime = second.sender.uptime_ticks
    bench.contacts &= ~_bit("gas_relay_ok")
    bench.step(3, elapsed=5)
    assert second.sender.uptime_ticks == uptime + 15
    second.permit, second.reason, second.subject = 1, 9, 300
    second._reset_result, out = latches.NO_TOKENS, second.kernel.out
    out[s.CAUSE_MASK - 1] = out[s.FIRST_OUT_INSTANCE - 1] = 17
    out[s.FIRST_OUT_INSTANCE], out[s.CAUSE_MASK] = 41, 123456789
    second.receive(bytes(frame.bytes), f.FRAME_BYTES)
    refused = second.receiver.refusals
    assert refused and second.receiver.last_refusal == c.R_CHANNEL
    second.frame_due = True
    sent = second.report()
    assert sent is frame.bytes and not second.frame_due and frame.sealed()
    expected = {f.SIGNAL_BITS: CLOSED & ~_bit("gas_relay_ok"), f.KNOWN_BITS: CLOSED, f.VOTE: 1}
    expected |= {f.REASON: 9, f.SUBJECT: 300, f.FIRST_OUT: 42, f.CAUSE_MASK: 123456789}
    expected |= {f.RESET_RESULT: latches.NO_TOKENS, f.REFUSAL: c.R_CHANNEL, f.REFUSED: refused}
    assert {field: frame.get(field) for field in expected} == expected
    due = [second.step(1, bench.contacts) or second.frame_due for _ in range(2)]
    assert due == [False, True]


def mark_of(bench):
    second = bench.second
    kept = second.kept_count, second.kept_digest
    assert kept == (bench.told(f.RESET_MASK), bench.told(f.RESET_FIRST_OUT))
    return kept


def test_it_keeps_the_newest_mark_of_the_store_and_moves_nothing_by_it():
    bench = permitting()
    assert mark_of(bench) == (0, 0)
    bench.step(3, reset_kind=f.KEEP, reset_mask=7, reset_first_out=0xFFFF)
    assert mark_of(bench) == (7, 0xFFFF) and bench.told(f.RESET_RESULT) == 0
    for count in (7, 6, 0):
        assert mark_of(bench.step(3, reset_mask=count, reset_first_out=3)) == (7, 0xFFFF)
    assert mark_of(bench.step(3, reset_mask=s.INT_MAX, reset_first_out=3)) == (s.INT_MAX, 3)
    assert bench.second.permit and bench.second.latch_level == 0
    assert sc.Second(bench.image, 0, 9, 4).kept_count == 9


def test_the_mark_of_a_controller_with_another_image_is_not_kept():
    bench = permitting()
    bench.sender.frame.put(f.IMAGE_CRC, 5)
    assert mark_of(bench.step(5, reset_kind=f.KEEP, reset_mask=7)) == (0, 0)
