"""Which frames make an event, of which moment, and a second: pure, from frames made up."""

import math
from types import SimpleNamespace

import pytest
from views import device

from controller.config import configuration
from controller.core import image
from controller.core.base import reasons
from controller.core.base.setpoint import (
    CHAIN_OUTPUTS,
    O_BINDING_REASON,
    O_LIMITS_HIGH_W,
    O_LIMITS_LOW_W,
)
from controller.core.base.standby import PERSON, TEST
from controller.core.core import STANDING_BITS
from controller.core.site_devices import layout as layouts
from controller.journal import journal_header
from controller.recorder.events import HELD_MS, EventFinder, row_event, row_kind
from controller.recorder.held import Held
from controller.recorder.minutes import COLUMNS as BANDS, Minutes
from controller.recorder.seconds import COLUMNS, Seconds
from controller.recorder.timeline import Timeline
from controller.run import operator_commands
from controller.sites import EXAMPLE
from safety import latches, matrix, signals as s
from tests.tables import table

CONFIG = configuration.load(EXAMPLE)
HELD_TICKS = HELD_MS // CONFIG.tick_ms
HINT_NAMES = ["hint_control_source"]
MODE_NAMES = ["mode_reason"]
SCHEDULE_NAMES = ["schedule_source", "schedule_state", "schedule_slot"]
HINT_NAMES += [f"source_0.charge_W_max_{each}" for each in ("value_W", "valid_s", "state")]


