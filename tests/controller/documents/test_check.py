"""The report of `firebreak check`: times by arithmetic, a worst case on a simulated bus, rows."""

import itertools
import random

import pytest

from controller import __main__
from controller.config import bus_times, equipment, limit_images, path_identity
from controller.core import functions
from controller.documents import check, check_tables
from controller.documents.document import WIDTH
from controller.rows import records
from controller.store import two_copies
from controller.store.stored_record import Record
from drivers.buses import rtu
from tests.repository import ROOT
from tests.tables import cases, table

NORA = "Nora Toft, 2026-01-01"
CHARACTER_US = {9600: 10e6 / 9600, 38_400: 10e6 / 38_400, 115_200: 10e6 / 115_200}


def _exchange(config, bus, device, what):
    exchanges = bus_times.schedule(config)[bus]
    (found,) = [each for each in exchanges if (each.device, each.what) == (device, what)]
    return found


def _ms(parts, what):
    return next(part.time_us for part in parts if part.what == what) / 1000


EXCHANGES = """
io | io_1 | read inputs | 14 | 115_200 | 3000 | 1750 | 25
io | io_2 | write coils | 18 | 115_200 | 3000 | 1750 | 100
meter_load | meter_load | read meter | 61 | 115_200 | 2000 | 1750 | 20
gas | gas_2 | read gas | 21 | 38_400 | 20_000 | 6750 | 500
pcs | pcs_1 | write setpoint | 21 | 115_200 | 5000 | 1750 | 20
pcs | pcs_1 | write heartbeat | 21 | 115_200 | 5000 | 1750 | 1000
pcs | pcs_1 | read ac | 27 | 115_200 | 5000 | 1750 | 100
"""


def test_the_time_of_an_exchange(files):
    config = files.load()
    for bus, device, what, characters, baud_Bd, turn_us, quiet_us, period_ms in table(EXCHANGES):
        exchange = _exchange(config, bus, device, what)
        least_us = characters * CHARACTER_US[baud_Bd] + turn_us + quiet_us
        assert least_us <= exchange.time_us <= least_us + 4, (device, what)
        assert exchange.period_us == period_ms * 1000
    before = _exchange(files.load(), "meter_grid", "meter_grid", "read meter").time_us
    files.say("site", "bus.meter_grid.characters", '"8E1"')
    after = _exchange(files.load(), "meter_grid", "meter_grid", "read meter").time_us
    assert after - before == pytest.approx(61 * 1e6 / 115_200, abs=4)
    # a base frame of 8 bytes has at most 135 bits with its intermission, an empty one 55
    for data_bytes, bitrate_bps, us in (8, 500_000, 270), (8, 125_000, 1080), (0, 1_000_000, 55):
        assert bus_times.can_frame_us(data_bytes, bitrate_bps) == us


@cases("""tick_ms  setpoint_ms  early
    20  20  0 | 20  21  1 | 50  20  0 | 50  50  0 | 50  100  1""")
def test_a_set_point_that_waits_for_its_period_may_come_early(files, tick_ms, setpoint_ms, early):
    """A falling limit sends it early. A set-point that is sent in every tick never comes early."""
    files.replace("type", "tick_ms = 20 ", f"tick_ms = {tick_ms} ")
    found = files.replace("type", "setpoint_ms = 20 ", f"setpoint_ms = {setpoint_ms} ").load()
    assert _exchange(found, "pcs", "pcs_1", "write setpoint").early == early
    buses = bus_times.schedule(found).values()
    assert sum([one.early for exchanges in buses for one in exchanges]) == early


def test_the_response_time_includes_all_exchanges_that_start_meanwhile():
    """Own time 3, the other 2 every 10: 5. One early exchange of the other: 7."""
    own, other = [bus_times.Exchange("", "", 100, 1, time_us, 0) for time_us in (3, 2)]
    assert bus_times.response_us(own, [own, other._replace(period_us=10)]) == 5
    assert bus_times.response_us(own, [own, other._replace(period_us=10, early=1)]) == 7
    # Own 3, others 2 every 10 and 4 every 8: 3 + 2 + 4 = 9, 4 again: 13, 2 again: 15

    def exchange(time_us, period_us):
        return bus_times.Exchange("", "", period_us, 1, time_us, 0)

    own, others = exchange(3, 100), [exchange(2, 10), exchange(4, 8)]
    assert bus_times.response_us(own, [own, *others]) == 15


