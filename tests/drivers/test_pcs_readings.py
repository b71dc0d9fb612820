"""SunSpec converter: what is read, when a group is fresh, scale factors, refused values."""

from types import SimpleNamespace

import pytest
from converter import Converter, built, fresh_after, groups, running, value
from device_suite import Bus, Sink

from controller.config import profiles
from drivers import pcs, profile, sunspec
from drivers.buses import rtu
from safety import signals as s
from tests.tables import cases

DC = (s.PCS_DC_VOLTAGE_MV, s.PCS_DC_CURRENT_MA)
AC_READ, DC_READ = range(2)  # places of periodic reads


def reply(bus, place, now_us):
    """The answer to the periodic read at a place, at this time."""
    request = bus.device.readings._reads[place].request
    request.on_reply(bus.slave.answer(request.frame)[1:-2], now_us)


def test_values():
    bus, sink = running()
    bus.run(200)
    assert value(sink, s.PCS_POWER_W) == 100_000 and value(sink, s.PCS_STATE) == 3
    assert [value(sink, index) for index in DC] == [768_300, -130_100]
    assert value(sink, s.PCS_ALARM_BITS) == value(sink, s.PCS_SETPOINT_W) == 0
    assert value(sink, s.PCS_HEARTBEAT) == bus.slave.heartbeat
    assert bus.device.fault == "" and bus.device.refused == 0


@pytest.mark.parametrize("port, values", [(0, [768_000, 130_100]), (1, [801_000, -50_000])])
def test_dc_side_from_model_714(port, values):
    slave = Converter((1, 701, 704, 714, 715), lengths={714: 68})
    slave.put("714.55", -500)
    slave.put("714.56", 801)
    bus, sink = running(slave, dc_port=port)
    bus.run(200)
    assert [value(sink, index) for index in DC] == values


def test_the_port_is_one_of_model_714_only():
    bus, sink = running(dc_port=1)
    bus.run(200)
    assert [value(sink, index) for index in DC] == [768_300, -130_100]


def test_scale_factors_that_are_not_ready_yet():
    """A scale factor may read 0x8000 until the inverter is awake."""
    slave = Converter()
    slave.put("802.59", 0x8000)
    bus, sink = built(slave)
    bus.run(3000)
    assert bus.device.state == pcs.SCALES and bus.device.refused > 0
    assert groups(sink)[0] not in sink.taken()
    slave.put("802.59", -1)
    bus.run(4000)
    assert bus.device.ready and value(sink, s.PCS_DC_VOLTAGE_MV) == 768_300


@cases("""name  exponent
    "701.116"  -11 | "701.116"  11 | "701.116"  0x7FFF | "704.55"  -4 | "704.55"  4
    "802.61"  -11 | "802.61"  11""")
def test_impossible_scale_factors(name, exponent):
    slave = Converter()
    slave.put(name, exponent)
    bus, _ = built(slave)
    bus.run(3000)
    assert bus.device.state == pcs.SCALES


def test_scale_factors_count_after_two_equal_readings():
    scales = sunspec.Scales(SimpleNamespace(scale_us=1_000_000, unpack=tuple))
    readings = [(1,), (1,), (1,), (2,), (1,), (1,), (11,), (11,)]
    changed = [scales.take(pdu, 0) for pdu in readings[:3]]
    assert changed == [False, True, False] and scales.exponents == (1,)
    changed = [(scales.take(pdu, 0), scales.exponents) for pdu in readings[3:]]
    assert changed == [(1, None), (0, None), (1, (1,)), (1, None), (0, None)]
    scales.take((2,), 0)
    scales.forget()
    assert not scales.take((2,), 0) and scales.exponents is None


def test_a_changed_scale_factor_drops_values_until_it_is_confirmed():
    bus, sink = running()
    slave, device = bus.slave, bus.device
    bus.run(100)
    slave.put("701.116", 1)
    slave.put("701.10", 10000)
    frames = []
    answer = slave.answer

    def spoiled(frame):
        """The second reading of the new scale factor differs again."""
        if frame[2:4] == slave.address("701.116").to_bytes(2, "big"):
            frames.append(frame)
            slave.put("701.116", 1 if len(frames) % 2 else 2)
        return answer(frame)

    slave.answer = spoiled
    bus.run(2100)
    sink.taken()
    bus.run(500)
    assert groups(sink)[0] not in sink.taken()
    slave.answer = answer
    slave.put("701.116", 1)
    bus.run(500)
    assert groups(sink)[0] in sink.taken() and value(sink, s.PCS_POWER_W) == 100_000
    slave.put("802.59", -2)
    bus.run(1500)
    assert device.ready and value(sink, s.PCS_DC_VOLTAGE_MV) == 76_830


