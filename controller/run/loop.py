"""The loop of a real controller: one thread that ticks, and moves bytes between two ticks. Code
that may block, grow or crash runs in other processes. Order at the start: build everything, open
the ports, notify the service manager, switch to real-time priority last.
"""

import os
import select
import signal
from types import FrameType

from controller.config import unit_access
from controller.config.bus_schema import Bus
from controller.hints import admission
from controller.hints.listener import HintListener
from controller.run import operator_commands
from controller.run.cabinet import Cabinet
from controller.run.channel_link import ChannelLink
from controller.run.link_statistics import LinkStatistics
from controller.run.loop_statistics import LoopStatistics
from controller.run.store_watch import StoreWatch
from controller.store.keeper import Keeper
from controller.system import clock, realtime, regular_file
from drivers.buses.can_port import CanPort, open_can
from drivers.buses.port import RtuPort
from drivers.buses.serial_port import Arrivals, SerialPort, Watched
from drivers.buses.tcp_port import TcpPort
from safety import signals as s

# Longest time of a controlled stop: the ramp takes 2 s, the contactors open at zero current within
# 5 s, and the record is stored; plus a margin.
STOP_US_MAX = 15_000_000
# Longest time while the contactors still have supply: 30 s for a fuse to blow (fuse_wait_ms), and
# STOP_US_MAX.
OPEN_US_MAX = 45_000_000


class Wire:
    """One serial port, or Modbus TCP connection, and the RTU engine on it."""

    def __init__(self, bus: Bus, port: RtuPort | ChannelLink):
        """port: the port of this bus. Raises SerialPortError."""
        self.name, self.port = bus.name, port
        self.serial = _serial_of(bus)
        self.serial.open()

    def take(self, now_us: int) -> None:
        """Hand the bytes that have arrived to the engine."""
        data = self.serial.read()
        if data:
            self.port.receive(data, now_us)

    def give(self, now_us: int) -> None:
        """Send the bytes that the engine has now, after earlier bytes that the port has not taken
        yet.
        """
        if now_us >= self.port.wake_us:
            self.take(now_us)  # first, because a reply that waits in the tty must not time out
            data = self.port.poll(now_us)
            if data:
                self.serial.write(data)
        if self.serial.pending:
            self.serial.write(b"")


def _serial_of(bus: Bus) -> SerialPort | TcpPort:
    if bus.kind == "tcp":
        return TcpPort(bus.address)
    return SerialPort(bus.port, bus.baud_Bd, bus.characters[1], int(bus.characters[2]))


