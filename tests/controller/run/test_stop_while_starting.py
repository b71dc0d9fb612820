"""A stop at every tick of a start, for every converter profile and every state that it names."""

import ast
import pathlib
from types import SimpleNamespace

import pytest
from converter import Converter as SunSpec
from device_suite import FIELD_MS, Bus, Sink, field
from register_converter import PROFILES, RATED_W, Converter, data_of, words_of

from controller.config import converters, profiles
from controller.console.pages import links as page
from controller.core.base.sent import Sent
from controller.journal import journal_header
from controller.run.pcs_channel import PcsChannel
from controller.run.start_budget import StartBudget
from controller.state import links
from drivers.buses.crc import seal
from drivers.pcs import SunSpecPcs
from drivers.register_pcs import RegisterPcs
from safety import signals as s

ROOT = pathlib.Path(__file__).parents[3]
TICK_MS = 20
SUNSPEC = "sunspec_pcs"
EVERY = [*PROFILES, SUNSPEC]
STARTING_TICKS = 24  # from before the first frame of each start to after its last


def data(frame):
    """The registers that a frame writes."""
    return frame[4:6] if frame[1] == 6 else frame[7:-2]


class Bench:
    """One converter with its channel, in virtual time; it does what the test lets it do. It
    answers as slowly as converters do in the field, unless the test gives another pace.
    """

    def __init__(self, name, pace=None):
        self.name, self.data, self.sink = name, data_of(name), Sink()
        self.profile, layout = profiles.load(name), self.sink.layout
        self.base = layout.unit_input(0, 0)
        groups = [layout.unit_group(0, each) for each in (s.G_PCS_MEASURE, s.G_PCS_CONTROL)]
        places = (self.base, *groups)
        device = SimpleNamespace(address=1, profile=self.profile)
        inp, code_at = self.sink.inp, len(self.sink.inp)
        inp.append(0)  # the code of what was sent
        if name == SUNSPEC:
            self.slave = SunSpec()
            self.pcs = SunSpecPcs(self.profile, 1, self.sink, places, TICK_MS * 1000)
            gate = converters.sunspec_gate(device, RATED_W, self.pcs)
        else:
            self.slave = Converter(self.data)
            self.slave._on_step = lambda address, value: None  # it does not run by itself
            settings = {"rated_W": RATED_W, "setpoint_ms": 100, "tick_ms": TICK_MS}
            self.pcs = RegisterPcs(self.profile, 1, self.sink, places, settings)
            gate = converters.gate(device, RATED_W, self.pcs.writer.places.of)
        sent = Sent(gate.sent, inp, self.base + s.PCS_SENT_W, code_at)
        self.bus = Bus(self.pcs, self.slave, 460_800, pace or field(self.profile)[-1])
        self.bus.device = SimpleNamespace()  # the channel serves the driver
        self.bus.port.watch[1] = [sent.see]
        self.gate = gate
        self.channel = PcsChannel(self.pcs, self.bus.port, layout, 0, 100, TICK_MS, sent, gate)
        self.out = [0] * layout.outputs
        for limit in (s.CHARGE_W_MAX, s.DISCHARGE_W_MAX):
            self.out[layout.unit_output(0, limit)] = RATED_W
        self.run_at = layout.unit_output(0, s.PCS_RUN_OK)
        self.beats = 0

    def run(self, ms, permitted=0, power_W=0):
        """(start frames, stop frames, frames of the set-point) that have left meanwhile."""
        first = len(self.slave.writes)
        self.out[self.run_at] = permitted
        for _ in range(ms // TICK_MS):
            self.beat()
            self.channel.fault.show(self.sink.inp)
            self.state = self.sink.inp[self.base + s.PCS_STATE]  # as the kernel sees it
            self.channel.write(self.sink.inp, self.out, power_W, self.bus.now_us)
            self.bus.run(TICK_MS)
        return self.frames(self.slave.writes[first:])

    def beat(self):
        """The heartbeat of a device that has one counts."""
        self.beats += 1
        entry = self.data["registers"].get("heartbeat")
        if self.name != SUNSPEC and entry:
            self.slave.put(entry, self.beats % 100)

    def frames(self, writes):
        """What writes do, judged by the text of the profile alone."""
        if self.name == SUNSPEC:
            operation, setpoint = self.slave.address("715.8"), self.slave.address("704.24")
            starts = [data for _, at, data in writes if (at, data) == (operation, b"\0\1")]
            stops = [data for _, at, data in writes if (at, data) == (operation, b"\0\0")]
            return starts, stops, [data for _, at, data in writes if at == setpoint]
        found = []
        for name in ("start", "stop"):
            steps = [each for each in self.data.get(name, []) if "value" in each]
            contents = [(each["address"], self.content(each)) for each in steps]
            found.append([data for _, at, data in writes if (at, data) in contents])
        places = {self.pcs.places.of(each.address) for each in self.profile.setpoint}
        return *found, [at for _, at, _ in writes if at in places]

    @staticmethod
    def content(step):
        words = words_of({"type": "u16", **step}, step["value"])
        return b"".join([word.to_bytes(2, "big") for word in words])

    def states(self):
        """The raw values of the states that the profile names; none: [None]."""
        if self.name == SUNSPEC:
            return list(range(8))
        return [int(raw) for raw in self.data["registers"].get("state", {}).get("values", {})] or [
            None
        ]

    def shows(self, raw=None, code=None):
        """The device reports this raw state, or one that means this code, if it names one."""
        if self.name == SUNSPEC:
            self.slave.put("701.4", code if raw is None else raw)
            return
        entry = self.data["registers"].get("state")
        if entry is None:
            return
        if raw is None:
            raws = [int(raw) for raw, means in entry["values"].items() if means == code]
            raw = raws[0] if raws else int(next(iter(entry["values"])))
        mask = entry.get("mask", 0xFFFF)
        table = self.slave.holding if entry.get("function", 3) == 3 else self.slave.inputs
        at = self.pcs.places.of(entry["address"])
        if entry["type"] == "u32":
            table[at], table[at + 1] = divmod(raw, 1 << 16)
            return
        shift = (mask & -mask).bit_length() - 1 if bin(mask).count("1") == 1 else 0
        table[at] = table[at] & ~mask | raw << shift & mask

    def has_start(self):
        return self.name == SUNSPEC or bool(self.data.get("start"))

    def names_fault(self):
        values = self.data["registers"].get("state", {}).get("values", {}) if self.data else {}
        return self.name == SUNSPEC or s.PCS_FAULT in values.values()

    def lose(self, ms, permitted=1):
        """The link is lost until the driver begins again."""
        self.slave.silent = True
        self.run(ms, permitted=permitted)
        self.slave.silent = False

    @property
    def busy_ms(self):
        """The longest time for which a frame under way holds the line, in whole ticks."""
        return -(-self.bus.answer_ms // TICK_MS) * TICK_MS

    @property
    def reads_ms(self):
        """Time in which a change of a register is read."""
        return 2 * self.profile.period_ms + 400 + 4 * self.busy_ms

    def has_stop(self):
        return self.name == SUNSPEC or bool(self.data.get("stop"))


@pytest.fixture(scope="module", params=EVERY)
def bench(request):
    found = Bench(request.param)
    found.run(8000)
    assert found.pcs.ready, found.pcs.fault
    return found


def test_a_stop_at_every_tick_of_a_start_is_sent_and_nothing_starts_behind_it(bench):
    pause_ms = 0 if bench.has_stop() else bench.profile.settings["setpoint_pause_ms"]
    begun = 0
    for raw in bench.states():
        bench.shows(raw)
        for ticks in range(1, STARTING_TICKS):
            bench.channel._budget = StartBudget()
            begun += bool(bench.run(ticks * TICK_MS, permitted=1)[0])
            starts, stops, zeros = bench.run(2 * TICK_MS + bench.busy_ms + pause_ms)
            assert stops or not bench.has_stop() and zeros, (raw, ticks)
            later = bench.run(1000)
            assert not starts + later[0], (raw, ticks)
    assert begun > STARTING_TICKS // 2 or not bench.run(1000, permitted=1)[0]
    assert bench.channel.gate_refusals == 0


GUARDS = "a rig that is faster than the field"


def covered():
    """The converters, with each answer time."""
    return [f"{name}, {each} ms" for name in EVERY for each in FIELD_MS]


@pytest.mark.parametrize("answer_ms", FIELD_MS)
@pytest.mark.parametrize("name", EVERY)
def test_no_start_is_sent_behind_a_stop_while_the_line_is_busy(name, answer_ms):
    """Answers within 3 ms let no frame wait: the withdrawal of waiting frames could be left out."""
    bench = Bench(name, (answer_ms, 300))
    bench.run(20_000)
    bench.shows(code=s.PCS_STANDBY)
    begun, waited = 0, 0
    for ticks in range(1, STARTING_TICKS):
        bench.channel._budget, bench.channel.fault.is_held = StartBudget(), False
        begun += bool(bench.run(ticks * TICK_MS, permitted=1)[0])
        waiting = bench.bus.port._once.values()
        waited += any(bench.gate.is_start(each.request.frame) for each in waiting)
        assert not bench.run(1000 + 140 * (ticks % 7))[0], ticks  # at each phase of the reads
    if answer_ms == max(FIELD_MS):
        assert waited or not begun, "no frame of a start has waited for the line"


def test_a_frame_of_a_start_that_waits_for_a_busy_bus_is_not_sent_behind_the_stop(bench):
    bench.shows(code=s.PCS_STANDBY)
    timeout_us, bench.bus.port.first_byte_timeout_us = bench.bus.port.first_byte_timeout_us, 300_000
    for ticks in range(1, STARTING_TICKS):
        bench.channel._budget = StartBudget()
        bench.run((ticks - 1) * TICK_MS, permitted=1)
        bench.slave.silent = True
        bench.run(4 * TICK_MS, permitted=1)
        bench.run(2 * TICK_MS)
        bench.slave.silent = False
        starts, stops, zeros = bench.run(1500)
        assert not starts and (stops or zeros), ticks
    bench.bus.port.first_byte_timeout_us = timeout_us
    assert bench.channel.gate_refusals == 0


def test_a_stop_is_repeated_until_the_reading_shows_it(bench):
    """Where none can, it is repeated as long as there is no permit."""
    bench.shows(code=s.PCS_RUNNING)
    bench.run(2000, permitted=1)
    shown = bench.profile.shows_stop
    period_ms = 500 if shown else bench.profile.settings["repeat_ms"] or 10_000
    for _ in range(3):
        _, stops, zeros = bench.run(2 * period_ms)
        frames = stops if bench.has_stop() else zeros
        most = 5 * (len(bench.profile.stop) or len(bench.profile.setpoint)) if not shown else 5
        assert (2 if bench.has_stop() else 1) <= len(frames) <= most
    assert shown == (bench.has_stop() and bench.states() != [None])
    if not shown:
        return
    power = "701.10" if bench.name == SUNSPEC else "power_W"
    for power_W, repeats in ((0, False), (RATED_W, True), (-RATED_W, True), (0, False)):
        bench.shows(code=s.PCS_OFF)
        if bench.name == SUNSPEC:
            bench.slave.put(power, power_W // 100)
        else:
            entry = bench.data["registers"][power]
            bench.slave.reading(power, round(power_W / entry.get("scale", 1)))
        bench.run(2000)
        assert bool(bench.run(2000)[1]) == repeats, power_W
    bench.shows(code=s.PCS_RUNNING)
    assert bench.run(2000)[1], "it runs by itself"


def test_a_stop_goes_to_a_converter_whose_readings_do_not_count(bench):
    """The controller was restarted: a converter that goes on must not need a good reading."""
    if bench.name == SUNSPEC:
        return  # its stop needs the discovery alone
    bench = Bench(bench.name)
    bench.pcs.readings._is_trusted = lambda now_us: False
    starts, stops, zeros = bench.run(8000)
    assert not bench.pcs.ready and not starts and (stops or zeros)
    if bench.profile.shows_stop:
        return  # it repeats until a reading shows it
    bench.run(30_000)  # until the frames of a 0 are acknowledged
    times = 20_000 // (bench.profile.settings["repeat_ms"] or 10_000) + 1
    frames = len(bench.profile.stop) or len(bench.profile.setpoint)
    repeated = max(map(len, bench.run(20_000)[1:]))
    assert repeated <= times * frames, "each 0.5 s would wear it out"


def test_no_stop_goes_to_a_device_that_is_not_known(bench):
    """Another device may have the unit id: what is a stop here may be anything there."""
    new = Bench(bench.name)
    assert new.pcs.stop() is None
    if bench.name == SUNSPEC or not new.pcs.profile.identity:
        return
    for entry in new.data["identity"].values():
        new.slave.put(entry, 12_345)
    assert new.run(8000) == ([], [], []) and not new.slave.writes
    assert new.pcs.stop() is None


def test_a_fault_that_is_held_does_not_hide_that_the_converter_runs():
    bench = Bench("sinexcel_pws")
    bench.run(3000)
    for code, is_repeated in ((s.PCS_RUNNING, True), (s.PCS_OFF, False), (s.PCS_RUNNING, True)):
        bench.shows(code=code)
        bench.slave.holding[37] = 1 << 7
        bench.run(2000)
        assert bench.sink.inp[bench.base + s.PCS_STATE] == s.PCS_FAULT
        assert bool(bench.run(2000)[1]) == is_repeated, code


def fresh_fault_bench(bench):
    """It has no fault, no permit and no held fault; None: its profile names no state "fault", or a
    start writes nothing.
    """
    if not (bench.names_fault() and bench.has_start()):
        return None
    bench.channel._budget = StartBudget()
    bench.shows(code=s.PCS_OFF)
    bench.run(2 * bench.reads_ms)
    bench.channel.fault.is_held = False
    return bench


def test_a_fault_at_every_tick_of_a_start_ends_the_start_until_a_reset(bench):
    for ticks in range(0, 60, 4):
        if fresh_fault_bench(bench) is None:
            return
        bench.run(ticks * TICK_MS, permitted=1)
        bench.shows(code=s.PCS_FAULT)
        bench.run(bench.reads_ms, permitted=1)
        assert bench.state == s.PCS_FAULT and bench.channel.fault.is_held, ticks
        bench.shows(code=s.PCS_OFF)
        bench.run(bench.reads_ms)
        for _ in range(2):
            assert not bench.run(3000, permitted=1)[0], ticks
            assert bench.state == s.PCS_FAULT, "stage 59e counts its 5 s"
            bench.run(2000)
            assert bench.state == s.PCS_OFF
        bench.channel.fault.is_held = False
        started = bench.run(3000, permitted=1)[0]
        assert started, ticks
        assert bench.state != s.PCS_FAULT
    assert bench.channel.gate_refusals == 0


def test_a_fault_ends_a_start_that_still_waits_for_its_set_point_of_0(bench, monkeypatch):
    if fresh_fault_bench(bench) is None or bench.name == SUNSPEC:
        return
    with monkeypatch.context() as waiting:
        waiting.setattr(RegisterPcs, "is_at_zero", property(lambda self: False))
        bench.run(1000, permitted=1)
        assert bench.pcs.is_starting
        bench.shows(code=s.PCS_FAULT)
        bench.run(bench.reads_ms, permitted=1)
    assert not bench.run(3000, permitted=1)[0] and not bench.pcs.is_starting


def test_a_state_that_flickers_gets_one_start(bench):
    if fresh_fault_bench(bench) is None:
        return
    bench.run(3000, permitted=1)
    found, counts = [], (s.PCS_FAULT, s.PCS_OFF, s.PCS_FAULT, s.PCS_STARTING, s.PCS_STANDBY)
    bench.shows(code=s.PCS_FAULT)
    bench.run(bench.reads_ms, permitted=1)
    for code in counts * 3:
        bench.shows(code=code)
        found += bench.run(bench.reads_ms, permitted=1)[0]
    assert not found


def test_a_link_that_is_lost_in_a_fault_gives_no_new_start(bench):
    if fresh_fault_bench(bench) is None or bench.name == "fenecon_c40":
        return  # its start is a heartbeat: see the next test
    bench.shows(code=s.PCS_FAULT)
    bench.run(2 * bench.reads_ms)
    bench.run(1500, permitted=1)  # a fault that it had before its permit is cleared by its start
    assert not bench.channel.fault.is_held
    bench.lose(15_000)
    assert not bench.run(10_000, permitted=1)[0]
    assert bench.channel.fault.is_held


def test_a_permit_that_goes_in_a_fault_gives_no_new_start(bench):
    if fresh_fault_bench(bench) is None:
        return
    bench.shows(code=s.PCS_FAULT)
    bench.run(2 * bench.reads_ms)
    first = bench.run(2 * bench.reads_ms, permitted=1)[0]
    assert first
    bench.run(500)
    assert not bench.run(2 * bench.reads_ms, permitted=1)[0]
    bench.channel.fault.is_held = False


def test_a_converter_whose_start_writes_nothing_recovers_by_itself(bench):
    if not bench.names_fault() or bench.has_start():
        return
    bench.shows(code=s.PCS_RUNNING)
    bench.run(2 * bench.reads_ms, permitted=1)
    for code in (s.PCS_FAULT, s.PCS_OFF, s.PCS_RUNNING):
        bench.shows(code=code)
        bench.run(2 * bench.reads_ms, permitted=1)
        assert (bench.state == s.PCS_FAULT) == (code == s.PCS_FAULT)


def test_a_converter_that_recovers_by_itself_goes_on():
    bench = Bench(SUNSPEC)
    bench.run(8000)
    bench.shows(code=s.PCS_RUNNING)
    bench.run(1000, permitted=1)
    for code in (s.PCS_FAULT, s.PCS_RUNNING):
        bench.shows(code=code)
        assert not bench.run(1000, permitted=1)[0]
        assert bench.state == code
    bench.run(1000)
    bench.shows(code=s.PCS_STANDBY)
    assert not bench.run(1000, permitted=1)[0] and bench.state == s.PCS_FAULT


def test_a_converter_that_acknowledges_its_stop_and_runs_on_is_named(bench):
    bench.channel.fault.is_held = False
    bench.shows(code=s.PCS_RUNNING)
    bench.run(2000, permitted=1)
    bench.run(9000)
    code_at = len(bench.sink.inp) - 1
    bench.sink.inp[code_at] = 0
    bench.run(500)
    assert bench.sink.inp[code_at] != 613
    bench.run(3000)
    assert (bench.sink.inp[code_at] == 613) == bench.profile.shows_stop
    bench.shows(code=s.PCS_OFF)
    bench.run(3000)
    bench.sink.inp[code_at] = 0
    bench.run(3000)
    assert bench.sink.inp[code_at] != 613


@pytest.mark.parametrize("raw, is_repeated", [(1, 0), (5, 1), (129, 0), (133, 1), (132, 1)])
def test_a_word_that_is_a_fault_and_running_at_once_is_stopped(raw, is_repeated):
    bench = Bench("sinexcel_pws")
    bench.run(3000)
    bench.shows(raw)
    bench.run(3000)
    assert bool(bench.run(2000)[1]) == is_repeated


def test_the_page_links_says_that_nothing_confirms_the_stop_of_a_converter(bench, monkeypatch):
    for part, name in ((links, "_device"), (links.base, "head"), (links, "summary")):
        monkeypatch.setattr(part, name, lambda *_: {})
    monkeypatch.setattr(links, "_refusal", lambda *_: None)
    monkeypatch.setattr(links.path_delay, "facts", lambda _: None)
    fields = {"name": "pcs_1", "role": "pcs", "bus": "pcs", "address": 1, "index": 0}
    stored = journal_header._device(SimpleNamespace(**fields, profile=bench.profile))
    header = {"devices": [stored | {"bus": "pcs", "address": 1}]}
    monkeypatch.setattr(links, "_meter", lambda *_: None)
    (own,) = links.facts(SimpleNamespace(reader=SimpleNamespace(header=header)), None)["devices"]
    shown = own["stop"]
    assert (shown is None) == bench.profile.shows_stop
    lines = page._refusals({"device": "pcs_1", "refusal": None, "stop": shown})
    said = " ".join([each.strip() for each in lines])
    assert ("pcs_1: no reading confirms that this converter has stopped" in said) == bool(shown)


def test_stored_writes_are_repeated_once_an_hour_alone():
    bench = Bench("goodwe_et")
    bench.profile.settings |= {"stored": "yes", "writes_per_day_max": 100}
    bench.run(8000)
    assert len(bench.run(60_000)[2]) == 0
    assert bench.pcs.stop_repeat_us == 3_600_000_000


def test_one_function_alone_hands_frames_to_the_port_of_a_converter():
    """It asks the gate. The rig's value mode goes through it too."""
    for name in ("controller/run/pcs_channel.py", "hil/values/converter.py"):
        calls = [
            (function.name, ast.unparse(each.func))
            for function in ast.walk(ast.parse((ROOT / name).read_text()))
            if isinstance(function, ast.FunctionDef)
            for each in ast.walk(function)
            if isinstance(each, ast.Call) and ast.unparse(each.func).endswith("port.submit")
        ]
        assert calls == [("submit", "self.port.submit")] * (name != "hil/values/converter.py")


def test_the_gate_refuses_what_starts_and_what_the_profile_does_not_name(bench):
    """Each write that the driver made passes with a permit. Without it the starts do not."""
    frames = {}
    check = bench.gate.check
    bench.gate.check = lambda frame, *rest: frames.setdefault(bytes(frame)) or check(frame, *rest)
    bench.channel._budget, first = StartBudget(), len(bench.slave.writes)
    bench.run(3000, permitted=1)
    bench.run(3000)
    del bench.gate.check
    writes = [each for each in frames if each[1] in (6, 16)]
    passed = {(int.from_bytes(each[2:4], "big"), data(each)) for each in writes}
    assert writes and {(at, content) for _, at, content in bench.slave.writes[first:]} <= passed
    for frame in writes:
        is_start = bool(
            bench.frames([(frame[1], int.from_bytes(frame[2:4], "big"), data(frame))])[0]
        )
        limits = RATED_W, RATED_W
        assert bench.gate.check(frame, True, *limits) == 0
        assert bench.gate.check(frame, False, *limits) == (611 if is_start else 0)
        other = frame[:2] + (60_123).to_bytes(2, "big") + frame[4:-2]
        assert bench.gate.check(seal(other), True, *limits) in (601, 604)
        assert bench.gate.check(seal(bytes((2,)) + frame[1:-2]), True, *limits) == 602
        assert bench.gate.check(frame[:-1] + bytes((frame[-1] ^ 1,)), True, *limits) == 606


def test_a_stop_that_was_acknowledged_before_the_link_was_lost_is_sent_again(bench):
    bench.shows(code=s.PCS_RUNNING)
    bench.channel.fault.is_held = False
    bench.run(2000, permitted=1)
    bench.run(60 + 2 * bench.busy_ms)
    assert bench.pcs.stop_taken_us is not None or not bench.has_stop()
    bench.lose(15_000, permitted=0)
    bench.shows(code=s.PCS_OFF)
    starts, stops, zeros = bench.run(8000)
    assert not starts and (stops or zeros)


def test_a_link_that_is_lost_at_a_tick_of_a_start_is_followed_by_a_stop_alone(bench):
    """The permit goes while it is lost."""
    bench.shows(code=s.PCS_OFF)
    bench.run(2 * bench.reads_ms)
    for ticks in range(1, STARTING_TICKS, 6):
        bench.channel.fault.is_held, bench.channel._budget = False, StartBudget()
        bench.run(ticks * TICK_MS, permitted=1)
        bench.slave.silent = True
        bench.run(400, permitted=1)
        bench.lose(bench.profile.settings["restart_silence_ms"] + 1000, permitted=0)
        starts, stops, zeros = bench.run(6000 + 20 * bench.busy_ms)
        assert not starts and (stops or zeros), ticks
    assert bench.channel.gate_refusals == 0


def test_a_start_after_a_lost_link_is_one_of_the_starts_of_an_hour():
    bench, counts = Bench("sinexcel_pws"), []
    bench.run(3000)
    bench.shows(code=s.PCS_STANDBY)
    for _ in range(14):
        counts.append(len(bench.run(6000, permitted=1)[0]) // 2)  # it clears, then it starts
        bench.lose(8000)
    assert counts == [1] * 12 + [0] * 2


def forms(bench):
    """Whole frames that would write the value of a start, or beside it, in another form."""
    if bench.name == SUNSPEC:
        values = [(bench.slave.address("715.8"), 16, b"\0\1")]
    else:
        steps = [each for each in bench.data.get("start", []) if "value" in each]
        values = [(each["address"], each["function"], bench.content(each)) for each in steps]
    for at, function, content in values:
        count = len(content) // 2
        many = at.to_bytes(2, "big") + bytes((0, count, len(content))) + content
        one = at.to_bytes(2, "big") + content[:2]
        before = (at - 1).to_bytes(2, "big") + bytes((0, count + 1, len(content) + 2, 0, 0))
        behind = at.to_bytes(2, "big") + bytes((0, count + 1, len(content) + 2)) + content
        yield from (
            b"\0" + (b"\6" + one if function == 6 else b"\x10" + many),  # to all units
            b"\1" + (b"\x10" + many if function == 6 else b"\6" + one),  # the other function
            b"\1\x10" + before + content,
            b"\1\x10" + behind + bytes(2),
            b"\1\x16" + at.to_bytes(2, "big") + bytes(2) + content[:2],  # mask write
            b"\1\x17" + at.to_bytes(2, "big") + b"\0\1" + many,  # read and write
            b"\1\x10" + at.to_bytes(2, "big") + b"\0\1\2" + content[:1] + b"\xff",
        )


def test_the_gate_passes_no_start_in_another_form(bench):
    for frame in [seal(each) for each in forms(bench)]:
        for is_permitted in (False, True):
            assert bench.gate.check(frame, is_permitted, RATED_W, RATED_W), frame.hex()


@pytest.mark.parametrize("size", range(8))
def test_the_gate_refuses_a_frame_that_is_too_short(bench, size):
    for frame in (bytes(size), seal(bytes((1, 16, 0, 0, 0, 0))[: max(0, size - 2)])[:size]):
        assert bench.gate.check(frame, True, RATED_W, RATED_W)
        assert bench.channel.submit(SimpleNamespace(frame=frame))


def test_a_repeated_start_is_one_of_the_starts_of_an_hour_and_needs_a_permit():
    """FENECON's start is a heartbeat of a minute."""
    bench = Bench("fenecon_c40")
    bench.run(8000)
    for _ in range(2):
        bench.shows(code=s.PCS_STANDBY)
        bench.run(5000, permitted=1)
        bench.shows(code=s.PCS_RUNNING)
        assert len(bench.run(15 * 60_000, permitted=1)[0]) in (14, 15)
        starts, stops, _ = bench.run(60_000)
        assert stops and not starts
    assert len(bench.channel._budget._starts_us) == 2
    assert bench.channel.gate_refusals == 0
    bench.pcs.readings.is_started, bench.pcs._start_repeated_us = True, -(1 << 62)
    (request,) = bench.pcs._repeated_start(bench.bus.now_us)
    assert bench.channel.submit(request) == 611