@cases("""name  exponent  index  expected
    "701.116"  1  s.PCS_POWER_W  10_000
    "802.59"  -2  s.PCS_DC_VOLTAGE_MV  76_830
    "802.61"  -2  s.PCS_DC_CURRENT_MA  -13_010""")
def test_a_value_whose_raw_number_stays_follows_its_scale_factor(name, exponent, index, expected):
    bus, sink = running()
    bus.slave.put(name, exponent)
    while bus.device.readings.scales_known:
        bus.run(1)
    sink.taken()
    while groups(sink)[0] not in sink.taken():
        bus.run(1)
    assert value(sink, index) == expected


def test_no_read_over_twenty_registers():
    bus, _ = running()
    bus.run(3000)
    reads = [count for function, _, count in bus.slave.requests if function == 3]
    assert max(reads) == 13 and len(reads) > 50
    assert max(request.reply_bytes for request, _ in bus.device.schedule()) <= 45


def test_periods():
    bus, _ = running()
    bus.slave.requests.clear()
    bus.run(2000)
    reads = [address for function, address, _ in bus.slave.requests if function == 3]
    for names, counts in (
        ("701.4 802.34", (19, 20)),
        ("704.22 715.2", (9, 10)),
        ("701.116 802.59 704.55", (2,)),
    ):
        for name in names.split():
            assert reads.count(bus.slave.address(name)) in counts, name
    periods_us = sorted(period_us for _, period_us in bus.device.schedule())
    assert periods_us == [100_000] * 2 + [200_000] * 2 + [1_000_000] * 3


def test_a_dead_converter_program_is_silence():
    """solaredge_meterproxy 33: a dead program sends good frames with old values."""
    bus, sink = running()
    bus.slave.heartbeat_stopped = True
    assert fresh_after(bus, sink, 1000)[0]
    assert fresh_after(bus, sink, 2000) == (False, False)
    bus.slave.heartbeat_stopped = False
    assert fresh_after(bus, sink, 1500) == (True, True)


@pytest.mark.parametrize("heartbeat", [-1, 0xFFFF_FF00])
def test_heartbeat_may_fall_back_to_zero_and_has_32_bits(heartbeat):
    """Model 715: "with periodic resets to zero"."""
    bus, sink = running()
    bus.slave.heartbeat = heartbeat
    assert fresh_after(bus, sink, 1400) == (True, True) and bus.device.restarts == 0
    assert value(sink, s.PCS_HEARTBEAT) == bus.slave.heartbeat & s.INT_MAX


def test_local_control_is_not_controlled():
    bus, sink = running()
    bus.slave.put("715.2", 1)
    assert fresh_after(bus, sink, 1000) == (True, False) and bus.device.readings.local
    bus.slave.put("715.2", 0)
    assert fresh_after(bus, sink, 1000) == (True, True)


@cases("""name  raw  words  group
    "701.6"  0xFFFFFFFF  2  0
    "701.10"  4001  1  0 | "701.10"  -4001  1  0 | "802.34"  15001  1  0
    "802.44"  10001  1  0 | "802.44"  -10001  1  0 | "704.24"  0x80000000  2  1
    "704.24"  400_001  2  1 | "715.3"  0xFFFFFFFF  2  1 | "715.2"  0xFFFF  1  1""")
def test_not_implemented_and_absurd_values_leave_the_group_stale(name, raw, words, group):
    bus, sink = running()
    bus.slave.heartbeat_stopped = name == "715.3"
    before = sink.inp[:]
    refused = bus.device.refused
    bus.slave.put(name, raw, words)
    assert not fresh_after(bus, sink, 900)[group] and bus.device.refused > refused
    assert sink.inp[: sink.layout.rack_base - 2] == before[: sink.layout.rack_base - 2]


@cases("""name  raw  index  expected
    *[("701.6", 1 << bit, s.PCS_ALARM_BITS, 1 << min(bit, 29)) for bit in range(32)]
    "701.10"  4000  s.PCS_POWER_W  400_000
    "701.10"  -4000  s.PCS_POWER_W  -400_000
    "701.4"  7  s.PCS_STATE  7
    "701.4"  8  s.PCS_STATE  8 | "701.4"  0xFFFF  s.PCS_STATE  8
    "802.34"  15000  s.PCS_DC_VOLTAGE_MV  1_500_000
    "802.44"  10000  s.PCS_DC_CURRENT_MA  1_000_000""")
