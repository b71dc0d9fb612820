"""The door `local`: JSON lines and msgpack, whole, in pieces or wrong, on sockets and a line."""

import contextlib
import json
import os
import socket
import stat
import struct

import msgpack
import pytest
from hinted_site import KEYS, HintedSite, fill
from hypothesis import given, strategies as st

from controller.core.base import hint_codes as h
from controller.doors import listener
from controller.doors.listener import Connection
from controller.doors.local import client as talk, door, framing, messages
from controller.forms.refusal import ConfigError
from controller.hints import wire as w
from controller.rows import reason_words
from controller.system.told import DoorError
from tests.controller.doors.listener_suite import ListenerSuite
from tests.controller.doors.local_site import (
    HELLO,
    HINT,
    Served,
    Stepped,
    ask,
    good,
    is_served,
    line_of,
    running,
    signed,
)
from tests.plug import Plug
from tests.tables import cases

pytestmark = pytest.mark.wire


def all_of(form, *chunks):
    found = []
    for chunk in chunks:
        form.feed(chunk)
        while (taken := form.take()) is not framing.NOT_YET:
            found.append(taken)
    return found


def pieces(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


MESSAGES = [{"hello": "a"}, {"value_W": -5, "mac": "00"}, {}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@cases(r"""pack  byte
    lambda each: json.dumps(each).encode() + b"\n"  b"{"
    lambda each: json.dumps(each).encode() + b"\r\n \n"  b"\n"
    msgpack.packb  b"\x81"
    lambda each: framing.LENGTH.pack(len(msgpack.packb(each))) + msgpack.packb(each)  b"\0"
""")
def test_messages_arrive_in_any_pieces(pack, byte, size):
    stream = b"".join(map(pack, MESSAGES))
    assert all_of(framing.framing_of(byte[0]), *pieces(stream, size)) == MESSAGES


@cases(r"""line
    b"{" | b"[]" | b"7" | b"\xff\xfe" | b"{}{}" | b"[" * 4000 | b"nonsense" | b'{"a": 1e999999,}'
    b'{"a":' * 700""")
def test_a_wrong_line_counts_as_one_refused_message(line):
    assert all_of(framing.JsonLines(), line + b"\n" + b'{"a": 1}\n') == [None, {"a": 1}]


@pytest.mark.parametrize("more, wanted", [(0, {"a": "x"}), (1, None), (95_904, None)])
@pytest.mark.parametrize("size", [1000, 4096, 200_000])
def test_a_line_that_is_too_long_is_refused_once_and_the_next_is_read(more, wanted, size):
    line = b'{"a": "x"' + b" " * (framing.MESSAGE_BYTES_MAX - 10 + more) + b"}"
    found = all_of(framing.JsonLines(), *pieces(line + b'\n{"b": 2}\n', size))
    assert found == [wanted, {"b": 2}]


WIDE = b"\xff" * 4


@pytest.mark.parametrize("data", [b"\x81", b"\x81\xa1", b"\0\0\0", b"\0\0\0\5\x81"])
def test_half_a_map_waits_for_its_rest(data):
    assert all_of(framing.framing_of(data[0]), data) == []


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x80\xc1", b"\x80\x07", b"\0\0\x20\x01" + bytes(10), b"\0\xff\xff\xff"),
        *(b"\0\0\0\1\x07", b"\0\0\0\2\x80\x80", b"\0\0\0\0", b"\0\0\0\1\xc0"),
        *(b"\x80\xc0", b"\x81\x07\x07", b"\x81\x90\x07", b"\x81\xa1\xff\x07"),
        *(b"\xdf" + WIDE + b"\x07" * 9000, b"\x81\xa1a\xdb" + WIDE + b"x" * 9000),
        *(b"\x81\xa1a\xc7\x0c" + b"\xff" * 13, b"\x81\xa1a" + b"\x91" * 3000 + b"\x07"),
    ],
)
def test_wrong_msgpack_ends_the_stream(data):
    with pytest.raises(framing.StreamError):
        all_of(framing.framing_of(data[0]), data)


@pytest.mark.parametrize("head", [b"", b"\0\0\x20\0"])
def test_a_map_of_8192_bytes_is_taken(head):
    whole = head + msgpack.packb({"a": "x" * 8186})
    assert [len(each["a"]) for each in all_of(framing.framing_of(whole[0]), whole)] == [8186]


@given(st.binary(min_size=1, max_size=6000), st.integers(1, 4096))
def test_no_bytes_break_a_framing(data, size):
    try:
        found = all_of(framing.framing_of(data[0]), *pieces(data, size))
    except framing.StreamError:
        return
    assert all(each is None or isinstance(each, dict) for each in found)


