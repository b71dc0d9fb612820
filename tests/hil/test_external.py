"""A foreign device or simulator on a bus of the rig: a real pymodbus server, refusals, the rest."""

import contextlib
import os
import re
import selectors
import subprocess
import sys
import threading
import tty

import pytest
import serial
from in_process import run

from controller import __main__ as controller
from controller.config import configuration
from controller.sites import EXAMPLE, PYLONTECH
from hil import __main__ as cli
from hil.engine import cabinet_file, coverage, external
from hil.engine.by_hand import fitting
from hil.engine.cabinet import SimulatedCabinet, observed_wiring
from hil.observer.observer import Observer
from hil.results import words
from hil.wires.foreign_pty import ForeignPty, is_pty
from hil.wires.virtual import DOWN, UP
from tests.repository import ROOT
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
README = ROOT / "hil" / "engine" / "README.md"
POD = str(ROOT / "hil/site/examples/two_cabinets_pv_genset.toml")
ASKED = bytes.fromhex("010400000024f011")  # 36 input registers of unit 1
PLUGS = {"pcs": {"port": "/dev/pts/7"}, "can0": {"interface": "socketcan", "channel": "can0"}}


@cases("""arguments  code  words
    ("grid=/dev/x",)  2  '"grid=/dev/x": no such bus; allowed BUS=ADDRESS, BUS one of can0, pcs, '
    ("pcs=127.0.0.1:5020",)  2  "is no address of a bus of kind rtu; allowed the path of a serial"
    ("pcs=/dev/ttyUSB0:9600",)  2  "baud_Bd of the bus has the speed, 115200"
    ("can0=can0",)  2  "is no address of a bus of kind can; allowed INTERFACE:CHANNEL, such as"
    ("can0=virtual:a",)  2  "is no address of a bus of kind can"
    ("can0=canbus:a",)  2  'can0.interface: "canbus" is not allowed; allowed socketcan, '
    ("pcs=/a", "--external", "pcs=/b")  2  "bus pcs is there twice; allowed each bus once"
    ("pcs=/a", "--external", "io=/a")  2  "another bus has this address"
    ("pcs=/a", "--virtual")  2  "--external works only in real time: leave --virtual out"
    ("pcs=/a", "--scenario", "estop")  2  "--external takes no --scenario"
    ("pcs=/a", "--cabinet", POD)  2  "takes no --external; allowed are"
    ("pcs=/no/such",)  3  "pcs: serial port /no/such: no such device"
    ("pcs=/dev/null",)  3  "pcs: serial port /dev/null: not a serial port"
    ("can0=socketcand:127.0.0.1:1/a",)  3  "can0: socketcand:127.0.0.1:1/a: Connection refused"
""")
def test_a_wrong_address_is_one_line(capsys, arguments, code, words):
    given = "--plot", "", "--external", *arguments
    ended, _, (line,) = run(capsys, "rig --headless", *given)
    assert ended == code and line.startswith("rig: ") and words in line


def test_a_port_that_another_program_has_is_refused(capsys):
    with ptys() as (_, path), serial.Serial(path, exclusive=True):
        assert cli.main(["rig", "--headless", "--external", f"pcs={path}"]) == 3
    assert f"pcs: serial port {path}: in use" in capsys.readouterr().err


@pytest.mark.parametrize("bus", [bus.name for bus in CONFIG.buses])
def test_the_rig_runs_without_the_devices_of_any_bus(bus):
    cabinet = SimulatedCabinet(CONFIG, lambda t_s: 1000.0, 1, foreign=(bus,))
    assert bus not in {**cabinet.slaves, **cabinet.bms}
    observer = Observer(observed_wiring(cabinet))
    for step in range(1, 5):
        cabinet.plant.site.step(0.01)
        cabinet.tick(10_000 * step, {})
        observer.sample(10_000 * step, cabinet.plant)
    assert observer.violations == [] and cabinet.plant.pcs[0].ac_power_W == 0


def test_the_observer_judges_no_start_by_a_device_that_it_cannot_see():
    def lacking(foreign):
        cabinet = SimulatedCabinet(CONFIG, lambda t_s: 0.0, 1, foreign=foreign)
        observer = Observer(observed_wiring(cabinet))
        observer.can_tap("can0")(1, 0x100 + 1 * 0x20 + 0x1F, bytes((1, *[0] * 7)))
        return " ".join(observer.violations)

    assert "pcs unit 1" in lacking(())
    assert "gas unit 1" in lacking(("pcs",)) and not re.search("pcs|unit 0", lacking(("pcs",)))


