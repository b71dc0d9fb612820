"""The report of `firebreak check`: times by arithmetic, a worst case on a simulated bus, rows."""

import itertools
import random

import pytest

from controller import __main__
from controller.config import approval, bus_times
from controller.core import functions
from controller.documents import check, check_tables
from controller.documents.document import WIDTH
from controller.rows import records
from controller.store import two_copies
from controller.store.stored_record import Record
from drivers.buses import rtu
from drivers.profile import FOLDER
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
meter_load | meter_load | read meter | 65 | 115_200 | 2000 | 1750 | 20
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
    assert after - before == pytest.approx(65 * 1e6 / 115_200, abs=4)
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


@pytest.mark.parametrize("period_ms, accepted", [(128, False), (129, True)])
def test_a_bus_may_be_busy_80_percent(pylontech, period_ms, accepted):
    """A poll of one SDM630 at 9600 Bd takes 102.2 ms, its energies 40 ms every 10 s."""
    pylontech.replace("site", "period_ms = 250 ", f"period_ms = {period_ms} ")
    if accepted:
        assert bus_times.utilisation_permille(bus_times.schedule(pylontech.load())["meter"]) == 797
    else:
        assert "the bus would be busy 80.3 % of the time" in pylontech.refusal()


def test_a_busy_bus_by_tcp_is_refused_at_its_address(pylontech):
    port = '[bus.meter]\nport = "/dev/serial/by-path/platform-xhci-usb-0:1.3:1.0-port0"'
    pylontech.replace("cabinet", port, '[bus.meter]\naddress = "192.168.1.30:502"')
    pylontech.replace("site", 'kind = "rtu"\nbaud_Bd = 9600\n', 'kind = "tcp"\n')
    pylontech.replace("site", "period_ms = 250 ", "period_ms = 10 ")
    said = pylontech.refusal()
    assert "bus.meter.address: 192.168.1.30:502 is not allowed: the bus would be busy" in said
    assert "; allowed 80 %: longer periods, fewer reads (gap_registers_max), or fewer" in said


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


def test_no_name_of_a_device_is_cut(files):
    bus, device = "bus_of_the_meter_behind_the_gate", "meter_behind_the_gate_of_the_yard"[:32]
    for layer in ("site", "cabinet"):
        files.replace(layer, "[bus.meter_grid]", f"[bus.{bus}]")
    files.replace("site", 'bus = "meter_grid"', f'bus = "{bus}"')
    files.replace("site", "[device.meter_grid]", f"[device.{device}]")
    files.paths[1].with_name(f"{bus}.toml").write_text((FOLDER / "sdm630.toml").read_text())
    files.replace("site", 'firebreak_fast_meter"\n' + f'bus = "{bus}', f'{bus}.toml"\nbus = "{bus}')
    lines = _report(files.load()).split("\n")
    at = lines.index(next(line for line in lines if line.startswith(f"  {device}  meter_grid")))
    assert " ".join(lines[at : at + 2]).split()[1:6] == ["meter_grid", bus, bus, "1", "100"]
    assert any(line.startswith(f"    {device} read meter") for line in lines)


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
    assert "  start    needs the sign test of unit 1: firebreak test sign" in lines
    assert {"  lfl_vol_ppm            60000", "  explosion_control      both"} <= set(lines)
    assert not [line for line in lines if "agent_hold_off_reason" in line], (
        "no line for a key without a value"
    )


def ended(*argv):
    return __main__.main(["check", *map(str, argv)])


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
profile:meter.settings.phases 0, 1, 2, 3; required
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


@pytest.mark.parametrize(
    "stored_ms, words",
    [
        (0, "  Each start measures the delay; no measured delay of this path is stored."),
        (112, "  Each start measures the delay; stored: 112 ms."),
        (241, "  Each start measures the delay; stored: 241 ms, outside this range and not used."),
    ],
)
def test_the_report_has_the_stored_delay_of_this_path(files, tmp_path, capsys, stored_ms, words):
    path = approval.path_identity(files.load())
    two_copies.Store(str(tmp_path)).save(
        Record(path_delay=(path, stored_ms) if stored_ms else ("", 0))
    )
    assert __main__.main(["check", str(files.paths[-1]), "--state-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == words


def test_the_report_has_no_delay_of_another_path(files, tmp_path):
    two_copies.Store(str(tmp_path)).save(Record(path_delay=("0badcafe", 182)))
    assert check_tables.stored_ms(files.load(), str(tmp_path)) == 0