def test_a_message_becomes_the_fixed_layout():
    data = messages.datagram(good(purpose=9, kind="grid_cap"))
    assert data == w.unsigned(HINT._replace(purpose=9)) + b"\xab" * 32
    assert messages.datagram(good(nonce=bytes(8), mac=b"\xab" * 32, purpose=9)) == data
    assert messages.datagram({"hello": "site_ems"}) == w.hello("site_ems")
    for sign in (-1, 1):
        most = {"sequence": 2**64 - 1, "sent_ms": 2**64 - 1, "valid_ms": 2**32 - 1}
        most |= {"value_W": 2**31 - 1 if sign > 0 else -(2**31), "purpose": 65_535}
        assert messages.datagram(good(**most)) == w.unsigned(HINT._replace(**most)) + b"\xab" * 32


@pytest.mark.parametrize("change", [{}, {"sequence": 2}, {"source": "site_em"}])
def test_a_reply_to_another_message_is_not_the_answer(change):
    numbers = dict.fromkeys(w.Reply._fields, 0) | {"code": h.GRANTED, "kind": 3, "quantity": 4}
    reply = w.Reply(**numbers | {"source": "site_ems", "nonce": bytes(8), "sequence": 1} | change)
    found = messages.answer(w.reply_bytes(reply, KEYS["site_ems"]), good())
    assert (found is None) == bool(change)


@cases(r"""fields  words
    {"source": 7}  "hint:source: 7 is not allowed; allowed a text"
    {"source": ""}  "1 .. 16 ASCII"
    {"source": "\ud800"}  "'\\ud800': a source's name is 1 .. 16 ASCII"
    {"nonce": "00"}  "not 8 bytes"
    {"nonce": "zz" * 8}  "nonce is missing or not 8 bytes; allowed as text: 16 digits"
    *(({"mac": each}, "mac is missing or not 32") for each in (7, None, "x" * 64, "\u0661" * 64))
    *(({"sequence": each}, "is not allowed; allowed 0..1844") for each in (-1, 2**64))
    *(({"sequence": each}, "whole number") for each in (True, 1.0))
    {"value_W": 2**31}  "2147483647"
    {"valid_ms": -1}  "hint:valid_ms: -1 is not allowed; allowed 0..4294967295"
    {"purpose": 65_536}  "0..65535"
    {"purpose": None}  "purpose"
    {"quantity": "power"}  "charge_W_max"
    {"quantity": ["x"]}  'hint:quantity: ["x"] is not allowed; allowed a text'
    {"kind": "cap"}  "'grid_cap'"
    {"valid_s": 5}  'valid_s: is not a known key; nearest key "valid_ms"'
    {"hello": 7}  "message:hello: 7 is not allowed; allowed a text"
    {"hello": "x" * 17}  "1 .. 16"
    {"quantity": "x" * 4000}  "not allowed"
""")
def test_a_wrong_message_is_refused_in_one_line(fields, words):
    with pytest.raises(ConfigError) as refused:
        messages.datagram(good(**fields))
    text = str(refused.value)
    assert words in text and len(text) <= 200 and "\n" not in text


@pytest.fixture
def served(tmp_path):
    with running(tmp_path) as place:
        yield place


def test_json_lines(served):
    client = served.client()
    welcome = ask(client, HELLO)
    assert welcome.keys() == {"source", "nonce", "uptime_ms", "sequence"}
    reply = ask(client, signed(welcome))
    names = ("code", "granted", "granted_W", "sequence")
    assert [reply[name] for name in names] == [h.GRANTED, True, 400_000, 1]
    record = {name: reply[name] for name in w.Reply._fields}
    record |= {"kind": 3, "quantity": 4, "nonce": bytes.fromhex(reply["nonce"])}
    assert reply["mac"] == w.reply_bytes(w.Reply(**record), KEYS["site_ems"])[-32:].hex()
    refused = ask(client, signed(welcome, sequence=2, valid_ms=900_000))
    names = ("code", "label", "granted", "granted_W", "remedy")
    assert [refused[name] for name in names] == [31, "H31", False, 400_000, h.text(31)[2]]


def test_the_status_has_power_and_available_power(served, monkeypatch):
    client = served.client()
    found = ask(client, {"status": "site_ems"})
    assert found.keys() == {*w.State._fields, "low_why", "high_why", "binding_why", "mac"}
    assert (found["source"], found["control_source"]) == ("site_ems", None)
    for name in ("low", "high", "binding"):
        code = found[f"{name}_reason"]
        assert found[f"{name}_why"] == (f"R{code} {reason_words.text(code)[0]}" if code else None)
    record = {name: found[name] for name in w.State._fields}
    record |= {"nonce": bytes.fromhex(found["nonce"]), "control_source": ""}
    record["remaining_Wh"] = -1 if found["remaining_Wh"] is None else found["remaining_Wh"]
    assert found["mac"] == w.state_bytes(w.State(**record), KEYS["site_ems"])[-32:].hex()
    assert ask(client, signed(ask(client, HELLO)))["code"] == h.GRANTED
    monkeypatch.setattr(talk, "ANSWER_S", 0.05)
    assert ask(client, {"status": "nobody"})["code"] == h.NO_ANSWER
    assert ask(client, {"status": 7})["sentence"].startswith("message:status: 7 is not allowed")


