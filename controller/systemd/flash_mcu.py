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
from controller.config import configuration
from controller.config.refusal import ConfigError
from safety import parameters, second_image as si

DONE, WRONG_INPUT, NO_START = 0, 2, 3
ROOT = pathlib.Path(__file__).resolve().parents[2]
BOARDS = {"rp2": "pico", "pyboard": "stm32"}  # sys.platform of MicroPython's port -> board file
LIMIT_S = 60.0
LATCH_FILE, LATCH_NONE = "latch.bin", bytes((0, 255))
COMPLAINTS = {
    "could not enter raw repl": "no MicroPython answers: is the service jumper fitted, is "
    "MicroPython on the board?",
    "No module named mpremote": "mpremote is not installed: pip install 'firebreak[mcu]'",
}
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
    """kind: of BOARDS' values; bytecode: (major, minor) it takes; files: in its root."""

    kind: str
    bytecode: tuple
    files: tuple


class Mpremote:
    """Runs mpremote on one port."""

    def __init__(self, port: str):
        self.port = port

    def call(self, *words) -> str:
        """What it prints. FlashError in one line."""
        try:
            done = _ran([sys.executable, "-m", "mpremote", "connect", self.port, *words])
        except subprocess.TimeoutExpired:
            raise FlashError(f"{self.port}: nothing answers there within {LIMIT_S:.0f} s") from None
        if done.returncode != 0:
            raise FlashError(f"{self.port}: {_reason(done.stderr.strip() or done.stdout)}")
        return done.stdout


def _ran(command):
    """How a command ended. A port may carry anything: bytes that are no text are shown escaped."""
    return subprocess.run(
        command, capture_output=True, text=True, errors="backslashreplace", timeout=LIMIT_S
    )


def _reason(words):
    """mpremote's complaint in one line."""
    for part, line in COMPLAINTS.items():
        if part in words:
            return line
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else "mpremote failed without a word"


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
        default=str(sites.EXAMPLE),
        help="cabinet.toml that the controller runs on (the example's)",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="ask the board what it is, print what would be copied",
    )
    return parser


def main(argv: list | None = None) -> int:
    """The exit code."""
    given = _parser().parse_args(argv)
    try:
        image = configuration.load(given.cabinet).safety_image
        if not os.path.exists(given.port):
            raise ConfigError(
                f"{given.port}: no such port; plug the board in, look at /dev/serial/by-id"
            )
        with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
            flash(Mpremote(given.port), image, folder, given.dry_run)
    except (ConfigError, OSError, FlashError) as error:
        print(f"flash.sh mcu: {error}", file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_START
    return DONE


MPY_CROSS = shutil.which("mpy-cross")


def flash(device, image, folder, dry_run: bool, compiler: str | None = MPY_CROSS) -> None:
    """Load a board. device: an Mpremote; folder: for what is compiled; compiler: path of mpy-cross
    or None.
    """
    board = probe(device)
    fits = compiler and bytecode_of(compiler) == board.bytecode
    files = lay_out(pathlib.Path(folder), board.kind, image, compiler if fits else None)
    if LATCH_FILE in board.files:
        files.pop(LATCH_FILE)  # a latch outlives the loading
    version = ".".join(map(str, board.bytecode))
    print(
        f"board      {board.kind}, MicroPython bytecode v{version}: sending "
        f"{'bytecode' if fits else 'source'}"
    )
    if dry_run:
        for name, path in files.items():
            print(f"would copy {name} ({path.stat().st_size} bytes)")
        return
    clear(device, board.files)
    # main.py starts the others: it comes when they are right
    for part in (files.keys() - {"main.py"}, {"main.py"}):
        chosen = {name: path for name, path in files.items() if name in part}
        copy(device, chosen)
        verify(device, chosen)
    print(
        f"done       {len(files)} files, limit image {parameters.image_crc(image):08x}; take "
        f"the service jumper off and switch the board off and on"
    )


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


def bytecode_of(compiler: str) -> tuple:
    """(major, minor) of the bytecode that a mpy-cross makes, () when it does not say or does not
    run.
    """
    try:
        printed = _ran([compiler, "--version"]).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = re.search(r"mpy v(\d+)\.(\d+)", printed) or re.search(r"mpy v(\d+)", printed)
    return tuple(int(number) for number in (*found.groups(), 0)[:2]) if found else ()


def sources(kind: str) -> dict:
    """{name on the board: file here} of the program, main.py last."""
    safety = ROOT / "safety"
    found = {f"safety/{path.name}": path for path in sorted(safety.glob("*.py"))}
    for name in ("__init__.py", "board_machine.py", "loop.py"):
        found[f"safety/mcu/{name}"] = safety / "mcu" / name
    found["safety/mcu/board.py"] = safety / "mcu" / f"board_{kind}.py"
    found["main.py"] = safety / "mcu" / "main.py"
    return found


def lay_out(folder, kind: str, image, compiler: str | None) -> dict:
    """{name on the board: file}: the limit image, the empty latch file, the program; main.py last
    of all.
    """
    files = {"image.bin": folder / "image.bin", LATCH_FILE: folder / LATCH_FILE}
    files["image.bin"].write_bytes(si.file_bytes(image))
    files[LATCH_FILE].write_bytes(LATCH_NONE)
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


def clear(device, present: tuple) -> None:
    """Remove what an earlier loading left: main.py first, so that half a program never starts."""
    for name, options in (("main.py", ()), ("safety", ("-r",))):
        if name in present:  # an old source beside a new bytecode would win
            device.call("fs", "rm", *options, f":{name}")
    device.call("fs", "mkdir", ":safety", "+", "fs", "mkdir", ":safety/mcu")


def copy(device, files: dict) -> None:
    """Copy files in one go."""
    words = []
    for name, path in files.items():
        words += ["+"] * bool(words) + ["fs", "cp", str(path), f":{name}"]
    device.call(*words)


def verify(device, files: dict) -> None:
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
