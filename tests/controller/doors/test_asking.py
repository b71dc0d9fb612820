"""{"ask": ...} through a door: the answer of `firebreak ask`, or one line."""

import ast
import json
import queue
import threading

import pytest
from ask_bench import situation as made
from hinted_site import HintedSite
from plan_cases import NOW_S, plan

from controller.doors import asking
from controller.journal.ring import JournalError
from controller.state import ask as answers
from controller.state.forecast import Job
from tests.controller.doors.doors_site import GUARD_S
from tests.controller.doors.local_site import HELLO, Served, ask, is_served, line_of, running
from tests.repository import ROOT
from tests.tables import cases

JOB = {"power_W": 250_000, "at_s": 60, "for_s": 600}


@cases(r"""job  words
    7  "ask: 7 is not allowed; allowed an object with power_W, at_s, for_s"
    {"power_W": 1}  "ask:for_s: is missing; allowed 1..86400"
    {**JOB, "x": 1}  "ask:x: is not a known key; allowed power_W, at_s, for_s"
    {**JOB, "power_W": 0}  "ask:power_W: 0 is not allowed; allowed 1..1000000000"
    {**JOB, "power_W": 10**9 + 1}  "power_W: 1000000001 is" | {**JOB, "power_W": True}  ": true is"
    {**JOB, "at_s": -1}  "at_s: -1 is not allowed; allowed 0..86400"
    {**JOB, "at_s": 1.5}  "at_s: 1.5 is" | {**JOB, "at_s": None}  "at_s: null is"
    {**JOB, "for_s": 0}  "for_s: 0 is" | {**JOB, "for_s": 86_401}  "for_s: 86401 is"
    "x" * 99  'ask: "x{56}... is not allowed'
""")
def test_a_wrong_job_is_refused_in_one_line(job, words):
    with pytest.raises(ValueError, match=words):
        asking.job_of(job)


def test_a_job_may_begin_now():
    assert asking.job_of({"power_W": 1, "for_s": 86_400}) == Job(1, 0, 86_400)


def test_the_journal_is_read_once_a_second(monkeypatch):
    read = []
    monkeypatch.setattr(asking.situation, "of_journal", lambda *given: read.append(given) or made())
    asking._situation.cache_clear()
    for now_us in (5_000_000, 5_999_999, 6_000_000):
        assert asking.answer("here", JOB, now_us) == answers.answer(made(), Job(**JOB))
    assert [path for path, _ in read] == ["here/journal"] * 2


def test_the_plan_beside_the_controller_is_read_once_a_second(monkeypatch):
    read = []
    monkeypatch.setattr(asking.situation, "of_journal", lambda *given: made())
    monkeypatch.setattr(asking.job_in_plan, "read", lambda *given: read.append(given) or plan())
    monkeypatch.setattr(asking.clock, "utc_us", lambda: int(NOW_S * 1e6))
    asking._situation.cache_clear()
    for now_us in (15_000_000, 15_999_999, 16_000_000):
        assert asking.answer("here", JOB, now_us)["plan"]["currency"] == "EUR"
    assert read == [("here",)] * 2


def test_a_journal_that_cannot_be_read_is_tried_once_a_second(monkeypatch):
    """Each try waits for a tick: a client that asks again and again would silence the others."""
    tried = []

    def fails(*given):
        tried.append(given)
        raise JournalError("no tick")

    monkeypatch.setattr(asking.situation, "of_journal", fails)
    asking._situation.cache_clear()
    for now_us in (5_000_000, 5_999_999):
        assert asking.answer("here", JOB, now_us)["unknown"] == ["no controller found: no tick"]
    assert len(tried) == 1


