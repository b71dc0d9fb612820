"""Runs the controller's real loop in virtual time, with a store in memory."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from controller.config import approval
from controller.config.cabinet_config import Config
from controller.core import image
from controller.core.base.hint_codes import HintSlot
from controller.core.base.schedule_table import Slot, Table
from controller.core.image import ProcessImage
from controller.journal.journal_header import open_journal
from controller.run.cabinet import Cabinet
from controller.run.field import Field
from controller.run.site_clock import SiteClock
from controller.store.stored_record import Record
from controller.store.two_copies import CLEAN, KILLED, UNREADABLE, Loaded
from drivers.buses.can_port import Bus, CanPort
from drivers.buses.port import RtuPort
from hil.engine.run_directory import OTHER_IMAGE, approved
from hil.wires.virtual import VirtualSerial, no_reply
from hil.wires.virtual_can import VirtualCan
from safety import matrix, signals as s

UTC_US = 1_767_225_600_000_000  # 2026-01-01 at virtual time 0
ERROR_US = 5000


class VirtualClock(SiteClock):
    """A clock for virtual time. error_us may change at any time; None means unknown."""

    def __init__(self, image: ProcessImage, utc_us: int = UTC_US):
        """utc_us: UTC at virtual time 0."""
        super().__init__(image, self)
        self._utc_us, self._now_us = utc_us, 0
        self.error_us: int | None = ERROR_US

    def step(self, now_us: int) -> None:
        """Take the virtual time, and step as SiteClock does."""
        self._now_us = now_us
        super().step(now_us)

    def poll(self) -> tuple[int, int | None]:
        """See WallClock."""
        return self._now_us, None

    def label(self, moment_us: int) -> tuple[int, str, int | None]:
        """See WallClock."""
        return self._utc_us + moment_us, "simulated", self.error_us


class MemoryStore:
    """Replaces the disk: keeps the last record, acknowledges at once and survives a kill."""

    def __init__(self, record: Record) -> None:
        """record: stored record of a cabinet that is ready to run."""
        self.ok, self.count = True, 0
        self.record = record
        self.is_spoiled = False  # the next start finds both copies unreadable

    def submit(self, record: Record) -> int:
        """Keep a record. Returns its number."""
        self.record, self.is_spoiled = record, False
        self.count += 1
        return self.count

    def poll(self) -> int:
        """Number of the last record kept."""
        return self.count

    def loaded(self) -> Loaded:
        """The content for a start of the controller."""
        if self.is_spoiled:
            return Loaded(UNREADABLE, None, 0, [])
        return Loaded(KILLED if self.record.armed else CLEAN, self.record, self.count, [])


class VirtualController:
    """The controller, with a method for each action of a scenario on it."""

    def __init__(self, config: Config, journal_path: str | None = None) -> None:
        self.config, self.journal_path = config, journal_path
        self.store = MemoryStore(approved(config))
        self.cabinet: Cabinet[MemoryStore] | None = None
        self.can: dict[str, VirtualCan] = {}
        self.wires: dict[str, VirtualSerial] = {}
        # makes the field side of each new controller; value mode sets another class
        self.make_field: Callable[[Config, ProcessImage], Field] = Field
        # (wire, its port); the port is None while the controller is dead
        self.lines: list[tuple[VirtualSerial, RtuPort | None]] = []

    def start(self) -> None:
        """Start a new controller from the store's content."""
        self.cabinet = cabinet = Cabinet(
            self.config, self.store.loaded(), self.store, field=self.make_field
        )
        cabinet.site_clock = VirtualClock(cabinet.image)
        if self.journal_path:
            approved_image = approval.packed(cabinet.approval.before)
            cabinet.journal = open_journal(
                self.journal_path, self.config, cabinet.core, approved=approved_image
            )
        for name, bus in self.can.items():
            cabinet.field.can[name].port = CanPort(cast(Bus, bus.attach()))
        self.lines = []
        for name, wire in self.wires.items():
            port = cabinet.field.ports[name]
            self.lines.append((wire, port))
            wire.on_up = port.receive

    def kill(self) -> None:
        """End the controller between two ticks, without a last message."""
        self.cabinet = None
        self.lines = [(wire, None) for wire in self.wires.values()]
        for wire in self.wires.values():
            wire.on_up = no_reply
        for bus in self.can.values():
            bus.ends.clear()

    def stall(self, duration_ms: int) -> None:
        """Stop the loop for duration_ms. The next tick then covers all ticks that were missed."""
        if self.cabinet is None:
            return
        cabinet, original_tick = self.cabinet, self.cabinet.tick
        ticks = ticks_left = duration_ms // self.config.tick_ms

        def tick(now_us: int, elapsed_ticks: int) -> None:
            nonlocal ticks_left
            ticks_left -= 1
            if ticks_left < 1:
                cabinet.tick = original_tick  # type: ignore[method-assign]
                original_tick(now_us, ticks)

        cabinet.tick = tick  # type: ignore[method-assign]

    def spoil_store(self) -> None:
        """Make both copies of the store unreadable for the next start."""
        self.store.is_spoiled = True

    def store_other_image(self) -> None:
        """Store the approval of another limit image, for the next start."""
        self.store.record = replace(self.store.record, approved=OTHER_IMAGE)

    def reset(self, by: str) -> None:
        """Request a reset of only the present causes. A killed controller ignores the request."""
        if self.cabinet is None:
            return
        core = self.cabinet.core
        self.cabinet.request_reset(
            matrix.KEY if by == "key" else matrix.REMOTE,
            core.out[s.FIRST_OUT_INSTANCE],
            core.out[s.CAUSE_MASK],
            *core.inp[image.places(core.layout, ())["peer"]],
        )

    def run_request(self, on: bool) -> None:
        """Request running or a controlled stop."""
        if self.cabinet is not None:
            self.cabinet.request_run(on)

    def schedule(self, source: str, start_min: int, slot_min: int, slots: tuple[Slot, ...]) -> None:
        """Give the controller a schedule of this source, already checked by the listener."""
        if self.cabinet is not None:
            index = self._index(source)
            self.cabinet.image.add_schedule(Table(index, start_min, slot_min, slots))

    def hint(self, source: str, kind: int, quantity: int, value_W: int, valid_ms: int) -> None:
        """Give the controller a hint of this source, already checked by the listener."""
        number = self._index(source) + 1
        if self.cabinet is not None:
            self.cabinet.request_hint(HintSlot(number, kind, quantity, value_W, valid_ms))

    def _index(self, source: str) -> int:
        names = [known.name for known in self.config.sources]
        if source not in names:
            raise ValueError(f"no source {source!r}; allowed: {', '.join(names)}")
        return names.index(source)
