"""Hands state that must survive a restart to the store as records, and restores it at a start."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from controller.config import approval
from controller.config.cabinet_config import Config
from controller.core.base import standby
from controller.core.base.instances import stage_instances
from controller.core.core import Core
from controller.core.image import ProcessImage, packed_name
from controller.run.approval import Approval
from controller.run.epochs import Epochs
from controller.run.reset import Reset
from controller.run.run_request import RunRequest
from controller.run.store_revision import StoreRevision
from controller.run.stored_value import Acknowledging, StoredValue
from controller.store.stored_record import AWAKE, Record, delay_of
from controller.store.two_copies import ARMED, CLEAN, KILLED, MISSING, UNREADABLE, Loaded
from drivers.wear import DAY_MIN, Wear
from safety import signals as s
from safety.kernel import Kernel

TRIPS_UNSTORED_MAX = 1024  # most trips while a slow disk stores a record (assumed)
KEEP_MS = 600_000  # the longest time between two records (chosen by the project)


class Recording(Acknowledging, Protocol):
    """The part of store.keeper.Keeper that takes records."""

    def submit(self, record: Record) -> int:
        """Hand over a record. Returns its number."""


class RecordFeed:
    """The content of the records. `locked_out`: StoredValue of a name or ""; `noc_verified`: 1 once
    the operations centre was heard (row 46).
    """

    def __init__(
        self, config: Config, core: Core, image: ProcessImage, loaded: Loaded, keeper: Recording
    ):
        """loaded: the store of the last run, which the kernel takes over. keeper: takes the
        records.
        """
        self._core, self._keeper, self._tick_ms = core, keeper, config.tick_ms
        self._cabinet_name = config.names[-1][1]
        self._instances = stage_instances(core.layout)
        self._armed = self._armed_number = self._since_record_ms = 0
        self._peak = core.functions["peak_shaving"].out
        self._wear: dict[str, Wear] = {}
        self._submitted: tuple | None = None
        record = loaded.record or Record()
        # an unreadable store may be another cabinet's
        own_record = Record() if loaded.state == UNREADABLE else record
        self.noc_verified = own_record.noc_verified
        self.signs = dict(record.signs)
        self.locked_out = StoredValue(
            record.locked_out, lambda name: image.put("locked_out", packed_name(name))
        )
        self.approval = Approval(config, record, image)
        may_restart_alone = config.hma["restart_alone"] and self.approval.is_given
        self.run_request = RunRequest(_standby_reason(loaded.state, record, may_restart_alone))
        self.reset = Reset(core, image, self.submit)
        self._values: tuple[StoredValue, ...] = (
            self.locked_out,
            self.run_request.rest,
            self.reset.cleared,
            self.approval.value,
        )
        self.revision = StoreRevision(record)
        self._path_delay = own_record.path_delay
        self.epochs = Epochs(own_record.epochs)
        self._path_identity = approval.path_identity(config)
        image.put("path_delay", [delay_of(self._path_delay, self._path_identity)])
        image.put("peak", [own_record.peak_minute, own_record.peak_used_Wh])
        armed = config.safety_image[config.image_map().armed :]
        _boot(core.kernel, loaded, record, self._instances, armed, config.tick_ms)

    def go_on(self, wear: Mapping[str, Wear], loaded: Loaded) -> None:
        """Begin with what the last run has spent of each device's budget of writes. If the store is
        unreadable, the whole budget counts as spent.
        """
        written = loaded.record.written if loaded.record else {}
        self._wear = {name: budget for name, budget in wear.items() if budget.most}
        is_lost = loaded.state == UNREADABLE  # the count may be another cabinet's
        for name, budget in self._wear.items():
            budget.take(budget.most * DAY_MIN if is_lost else written.get(name, 0))

    def armed_stored(self) -> int:
        """1 once the record that says ARMED is durable; never before."""
        keeper = self._keeper
        return 1 if self._armed and keeper.ok and keeper.poll() >= self._armed_number else 0

    def tick(self, elapsed_ms: int) -> None:
        """Hand over a record when a value that must survive has changed. Also every KEEP_MS, so
        that a failing store is found before a latch needs it.
        """
        self._since_record_ms += elapsed_ms
        out = self._core.kernel.out
        armed = out[s.ARM_REQUEST]
        latched = bytes(self._core.kernel.evaluator.latched)
        trips = self._core.kernel.evaluator.trips[0]
        measured_ms = self._core.functions["meter_sign"].state.delay_ms
        if measured_ms:
            self._path_delay = (self._path_identity, measured_ms)
        spent = [budget.kept // DAY_MIN for budget in self._wear.values()]
        others = (self.noc_verified, self._path_delay, *self._peak, *spent)
        others += (*self.signs.items(), self.run_request.is_ending)
        now = (armed, latched, out[s.RESETS_LEFT], trips, *others)
        is_new = any([value.is_new for value in self._values])
        if now == self._submitted and not is_new and self._since_record_ms < KEEP_MS:
            return
        self._submitted, self._since_record_ms = now, 0
        number = self.submit()
        self.reset.cleared.number = number  # a pending reset waits for the newest record
        if armed and not self._armed:
            self._armed_number = number
        self._armed = armed

    def submit(self) -> int:
        """Hand over the present record; returns its number."""
        record = self._record()
        number = self._keeper.submit(replace(record, changes=self.revision.count(record)))
        self.revision.submitted(number)
        for value in self._values:
            value.submitted(number)
        return number

    def keep_epoch(self, names: Sequence[str], epoch: int) -> bool:
        """Store the epoch of a sender under the first name. True once it is on the disk."""
        if self.epochs.take(names, epoch):
            self.epochs.submitted(names[0], self.submit())
        return self.epochs.is_stored(names[0], self._keeper)

    def _record(self) -> Record:
        kernel, tick_ms = self._core.kernel, self._tick_ms
        armed, hour_ticks = kernel.out[s.ARM_REQUEST], kernel.latches.hour_ticks
        approved, approved_by = self.approval.value.chosen
        return Record(
            armed=armed,
            clean=int(not (armed or self.run_request.waits)),
            latches=self._latches(),
            token_ages_ms=[age * tick_ms for age in self.reset.token_ages() if age < hour_ticks],
            cabinets=(self._cabinet_name,),
            rest=self.run_request.rest.chosen,
            locked_out=self.locked_out.chosen,
            noc_verified=self.noc_verified,
            approved=approved,
            approved_by=approved_by,
            trips=kernel.evaluator.trips[0],
            path_delay=self._path_delay,
            peak_minute=self._peak[0],
            peak_used_Wh=self._peak[1],
            written={name: budget.kept for name, budget in self._wear.items()},
            epochs=dict(self.epochs.highest),
            signs=dict(self.signs),
        )

    def _latches(self) -> dict[str, int]:
        """{name: number} of the latches that no pending reset clears. The first-out has the highest
        number.
        """
        evaluator, cleared = self._core.kernel.evaluator, self.reset.cleared.chosen
        latched = [
            index
            for index in range(evaluator.count)
            if evaluator.latched[index] and index not in cleared
        ]
        latched.sort(key=evaluator.order.__getitem__, reverse=True)
        return {self._instances[index]: number for number, index in enumerate(latched, 1)}


def _standby_reason(state: str, record: Record, may_restart_alone: bool) -> tuple[int, str]:
    """Why the cabinet is in standby after this start. may_restart_alone: it may energise after a
    restart without a person.
    """
    if record.rest != AWAKE:
        return record.rest
    if record.locked_out:  # an older version stored no standby with a lock-out
        return standby.LOCK_OUT, record.locked_out
    # the store may lack a stop or a lock-out that the disk did not take
    if state not in (CLEAN, KILLED):
        return standby.UNKNOWN, ""
    return AWAKE if may_restart_alone else (standby.RESTART, "")


def _boot(
    kernel: Kernel,
    loaded: Loaded,
    record: Record,
    names: Sequence[str],
    armed: Sequence[int],
    tick_ms: int,
) -> None:
    """Take over the last run's latches and tokens. If the row of a latch is not armed now, stage
    44d asks for the key. The count of trips includes trips that may be unstored, so that no cause
    mask comes twice.
    """
    stored, state = record.latches, loaded.state
    latched = [index for index, name in enumerate(names) if name in stored and armed[index]]
    latched.sort(key=lambda index: -stored[names[index]])  # in the order in which the latches came
    is_lost = state in (UNREADABLE, MISSING)
    token_age, hour_ticks = kernel.latches.token_age, kernel.latches.hour_ticks
    for token, age_ms in enumerate(record.token_ages_ms[: len(token_age)]):
        token_age[token] = min(age_ms // tick_ms, hour_ticks)
    trips = loaded.salt if is_lost else record.trips + TRIPS_UNSTORED_MAX
    kernel.boot(state in (ARMED, KILLED), is_lost or len(latched) < len(stored), latched, trips)