@pytest.mark.wire
def test_a_door_answers_without_the_loop_and_goes_on(tmp_path, monkeypatch):
    site = HintedSite(tmp_path)
    asking._situation.cache_clear()
    with Served(site) as served:
        client = served.client()
        told = ask(client, {"ask": JOB})
        assert told["answer"] == "not known", "its journal has no tick"
        refused = ask(client, {"ask": {"power_W": 1}})
        assert (refused["code"], refused["sentence"][:21]) == (41, "ask:for_s: is missing")
        monkeypatch.setattr(asking.situation, "of_journal", lambda *given: made())
        asking._situation.cache_clear()
        assert ask(served.client(), {"ask": JOB})["answer"] == "yes"
        with site.pumped():
            assert is_served(client)
    site.close()


@pytest.fixture
def slow(tmp_path, monkeypatch):
    """(door, function) of questions that wait for a call of the function, and then answer the power
    that they were asked for. A job of 13 W is a fault of the program. `begun`: those questions.
    """
    may_end, begun = threading.Semaphore(0), queue.Queue()

    def answer(run_directory, job, now_us):
        begun.put(job)
        assert may_end.acquire(timeout=GUARD_S)
        if job == 13:
            raise LookupError
        return {"answer": job}

    monkeypatch.setattr(asking, "answer", answer)
    with running(tmp_path) as served:
        served.begun = begun
        yield served, may_end.release


def put(client, power_W):
    client.sendall(json.dumps({"ask": power_W}).encode() + b"\n")


@pytest.mark.wire
def test_a_question_delays_no_other_client(slow):
    served, open_door = slow
    asking_clients = [served.client() for _ in range(4)]
    for each, client in enumerate(asking_clients):
        put(client, each)
    other = served.client()
    for _ in range(5):  # while no question has an answer
        assert is_served(other)
    for each, client in enumerate(asking_clients):
        open_door()
        assert line_of(client) == {"answer": each}


@pytest.mark.wire
def test_questions_are_answered_one_per_client_in_turn(slow):
    served, open_door = slow
    first, second = served.client(), served.client()
    put(first, 1)
    put(first, 2)
    put(first, 3)
    assert ask(served.client(), HELLO)  # the door has read what was sent before
    put(second, 4)
    assert ask(served.client(), HELLO)
    open_door()
    assert line_of(first) == {"answer": 1}
    open_door()
    assert line_of(second) == {"answer": 4}
    for each in (2, 3):
        open_door()
        assert line_of(first) == {"answer": each}


@pytest.mark.wire
def test_a_client_that_leaves_and_a_fault_of_the_program_cost_their_question(slow):
    served, open_door = slow
    clients = [served.client() for _ in range(5)]
    for client, power_W in zip(clients, (0, 1, 13, 3, 4)):
        put(client, power_W)
        assert is_served(served.client())
        served.opened.pop().close()
    for each in (3, 0):  # one leaves before its turn, one while it is answered
        clients[each].close()
        served.opened.remove(clients[each])
    for _ in clients:
        open_door()
    assert line_of(clients[1]) == {"answer": 1} and line_of(clients[4]) == {"answer": 4}
    assert clients[2].recv(99) == b""


@pytest.mark.wire
def test_the_end_of_a_door_waits_for_no_question(slow):
    served, open_door = slow
    for each in range(3):
        put(served.client(), each)
        assert is_served(served.client())
    assert served.begun.get(timeout=GUARD_S) == 0  # the worker has taken the first one
    served.stop()
    open_door()
    asking._WORKER.submit(int).result(GUARD_S)
    assert served.begun.empty()


ANSWERS = {*("asking.answer", "asking.answered", "job_in_plan.joined", "ask.answer")}


def test_no_question_is_answered_in_the_thread_of_others():
    """A door awaits asking.asked, whose worker answers."""
    found = []
    for path in (ROOT / "controller").rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):  # a call, or a function that is handed over
                name = ast.unparse(node)
                if name in ANSWERS:
                    found.append(f"{path.relative_to(ROOT / 'controller')} {name}")
    assert sorted(found) == [
        "console/ask.py asking.answered",
        "doors/asking.py ask.answer",
        "doors/asking.py job_in_plan.joined",
    ]
