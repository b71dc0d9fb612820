"""What happened, found by comparing each frame with the one before: pure, the same frames give the
same events.

A row of the matrix that takes power away is a trip; one that only reduces it or warns is a limit or
a note. What may change at every tick (which limit binds, what a start waits for) is an event once
it has held for HELD_MS.
"""

from typing import NamedTuple

from controller.core import hint_codes, image, reasons
from controller.core.core import STANDING_BITS
from controller.core.setpoint import O_BINDING_REASON
from controller.rows import reason_words
from controller.run import operator_commands, run_request
from safety import matrix
from safety import parameters as p
from safety import signals as s

TRIP, CLEAR, LATCH, RESET, STATE, LIMIT, HINT, SOURCE, START, STOP, KEY, NOTE, LOSS = (
    "trip",
    "clear",
    "latch",
    "reset",
    "state",
    "limit",
    "hint",
    "source",
    "start",
    "stop",
    "key",
    "note",
    "loss",
)
HELD_MS = 1000
CABINET = "cabinet"
HINT_STATES = ("none", "valid", "fallback in force", "resting on a quota")
STAGES = {stage[matrix.S_ID]: stage for stage in matrix.STAGES}


class Event(NamedTuple):
    """One event before it has a number, a time and a hash; sequence: of its frame, or None."""

    sequence: int | None
    kind: str
    code: str
    scope: str
    text: str


def row_kind(stage_id):
    """TRIP, LIMIT or NOTE: what it means that this stage stands."""
    demand = STAGES[stage_id][matrix.S_DEMAND]
    if demand[matrix.D_PCS] or demand[matrix.D_DC] >= matrix.DC_OPEN_AT_ZERO:
        return TRIP
    reduces = (
        matrix.D_DC,
        matrix.D_CHARGE_INHIBIT,
        matrix.D_DISCHARGE_INHIBIT,
        matrix.D_CHARGE_DERATE_PCT,
        matrix.D_DISCHARGE_DERATE_PCT,
    )
    return LIMIT if any(demand[index] for index in reduces) else NOTE


def row_event(sequence, instance, stands, remark=""):
    """Event of a stage instance ("29.rack2") that begins or ceases to stand; remark: ends the
    text.
    """
    stage_id, _, scope = instance.partition(".")
    if stage_id not in STAGES:  # a latch of another version of the matrix
        return Event(
            sequence, TRIP if stands else CLEAR, "", scope or CABINET, f"row {instance}{remark}"
        )
    code = reasons.ROW + STAGES[stage_id][matrix.S_ROW]
    name, sentence, _ = reason_words.stage_text(STAGES[stage_id])
    if not stands:
        return Event(
            sequence,
            CLEAR,
            reasons.label(code),
            scope or CABINET,
            f"{stage_id}: {name}: stands no more",
        )
    return Event(
        sequence,
        row_kind(stage_id),
        reasons.label(code),
        scope or CABINET,
        f"{stage_id}: {name}. {sentence}{remark}",
    )


class Held:
    """A value that counts once it has not moved for some ticks; `value` is the last one that
    counted.
    """

    __slots__ = ("value", "_candidate", "_ticks", "_wanted")

    def __init__(self, wanted_ticks):
        self.value = self._candidate = None
        self._ticks, self._wanted = 0, wanted_ticks

    def step(self, value, elapsed_ticks):
        """True in the tick in which a new value begins to count."""
        if value == self.value:
            self._candidate = None
            return False
        self._ticks = self._ticks + elapsed_ticks if value == self._candidate else 0
        self._candidate = value
        if self._ticks < self._wanted and self.value is not None:
            return False
        self.value, self._candidate = value, None
        return True


