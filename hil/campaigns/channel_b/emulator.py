"""Runs the emulated microcontroller (QEMU's mps2-an385), whose serial link is a pty.

A word of its mapped memory stands for a contact, a switch or a backup register of a real board. The
permit output is read from QEMU itself by its machine protocol (QMP).
"""

import json
import os
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import time
import tty
from array import array
from typing import Any

from hil.campaigns import process
from hil.campaigns.channel_b import memory as mem

OUTPUT_REGISTER = 0x40028000
HANG_GUARD_S = 30.0
COMMAND = """
-machine mps2-an385,memory-backend=outer
-object memory-backend-file,id=outer,size={0},mem-path={1},share=on
-kernel {2}
-display none
-monitor none
-semihosting
-S
-qmp unix:{3},server=on,wait=off
-serial file:{4}
"""
COUNTING, LIVE = "-icount shift=6,sleep=off\n-serial null", "-serial pty"
PTY = re.compile(r"char device redirected to (\S+) ")


class EmulatorError(RuntimeError):
    """The microcontroller cannot be started, or does not answer. The message is one line."""


class Emulator:
    """One microcontroller. `memory`: its outer memory; `link`: descriptor of its raw pty."""

    description = "MicroPython on an emulated Cortex-M3 (QEMU mps2-an385)"

    def __init__(
        self,
        firmware: pathlib.Path,
        folder: str,
        image: "array[int]",
        mode: int = mem.MODE_RUN,
        steps: int = 0,
    ) -> None:
        """firmware: path; folder: for sockets and memory; image: of channel A. Does not start yet.

        mode COUNT runs without a link on a clock that counts instructions.
        """
        self._firmware, self._folder = str(firmware), tempfile.mkdtemp(dir=folder)
        self._counting = mode == mem.MODE_COUNT
        self._printed = os.path.join(self._folder, "printed")
        self.memory = mem.Memory(os.path.join(self._folder, "memory"), image)
        self.memory.write(mem.MODE, mode)
        self.memory.write(mem.STEPS, steps)
        self.link = -1
        self._process: Any = None
        self._qmp: Any = None
        self._answers: Any = None

    def start(self) -> float:
        """Start QEMU. Returns when its clock begins (time.monotonic, s). Raises EmulatorError or
        OSError.
        """
        socket_path = os.path.join(self._folder, "qmp")
        self._process = subprocess.Popen(
            self._arguments(socket_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if not self._counting:
            self._open_link()
        self._connect(socket_path)
        began_s = time.monotonic()
        self.ask("cont")
        return began_s

    def _arguments(self, socket_path: str) -> list[str]:
        """Command line of QEMU."""
        text = COMMAND.format(
            mem.MEMORY_BYTES, self.memory.path, self._firmware, socket_path, self._printed
        ) + (COUNTING if self._counting else LIVE)
        # a busy machine must not look like a slow microcontroller
        nice = ["nice", "-n", "-10"] if os.geteuid() == 0 else []
        return [*nice, "qemu-system-arm", *process.options(text)]

    def _open_link(self) -> None:
        if not select.select([self._process.stdout], (), (), HANG_GUARD_S)[0]:
            raise EmulatorError("qemu-system-arm prints nothing")
        line = self._process.stdout.readline().decode(errors="replace")
        match = PTY.search(line)
        if not match:
            raise EmulatorError(f"qemu-system-arm: {line.strip() or 'ended without a word'}")
        self.link = os.open(match.group(1), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.link)

    def _connect(self, path: str) -> None:
        until_s = time.monotonic() + HANG_GUARD_S
        while not os.path.exists(path):
            if self._process.poll() is not None or time.monotonic() > until_s:
                output = self._process.stdout.read().decode(errors="replace").strip()
                raise EmulatorError(f"qemu-system-arm: {output}")
            time.sleep(0.005)
        self._qmp = socket.socket(socket.AF_UNIX)
        self._qmp.settimeout(HANG_GUARD_S)
        self._qmp.connect(path)
        self._answers = self._qmp.makefile("r", encoding="utf-8")
        self._answers.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: object) -> Any:
        """QEMU's answer to a command of its machine protocol."""
        self._qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self._answers.readline() or '{"error": {"desc": "connection closed"}}'
            answer = json.loads(line)
            if "error" in answer:
                raise EmulatorError(f"QEMU: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def permit(self) -> int:
        """The permit output as QEMU holds it: 0 or 1."""
        text = self.ask("human-monitor-command", **{"command-line": f"xp /1wx {OUTPUT_REGISTER}"})
        return int(text.split(":")[1], 16) & 1

    def reset(self) -> None:
        """Switch power off and on. Only the outer memory keeps its content."""
        self.ask("system_reset")

    def printed(self) -> str:
        """The console's text once the program has printed `end`. EmulatorError if it is late."""
        until_s = time.monotonic() + HANG_GUARD_S * 4
        while True:
            printed = pathlib.Path(self._printed).read_text(encoding="utf-8", errors="replace")
            if "end" in printed:
                return printed
            if time.monotonic() > until_s or self._process.poll() is not None:
                last = repr(printed[-300:])
                raise EmulatorError(f"the microcontroller did not come to an end: {last}")
            time.sleep(0.02)

    def close(self) -> None:
        """End QEMU."""
        if self._process is not None:
            process.kill(self._process)
            self._process.stdout.close()
        for connection in (self._answers, self._qmp):
            if connection is not None:
                connection.close()
        if self.link >= 0:
            os.close(self.link)
        self.memory.close()
