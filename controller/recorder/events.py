"""Finds events by comparing each frame of the journal with the frame before.

A row of the cause-and-effect matrix that stops power is a trip; any other row is a limit or a note.
Binding limit and start inhibit become events only after they have lasted for HELD_MS.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from controller.core import image
from controller.core.base import reasons, standby
from controller.core.base.setpoint import O_BINDING_REASON, O_LIMITS_HIGH_W, O_LIMITS_LOW_W
from controller.core.policies import grid_contact
from controller.core.policies.schedule import O_SOURCE, O_STATE, OUTPUTS, STATES
from controller.journal import heard
from controller.journal.frame import Frame
from controller.journal.snapshot import Snapshot, names_of, places, quantities
from controller.recorder.held import Held
from controller.rows import reason_words
from controller.rows.records import BY_ID
from controller.run import answer_words
from safety import matrix, parameters as p, signals as s

TRIP, CLEAR, LATCH, RESET, STATE = "trip", "clear", "latch", "reset", "state"
LIMIT, HINT, SOURCE, START, STOP = "limit", "hint", "source", "start", "stop"
KEY, NOTE, LOSS = "key", "note", "loss"
HELD_MS = 1000
STAYED = " Active or latched since before this start."
CABINET = "cabinet"
HINT_STATES = ("none", "valid", "fallback in force", "waits for its quota")
REDUCING = (
    matrix.D_DC,
    matrix.D_CHARGE_INHIBIT,
    matrix.D_DISCHARGE_INHIBIT,
    matrix.D_CHARGE_DERATE_PCT,
    matrix.D_DISCHARGE_DERATE_PCT,
)


class Event(NamedTuple):
    """One event without number, time and hash. sequence: that of its frame, or None."""

    sequence: int | None
    kind: str
    code: str
    scope: str
    text: str


Events = list[Event]
NewEvents = Iterator[Event]


def event(kind: str, text: str, scope: str = CABINET, code: str = "") -> Event:
    """An Event that has no frame, or whose frame is set later."""
    return Event(None, kind, code, scope, text)


def row_kind(stage_id: str) -> str:
    """TRIP, LIMIT or NOTE, by the effect of this stage while it is active."""
    demand = BY_ID[stage_id][matrix.S_DEMAND]
    if demand[matrix.D_PCS] or demand[matrix.D_DC] >= matrix.DC_OPEN_AT_ZERO:
        return TRIP
    return LIMIT if any(demand[index] for index in REDUCING) else NOTE


def row_event(instance: str, begins: bool, remark: str = "", devices: Sequence[str] = ()) -> Event:
    """The event of a stage instance that begins or ends. remark: added to its text."""
    stage_id, _, scope = instance.partition(".")
    scope = scope or CABINET
    if stage_id not in BY_ID:  # latched by another version of the matrix
        return event(TRIP if begins else CLEAR, f"row {instance}{remark}", scope)
    code = reasons.label(reasons.ROW + BY_ID[stage_id][matrix.S_ROW])
    name, sentence, _ = reason_words.stage_text(BY_ID[stage_id])
    if not begins:
        return event(CLEAR, f"{stage_id}: {name}: no longer active or latched", scope, code)
    if devices:
        sentence = heard.named(sentence, devices)
    return event(row_kind(stage_id), f"{stage_id}: {name}. {sentence}{remark}", scope, code)


class EventFinder:
    """Finds the events of a run. Feed it every frame, in order, after it was applied to `seen`.

    standing: the stage instances that were active or latched; the attribute has the present ones.
    new_run: the controller has just started, so each old latch becomes an event once.
    """

    def __init__(self, seen: Snapshot, standing: Iterable[str] = (), new_run: bool = False):
        self.seen = seen
        self._new_run = new_run
        self.standing = frozenset(standing)
        header = seen.reader.header
        held_ticks = p.ticks(HELD_MS, header["safety_image"][p.H_TICK_MS])
        self._binding, self._inhibit = Held(held_ticks), Held(held_ticks)
        self._values: dict[object, Any] = {}  # {name of a value: the value in the last frame}
        self._heard = heard.OfFrames(header["safety_image"], seen.layout)
        self._devices = header.get("devices", ())
        self._source_names = header.get("source_names", ())
        self._quantities = quantities(seen.output_names, self._source_names)
        names = (image.OPERATOR[0], image.REST[0], image.VOID_RESET[0], image.APPROVED_BY[0])
        self._operator_at, self._standby_at, self._void_at, self._approved_at = map(
            places(header["input_names"]), names
        )
        outputs = "hint_control_source", OUTPUTS[0], "mode_reason", grid_contact.OUTPUTS[0]
        self._control_at, self._schedule_at, self._mode_at, self._contacts_at = map(
            places(seen.output_names), outputs
        )

    def feed(self, frame: Frame) -> Events:
        """The events of this frame."""
        self._heard.feed(frame, self.seen.inp)
        events = [
            *self._rows(),
            *self._resets(),
            *self._run_state(),
            *self._held(frame.elapsed_ticks),
            *_of(self._mode, self._mode_at),
            *(self._key_switch() if frame.fresh[s.G_IO_1] else ()),
            *_of(self._operator, self._operator_at),
            *_of(self._approval, self._approved_at),
            *self._test(),
            *_of(self._standby, self._standby_at),
            *self._hints(),
            *_of(self._control, self._control_at),
            *_of(self._schedule, self._schedule_at),
            *_of(self._contacts, self._contacts_at),
        ]
        return [new_event._replace(sequence=frame.sequence) for new_event in events]

    def _before(self, name: object, now: Any, first: Any = None) -> Any:
        """Keep `now`. Returns the last value (or `first`), or None if it equals `now`."""
        before, self._values[name] = self._values.get(name, first), now
        return before if before != now else None

    def _rows(self) -> NewEvents:
        standing_words = self.seen.standing_words
        if self._before("rows", standing_words, ()) is None:
            return
        names, first_out = self.seen.stage_names, self.seen.first_out
        standing = frozenset(names_of(names, standing_words))
        came, went = standing - self.standing, self.standing - standing
        stayed = standing & self.standing if self._new_run else frozenset()
        self.standing, self._new_run = standing, False
        first = names[first_out] if first_out >= 0 else None
        for name in sorted(came, key=lambda name: (name != first, name)):
            remark = " First out." if name == first else ""
            yield row_event(name, True, remark, self._behind(name))
        for name in sorted(stayed):
            yield row_event(name, True, STAYED)._replace(kind=LATCH)
        for name in sorted(went):
            yield row_event(name, False)

    def _behind(self, name: str) -> Sequence[str]:
        stage = BY_ID.get(name.partition(".")[0])
        return heard.behind(self._devices, self.seen.inp, self._heard, stage) if stage else ()

    def _resets(self) -> NewEvents:
        """Resets that have ended, whether or not they reached the kernel."""
        inp, out, void_at = self.seen.inp, self.seen.out, self._void_at
        answers: list[Sequence[int]] = [(inp[s.RESET_KIND], out[s.RESET_RESULT])]
        if void_at is not None and inp[void_at]:
            answers.append(inp[void_at : void_at + len(image.VOID_RESET)])
        for kind, answer in answers:
            if answer:
                reset = "key reset" if kind == matrix.KEY else "remote reset"
                text = f"{answer_words.text(answer)}, {out[s.RESETS_LEFT]} left this hour"
                yield event(RESET, f"{reset}: {text}")

    def _run_state(self) -> NewEvents:
        now = self.seen.out[s.STATE]
        before = self._before("state", now)
        if before is not None:
            yield event(STATE, f"{s.STATES[before]} -> {s.STATES[now]}")

    def _held(self, elapsed_ticks: int) -> NewEvents:
        """Events of a binding limit and a start inhibit that have lasted for HELD_MS."""
        binding, inhibit = self._binding_reason(), self.seen.out[s.INHIBIT_REASON]
        if self._binding.step(binding, elapsed_ticks):
            yield _reason_event(LIMIT, binding)
        if self._inhibit.step(inhibit, elapsed_ticks) and inhibit:
            yield _reason_event(STATE, reasons.inhibit_code(inhibit))

    def _binding_reason(self) -> int:
        """The reason of the binding limit. If no power may flow, it is the reason of the stop."""
        chain, reported = self.seen.chain, self._binding.value
        binding = chain(O_BINDING_REASON)
        stops = {chain(O_LIMITS_LOW_W + 1), chain(O_LIMITS_HIGH_W + 1)} - {reasons.NONE}
        if not stops or chain(O_LIMITS_LOW_W) or chain(O_LIMITS_HIGH_W):
            return binding
        if reported in stops:
            return reported
        return binding if binding in stops else reasons.NONE

    def _mode(self, index: int) -> NewEvents:
        now = self.seen.out[index]
        if self._before("mode", now, reasons.MODE):
            yield _reason_event(STATE, now)

    def _key_switch(self) -> NewEvents:
        now = self.seen.inp[s.KEY_RUN_OK]
        if self._before("key", now) is not None:
            yield event(KEY, f"key switch: {'' if now else 'not '}in RUN")

    def _operator(self, index: int) -> NewEvents:
        """Lock-outs and their ends, with the name of the person, and lamp tests."""
        lamp_test_ms, *name = self.seen.inp[index : index + len(image.OPERATOR)]
        now = (image.name_of(name), lamp_test_ms > 0)
        before = self._before("operator", now, ("", False))
        if before is None:
            return
        is_other = now[0] != before[0]
        texts = (
            (is_other and before[0], f"the lock-out by {before[0]} has ended"),
            (is_other and now[0], f"locked out by {now[0]}"),
            (now[1] and not before[1], "lamp test"),
        )
        yield from [event(NOTE, text) for is_new, text in texts if is_new]

    def _approval(self, index: int) -> NewEvents:
        """An event when a person has approved the limit image."""
        name = image.name_of(self.seen.inp[index : index + len(image.APPROVED_BY)])
        now = (name, self.seen.inp[s.IMAGE_APPROVED_OK])
        if self._before("approval", now) is not None and now[1]:
            crc = f"{self.seen.out[s.IMAGE_CRC]:08X}"
            yield event(NOTE, f"limit image {crc} approved by {name}, the key out of RUN")

    def _test(self) -> NewEvents:
        """Events when TEST mode begins and ends."""
        now = self.seen.inp[s.TEST_REQUEST]
        begun = "TEST mode has begun: 60 s in all, 5 % of rated power, rows armed"
        over = "TEST mode is over: standby until a person starts it"
        if self._before("test", now, 0) is not None:
            yield event(NOTE, begun if now else over)

    def _standby(self, index: int) -> NewEvents:
        """An event when a person has started or stopped the cabinet."""
        now = self.seen.inp[index]
        texts = {
            0: "a person has started it",
            standby.PERSON: "a person has stopped it: standby until a person starts it",
        }
        if self._before("standby", now, 0) is not None and now in texts:
            yield event(NOTE, texts[now])

    def _hints(self) -> NewEvents:
        """Events of hints whose value or state has changed."""
        out = self.seen.out
        for key, value_at, state_at in self._quantities:
            state = out[state_at]
            value_W = out[value_at] if state else 0
            if self._before(key, (state, value_W), (0, 0)) is not None:
                name, quantity = key
                value = f" = {value_W} W" if state else ""
                yield event(HINT, f"{name} {quantity}{value}: {HINT_STATES[state]}", name)

    def _schedule(self, index: int) -> NewEvents:
        """An event when another source's schedule comes into force, or its state changes."""
        now = self.seen.out[index + O_SOURCE], self.seen.out[index + O_STATE]
        if self._before("schedule", now, (0, 0)) is not None:
            name = self._source_names[now[0] - 1] if now[0] else CABINET
            yield event(HINT, f"schedule: {STATES[now[1]]}", name)

    def _contacts(self, index: int) -> NewEvents:
        """An event when a contact of the grid operator has closed or opened."""
        outputs = self.seen.out[index : index + len(grid_contact.OUTPUTS)]
        if self._before("contacts", outputs[0], 0) is not None:
            yield event(LIMIT, grid_contact.words(*outputs))

    def _control(self, index: int) -> NewEvents:
        """An event when another source gets control."""
        now = self.seen.out[index]
        if self._before("control", now, 0) is None:
            return
        if now:
            name = self._source_names[now - 1]
            yield event(SOURCE, f"in control: {name}", name)
        else:
            yield event(SOURCE, "in control: the cabinet itself")


def _of(events: Callable[[int], NewEvents], index: int | None) -> Iterable[Event]:
    """The events of the value at this index; none if an older journal lacks the value."""
    return () if index is None else events(index)


def _reason_event(kind: str, code: int) -> Event:
    text = "this version has no text for this code"  # the journal is of a newer version
    if code in reason_words.TEXTS:
        name, sentence, _ = reason_words.text(code)
        text = f"{name}. {sentence}"
    return event(kind, text, CABINET, reasons.label(code))
