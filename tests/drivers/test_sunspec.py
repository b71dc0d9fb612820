"""Registers of a profile in SunSpec models: found by the chain, again after a silence; the chain of
a broken device; a limit that somebody else has fixed.
"""

import struct
from random import Random
from types import SimpleNamespace

import pytest
from device_suite import Bus, Sink, Slave
from register_converter import Converter, built
from test_site_device import Sink as SiteSink, device, laid_out

from controller.config import profiles
from controller.config.site_devices import gates
from controller.core.base import reasons
from drivers import profile, sunspec
from drivers.meter import Meter
from drivers.register_codec import ScaleFactor
from drivers.steps import StepError
from hil.devices import sunspec_chain
from safety import signals
from tests.tables import cases

PLACES = signals.GRID_POWER_W, signals.GRID_RAW_HASH, signals.G_METER_GRID
LAYOUTS = ({"base": 40_000}, {"base": 0, "order": (203, 123, 103)}, {"base": 50_000})
SCALES = {"power_scale": 1, "limit_scale": -2, "voltage_scale": -1}
GOOD = {"power_W": 300, "power_1": 100, "power_2": 100, "power_3": 100}
GOOD |= dict.fromkeys(("current_1", "current_2", "current_3"), 90)
GOOD |= dict.fromkeys(("voltage_1", "voltage_2", "voltage_3"), 2300)


def words_of(name, raws=(), **layout):
    """{register: word} of a device with the models of the profile at these places."""
    data = sunspec_chain.read(profile.FOLDER / f"{name}.toml", **layout)
    base = layout.get("base", 40_000)
    found = dict.fromkeys(range(base, base + 300), 0)
    for key, register in {**data["registers"], **data["identity"]}.items():
        raw = register.get("equals", [{**SCALES, **dict(raws)}.get(key, 0)])[0]
        size = struct.calcsize(sunspec_chain.WORDS[register["type"]]) // 2
        content = (raw % (1 << 16 * size)).to_bytes(2 * size, "big")
        found.update(enumerate(struct.unpack(f">{size}H", content), register["address"]))
    return found


def meter(**layout):
    sink = Sink()
    made = Meter(profiles.load("sunspec_meter_203"), 1, sink, *PLACES)
    bus = Bus(made, Slave(words_of("sunspec_meter_203", GOOD, **layout)))
    bus.run(1500)
    return bus, sink


def pv(sink=None, slave=None, limit_W_max=100_000, **layout):
    """A PV inverter of 100 kW that has been read for a while."""
    settings = {"rated_W": 100_000, "limit_W_max": limit_W_max}
    made = device("sunspec_pv", ["power_W", "available_W"], sink or SiteSink(), **settings)
    bus = Bus(made, slave or Slave(words_of("sunspec_pv", GOOD, **layout)))
    bus.run(1500)
    return bus


@pytest.mark.parametrize("layout", LAYOUTS)
def test_models_are_found_at_each_base_and_in_each_order(layout):
    bus, sink = meter(**layout)
    assert sink.taken() == {signals.G_METER_GRID} and sink.inp[signals.GRID_POWER_W] == 3000
    found = SiteSink()
    assert pv(found, **layout).device.is_identified and found.inp[4] == 3000


@pytest.mark.parametrize("silent_ms", (0, 2000))
def test_a_chain_that_moves_gives_no_value_of_its_old_places(silent_ms):
    """A silence comes first, or none: the id of the model is read every 30 s."""
    bus, sink = meter()
    bus.slave.silent = bool(silent_ms)
    bus.run(silent_ms)
    bus.slave.silent = False
    new = GOOD | {"power_W": 360, "power_1": 160}
    old, moved = bus.slave.holding, words_of("sunspec_meter_203", new, base=50_000)
    bus.slave.holding = {**moved, **{at: 7 for at in old}}
    bus.run(0 if silent_ms else 31_000)
    sink.taken()
    bus.run(3000)
    assert sink.taken() == {signals.G_METER_GRID} and sink.inp[signals.GRID_POWER_W] == 3600