def test_what_the_rig_cannot_simulate_may_be_foreign(monkeypatch):
    inside = external.inside(CONFIG, PLUGS)
    assert {bus.name for bus in inside.buses} == {"io", "gas", "meter_grid", "meter_load"}
    assert not {device.bus for device in inside.devices} & set(PLUGS)
    keys = {item.key for item in fitting(CONFIG)} - {item.key for item in fitting(inside)}
    assert keys == {"b", "n", "p"}
    monkeypatch.setattr(coverage, "is_documented", lambda device: device.role != "pcs")
    coverage.check(inside, False)
    with pytest.raises(coverage.NotSimulatedError):
        coverage.check(CONFIG, False)


def test_the_closing_lines_name_what_the_plant_lacks():
    doc = {"foreign": external.about(CONFIG, PLUGS | {"gas": {"port": "/g"}})}
    text = words.in_one_line(doc)
    assert "external pcs is /dev/pts/7, with pcs_1. The plant takes 0 W for it. The " in text
    assert "can0 is socketcan:can0, with bms_1, bms_2, bms_3. Its rack in the plant does" in text
    assert "no emergency stop of the rig reaches it" in text
    assert "Its outputs reach no permit of the plant." in text and external.LACKS_OTHER in text
    assert words.foreign_lines({}) == [] and max(map(len, words.foreign_lines(doc))) <= 80


def test_the_cabinets_file_has_the_foreign_addresses(tmp_path):
    plugs = external.named_in(str(tmp_path), {**PLUGS, "io": {"port": "/dev/ttyUSB0"}})
    assert os.readlink(plugs["io"]["port"]) == "/dev/ttyUSB0", "the file takes no such name"
    path = tmp_path / "cabinet.toml"
    path.write_text(cabinet_file.text({"site": str(EXAMPLE)}, {"ports": {}, "cans": {}}, plugs))
    buses = {bus.name: bus for bus in configuration.load(path).buses}
    assert (buses["pcs"].port, buses["can0"].channel) == ("/dev/pts/7", "can0")
    assert buses["io"].port == str(tmp_path / "io.port")


@contextlib.contextmanager
def ptys():
    """The paths of two ptys that are joined, as socat joins them."""
    ends = [os.openpty() for _ in range(2)]
    for _, slave in ends:
        tty.setraw(slave)
    masters, stop = [master for master, _ in ends], os.pipe()

    def carry():
        with selectors.DefaultSelector() as ready:
            for descriptor, other in (*zip(masters, reversed(masters)), (stop[0], None)):
                ready.register(descriptor, selectors.EVENT_READ, other)
            while True:
                for key, _ in ready.select():
                    if key.data is None:
                        return
                    os.write(key.data, os.read(key.fd, 4096))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        yield tuple(os.ttyname(slave) for _, slave in ends)
    finally:
        os.write(stop[1], b"x")
        thread.join()
        for descriptor in (*[each for end in ends for each in end], *stop):
            os.close(descriptor)


@contextlib.contextmanager
def pasted_server(folder, where):
    """The program of the README, run as it stands there."""
    (program,) = re.findall("```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 15
    (folder / "meter.py").write_text(program)
    process = subprocess.Popen([sys.executable, folder / "meter.py", where])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.wire
def test_the_server_of_the_readme_answers_behind_the_rigs_pty(tmp_path):
    with ptys() as (near, far), pasted_server(tmp_path, near) as server:
        assert is_pty(far) and not is_pty("/dev/null")
        wire = ForeignPty(far, 9600, 10)
        taps = []
        wire.line.tap = lambda time_us, direction, data: taps.append((time_us, direction, data))
        with serial.Serial(wire.slave_name, 9600, timeout=0) as port:
            port.write(ASKED)
            reply, now_us = b"", 0
            while len(reply) < 77 and server.poll() is None:
                now_us += 1000
                wire.service(now_us)
                reply += port.read(200)
                if now_us % 2_000_000 == 0:  # the server was not there yet
                    port.write(ASKED)
                selectors.select.select([wire.fileno()], (), (), 0.001)
        wire.close()
    assert reply[:5] == bytes.fromhex("0104484366") and taps[0][2] == ASKED
    asked_us, replied_us = [max([at for at, way, _ in taps if way == of]) for of in (DOWN, UP)]
    assert replied_us - asked_us >= wire.line.bytes_us(77), "no faster than the bus"


@pytest.mark.wire
@pytest.mark.whole
def test_the_cabinet_starts_with_the_server_of_the_readme(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "run"
    command = [sys.executable, "-m", "hil", "rig", "--cabinet", str(PYLONTECH), "--for", "60"]
    with ptys() as (near, far), pasted_server(tmp_path, near):
        options = ("--headless", "--run-dir", str(place), "--external", f"meter={far}")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        rig = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, env=environment)
        where, shown = ["--run-dir", str(place)], ""
        while "importing 6.9 kW" not in shown and rig.poll() is None:
            controller.main(["status", *where])
            shown = capsys.readouterr().out
        rig.terminate()
        out = rig.communicate()[0].decode()
    assert "importing 6.9 kW" in shown and "external   meter is " in out
