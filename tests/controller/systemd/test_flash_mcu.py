"""Loading a microcontroller: the commands, their order, the checks and the errors."""

import functools
import hashlib
from types import SimpleNamespace

import pytest

from controller.config import configuration
from controller.sites import EXAMPLE
from controller.systemd import flash_mcu
from safety import second_image as si
from tests.tables import cases


class Device:
    """A board at mpremote: `files`, `calls` in order; `damage`: the file that arrives changed."""

    port = "/dev/ttyTEST"

    def __init__(self, platform="rp2", mpy=6 | 3 << 8, damage=""):
        self.platform, self.mpy, self.damage = platform, mpy, damage
        self.files, self.calls = {}, []

    def call(self, *words):
        self.calls.append(words)
        if words[0] == "exec":
            return self._exec(words[1])
        for part in " ".join(words).split(" + "):
            action = part.split()[1:]
            if action[0] == "cp":
                data = open(action[1], "rb").read()
                name = action[2].removeprefix(":")
                self.files[name] = data + b"x" if name == self.damage else data
            elif action[0] == "rm":
                name = action[-1].removeprefix(":")
                gone = [each for each in self.files if f"{each}/".startswith(f"{name}/")]
                for each in gone:
                    del self.files[each]
        return ""

    def _exec(self, program):
        if program == flash_mcu.PROBE:
            roots = sorted({name.split("/")[0] for name in self.files})
            return " ".join(["board", self.platform, str(self.mpy), *roots]) + "\n"
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}
        return "".join(f"digest {name} {digest}\n" for name, digest in digests.items())


@pytest.fixture(scope="module")
def image():
    return configuration.load(str(EXAMPLE)).safety_image


def _compiler(tmp_path, version="6.3", code=0):
    path = tmp_path / "mpy-cross"
    path.write_text(f"""#!/bin/sh
if [ "$1" = --version ]; then
    echo "MicroPython v1.25.0 on x; mpy-cross emitting mpy v{version}"
else
    printf "made of %s" "$2" >"$4"
    echo "SyntaxError: invalid" >&2
    exit {code}
fi
""")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("platform, kind", [("rp2", "pico"), ("pyboard", "stm32")])
def test_a_board_gets_the_program_and_its_pin_table(tmp_path, image, capsys, platform, kind):
    device = Device(platform)
    flash_mcu.flash(device, image, tmp_path, False, None)
    files = device.files
    board = flash_mcu.ROOT / "safety" / "mcu" / f"board_{kind}.py"
    assert files["safety/mcu/board.py"] == board.read_bytes()
    assert si.read_file(files["image.bin"]) == image and files["latch.bin"] == b"\0\xff"
    assert {path.name for path in (flash_mcu.ROOT / "safety").glob("*.py")} == {
        name.split("/")[1] for name in files if name.startswith("safety/") and name.count("/") == 1
    }
    assert "sending source" in capsys.readouterr().out
    assert not [name for name in files if "qemu" in name]


def test_main_py_is_removed_first_and_copied_last(tmp_path, image):
    device = Device()
    names = ("main.py", "safety/kernel.py", "image.bin")
    device.files = {**dict.fromkeys(names, b"old"), "latch.bin": b"\2\xfd"}
    flash_mcu.flash(device, image, tmp_path, False, None)
    order = [" ".join(words) for words in device.calls]
    others, main = [
        next(at for at, words in enumerate(order) if f"py :{name}" in words)
        for name in ("safety/kernel.py", "main.py")
    ]
    assert order.index("fs rm :main.py") < others < main
    assert any("hashlib" in words for words in order[others + 1 : main])
    assert device.files["latch.bin"] == b"\2\xfd"  # a new program must not clear a latch
    assert device.files["main.py"] != b"old"


@pytest.mark.parametrize("version, sent", [("6.3", "bytecode"), ("6.2", "source"), ("7", "source")])
def test_only_a_board_of_the_same_format_gets_bytecode(tmp_path, image, capsys, version, sent):
    device = Device()
    flash_mcu.flash(device, image, tmp_path, False, _compiler(tmp_path, version))
    assert f"sending {sent}" in capsys.readouterr().out
    made = device.files.get("safety/kernel.mpy", b"")
    assert made == (b"made of safety/kernel.py" if sent == "bytecode" else b"")
    assert ("safety/kernel.py" in device.files) == (sent == "source") and "main.py" in device.files


def test_a_dry_run_copies_nothing(tmp_path, image, capsys):
    device = Device()
    flash_mcu.flash(device, image, tmp_path, True, None)
    assert device.files == {} and len(device.calls) == 1
    out = capsys.readouterr().out
    assert "would copy safety/kernel.py (" in out and "would copy image.bin (" in out


