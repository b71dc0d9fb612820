"""One controller without its transport: image, core, field, journal and store, and the tick that
ties them together.

loop.py runs it against real wires and clocks, the rig's simulation in virtual time: the same
object, the same order: freeze -> features -> safety -> control -> gate -> write.
"""

from array import array

from controller.core.core import Core
from controller.core.image import VOID_RESET, ProcessImage, packed_name, places
from controller.core.setpoint import O_BINDING_REASON, O_SETPOINT_W
from controller.record.journal_header import stage_instances
from controller.record.store import ARMED, CABINET, LOCKED_OUT, MISSING, UNREADABLE
from controller.run import operator_commands
from controller.run import run_request as wishes
from controller.run.channel_link import ChannelLink
from controller.run.field import Field
from controller.run.relays import Relays
from safety import latches, matrix
from safety import parameters as p
from safety import signals as s

KEYFRAME_MS = 10_000
LAMP_TEST_MS = 5000
KEEP_MS = 600_000  # the longest time between two saves (ours)
# a value of the stored record: the operations centre was heard at least once (row 46)
NOC_VERIFIED = "noc_verified"
NO_VOID_RESET = array("i", [0] * len(VOID_RESET))
# Results after which a reset goes on to the second channel. Not after a refusal that holds there
# too: the operator has not seen what stands now, no more resets are allowed in this hour, the key
# is asked for. What is not clear yet may be row 51 alone, which stands here until the second
# channel permits: it would wait for ever for the reset it waits for.
PASSED_ON = (latches.DONE, latches.NOT_CLEAR_YET, latches.NOTHING)