class Loop:
    """Runs one cabinet until SIGTERM or SIGINT, then stops it in a controlled way."""

    def __init__(
        self,
        cabinet: Cabinet[Keeper],
        run_directory: str,
        notifier: realtime.Notifier,
        keys: dict[str, tuple[admission.Key, ...]] | None = None,
    ):
        """run_directory: directory of statistics and sockets; keys: by name of a source of
        hints.
        """
        self.cabinet = cabinet
        self.notifier = notifier
        self.statistics = LoopStatistics(os.path.join(run_directory, "loop.stats"))
        self.hints = HintListener(run_directory, cabinet, keys or {})
        self.commands = operator_commands.Listener(
            os.path.join(run_directory, "command.sock"), self.hints.change_key
        )
        config, field = cabinet.config, cabinet.field
        self.wires = [Wire(bus, field.ports[bus.name]) for bus in config.buses if bus.kind != "can"]
        if cabinet.peer is not None and config.channel_b is not None:
            self.wires.append(Wire(config.channel_b, cabinet.peer))
        self.can_ports: dict[str, CanPort] = {}
        for bus in config.buses:
            if bus.kind == "can":
                field.can[bus.name].port = self.can_ports[bus.name] = can_port_of(bus)
        links_path = os.path.join(run_directory, "links.stats")
        drivers = {
            (device.bus, device.address): field.drivers[device.name] for device in config.devices
        }
        self.links = LinkStatistics(
            links_path, field.ports, self.can_ports, field.can, drivers, field.serials
        )
        self.stopping_us: int | None = None
        self._store = StoreWatch(cabinet.keeper, run_directory)
        self._arrivals = Arrivals()
        self._wire_of: dict[Watched, Wire] = {wire.serial: wire for wire in self.wires}
        for wire in self.wires:
            self._arrivals.add(wire.serial)

    def troubles(self) -> list[str]:
        """A line for each bus that could not be opened; the loop tries again."""
        errors = {wire.name: wire.serial.error for wire in self.wires}
        errors |= {name: port.error for name, port in self.can_ports.items()}
        silent = "its devices are silent until it can be opened"
        return [f"bus {name}: {error}; {silent}" for name, error in errors.items() if error]

    def run(self) -> int:
        """Tick until stopped. Returns 0 after a clean stop, 1 if the loop ended without a clean
        stop.
        """
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        deadlines = clock.Deadlines(self.cabinet.config.tick_ms * 1000, clock.now_us())
        while not self.turn(deadlines):
            pass
        self.notifier.stopping()
        return 0 if self._clean() else 1

    def turn(self, deadlines: clock.Deadlines) -> bool:
        """Spend the time until the next tick, then make the tick. Returns True once the loop is
        stopped.
        """
        self._slack(deadlines)
        now_us = clock.now_us()
        elapsed_ticks = deadlines.begin(now_us)
        self.cabinet.tick(now_us, elapsed_ticks)
        self._after(now_us)
        deadlines.end(clock.now_us())
        self.statistics.note(deadlines, self._store.unsaved_ms)
        self.links.note(now_us)
        if deadlines.late_in_a_row < clock.LATE_IN_A_ROW_MAX:
            self.notifier.alive()
        return self.stopping_us is not None and self._stopped(now_us - self.stopping_us)

    def _slack(self, deadlines: clock.Deadlines) -> None:
        """Move bytes until the next deadline. All decisions are made in the tick."""
        while True:
            now_us = clock.now_us()
            remaining_us = deadlines.next_us - now_us
            if remaining_us <= 0:
                return
            wake_us = min([wire.port.wake_us for wire in self.wires])
            wait_us = min(remaining_us, max(0, wake_us - now_us))
            ready = select.select(self._sources(), (), (), wait_us / 1_000_000)[0]
            now_us = clock.now_us()
            if self._arrivals in ready:
                for port in self._arrivals.ports():
                    self._wire_of[port].take(now_us)
            if self.commands in ready:
                self.commands.receive(self.cabinet)
            if self.hints in ready:
                self.hints.receive(now_us)
            for wire in self.wires:
                wire.give(now_us)

    def _sources(self) -> list[Arrivals | operator_commands.Listener | HintListener]:
        """The sources to wait for: serial ports, and sockets that may still be read
        in this tick.
        """
        return [
            self._arrivals,
            *[listener for listener in (self.commands, self.hints) if listener.hungry],
        ]

    def _after(self, now_us: int) -> None:
        """Send the requests of the tick at once, try lost ports again, answer an operator."""
        for wire in self.wires:
            if wire.serial.fileno() < 0 and wire.serial.service(now_us):
                self._arrivals.add(wire.serial)
            wire.give(now_us)
        for port in self.can_ports.values():
            port.service(now_us)
        self.commands.answer(self.cabinet.answer, self.cabinet.peer_answer)
        self.hints.answer(now_us)
        self._store.step(now_us)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: ask for a controlled stop."""
        if self.stopping_us is None:
            self.stopping_us = clock.now_us()
            self.cabinet.end()

    def _stopped(self, waited_us: int) -> bool:
        """True when all contactors are open and the store has saved this or has failed. Also true
        when the longest time of a stop is over.
        """
        kernel, keeper = self.cabinet.core.kernel, self.cabinet.keeper
        out = kernel.out
        is_open = out[s.STATE] == s.TRIPPED and kernel.features.all_reported_open()
        has_ended = not out[s.CONTACTOR_SUPPLY_OK] and (is_open or not out[s.ARM_REQUEST])
        is_saved = keeper.poll() >= keeper.submitted or not keeper.ok
        longest_us = OPEN_US_MAX if out[s.CONTACTOR_SUPPLY_OK] else STOP_US_MAX
        return has_ended and is_saved or waited_us > longest_us

    def _clean(self) -> bool:
        """True when all permits are off and the store has saved the records."""
        out, keeper = self.cabinet.core.kernel.out, self.cabinet.keeper
        is_saved = keeper.poll() >= keeper.submitted
        return is_saved and not out[s.ARM_REQUEST] and not out[s.CONTACTOR_SUPPLY_OK]

    def close(self) -> None:
        """Give ports and sockets back."""
        listeners = (self._arrivals, self.commands, self.hints)
        ports = *[wire.serial for wire in self.wires], *self.can_ports.values()
        for resource in (*ports, *listeners, self.statistics, self.links):
            resource.close()


def can_port_of(bus: Bus) -> CanPort:
    """CanPort of a bus. Raises CanPortError."""
    if bus.interface != "socketcand":
        return open_can(bus.interface, bus.channel, bus.bitrate_bps)
    host, port, name = unit_access.can_server(bus.channel)
    return open_can("socketcand", name, bus.bitrate_bps, host=host, port=port)


def lock(run_directory: str) -> int | None:
    """Descriptor of the run directory's lock file; None: another controller holds the lock."""
    return regular_file.locked(os.path.join(run_directory, "lock"))