def test_any_client_gets_the_head_of_the_record(served):
    client, path = served.client(), served.site.run_dir / "record.head"
    none = {"id": None, "hash": None}
    assert ask(client, {"head": True}) == none
    path.write_text(json.dumps({"id": 42, "hash": "ab" * 32, "meta": {"position": 7}}))
    assert ask(client, {"head": True}) == {"id": 42, "hash": "ab" * 32}
    path.write_text('{"id": 42, "hash": "ab')
    assert ask(client, {"head": True}) == none
    refused = ask(client, {"head": False})
    assert refused["code"] == h.NOT_UNDERSTOOD
    assert refused["sentence"].endswith('allowed {"head": true}')
    other = served.client()
    other.sendall(msgpack.packb({"head": True}))
    assert msgpack.unpackb(other.recv(4096)) == none
    assert is_served(client)


@pytest.mark.parametrize("prefixed", [False, True])
def test_msgpack_has_the_same_fields(served, prefixed):
    client = served.client()

    def answer_to(message):
        data = msgpack.packb(message)
        client.sendall((struct.pack(">I", len(data)) if prefixed else b"") + data)
        unpacker = msgpack.Unpacker()
        if prefixed:
            length = struct.unpack(">I", client.recv(4, socket.MSG_WAITALL))[0]
            return msgpack.unpackb(client.recv(length, socket.MSG_WAITALL))
        while True:
            unpacker.feed(client.recv(4096))
            for found in unpacker:
                return found

    message = signed(answer_to(HELLO))
    as_bytes = {name: bytes.fromhex(message[name]) for name in ("nonce", "mac")}
    reply = answer_to({**message, **as_bytes})
    other = served.client()
    by_line = ask(other, signed(ask(other, HELLO)))
    assert reply.keys() == by_line.keys() and reply["code"] == by_line["code"] == h.GRANTED


class TestListener(ListenerSuite):
    opened = staticmethod(running)
    WRONG = [
        (b"garbage", [h.NOT_UNDERSTOOD]),
        (b"\n{}", [h.NOT_UNDERSTOOD]),
        (b"x" * 10_000, [h.NOT_UNDERSTOOD]),
    ]


@pytest.mark.parametrize("data", [b"\x80\xc1\xc1\xc1", b"\x80\xc0\x80"], ids=["no msgpack", "nil"])
def test_wrong_msgpack_is_answered_and_ends_only_that_connection(served, data):
    wrong, other = served.client(), served.client()
    wrong.sendall(data)
    unpacker = msgpack.Unpacker()
    unpacker.feed(served.until_closed(wrong))
    # one for the empty map, one for the value that is not a map
    assert [each["code"] for each in unpacker] == [h.NOT_UNDERSTOOD] * 2
    assert is_served(other)


def test_a_hint_with_a_wrong_key_gets_no_answer_code(served, monkeypatch):
    monkeypatch.setattr(talk, "ANSWER_S", 0.05)
    client = served.client()
    welcome = ask(client, HELLO)
    assert ask(client, signed(welcome, key=bytes(32)))["code"] == h.NO_ANSWER
    assert ask(client, {"hello": "nobody"})["code"] == h.NO_ANSWER
    assert ask(client, signed(welcome))["code"] == h.GRANTED


def test_the_seventeenth_connection_is_refused_until_one_is_idle(served):
    clients = [served.client() for _ in range(16)]
    for each in clients:
        assert ask(each, HELLO)
    served.links[3].last_request_us -= 300_000_000
    assert ask(clients[3], HELLO)  # what it sends counts
    for silent_s in (0, 200):
        served.links[3].last_request_us -= silent_s * 1_000_000
        late = served.client()
        assert line_of(late)["code"] == h.CROWDED and late.recv(1) == b""
    served.links[3].last_request_us -= 100_000_000  # now silent for 300 s, the limit in SENDING.md
    assert is_served(served.client())
    assert clients[3].recv(1) == b""


def test_a_process_with_all_places_loses_one_to_another_process(served):
    with served.crowd():
        served.links[-1].last_request_us -= 100_000_000  # it is silent for longest
        oldest = served.links[-1]
        clients = [served.client() for _ in range(8)]
        for each in clients:
            assert is_served(each)
        assert oldest not in served.links
        late = served.client()  # eight each: no process holds more than the newcomer would
        assert line_of(late)["code"] == h.CROWDED
        for each in clients:
            assert is_served(each)


