"""One controller without its wires: process image, core, field side, journal and store. A tick is:
freeze, analyse, permit, decide, gate, write, journal. The same object runs with real wires and
clocks (loop.py) and in the rig's virtual time.
"""

from array import array
from collections.abc import Callable
from typing import Generic, TypeVar

from controller.config.cabinet_config import Config
from controller.core.base import hint_codes, standby
from controller.core.base.setpoint import O_BINDING_REASON, O_SETPOINT_W
from controller.core.core import Core
from controller.core.image import ProcessImage, packed_name
from controller.journal.writer import JournalWriter
from controller.run import operator_commands, sign_request
from controller.run.approval import Approval
from controller.run.channel_link import ChannelLink
from controller.run.field import Field
from controller.run.record_feed import RecordFeed, Recording
from controller.run.relays import Relays
from controller.run.self_test import SelfTest
from controller.run.site_clock import SiteClock
from controller.run.step_request import StepRequest
from controller.run.tool_read import End, Place, ToolReads
from controller.store.stored_record import AWAKE
from controller.store.two_copies import Loaded
from safety import latches, parameters as p, signals as s

KEYFRAME_MS = 10_000  # time between two whole states in the journal
LAMP_TEST_MS = 5000

K = TypeVar("K", bound=Recording)


class Cabinet(Generic[K]):
    """The controller of one cabinet. `keeper` takes the records that survive a loss of power.
    `answer`: how an operator's command ended in the last tick (latches.RESULTS,
    StoredValue.settle); 0: no command ended. `peer_answer`: the result of a reset in channel B.
    """

    def __init__(
        self,
        config: Config,
        loaded: Loaded,
        keeper: K,
        journal: JournalWriter | None = None,
        field: Callable[[Config, ProcessImage], Field] = Field,
    ):
        """loaded: the store of the last run. field: makes the field side; the rig's value mode
        passes another function. Only the real process sets `self_test` and `site_clock`.
        """
        self.config = config
        self.core = core = Core(
            config.safety_image, config.control_image, config.source_image, config.site_image
        )
        self.image = ProcessImage(core.layout, config.site_devices)
        self.field = field(config, self.image)
        self._tool_reads, self._now_us = ToolReads(config, self.field), 0
        self.keeper, self.journal = keeper, journal
        self.peer = ChannelLink(config.safety_image, core.kernel) if config.channel_b else None
        self.self_test: SelfTest | None = None
        self.site_clock: SiteClock | None = None
        self._relays = Relays(core, config.tick_ms)
        self.sequence = 0
        self.keyframe_ticks = p.ticks(KEYFRAME_MS, config.tick_ms)
        # cause mask, run state and first-out of the last tick
        self._last_causes: tuple[int, int, int] | None = None
        self.answer, self.peer_answer, self._lamp_test_ms = 0, latches.NONE, 0
        self._step_request = StepRequest(config.units)
        self._record_feed = feed = RecordFeed(config, core, self.image, loaded, keeper)
        feed.go_on(self.field.wear, loaded)
        self.sign_held = sign_request.units(feed.signs, config.units)
        self.epochs, self.keep_epoch = feed.epochs.highest, feed.keep_epoch
        self.run_request, self._reset = feed.run_request, feed.reset

    @property
    def locked_out(self) -> str:
        """The person who has locked the cabinet out, "" without a lock-out."""
        return self._record_feed.locked_out.in_effect

    @property
    def approval(self) -> Approval:
        """Approval of the limit image."""
        return self._record_feed.approval

    def tick(self, now_us: int, elapsed_ticks: int) -> None:
        """One tick: everything between the freeze and the last submitted byte."""
        core, image = self.core, self.image
        elapsed_ms = elapsed_ticks * self.config.tick_ms
        self._now_us = now_us
        self.field.read(now_us)
        if self.site_clock is not None:
            self.site_clock.step(now_us)
        self._local(image.inp, elapsed_ticks, elapsed_ms)
        self._settle(elapsed_ms)
        image.freeze(core.inp, core.fresh, elapsed_ms - self.config.tick_ms)
        core.tick(elapsed_ticks)
        if self.peer is not None:
            self.peer.report()
        self.field.write(core.inp, core.out, core.setpoints(), now_us)
        self.field.write_site(core.actuators, now_us)
        if core.out[s.START_NEEDED] and self.run_request.rest.chosen == AWAKE:
            self.run_request.stop(standby.ROW)
        self._reset.after_step(self.peer)
        if self._reset.answer:
            self.answer, self.peer_answer = self._reset.answer, self._reset.peer_answer
        self.run_request.count_test(elapsed_ms, not core.out[s.CONTACTOR_SUPPLY_OK])
        if self.journal is not None:
            self._append(self.journal, elapsed_ticks)
        self._record_feed.tick(elapsed_ms)

    def _settle(self, elapsed_ms: int) -> None:
        """Let each change that the store has saved by now take effect in this tick."""
        self._reset.before_step(self.keeper, elapsed_ms, self.peer)
        locked_out = self._record_feed.locked_out.settle(self.keeper, elapsed_ms)
        approved = self.approval.value.settle(self.keeper, elapsed_ms)
        rest = self.run_request.rest.settle(self.keeper, elapsed_ms)
        self.answer = rest or locked_out or approved
        self.run_request.note_store(self.keeper.ok, elapsed_ms)
        self._record_feed.revision.settle(self.keeper)
        self.peer_answer = latches.NONE

    def _local(self, inp: "array[int]", elapsed_ticks: int, elapsed_ms: int) -> None:
        """Write the inputs of the kernel that originate in the controller."""
        feed = self._record_feed
        inp[s.ARMED_STORED] = feed.armed_stored()
        # Each entry into running passes here: a start, a reset, a restart, a store that is saved.
        sign_request.step(self.sign_held, self.run_request, self.core.out[s.STATE] == s.RUNNING)
        # If saving fails, a restart could lose a latch: make a controlled stop.
        is_asked, is_ending = self.run_request.is_asked, self.run_request.is_ending
        inp[s.RUN_REQUEST] = 1 if is_asked and not is_ending and self.keeper.ok else 0
        inp[s.LOCK_OUT_OK] = 0 if self.locked_out else 1
        inp[s.TEST_REQUEST] = self.run_request.test
        why, name = self.run_request.rest.in_effect
        self.image.put("rest", (why, *packed_name(name)))
        self.image.put("is_ending", [is_ending])
        if self.config.noc_source >= 0:
            hints = self.core.functions["hint_table"]
            inp[s.NOC_LINK_OK] = 1 if hints.alive(self.config.noc_source) else 0
            feed.noc_verified |= inp[s.NOC_LINK_OK]
        inp[s.NOC_VERIFIED] = feed.noc_verified
        inp[s.IMAGE_APPROVED_OK] = 1 if feed.approval.is_given else 0
        inp[s.METER_SIGN] = self.core.functions["meter_sign"].out[0]
        if self.peer is not None:
            self.peer.update(elapsed_ticks)
            inp[s.PEER_CODE] = self.peer.code
            self.image.put("peer", self.peer.causes())
            inp[s.STORE_IS_OLD] = feed.revision.is_old(self.peer.kept())
            self.peer.store_revision = feed.revision.durable
        self._relays.step(inp, elapsed_ticks)
        inp[s.SELF_TEST_BITS] = self._relays.bits
        if self.self_test is not None:
            self.self_test.step()
            inp[s.SELF_TEST_BITS] |= self.self_test.bits
            inp[s.CPU_TEMPERATURE_DDEGC] = self.self_test.cpu_temperature_ddegC
        self._lamp_test_ms = max(0, self._lamp_test_ms - elapsed_ms)
        self.image.put("lamp_test", [self._lamp_test_ms])
        self.image.put("step_test", self._step_request.step(elapsed_ms, self._in_test() > 0))
        self.image.put("sign_held", [sum(1 << (unit - 1) for unit in self.sign_held)])
        for pcs in self.field.pcs:
            pcs.is_sign_due = not self._in_test() and pcs.unit + 1 in self.sign_held

    def _append(self, journal: JournalWriter, elapsed_ticks: int) -> None:
        """Append the tick; a keyframe every KEYFRAME_MS, and if one of _last_causes has changed."""
        core = self.core
        now = core.out[s.CAUSE_MASK], core.out[s.STATE], core.out[s.FIRST_OUT_INSTANCE]
        is_keyframe = self.sequence % self.keyframe_ticks == 0 or now != self._last_causes
        self._last_causes = now
        journal.append(
            self.sequence,
            elapsed_ticks,
            core.inp,
            core.fresh,
            core.out,
            core.state_words() if is_keyframe else None,
        )
        self.sequence += 1

    def summary(self) -> tuple[int, int, int]:
        """(reason code of the binding limit, run state, set-point of all units in W)."""
        core = self.core
        out = core.out
        return (
            out[core.chain_at + O_BINDING_REASON],
            out[s.STATE],
            out[core.chain_at + O_SETPOINT_W],
        )

    def request_reset(
        self, kind: int, first_out: int, mask: int, peer_first_out: int, peer_mask: int
    ) -> None:
        """Ask for a reset of the causes that an operator saw. PEER_EMPTY: none in channel B."""
        self._reset.request(kind, (first_out, mask), (peer_first_out, peer_mask))

    def request_hint(self, hint: hint_codes.HintSlot) -> int | None:
        """Take a checked hint for the next tick. Returns its slot; None if no slot is free."""
        return self.image.add_hint(hint)

    def request_run(self, is_run: bool, is_awaited: bool = True) -> int:
        """Start for a person, or stop in a controlled way. A start is stored before it takes
        effect. A stop takes effect at once and lasts until a start. Returns a refusal of the start,
        or 0; then `answer` later says how the command ended.
        """
        if not is_run:
            self.run_request.stop(standby.PERSON, is_awaited)
            return 0
        if self.locked_out:
            return operator_commands.STAYS_LOCKED
        if self._in_test():
            return operator_commands.IN_TEST
        if self.core.out[s.START_NEEDED]:
            return operator_commands.RESET_FIRST
        if self.sign_held:
            return operator_commands.SIGN_HELD
        self.run_request.start(is_awaited)
        return 0

    def end(self) -> None:
        """Prepare the end of the process: a controlled stop, which is final and is not stored."""
        self.run_request.is_ending = True

    def request_test(self) -> int:
        """Begin TEST mode for run_request.TEST_MS, with 5 % of rated power and every row armed. The
        key must be known to be out of RUN, and the kernel must have seen the last test end.
        """
        if self.locked_out:
            return operator_commands.STAYS_LOCKED
        if self._in_test():
            return operator_commands.IN_TEST
        if not self.core.kernel.features.fire.key_is_out():
            return operator_commands.KEY_IN_RUN
        self.run_request.begin_test()
        return operator_commands.ACCEPTED

    def request_step(self, unit: int, power_W: int, for_ms: int) -> int:
        """Ask a unit (from 1) in TEST mode for a power up to 5 % of its rating."""
        if not self._in_test():
            return operator_commands.NOT_IN_TEST
        is_taken = self._step_request.ask(unit, power_W, for_ms)
        return operator_commands.ACCEPTED if is_taken else operator_commands.REFUSED_FORM

    def request_sign(self, unit: int, how: int) -> int:
        """Set how the sign test of a unit (from 1) holds a start (Commanded)."""
        return sign_request.ask(
            self.sign_held, self._record_feed.signs, unit, how, self.config.units
        )

    def _in_test(self) -> int:
        return self.run_request.test or self.core.inp[s.TEST_REQUEST]

    def request_lamp_test(self) -> None:
        """Both lamps flash for LAMP_TEST_MS."""
        self._lamp_test_ms = LAMP_TEST_MS

    def request_lock_out(self, name: str, is_locked: bool, is_awaited: bool = True) -> int:
        """Begin or end a lock-out. It stops the cabinet, and prevents every start, also after a
        restart. Only the person who locked out may end it, or anybody while the key is known to be
        out of RUN. The end is stored first; then standby follows. Returns like request_run.
        """
        lock_out = self._record_feed.locked_out
        if is_locked:
            if lock_out.chosen:
                return operator_commands.LOCKED
            lock_out.take_effect(name, is_awaited)
            self.run_request.stop(standby.LOCK_OUT, name=name)
        else:
            if not lock_out.in_effect:
                return operator_commands.NOT_LOCKED
            is_own = name == lock_out.in_effect
            if not is_own and not self.core.kernel.features.fire.key_is_out():
                return operator_commands.OTHERS_LOCK
            lock_out.store_first("", is_awaited)
        self._record_feed.submit()
        return 0

    def request_approval(self, name: str, code: int) -> int:
        """Approve the limit image that runs here, for a person who has seen the changes (`code`).
        The key must be out of RUN. The approval is stored first; then the cabinet stays in standby.
        Returns like request_run.
        """
        if self.approval.is_given:
            return operator_commands.IS_APPROVED
        if code != self.approval.code:
            return operator_commands.OTHER_IMAGE
        if not self.core.kernel.features.fire.key_is_out():
            return operator_commands.KEY_IN_RUN
        self.approval.give(name)
        self._record_feed.submit()
        return 0

    def request_read(self, bus: str, place: Place, end: End) -> int:
        """Read for a tool on a Modbus bus; `end` is called when the read has ended. Returns a
        refusal or tool_read.LATER. Raises ValueError if `place` is no read.
        """
        out = self.core.kernel.out
        is_open = not out[s.CONTACTOR_SUPPLY_OK] and not out[s.ARM_REQUEST]
        is_energised = not (is_open and self.core.kernel.features.all_reported_open())
        return self._tool_reads.ask(bus, place, is_energised, self._now_us, end)