def test_values_at_the_edge_are_taken(name, raw, index, expected):
    bus, sink = running()
    bus.slave.put(name, raw, 2 if name == "701.6" else 1)
    bus.run(300)
    assert value(sink, index) == expected and bus.device.refused == 0


@cases("""mode  forms
    0  0 | 1  0 | 2  1 | 3  0 | 4  0 | 6  1 | 7  0 | 0x80000002  1 | 0xFFFFFFFF  0""")
def test_a_converter_forms_a_grid_by_bit_1_without_bit_0(mode, forms):
    bus, sink = running()
    bus.slave.put("701.8", mode, 2)
    assert fresh_after(bus, sink, 400)[0]
    assert value(sink, s.PCS_FORMING) == forms and bus.device.refused == 0
    bus.slave.put("701.8", 1, 2)
    bus.run(300)
    assert value(sink, s.PCS_FORMING) == 0


def test_a_frame_of_a_converter_that_forms_an_island():
    """InvSt 3, ConnSt 1, Alrm 0, DERMode 2, W 8850 x 10 W: bytes of the rig's converter."""
    bus, sink = running()
    reply = bytes.fromhex("01030e 0003 0001 00000000 00000002 2292")
    block, answer = bus.slave.address("701.4").to_bytes(2, "big"), bus.slave.answer
    bus.slave.put("701.116", 1)
    bus.slave.answer = lambda frame: rtu.seal(reply) if frame[2:4] == block else answer(frame)
    bus.run(3000)
    assert (value(sink, s.PCS_FORMING), value(sink, s.PCS_STATE)) == (1, s.PCS_RUNNING)
    assert value(sink, s.PCS_POWER_W) == 88_500


def test_a_profile_without_the_mode_forms_no_grid(tmp_path):
    lines = (profile.FOLDER / "sunspec_pcs.toml").read_text().splitlines()
    path = tmp_path / "plain.toml"
    path.write_text("\n".join(line for line in lines if not line.startswith("DERMode")))
    bus, sink = running(of=str(path))
    bus.slave.put("701.8", 2, 2)
    assert fresh_after(bus, sink, 400)[0] and value(sink, s.PCS_FORMING) == 0
    assert value(sink, s.PCS_POWER_W) == 100_000


def test_power_and_dc_side_become_fresh_together():
    bus, sink = running()
    answer = bus.slave.answer
    dc = bus.slave.address("802.34").to_bytes(2, "big")
    bus.slave.answer = lambda frame: b"" if frame[2:4] == dc else answer(frame)
    bus.run(200)
    bus.slave.put("701.10", 5)
    assert not fresh_after(bus, sink, 900)[0] and value(sink, s.PCS_POWER_W) == 100_000
    bus.slave.answer = answer
    assert fresh_after(bus, sink, 2500)[0] and value(sink, s.PCS_POWER_W) == 500


def test_each_half_counts_once():
    """Otherwise an old power could stay fresh together with new DC readings."""
    bus, sink = running()
    bus.run(200)
    measure = groups(sink)[0]

    def fresh_after_reply_to(place):
        sink.taken()
        reply(bus, place, bus.now_us)
        return measure in sink.taken()

    assert fresh_after_reply_to(DC_READ) or fresh_after_reply_to(AC_READ)
    order = AC_READ, AC_READ, DC_READ, DC_READ, DC_READ, AC_READ
    assert list(map(fresh_after_reply_to, order)) == [False, False, True, False, False, True]


def test_a_setpoint_read_in_the_old_scale_is_dropped():
    bus, sink = running()
    begun_us = scaled_again(bus)
    bus.slave.put("715.3", 1000, 2)
    for place, exponent in ((3, 0), (2, 0), (2, 0), (6, 1), (3, 1)):
        sink.taken()
        bus.slave.put("704.55", exponent)
        reply(bus, place, begun_us)
    assert groups(sink)[1] not in sink.taken()


def test_a_read_that_was_lost_with_its_port_is_sent_again():
    bus, sink = running()
    for request in bus.device.service(bus.now_us + 100_000):
        if request.key != (1, "ac"):
            bus.port.submit(request)
    assert not fresh_after(bus, sink, 900)[0]
    assert fresh_after(bus, sink, 2500)[0] and bus.device.restarts == 0


@pytest.mark.parametrize("lost", ["701.4", "802.34", "704.22", "715.2"])
def test_a_reply_that_is_lost_costs_one_period(lost):
    bus, sink = running()
    answer, at = bus.slave.answer, bus.slave.address(lost).to_bytes(2, "big")
    frames = []
    bus.slave.answer = lambda frame: (
        b"" if frame[2:4] == at and not frames and not frames.append(frame) else answer(frame)
    )
    while not frames:
        bus.run(1)
    assert fresh_after(bus, sink, 900) == (True, True)


