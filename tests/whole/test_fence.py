"""Every field of every message at the ends of its type: the loop ticks on, nothing gets wider, and
each message gets its answer or is counted. A companion ends one client with one line.
"""

from pathlib import Path

import pytest
from fenced_box import DAY_MIN, KEY, Fenced, settings
from whole_box import CABINETS, whole
from wire_ends import varied

from controller.core import hint_codes as h
from controller.core.schedule_table import OPEN_W
from controller.hints import schedule_wire as sw, wire as w
from controller.run import operator_commands as oc
from controller.sites import EXAMPLE

pytestmark = pytest.mark.wire
HINT = dict(
    zip(
        ("sequence", "sent_ms", "kind", "quantity", "purpose", "value_W", "valid_ms", "start_ms"),
        "QQBBHiIQ",
    )
)
RIGHT = {"purpose": 0, "value_W": 0, "valid_ms": 60_000, "start_ms": 0}
HEAD = {"sequence": "Q", "sent_ms": "Q", "start_min": "I", "slot_min": "H", "purpose": "H"}
SLOT = dict(zip(sw.FIELDS, "iiiH"))
PLAIN = (OPEN_W, -50_000, 60_000, 300)
OTHERS = [path for path in CABINETS if str(path) != str(EXAMPLE)]


@pytest.fixture(params=[EXAMPLE, *whole(*OTHERS)], ids=lambda path: Path(path).parent.name)
def fenced(tmp_path, request):
    made = Fenced(tmp_path, settings(request.param))
    made.bench.tick(20).tick(198, elapsed=10)  # until its limits are open
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
