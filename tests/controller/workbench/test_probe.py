"""`firebreak bus probe` and `sniff`: a serial port, its report, lines to paste, saved frames."""

import json
import os
import re
import select
import struct
import threading
import tomllib
import tty

import pytest

from controller import __main__
from controller.config import profiles
from controller.config.bus_schema import Bus
from controller.system.cli import Ended
from controller.workbench import bus_access, fits, greetings, probe, probe_words, sniff
from controller.workbench.rtu_stream import Piece
from drivers.buses.rtu import seal
from drivers.profile import FOLDER

ANSWERED_MS = "500"  # a busy machine answers late
FLOATS = (231, 232, 230.5, 10, 11, 12, 2300, 2500, 2700, *[0] * 6, 0.99, 0.99, 0.99)
WORDS = struct.pack(">18f", *FLOATS)
TCP = Bus("b", "tcp", address="127.0.0.1:502")
METER = [profiles.load("sdm630")]


def answer(frame):
    """An SDM630 at address 2: input registers 0 to 35, else exception 2."""
    unit, function, address, count = struct.unpack(">BBHH", frame[:6])
    data = WORDS[2 * address : 2 * (address + count)]
    if unit != 2:
        return b""
    if function != 4 or len(data) != 2 * count:
        return seal(bytes((unit, function | 0x80, 2)))
    return seal(bytes((unit, function, len(data))) + data)


@pytest.fixture
def tty_of():
    """A function that gives the path of a serial line with a device: `answer` of each request."""
    ends, is_over = [], threading.Event()

    def serve(master, reply):
        while not is_over.is_set():
            if select.select((master,), (), (), 0.02)[0]:
                frame = os.read(master, 8)
                os.write(master, reply(frame))

    def made(reply):
        master, slave = os.openpty()
        tty.setraw(slave)
        thread = threading.Thread(target=serve, args=(master, reply))
        thread.start()
        ends.append((master, slave, thread))
        return os.ttyname(slave)

    yield made
    is_over.set()
    for master, slave, thread in ends:
        thread.join()
        os.close(master)
        os.close(slave)


def run(capsys, tmp_path, command, *more):
    code = __main__.main([*command.split(), *more, "--run-dir", str(tmp_path)])
    return code, *capsys.readouterr()


@pytest.mark.wire
def test_a_meter_at_a_serial_port_and_the_lines_to_paste(capsys, tmp_path, monkeypatch, tty_of):
    monkeypatch.setattr(greetings, "FIRST_READS_S", 0)
    port = tty_of(answer)
    given = "bus probe", port, "--baud", "115200", "--timeout-ms", ANSWERED_MS, "--units"
    code, said, error = run(capsys, tmp_path, *given, "2-3")
    assert code == 0 and error.endswith("probe of 2 addresses: about 4 s if nothing answers\n")
    assert "unit 2 answers\n  sdm630 (Eastron SDM630) fits by its values\n" in said
    assert "it may also be firebreak_fast_meter: look at its nameplate" in said
    pasted = tomllib.loads(said[said.index("[bus.new]") :])
    meter = {"role": "meter_grid", "profile": "sdm630", "bus": "new", "unit_id": 2}
    assert pasted["device"]["meter_grid"] == meter
    code, said, _ = run(capsys, tmp_path, *given, "2", "--json")
    report = json.loads(said)
    assert [each["unit_id"] for each in report["devices"]] == [2] and report["notes"] == []


@pytest.mark.wire
@pytest.mark.parametrize(
    "reply, note",
    [
        (lambda _: b"", "nobody answers at 9600 Bd"),
        (lambda _: b"\xfe\xfe\xfe\xfe\xfe\xfe\xfe", "3 units at 9600 Bd: a damaged reply, or"),
        (lambda frame: answer(b"\2" + frame[1:]), "2 units at 9600 Bd: a reply of unit 2"),
        (lambda frame: seal(bytes((frame[0], frame[1] | 0x80, 11))), "unit 1 answers with code 11"),
        (lambda frame: frame[:3] * 40, "3 units at 9600 Bd: a damaged reply"),
    ],
    ids=["silent", "wrong baud", "other unit", "gateway", "babbling"],
)
def test_a_device_that_does_not_answer_gets_one_line(
    capsys, tmp_path, monkeypatch, tty_of, reply, note
):
    monkeypatch.setattr(greetings, "FIRST_READS_S", 0)
    timeout_ms = "20" if "nobody" in note else ANSWERED_MS
    given = "--units", "1-3", "--baud", "9600", "--timeout-ms", timeout_ms
    code, said, error = run(capsys, tmp_path, "bus probe", tty_of(reply), *given)
    assert code == (0 if "unit 2" in note else 1) and error.count("\n") == 1
    assert [line for line in said.splitlines()[1:] if line][0].strip().startswith(note)
    assert "11" not in note or "does not answer; so do 2, 3" in said