@cases("""held  newcomer  given_up
    [(1, 1)] * 3 + [(2, 2)] * 2  (2, 3)  None
    [(1, 1)] * 3 + [(2, 2)]  (3, 3)  1
    [(1, 1), (1, 2), (1, 3)]  (2, 9)  1
    [(1, 1), (2, 2), (3, 3)]  (4, 4)  None""")
def test_a_user_with_most_places_loses_one(held, newcomer, given_up):
    """The number of processes of the user does not matter."""
    links = [Connection(f"{user}/{process}") for user, process in (newcomer, *held)]
    found = door.greediest(links[1:], links[0], door.user_of)
    assert {each.client[0] for each in found} == ({str(given_up)} if given_up else set())


def test_a_late_answer_does_not_count_for_the_next_message(tmp_path):
    with Stepped(tmp_path) as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as loop:
        loop.bind(str(tmp_path / "hints.sock"))
        client = place.client()
        client.sendall(b'{"hello": "a"}\n{"hello": "b"}\n')
        place.turn(0)
        _, late = loop.recvfrom(100)
        place.turn(1_999_999)
        assert place.received(client) == b""
        place.turn(2_000_000)
        assert json.loads(place.received(client))["code"] == h.NO_ANSWER
        with contextlib.suppress(ConnectionRefusedError):
            loop.sendto(w.WELCOME.pack(w.WELCOME_MAGIC, bytes(8), 5, 7), late)
        place.turn(2_000_001)
        assert place.received(client) == b"" and loop.recv(100) == w.hello("b")


def test_the_door_wakes_for_the_first_deadline_and_a_lost_adapter(tmp_path):
    line = Plug(tmp_path / "tty")
    with (
        Stepped(tmp_path, serial=line.path) as place,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as loop,
    ):
        loop.bind(str(tmp_path / "hints.sock"))
        assert place.due_s() is None
        place.client().sendall(place.GOOD)
        place.turn(1_000_000)
        assert place.due_s() == 3.0
        line.pull_out()
        place.turn(1_500_000)
        assert place.due_s() == 1.7


def test_the_door_reports_a_missing_controller_and_finds_it_again(tmp_path):
    site = HintedSite(tmp_path)
    with Served(site) as served:
        client = served.client()
        site.listener.close()
        assert ask(client, HELLO)["code"] == h.NO_CONTROLLER
        site.reopen({})
        with site.pumped():
            assert is_served(client)
    site.close()


def test_the_door_reports_a_full_queue_of_the_loop(tmp_path, monkeypatch):
    monkeypatch.setattr(talk, "SEND_S", 0.05)
    site = HintedSite(tmp_path)
    with Served(site) as served:
        flood = fill(str(site.run_dir / "hints.sock"))
        client = served.client()
        answer = ask(client, HELLO)
        assert answer["code"] == h.BUSY
        assert answer["sentence"].startswith("The queue of hints is full")
        with site.pumped():
            while "code" in (answer := ask(client, HELLO)):
                assert answer["code"] == h.BUSY
    for each in (site, *flood):
        each.close()


class Line(Plug):
    def ask(self, data):
        os.write(self.master, data)
        found = self.take(1)
        while not found.endswith(b"\n"):
            found += self.take(1)
        return json.loads(found)


@pytest.fixture
def on_line(tmp_path):
    line = Line(tmp_path / "tty")
    with running(tmp_path, serial=line.path) as served:
        yield served, line
    line.pull_out()


def test_json_lines_on_a_serial_line_with_noise(on_line):
    served, line = on_line
    assert line.ask(b"\x81\x00\xffnoise\n")["code"] == h.NOT_UNDERSTOOD
    welcome = line.ask(served.GOOD)
    assert line.ask(json.dumps(signed(welcome)).encode() + b"\r\n")["code"] == h.GRANTED
    assert ask(served.client(), HELLO)["sequence"] == 1


def test_a_serial_adapter_that_is_unplugged_and_plugged_in_again(on_line):
    served, line = on_line
    client, port = served.client(), served.door.line.port
    assert line.ask(served.GOOD)["source"] == "site_ems"
    line.pull_out()
    while port.fileno() >= 0:
        assert is_served(client)
    line.plug_in()
    while port.fileno() < 0:
        assert is_served(client)
    assert line.ask(served.GOOD)["source"] == "site_ems"


def test_the_door_replaces_a_left_over_socket_and_no_other_file(tmp_path):
    path = tmp_path / "upstream.sock"
    with listener.opened(str(path), None) as first:
        with pytest.raises(DoorError, match="another gateway"):
            listener.at_path(str(path))
        first.close()  # as after kill -9: the file stays
        with listener.opened(str(path), None):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert not path.exists()
        path.write_text("mine")
        with pytest.raises(DoorError, match="is not a socket"):
            listener.at_path(str(path))
        assert path.read_text() == "mine"
