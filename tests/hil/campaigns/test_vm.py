"""The parts of `flash.sh vm-test` that need no QEMU: bridge, shell, configuration, checks."""

import contextlib
import json
import os
import re
import select
import socket
import struct
import subprocess
import tty
from dataclasses import replace

import can
import msgpack
import pytest
from hypothesis import given, strategies as st

from controller.config import configuration
from controller.config.configuration import load
from controller.sites import EXAMPLE
from controller.store import two_copies
from controller.store.stored_record import Record
from hil.__main__ import main
from hil.campaigns import process
from hil.campaigns.channel_b import firmware
from hil.campaigns.vm import (
    command,
    companions,
    image,
    in_box,
    lab as labs,
    machine,
    network,
    rig as vm_rig,
    running,
    slcan,
)
from hil.engine import rig
from hil.engine.run_directory import approved
from hil.runner.report import CheckError, Checks
from hil.wires.can_server import CanServer
from hil.wires.virtual_can import VirtualCan
from tests.tables import cases


@given(can_id=st.integers(0, 0x1FFFFFFF), data=st.binary(max_size=8))
def test_a_frame_becomes_a_line_and_comes_back(can_id, data):
    word = b"%0*X" % (3 if can_id <= 0x7FF else 8, can_id)
    line = slcan.line_of(word, data.hex().encode())
    assert line.endswith(b"\r") and len(line) <= slcan.LINE_BYTES_MAX + 1
    head, send, *found, end = slcan.send_command(line[:-1]).split()
    assert (head, send, end) == (b"<", b"send", b">") and found[0] == word
    assert int(found[1]) == len(data) and b"".join(found[2:]) == data.hex().upper().encode()


NO_FRAMES = b"|O|C|S6|t|t12|t123|t1239|t12389|t1232AA|t1232AABBCC|t12g0|r1230|T1232".split(b"|")
NO_FRAMES += [b"t1239" + b"AA" * 9, b"T" + b"1" * 40]


def test_frames_without_data_are_left_out():
    """slcand also sends commands (open, close, speed), and a serial line has noise."""
    assert [slcan.send_command(line) for line in NO_FRAMES] == [None] * len(NO_FRAMES)


@pytest.mark.wire
def test_the_bridge_carries_frames_both_ways_also_in_pieces():
    bus = VirtualCan("can0")
    end = bus.attach()
    server = CanServer(bus, grace_us=0)
    connection = slcan.connect(f"127.0.0.1:{server.port}/can0")
    while bus.ends == [end]:
        select.select([server], (), ())
        server.service(0)
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    bridge = slcan.Bridge(connection, master)
    end.send(can.Message(arbitration_id=0x123, is_extended_id=False, data=b"\x01\x02"))
    server.service(0)
    heard = b""
    while not heard.endswith(b"\r"):
        select.select([connection], (), ())
        assert bridge.to_box()
        heard += os.read(slave, 100) if select.select([slave], (), (), 0)[0] else b""
    for piece in (b"O\rt45", b"61FF\r"):
        os.write(slave, piece)
        select.select([master], (), ())
        bridge.from_box()
    while not end.queue:
        select.select([server], (), ())
        server.service(0)
    message = end.recv(0)
    sent = message.arbitration_id, bytes(message.data)
    assert (heard, *sent) == (b"t12320102\r", 0x456, b"\xff")
    server.close()
    bridge.carry(slave)
    for each in (master, slave):
        os.close(each)
    connection.close()


@pytest.mark.wire
@pytest.mark.parametrize("is_reset", [True, False])
def test_the_bridge_ends_without_a_traceback_when_the_server_has_gone(is_reset):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        connection = slcan.connect(f"127.0.0.1:{server.getsockname()[1]}/can0")
        other, (end, far_end) = server.accept()[0], socket.socketpair()
        for each in (connection, end, far_end):
            stack.enter_context(each)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", is_reset, 0))
        other.close()
        slcan.Bridge(connection, far_end).carry(end)