@pytest.mark.parametrize("damage", ["image.bin", "safety/kernel.py", "main.py"])
def test_a_file_that_arrives_changed_is_an_error(tmp_path, image, damage):
    device = Device(damage=damage)
    with pytest.raises(flash_mcu.FlashError, match=f"{damage} arrived changed"):
        flash_mcu.flash(device, image, tmp_path, False, None)
    assert ("main.py" in device.files) == (damage == "main.py")


NO_BOARD = SimpleNamespace(port="x", call=lambda *words: "login:\n")


@cases("""device  words
    Device("esp32")  "port esp32; allowed are rp2 .pico., pyboard .stm32."
    NO_BOARD  "no MicroPython answers"
""")
def test_another_board_is_refused(tmp_path, image, device, words):
    with pytest.raises(flash_mcu.FlashError, match=words):
        flash_mcu.flash(device, image, tmp_path, False, None)


def test_a_failed_compiler_is_an_error_of_one_line(tmp_path, image):
    with pytest.raises(flash_mcu.FlashError, match="^mpy-cross: SyntaxError: invalid$"):
        flash_mcu.flash(Device(), image, tmp_path, False, _compiler(tmp_path, code=1))


@cases("""words  line
    ()  "the following arguments are required: PORT"
    ("/dev/no_such",)  "/dev/no_such: no such port; plug the board in, see /dev/serial/by-id"
    ("/dev/null", "--cabinet", "/no/such.toml")  "/no/such.toml: cannot be read: No such file"
""")
def test_wrong_input_is_refused_in_one_line(capsys, words, line):
    try:
        code = flash_mcu.main(list(words))
    except SystemExit as end:
        code = end.code
    err = capsys.readouterr().err
    assert code == 2 and err.startswith(f"flash.sh mcu: {line}") and err.count("\n") == 1


@cases(r"""words  line
    'Traceback\nmpremote.Error: could not enter raw repl'  "no MicroPython answers: fit the s"
    "python: No module named mpremote"  "mpremote is not installed: pip install 'fireb"
    "mpremote: failed to access x (it may be in use)"  "mpremote: failed to access"
    ""  "mpremote failed and printed no reason"
""")
def test_an_error_of_mpremote_becomes_one_line(monkeypatch, words, line):
    done = flash_mcu.subprocess.CompletedProcess([], 1, "cp a :b\n" if words else "", words)
    monkeypatch.setattr(flash_mcu.subprocess, "run", lambda *_, **__: done)
    with pytest.raises(flash_mcu.FlashError) as error:
        flash_mcu.Mpremote("/dev/x").call("fs", "ls")
    assert str(error.value).startswith(f"/dev/x: {line}") and "\n" not in str(error.value)


def test_a_compiler_that_does_not_run_counts_as_missing(tmp_path, image, capsys):
    broken = tmp_path / "mpy-cross"
    broken.write_text("no program")
    for device in (Device(), Device(mpy=0)):
        flash_mcu.flash(device, image, tmp_path, True, str(broken))
        assert "sending source" in capsys.readouterr().out


@pytest.fixture
def hangs(monkeypatch):
    def run(line, **_):
        raise flash_mcu.subprocess.TimeoutExpired(line, 1)

    monkeypatch.setattr(flash_mcu.subprocess, "run", run)


def test_a_compiler_that_hangs_is_an_error_of_one_line(hangs, tmp_path):
    with pytest.raises(flash_mcu.FlashError, match="^mpy-cross: ages.py: .*timed out"):
        names = (tmp_path / "ages.py", "safety/ages.py", tmp_path / "ages.mpy")
        flash_mcu._compile("mpy-cross", *names)


def test_another_device_at_the_port_is_an_error(monkeypatch):
    """Its reply may not be text. A board must report its bytecode format."""
    real = flash_mcu.subprocess.run
    for printed in (r"\xff\xfe\n", r"board rp2 \xff\n", r"board rp2 six\n"):
        run = functools.partial(real, ["printf", printed])
        monkeypatch.setattr(flash_mcu.subprocess, "run", lambda _, **kind: run(**kind))
        with pytest.raises(flash_mcu.FlashError, match="^/dev/x: no MicroPython answers$"):
            flash_mcu.probe(flash_mcu.Mpremote("/dev/x"))


def test_a_silent_port_is_an_error(hangs):
    with pytest.raises(flash_mcu.FlashError, match="no board answers within 60 s"):
        flash_mcu.Mpremote("/dev/x").call("fs", "ls")