def test_after_a_silence_the_chain_comes_before_the_first_value():
    bus, sink = meter()
    bus.slave.silent = True
    bus.run(2000)
    sink.taken()
    bus.slave.silent = False
    bus.slave.requests.clear()
    while not sink.taken():
        bus.run(1)
    marks = [count for _, address, count in bus.slave.requests if (address, count) == (40_000, 2)]
    assert marks and bus.device._identity.is_identified


def test_a_model_that_is_missing_names_itself_and_all_is_unknown():
    sink = SiteSink()
    bus = pv(sink, Slave(words_of("sunspec_meter_203")))
    tells = bus.device.profile.tells
    assert tells[bus.device.other_device - 1] == "SunSpec model 101 or 102 or 103"
    assert not sink.taken() and bus.device.write("limit_W", 0, bus.now_us) is None
    bus.slave.holding = {}
    silent = pv(sink, Slave({}))
    assert tells[silent.device.other_device - 1] == "the SunSpec chain"


def test_a_scale_factor_that_changes_counts_when_it_has_come_twice():
    sink = SiteSink()
    bus = pv(sink)
    bus.slave.holding[40_070 + 15] = 2
    values = set()
    for _ in range(1500):
        bus.run(1)
        values.add(sink.inp[4])
    assert values == {3000, 30_000}
    bus.slave.holding[40_070 + 15] = 0x8000
    bus.run(20)
    sink.taken()
    bus.run(2000)
    assert not sink.taken()


def test_a_scale_factor_holds_when_it_comes_again_and_is_one():
    factor, words = ScaleFactor([]), (1, 1, 2, 2, -32768, -32768, 2)
    found = [factor.holds(word.to_bytes(2, "big", signed=True)) for word in words]
    assert found == [False, True, False, True, False, False, False]


def test_the_gate_follows_the_limit_to_its_place_and_scale():
    for base, exponent, raw in ((40_000, -2, 2500), (50_000, -1, 250)):
        slave = Slave(words_of("sunspec_pv", {"limit_scale": exponent}, base=base))
        bus = pv(slave=slave)
        request = bus.device.write("limit_W", 25_000, bus.now_us)
        assert struct.unpack(">H", request.frame[7:9]) == (raw,)
        own = {"rated_W": 100_000, "limit_W_max": 100_000}
        gate = gates(SimpleNamespace(profile=bus.device.profile, address=1, settings=own))[
            "limit_W"
        ]
        assert gate.check(request.frame, 0, 25_000) != reasons.NONE
        gate.move(*bus.device.written_at("limit_W"))
        assert gate.check(request.frame, 0, 25_000) == reasons.NONE
        assert gate.check(request.frame, 0, 24_999) == reasons.GATE_RANGE


# -- a converter


def test_the_storage_control_of_a_converter_is_found_and_its_percent_crossed():
    path = profile.FOLDER / "fronius_gen24.toml"
    data = sunspec_chain.read(path, 40_000, (160, 124, 103))
    made, slave, _, _ = built("fronius_gen24", data)
    bus = Bus(made, slave, baud_Bd=460_800)
    bus.run(9000)
    assert made.ready, made.fault
    frame, mode = [made.writer.places.of(each.address) for each in made.writer.frames]
    assert mode == frame - 7
    assert made.writer.frames[0].words(-4000) == (0x10000 - 4000, 0)
    assert made.writer.frames[1].words(-4000) == (2,)
    assert made.writer.frames[0].words(2500) == (0, 0x10000 - 2500)
    assert made.writer.frames[1].words(2500) == (1,)
    moved = Converter(sunspec_chain.read(path, 50_000))
    bus.slave.holding = moved.holding
    made.restart()
    bus.run(9000)
    assert made.ready and made.writer.places.of(made.writer.frames[0].address) > 50_000


# -- a chain that is none


