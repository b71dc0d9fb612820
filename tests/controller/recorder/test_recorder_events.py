"""Which frames make an event, of which moment, and a second: pure, from frames made up."""

import math
from array import array
from types import SimpleNamespace

import pytest
from views import device

from controller.config import configuration
from controller.core import image
from controller.core.base import reasons
from controller.core.base.setpoint import CHAIN_OUTPUTS
from controller.core.core import STANDING_BITS
from controller.core.site_devices import layout as layouts
from controller.journal import journal_header
from controller.recorder.events import EventFinder, row_event, row_kind
from controller.recorder.held import Held
from controller.recorder.minutes import COLUMNS as BANDS, Minutes
from controller.recorder.seconds import COLUMNS, Seconds
from controller.recorder.timeline import Timeline
from controller.sites import EXAMPLE
from safety import matrix, signals as s
from tests.tables import table
from tests.transcript import by_word, each_part

CONFIG = configuration.load(EXAMPLE)
HINT_NAMES = ["hint_control_source"]
MODE_NAMES = ["mode_reason"]
CONTACT_NAMES = ["contacts_closed", "contacts_import_W_max", "contacts_export_W_max"]
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
        self.output_names += HINT_NAMES + SCHEDULE_NAMES + CONTACT_NAMES + MODE_NAMES
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


FRESH = {"silent": [], "module_1_silent": [0, 1, 1]}


class Recorder:
    """What a line of events.txt does."""

    def __init__(self, seen):
        self.seen, self.finder = seen, EventFinder(seen)
        self.frames("1")

    def begin(self, *known):
        standing = [each for each in known if each != "new"]
        self.finder = EventFinder(self.seen, standing, "new" in known)

    def frames(self, count, *words):
        fresh = [1]
        for name, _, value in [word.partition("=") for word in words]:
            fresh = FRESH.get(name, fresh)
            if value:
                self._set(name, value)
        frame = SimpleNamespace(sequence=5, elapsed_ticks=1, fresh=bytes(fresh).ljust(61, b"\0"))
        found = [each for _ in range(int(count)) for each in self.finder.feed(frame)]
        assert {each.sequence for each in found} <= {5}
        return [f"{each.kind} {each.code or '-'} {each.scope}: {each.text}" for each in found]

    def _set(self, name, value):
        if name in self.seen.output_names:
            self.seen.out[self.seen.output_names.index(name)] = int(value)
        else:
            words = [int(value)] if value.isdigit() else image.packed_name(value.strip("-"))
            at = self.seen.at(name)
            self.seen.inp[at : at + len(words)] = words


@each_part(__file__, "events.txt")
def test_events(part, seen):
    recorder = Recorder(seen)
    steps = {"$": recorder.frames, "begin": recorder.begin, "stand": seen.stand}
    part.play(by_word(steps))


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


def test_journals_of_older_versions_are_read(seen):
    names = seen.reader.header["input_names"]
    del names[seen.at(image.VOID_RESET[0]) :]
    names[:] = [name for name in names if name not in image.OPERATOR + image.REST]
    (line,) = Recorder(seen).frames("1", "reset_result=5", "reset_kind=2")
    assert line.endswith("key reset: key needed, 0 left this hour")


def test_values_held_over_skipped_ticks():
    held = Held(50)
    assert held.step(0, 1) and not held.step(7, 1)
    assert held.step(7, 60) and held.value == 7


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


def snapshot(layout, inp, out=(0,) * 200, **header):
    header = {"safety_image": [20] * 9, "input_names": []} | header
    reader = SimpleNamespace(header=header)
    return SimpleNamespace(layout=layout, inp=inp, out=out, reader=reader, chain=lambda at: at)


def seconds_of(missing, steps=(1,) * 50):
    """(frame, row) of each second of frames of two units and three racks; missing: a group."""
    inp, out = [0] * LAYOUT.inputs, [s.STATES.index("running")] * LAYOUT.outputs
    for unit, power_W in enumerate((-1000, 300)):
        inp[LAYOUT.unit_input(unit, s.PCS_POWER_W)] = power_W
    for signal, values in READINGS.items():
        for rack, value in enumerate(values):
            inp[LAYOUT.rack_input(rack, signal)] = value
    fresh = bytearray(at != missing for at in range(LAYOUT.groups))
    seconds, rows = Seconds(snapshot(LAYOUT, inp, out)), []
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
    minutes = Minutes(snapshot(LAYOUT, inp))
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


def test_less_load_is_the_sum_of_what_all_schedulers_report_and_unknown_while_one_is_silent():
    devices = [device("load_cap", number=1, lower_W_max=80_000), device("load_cap", number=2)]
    layout = CONFIG.layout()
    made = image.ProcessImage(layout, devices)
    names = ["x"] * layout.inputs + image.own_names(layout.units, devices)
    header = {"safety_image": CONFIG.safety_image, "site_image": layouts.image_of(devices)}
    found = Seconds(snapshot(layout, made.inp, **header, input_names=names))

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
    old = Seconds(snapshot(layout, made.inp, **header, input_names=names[:-1]))
    assert old.lowered_W is None, "another version wrote the journal"


def test_the_energy_of_a_ups_is_recorded_while_its_readings_are_fresh():
    """30 kWh by its charge, 20 kWh by its time; its readings are old after 3 s of 20 ms."""
    layout, devices = CONFIG.layout(), [device("load_ups", rated_W=80_000, energy_Wh=40_000)]
    made = image.ProcessImage(layout, devices)
    names = ["x"] * layout.inputs + image.own_names(layout.units, devices)
    header = {"safety_image": CONFIG.safety_image, "site_image": layouts.image_of(devices)}
    found = Seconds(snapshot(layout, made.inp, **header, input_names=names))
    first = made.site_place("load_ups", 1)[0]
    made.inp[first : first + 4] = array("i", [0, 750, 1800, 40_000])
    seen = []
    for ticks, is_heard in ((1, 1), (149, 0), (1, 0), (1, 1)):
        fresh = bytes(layout.groups) + bytes([is_heard] * 4)
        found.feed(SimpleNamespace(elapsed_ticks=ticks, fresh=fresh))
        seen.append(found.ups_Wh)
    assert seen == [20_000, 20_000, None, 20_000]


def test_the_power_of_a_frozen_meter_is_not_recorded():
    layout = CONFIG.layout()
    inp = [7] * layout.inputs
    seconds, rows = Seconds(snapshot(layout, inp, safety_image=CONFIG.safety_image)), []
    for tick in range(7 * 50):
        inp[s.LOAD_RAW_HASH] = tick
        frame = SimpleNamespace(elapsed_ticks=1, fresh=b"\1" * layout.groups)
        rows += [row[:2] for row in [seconds.feed(frame)] if row]
    assert [grid_W for grid_W, _ in rows] == [7] * 5 + [None] * 2
    assert {load_W for _, load_W in rows} == {7}
