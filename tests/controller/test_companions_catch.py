"""One odd item ends no process that serves many: each loop of a companion has a last catcher.

The loops are found in the syntax tree. A loop with a catcher of its own, `with caught.Last(...)`,
needs no line here; each other loop has one below, and a test that throws into it.
"""

import ast
import asyncio
import re
import types

import pytest
from fleet_messages import NAMES, NOW_US, fleet, hear, heard, report

from controller.console import planner as planner_command
from controller.core.base import hint_codes as h
from controller.dispatch import overview, service
from controller.dispatch.dispatcher import Dispatcher
from controller.doors import process
from controller.doors.modbus import door as modbus
from controller.doors.mqtt import waiting
from controller.hints import wire as w
from controller.mqtt import link
from controller.planner import process as planner_process
from controller.system import caught, clock
from controller.watch import __main__ as watch, pods
from tests.repository import ROOT, tree

ROOMS = re.compile(
    r"controller/(console|dispatch|doors|hints|mqtt|planner|recorder|run|state|store|watch)/"
)
# loop: (what catches an exception of it, the largest harm of one, the test that throws into it)
ELSEWHERE = {
    "console/terminal/process.py run": (
        "the loop's `turn`, by `_last`",
        "a key has no effect",
        "test_an_exception_is_one_line_and_the_console_goes_on",
    ),
    "dispatch/reader.py _turns": (
        "Overview.hear",
        "a message is left out and named",
        "test_a_message_that_raises_is_named_on_the_page",
    ),
    "dispatch/reader.py watch": (
        "none: it serves one person",
        "the page or the roll-out ends",
        "test_a_message_that_raises_is_named_on_the_page",
    ),
    "dispatch/service.py _connected": (
        "each item of Service._turn",
        "a cabinet gets no new share in this turn",
        "test_one_cabinet_leaves_the_others_their_shares",
    ),
    **dict.fromkeys(
        [
            "doors/alarms/door.py run",
            "doors/mqtt/door.py _listen",
            "mqtt/link.py reconnecting",
            "doors/mqtt/outlet.py run",
        ],
        ("process._kept", "one door is closed for 5 s", "test_a_door_that_raises_is_opened_again"),
    ),
    **dict.fromkeys(
        [
            "doors/http/stream.py events",
            "doors/local/client.py _heard",
            "doors/local/framing.py take",
        ]
        + ["doors/local/door.py read", "doors/modbus/door.py talk"],
        (
            "Listener._serve, or the serial line's `_follow`",
            "one connection is closed",
            "test_a_fault_in_the_door_ends_one_client_with_one_line",
        ),
    ),
    "doors/listener.py run": (
        "process._kept",
        "one door is closed for 5 s",
        "test_a_door_that_raises_is_opened_again",
    ),
    "doors/process.py _alive": (
        "none: it handles no item",
        "systemd starts the doors again",
        "test_a_door_that_raises_is_opened_again",
    ),
    "run/loop.py _slack": (
        "none: what it has not expected ends the controller",
        "the permits fall and the cabinet opens; systemd starts it again",
        "test_after_kill_9_the_next_start_waits_for_a_reset_which_is_stored_first",
    ),
    **dict.fromkeys(
        ["store/keeper.py poll", "store/keeper.py serve", "store/keeper.py _received"],
        (
            "none: the keeper ends, and the loop knows it",
            "no contactor closes and no reset is accepted until a restart",
            "test_a_killed_keeper_is_detected_and_does_not_block",
        ),
    ),
    "watch/kube_api.py listed": (
        "Pods.run",
        "pods are unknown until the next list",
        "test_a_list_of_pods_that_raises_is_asked_for_again",
    ),
}


def is_endless(node):
    text = ast.unparse(node.test) if isinstance(node, ast.While) else ""
    return text == "True" or re.search(r"\.asked|\.is_set\(\)|\.is_\w+$", text) is not None


def catches(loop):
    """True if the loop's body has a catcher, by the names that hold one."""
    items = [each for node in ast.walk(loop) if isinstance(node, ast.With) for each in node.items]
    return any(re.search(r"\b(_?last|fault)\b", ast.unparse(each.context_expr)) for each in items)


def loops():
    """{place of an endless loop: whether it catches by itself}."""
    found = {}
    for path in tree():
        name = path.relative_to(ROOT).as_posix()
        if not ROOMS.match(name) or path.suffix != ".py" or "/examples/" in name:
            continue
        for part in ast.walk(ast.parse(path.read_text())):
            if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                for loop in filter(is_endless, ast.walk(part)):
                    place = f"{name.removeprefix('controller/')} {part.name}"
                    found[place] = found.get(place, True) and catches(loop)
    return found


def test_every_loop_has_a_last_catcher():
    found = loops()
    assert len(found) > len(ELSEWHERE)
    assert {place for place, is_own in found.items() if not is_own} == set(ELSEWHERE)