def test_frames_and_utilisation_of_a_native_rack(files):
    """Every 100 ms: five messages, one per four module temperatures, and one command."""
    config = files.load()
    assert _exchange(config, "can0", "bms_3", "frames from BMS").frames == 5 + 4
    schedule = bus_times.schedule(config)
    # 30 x 0.27 ms in 100 ms
    assert bus_times.utilisation_permille(schedule["can0"]) == 81
    io_permille = 2 * (5966 / 25_000 + 6313 / 100_000) * 1000
    assert bus_times.utilisation_permille(schedule["io"]) == pytest.approx(io_permille, abs=1)
    before = 15
    for modules, frames in (16, 9), (17, 10):
        files.replace("type", f"modules = {before}", f"modules = {modules}")
        assert _exchange(files.load(), "can0", "bms_1", "frames from BMS").frames == frames
        before = modules


def test_can_frames_of_pylontech(pylontech):
    """Seven frames a second (0x351 355 356 359 35A 35C 35E) and the answer 0x305."""
    exchanges = bus_times.schedule(pylontech.load())["can0"]
    assert [(each.frames, each.period_us) for each in exchanges] == [(7, 10**6), (1, 10**6)]


@pytest.mark.parametrize("period_ms, accepted", [(127, False), (128, True)])
def test_a_bus_may_be_busy_80_percent(pylontech, period_ms, accepted):
    """A poll of one SDM630 at 9600 Bd takes 102.2 ms, so 127.7 ms is the shortest period."""
    pylontech.replace("site", "period_ms = 250 ", f"period_ms = {period_ms} ")
    if accepted:
        assert bus_times.utilisation_permille(bus_times.schedule(pylontech.load())["meter"]) == 799
    else:
        assert "the bus would be busy 80.5 % of the time" in pylontech.refusal()


def test_the_worst_case_is_the_sum_of_its_parts(files):
    config = files.load()
    parts = bus_times.stop_latency(config, bus_times.schedule(config))
    names = ["poll", "transaction", "debounce", "tick", "in flight", "frame"]
    assert [part.what for part in parts] == names
    # both reads and both writes of both modules, once
    frame_ms = 10 * CHARACTER_US[115_200] / 1000
    near = pytest.approx
    transaction, flight = near(2 * 5.966 + 2 * 6.313, abs=0.01), near(6.313, abs=0.005)
    wanted_ms = [25, transaction, 20, 20, flight, near(frame_ms, abs=0.002)]
    assert [_ms(parts, name) for name in names] == wanted_ms
    # Row 1 may not be slower than 20 ms: the debounce is two ticks of 10 ms
    files.replace("type", "tick_ms = 20", "tick_ms = 10")
    config = files.load()
    parts = bus_times.stop_latency(config, bus_times.schedule(config))
    assert _ms(parts, "debounce") == 20 and _ms(parts, "tick") == 10


