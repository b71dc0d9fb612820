"""Set-points of a master as hints: order of writes, validity, heartbeat, and what bytes can do."""

import asyncio
import contextlib

import pytest
from hypothesis import given, settings as profile, strategies as st

from controller.core.base import hint_codes as h
from controller.doors import sending
from controller.doors.listener import Connection, Dropped
from controller.doors.modbus import controls as c, in_force
from controller.doors.modbus.door import Door
from controller.doors.modbus.image import POINTS
from controller.doors.process import House
from controller.doors.settings import Settings, Source
from tests.controller.doors.modbus_site import frame, read, setting, write

VALUES = {
    **{"listen": "127.0.0.1", "port": 1502, "unit": 1, "may": "request", "is_exact": False},
    **{"valid_s": 60, "others": "read", "connections_max": 9, "idle_s": 60},
    **{"certificate": "", "clients": {"10.0.0.1": "ems", "10.0.0.2": "ems"}},
}
STATE = {
    "is_live": True,
    "rated_W": 250_000,
    "hints": [],
    "binding_sources": {"control": None, "discharge_W_max": None},
    "available_low_W": -100_000,
    "available_high_W": 150_000,
}


class Loop:
    """Takes every hint unless `code` says otherwise; `sent` has them all."""

    def __init__(self):
        self.sent, self.code = [], h.GRANTED

    def has_room(self, count):
        return True

    async def hint(self, message):
        found = sending.read_hint(message)
        self.sent.append((found["quantity"], found["value_W"], found["valid_s"]))
        is_heartbeat = found["quantity"] == "heartbeat"
        return {
            "granted": h.taken(self.code),
            "code": self.code,
            "granted_W": None if is_heartbeat else found["value_W"],
            "valid_ms": found["valid_s"] * 1000,
        }


@pytest.fixture
def clock(monkeypatch):
    """[seconds]: the clock of the door."""
    time_s = [1000.0]
    monkeypatch.setattr(c.clock, "uptime_s", lambda: time_s[0])
    return time_s


def master(loop, name="10.0.0.1", shared=None, **values):
    made = c.Controls(name, shared or c.Shared("ems", loop), {**VALUES, **values})
    made.rated_W = 250_000
    return made


def put(controls, is_on=False, **points):
    changes = {
        ("715." if name == "ControllerHb" else "704.") + name: points[name] for name in points
    }
    return asyncio.run(controls.write(changes, lambda: {c.SET, c.LIMIT} if is_on else set()))


def test_writes_in_any_order_become_one_hint_when_value_and_enable_are_there(clock):
    for order in (("WSet", "WSetRvrtTms", "WSetEna"), ("WSetEna", "WSetRvrtTms", "WSet")):
        loop = Loop()
        made, values = master(loop), {"WSet": 9_000, "WSetRvrtTms": 30, "WSetEna": 1}
        assert [put(made, **{name: values[name]}) for name in order] == [c.OK] * 3
        assert loop.sent == [("power_W", 9_000, 30)]


def test_percents_are_of_the_rating_and_a_limit_goes_both_ways(clock):
    loop = Loop()
    made = master(loop)
    put(made, WSetMod=0, WSetPct=-1_001, WSetEna=1)
    put(made, WMaxLimPct=5_001, WMaxLimPctEna=1)
    assert loop.sent == [
        ("power_W", -25_025, 60),
        ("charge_W_max", 125_025, 60),
        ("discharge_W_max", 125_025, 60),
    ]


def test_a_reversion_time_that_is_too_long_is_held_by_the_heartbeat_alone(clock):
    loop = Loop()
    made = master(loop)
    made.valid_s_max = 120
    put(made, WSet=9_000, WSetRvrtTms=390, WSetEna=1)
    for beat in range(1, 500):
        clock[0] += 1
        assert put(made, ControllerHb=beat) == c.OK
    hints = [each for each in loop.sent if each[0] == "power_W"]
    assert hints[0] == ("power_W", 9_000, 120)
    assert sum([valid_s for _, _, valid_s in hints]) > 390
    ends = [1000 + 40 * number + valid_s for number, (_, _, valid_s) in enumerate(hints)]
    assert max(ends) == 1390
    assert len([each for each in loop.sent if each[0] == "heartbeat"]) <= 26


def test_a_heartbeat_that_stands_renews_nothing_and_one_that_comes_late_neither(clock):
    loop = Loop()
    made = master(loop)
    put(made, WSet=9_000, WSetEna=1, ControllerHb=1)
    for _ in range(100):
        clock[0] += 1
        put(made, ControllerHb=1)
    put(made, ControllerHb=2)
    assert [each[0] for each in loop.sent] == ["power_W", "heartbeat", "heartbeat"]


def test_the_heartbeat_of_one_master_does_not_hold_the_set_point_of_another(clock):
    loop = Loop()
    shared = c.Shared("ems", loop)
    one, two = master(loop, shared=shared), master(loop, "10.0.0.2", shared)
    put(one, WSet=9_000, WSetEna=1)
    put(two, WSet=-1_000, WSetEna=1)
    for beat in range(1, 60):
        clock[0] += 1
        put(one, ControllerHb=beat)
    assert [each[1] for each in loop.sent if each[0] == "power_W"] == [9_000, -1_000]