def scaled_again(bus):
    """Time of a reading of all scale factors, in us, long after the other readings."""
    begun_us = bus.now_us + 10_000_000
    for place in range(4, len(bus.device.readings._reads)):
        reply(bus, place, begun_us)
    return begun_us


@pytest.mark.parametrize("apart_us, fresh", [(0, 1), (1, 0)])
@pytest.mark.parametrize("halves, group, period_us", [((0, 1), 0, 100_000), ((2, 3), 1, 200_000)])
@pytest.mark.parametrize("turn", [1, -1])
def test_halves_at_most_two_periods_apart_belong_together(
    halves, group, period_us, turn, apart_us, fresh
):
    bus, sink = running()
    begun_us = scaled_again(bus)
    places = 3, *halves[::turn]  # the heartbeat moves first
    times_us = begun_us - 1_000_000, begun_us, begun_us + 2 * period_us + apart_us
    for number, (place, now_us) in enumerate(zip(places, times_us)):
        bus.slave.put("715.3", 1000 + number, 2)
        sink.taken()
        reply(bus, place, now_us)
    assert (groups(sink)[group] in sink.taken()) == fresh


@pytest.mark.parametrize("age_us, fresh", [(1_500_000, True), (1_500_001, False)])
def test_a_heartbeat_counts_for_a_second_and_a_half(age_us, fresh):
    bus, sink = running()
    begun_us = scaled_again(bus)
    bus.slave.put("715.3", 1000, 2)
    reply(bus, 3, begun_us)
    sink.taken()
    for place in range(4):
        reply(bus, place, begun_us + age_us)
    taken = sink.taken()
    assert [group in taken for group in groups(sink)] == [fresh] * 2


@cases("""raw  exponent  per_unit  expected
    1234  0  1  1234 | 1234  2  1  123_400 | 1239  -1  1  123 | -1239  -1  1  -123
    7683  -1  1000  768_300 | 5  -10  1000  0 | -5  -10  1000  0
    3  10  1  30_000_000_000""")
def test_scaled_is_exact_and_toward_zero(raw, exponent, per_unit, expected):
    assert sunspec.scaled(raw, exponent, per_unit) == expected


def test_a_profile_with_a_block_that_is_too_long(tmp_path):
    text = (profile.FOLDER / "sunspec_pcs.toml").read_text()
    path = tmp_path / "long.toml"
    text = text.replace("InvSt = {offset = 4", "InvSt = {offset = 2")
    path.write_text(text.replace("W = {offset = 10", "W = {offset = 22"))
    line = "^long.toml: registers.701: InvSt to W take 21 registers; allowed 20 in one read$"
    with pytest.raises(profile.ProfileError, match=line):
        pcs.SunSpecPcs(profiles.load(path), 1, Sink(), (0, 0, 1), 20_000)


@pytest.mark.parametrize("without, other", [("802", 714), ("714", 802)])
def test_one_of_the_dc_models_is_enough(tmp_path, without, other):
    tables = (profile.FOLDER / "sunspec_pcs.toml").read_text().split("\n[")
    path = tmp_path / "less.toml"
    path.write_text("\n[".join(t for t in tables if not t.startswith(f"registers.{without}]")))
    device = pcs.SunSpecPcs(profiles.load(path), 1, Sink(), (0, 0, 1), 20_000)
    assert device.readings.models_needed() == [701, 704, 715, other]


@cases("""tick_us  most
    10_000  1 | 20_000  1 | 50_000  2 | 100_000  4""")
def test_reads_are_spread_over_the_ticks_and_keep_their_periods(tick_us, most):
    """34 reads and a heartbeat a second, as many in each tick as that needs."""
    sink, asked = Sink(), []
    places = sink.layout.unit_input(0, 0), *groups(sink)
    device = pcs.SunSpecPcs(profiles.load("sunspec_pcs"), 1, sink, places, tick_us)
    bus, service = Bus(device, Converter()), device.service
    device.service = lambda now_us: () if now_us % tick_us else noted(service(now_us))

    def noted(requests):
        asked.append([request.key[1] for request in requests])
        return requests

    bus.run(5000)
    assert device.ready
    asked.clear()
    bus.run(20_000)
    assert max(map(len, asked)) == most
    names = [name for requests in asked for name in requests]
    counts = [names.count(name) for name in ("ac", "dc", "setpoint", "remote", "write heartbeat")]
    assert counts == pytest.approx([200, 200, 100, 100, 20], rel=0.1)