class _Bench:
    """The I/O bus with modules that answer, ticks at a random phase, and one contact that opens."""

    def __init__(self, config, chance):
        self.config, self.chance = config, chance
        self.port = bus_times.rtu_port(
            config, next(bus for bus in config.buses if bus.name == "io")
        )
        self.opens_us = chance.randrange(100_000, 200_000)
        self.tick_us = chance.randrange(0, 20_000)
        self.hand_over_us = 1 << 60
        self.seen_open = self.frozen_open = False
        self.reply = None
        for unit_id in (1, 2):
            request = rtu.read_request(("read", unit_id), unit_id, 2, 0, 8, self._on_inputs)
            self.port.add(request, 25_000, chance.randrange(0, 25_000))
        self.coils_due_us = {1: chance.randrange(0, 100_000), 2: chance.randrange(0, 100_000)}
        self.dropped = False

    def _on_inputs(self, pdu, now_us):
        self.seen_open |= pdu[2] == 0

    def _freeze(self, now_us):
        self.frozen_open = self.seen_open
        self.tick_us = now_us + 20_000
        self.hand_over_us = now_us + self.chance.randrange(0, 20_000)

    def _hand_over(self, now_us):
        self.hand_over_us = 1 << 60
        for unit_id in (1, 2):
            drop = self.frozen_open and not self.dropped
            if drop or now_us >= self.coils_due_us[unit_id]:
                self.coils_due_us[unit_id] = now_us + 100_000
                levels = (0,) * 8 if self.frozen_open else (1,) * 8
                self.port.submit(rtu.write_request(15, ("coils", unit_id), unit_id, 0, levels))
        self.dropped = self.frozen_open

    def _answer(self, frame, now_us):
        """(us, bytes). The module samples its contacts when the request has arrived."""
        arrived_us = now_us + round(len(frame) * CHARACTER_US[115_200])
        if frame[1] == 2:
            body = bytes(
                (frame[0], 2, 1, 0 if frame[0] == 1 and arrived_us >= self.opens_us else 255)
            )
        else:
            body = frame[:6]
        reply = rtu.seal(body)
        return arrived_us + 3000 + round(len(reply) * CHARACTER_US[115_200]), reply

    def run(self):
        """us from the opening of the contact to the last byte of the write that drops the coils."""
        port, now_us, busy_us = self.port, 0, 1 << 60
        while True:
            now_us = min(port.wake_us, self.tick_us, self.hand_over_us, busy_us)
            if now_us == busy_us:
                busy_us = 1 << 60
                port.receive(self.reply, now_us)
            elif now_us == self.hand_over_us:
                self._hand_over(now_us)
            elif now_us == self.tick_us:
                self._freeze(now_us)
            else:
                frame = port.poll(now_us)
                if frame and frame[1] == 15 and frame[0] == 1 and frame[7] == 0:
                    return now_us + round(len(frame) * CHARACTER_US[115_200]) - self.opens_us
                if frame:
                    busy_us, self.reply = self._answer(frame, now_us)


def test_no_simulated_stop_takes_longer_than_the_worst_case(files):
    config = files.load()
    parts = bus_times.stop_latency(config, bus_times.schedule(config))
    limit_us = sum([part.time_us for part in parts])
    slowest_us = max([_Bench(config, random.Random(seed)).run() for seed in range(400)])
    assert 0.65 * limit_us < slowest_us <= limit_us


def _report(config):
    text = check.report(config)
    assert text.isascii()
    assert max(map(len, text.split("\n"))) <= WIDTH
    return text


def _row(text, number):
    lines = text[text.index("ROWS OF THE") :].split("\n")
    first = next(index for index, line in enumerate(lines) if line.startswith(f"  {number:3}  "))
    more = itertools.takewhile(lambda line: line.startswith(" " * 6), lines[first + 1 : first + 6])
    return " ".join(" ".join([lines[first], *more]).split())


def test_the_report_of_the_default_cabinet(files):
    """The supervised path of the fire panel satisfies row 46. Row 51 needs a second channel."""
    text = _report(files.load())
    for number in records.ROWS:
        state = {46: "armed, satisfied by the fire panel", 51: "not fitted"}.get(number, "armed")
        assert f" {state}: " in _row(text, number)
    assert "done by BMS" not in text and text.count("not fitted") == 1
    assert _row(text, 51).endswith("accepted by: example: manufacturer's wiring diagram")
    config = files.load()
    text, parts = _report(config), bus_times.stop_latency(config, bus_times.schedule(config))
    assert "can0: 500000 bit/s, 8.1 % busy (allowed 80 %), socketcan can0" in text
    assert "io_1            read inputs          1 x    5.97 ms every      25 ms" in text
    assert f"sum           {sum([part.time_us for part in parts]) / 1000:6.2f} ms" in text
    lines = text.split("\n")
    assert {"  lfl_vol_ppm            60000", "  explosion_control      both"} <= set(lines)
    assert not [line for line in lines if "agent_hold_off_reason" in line], (
        "no line for a key without a value"
    )


