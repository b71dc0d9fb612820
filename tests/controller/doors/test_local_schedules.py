"""Schedule, start time and notices at the door: the same bytes, read back, or refused."""

import json

import pytest
from hinted_site import KEYS
from hypothesis import given, strategies as st
from test_schedule_wire import ANY_SLOT, PLAIN, plan

from controller.core.base.schedule_table import OPEN_W
from controller.doors.local import framing, messages
from controller.forms.refusal import ConfigError
from controller.hints import schedule_wire as sw
from tests.controller.doors.local_site import ask, good, running
from tests.tables import cases


def message_of(schedule, mac="ab" * 32, **fields):
    slots = [[None if value == OPEN_W else value for value in slot] for slot in schedule.slots]
    plain = {**schedule._asdict(), "nonce": schedule.nonce.hex(), "slots": slots, "mac": mac}
    return plain | fields


@given(st.lists(ANY_SLOT, max_size=96))
def test_a_message_becomes_the_fixed_layout_and_fits_a_line(slots):
    one = plan(slots=tuple(slots))
    message = message_of(one)
    assert messages.datagram(message) == sw.unsigned(one) + b"\xab" * 32
    assert len(json.dumps(message)) <= framing.MESSAGE_BYTES_MAX


def test_a_start_time_makes_the_longer_hint_and_kind_exact_is_for_a_power():
    assert len(messages.datagram(good(start_ms=0))) == 88
    assert len(messages.datagram(good(start_ms=1))) == 96
    assert messages.datagram(good(quantity="power_W", kind="exact"))[44:46] == bytes([5, 3])
    for quantity, number in (("price_is_negative", 6), ("step_W", 7)):
        assert messages.datagram(good(quantity=quantity))[44:46] == bytes([6, number])
    with pytest.raises(ConfigError, match="kind of import_W_max is 'grid_cap'"):
        messages.datagram(good(kind="exact"))


@cases(r"""fields  words
    {"slots": 7}  "schedule:slots: 7 is not allowed; allowed a list of slots"
    {"slots": [[1, 2, 3]]}  "slot 1 is not a list of grid_cap_W, battery_low_W"
    {"slots": [[1, 2, 3, 4], [1, 2, 3, None]]}  "reserve_permille of slot 2 is not a whole number 0"
    {"slots": [[1, 2, 2**31, 4]]}  "battery_high_W of slot 1"
    {"slots": [[1, -(2**31), 3, 4]]}  "battery_low_W of slot 1"
    {"slots": [[1.0, 2, 3, 4]]}  "grid_cap_W of slot 1" | {"slots": [[True, 2, 3, 4]]}  "grid_cap_W"
    {"slots": [[1, 2, 3, 4]] * 97}  "at most 96 slots, not 97"
    {"valid_ms": 5}  "schedule:valid_ms: is not a known key"
    {"start_min": -1}  "start_min: -1 is not allowed; allowed 0..4294967295"
    {"slot_min": None}  "slot_min: null is not allowed" | {"mac": "00"}  "mac is missing or not 32"
""")
def test_a_wrong_schedule_is_refused_in_one_line(fields, words):
    with pytest.raises(ConfigError) as refused:
        messages.datagram(message_of(plan(), **fields))
    text = str(refused.value)
    assert words in text and len(text) <= 200 and "\n" not in text


@pytest.fixture
def client(tmp_path):
    with running(tmp_path) as served:
        yield served.client()


@pytest.mark.wire
def test_a_schedule_is_sent_and_read_back(client):
    assert ask(client, {"schedule": "site_ems"})["slots"] == []
    slots = tuple([PLAIN._replace(grid_cap_W=OPEN_W, reserve_permille=at) for at in range(96)])
    for sequence, sent, code in ((1, slots, 1), (2, (PLAIN._replace(reserve_permille=1001),), 29)):
        welcome = ask(client, {"hello": "site_ems"})
        head = {"nonce": bytes.fromhex(welcome["nonce"]), "sent_ms": welcome["uptime_ms"]}
        one = plan("site_ems", sequence, sent, **head)
        found = ask(client, message_of(one, sw.signed(one, KEYS["site_ems"])[-32:].hex()))
        assert found["code"] == code and found["slot_count"] == 96
    assert (found["refused_slot"], found["refused_field"]) == (1, "reserve_permille")
    assert (found["granted"], found["allowed"]) == (False, "0 .. 1000 permille")
    held = ask(client, {"schedule": "site_ems"})
    assert held["slots"] == [[None, -50_000, 60_000, at] for at in range(96)]
    found = held["owner"], held["slot_min"], held["state"]
    assert found == ("site_ems", 15, "waits for a heartbeat")
    assert len(bytes.fromhex(held["mac"])) == 32
