"""`./flash.sh mcu PORT`: puts channel B on a microcontroller that runs MicroPython, and checks what
has arrived.

The program goes as bytecode when an mpy-cross is here whose format the board takes, else as source;
the limit image is made from the same cabinet file that the controller runs on. Exit codes: 0 done,
2 wrong input, 3 could not.
"""

import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

from controller import sites
from controller.site import config as configs
from controller.site.refusal import ConfigError
from safety import parameters
from safety import second_image as si

DONE, WRONG_INPUT, NO_START = 0, 2, 3
ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = sites.EXAMPLE
BOARDS = {"rp2": "pico", "pyboard": "stm32"}  # sys.platform of MicroPython's port -> board file
LIMIT_S = 60.0
LATCH_FILE, LATCH_NONE = "latch.bin", bytes((0, 255))
PROBE = (
    "import sys, os; print('board', sys.platform, getattr(sys.implementation, '_mpy', 0), "
    "*os.listdir('/'))"
)
DIGEST = """import hashlib, binascii
for name in {names!r}:
    total = hashlib.sha256()
    with open(name, 'rb') as file:
        while True:
            part = file.read(512)
            if not part:
                break
            total.update(part)
    print('digest', name, binascii.hexlify(total.digest()).decode())
"""


class FlashError(RuntimeError):
    """The board cannot be loaded; one line."""


class Board(NamedTuple):
    """What a board said of itself: `kind` of BOARDS' values, `bytecode` (major, minor) it takes,
    files in its root.
    """

    kind: str
    bytecode: tuple
    files: tuple


class Mpremote:
    """Runs mpremote on one port."""

    def __init__(self, port):
        self.port = port

    def call(self, *words):
        """What it prints. FlashError in one line."""
        command = [sys.executable, "-m", "mpremote", "connect", self.port, *words]
        try:
            done = _ran(command)
        except subprocess.TimeoutExpired:
            raise FlashError(f"{self.port}: nothing answers there within {LIMIT_S:.0f} s") from None
        if done.returncode != 0:
            raise FlashError(f"{self.port}: {_reason(done.stderr.strip() or done.stdout)}")
        return done.stdout


def _ran(command):
    """How a command ended. What is on a port may be anything: bytes that are no text are shown as
    such.
    """
    return subprocess.run(
        command, capture_output=True, text=True, errors="backslashreplace", timeout=LIMIT_S
    )