@pytest.mark.parametrize(
    ("code", "exception"),
    [(h.RATE, 6), (h.BUSY, 6), (h.ROLE, 1), (h.VALID_LONG, 3), (h.NO_CONTROLLER, 4), (h.NO_KEY, 4)],
)
def test_a_refusal_leaves_all_as_it_was(code, exception, clock):
    loop = Loop()
    made = master(loop)
    put(made, WSet=9_000, WSetEna=1)
    before, loop.code = dict(made.stored), code
    assert put(made, is_on=True, WSet=8_000) == exception
    assert put(made, ControllerHb=4) == exception
    assert (made.stored, made.heartbeat) == (before, None)


def test_the_end_of_a_set_point_takes_back_no_hint_of_another_kind(clock):
    loop = Loop()
    made = master(loop)
    assert put(made, WSetEna=0, WMaxLimPctEna=0) == c.OK
    assert loop.sent == []
    assert put(made, is_on=True, WSetEna=0, WMaxLimPctEna=0) == c.OK
    assert loop.sent == [
        ("charge_W_max", c.UNLIMITED_W, 1),
        ("discharge_W_max", c.UNLIMITED_W, 1),
        ("power_W", 0, 1),
    ]


@pytest.mark.parametrize(
    ("hint", "binding", "shown"),
    [
        ({}, "ems", (1, 9_000, 360, 40)),
        ({"value_W": 200_000}, "ems", (1, 150_000, 6_000, 40)),
        ({"source": "other"}, "ems", (0, None, None, 0)),
        ({"state": "fallback", "valid_s": 0}, "ems", (0, None, None, 0)),
        ({}, "other", (1, 0, 0, 40)),  # another source outranks it
    ],
)
def test_registers_show_what_is_in_force(hint, binding, shown, clock):
    own = {"source": "ems", "quantity": "power_W", "value_W": 9_000, "valid_s": 40}
    own |= {"state": "valid", "fallback_W": None, **hint}
    state = {**STATE, "hints": [own], "binding_sources": {"control": binding}}
    points = in_force.points(state, 1.0, master(Loop()), 60)
    names = ("WSetEna", "WSet", "WSetPct", "WSetRvrtRem")
    assert tuple([points[f"704.{name}"] for name in names]) == shown


class Wire:
    """Takes what is written, and says nothing about the client."""

    def write(self, data):
        pass

    async def drain(self):
        pass


PDU = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from([read("704.WSet", 2), write("715.ControllerHb", b"\0\0\0\1")]),
    st.builds(
        lambda name, value: setting(**{name: value})[0],
        st.sampled_from([name[4:] for name in POINTS if name.startswith("704.W")]),
        st.integers(-100, 100),
    ),
)
MESSAGES = st.lists(st.one_of(st.binary(max_size=30), st.builds(frame, PDU)), max_size=30)
CLIENTS = st.sampled_from(["10.0.0.1", "10.0.0.2", "10.9.9.9", "::1"])
ROLES = st.sampled_from(["cap", "request"])


async def fed(house, client, messages, table):
    """A door has got the messages, in parts of seven bytes."""
    door = Door(house, "plant", {**VALUES, "may": table})
    door._base = house.feed.state, bytes(856)
    connection = Connection(client)
    connection.reader, connection.writer = asyncio.StreamReader(), Wire()
    talk = asyncio.create_task(door.talk(connection))
    for message in messages:
        for at in range(0, len(message), 7):
            connection.reader.feed_data(message[at : at + 7])
            await asyncio.sleep(0)
    connection.reader.feed_eof()
    with contextlib.suppress(Dropped, EOFError):
        await talk


@profile(deadline=None, max_examples=150)
@given(CLIENTS, MESSAGES, ROLES, ROLES)
def test_no_bytes_send_more_than_the_role_of_a_listed_source(client, messages, table, role):
    """Hints of the one source leave, within its role, of at most 300 s, for a listed client."""
    loop = Loop()
    made = Settings("doors.toml", {"ems": Source("ems", "ems.key", role, 600)}, {})
    house = House(made, "/nowhere", "/nowhere", "/nowhere")
    real, house.senders["ems"] = house.senders["ems"], loop

    async def hint(message):
        kind = h.KIND_OF[
            next(n for n, name in sending.NAMES.items() if name == message["quantity"])
        ]
        return await (Loop.hint(loop, message) if sending.may(role, kind) else real.hint(message))

    loop.hint = hint
    house.feed.state = {**STATE}

    asyncio.run(fed(house, client, messages, table))
    allowed = {"charge_W_max", "discharge_W_max", "heartbeat"}
    if "cap" not in (table, role):
        allowed.add("power_W")
    if client not in VALUES["clients"]:
        allowed = set()
    for quantity, value_W, valid_s in loop.sent:
        assert quantity in allowed
        assert 1 <= valid_s <= 300
        assert (
            quantity == "power_W"
            or 0 <= value_W <= 250_000
            or (value_W, valid_s) == (c.UNLIMITED_W, 1)
        )