def test_the_path_of_load_tracking_is_printed(files):
    """Numbers of each part: tests/controller/config/test_track_path.py."""
    _, title, path = _report(files.load()).partition("PATH OF LOAD TRACKING, ")
    lines = path.split("\n")
    assert title and lines[1].split() == ["least", "typical", "most"]
    assert "  meter wait             0.0    10.0    20.0  the meter refreshes" in path
    assert "  sum                   78.7   109.7   198.9" in lines
    assert "  of one value          78.7    99.7   178.9  the sum without hold" in lines
    words = (
        "uses a delay of 110 ms and a new value every 20 ms. It accepts a measured delay from 62"
    )
    assert words in " ".join(path.split())
    files.say("site", "control.track_path_delay_ms", 150)
    assert "Load tracking uses a delay of 150 ms" in _report(files.load())


BY_STATE = {
    "done by BMS, by its own limits": "18 19 20 21 25 27 28 29 31 32 33",
    "not available: the BMS does not report module temperatures; ": "22 23 26 53",
    "not available: the BMS does not report cell voltages; ": "24 34",
    "not available: the BMS does not report which sensors are invalid; ": "45",
    "armed": "1 2 4 5 6 11 12 13 14 35 36 38 39 40 41 44 47 48 49 50",
    "not fitted": "3 7 8 9 10 16 17 30 37 42 43 46 51 52",
}


def test_the_report_of_pylontech_has_the_state_of_each_row_and_its_acceptance(pylontech):
    text = _report(pylontech.load())
    for state, rows in BY_STATE.items():
        for row in rows.split():
            line = _row(text, row.rjust(3))
            assert f" {state}" in line if state.endswith(" ") else f" {state}: " in line
            assert "not " not in state or "accepted by: " in line
            assert "not available" not in state or "accepted by: J. Doe, fire officer" in line
    acceptance = "J. Doe, fire officer, 2026-03-01: the brigade floods the cabinet through its dry"
    assert _row(text, 3) == (
        f"3 3 not fitted: suppression agent released accepted by: {acceptance} pipe"
    )
    flat = " ".join(text.split())
    for what, person in (
        ("supervised path of the fire panel", "J. Doe"),
        ("relay of auxiliary loads not rated for gas", "N. N."),
        ("pre-alarm to the fire panel", "J. Doe"),
    ):
        assert f"not fitted: {what} accepted by: {person}" in flat
    assert "rack 1: 15 cells, 100 A, no cell voltages, no module temperatures" in text


def test_the_report_names_racks_in_different_states(files):
    files.rack_3_of_pylontech().accepted(["insulation", *equipment.UNREPORTED], NORA)
    text, armed = _report(files.load()), "armed (rack 1 2)"
    by_bms = "done by BMS, by its own limits (rack 3): cell over-voltage trip"
    assert _row(text, 29) == f"29 29 {armed}, {by_bms}"
    unreported = "not available: the BMS does not report module temperatures (rack 3)"
    heats = "a module heats more than its current explains"
    assert _row(text, 22) == f"22 22 {armed}, {unreported}; {heats} accepted by: {NORA}"
    low = "not fitted (rack 3): insulation low"
    assert _row(text, 37) == f"37 37a 37b {armed}, {low} accepted by: {NORA}"


NOTHING_TIGHTENED = "\nTHRESHOLDS TIGHTENED (matrix -> here): none\n"


TIGHTENED = """
[stage.17b]\nset = 440\nclear = 420\n[stage.29]\nset = 3640\nset_ms = 1001\nclear_ms = 5000
[stage.34a]\nset = 90\n[stage.49]\nset_ms = 0\n[cabinet]\nmeter_silent_ms = 300
"""
AS_TIGHTENED = """
THRESHOLDS TIGHTENED (matrix -> here)
17b air in the cabinet: trips at 45.1 degC -> 44 degC, clears at 43 degC -> 42 degC
29 highest cell: trips at 3.65 V -> 3.64 V, after 2 s -> 1.02 s, clear for at once -> 5 s
34a highest minus lowest cell: trips at 100 mV -> 90 mV
"""


