"""`./flash.sh mcu PORT` puts channel B on a microcontroller that runs MicroPython.

It compares the digests of all files. If this machine has an mpy-cross for the format of the board,
the board gets bytecode. Exit codes: 0 done, 2 wrong input, 3 failed.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import NamedTuple, NoReturn

from controller import sites
from controller.config import configuration
from controller.forms.refusal import ConfigError
from controller.system import programs
from controller.system.output import guarded
from controller.system.paths import DONE, NO_START, WRONG_INPUT
from safety import parameters, second_image as si

ROOT = Path(__file__).resolve().parents[2]
BOARDS = {"rp2": "pico", "pyboard": "stm32"}  # sys.platform of MicroPython's port -> board file
LIMIT_S = 60.0
LATCH_FILE, LATCH_NONE = "latch.bin", bytes((0, 255))
COMPLAINTS = {
    "could not enter raw repl": "no MicroPython answers: fit the service jumper; check that "
    "MicroPython is on the board",
    "No module named mpremote": "mpremote is not installed: "
    "pip install 'firebreak-controller[mcu]'",
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
    """The board cannot be loaded. The text is one line."""


class Board(NamedTuple):
    """A board. kind: of BOARDS; bytecode: (major, minor) of its format; files: names in /."""

    kind: str
    bytecode: tuple[int, ...]
    files: tuple[str, ...]


class Mpremote:
    """Runs mpremote on one port."""

    def __init__(self, port: str):
        self.port = port

    def call(self, *arguments: str) -> str:
        """Run a command and return its output. FlashError: one line."""
        try:
            done = _ran([sys.executable, "-m", "mpremote", "connect", self.port, *arguments])
        except subprocess.TimeoutExpired:
            raise FlashError(f"{self.port}: no board answers within {LIMIT_S:.0f} s") from None
        if done.returncode != 0:
            printed = done.stderr.strip() or done.stdout
            raise FlashError(f"{self.port}: {_reason('mpremote', printed)}")
        return done.stdout


def _ran(command: list[str]) -> subprocess.CompletedProcess[str]:
    """The result of a command. Bytes from the port that are not text are escaped."""
    return programs.ran(
        command, capture_output=True, text=True, errors="backslashreplace", timeout=LIMIT_S
    )


def _reason(program: str, printed: str) -> str:
    """The error that a program printed, in one line."""
    for part, line in COMPLAINTS.items():
        if part in printed:
            return line
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    return lines[-1] if lines else f"{program} failed and printed no reason"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the message alone, without the usage."""
        self.exit(WRONG_INPUT, f"flash.sh mcu: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="flash.sh mcu", description="Put channel B on a Pico or an STM32.")
    port = "serial port of the board, such as /dev/serial/by-id/..."
    cabinet = "cabinet.toml of the controller (default: that of the example)"
    dry_run = "read the kind of the board, print the files that would be copied"
    parser.add_argument("port", metavar="PORT", help=port)
    parser.add_argument("--cabinet", metavar="FILE", default=str(sites.EXAMPLE), help=cabinet)
    parser.add_argument("--dry-run", action="store_true", help=dry_run)
    return parser


def main(argv: list[str] | None = None) -> int:
    """The exit code."""
    arguments = _parser().parse_args(argv)
    try:
        image = configuration.load(arguments.cabinet).safety_image
        if not os.path.exists(arguments.port):
            remedy = "plug the board in, see /dev/serial/by-id"
            raise ConfigError(f"{arguments.port}: no such port; {remedy}")
        with tempfile.TemporaryDirectory(prefix="firebreak-mcu-") as folder:
            flash(Mpremote(arguments.port), image, Path(folder), arguments.dry_run)
    except (ConfigError, OSError, FlashError) as error:
        print(f"flash.sh mcu: {error}", file=sys.stderr)
        return WRONG_INPUT if isinstance(error, ConfigError) else NO_START
    return DONE


MPY_CROSS = shutil.which("mpy-cross")


def flash(
    device: Mpremote, image: array, folder: Path, dry_run: bool, compiler: str | None = MPY_CROSS
) -> None:
    """Load a board. folder: for compiled files; compiler: path of mpy-cross or None."""
    board = probe(device)
    fits = compiler and bytecode_of(compiler) == board.bytecode
    files = lay_out(folder, board.kind, image, compiler if fits else None)
    if LATCH_FILE in board.files:
        files.pop(LATCH_FILE)  # a new program must not clear a latch
    version = ".".join(map(str, board.bytecode))
    form = "bytecode" if fits else "source"
    print(f"board      {board.kind}, MicroPython bytecode v{version}: sending {form}")
    if dry_run:
        for name, path in files.items():
            print(f"would copy {name} ({path.stat().st_size} bytes)")
        return
    clear(device, board.files)
    # main.py starts the other files, so it is copied after they are verified
    copied_last = {"main.py": files["main.py"]}
    for part in ({name: files[name] for name in files if name != "main.py"}, copied_last):
        copy(device, part)
        verify(device, part)
    loaded = f"{len(files)} files, limit image {parameters.image_crc(image):08x}"
    print(f"done       {loaded}; remove the service jumper and switch the board off and on")


def probe(device: Mpremote) -> Board:
    """Read the kind of the board. FlashError: channel B has no pin table for this kind."""
    printed = device.call("exec", PROBE)
    parts = next((line.split() for line in printed.splitlines() if line.startswith("board ")), [])
    if len(parts) < 3 or not parts[2].isdecimal():
        raise FlashError(f"{device.port}: no MicroPython answers")
    kind = BOARDS.get(parts[1])
    if kind is None:
        known = ", ".join(f"{port} ({name})" for port, name in BOARDS.items())
        reason = f"the board has MicroPython's port {parts[1]}"
        raise FlashError(f"{device.port}: {reason}; allowed are {known}")
    code = int(parts[2])
    return Board(kind, (code & 255, code >> 8 & 3), tuple(parts[3:]))


def bytecode_of(compiler: str) -> tuple[int, ...]:
    """(major, minor) of the bytecode format of an mpy-cross; () if it prints none or fails."""
    try:
        printed = _ran([compiler, "--version"]).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r"mpy v(\d+)(?:\.(\d+))?", printed)
    return tuple(int(number or 0) for number in match.groups()) if match else ()


