"""Every field of every message at the ends of its type: the loop ticks on, nothing gets wider, and
each message gets its answer or is counted. A companion ends one client with one line.
"""

import itertools
import zlib
from pathlib import Path

import msgpack
import pytest
from fenced_box import DAY_MIN, KEY, Fenced, settings
from whole_box import first, of_cabinets
from wire_ends import ends, varied

from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W
from controller.hints import replies, schedule_wire as sw, wire as w
from controller.run import answer_words, operator_commands as oc, tool_read as tr
from controller.run.channel_link import ChannelLink
from controller.run.site_clock import SiteClock
from controller.sites import EXAMPLE
from controller.store import stored_record, two_copies
from safety import channel as c, frame as f, parameters as p, peer as pe, signals as s

pytestmark = pytest.mark.wire
HINT = "sequence sent_ms kind quantity purpose value_W valid_ms start_ms".split()
HINT = dict(zip(HINT, "QQBBHiIQ"))
PLACE = "command.sock"
RIGHT = {"purpose": 0, "value_W": 0, "valid_ms": 60_000, "start_ms": 0}
HEAD = {"sequence": "Q", "sent_ms": "Q", "start_min": "I", "slot_min": "H", "purpose": "H"}
SLOT = dict(zip(sw.FIELDS, "iiiH"))
PLAIN = (OPEN_W, -50_000, 60_000, 300)