def _reason(words):
    """mpremote's complaint in one line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()] or [
        "mpremote failed without a word"
    ]
    if any("could not enter raw repl" in line for line in lines):
        return "no MicroPython answers: is the service jumper fitted, is MicroPython on the board?"
    if any("No module named mpremote" in line for line in lines):
        return "mpremote is not installed: pip install 'firebreak[mcu]'"
    return lines[-1]


def _parser():
    parser = argparse.ArgumentParser(
        prog="flash.sh mcu", description="Put channel B on a Pico or an STM32."
    )
    parser.error = lambda message: parser.exit(WRONG_INPUT, f"flash.sh mcu: {message}\n")
    parser.add_argument(
        "port", metavar="PORT", help="serial port of the board, such as /dev/serial/by-id/..."
    )
    parser.add_argument(
        "--cabinet",
        metavar="FILE",
        default=str(EXAMPLE),
        help="cabinet.toml that the controller runs on (the example's)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="ask the board what it is, print what would be copied",
    )
    return parser


def main(argv=None):
    """The exit code."""
    given = _parser().parse_args(argv)
    try:
        image = configs.load(given.cabinet).safety_image
    except (ConfigError, OSError) as error:
        return _say(error, WRONG_INPUT)
    if not os.path.exists(given.port):
        return _say(
            f"{given.port}: no such port; plug the board in, look at /dev/serial/by-id", WRONG_INPUT
        )
    try:
        with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
            return flash(Mpremote(given.port), image, folder, given.dry_run)
    except FlashError as error:
        return _say(error, NO_START)


def _say(line, code):
    print(f"flash.sh mcu: {line}", file=sys.stderr)
    return code


MPY_CROSS = shutil.which("mpy-cross")


def flash(device, image, folder, dry_run, compiler=MPY_CROSS):
    """Load a board. device: an Mpremote; folder: for what is compiled; compiler: path of mpy-cross
    or None.
    """
    board = probe(device)
    fits = compiler and bytecode_of(compiler) == board.bytecode
    files = lay_out(pathlib.Path(folder), board.kind, image, compiler if fits else None)
    if LATCH_FILE in board.files:
        files.pop(LATCH_FILE)  # what waits for a reset or the key still waits after loading
    said = "bytecode" if fits else "source"
    print(
        f"board      {board.kind}, MicroPython bytecode "
        f"v{board.bytecode[0]}.{board.bytecode[1]}: sending {said}"
    )
    if dry_run:
        print(
            "\n".join(
                f"would copy {name} ({path.stat().st_size} bytes)" for name, path in files.items()
            )
        )
        return DONE
    clear(device, board.files)
    program = {name: path for name, path in files.items() if name != "main.py"}
    # the last starts the others: it comes when they are right
    for part in (program, {"main.py": files["main.py"]}):
        copy(device, part)
        verify(device, part)
    print(
        f"done       {len(files)} files, limit image {parameters.image_crc(image):08x}; take "
        f"the service jumper off "
        "and switch the board off and on"
    )
    return DONE


def probe(device):
    """What board it is. FlashError for one that channel B has no pins for."""
    printed = device.call("exec", PROBE)
    words = next((line.split() for line in printed.splitlines() if line.startswith("board ")), None)
    if words is None or len(words) < 3 or not words[2].isdecimal():
        raise FlashError(f"{device.port}: no MicroPython answers there")
    kind = BOARDS.get(words[1])
    if kind is None:
        known = ", ".join(f"{port} ({name})" for port, name in BOARDS.items())
        raise FlashError(
            f"{device.port}: is a board of MicroPython's port {words[1]}; allowed are {known}"
        )
    code = int(words[2])
    return Board(kind, (code & 255, code >> 8 & 3), tuple(words[3:]))


def bytecode_of(compiler):
    """(major, minor) of the bytecode that a mpy-cross makes, () when it does not say or does not
    run.
    """
    try:
        printed = _ran([compiler, "--version"]).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"mpy v(\d+)\.(\d+)", printed) or re.search(r"mpy v(\d+)", printed)
    return tuple(int(number) for number in (*found.groups(), 0)[:2]) if found else ()


def sources(kind):
    """{name on the board: file here} of the program, main.py last."""
    safety = ROOT / "safety"
    found = {f"safety/{path.name}": path for path in sorted(safety.glob("*.py"))}
    for name in ("__init__.py", "board_machine.py", "loop.py"):
        found[f"safety/mcu/{name}"] = safety / "mcu" / name
    found["safety/mcu/board.py"] = safety / "mcu" / f"board_{kind}.py"
    found["main.py"] = safety / "mcu" / "main.py"
    return found


def lay_out(folder, kind, image, compiler):
    """{name on the board: file}: the program, the limit image, the empty latch file; main.py last
    of all.
    """
    files = {}
    (folder / "image.bin").write_bytes(si.file_bytes(image))
    (folder / LATCH_FILE).write_bytes(LATCH_NONE)
    files["image.bin"], files[LATCH_FILE] = folder / "image.bin", folder / LATCH_FILE
    for name, path in sources(kind).items():
        if compiler is None or name == "main.py":  # MicroPython starts no main.mpy
            files[name] = path
        else:
            made = folder / name.replace("/", "_").replace(".py", ".mpy")
            _compile(compiler, path, name, made)
            files[name.replace(".py", ".mpy")] = made
    return files


def _compile(compiler, path, name, made):
    try:
        done = _ran([compiler, "-s", name, "-o", str(made), str(path)])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlashError(f"mpy-cross: {path.name}: {error}") from None
    if done.returncode != 0:
        raise FlashError(f"mpy-cross: {_reason(done.stderr)}")


def clear(device, present):
    """Remove what an earlier loading left: main.py first, so that half a program never starts."""
    for name, options in (("main.py", ()), ("safety", ("-r",))):
        if name in present:  # an old source beside a new bytecode would win
            device.call("fs", "rm", *options, f":{name}")
    device.call("fs", "mkdir", ":safety", "+", "fs", "mkdir", ":safety/mcu")


def copy(device, files):
    """Copy files in one go."""
    words = []
    for name, path in files.items():
        words += ["+"] * bool(words) + ["fs", "cp", str(path), f":{name}"]
    device.call(*words)


def verify(device, files):
    """Compare the digest of every file with the one here. FlashError names the first that
    differs.
    """
    printed = device.call("exec", DIGEST.format(names=list(files)))
    told = {
        words[1]: words[2]
        for words in map(str.split, printed.splitlines())
        if words[:1] == ["digest"]
    }
    for name, path in files.items():
        if told.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise FlashError(f"{device.port}: {name} did not arrive as it was sent: try again")


if __name__ == "__main__":
    sys.exit(main())