class Cabinet:
    """The controller of one cabinet. `keeper`: takes records of what must survive (store.Keeper or
    alike).

    `answer`: how what an operator asked for ended in the last tick, 0: nothing did. Of a reset
    latches.RESULTS, of a lock-out, start or stop command.ACCEPTED, OVERRULED; NOT_STORED of what is
    void then, UNSTORED of what holds all the same. `peer_answer`: how that reset ended in the
    second channel (channel_link.RESULTS), NONE where it was not asked. `locked_out`: who has locked
    the cabinet out, "" for nobody.
    """

    def __init__(self, config, loaded, keeper, journal=None):
        """loaded: store.Loaded of the last run; journal: JournalWriter or None.

        `peer`: the link to the second channel where the configuration has one. `self_test`: set by
        whoever wants the controller to test itself (self_test.SelfTest).
        """
        self.config = config
        self.core = Core(config.safety_image, config.control_image, config.source_image)
        self.image = ProcessImage(self.core.layout)
        self.field = Field(config, self.image)
        self.keeper, self.journal = keeper, journal
        self.peer = ChannelLink(config.safety_image, self.core.kernel) if config.channel_b else None
        self.self_test = None
        self._relays = Relays(self.core, config.tick_ms)
        self._noc = config.noc_source
        self._noc_verified = 0
        self.sequence = 0
        self.keyframe_ticks = p.ticks(KEYFRAME_MS, config.tick_ms)
        self._hour_ms = self.core.kernel.latches.hour_ticks * config.tick_ms
        self._armed = self._armed_number = None
        self._saved, self._kept_ms = None, 0
        self.answer, self.peer_answer = 0, latches.NONE
        self.wish = wishes.Wish((loaded.record or {}).get("values", {}))
        self._is_ending, self._lamp_test_ms = False, 0
        at = places(self.core.layout)
        self._operator_at, self._rest_at = at["lamp_test"].start, at["rest"].start
        self._peer_at = at["peer"].start
        self._ending_at, self._void_at = at["is_ending"].start, at["void_reset"].start
        self.locked_out = self._stored_name = ""
        self._lock_answer = 0  # for whoever awaits that it is stored; 0: nobody does
        # of the record that holds a lock-out, or its end, while that is not acknowledged
        self._lock_number = None
        self._asked = None  # (kind, first-out, mask) of a reset that has not ended
        self._asked_of_peer = None  # the same of the second channel, for when it has
        self._ended = 0  # how it ended here, while the second channel has not answered
        # instances it will clear, once the store has acknowledged record number _clearing_number
        self._clearing = ()
        self._clearing_number = self._waited_ms = 0
        self._recorded = None  # (cause mask, run state, first-out) of the last frame
        self._boot(loaded)

    def _boot(self, loaded):
        """Take over the last run's latches and tokens; a latch that no armed row here stands for
        asks for the key.
        """
        record = loaded.record or {}
        kernel = self.core.kernel
        self._names = names = stage_instances(self.core.layout)
        armed = self.config.safety_image[self.config.image_map().armed :]
        stored = record.get("latches", {})
        latched = [index for index, name in enumerate(names) if name in stored]
        latched.sort(key=lambda index: -stored[names[index]])  # in the order in which they came
        latched = [index for index in latched if armed[index]]
        lost = len(latched) < len(stored)
        verified = record.get("values", {}).get(NOC_VERIFIED, 0)
        # it may be another cabinet's
        self._noc_verified = verified if loaded.state != UNREADABLE else 0
        locked = [
            name.removeprefix(LOCKED_OUT)
            for name in record.get("values", {})
            if name.startswith(LOCKED_OUT)
        ]
        self._stored_name = "".join(locked[:1])
        self._show_locked_out(self._stored_name)
        # a store of a version whose lock-outs left no rest
        if self._stored_name and self.wish.is_asked:
            self.wish.stop(wishes.LOCK_OUT, name=self._stored_name)
        # a stop or lock-out may be what it lacks
        if self.wish.is_asked and loaded.state in (UNREADABLE, MISSING):
            self.wish.stop(wishes.UNKNOWN)
        for token, age_ms in enumerate(
            record.get("token_ages_ms", [])[: len(kernel.latches.token_age)]
        ):
            kernel.latches.token_age[token] = min(age_ms, self._hour_ms) // self.config.tick_ms
        kernel.boot(loaded.state == ARMED, lost or loaded.state in (UNREADABLE, MISSING), latched)

    def tick(self, now_us, elapsed_ticks):
        """One tick: everything between the freeze and the last submitted byte."""
        core, image = self.core, self.image
        self.field.read(now_us)
        self._local(image.inp, elapsed_ticks)
        self.answer, self.peer_answer = 0, latches.NONE
        if self._asked:
            self._pass_reset(elapsed_ticks)
        if self._lock_number is not None:
            self.answer = self._pass_lock_out() or self.answer
        self.answer = (
            self.wish.settle(self.keeper, elapsed_ticks * self.config.tick_ms) or self.answer
        )
        if self._lamp_test_ms:
            self._lamp_test_ms = max(0, self._lamp_test_ms - elapsed_ticks * self.config.tick_ms)
            image.inp[self._operator_at] = self._lamp_test_ms
        image.freeze(core.inp, core.fresh)
        core.tick(elapsed_ticks)
        if self.peer is not None:
            self.peer.report()
        self.field.write(core.inp, core.out, core.setpoints(), now_us)
        if core.inp[s.RESET_KIND]:
            self._end_reset(core.out[s.RESET_RESULT])
        elif self._clearing:
            self._judge_anew()
        if self._ended:
            self._await_peer()
        if self.wish.test:
            self.wish.count_test(
                elapsed_ticks * self.config.tick_ms, not core.out[s.CONTACTOR_SUPPLY_OK]
            )
        if self.journal is not None:
            self._record(elapsed_ticks)
        self._persist(elapsed_ticks)

    def _local(self, inp, elapsed_ticks):
        """What the controller itself tells the kernel."""
        inp[s.ARMED_STORED] = self._armed_stored()
        # Without the keeper a latch could be lost with the next restart: end in order while all is
        # well.
        inp[s.RUN_REQUEST] = (
            1 if self.wish.is_asked and not self._is_ending and self.keeper.ok else 0
        )
        inp[s.LOCK_OUT_OK] = 0 if self.locked_out else 1
        inp[s.TEST_REQUEST] = self.wish.test
        inp[self._rest_at : self._peer_at] = self.wish.words
        inp[self._ending_at] = 1 if self._is_ending else 0
        inp[self._void_at :] = NO_VOID_RESET
        if self._noc >= 0:
            inp[s.NOC_LINK_OK] = 1 if self.core.hints.alive(self._noc) else 0
            self._noc_verified |= inp[s.NOC_LINK_OK]
        inp[s.NOC_VERIFIED] = self._noc_verified
        if self.peer is not None:
            self.peer.update(elapsed_ticks)
            inp[s.PEER_CODE] = self.peer.code
            inp[self._peer_at], inp[self._peer_at + 1] = self.peer.causes()
        self._relays.step(inp, elapsed_ticks)
        inp[s.SELF_TEST_BITS] = self._relays.bits
        if self.self_test is not None:
            self.self_test.step()
            inp[s.SELF_TEST_BITS] |= self.self_test.bits
            inp[s.CPU_TEMPERATURE_DDEGC] = self.self_test.cpu_temperature_ddegC

    def _record(self, elapsed_ticks):
        """Append the tick to the journal; a keyframe every 10 s and whenever other rows stand or
        the state changes.
        """
        core = self.core
        now = core.out[s.CAUSE_MASK], core.out[s.STATE], core.out[s.FIRST_OUT_INSTANCE]
        keyframe = self.sequence % self.keyframe_ticks == 0 or now != self._recorded
        self._recorded = now
        self.journal.append(
            self.sequence,
            elapsed_ticks,
            core.inp,
            core.fresh,
            core.out,
            core.state_words() if keyframe else None,
        )
        self.sequence += 1

    def _armed_stored(self):
        """1 once the record that says ARMED is durable; never before."""
        return (
            1 if self._armed and self.keeper.ok and self.keeper.poll() >= self._armed_number else 0
        )

    def _persist(self, elapsed_ticks):
        """Hand over a record whenever what must survive has changed: latches, spent tokens, armed
        or clean.

        Every KEEP_MS all the same: that a store takes nothing any more has to be known before a
        latch needs it.
        """
        self._kept_ms += elapsed_ticks * self.config.tick_ms
        out = self.core.kernel.out
        armed = out[s.ARM_REQUEST]
        now = (
            armed,
            bytes(self.core.kernel.evaluator.latched),
            out[s.RESETS_LEFT],
            self._noc_verified,
        )
        if now == self._saved and not self.wish.is_new and self._kept_ms < KEEP_MS:
            return
        self._saved, self._kept_ms = now, 0
        number = self._submit(armed)
        if self._clearing:
            self._clearing_number = number  # this record, with the reset in it, is now the last one
        if armed and not self._armed:
            self._armed_number = number
        self._armed = armed

    def _submit(self, armed):
        """Hand over the present record, a reset that waits for it already in it; returns its
        number.
        """
        token_age = self.core.kernel.latches.token_age
        ages = list(token_age)
        if self._clearing and self._asked[0] == matrix.REMOTE:
            ages[ages.index(max(ages))] = 0
        evaluator = self.core.kernel.evaluator
        kept = [
            index
            for index in range(evaluator.count)
            if evaluator.latched[index] and index not in self._clearing
        ]
        kept.sort(key=evaluator.order.__getitem__, reverse=True)
        held = {self._names[index]: number for number, index in enumerate(kept, 1)}
        hour_ticks, tick_ms = self.core.kernel.latches.hour_ticks, self.config.tick_ms
        values = {CABINET + self.config.names[-1][1]: 1, **self.wish.values()}
        if self._stored_name:
            values[LOCKED_OUT + self._stored_name] = 1
        if self._noc_verified:
            values[NOC_VERIFIED] = 1
        number = self.keeper.submit(
            {
                "armed": armed,
                "clean": 1 - armed,
                "values": values,
                "latches": held,
                "token_ages_ms": [age * tick_ms for age in ages if age < hour_ticks],
            }
        )
        self.wish.submitted(number)
        return number

    def _pass_reset(self, elapsed_ticks):
        """Give the kernel the reset that was asked for once the store holds it; one that is refused
        ends here.

        A clearing is persisted before it takes effect, so that no cut of power gives a token back;
        one that is not by command.STORED_MS is void. The kernel gets no other: in its own step the
        last tick of the five seconds may have come, and it would clear what the store still holds.
        """
        if not self._clearing:
            verdict = self._verdict()
            if verdict != latches.DONE:
                self._void_reset(self.image.inp, verdict)
                return
            self._begin_clearing()
        if self.keeper.poll() >= self._clearing_number:
            inp = self.image.inp
            inp[s.RESET_KIND], inp[s.RESET_FIRST_OUT], inp[s.RESET_MASK] = self._asked
            return
        self._waited_ms += elapsed_ticks * self.config.tick_ms
        if not self.keeper.ok or self._waited_ms > operator_commands.STORED_MS:
            self._void_reset(self.image.inp, operator_commands.NOT_STORED)

    def _begin_clearing(self):
        """Hand over the record without what the reset will clear."""
        rules, kind = self.core.kernel.latches, self._asked[0]
        self._clearing = [index for index in range(len(self._names)) if rules.clears(index, kind)]
        self._clearing_number, self._waited_ms = (
            self._submit(self.core.kernel.out[s.ARM_REQUEST]),
            0,
        )

    def _verdict(self):
        return self.core.kernel.latches.verdict(*self._asked, self._key_is_out())

    def _judge_anew(self):
        """A reset that waits for the store ends as soon as it would be refused, and this tick
        stores what stands.

        A cause that returns moves no latch, so no other record would follow the one in which that
        latch is cleared.
        """
        verdict = self._verdict()
        if verdict != latches.DONE:
            self._void_reset(self.core.inp, verdict)

    def _void_reset(self, inp, answer):
        """The reset ends without the kernel; `inp` is the image that the journal gets of this tick,
        and says so.
        """
        inp[self._void_at :] = array("i", (self._asked[0], answer))
        self._end_reset(answer)

    def _end_reset(self, result):
        """The reset has been carried out or refused: what the store holds is written anew as it is.

        Where there is a second channel, its turn comes now, and the operator is answered when it
        has answered.
        """
        self._asked, self._clearing, self._saved = None, (), None
        if self.peer is not None and result in PASSED_ON:
            self._ended = result
            self.peer.order_reset(*self._asked_of_peer)
        else:
            self.answer = result

    def _await_peer(self):
        """Answer the operator once the second channel has answered, or has had its time."""
        if self.peer.result != latches.NONE:
            self.answer, self.peer_answer, self._ended = self._ended, self.peer.result, 0

    def summary(self):
        """(reason code of the binding limit, run state, set-point of all units in W) of the last
        tick.
        """
        core = self.core
        out = core.out
        return (
            out[core.chain_at + O_BINDING_REASON],
            out[s.STATE],
            out[core.chain_at + O_SETPOINT_W],
        )

    def request_reset(self, kind, first_out, mask, peer_first_out, peer_mask):
        """An operator's reset, naming the first-outs and masks the operator saw; replaces one that
        still waits.

        peer_...: of the second channel, image.PEER_EMPTY where the operator saw nothing there.
        """
        if self._clearing:
            self._end_reset(0)
        self._ended = 0
        self._asked, self._asked_of_peer = (
            (kind, first_out, mask),
            (kind, peer_first_out, peer_mask),
        )

    def request_hint(self, source_index, kind, quantity, value_W, valid_ms):
        """A hint that was found genuine and in range; the next tick takes it.

        Returns the number of its slot, None when all of this tick are taken.
        """
        return self.image.add_hint(source_index, kind, quantity, value_W, valid_ms)

    def request_run(self, is_run, is_awaited=True):
        """A person's start, or a controlled stop after which the cabinet rests, whatever restarts,
        until a start.

        A start is stored first, a stop takes effect at once. Returns a refusal of a start
        (command.STAYS_LOCKED, IN_TEST), or 0: `answer` will say when it is stored, unless nobody
        awaits that.
        """
        if is_run and self.locked_out:
            return operator_commands.STAYS_LOCKED
        if is_run and self._in_test():
            return operator_commands.IN_TEST
        if is_run:
            self.wish.start(is_awaited)
        else:
            self.wish.stop(wishes.PERSON, is_awaited)
        return 0

    def end(self):
        """The process is told to end: a controlled stop that nothing takes back, and nobody's wish
        for the next one.
        """
        self._is_ending = True

    def request_test(self):
        """TEST mode: wish.TEST_MS, which contain turning the key back to RUN and the start, with 5
        % of rated power.

        Only while the key is known to be out of RUN, and once the kernel, which counts the time of
        each test, has seen the end of the last one. Every row stays armed. Returns
        command.STAYS_LOCKED, KEY_IN_RUN, IN_TEST or ACCEPTED.
        """
        if self.locked_out:
            return operator_commands.STAYS_LOCKED
        if self._in_test():
            return operator_commands.IN_TEST
        if not self._key_is_out():
            return operator_commands.KEY_IN_RUN
        self.wish.begin_test()
        return operator_commands.ACCEPTED

    def _in_test(self):
        return self.wish.test or self.core.inp[s.TEST_REQUEST]

    def request_lamp_test(self):
        """Both lamps flash for LAMP_TEST_MS."""
        self._lamp_test_ms = LAMP_TEST_MS

    def request_lock_out(self, name, is_locked, is_awaited=True):
        """Lock the cabinet out (a controlled stop, and no start, whatever restarts) or end that:
        then it rests.

        name: of the person, 1 .. NAME_CHARACTERS_MAX ASCII characters. Only who has locked out may
        end it, or anybody while the key is known to be out of RUN. A lock-out takes effect at once
        and is stored then; its end is stored first, and a lock-out meanwhile overrules it. Returns
        a refusal (command.LOCKED, NOT_LOCKED, OTHERS_LOCK), or 0: `answer` will say when it is
        stored, unless nobody awaits that.
        """
        if is_locked and self._stored_name:
            return operator_commands.LOCKED
        if not is_locked and not self.locked_out:
            return operator_commands.NOT_LOCKED
        if not is_locked and name != self.locked_out and not self._key_is_out():
            return operator_commands.OTHERS_LOCK
        self._stored_name = name if is_locked else ""
        is_overruling = not is_awaited and self._lock_number is not None and self._lock_answer
        self._lock_answer = (
            operator_commands.ACCEPTED
            if is_awaited
            else operator_commands.OVERRULED
            if is_overruling
            else 0
        )
        if is_locked:
            self._show_locked_out(name)
            self.wish.stop(wishes.LOCK_OUT, name=name)
        self._lock_number = self._submit(self.core.kernel.out[s.ARM_REQUEST])
        return 0

    def _pass_lock_out(self):
        """What is stored takes effect. An end that is not stored is void, a lock-out holds until
        the restart.
        """
        answer = self._lock_answer
        if self.keeper.poll() >= self._lock_number:
            self._show_locked_out(self._stored_name)
        elif self.keeper.ok:
            return 0
        elif self._stored_name:
            answer = operator_commands.UNSTORED if answer == operator_commands.ACCEPTED else answer
        else:
            answer = operator_commands.NOT_STORED
            self._stored_name = self.locked_out
            self._saved = None  # the next record says so: the keeper may yet save the last one
        self._lock_number = None
        return answer

    def _show_locked_out(self, name):
        self.locked_out = name
        self.image.inp[self._operator_at + 1 : self._rest_at] = packed_name(name)

    def _key_is_out(self):
        return self.core.kernel.features.ages.known(s.G_IO_1) and not self.core.inp[s.KEY_RUN_OK]