@pytest.fixture
def box(tmp_path):
    made = machine.Machine(str(tmp_path), [], "/dev/null")
    made._console, made.other = socket.socketpair()
    yield made
    made.other.close()
    made._console.close()


@pytest.fixture
def shell(box):
    ends = {"stdin": box.other, "stdout": box.other, "stderr": box.other}
    box.process = subprocess.Popen(["bash"], **ends)
    box.other.close()
    yield box
    box.cut_power()


@pytest.mark.wire
def test_a_command_gives_its_code_and_its_words(shell):
    commands = "echo one; echo two", "echo bad >&2; (exit 7)", "printf 'no newline'"
    answers = [(0, "one\ntwo"), (7, "bad"), (0, "no newline")]
    assert [shell.run(command) for command in commands] == answers
    assert shell.run("echo '@1@0@'")[0] == 0, "another command's mark is no end"
    words = "read line: not done after 0 s: .* its last words: so far"
    with pytest.raises(machine.MachineError, match=words):
        shell.run("echo so far; read line", 0.2)


@pytest.mark.wire
def test_a_box_that_takes_no_command_is_one_line(box):
    with pytest.raises(machine.MachineError, match="QEMU has not taken it for 0 s"):
        box.run("x" * 10_000_000, 0.1)


@pytest.mark.wire
@cases("""close
    socket.socket.close | lambda other: other.shutdown(socket.SHUT_WR)""")
def test_a_console_that_closes_under_a_qemu_that_goes_on_is_one_line(box, monkeypatch, close):
    monkeypatch.setattr(machine, "END_S", 0.05)
    box.process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    close(box.other)
    with pytest.raises(machine.MachineError, match="the box's console is closed, QEMU goes on"):
        box.run("true", 5.0)
    box.process.stdin.close()
    box.cut_power()


@pytest.mark.wire
@cases(r"""log command words
    "first\nno such device\n"  "exit 9"  "exit code 9: no such device"
    ""  "echo kernel panic; exit 1"  "exit code 1: the box's last words: kernel panic" """)
def test_a_machine_that_has_ended_gives_the_reason(shell, tmp_path, log, command, words):
    (tmp_path / "qemu.log").write_text(log)
    with pytest.raises(machine.MachineError, match=words):
        shell.run(command)


def test_ports_are_named_by_their_sockets():
    words = machine.arguments("/d", ["/dev/pts/5", "/dev/pts/6"], "/dev/pts/9")
    assert {"serial,id=port2,path=/dev/pts/6", "serial,id=can,path=/dev/pts/9"} <= set(words)
    assert any("port=2,chardev=port2" in word for word in words)
    assert machine.port_name(2).endswith("-usb-0:2:1.0-port0")
    assert process.options("-nographic\n-append root=/dev/vda ro") == [
        "-nographic",
        "-append",
        "root=/dev/vda ro",
    ]
    drive = next(word for word in words if "disk.img" in word)
    assert "cache=writethrough" in drive, "else killing QEMU is no honest power cut"


def test_the_slower_configuration_is_accepted(tmp_path):
    for name, text in image.slower().items():
        (tmp_path / name).write_text(text.replace("/etc/firebreak/cabinet", str(tmp_path)))
    (tmp_path / "cabinet.toml").write_text(
        image.cabinet_file(("pcs", "io", "gas", "meter_grid", "meter_load"))
    )
    checked = configuration.load(tmp_path / "cabinet.toml")
    assert checked.tick_ms == 100
    assert [bus.port for bus in checked.buses if bus.name == "io"] == [machine.port_name(2)]