def test_the_report_lists_tightened_thresholds_in_readable_units(files, pylontech):
    """A slower meter and NMC cells tighten no threshold."""
    assert NOTHING_TIGHTENED in _report(files.load())
    assert NOTHING_TIGHTENED in _report(pylontech.load())
    pylontech.say("type", "hma.chemistry", '"NMC"')
    assert NOTHING_TIGHTENED in _report(pylontech.load())
    text = _report(files.append("site", TIGHTENED).load())
    found = text[text.index("THRESHOLDS") : text.index("ROWS OF")]
    assert found.split() == AS_TIGHTENED.split()


def test_the_margin_of_row_55_is_printed(files):
    """5 % of three racks of 140 A, or the errors of the type file: 4 % of racks and converter."""
    says = "row 55 acts if the currents of PCS and racks differ by more than {} A".format
    assert says("21") in _report(files.load())
    files.say("type", "rack.all.current_error_permille", 40)
    files.say("type", "unit.1.pcs_current_error_permille", 40)
    assert says("33.6") in _report(files.load())


LONGER_AT_40_ms = set("1a 1b 1c 3 5 22 23a 23b 24 36 39 40e 44f 47b 55".split())


def test_the_report_lists_debounces_that_whole_ticks_make_longer(files):
    """A site may not set such a debounce by hand."""
    assert "Whole ticks" not in _report(files.load())
    config = files.replace("type", "tick_ms = 20 ", "tick_ms = 40 ").load()
    assert {each["stage"] for each in limit_images.longer_by_tick(config)} == LONGER_AT_40_ms
    words = (
        "THRESHOLDS TIGHTENED (matrix -> here): none Whole ticks make these debounce times longer "
        "than in the matrix, and the rows act that much later: 1a 0.02 s -> 0.04 s, 1b 0.02 s -> "
        "0.04 s, 1c 0.5 s -> 0.52 s, 3 0.1 s -> 0.12 s, 5 "
    )
    assert words in " ".join(_report(config).split())
    files.append("site", "[stage.3]\nset_ms = 80")
    assert "3" not in [each["stage"] for each in limit_images.longer_by_tick(files.load())]


def test_the_report_lists_a_door_that_is_not_fitted_and_folds_long_texts(files):
    who = f"2026-01-01: {'very long acceptance ' * 8}".strip()
    files.append("site", f'[not_fitted]\ndoor = "{who}"')
    files.replace("cabinet", "platform-xhci-usb-0:1.1:1.0-port0", "x" * 150)
    row = "48 48a 48b not fitted: door open while energised, or beside a gas alarm accepted by: "
    assert _row(_report(files.load()), 48).startswith(row + who[:40])


def ended(*argv):
    return __main__.main(["check", *map(str, argv)])


def test_the_command_prints_the_report_or_refuses_in_one_line(files, capsys):
    assert ended(files.paths[2]) == 0
    out, err = capsys.readouterr()
    # a long path begins the next line
    assert out.split()[0] == "Accepted:" and out.endswith("\n") and err == ""
    files.append("site", "[rack.all]\nrated_current_mA = 140001")
    assert ended(files.paths[2]) == 2
    out, err = capsys.readouterr()
    assert out.startswith(
        "REFUSED. What it says all the same, without rack.all.rated_current_mA:\n\nPEAK"
    )
    assert "site.toml:rack.all.rated_current_mA: 140001" in err and err.count("\n") == 1


def test_the_functions_are_listed_with_all_that_they_read_and_write(capsys):
    assert ended("--functions") == 0
    table = capsys.readouterr().out
    assert all(len(line) <= WIDTH for line in table.split("\n"))
    for function in functions.FUNCTIONS:
        assert f" {function.NAME} " in table
        assert all(name in table for name in (*function.READS, *function.BEFORE, *function.WRITES))


def test_the_drawing_of_the_functions_is_that_of_the_readme(capsys):
    assert ended("--functions", "drawing") == 0
    assert capsys.readouterr().out in (ROOT / "controller/core/README.md").read_text(
        encoding="utf-8"
    ), "make it anew"


