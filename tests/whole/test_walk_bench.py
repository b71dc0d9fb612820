"""Walk of the bench tools, live: `probe`, `sniff`, `decode`, `sign-test` and `step-test`, as pages
and as JSON, against the simulated devices of every shipped cabinet. Short forms have one cabinet.
"""

from types import SimpleNamespace

import pytest
import walk_box
from command_line import facts_in, run
from slow import whole
from whole_box import CABINETS

from controller.console import step_test
from controller.documents.document import WIDTH
from controller.journal import snapshot
from controller.run import operator_client, tool_read
from controller.system import paths
from controller.workbench import bus_access, probe, sniff
from controller.workbench.rtu_stream import Stream
from drivers.buses import rtu
from drivers.can_codec import EXTENDED
from hil.engine.simulate import VirtualRig
from hil.loads import selection

NAMES = [path.parent.name for path in CABINETS]
SITES = {path.parent.name: str(path) for path in CABINETS}


def rig_of(name, folder=None):
    config = walk_box.CONFIGS[name]
    peak_W = selection.peak_W(config) / 2
    return VirtualRig(config, lambda t_s: peak_W, 1, (), {"soc": 0.55}, folder)


def pages(capsys, command, *more, codes=(0,)):
    """The facts of a command; its page is as wide as a report. A line to paste is not folded."""
    result, out, err = run(capsys, command, *more, "--json")
    assert result in codes, (command, out, err)
    facts = facts_in(out)
    result, out, err = run(capsys, command, *more)
    assert result in codes and all(line.isascii() for line in (*out, *err)), (command, err)
    assert [line for line in out if len(line) > WIDTH and '= "' not in line] == []
    return facts, out


class Line:
    """A serial port that a tool opens; what was said on it comes from the simulated bus."""

    def __init__(self, *_):
        self.open = self.close = lambda: None


def modbus(rig, bus):
    """(read of a tool, the frames of each read) on a simulated bus."""
    said, slave, now_us = [], rig.cabinet.slaves[bus.name], [1_000_000_000]

    def read(unit_id, function, address, count):
        request = rtu.read_request("tool", unit_id, function, address, count)
        now_us[0] += 1_000_000
        replies = [frame for _, frame in slave.receive(request.frame, now_us[0])]
        said.extend([request.frame, *replies])
        if not replies:
            return tool_read.WORDS[tool_read.SILENT]
        data = replies[0][1:-2]
        return f"exception {data[1]}" if data[0] & 0x80 else data[2:]

    return read, said


def check_modbus(capsys, monkeypatch, folder, rig, bus, site):
    read, said = modbus(rig, bus)
    devices = rig.config.topology.on_bus(bus.name)
    monkeypatch.setattr(bus_access, "is_running", lambda _: True)
    monkeypatch.setattr(bus_access, "through_controller", lambda *_: read)
    units = ",".join([str(each.address) for each in devices])
    where = "--site", site, "--run-dir", folder
    facts, _ = pages(capsys, "bus probe", bus.name, "--units", units, *where, codes=(0, 1))
    found = {unit for each in facts["devices"] for unit in (each["unit_id"], *each["also"])}
    assert found == {each.address for each in devices}, facts["notes"]
    if bus.kind != "rtu":
        return
    stream = Stream()
    heard = [piece for each in said for piece in (*stream.feed(each), *stream.flush())]
    monkeypatch.setattr(bus_access, "is_running", lambda _: False)
    monkeypatch.setattr(bus_access, "lock", lambda _: None)
    monkeypatch.setattr(sniff, "SerialPort", Line)
    monkeypatch.setattr(sniff, "pieces", lambda *_: enumerate(heard))
    check_sniffed(capsys, devices, bus.name, len(heard), where)


def check_can(capsys, monkeypatch, folder, rig, bus, site):
    frames = []

    def tap(now_us, can_id, data):
        frames.append((now_us, can_id | (EXTENDED if can_id > 0x7FF else 0), bytes(data)))

    rig.controller.can[bus.name].tap = tap
    rig.run(rig.now_us / 1e6 + 5)
    monkeypatch.setattr(bus_access, "can_port", lambda *_: SimpleNamespace(close=lambda: None))
    for tool in (probe, sniff):
        monkeypatch.setattr(tool, "listen", lambda *_: iter(frames))
    where = "--site", site, "--run-dir", folder
    facts, _ = pages(capsys, "bus probe", bus.name, *where, codes=(0, 1))
    names = {each["profile"] for device in facts["devices"] for each in device["fits"]}
    devices = rig.config.topology.on_bus(bus.name)
    assert {each.profile.path.stem for each in devices} <= names, facts
    check_sniffed(capsys, devices, bus.name, len(frames), where)


def check_sniffed(capsys, devices, bus, count, where):
    """What `sniff` saved, `decode` reads with the profile of each device."""
    path = f"{where[-1]}/{bus}.log"
    code, out, err = run(capsys, "bus sniff", bus, "--save", path, *where)
    assert (code, err) == (0, []) and out[-1] == f"{count} frames"
    for device in devices:
        place = "--unit-id" if device.profile.registers else "--node"
        place = (place, device.address) if device.address else ()
        given = "--profile", str(device.profile.path), *place, path
        code, out, err = run(capsys, "bus decode", *given)
        assert code in (0, 1) and out, (given, err)
        assert not any("Traceback" in each for each in (*out, *err))


@pytest.mark.parametrize("name", ["pylontech", *whole(*[n for n in NAMES if n != "pylontech"])])
def test_probe_sniff_and_decode_on_every_bus(capsys, monkeypatch, tmp_path, name):
    rig = rig_of(name).run(1)
    for bus in rig.config.buses:
        check = check_can if bus.kind == "can" else check_modbus
        with monkeypatch.context() as patch:
            check(capsys, patch, str(tmp_path), rig, bus, SITES[name])


@pytest.mark.parametrize("name", whole(*NAMES))
def test_sign_test_and_step_test_in_test_mode(capsys, monkeypatch, tmp_path, name):
    rig = rig_of(name, tmp_path / "journal").run(0.5)
    cabinet = rig.controller.cabinet

    def sent(arguments, ask, *details):
        return cabinet.request_step(*details) if ask is operator_client.step else None

    monkeypatch.setattr(step_test, "newest", lambda _: snapshot.read(tmp_path / "journal"))
    monkeypatch.setattr(step_test, "sent", sent)
    monkeypatch.setattr(snapshot, "ticks", lambda reader, pause: rig.step() or True)
    for form in ((), ("--json",)):
        in_test(rig)  # both fit in one minute
        for command in ("test sign", "test step"):
            code, out, err = run(capsys, command, *form, "--run-dir", tmp_path)
            assert code in (paths.DONE, paths.NOT_DONE) and out, err
            walk_box.fits(out, command)
            assert not form or facts_in(out)["units"]


def in_test(rig):
    """TEST mode anew, with the key back in RUN."""
    rig.controller.cabinet.request_run(False)
    rig.run(rig.now_us / 1e6 + 8)
    rig.plant.key_run = False
    rig.run(rig.now_us / 1e6 + 8)
    rig.controller.cabinet.request_test()
    rig.run(rig.now_us / 1e6 + 5)
    rig.plant.key_run = True