class EventFinder:
    """Feed it every frame, in order, after it was applied to `seen` (snapshot.Snapshot or alike).

    `standing`: names of the stage instances that stand; given, what was known before, so that what
    has changed in between is an event now. new_run: the controller has started, and what still
    stands from before is said once.
    """

    def __init__(self, seen, standing=(), new_run=False):
        self.seen = seen
        self._new_run = new_run
        self.standing = frozenset(standing)
        self._words = None
        held_ticks = p.ticks(HELD_MS, seen.reader.header["safety_image"][p.H_TICK_MS])
        self._binding, self._inhibit = Held(held_ticks), Held(held_ticks)
        self._state = self._key = None
        self._source_names = seen.reader.header.get("source_names", ())
        self._quantities = _quantities(seen.output_names, self._source_names)
        self._hints = {}
        names = list(seen.reader.header["input_names"])
        self._operator_at = names.index(image.OPERATOR[0]) if image.OPERATOR[0] in names else None
        self._operator = None
        self._rest_at = names.index(image.REST[0]) if image.REST[0] in names else None
        self._rest = None
        self._void_at = names.index(image.VOID_RESET[0]) if image.VOID_RESET[0] in names else None
        self._test = 0
        names = list(seen.output_names)
        self._control_at = (
            names.index("hint_control_source") if "hint_control_source" in names else None
        )
        self._control = 0

    def feed(self, frame):
        """Events of this frame, a list."""
        sequence, out = frame.sequence, self.seen.out
        found = []
        words = self.seen.standing_words
        if words != self._words:
            found += self._rows(sequence, words)
        found += self._resets(sequence)
        if out[s.STATE] != self._state:
            found += self._run_state(sequence)
        found += self._slow(sequence, frame.elapsed_ticks)
        if frame.fresh[s.G_IO_1] and self.seen.inp[s.KEY_RUN_OK] != self._key:
            found += self._key_switch(sequence)
        if self._operator_at is not None:
            found += self._of_operator(sequence)
        if self.seen.inp[s.TEST_REQUEST] != self._test:
            found += self._of_test(sequence)
        if self._rest_at is not None:
            found += self._of_rest(sequence)
        return found + self._of_hints(sequence)

    def _rows(self, sequence, words):
        self._words = words
        standing = frozenset(
            name
            for index, name in enumerate(self.seen.stage_names)
            if words[index // STANDING_BITS] >> index % STANDING_BITS & 1
        )
        came, went = standing - self.standing, self.standing - standing
        stayed = standing & self.standing if self._new_run else ()
        self.standing, self._new_run = standing, False
        first = self.seen.first_out
        first = self.seen.stage_names[first] if first >= 0 else None
        found = [
            row_event(sequence, name, True, " First out." if name == first else "")
            for name in sorted(came, key=lambda name: (name != first, name))
        ]
        found += [
            row_event(sequence, name, True, " Stands since before this start.")._replace(kind=LATCH)
            for name in sorted(stayed)
        ]
        return found + [row_event(sequence, name, False) for name in sorted(went)]

    def _resets(self, sequence):
        """Resets that have ended: one that the kernel was given, one that it was not."""
        inp, out, at = self.seen.inp, self.seen.out, self._void_at
        ended = [(inp[s.RESET_KIND], out[s.RESET_RESULT])]
        if at is not None and inp[at]:
            ended.append(tuple(inp[at : at + len(image.VOID_RESET)]))
        return [
            Event(
                sequence,
                RESET,
                "",
                CABINET,
                f"{'key' if kind == matrix.KEY else 'remote'} "
                f"reset: "
                f"{operator_commands.words(answer)}, "
                f"{out[s.RESETS_LEFT]} left this hour",
            )
            for kind, answer in ended
            if answer
        ]

    def _run_state(self, sequence):
        before, self._state = self._state, self.seen.out[s.STATE]
        if before is None:
            return []
        return [
            Event(sequence, STATE, "", CABINET, f"{s.STATES[before]} -> {s.STATES[self._state]}")
        ]

    def _slow(self, sequence, elapsed_ticks):
        found = []
        binding = self.seen.chain(O_BINDING_REASON)
        if self._binding.step(binding, elapsed_ticks):
            found.append(_reason_event(sequence, LIMIT, binding))
        inhibit = self.seen.out[s.INHIBIT_REASON]
        if self._inhibit.step(inhibit, elapsed_ticks) and inhibit:
            found.append(_reason_event(sequence, STATE, reasons.inhibit_code(inhibit)))
        return found

    def _key_switch(self, sequence):
        before, self._key = self._key, self.seen.inp[s.KEY_RUN_OK]
        if before is None:
            return []
        return [
            Event(
                sequence,
                KEY,
                "",
                CABINET,
                "key switch: in RUN" if self._key else "key switch: not in RUN",
            )
        ]

    def _of_operator(self, sequence):
        """Who locks the cabinet out and who has ended that; lamp tests."""
        lamp_test_ms, *name = self.seen.inp[
            self._operator_at : self._operator_at + len(image.OPERATOR)
        ]
        now, before = (image.name_of(name), lamp_test_ms > 0), self._operator
        if now == before:
            return []
        self._operator, texts = now, []
        if before is None:
            before = ("", False)
        if before[0] and now[0] != before[0]:
            texts.append(f"the lock-out by {before[0]} has ended")
        if now[0] and now[0] != before[0]:
            texts.append(f"locked out by {now[0]}")
        texts += ["lamp test"] if now[1] and not before[1] else []
        return [Event(sequence, NOTE, "", CABINET, text) for text in texts]

    def _of_rest(self, sequence):
        """That a person has started or stopped the cabinet; the other reasons to rest are events of
        their own.
        """
        now, before = self.seen.inp[self._rest_at], self._rest
        self._rest = now
        if (
            now == before
            or before is None
            and now != run_request.PERSON
            or now not in (0, run_request.PERSON)
        ):
            return []
        text = (
            ("a person has stopped it: it rests until somebody starts it")
            if now
            else "a person has started it"
        )
        return [Event(sequence, NOTE, "", CABINET, text)]

    def _of_test(self, sequence):
        """The beginning and the end of TEST mode."""
        self._test = self.seen.inp[s.TEST_REQUEST]
        return [
            Event(
                sequence,
                NOTE,
                "",
                CABINET,
                "TEST mode has begun: 60 s in all, 5 % of rated power, rows armed"
                if self._test
                else "TEST mode is over: it rests until somebody starts it",
            )
        ]

    def _of_hints(self, sequence):
        """What each source's hints are, whenever that changes; who is in control."""
        out, found = self.seen.out, []
        for key, value_at, state_at in self._quantities:
            now = (out[state_at], out[value_at] if out[state_at] else 0)
            if now != self._hints.get(key, (0, 0)):
                self._hints[key] = now
                name, quantity = key
                value = f" {quantity} = {now[1]} W" if now[0] else f" {quantity}"
                found.append(
                    Event(sequence, HINT, "", name, f"{name}{value}: {HINT_STATES[now[0]]}")
                )
        if self._control_at is not None and out[self._control_at] != self._control:
            self._control = out[self._control_at]
            name = self._source_names[self._control - 1] if self._control else "the cabinet itself"
            found.append(
                Event(
                    sequence, SOURCE, "", name if self._control else CABINET, f"in control: {name}"
                )
            )
        return found


def _quantities(output_names, source_names):
    """((source, quantity), index of its value, of its state) of every quantity of a hint that is
    published.
    """
    at = {name: index for index, name in enumerate(output_names)}
    return [
        ((name, quantity), at[f"{start}_value_W"], at[f"{start}_state"])
        for index, name in enumerate(source_names)
        for quantity in hint_codes.QUANTITIES.values()
        for start in (f"source_{index}.{quantity}",)
        if f"{start}_state" in at
    ]


def _reason_event(sequence, kind, code):
    if code not in reason_words.TEXTS:  # of a newer version's journal
        return Event(
            sequence, kind, reasons.label(code), CABINET, "no text for this code in this version"
        )
    name, sentence, _ = reason_words.text(code)
    return Event(sequence, kind, reasons.label(code), CABINET, f"{name}. {sentence}")