def walked(words, bases=(0,)):
    """The end of a walk over registers: the models, or the line of the refusal."""
    walk, answer = sunspec.walk(list(bases)), None
    for _ in range(500):
        try:
            _, _, address, count = walk.send(answer)
        except StepError as error:
            return str(error)
        except StopIteration as end:
            return end.value
        part = [words[at] for at in range(address, address + count) if at < len(words)]
        answer = struct.pack(f">{count}H", *part) if len(part) == count else None
    raise AssertionError("no end")


SUNS = [0x5375, 0x6E53]


@cases("""
    words  line
    []  "no SunS at register 0"
    SUNS  "model header at register 2 refused"
    SUNS + [1, 66]  "model header at register 70 refused"
    SUNS + [1, 0, 0xFFFF, 0]  "model 1 at register 2: length 0 is none"
    SUNS + [1, 65535]  "model 1 at register 2: length 65535 leaves the map"
    SUNS + [9, 1, 0] * 70  "more than 64 models, no end of the chain"
    SUNS + [1, 1]  "model header at register 5 refused"
""")
def test_a_chain_that_is_none_is_refused_in_one_line(words, line):
    assert walked(words) == line


def test_no_content_makes_a_walk_endless_or_fail_otherwise():
    random = Random(59)
    for _ in range(3000):
        words = SUNS + [
            random.choice((0, 1, 2, 103, 65535, random.randrange(65536))) for _ in range(90)
        ]
        found = walked(words)
        assert "\n" not in found if isinstance(found, str) else len(found) <= 64


# -- a limit that somebody has fixed

AT = 40_122 + 5  # of WMaxLimPct
FIXED_70 = (7000, 0, 0, 0, 1)  # 70 %, no time-out, enabled


def asked(bus, limit_W):
    """The write of a limit reaches the device, or not."""
    request = bus.device.write("limit_W", limit_W, bus.now_us)
    if request is not None:
        bus.port.submit(request)
    bus.run(300)
    return tuple(bus.slave.holding[AT + at] for at in range(5))


def with_limit(words, **more):
    slave = Slave(words_of("sunspec_pv"))
    slave.holding.update(enumerate(words, AT))
    return pv(slave=slave, **more)


def test_a_fixed_limit_that_the_site_file_does_not_state_is_never_touched():
    bus = with_limit(FIXED_70)
    for limit_W in (100_000, 70_000, 50_000, 0):
        assert asked(bus, limit_W) == FIXED_70
    tells = bus.device.profile.tells
    assert tells[bus.device.other_device - 1] == "limit_W" and bus.device.is_identified


def test_a_fixed_limit_that_is_stated_is_lowered_and_comes_back_also_after_a_restart():
    bus = with_limit(FIXED_70, limit_W_max=70_000)
    assert bus.device.other_device == 0
    assert asked(bus, 70_000) == FIXED_70, "it stands already"
    assert asked(bus, 50_000) == (5000, 0, 60, 0, 1)
    again = pv(slave=bus.slave, limit_W_max=70_000)  # a restart: what stands there is our own
    assert again.device.other_device == 0
    assert asked(again, 60_000) == (6000, 0, 60, 0, 1)
    assert asked(again, 70_000) == (7000, 0, 60, 0, 1)


@cases("""words
    (5000, 0, 60, 0, 1) | (5000, 0, 0, 0, 0) | (5000, 0, 900, 0, 1)""")
def test_a_limit_that_expires_or_is_off_is_nobodys(words):
    assert asked(with_limit(words), 100_000) == (10_000, 0, 60, 0, 1)


def test_a_limit_that_is_fixed_later_is_kept_too():
    bus = with_limit((0, 0, 0, 0, 0))
    assert asked(bus, 90_000)[0] == 9000
    bus.slave.holding.update(enumerate(FIXED_70, AT))
    bus.run(31_000)
    assert asked(bus, 100_000) == FIXED_70


def test_a_device_that_drops_the_time_out_is_still_lowered_and_raised():
    bus = with_limit((0, 0, 0, 0, 0))
    assert asked(bus, 50_000)[0] == 5000
    bus.slave.holding[AT + 2] = 0
    bus.run(31_000)
    assert asked(bus, 80_000)[0] == 8000
    assert laid_out(bus.device.profile)