def test_every_line_names_a_test():
    text = "\n".join(each.read_text() for each in tree() if each.name.startswith("test_"))
    for what, harm, case in ELSEWHERE.values():
        assert what and harm and f"def {case}(" in text, case


# -- the dispatcher


class Broker:
    is_clear = True

    def __init__(self):
        self.sent = []

    def check(self):
        pass

    def send(self, topic, data, retain=False):
        self.sent.append(topic.split("/")[1])


@pytest.fixture
def serving(monkeypatch, tmp_path):
    monkeypatch.setattr(service, "GREET_US", 0)
    made = service.Service(fleet(NAMES[:3]), str(tmp_path / "epoch.json"), False, ())
    made._fleet = made._fleet._replace(
        cabinets=tuple(each._replace(key=b"k" * 32) for each in made._fleet.cabinets)
    )
    asyncio.run(made._begin(Broker()))
    return made


def raiser(*_, **__):
    raise ArithmeticError("odd")


def odd_one(real, name_of):
    """The real function, which raises for hall1."""

    def made(self, first, *rest):
        if name_of(self, first) == "hall1":
            raise ArithmeticError("odd")
        return real(self, first, *rest)

    return made


BY_NAME, BY_PLACE = lambda _, name: name, lambda self, at: self.members[at].cabinet.name
HANDLERS = {
    "hear_report": BY_NAME,
    "hear_answer": BY_NAME,
    "_datagrams": BY_PLACE,
    "_known_view": BY_PLACE,
    "_shown": BY_PLACE,
}


@pytest.mark.parametrize("handler", HANDLERS)
def test_one_cabinet_leaves_the_others_their_shares(serving, monkeypatch, capfd, handler):
    """Each handler that takes one cabinet throws at hall1, and the turn goes on with the others."""
    broker, own = Broker(), serving._dispatcher
    real = getattr(Dispatcher, handler)
    monkeypatch.setattr(Dispatcher, handler, odd_one(real, HANDLERS[handler]))
    for name in NAMES[:3]:
        serving._reports[name] = b'{"state": "running"}'
        serving._answers.append((name, b"odd"))
    for member in own.members:
        member.restarted(clock.now_us())
    serving._turn(broker)
    assert {"hall2", "hall3"} <= set(broker.sent)
    assert own.last.count >= 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("firebreak: dispatch: a cabinet is left out of a turn (hall1): Arith")


@pytest.mark.parametrize("handler", ["step", "problems", "facts"])
def test_a_part_of_the_turn_that_raises_ends_nothing(serving, monkeypatch, capfd, handler):
    monkeypatch.setattr(Dispatcher, handler, raiser)
    serving._turn(Broker())
    assert capfd.readouterr().err.count("\n") == 1


def test_every_handler_of_the_dispatcher_that_takes_one_cabinet_is_thrown_at():
    text = (ROOT / "controller/dispatch/dispatcher.py").read_text()
    methods = [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef)]
    takes = {each.name for each in methods if {"place", "name"} & {a.arg for a in each.args.args}}
    inside = {"_wanted_W", "_next_W", "_view"}  # called by those
    assert takes - inside == set(HANDLERS)


@pytest.mark.parametrize("code", [0, 10, 46, 200, 65_535])
def test_a_code_of_a_later_release_is_a_refusal_with_a_name(serving, code):
    own, broker = serving._dispatcher, Broker()
    broker.send = lambda topic, data, retain=False: broker.sent.append((topic, data))
    serving._turn(broker)
    data = next(data for topic, data in broker.sent if "/hall1/command" in topic)
    asked = w.hint_of(data)
    head = asked.sequence, 5000, code, asked.kind, asked.quantity, asked.value_W
    reply = w.Reply("fleet", b"12345678", *head, 0, 0, 200_000, *[0] * 6)
    before = own.ledger.shares[0].answered
    own.hear_answer("hall1", w.reply_bytes(reply, b"k" * 32), clock.now_us())
    assert own.problems()[0][0] == "hall1" and f"unknown code {code}" in own.problems()[0][1]
    assert not h.taken(code) and own.ledger.shares[0].answered == before
    assert own.counts["refused_unknown_code"] == 1


@pytest.mark.parametrize(("uptime_ms", "is_good"), [((1 << 63) - 1, True), (1 << 63, False)])
def test_an_uptime_that_no_hint_can_hold_is_refused(serving, uptime_ms, is_good):
    own, broker = serving._dispatcher, Broker()
    broker.send = lambda topic, data, retain=False: broker.sent.append((topic, data))
    serving._turn(broker)
    asked = w.hint_of(next(data for topic, data in broker.sent if "/hall1/command" in topic))
    head = asked.sequence, uptime_ms, h.GRANTED, asked.kind, asked.quantity, asked.value_W
    reply = w.Reply("fleet", b"12345678", *head, 0, 0, 200_000, *[0] * 6)
    own.hear_answer("hall1", w.reply_bytes(reply, b"k" * 32), clock.now_us())
    assert own.members[0].exchange.is_known == is_good
    assert (own.problems() == []) == is_good
    later_us = clock.now_us() + 50_000_000
    own.members[0].restarted(later_us)
    own.step(later_us)
    assert own.last.count == 0