def sources(kind: str) -> dict[str, Path]:
    """{name on the board: file here} of the program. main.py comes last."""
    safety = ROOT / "safety"
    files = {f"safety/{path.name}": path for path in sorted(safety.glob("*.py"))}
    for name in ("__init__.py", "board_machine.py", "loop.py"):
        files[f"safety/mcu/{name}"] = safety / "mcu" / name
    files["safety/mcu/board.py"] = safety / "mcu" / f"board_{kind}.py"
    files["main.py"] = safety / "mcu" / "main.py"
    return files


def lay_out(folder: Path, kind: str, image: array, compiler: str | None) -> dict[str, Path]:
    """{name on the board: file} of limit image, empty latch file and program, main.py last."""
    files = {"image.bin": folder / "image.bin", LATCH_FILE: folder / LATCH_FILE}
    files["image.bin"].write_bytes(si.file_bytes(image))
    files[LATCH_FILE].write_bytes(LATCH_NONE)
    for name, path in sources(kind).items():
        if compiler is None or name == "main.py":  # MicroPython starts no main.mpy
            files[name] = path
        else:
            compiled = folder / name.replace("/", "_").replace(".py", ".mpy")
            _compile(compiler, path, name, compiled)
            files[name.replace(".py", ".mpy")] = compiled
    return files


def _compile(compiler: str, path: Path, name: str, compiled: Path) -> None:
    try:
        done = _ran([compiler, "-s", name, "-o", str(compiled), str(path)])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlashError(f"mpy-cross: {path.name}: {error}") from None
    if done.returncode != 0:
        raise FlashError(f"mpy-cross: {_reason('the compiler', done.stderr)}")


def clear(device: Mpremote, present: tuple[str, ...]) -> None:
    """Remove an earlier program. main.py goes first, so a board never starts half a program."""
    for name, command in (("main.py", ("fs", "rm")), ("safety", ("fs", "rm", "-r"))):
        if name in present:  # MicroPython prefers an old source to new bytecode
            device.call(*command, f":{name}")
    device.call("fs", "mkdir", ":safety", "+", "fs", "mkdir", ":safety/mcu")


def copy(device: Mpremote, files: dict[str, Path]) -> None:
    """Copy files with one command."""
    command: list[str] = []
    for name, path in files.items():
        command += (["+"] if command else []) + ["fs", "cp", str(path), f":{name}"]
    device.call(*command)


def verify(device: Mpremote, files: dict[str, Path]) -> None:
    """Compare the digests. FlashError names the first file that arrived changed."""
    printed = device.call("exec", DIGEST.format(names=list(files)))
    lines = [line.split() for line in printed.splitlines() if line.startswith("digest ")]
    digests = {fields[1]: fields[2] for fields in lines}
    for name, path in files.items():
        if digests.get(name) != hashlib.sha256(path.read_bytes()).hexdigest():
            raise FlashError(f"{device.port}: {name} arrived changed: try again")


if __name__ == "__main__":
    sys.exit(guarded("flash.sh mcu", main))
