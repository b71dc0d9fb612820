"""The controller in virtual time: the object of the real loop, with a store in memory, as a
scenario sees it.
"""

from controller.core import image
from controller.record.journal_header import open_journal
from controller.record.store import ARMED, CLEAN, UNREADABLE, Loaded
from controller.run.cabinet import Cabinet
from drivers.buses.can_port import CanPort
from hil.wires.virtual import nobody
from safety import matrix
from safety import signals as s


class MemoryStore:
    """Stands in for the disk: keeps the last record, acknowledges at once, survives a killed
    controller.
    """

    def __init__(self):
        self.ok = True
        self.record = None
        self.count = 0
        self.is_spoiled = False  # neither copy can be read at the next start

    def submit(self, record):
        """Keep a record; returns its number."""
        self.record = record
        self.is_spoiled = False
        self.count += 1
        return self.count

    def poll(self):
        """Number of the last record kept."""
        return self.count

    def loaded(self):
        """What a start finds."""
        if self.is_spoiled:
            return Loaded(UNREADABLE, None, 0, [])
        if self.record is None:
            return Loaded(CLEAN, None, 0, [])
        return Loaded(ARMED if self.record.armed else CLEAN, self.record, self.count, [])


class VirtualController:
    """The controller as a scenario sees it: it can be killed, started, reset and asked to run."""

    def __init__(self, config, journal_path=None):
        self.config, self.journal_path = config, journal_path
        self.store = MemoryStore()
        self.cabinet = None
        self.can = {}
        self.wires = {}
        self.lines = []  # (wire, its port; None while the controller is dead)
        self.reset_due = None

    def start(self):
        """Start afresh from what the store holds."""
        self.cabinet = Cabinet(self.config, self.store.loaded(), self.store)
        if self.journal_path:
            self.cabinet.journal = open_journal(self.journal_path, self.config, self.cabinet.core)
        for name, bus in self.can.items():
            self.cabinet.field.can[name].port = CanPort(bus.attach())
        ports = self.cabinet.field.ports
        self.lines = [(wire, ports[name]) for name, wire in self.wires.items()]
        for wire, port in self.lines:
            wire.on_up = port.receive

    def kill(self):
        """The process is gone between two instructions: nothing is said to anybody."""
        self.cabinet = None
        self.lines = [(wire, None) for wire in self.wires.values()]
        for wire in self.wires.values():
            wire.on_up = nobody
        for bus in self.can.values():
            bus.ends.clear()

    def stall(self, duration_ms):
        """The loop stands still for so long, then goes on with one step of that length."""
        if self.cabinet is None:
            return
        cabinet, plain = self.cabinet, self.cabinet.tick
        ticks = waits = duration_ms // self.config.tick_ms

        def tick(now_us, elapsed_ticks):
            nonlocal waits
            waits -= 1
            if waits < 1:
                cabinet.tick = plain
                plain(now_us, ticks)

        cabinet.tick = tick

    def spoil_store(self):
        """Neither copy in the state directory can be read at the next start."""
        self.store.is_spoiled = True

    def reset(self, by):
        """An operator looks at what stands and asks for a reset of exactly that; of a dead
        controller, in vain.
        """
        if self.cabinet is None:
            return
        core = self.cabinet.core
        self.cabinet.request_reset(
            matrix.KEY if by == "key" else matrix.REMOTE,
            core.out[s.FIRST_OUT_INSTANCE],
            core.out[s.CAUSE_MASK],
            *core.inp[image.places(core.layout)["peer"]],
        )

    def run_request(self, on):
        """Ask for running or for a controlled stop."""
        if self.cabinet is not None:
            self.cabinet.request_run(on)

    def hint(self, source, kind, quantity, value_W, valid_ms):
        """A hint of the source with this name, as if it had come over the wire and been found
        genuine.
        """
        names = [known.name for known in self.config.sources]
        if source not in names:
            raise ValueError(f"no source {source!r}, there are {', '.join(names)}")
        if self.cabinet is not None:
            self.cabinet.request_hint(names.index(source), kind, quantity, value_W, valid_ms)
