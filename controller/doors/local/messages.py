"""Converts the message of a client to a datagram for the loop, and the answer to a dict.

The sender of the message has computed the MAC of the datagram, because the door has no key.
"""

import contextlib

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.doors.local.framing import Message
from controller.forms.field import anything, check_value, integer, is_list, passing, text
from controller.forms.reading import read
from controller.forms.refusal import ConfigError
from controller.hints import schedule_wire as sw, wire as w
from controller.hints.schedule_words import answer_fields, held_fields
from controller.hints.words import fields, state
from controller.recorder import head

DETAIL_CHARACTERS = 200
_U16, _U32, _U64 = ((0, 2**bits - 1) for bits in (16, 32, 64))
_I32 = (-(2**31), 2**31 - 1)
_NAMES = {"source": text(), "nonce": anything(), "mac": anything()}
_HINT = {
    **_NAMES,
    "kind": anything(None),
    "quantity": text(),
    "sequence": integer(*_U64),
    "sent_ms": integer(*_U64),
    "value_W": integer(*_I32),
    "valid_ms": integer(*_U32),
    "purpose": integer(*_U16, 0),
    "start_ms": integer(*_U64, 0),
}
_SCHEDULE = {
    **_NAMES,
    "sequence": integer(*_U64),
    "sent_ms": integer(*_U64),
    "start_min": integer(*_U32),
    "slot_min": integer(*_U16),
    "purpose": integer(*_U16, 0),
    "slots": passing(lambda value: is_list(value, lambda slot: True), "a list of slots"),
}
_SLOT_RANGES = (*[(-(2**31) + 1, 2**31 - 1)] * 3, _U16)
HEAD = {"head": True}
OTHERS = ("hello", "status", "schedule")  # messages with only this key


def datagram(message: Message | None) -> bytes:
    """The datagram of {"hello": NAME}, {"status": NAME}, {"schedule": NAME}, a hint or a schedule.

    A message with `slots` is a schedule; another one with the fields of a hint is a hint. nonce,
    mac: hex or bytes. Without `kind`, the kind is that of the quantity. Without `purpose` or
    `start_ms`, they are 0. Raises ConfigError, also for None.
    """
    if message is None:
        raise ConfigError("")
    try:
        if "hello" in message:
            return w.hello(_text(message, "hello"))
        if "status" in message:
            return w.status(_text(message, "status"))
        if "schedule" in message:
            return sw.read(_text(message, "schedule"))
        if message.keys() & {"head", "ask"}:
            raise ValueError('head and ask have no key beside them; allowed {"head": true}')
        return _schedule(message) if "slots" in message else _hint(message)
    except ValueError as error:
        raise ConfigError(str(error)[:DETAIL_CHARACTERS]) from None


def _hint(message: Message) -> bytes:
    values = read("hint", (), message, _HINT, OTHERS)
    kind, quantity = w.quantity_of(values["quantity"])
    if (values["kind"], quantity) == (h.KINDS[h.EXACT], h.POWER_W):
        kind = h.EXACT
    if values["kind"] not in (None, h.KINDS[kind]):
        raise ValueError(f"kind of {values['quantity']} is {h.KINDS[kind]!r}")
    mac = _bytes(values, "mac", w.MAC_BYTES)
    nonce = _bytes(values, "nonce", w.NONCE_BYTES)
    all_values = {**values, "kind": kind, "quantity": quantity, "nonce": nonce}
    return w.unsigned(w.Hint(*[all_values[name] for name in w.Hint._fields])) + mac


def _schedule(message: Message) -> bytes:
    values = read("schedule", (), message, _SCHEDULE, OTHERS)
    mac = _bytes(values, "mac", w.MAC_BYTES)
    slots = tuple(_slot(slot, number) for number, slot in enumerate(values["slots"], 1))
    all_values = {**values, "nonce": _bytes(values, "nonce", w.NONCE_BYTES), "slots": slots}
    return sw.unsigned(sw.Schedule(*[all_values[name] for name in sw.Schedule._fields])) + mac


def _slot(values: object, number: int) -> Slot:
    """The slot with these values, in the order of Slot. None is a power without a bound."""
    if not isinstance(values, list) or len(values) != len(Slot._fields):
        raise ValueError(f"slot {number} is not a list of {', '.join(Slot._fields)}")
    numbers = []
    for name, value, (low, high) in zip(Slot._fields, values, _SLOT_RANGES):
        if value is None and low < 0:
            value = OPEN_W
        elif not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} of slot {number} is not a whole number {low} .. {high}")
        numbers.append(value)
    return Slot._make(numbers)


def record_head(run_directory: str) -> Message:
    """The answer to HEAD: number and hash of the newest event of the record, or None."""
    published = head.read(run_directory)
    return {"id": published.get("id"), "hash": published.get("hash")}


def _text(message: Message, name: str) -> str:
    value = message[name]
    check_value("message", (name,), value, text())
    return str(value)


def _bytes(message: Message, name: str, count: int) -> bytes:
    data = value = message.get(name)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            data = bytes.fromhex(value)
    if not isinstance(data, bytes) or len(data) != count:
        raise ValueError(
            f"{name} is missing or not {count} bytes; allowed as text: {2 * count} digits 0-9, a-f"
        )
    return data


def answer(data: bytes, message: Message) -> Message | None:
    """The answer of the loop to `message`; None if `data` answers another message."""
    if "hello" in message:
        welcome = w.welcome_of(data)
        return welcome and {
            "source": message["hello"],
            "nonce": welcome.nonce.hex(),
            "uptime_ms": welcome.uptime_ms,
            "sequence": welcome.sequence,
        }
    mac = {"mac": data[-w.MAC_BYTES :].hex()}
    if "status" in message:
        status = w.state_of(data)
        return status and state(status) | mac
    if "schedule" in message:
        held = sw.held_of(data)
        return held and held_fields(held) | mac
    reply = sw.answer_of(data) if "slots" in message else w.reply_of(data)
    if reply is None or (reply.source, reply.sequence) != (message["source"], message["sequence"]):
        return None
    return (answer_fields(reply) if isinstance(reply, sw.Answer) else fields(reply)) | mac