@pytest.fixture(params=first(EXAMPLE), ids=lambda path: path.parent.name)
def fenced(tmp_path, request):
    config = settings(request.param)
    made = Fenced(tmp_path, config)
    made.bench.tick(20).tick(198, elapsed=200 // config.tick_ms)  # until its limits are open
    yield made
    made.close()


def hints(fenced):
    """Datagrams of hints of every kind; each field in turn at its ends."""
    for quantity, kind in [*h.KIND_OF.items(), (h.POWER_W, h.EXACT)]:
        for name, value in varied(HINT):
            nonce, sequence, sent_ms = fenced.fresh()
            run = {"sequence": sequence, "sent_ms": sent_ms, "kind": kind, "quantity": quantity}
            found = {**run, **RIGHT, name: value}
            form, magic, end = (w.HINT, w.HINT_MAGIC, -1)
            if found["start_ms"]:
                form, magic, end = (w.HINT2, w.HINT2_MAGIC, None)
            words = [found[each] for each in HINT][:end]
            data = form.pack(magic, w.name_field("boss"), nonce, *words, b"")[: -w.MAC_BYTES]
            yield data + w.mac(KEY, data)


def schedules(fenced):
    """Datagrams of schedules of 0, 1 and 96 slots; each field of head and slot at its ends."""
    for count in (0, 1, 96):
        for name, value in varied(HEAD | (SLOT if count else {})):
            nonce, sequence, sent_ms = fenced.fresh()
            run = {"sequence": sequence, "sent_ms": sent_ms, "start_min": DAY_MIN}
            found = {**run, "slot_min": 15, "purpose": 0, **dict(zip(SLOT, PLAIN)), name: value}
            *head, purpose = [found[each] for each in HEAD]
            names = sw.SCHEDULE_MAGIC, w.name_field("boss"), nonce
            data = sw.HEAD.pack(*names, *head, count, purpose)
            data += sw.SLOT.pack(*PLAIN) * max(0, count - 1)
            data += sw.SLOT.pack(*[found[each] for each in SLOT]) * (count > 0)
            yield data + w.mac(KEY, data)


@pytest.mark.parametrize("make", [hints, schedules])
def test_every_field_of_every_hint(fenced, make, capfd):
    limits, count = fenced.limits(), 0
    for data in make(fenced):
        assert len(fenced.send(data)) == 1, data
        assert fenced.limits() == limits
        count += 1
    assert fenced.ticks >= count > 100
    assert capfd.readouterr().err == "", "refused at admission, not caught behind it"


OF_KEYS = oc.SET_KEY, oc.ROTATE_KEY, oc.REVOKE_KEY
WHATS = (*range(9), *OF_KEYS, oc.LOCK_OUT, oc.END_LOCK_OUT, oc.APPROVE, 255)
NAMES = (b"", b"anna", b"x" * 16, b"\xff" * 16, b"\0a", b"A b", b"boss")


def orders():
    """Operator commands: each field at its ends, wrong names, every command in every form."""
    for what in WHATS:
        yield oc.REQUEST.pack(oc.MAGIC, what, 0, 0, 0, 0)
        yield oc.REQUEST.pack(b"\0\xff\0\xff", what, 0, 0, 0, 0)
        for name in NAMES:
            yield oc.LOCK.pack(oc.MAGIC, what, name)
        yield oc.APPROVAL.pack(oc.MAGIC, what, b"anna", 0)
        yield oc.KEY_CHANGE.pack(oc.MAGIC, what, b"boss", KEY, 1)
    for kind in (oc.REMOTE_RESET, oc.KEY_RESET, oc.STEP, oc.SIGN):
        for place, value in itertools.product(range(4), ends("i")):
            seen = [-1, 0, -1, 0]
            seen[place] = value
            yield oc.REQUEST.pack(oc.MAGIC, kind, *seen)
    plain = {"bus": b"meter_grid", "unit_id": 1, "function": 3, "address": 0, "count": 1}
    for magic, what in ((oc.MAGIC, tr.READ_ONE), (oc.MAGIC, 0), (b"\0\xff\0\xff", tr.READ_ONE)):
        yield tr.READ.pack(magic, what, *plain.values())
    for name in (b"", b"\xff" * 32, b"can0", b"channel_b", b"io", b"x" * 32):
        yield tr.READ.pack(oc.MAGIC, tr.READ_ONE, *(plain | {"bus": name}).values())
    for name, code in zip(list(plain)[1:], "BBHH"):
        for value in (*ends(code), 2, 4, 5, 6, 16, 125, 126, 247, 248):
            yield tr.READ.pack(oc.MAGIC, tr.READ_ONE, *(plain | {name: value}).values())
    for value in ends("I"):
        yield oc.APPROVAL.pack(oc.MAGIC, oc.APPROVE, b"anna", value)
    for what, value in itertools.product(OF_KEYS, ends("Q")):
        yield oc.KEY_CHANGE.pack(oc.MAGIC, what, b"boss", KEY, value)


@pytest.mark.parametrize("is_tripped", [False, True])
def test_every_field_of_every_command(fenced, is_tripped, capfd):
    limits = fenced.limits()
    if is_tripped:
        fenced.bench.field.wrong[s.ESTOP_1_OK] = 0
        fenced.bench.tick(100)
        assert fenced.bench.latched
    for number, order in enumerate(orders()):
        asked = number.to_bytes(oc.NONCE.size)
        answers = fenced.send(asked + order, PLACE)
        late = 90 if len(order) == tr.READ.size else 4  # a read of a device takes its time
        while late and not answers:
            answers, late = fenced.turn() or fenced.heard(), late - 1
        answers += fenced.turn() or fenced.heard()  # a second one; a later one is the next order's
        assert [each[-oc.NONCE.size :] for each in answers] == [asked], order
        low_W, high_W = fenced.limits()
        assert limits[0] <= low_W and high_W <= limits[1]
    assert fenced.ticks > 500 and capfd.readouterr().err == ""


def test_a_fault_behind_the_check_ends_one_message_with_one_line(fenced, monkeypatch, capfd):
    """The tick goes on, the next message is answered, and a flood writes one line."""
    cabinet = fenced.bench.cabinet
    with monkeypatch.context() as patched:
        patched.setattr(replies, "reply", lambda *_: [][1])
        assert fenced.send(next(hints(fenced))) == []
        patched.setattr(fenced.hints.admission, "receive", lambda *_: 1 // 0)
        assert [fenced.send(next(hints(fenced))) for _ in range(9)] == [[]] * 9
        patched.setattr(cabinet, "request_run", lambda *_: {}["a"])
        (answer,) = fenced.send(bytes(8) + oc.REQUEST.pack(oc.MAGIC, oc.STOP, 0, 0, 0, 0), PLACE)
        assert answer[4] == oc.FAILED and "has failed in the controller" in answer_words.text(
            oc.FAILED
        )
    assert len(fenced.send(next(hints(fenced)))) == 1
    first, second, third = capfd.readouterr().err.splitlines()
    assert "hints: one datagram is dropped or not answered: IndexError at listener.py:" in first
    assert "hints: one datagram is dropped or not answered: ZeroDivisionError at li" in second
    assert "a command of an operator has failed: KeyError at operator_commands.py:" in third


def frames(image):
    """Frames of channel B: a right one, then one with a field at one of its ends, and so on."""
    sender = c.Sender(f.CHANNEL_B, p.image_crc(image), pe.table_crc())
    for field, (_, width) in enumerate(f.FIELDS):
        half = 2 ** (8 * width - 1)
        for value in (0, 1, half - 1, half, 2 * half - 2, 2 * half - 1):
            sender.tick(1)
            yield bytes(sender.finish())
            frame, at = f.Frame(), f.AT[field]
            frame.bytes[:] = sender.finish()
            frame.bytes[at : at + width] = value.to_bytes(width, "little")
            frame.seal()
            yield bytes(frame.bytes)


def test_every_field_of_every_frame_of_channel_b(fenced):
    cabinet, limits = fenced.bench.cabinet, fenced.limits()
    image = cabinet.config.safety_image
    cabinet.peer = ChannelLink(image, cabinet.core.kernel)
    for data in frames(image):
        cabinet.peer.receive(data, 0)
        fenced.turn()
        cabinet.peer.order_reset(1, *cabinet.peer.causes())
        cabinet.peer.poll(0)
    assert fenced.ticks == 2 * 6 * len(f.FIELDS) < cabinet.peer.receiver.accepted + 40
    low_W, high_W = fenced.limits()
    assert limits[0] <= low_W and high_W <= limits[1]


class Wall:
    """A clock of the system that a person or a bad time server has set."""

    def __init__(self):
        self.utc_us, self.error_us = 0, 0

    def poll(self):
        return 0, 0

    def label(self, moment_us):
        return self.utc_us, "ntp", self.error_us


def test_every_time_of_the_clock(fenced):
    cabinet, wall = fenced.bench.cabinet, Wall()
    cabinet.site_clock = SiteClock(cabinet.image, wall)
    days = [0, 1, 2**15, 2**16, 47_482, 100_000, 2_932_896, 2**31, 2**40]
    for day in [sign * day - step for day in days for sign in (1, -1) for step in (0, 1)]:
        for wall.error_us in (0, 1, 2**31 * 1000, 2**63, -1, None):
            wall.utc_us = day * 86_400_000_000 + 1
            fenced.bench.now_us += 1_000_000
            fenced.turn()
    assert fenced.ticks == 6 * 4 * len(days)


STORED = ("armed", "clean", "rest", "latch", "token", "generation", "path", *stored_record.NUMBERS)
STORED_ENDS = (0, 1, 2**15, 2**16, 2**30, 2**31 - 1, 2**31, 2**63, 2**64 - 1)


def copies():
    """Copies of the store with a right checksum: each number in turn at its ends."""
    for name, value in itertools.product(STORED, STORED_ENDS):
        found = {"armed": 0, "clean": 1, "latches": {}, "token_ages_ms": [], "values": {}}
        generation = value if name == "generation" else 1
        if name in ("armed", "clean"):
            found[name] = value
        elif name == "latch":
            found["latches"] = {"29.rack1": value, "x" * 40: value}
        elif name == "token":
            found["token_ages_ms"] = [value] * 9
        elif name != "generation":
            key = {"rest": "stopped.anna", "path": "path_delay.a"}.get(name, name)
            found["values"] = {key: value}
        body = msgpack.packb(found)
        rest = stored_record.HEAD.pack(stored_record.MAGIC, 0, generation, len(body))[12:] + body
        head = stored_record.MAGIC, zlib.crc32(rest), generation, len(body)
        yield stored_record.HEAD.pack(*head) + body


@of_cabinets("path", first(EXAMPLE))
def test_every_number_of_the_store(path, tmp_path):
    """Restored values pass the same types as those that come by a message."""
    config, taken = settings(path), 0
    for content in copies():
        for name in two_copies.COPIES:
            Path(tmp_path, name).write_bytes(content)
            Path(tmp_path, name).chmod(0o600)
        store = two_copies.Store(str(tmp_path))
        loaded = store.load()
        taken += loaded.record is not None
        fenced = Fenced(tmp_path, config, loaded)
        fenced.turn(5)
        fenced.close()
        store.save(fenced.bench.keeper.records[-1])
    assert taken > 50