# -- the others


def test_a_message_that_raises_is_named_on_the_page(monkeypatch):
    seen = heard()
    monkeypatch.setattr(overview, "full_report", raiser)
    hear(seen, "firebreak/hall2/report", report())
    (line,) = seen.odd
    assert line.startswith("a message is left out (firebreak/hall2/report): ArithmeticError")
    monkeypatch.undo()
    hear(seen, "firebreak/hall2/report", report(alarms=3))
    assert seen.cabinets(NOW_US)["hall2"]["alarms"] == 3


def test_a_message_that_raises_leaves_the_connection(capfd):
    found = types.SimpleNamespace(
        _received=0, _heard=raiser, _last=caught.Last("a message is left out", 20)
    )
    message = types.SimpleNamespace(topic="t", payload=b"", retain=False, properties=None)
    link.Link._on_message(found, None, None, message)
    assert capfd.readouterr().err.startswith("firebreak: a message is left out: ArithmeticError")


def test_a_command_that_raises_leaves_the_next_one():
    taken = []

    async def use(command):
        taken.append(command.message)
        if len(taken) == 1:
            raise ArithmeticError

    async def served():
        queue = waiting.Waiting({}, lambda _: "")
        for payload in (b"1", b"2"):
            queue.take(link.Message("t", payload, False, "", None, None))
        task = asyncio.create_task(queue.serve("odd", use))
        while len(taken) < 2:
            await asyncio.sleep(0)
        task.cancel()

    asyncio.run(served())
    assert [each.payload for each in taken] == [b"1", b"2"]


def test_a_door_that_raises_is_opened_again(monkeypatch):
    opened = []

    class Door:
        def __init__(self, *_):
            opened.append(self)

        async def run(self):
            if len(opened) == 3:
                raise asyncio.CancelledError
            raise ArithmeticError

    monkeypatch.setattr(process, "AGAIN_S", 0)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(process._kept("x.y", Door, None, "y", {}))


def test_the_state_of_the_modbus_door_is_followed_after_a_fault(capfd):
    turns = []

    async def changed():
        turns.append(1)
        if len(turns) == 3:
            raise asyncio.CancelledError
        raise ArithmeticError

    door = types.SimpleNamespace(
        listener=types.SimpleNamespace(connections=[1]),
        _house=types.SimpleNamespace(feed=types.SimpleNamespace(changed=changed)),
        _last=caught.Last("odd", 20),
    )
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(modbus.Door._follow(door))
    assert door._last.count == 2 and capfd.readouterr().err.count("\n") == 1


def test_a_planner_whose_step_raises_goes_on_and_feeds_no_watchdog(monkeypatch, tmp_path):
    log, steps = [], iter([True, False, True])

    class Planner:
        def __init__(self, *_):
            pass

        def step(self):
            log.append("step")
            if next(steps):
                raise ArithmeticError

    class Stop:
        def __init__(self, *_):
            self.wait = lambda _: None

        @property
        def asked(self):
            return log.count("step") == 3

    notifier = types.SimpleNamespace(
        ready=lambda *_: None, stopping=lambda: None, alive=lambda: log.append("alive")
    )
    monkeypatch.setattr(planner_process, "Process", Planner)
    monkeypatch.setattr(planner_command, "Stop", Stop)
    monkeypatch.setattr(planner_command.realtime, "Notifier", lambda: notifier)
    words = {name: str(tmp_path) for name in ("run_dir", "state_dir", "plan_dir")}
    given = types.SimpleNamespace(**words, site="x", key_file="k", source="p", trust_clock=True)
    assert planner_command._run(given) == 0
    assert log == ["step", "step", "alive", "step"]


def test_a_list_of_pods_that_raises_is_asked_for_again(monkeypatch):
    rounds = []

    def failing(self):
        rounds.append(1)
        if len(rounds) == 3:
            raise SystemExit
        raise ArithmeticError

    monkeypatch.setattr(pods.Pods, "round", failing)
    monkeypatch.setattr(pods.threading.Event, "wait", lambda *_: True)
    made = pods.Pods.__new__(pods.Pods)
    made._heard_us, made._version = 0, ""
    with pytest.raises(SystemExit):
        made.run()


def test_a_queue_that_raises_is_read_again(monkeypatch, capsys):
    stop = types.SimpleNamespace(asked=False, wait=lambda _: None)
    turns = []

    def queue():
        turns.append(1)
        stop.asked = len(turns) == 2
        raise ArithmeticError

    found = types.SimpleNamespace(
        opened=lambda: types.SimpleNamespace(queue=queue),
        values={"horizon_s": 1, "gate": None, "every_s": 1},
        telemetry=lambda _: None,
    )
    assert watch.run(found, types.SimpleNamespace(), stop) == 0 and len(turns) == 2
    assert capsys.readouterr().out.count("a turn ended here: ArithmeticError") == 1
