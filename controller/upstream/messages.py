"""Converts a message of a client to a datagram for the loop, and the answer to a dict. The sender
computes the MAC over the datagram; the gateway has no key.
"""

import contextlib

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.hints import schedule_wire as sw, wire as w
from controller.hints.schedule_words import answer_fields, held_fields
from controller.hints.words import fields, state
from controller.recorder import head
from controller.upstream.framing import Message

DETAIL_CHARACTERS = 200
_NUMBERS = {
    "sequence": (0, 2**64 - 1),
    "sent_ms": (0, 2**64 - 1),
    "value_W": (-(2**31), 2**31 - 1),
    "valid_ms": (0, 2**32 - 1),
    "purpose": (0, 2**16 - 1),
    "start_ms": (0, 2**64 - 1),
}
_SCHEDULE_NUMBERS = {
    "sequence": (0, 2**64 - 1),
    "sent_ms": (0, 2**64 - 1),
    "start_min": (0, 2**32 - 1),
    "slot_min": (0, 2**16 - 1),
    "purpose": (0, 2**16 - 1),
}
_SLOT_RANGES = (*[(-(2**31) + 1, 2**31 - 1)] * 3, (0, 2**16 - 1))
HEAD = {"head": True}
_HINT_KEYS = {"source", "nonce", "kind", "quantity", "mac", *_NUMBERS}
_SCHEDULE_KEYS = {"source", "nonce", "slots", "mac", *_SCHEDULE_NUMBERS}


class MessageError(ValueError):
    """The message is not a hint, schedule, hello or status; one line."""


def datagram(message: Message | None) -> bytes:
    """The datagram of {"hello": NAME}, {"status": NAME}, {"schedule": NAME}, or of the fields of a
    hint or, with `slots`, of a schedule. Raises MessageError, also for None. nonce, mac: hex or
    bytes. Without `kind` that of the quantity counts, without `purpose` or `start_ms` 0.
    """
    if message is None:
        raise MessageError("")
    try:
        if "hello" in message:
            return w.hello(_text(message, "hello"))
        if "status" in message:
            return w.status(_text(message, "status"))
        if "schedule" in message:
            return sw.read(_text(message, "schedule"))
        if "slots" in message:
            return _schedule(message)
        return _hint(message)
    except ValueError as error:
        raise MessageError(str(error)[:DETAIL_CHARACTERS]) from None


def _hint(message: Message) -> bytes:
    _check_keys(message, _HINT_KEYS)
    kind, quantity = w.quantity_of(_text(message, "quantity"))
    if (message.get("kind"), quantity) == (h.KINDS[h.EXACT], h.POWER_W):
        kind = h.EXACT
    if message.get("kind", h.KINDS[kind]) != h.KINDS[kind]:
        raise ValueError(f"kind of {message['quantity']} is {h.KINDS[kind]!r}")
    message = {"purpose": 0, "start_ms": 0, **message}
    numbers = {name: _number(message, name, allowed) for name, allowed in _NUMBERS.items()}
    source, nonce = _text(message, "source"), _bytes(message, "nonce", w.NONCE_BYTES)
    hint = w.Hint(source=source, nonce=nonce, kind=kind, quantity=quantity, **numbers)
    return w.unsigned(hint) + _bytes(message, "mac", w.MAC_BYTES)


def _schedule(message: Message) -> bytes:
    _check_keys(message, _SCHEDULE_KEYS)
    message = {"purpose": 0, **message}
    slots = message["slots"]
    if not isinstance(slots, list):
        raise ValueError("slots is not a list")
    numbers = [_number(message, name, _SCHEDULE_NUMBERS[name]) for name in _SCHEDULE_NUMBERS]
    names = _text(message, "source"), _bytes(message, "nonce", w.NONCE_BYTES)
    found = tuple([_slot(each, number) for number, each in enumerate(slots, 1)])
    schedule = sw.Schedule._make((*names, *numbers, found))
    return sw.unsigned(schedule) + _bytes(message, "mac", w.MAC_BYTES)


def _slot(values: object, number: int) -> Slot:
    """values: in the order of Slot; None for a power without a bound."""
    if not isinstance(values, list) or len(values) != len(Slot._fields):
        raise ValueError(f"slot {number} is not a list of {', '.join(Slot._fields)}")
    found = []
    for name, value, (low, high) in zip(Slot._fields, values, _SLOT_RANGES):
        if value is None and low < 0:
            value = OPEN_W
        elif not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"{name} of slot {number} is not a whole number {low} .. {high}")
        found.append(value)
    return Slot._make(found)


def _check_keys(message: Message, allowed: set[str]) -> None:
    unknown = sorted(map(str, message.keys() - allowed))
    if unknown:
        raise ValueError(
            f"{unknown[0][:40]!r} is not a known field; allowed {', '.join(sorted(allowed))}, or "
            f"hello, status, schedule, head, ask"
        )


def record_head(run_directory: str) -> Message:
    """The answer to HEAD: number and hash of the newest event of the record, None without one."""
    published = head.read(run_directory)
    return {"id": published.get("id"), "hash": published.get("hash")}


def asked(run_directory: str, job: object, now_us: int) -> Message:
    """The gateway's own answer to {"ask": job}, as asking.py says. Raises MessageError."""
    from controller.upstream import asking  # the core, which only this message needs

    try:
        return asking.answer(run_directory, job, now_us)
    except ValueError as error:
        raise MessageError(str(error)) from None


def _text(message: Message, name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or not a text")
    return value


def _number(message: Message, name: str, allowed: tuple[int, int]) -> int:
    value = message.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is missing or not a whole number")
    low, high = allowed
    if not low <= value <= high:
        raise ValueError(f"{name} is not within {low} .. {high}")
    return value


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
    """The loop's answer to `message`; None if `data` is the answer to another message."""
    if "hello" in message:
        welcome = w.welcome_of(data)
        return welcome and {
            "source": message["hello"],
            "nonce": welcome.nonce.hex(),
            "uptime_ms": welcome.uptime_ms,
            "sequence": welcome.sequence,
        }
    if "status" in message:
        found = w.state_of(data)
        return found and {**state(found), "mac": data[-w.MAC_BYTES :].hex()}
    if "schedule" in message:
        held = sw.held_of(data)
        return held and {**held_fields(held), "mac": data[-w.MAC_BYTES :].hex()}
    if "slots" in message:
        told = sw.answer_of(data)
        if told is None or (told.source, told.sequence) != (message["source"], message["sequence"]):
            return None
        return {**answer_fields(told), "mac": data[-w.MAC_BYTES :].hex()}
    reply = w.reply_of(data)
    if reply is None or (reply.source, reply.sequence) != (message["source"], message["sequence"]):
        return None
    return {**fields(reply), "mac": data[-w.MAC_BYTES :].hex()}


def problem(code: int, detail: str = "") -> Message:
    """An answer of the gateway itself: one of its codes, with the words of the code."""
    name, sentence, remedy = h.text(code)
    return {
        "granted": False,
        "code": code,
        "label": h.label(code),
        "name": name,
        "sentence": detail or sentence,
        "remedy": remedy,
    }