def test_a_gateway_that_ignores_the_unit_id_is_judged_once():
    read = {(4, 0, 36): WORDS, (4, 0, 1): WORDS[:2]}
    found, notes = probe._answering_devices(
        TCP, (1, 2, 3), lambda unit, *at: read.get(at, "exception 2"), METER
    )
    assert [(each["unit_id"], each["also"]) for each in found] == [(1, [2, 3])] and notes == []


def silent_but(place, reply):
    """Unit 2 answers one read alone."""
    return lambda unit, *at: reply if (unit, at) == (2, place) else "no answer"


def test_a_unit_that_answers_the_first_read_of_its_profile_alone_is_found(monkeypatch):
    bus, every = Bus("b", "rtu", port="p", baud_Bd=9600), METER * 2
    read = silent_but((4, 0, 36), WORDS)
    assert greetings.first_reads(every) == [(4, 0, 36)]
    found, notes = probe._answering_devices(bus, (1, 2, 3), read, every)
    assert [(each["unit_id"], each["code"]) for each in found] == [(2, 0)] and notes == []
    assert found[0]["fits"] or "36" not in found[0]["refused"]["sdm630"]
    answers = {2: ["no answer"], 3: ["damaged"]}
    places = [(4, 0, 36), (3, 11, 1)]
    assert greetings.ask_silent({2: lambda *_: WORDS, 3: None}, answers, places) == []
    assert answers == {2: ["no answer", WORDS], 3: ["damaged"]}, "no more after an answer"
    monkeypatch.setattr(greetings, "FIRST_READS_S", 0)
    found, notes = probe._answering_devices(bus, (1, 2, 3), read, every)
    assert found == [] and notes[1].startswith("0 of 1 first reads of profiles in 0 s: --units")


def test_first_reads_are_reads_and_each_is_asked_once():
    every, _ = probe._profiles(None)
    places = greetings.first_reads([each for each in every if each.family in fits.FAMILIES])
    assert 50 < len(places) == len(set(places)) and {each[0] for each in places} <= {1, 2, 3, 4}


@pytest.mark.parametrize("code", [4, 6, 10])
def test_a_unit_that_answers_with_a_code_alone_is_shown(code):
    read = silent_but((3, 0, 1), f"exception {code}")
    found, notes = probe._answering_devices(TCP, (1, 2), read, METER)
    assert (found[0]["unit_id"], found[0]["code"], notes) == (2, code, [])
    text = "\n".join(probe_words.lines({**probe_words.head(TCP), "devices": found}, None))
    assert f"unit 2 answers with code {code}: " in text and "no profile fits" not in text


@pytest.mark.parametrize(
    "read", [lambda *_: "exception 2", lambda *at: bytes(2 * at[3])], ids=["exceptions", "zeros"]
)
def test_exceptions_and_zeros_in_common_hide_no_device(read):
    found, _ = probe._answering_devices(TCP, (1, 2), read, METER)
    assert [(each["unit_id"], each["also"]) for each in found] == [(1, []), (2, [])]


def report_of(*names, certainty="plausible"):
    fit = {"certainty": certainty, "proofs": [], "signs": [], "values": [], "like": []}
    of = [probe_words.of_profile(profiles.load(name)) for name in names]
    devices = [
        {"unit_id": at, "also": [], "sunspec": "", "fits": [{**each, **fit}], "refused": {}}
        for at, each in enumerate(of, 1)
    ]
    bus = Bus("port", "tcp", address="127.0.0.1:502")
    return "\n".join(probe_words.lines({**probe_words.head(bus), "devices": devices}, None))