class Seen:
    """The image of a snapshot, which a test sets."""

    def __init__(self):
        header = journal_header.journal_header(CONFIG)
        self.stage_names, self.layout = header["stage_instances"], CONFIG.layout()
        self.inp = [0] * len(header["input_names"])
        first = header["output_names"].index(CHAIN_OUTPUTS[0])
        self.output_names = header["output_names"][: first + len(CHAIN_OUTPUTS)]
        self.output_names += HINT_NAMES + SCHEDULE_NAMES + MODE_NAMES
        self.chain_at, self.hints_at = first, first + len(CHAIN_OUTPUTS)
        self.out = [0] * len(self.output_names)
        self.out[-1] = reasons.MODE
        self.standing_words = [0] * -(-len(self.stage_names) // STANDING_BITS)
        self.first_out = -1
        self.reader = SimpleNamespace(header={**header, "source_names": ["site_ems"]})

    def chain(self, index):
        return self.out[self.chain_at + index]

    def stand(self, *names):
        words = [0] * len(self.standing_words)
        for name in names:
            index = self.stage_names.index(name)
            words[index // STANDING_BITS] |= 1 << index % STANDING_BITS
        self.standing_words = words
        self.first_out = self.stage_names.index(names[0]) if names else -1

    def at(self, name):
        return self.reader.header["input_names"].index(name)


@pytest.fixture
def seen():
    return Seen()


class Finder:
    def __init__(self, seen, **arguments):
        self.seen, self.finder = seen, EventFinder(seen, **arguments)

    def feed(self, fresh_io=1, ticks=1):
        fresh, found = bytes([fresh_io] + [0] * 60), []
        for _ in range(ticks):
            found += self.finder.feed(SimpleNamespace(sequence=5, elapsed_ticks=1, fresh=fresh))
        return found

    def told(self, **arguments):
        return [(each.kind, each.text.partition(":")[0]) for each in self.feed(**arguments)]

    def texts(self, *kinds):
        return [each.text for each in self.feed() if not kinds or each.kind in kinds]


@pytest.fixture
def settled(seen):
    finder = Finder(seen)
    finder.feed()
    return finder


def test_every_row_has_its_kind_code_and_text():
    for row in matrix.STAGES:
        stage, demand = row[matrix.S_ID], row[matrix.S_DEMAND]
        stops = demand[matrix.D_PCS] or demand[matrix.D_DC] > matrix.DC_INHIBIT
        assert (row_kind(stage) == "trip") == bool(stops)
        event = row_event(f"{stage}.rack2", True)
        assert (event.code, event.scope) == (f"R{reasons.ROW + row[matrix.S_ROW]}", "rack2")
        assert event.text.startswith(f"{stage}: ") and row_event(stage, False).kind == "clear"
    of_another_version = row_event("99z", True)
    assert of_another_version[1:4] == ("trip", "", "cabinet")


def test_rows_that_come_and_go_first_out_first(seen, settled):
    seen.stand("40c.rack2", "1a", "50a")
    first, *rest = settled.feed()
    assert (first.sequence, first.kind, first.scope) == (5, "trip", "rack2")
    assert first.text.startswith("40c: ") and first.text.endswith("First out.")
    assert [(each.kind, each.text[:3]) for each in rest] == [("trip", "1a:"), ("limit", "50a")]
    assert settled.feed() == []
    seen.stand("1a")
    gone = [(each.kind, each.scope) for each in settled.feed()]
    assert gone == [("clear", "rack2"), ("clear", "cabinet")]
    assert settled.feed(ticks=200) == []


@pytest.mark.parametrize(
    "active, arguments, told",
    [
        (("1a", "2"), {"standing": ["1a", "3"]}, [("trip", "2"), ("clear", "3")]),
        (("1a", "44c"), {"standing": ["1a"], "new_run": True}, [("trip", "44c"), ("latch", "1a")]),
    ],
)
def test_what_was_known_before_is_told_again_only_in_a_new_run(seen, active, arguments, told):
    seen.stand(*active)
    finder = Finder(seen, **arguments)
    assert finder.told()[:2] == told
    seen.stand("1a")
    assert "latch" not in [kind for kind, _ in finder.told()]


@pytest.mark.parametrize("ticks, told", [(HELD_TICKS - 1, 0), (HELD_TICKS, 0), (HELD_TICKS + 1, 1)])
def test_a_limit_that_binds_is_told_once_it_holds(seen, settled, ticks, told):
    for tick in range(300):  # one that flickers is no event
        seen.out[seen.chain_at + O_BINDING_REASON] = (0, 217, 501)[tick % 3]
        assert settled.feed() == []
    seen.out[seen.chain_at + O_BINDING_REASON] = 217
    assert [event.code for event in settled.feed(ticks=ticks)] == ["R217"] * told
    seen.out[seen.chain_at + O_BINDING_REASON] = 299  # of a newer version
    (found,) = settled.feed(ticks=60)
    assert found.code == "R299" and "no text" in found.text


def test_a_stop_is_told_once_whatever_is_asked_for_meanwhile(seen, settled):
    """A request that comes and goes, a ramp or a cap changes nothing while no power may flow."""

    def told(binding, low_W, high_W, low_reason=230):
        seen.out[seen.chain_at + O_BINDING_REASON] = binding
        at = seen.chain_at + O_LIMITS_LOW_W
        seen.out[at : at + 4] = low_W, low_reason, high_W, 231
        assert at + 2 == seen.chain_at + O_LIMITS_HIGH_W
        return [event.code for event in settled.feed(ticks=HELD_TICKS + 1)]

    asked = (0, 231, 0, 230, 501, 0, 230)
    assert [told(each, 0, 0) for each in asked] == [[], ["R231"], [], [], [], [], []]
    assert [told(each, 0, 0, 228) for each in (0, 228)] == [[], []]
    assert [told(each, 0, 9) for each in (230, 0, 230)] == [["R230"], ["R0"], ["R230"]]


def test_why_a_start_is_inhibited_is_told_whenever_it_holds_anew(seen, settled):
    told = []
    for reason in (3, 3, 0, 3, 12):
        seen.out[s.INHIBIT_REASON] = reason
        told += [[(each.kind, each.code) for each in settled.feed(ticks=HELD_TICKS + 1)]]
    assert told == [[("state", "R703")], [], [], [("state", "R703")], [("state", "R718")]]


def test_resets_states_and_the_key(seen, settled):
    seen.out[s.RESET_RESULT], seen.out[s.RESETS_LEFT] = latches.DONE, 2
    seen.inp[s.RESET_KIND], seen.inp[s.KEY_RUN_OK] = matrix.REMOTE, 1
    seen.out[s.STATE] = s.RUNNING
    assert [(event.kind, event.text) for event in settled.feed()] == [
        ("reset", "remote reset: done, 2 left this hour"),
        ("state", "inhibited -> running"),
        ("key", "key switch: in RUN"),
    ]
    seen.out[s.RESET_RESULT] = seen.inp[s.KEY_RUN_OK] = 0
    assert settled.feed(fresh_io=0) == []  # an input that was never heard is no key
    assert settled.texts() == ["key switch: not in RUN"]


def test_an_approval_is_told_with_its_name_and_image(seen, settled):
    at = seen.at(image.APPROVED_BY[0])
    assert settled.feed() == []
    seen.inp[at : at + 4] = image.packed_name("anna")
    assert settled.texts() == [], "it may be of another image"
    seen.inp[s.IMAGE_APPROVED_OK], seen.out[s.IMAGE_CRC] = 1, 0xABC
    assert settled.texts() == ["limit image 00000ABC approved by anna, the key out of RUN"]
    assert settled.feed() == []
    seen.inp[at : at + 4] = image.packed_name("bert")
    assert settled.texts() == ["limit image 00000ABC approved by bert, the key out of RUN"]


def test_a_reset_that_the_kernel_was_not_given_is_told_too(seen, settled):
    at = seen.at(image.VOID_RESET[0])
    seen.out[s.RESETS_LEFT] = 3
    for kind, answer, text in (
        (matrix.REMOTE, latches.NOT_CLEAR_YET, "remote reset: not clear yet, "),
        (matrix.KEY, latches.KEY_NEEDED, "key reset: key needed, "),
        (matrix.KEY, operator_commands.NOT_STORED, "key reset: the store does not take it: "),
    ):
        seen.inp[at : at + 2] = kind, answer
        (found,) = settled.texts("reset")
        assert found.startswith(text) and found.endswith(", 3 left this hour")
        seen.inp[at : at + 2] = 0, 0
        assert settled.feed() == []


def test_journals_of_older_versions_are_read(seen):
    names = seen.reader.header["input_names"]
    del names[seen.at(image.VOID_RESET[0]) :]
    names[:] = [name for name in names if name not in image.OPERATOR + image.REST]
    settled = Finder(seen)
    settled.feed()
    seen.out[s.RESET_RESULT], seen.inp[s.RESET_KIND] = latches.KEY_NEEDED, matrix.KEY
    assert settled.texts() == ["key reset: key needed, 0 left this hour"]


def test_hints_and_who_is_in_control(seen, settled):
    control, value, _, state = range(seen.hints_at, seen.hints_at + 4)
    seen.out[value], seen.out[state], seen.out[control] = 50_000, 1, 1
    assert [event[1:] for event in settled.feed()] == [
        ("hint", "", "site_ems", "site_ems charge_W_max = 50000 W: valid"),
        ("source", "", "site_ems", "in control: site_ems"),
    ]
    assert settled.feed() == []  # renewed with the same value
    seen.out[value], seen.out[state], seen.out[control] = 20_000, 2, 0
    assert settled.texts() == [
        "site_ems charge_W_max = 20000 W: fallback in force",
        "in control: the cabinet itself",
    ]


def test_a_schedule_that_acts_waits_or_ends(seen, settled):
    source, state, slot = range(seen.hints_at + 4, seen.hints_at + 7)
    seen.out[source], seen.out[state], seen.out[slot] = 1, 1, 3
    assert [event[1:] for event in settled.feed()] == [("hint", "", "site_ems", "schedule: acts")]
    seen.out[slot] = 4
    assert settled.feed() == []
    seen.out[state] = 5
    assert settled.texts() == ["schedule: waits for the clock"]
    seen.out[source] = seen.out[state] = 0
    assert [event[3:] for event in settled.feed()] == [("cabinet", "schedule: none")]


def test_a_mode_of_the_site_is_an_event_when_it_changes(seen, settled):
    assert settled.feed() == []
    for code, name in ((902, "hand-over"), (903, "island"), (905, "return to the grid")):
        seen.out[-1] = code
        (found,) = settled.feed()
        assert (found.kind, found.code) == ("state", f"R{code}") and found.text.startswith(name)
        assert settled.feed() == []


def test_lock_outs_lamp_tests_and_values_held_over_skipped_ticks(seen, settled):
    lamp_test, *locked_out = map(seen.at, image.OPERATOR)

    def now(name="", lamp_test_ms=0, finder=settled):
        seen.inp[locked_out[0] : locked_out[-1] + 1] = image.packed_name(name)
        seen.inp[lamp_test] = lamp_test_ms
        return finder.texts("note")

    assert now("anna") == ["locked out by anna"] and now("anna") == []
    assert now("anna", 5000) == ["lamp test"] and now("anna", 4980) == [] and now("anna") == []
    assert now("bert") == ["the lock-out by anna has ended", "locked out by bert"]
    assert now() == ["the lock-out by bert has ended"]
    assert now(finder=Finder(seen)) == [] and now("a", finder=Finder(seen)) == ["locked out by a"]
    held = Held(50)
    assert held.step(0, 1) and not held.step(7, 1)
    assert held.step(7, 60) and held.value == 7


STEPS = f"""
{image.REST[0]} | {PERSON} | a person has stopped it: it rests until somebody starts it
{image.REST[0]} | {PERSON} | ; {image.REST[0]} | 0 | a person has started it ; {image.REST[0]} | 0 |
{image.REST[0]} | {TEST} |
{image.REST[0]} | {PERSON} | a person has stopped it: it rests until somebody starts it
{image.REST[0]} | {TEST} |
test_request | 1 | TEST mode has begun: 60 s in all, 5 % of rated power, rows armed
test_request | 1 | ; test_request | 0 | TEST mode is over: it rests until somebody starts it
test_request | 0 |
"""


@pytest.mark.parametrize("name", [image.REST[0], "test_request"])
def test_what_persons_begin_and_end_is_told(seen, settled, name):
    """A test and a lock-out, which leave it at rest too, have events of their own."""
    at = seen.at(name)
    steps = [(value, text) for each, value, text in table(STEPS) if each == name]
    for number, (value, text) in enumerate(steps):
        seen.inp[at] = value
        assert settled.texts("note") == [text] * bool(text), number
        if number == 0:
            assert Finder(seen).texts("note") == [text], "it is so at the start"
    seen.inp[at] = 0
    assert Finder(seen).texts("note") == []


AT_400 = {"inode": 7, "sequence": 400, "uptime_us": 9_000_000}
PLACED = f"""
{AT_400} | 15_000_000 | 10_000_000 | 1_000_000 ; {AT_400} | None | 10_000_000 | 1_000_000
{AT_400 | {"inode": 8}} | 15_000_000 | 14_000_000 | None
{AT_400 | {"sequence": 501}} | 15_000_000 | 14_000_000 | None ; None | None | 19_200_000 | None
"""


@pytest.mark.parametrize("anchor, ended_us, moment_us, within_us", table(PLACED))
def test_a_run_that_is_not_written_any_more_is_placed(anchor, ended_us, moment_us, within_us):
    newest = [500]
    run = SimpleNamespace(inode=7, tick_ms=20, reader=SimpleNamespace(newest=lambda: newest[0]))
    line = Timeline(run, anchor, ended_us)
    looked = [line.look(now_us) for now_us in (20_000_000, 20_199_999, 20_200_000)]
    assert looked == ([True] * 3 if ended_us else [False, False, True])
    assert line.moment(450) == (moment_us, within_us)
    here = {"inode": 7, "sequence": 450, "uptime_us": moment_us}
    assert line.anchor(450) == (here if within_us else None)
    newest[0] = 501  # later writes still count
    assert line.look(21_000_000) and line.quiet_us(21_500_000) == 500_000
    assert [line.moment(at)[0] for at in (451, 502)] == [20_000_000, 21_000_000]
    assert line.moment(501) == (21_000_000, 40_000)


LAYOUT = s.Layout(2, 3, 2)
READINGS = {
    s.SOC_PERMILLE: (500, 511, 520),
    s.CELL_VOLTAGE_MV_MIN: (3210, 3205, 3220),
    s.CELL_VOLTAGE_MV_MAX: (3300, 3310, 3290),
    s.MODULE_TEMPERATURE_DDEGC: (200, 210, 220),
    s.MODULE_TEMPERATURE_DDEGC + 1: (205, 230, 215),
}


def seconds_of(missing, steps=(1,) * 50):
    """(frame, row) of each second of frames of two units and three racks; missing: a group."""
    inp, out = [0] * LAYOUT.inputs, [s.STATES.index("running")] * LAYOUT.outputs
    for unit, power_W in enumerate((-1000, 300)):
        inp[LAYOUT.unit_input(unit, s.PCS_POWER_W)] = power_W
    for signal, values in READINGS.items():
        for rack, value in enumerate(values):
            inp[LAYOUT.rack_input(rack, signal)] = value
    fresh = bytearray(at != missing for at in range(LAYOUT.groups))
    reader = SimpleNamespace(header={"safety_image": [20] * 9, "input_names": []})
    words = {"layout": LAYOUT, "inp": inp, "out": out, "reader": reader, "chain": lambda at: at}
    seconds, rows = Seconds(SimpleNamespace(**words)), []
    for number, elapsed_ticks in enumerate(steps, 1):
        inp[s.GRID_POWER_W] = -4 + number % 2
        inp[s.GRID_RAW_HASH] = inp[s.LOAD_RAW_HASH] = number
        row = seconds.feed(SimpleNamespace(elapsed_ticks=elapsed_ticks, fresh=fresh))
        rows += [(number, dict(zip(COLUMNS, row)))] if row else []
    return rows


def test_a_second_is_of_all_units_and_racks_or_says_nothing():
    values = (-3, 0, -700, 23, 25, 26, 510, 3205, 3310, 230, "running", 28)
    for missing, *names in (
        (s.G_METER_LOAD, "load_W"),
        (LAYOUT.unit_group(1, s.G_PCS_MEASURE), "battery_W"),
        (LAYOUT.rack_group(2, s.G_BMS_CHARGE), "soc_permille"),
        (LAYOUT.rack_group(1, s.G_BMS_CELLS), "cell_mV_min", "cell_mV_max"),
        (LAYOUT.rack_group(2, s.G_BMS_TEMPERATURES), "temperature_ddegC_max"),
    ):
        ((_, row),) = seconds_of(missing)
        assert row == {**dict(zip(COLUMNS, values)), **dict.fromkeys(names)}


def test_a_stall_is_one_row_and_the_seconds_go_on_where_they_were():
    assert [at for at, _ in seconds_of(0, (20, 120, *[1] * 70))] == [2, 12, 62]


def test_a_minute_has_the_rms_of_each_band_or_nothing():
    """The load swings at 1 Hz by 100 kW around 300 kW; the grid meter is silent."""
    inp = [0] * LAYOUT.inputs
    reader = SimpleNamespace(header={"safety_image": [20] * 9, "input_names": []})
    minutes = Minutes(SimpleNamespace(layout=LAYOUT, inp=inp, reader=reader))
    fresh = bytes(group != s.G_METER_GRID for group in range(LAYOUT.groups))
    rows = {}
    for sequence in range(2000, 9001):  # the recorder begins after 40 s of the run
        inp[s.LOAD_RAW_HASH] = sequence
        inp[s.LOAD_POWER_W] = 300_000 + round(1e5 * math.sin(2 * math.pi * sequence / 50))
        frame = SimpleNamespace(sequence=sequence, elapsed_ticks=1, fresh=fresh)
        row = minutes.feed(frame)
        if row:
            rows[sequence] = dict(zip(BANDS, row))
    assert list(rows) == [3000, 6000, 9000]
    assert rows[3000]["load_100_500_mHz_W"] is None  # 20 s are too few for 0.1 Hz
    for sequence, row in rows.items():
        assert row["load_500_3000_mHz_W"] == pytest.approx(70_711, rel=0.001), sequence
        assert row["load_3000_20000_mHz_W"] < 100 and row["load_observable_mHz"] == 16_670
        assert row["grid_500_3000_mHz_W"] is row["grid_observable_mHz"] is None
        assert row["battery_500_3000_mHz_W"] == 0


def test_a_row_of_several_devices_names_the_one_behind_it(finder_of_modules):
    finder, seen = finder_of_modules
    finder.feed(ticks=30)  # modules 2 and 3 answer, module 1 does not
    seen.stand("49")
    (text,) = [each.text for each in finder.feed() if each.kind == "trip"]
    assert text.startswith("49: I/O module silent. io_1: An I/O module is silent;")


@pytest.fixture
def finder_of_modules(seen):
    made, fresh = Finder(seen), bytes([0, 1, 1] + [0] * 58)

    def feed(ticks=1):
        frame = SimpleNamespace(sequence=5, elapsed_ticks=1, fresh=fresh)
        return [each for _ in range(ticks) for each in made.finder.feed(frame)]

    made.feed()
    made.feed = feed
    return made, seen


def test_less_load_is_the_sum_of_what_all_schedulers_report_and_unknown_while_one_is_silent():
    devices = [device("load_cap", number=1, lower_W_max=80_000), device("load_cap", number=2)]
    layout = CONFIG.layout()
    made = image.ProcessImage(layout, devices)
    names = ["x"] * layout.inputs + image.own_names(layout.units, devices)
    header = {"safety_image": CONFIG.safety_image, "site_image": layouts.image_of(devices)}
    header["input_names"] = names
    words = {"layout": layout, "inp": made.inp, "out": [0] * 200, "chain": lambda at: at}
    found = Seconds(SimpleNamespace(**words, reader=SimpleNamespace(header=header)))

    def lowered_W(ticks, *heard):
        """Less load after so many ticks. heard: devices that reported in the first of them."""
        for tick in range(ticks):
            reports = bytes([tick == 0 and each in heard for each in (1, 1, 2, 2)])
            frame = SimpleNamespace(elapsed_ticks=1, fresh=bytes(layout.groups) + reports)
            found.feed(frame)
        return found.lowered_W

    assert lowered_W(1) is None, "nothing reported yet"
    for number, value_W in ((1, 100), (2, 20)):
        made.inp[made.site_place("load_cap", number)[0]] = value_W
    assert [lowered_W(1, 1), lowered_W(1, 2)] == [None, 120]
    assert lowered_W(50, 1, 2) == 120
    assert lowered_W(3000, 1) is None, "the second has been silent for a minute"
    assert lowered_W(1, 1, 2) == 120
    header["input_names"] = names[:-1]
    old = Seconds(SimpleNamespace(**words, reader=SimpleNamespace(header=header)))
    assert old.lowered_W is None, "another version wrote the journal"


def test_the_power_of_a_frozen_meter_is_not_recorded():
    layout = CONFIG.layout()
    inp, out = [7] * layout.inputs, [0] * 200
    reader = SimpleNamespace(header={"safety_image": CONFIG.safety_image, "input_names": []})
    words = {"layout": layout, "inp": inp, "out": out, "reader": reader, "chain": lambda at: at}
    seconds, rows = Seconds(SimpleNamespace(**words)), []
    for tick in range(7 * 50):
        inp[s.LOAD_RAW_HASH] = tick
        frame = SimpleNamespace(elapsed_ticks=1, fresh=b"\1" * layout.groups)
        rows += [row[:2] for row in [seconds.feed(frame)] if row]
    assert [grid_W for grid_W, _ in rows] == [7] * 5 + [None] * 2
    assert {load_W for _, load_W in rows} == {7}