def test_missing_packages_are_named_with_the_command(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(process, "search_path", lambda: str(tmp_path))
    for name, module in (("vm-test", image), ("mcu", firmware)):
        words = " ".join(sorted(set(module.PROGRAMS.values())))
        assert main([name, "--cache", str(tmp_path / "cache")]) == 3
        assert capsys.readouterr().err == f"{name}: needs {words}: apt-get install {words}\n"
        assert not (tmp_path / "cache").exists()


def test_a_failed_step_of_the_image_is_one_line(tmp_path):
    script = "echo noise >&2; echo E: this and no more >&2; exit 1"
    with pytest.raises(image.ImageError, match="^sh: E: this and no more$"):
        image._run(["sh", "-c", script], tmp_path, "sh")


@pytest.mark.wire
def test_a_step_of_the_image_that_hangs_is_ended_with_all_it_has_started(tmp_path, monkeypatch):
    """Its children hold its output open. Its time is over once it has printed something."""

    class Step(subprocess.Popen):
        def communicate(self, **options):
            assert select.select([self.stdout], (), (), 30)[0]
            return super().communicate(**options)

    monkeypatch.setattr(image, "LIMIT_S", 0.1)
    monkeypatch.setattr(subprocess, "Popen", Step)
    script = "echo so far; tail -f /dev/null & tail -f /dev/null"
    with pytest.raises(image.ImageError, match="^sh: not done after 0 s; its last words: so far$"):
        image._run(["sh", "-c", script], tmp_path, "sh")


@pytest.fixture
def lonely(tmp_path):
    made = vm_rig.VmRig(str(tmp_path))
    yield made
    for each in (made.connection, made._plant_end, made._log):
        each.close()


@pytest.mark.wire
def test_a_bridge_that_does_not_begin_is_one_line(lonely):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        lonely.wires = {"cans": {"can0": f"127.0.0.1:{unheard.getsockname()[1]}/can0"}}
        with pytest.raises(rig.RigError, match="has not begun within 30 s, or has ended"):
            lonely.open_can()
    lonely.bridge.stdin.close()
    lonely.bridge.stdout.close()
    assert lonely.bridge.wait() == 1


def test_a_recording_that_does_not_end_is_one_line(lonely, monkeypatch):
    monkeypatch.setattr(vm_rig, "HANG_GUARD_S", 0.0)
    for _ in range(10):
        lonely._plant_end.send(msgpack.packb({"what": "view", "view": {}}))
    with pytest.raises(rig.RigError, match="recording has not ended within 0 s"):
        lonely.violations()


@pytest.mark.wire
def test_a_plant_process_that_has_ended_or_is_silent_is_one_line(lonely, monkeypatch):
    monkeypatch.setattr(rig, "HANG_GUARD_S", 0.01)
    with pytest.raises(rig.RigError, match="the simulated cabinet has sent no message for 0 s"):
        lonely.stays(labs.open_, 1.0)
    lonely.plant = subprocess.Popen(["sh", "-c", "exit 7"])
    lonely._plant_end.close()
    with pytest.raises(rig.RigError, match="has ended, exit code 7"):
        lonely.stays(labs.open_, 1.0)


def view(*states, battery_W=0.0):
    racks = [(50, 3300, 3301, 20, 21, 0.0, state) for state in states]
    return {"racks": racks, "battery_W": battery_W}


def test_one_contactor_is_enough_to_be_neither_open_nor_closed():
    assert labs.open_(view("open", "open")) and not labs.open_(view("open", "closed"))
    assert labs.powered(view("closed", "closed", battery_W=-20_000.0))
    assert not labs.powered(view("closed", "open", battery_W=-20_000.0))
    assert not labs.powered(view("closed", "closed", battery_W=0.0))
    assert vm_rig.contactors(view("fault", "closed")) == ["closed", "fault"]


class Plant:
    def __init__(self):
        self.is_closed, self.stalls = False, 0

    def stays(self, condition, duration_s):
        state, battery_W = ("closed", 50_000.0) if self.is_closed else ("open", 0.0)
        return condition(view(state, battery_W=battery_W))

    def wait(self, condition, timeout_s):
        if self.stalls:
            self.stalls, self.is_closed = self.stalls - 1, False
        return 1.0 if self.stays(condition, 0.0) else None


class Box:
    """Prepared answers: {part of a command: [(code, text), ...]}, the last one for ever."""

    def __init__(self, plant, **answers):
        self.plant, self.answers, self.asked = plant, answers, []

    def run(self, command):
        self.asked.append(command)
        left = next(left for part, left in self.answers.items() if part in command)
        code, text = left.pop(0) if len(left) > 1 else left[0]
        self.plant.is_closed = self.plant.is_closed or text == "start: accepted"
        return code, text


@pytest.fixture
def lab_of(monkeypatch, tmp_path):
    monkeypatch.setattr(labs, "POLL_S", 0)

    def made(**answers):
        plant = Plant()
        return labs.Lab(tmp_path, Box(plant, **answers), plant, "bookworm")

    return made


def judged(check, lab, refused):
    with pytest.raises(CheckError, match=refused) if refused else contextlib.nullcontext():
        return check(lab)


DROP_IN = "# made\n[Service]\nRestrictAddressFamilies=AF_INET\nIPAddressAllow=192.168.1.20"


@cases("""refused  codes  words
    None  (0, 0, 1, 1)  "192.168.1.20 is reached with RestrictAddressFamilies=AF_INET, IPAddress"
    "192.168.1.20 is refused with RestrictAddressFamilies=AF_INET"  (0, 1, 1, 1)  ""
    "192.168.1.21 is reached with RestrictAddressFamilies=AF_INET"  (0, 0, 0, 1)  ""
    "192.168.1.20 is reached with the unit alone"  (0, 0, 1, 0)  ""
""")
def test_the_network_of_the_unit_is_tried_with_the_printed_drop_in(refused, codes, words, lab_of):
    connects = [(code, "") for code in codes]
    lab = lab_of(create_connection=connects, drop=[(0, DROP_IN)], ip=[(0, "")], system=[(0, "")])
    found = judged(network.opened, lab, refused)
    assert refused or found.startswith(words)
    tried = [each for each in lab.machine.asked if "create_connection" in each]
    assert "-p 'IPAddressAllow=192.168.1.20'" in tried[1] and "-p 'IPAddressDeny=any'" in tried[1]


def test_a_can_interface_is_waited_for_and_what_it_lacks_is_named(monkeypatch, lab_of):
    absent = (1, 'Device "can0" does not exist.')
    up = (0, "state UP qlen 100 restart-ms 100 bitrate 500000")
    assert running.can_interface(lab_of(can0=[absent, up])).startswith("up, bit rate 500000")
    monkeypatch.setattr(running, "START_S", -1.0)
    words = "^can0 has no UP, qlen 100, restart-ms 100, bitrate 500000 after"
    judged(running.can_interface, lab_of(can0=[absent]), words)


def test_an_answer_that_cannot_be_read_is_a_check_that_has_not_passed(monkeypatch, lab_of, capsys):
    checks = (("one", lambda lab: lab.shown("MainPID")), ("two", lambda lab: ""))
    monkeypatch.setattr(command, "CHECKS", checks)
    lines = []
    command._run(Checks(lines.append), lab_of(show=[(0, "usb 1-1: new device")]))
    assert len(lines) == 1 and re.match("FAILED .*ValueError: ", lines[0])
    assert capsys.readouterr().out == "not reached: two\n"


def test_a_reset_in_the_box_names_the_seen_causes(lab_of):
    shown = "row 44c controller check, cabinet; remote reset\nTo reset what stands: firebreak reset"
    changed = "firebreak: what stands has changed since 0123ABCD; firebreak reset ..."
    refused = ["nothing stands: nothing to reset", f"{shown} --key 0123ABCD", f"{shown} 0123ABCD"]
    refused = [(1, words) for words in (*refused, changed, f"{shown} 4567ABCD\n")]
    lab = lab_of(reset=[*refused, (0, "reset of 49: done")])
    lab.until_powered = lambda: "power after 1.0 s"
    assert running.resets(lab) == "reset of 49: done; power after 1.0 s"
    asked = [command.removeprefix(running.RESET).strip() for command in lab.machine.asked]
    assert asked == ["", "", "", "0123ABCD", "", "4567ABCD"]


def test_both_ways_of_a_rollback_must_run_the_other_release(lab_of):
    new, old = "releases/0.4.0-a", "releases/0.0.1-b"
    links = [(0, each) for each in (new, old, new)]
    runs = [(0, f"/opt/firebreak/{each}/bin/python3 firebreak run") for each in (old, new)]
    state = (0, "ActiveState=active\nSubState=running\nMainPID=7")

    def rolled(links, runs):
        lab = lab_of(readlink=links, cmdline=runs, **{"systemctl show": [state], "": [(0, "")]})
        lab.until_powered = lambda: ""
        return running.rolls_back(lab)

    assert rolled([*links], [*runs]) == f"{old} ran with power, then {new}"
    for wrong in ([links[0]] * 3, runs), (links, [runs[1]] * 2):
        with pytest.raises(CheckError, match=f"runs after the rollback from {new}"):
            rolled(*map(list, wrong))


def test_a_door_is_open_when_it_answers(lab_of):
    answers = [(1, "refused"), (0, '[ 9.1] a word of the kernel\n{"state": "ready"}')]
    active = (0, "ActiveState=active\nSubState=running")
    lab = lab_of(urlopen=answers, show=[active], enable=[(0, "")])
    assert companions.opens_doors(lab).endswith("gives the state 'ready'")


@pytest.fixture
def lab(lab_of):
    loop = {"ticks": 9, "missed": 0, "lateness_us": {"p50": 1, "p99": 2}}
    state = {"state": "ready", "standing": ["44c", "40b.rack1"], "loop": loop}
    starts = [(3, "no controller answers"), (0, "start: accepted")]
    return lab_of(**{labs.START: starts, "": [(0, json.dumps(state))]})


def test_a_new_box_is_in_standby_and_is_started_once_it_takes_commands(lab):
    assert running.stays_open(lab) == "open for 45 s, state ready"
    assert running.latched(lab) == "44c, 40b.rack1 active, state ready, open for 8 s"
    assert running.closes(lab).startswith("start: accepted; power after ")
    assert lab.machine.asked.count(labs.START) == 2
    judged(running.stays_open, lab, "a contactor closed without a start")
    judged(running.latched, lab, "a contactor closed without a reset")


def starts_and_renewals(lab):
    return [command for command in lab.machine.asked if command in (labs.START, labs.RENEW)]


def test_a_box_that_got_a_new_store_is_started_again(lab, monkeypatch):
    lab.rig.stalls = 1
    judged(running.closes, lab, "^active: 40b, 44c$")
    monkeypatch.setattr(labs, "STALL_STAGES", {"40b", "44c"})
    lab.rig.stalls = 1
    assert "1 stalls of the emulator" in running.closes(lab)
    assert starts_and_renewals(lab) == [labs.START] * 3 + [labs.RENEW, labs.START]


def test_a_refused_start_gets_a_new_store_after_a_stall_of_the_emulator(lab, monkeypatch):
    """Seen: it stood still after the standing rows were looked at, and 150 s of starts failed."""
    monkeypatch.setattr(labs, "STALL_STAGES", {"40b", "44c"})
    lab.machine.answers[labs.START] = [(1, "a row keeps it open")] * 2 + [(0, "start: accepted")]
    assert lab.start() == "start: accepted"
    assert starts_and_renewals(lab) == [labs.START, labs.RENEW] * 2 + [labs.START]
    monkeypatch.setattr(labs, "RESTART_S", -1.0)
    lab.machine.answers[labs.START] = [(1, "a row keeps it open")]
    judged(lambda lab: lab.start(), lab, "not accepted: a start .*; active: 40b, 44c$")


def test_the_box_reports_its_approved_image(tmp_path):
    kept = two_copies.Store(str(tmp_path))
    kept.save(Record(rest=(4, "")))
    in_box.approve(EXAMPLE, str(tmp_path))
    found = kept.load().record
    assert found == replace(approved(load(EXAMPLE)), rest=(4, ""), approved_by="lab")
