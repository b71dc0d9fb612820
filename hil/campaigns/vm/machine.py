"""Runs one box in QEMU: its devices, its root shell and its power cuts."""

import contextlib
import os
import pathlib
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterable
from typing import Any, NoReturn

from hil.campaigns import process
from hil.engine.rig import RigError

BOOT_S, COMMAND_S = 300.0, 180.0
END_S = 30.0  # after the console has closed, for QEMU to end
USB_SLOT = "10"  # PCI slot of the USB controller, fixed so that the ports' names are known
READ_BYTES = 65_536
# Without this niceness other processes slow the box, and a stalled box trips. Where the kernel
# groups processes (sched_autogroup), only the group's niceness counts against other groups.
NICENESS = -20
# The priority of QEMU's main thread, which carries the serial lines. Without it that thread waits
# for the virtual processors (76 ms in 0.5 s, on 2 cores), and the box's devices look silent.
LINES_PRIORITY = 50
THREADS = 4  # main, RCU, two processors


class MachineError(RigError):
    """The box did not do what it should. The text is one line."""


def port_name(socket_number: int) -> str:
    """The stable name of the serial adapter in this USB socket (counted from 1)."""
    return f"/dev/serial/by-path/pci-0000:00:{USB_SLOT}.0-usb-0:{socket_number}:1.0-port0"


# {0}: the folder with kernel, disk and console; {1}: can_line
QEMU = """
-machine q35,accel=tcg
-cpu max
-smp 2
-m 1024
-nodefaults
-display none
-no-reboot
-kernel {0}/vmlinuz
-initrd {0}/initrd
-append root=/dev/vda rw console=ttyS0 panic=5 quiet loglevel=3 systemd.show_status=0
-drive file={0}/disk.img,format=raw,if=virtio,cache=writethrough
-device i6300esb
-action watchdog=reset
-object can-bus,id=bus
-device kvaser_pci,canbus=bus
-device kvaser_pci,canbus=bus
-chardev socket,id=console,path={0}/console.sock,server=on,wait=off
-serial chardev:console
-chardev serial,id=can,path={1}
-serial chardev:can
-device qemu-xhci,id=usb,p2=15,p3=15,addr=0x{2}
"""
PORT = """
-chardev serial,id=port{0},path={1}
-device usb-serial,bus=usb.0,port={0},chardev=port{0},serial=RIG{0},always-plugged=on
"""


def arguments(directory: str, ports: Iterable[str], can_line: str) -> list[str]:
    """QEMU's command line. ports: of the plant process; can_line: the tty of the SLCAN bridge."""
    text = QEMU.format(directory, can_line, USB_SLOT)
    text += "".join(PORT.format(number, port) for number, port in enumerate(ports, 1))
    return ["nice", "-n", str(NICENESS), "qemu-system-x86_64", *process.options(text)]


class Machine:
    """The power and the shell of the box: `power_on`, `run`, `cut_power`."""

    def __init__(self, directory: str, ports: Iterable[str], can_line: str) -> None:
        self.directory, self._arguments = directory, arguments(directory, ports, can_line)
        self.process: Any = None
        self._console: Any = None
        self._heard = b""
        self._commands = 0

    def power_on(self) -> None:
        """Start QEMU, and return at once."""
        path = os.path.join(self.directory, "console.sock")
        if os.path.exists(path):
            os.unlink(path)
        with open(os.path.join(self.directory, "qemu.log"), "ab") as log:
            self.process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        with contextlib.suppress(OSError):
            pathlib.Path(f"/proc/{self.process.pid}/autogroup").write_text(str(NICENESS))
        self._heard = b""
        self._console = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        until_s = time.monotonic() + COMMAND_S
        while True:
            try:
                self._console.connect(path)
                return self._put_lines_first()
            except (FileNotFoundError, ConnectionRefusedError):
                self._check(until_s, f"no console after {COMMAND_S:.0f} s")
                select.select((), (), (), 0.05)

    def _put_lines_first(self) -> None:
        """Give real-time priority to the main thread alone, after the processors' threads have
        begun.
        """
        until_s = time.monotonic() + COMMAND_S
        pid = self.process.pid
        while len(os.listdir(f"/proc/{pid}/task")) < THREADS:
            self._check(until_s, f"not {THREADS} threads after {COMMAND_S:.0f} s")
            select.select((), (), (), 0.05)
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(LINES_PRIORITY))

    def _check(self, until_s: float, message: str) -> None:
        """Raise MachineError if QEMU has ended or the time is over. message: the text if the time
        is over.
        """
        lines = self._heard.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        last = f"last words: {lines[-1]}"
        if self.process.poll() is not None:
            log = pathlib.Path(self.directory, "qemu.log")
            logged = log.read_text(encoding="utf-8", errors="replace").split("\n")[-2:-1]
            why = logged[0] if logged else f"the box's {last}"
            raise MachineError(f"QEMU ended with exit code {self.process.returncode}: {why}")
        if time.monotonic() > until_s:
            raise MachineError(f"{message}: the box does not answer; its {last}")

    def _expect(self, pattern: bytes, timeout_s: float, message: str) -> re.Match[bytes]:
        """Read the console until the pattern comes. Returns its match, and drops all text up
        to it.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            match = re.search(pattern, self._heard)
            if match:
                self._heard = self._heard[match.end() :]
                return match
            is_ready = bool(select.select([self._console], (), (), 0.5)[0])
            if is_ready:  # first, so that the last words of a box that has ended are heard
                self._heard += self._read()
            if not is_ready or time.monotonic() > until_s:
                self._check(until_s, f"{message} after {timeout_s:.0f} s")

    def _read(self) -> bytes:
        try:
            data = self._console.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        return data or self._check_end()

    def _check_end(self) -> NoReturn:
        """The console is closed, so QEMU has ended or will soon. Raises MachineError with the
        reason.
        """
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            raise MachineError(
                f"the box's console is closed, QEMU goes on for {END_S:.0f} s"
            ) from None
        self._check(0, "ended")
        raise MachineError("the box has ended")

    def wait_for_shell(self) -> None:
        """Wait for root's shell."""
        self._expect(rb"@shell@\r?\n", BOOT_S, "no shell")

    def run(self, command: str, timeout_s: float = COMMAND_S) -> tuple[int, str]:
        """(exit code, text) of a shell command in the box. Raises MachineError if it hangs."""
        self._commands += 1
        mark = b"@%d@" % self._commands
        self._console.settimeout(timeout_s)
        try:
            self._console.sendall(
                f"{command}\nprintf '\\n@%s@%d@\\n' {self._commands} $?\n".encode()
            )
        except TimeoutError:
            raise MachineError(f"{command}: QEMU has not taken it for {timeout_s:.0f} s") from None
        except ConnectionError:
            self._check_end()
        match = self._expect(
            rb"(?s)(.*?)\r?\n" + mark + rb"(\d+)@\r?\n", timeout_s, f"{command}: not done"
        )
        return int(match[2]), match[1].decode("utf-8", "replace").replace("\r\n", "\n").strip()

    def cut_power(self) -> None:
        """End QEMU without any warning to the system in it."""
        if self.process is not None:
            process.kill(self.process)
            self._console.close()
            self.process = None