def test_the_lines_to_paste_of_several_devices_make_one_site_file():
    text = report_of(
        "sdm630", "em340", "sungrow_sh", "ejpcs", "bcu_ems", "sunspec_pv", "sunspec_pv"
    )
    lines = [line for line in text.splitlines() if line[:1] == "[" or " = " in line]
    devices = tomllib.loads("\n".join(lines))["device"]
    assert {name: each["role"] for name, each in devices.items()} == {
        **{"meter_grid": "meter_grid", "meter_load": "meter_load", "pv": "pv", "pv_2": "pv"},
        **{"pcs_1": "pcs", "pcs_2": "pcs", "bms_1": "bms"},
    }
    assert [devices[name]["unit"] for name in ("pcs_1", "pcs_2")] == [1, 2]


def test_a_weak_fit_is_called_possible_and_has_no_lines_to_paste():
    text = report_of("sdm630", certainty="weak")
    assert "possible, its values are in range, no more: sdm630" in text and "[device" not in text
    assert "the answers fit all of them" in text and "no profile fits" not in text


def test_a_port_has_the_name_that_stays_when_plugs_move(tmp_path):
    port, folder = tmp_path / "ttyUSB0", tmp_path / "by-path"
    port.touch()
    folder.mkdir()
    assert probe_words.by_path(str(port), str(folder)) == str(port)
    (folder / "usb-1.2").symlink_to(port)
    assert probe_words.by_path(str(port), str(folder)) == str(folder / "usb-1.2")


class Fed:
    """A serial port with these pieces, then a silence, then the adapter is gone."""

    error = "the adapter is gone"

    def __init__(self, *data):
        self.data = [*data, None]

    def fileno(self):
        return 0 if self.data else -1

    def wait(self, descriptor, wait_s):
        return self.data[0] is not None or bool(self.data.pop())

    def read(self):
        return self.data.pop(0)


def test_a_line_is_heard_and_saved():
    asked = seal(bytes((2, 4, 0, 0, 0, 2)))
    port, found = Fed(asked[:5], asked[5:] + answer(asked) + b"\xff"), []
    with pytest.raises(Ended, match="the adapter is gone"):
        for _, piece in sniff.pieces(port, None, port.wait):
            found.append(piece)
    assert found[:2] == [(">", asked), ("<", answer(asked))]
    lines = [sniff.modbus_line(1_500_000, "meter", piece) for piece in found]
    assert lines[0] == f"(1.500000) meter > {asked.hex(' ').upper()}"
    assert sniff.modbus_line(0, "meter", Piece("?", b"\xff")) == "# (0.000000) meter ? FF"
    frame = sniff.candump(1_500_000, "can0", 0x80000351, b"\1\xab")
    assert frame == "(1.500000) can0 00000351#01AB"


def test_a_bad_profile_of_a_folder_is_named_and_left_out(tmp_path):
    (tmp_path / "bad.toml").write_text('family = "meter"\nmaker = 5\n')
    text = (FOLDER / "ups_monitor.toml").read_text()  # two registers, too far apart for one read
    (tmp_path / "far.toml").write_text(re.sub("address = [0-9]+", "address = 9999", text, count=1))
    (tmp_path / "good.toml").write_text((FOLDER / "sdm630.toml").read_text())
    (tmp_path / "site.toml").write_text('[site]\nname = "no profile"\n')
    (tmp_path / "folder.toml").mkdir()
    every, notes = probe._profiles(str(tmp_path))
    assert len(every) == len(probe._profiles(None)[0]) + 1 > 50
    assert len(notes) == 2
    for name, note in zip(("bad", "far"), notes):
        assert note.startswith("left out: ") and f"{name}.toml" in note and "\n" not in note


@pytest.mark.parametrize("where, name", [(__main__.cli, "add"), (bus_access, "find")])
def test_ctrl_c_ends_a_command_with_one_line(capsys, tmp_path, monkeypatch, where, name):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, name, pressed)
    code, said, error = run(capsys, tmp_path, "bus probe", "can0")
    assert (code, said, error) == (130, "", "firebreak: interrupted\n")


@pytest.mark.parametrize("command", ["bus probe", "bus sniff"])
def test_a_can_interface_that_is_not_there_is_named(capsys, tmp_path, command):
    site = "--site", str(tmp_path / "none.toml")
    code, said, error = run(capsys, tmp_path, command, "vcan9999", *site)
    assert (code, said) == (3, "") and error.count("\n") == 1
    assert "vcan9999" in error and "no such CAN interface is here" in error
    code, _, error = run(capsys, tmp_path, command, "grid", *site)
    assert code == 2 and "none.toml" in error