KEYS_LISTED = """
rack.N.rated_current_mA device.NAME.unit_id stage.29.set control.grid_import_W_max cabinet.tick_ms
bus.NAME.port not_fitted.door optional_equipment hma.chemistry hma.lfl_vol_ppm hma.hard_wired_rows
cabinet.second_channel cabinet.agent_hold_off_ms rack.N.break_current_mA stage.37a.set
not_fitted.offgas_2
"""
KEYS_IN_WORDS = """
rack.N.rated_current_mA only down 1000..1600000; required, no default
stage.29.set only down 2000..3650 (2..3.65 V); default 3650 (3.65 V); NMC: 2000..4250 (2..4.25 V);\
 default 4250 (4.25 V)
stage.21a.set only down 163..650 (16.3..65 degC); default 650 (65 degC)
stage.34a.set only down 10..100 mV; default 100 mV
rack.N.charge_end_mV only down 2000..4300; default 3600; NMC: 2000..4300; default 4200
profile:timing.period_ms 5..60000; required
profile:meter.settings.phases 1, 2, 3; required
profile:site_device.registers.NAME.scale a number -1e+09..1e+09; default 1
"""


def test_every_key_is_listed(capsys):
    assert ended("--keys") == 0
    lines = capsys.readouterr().out.split("\n")
    keys = [line.split()[0] for line in lines if line and line[0] != " "]
    assert len(keys) == len(set(keys)) and all(len(line) <= WIDTH for line in lines)
    assert set(KEYS_LISTED.split()) <= set(keys) and "rack.N.cells_reported" not in keys
    flat = " ".join(" ".join(lines).split())
    assert all(words in flat for words in KEYS_IN_WORDS.strip().splitlines())


def test_the_report_lists_the_open_hazard_of_a_cabinet_without_channel_b(files):
    assert "OPEN HAZARD: H6: without channel B " in _report(files.load())
    files.second_channel()
    assert "OPEN HAZARD" not in _report(files.load())


@pytest.mark.parametrize(
    "stored_ms, words",
    [
        (0, "  Each start measures the delay; no measured delay of this path is stored."),
        (112, "  Each start measures the delay; stored: 112 ms."),
        (240, "  Each start measures the delay; stored: 240 ms, outside this range and not used."),
    ],
)
def test_the_report_has_the_stored_delay_of_this_path(files, tmp_path, capsys, stored_ms, words):
    path = path_identity.of(files.load())
    two_copies.Store(str(tmp_path)).save(
        Record(path_delay=(path, stored_ms) if stored_ms else ("", 0))
    )
    assert __main__.main(["check", str(files.paths[-1]), "--state-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == words


def test_the_report_has_no_delay_of_another_path(files, tmp_path):
    two_copies.Store(str(tmp_path)).save(Record(path_delay=("0badcafe", 182)))
    assert check_tables.stored_ms(files.load(), str(tmp_path)) == 0


PEAK = "  import   at most 400 kW as the mean of 900 s by the clock"
REFUSED = """
type | energy_Wh = 645000 -> energy_Wh = 64500 | 0 | doubt: | True
site | _Bd = 115200\\n[device -> _Bd = 9600\\n[device | 2 | busy 346.0 % of the time | True
site | peaks_permille = 150 -> peaks_permille = 99 | 2 | peaks_permille: 99 is | True
type | "damper_ok" -> "" | 2 | damper_ok | True
site | soc_reserve_peaks_permille = 150 -> soc_reserve_peaks_permille = 5.0 | 2 | 5.0 is not | True
site | "firebreak_fast_meter" -> "no_meter" | 2 | no_meter | False
site | [control] -> [control | 2 | is not TOML | False
"""


@pytest.mark.parametrize("layer, change, code, words, is_known", table(REFUSED))
def test_check_prints_peak_shaving_and_the_buses_of_a_refused_file_too(
    files, capsys, layer, change, code, words, is_known
):
    files.say("site", "control.peak_import_W_max", 400_000)
    files.replace(layer, *change.replace("\\n", "\n").split(" -> "))
    assert ended(files.paths[-1]) == code
    told = capsys.readouterr()
    assert words in told.out + told.err
    assert (PEAK in told.out.splitlines()) == is_known
    assert ("BUSES (cyclic" in told.out and "read meter" in told.out) == is_known
    assert told.err.count("\n") == (code > 0)
