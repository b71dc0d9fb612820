"""`subscribe` at the door `local`: the state, then patches, for each client at its own pace."""

import asyncio
import json
import socket

import hypothesis
import pytest
from hypothesis import strategies as st

from controller.doors.feed import Feed
from controller.doors.local import subscription
from controller.doors.local.subscription import PERIOD_MS, Subscription
from controller.state import patch
from controller.state.schema import schema
from tests.controller.console.watched import Watched
from tests.controller.doors.doors_site import patched
from tests.controller.doors.local_site import ask, is_served, line_of, running

pytestmark = pytest.mark.wire
SUBSCRIBE = {"subscribe": "status", "period_ms": 100}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=1),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=6,
)
STATES = st.dictionaries(st.sampled_from("abc"), VALUES)


class States(Feed):
    """A feed of given states, one for each reading; the last one stays."""

    def __init__(self, *states):
        super().__init__("", "")
        self.states = list(states)

    async def fresh(self, age_s_max=0):
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


def known(state):
    """The state without what is unknown."""
    if not isinstance(state, dict):
        return state
    return {key: known(value) for key, value in state.items() if value is not None}


@hypothesis.given(st.lists(STATES, min_size=2, max_size=4))
def test_who_applies_all_patches_has_the_state(states):
    held = states[0]
    for before, after in zip(states, states[1:]):
        made = patch.between(before, after)
        held = patched(held, made)
        assert known(held) == known(after)
        assert patch.between(after, json.loads(json.dumps(after))) == {}


@pytest.fixture
def served(tmp_path):
    with running(tmp_path) as place:
        yield place


def test_a_subscriber_gets_the_state_then_changes_and_hints_go_on(served):
    served.door._house.feed = States({"a": 1, "b": None}, {"a": 1, "b": 2}, {"a": 3, "b": 2})
    client = served.client()
    assert ask(client, SUBSCRIBE) == {"subscribed": "status"}
    assert [line_of(client) for _ in "123"] == [
        {"state": {"a": 1, "b": None}},
        {"patch": {"b": 2}},
        {"patch": {"a": 3}},
    ]
    assert is_served(client)
    assert ask(client, {"subscribe": None}) == {"subscribed": None}


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"subscribe": "why"}, "allowed status"),
        ({"subscribe": True}, "allowed status"),
        ({"subscribe": "status", "period_ms": PERIOD_MS[0] - 1}, "allowed 100..60000"),
        ({"subscribe": "status", "period_ms": PERIOD_MS[1] + 1}, "allowed 100..60000"),
        ({"subscribe": "status", "hello": "site_ems"}, "hello: is not a known key"),
    ],
)
def test_a_wrong_subscription_is_refused_in_one_line(message, words, served):
    answer = ask(served.client(), message)
    assert answer["label"] == "H41" and words in answer["sentence"], answer


def test_a_subscriber_that_does_not_read_delays_nobody_and_gets_the_newest(served):
    big = {"words": "x" * 100_000}
    served.door._house.feed = States(*[big | {"at": at} for at in range(3000)])
    deaf = served.client()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.sendall(json.dumps(SUBSCRIBE).encode() + b"\n")
    other = served.client()
    for _ in range(5):
        assert is_served(other)
    assert line_of(deaf) == {"subscribed": "status"}
    held = line_of(deaf)["state"]
    held = patched(held, line_of(deaf)["patch"])
    assert held["words"] == big["words"] and held["at"] > 0


def test_the_period_counts_from_each_message(monkeypatch):
    now_s = [0.0]
    monkeypatch.setattr(subscription.clock, "uptime_s", lambda: now_s[0])

    async def run():
        own = Subscription(States({"a": 1}, {"a": 2}), SUBSCRIBE)
        for now_s[0], news in (
            (0.0, {"state": {"a": 1}}),
            (0.15, {"patch": {"a": 2}}),
            (0.25, None),
        ):
            assert own.due_in_s() == 0
            assert await own.next() == news
            assert own.due_in_s() == pytest.approx(0.1)

    asyncio.run(run())


def test_the_state_is_that_of_status_and_live_by_the_ticks(tmp_path):
    """The words of the trouble, without a journal."""
    watched = Watched(tmp_path)

    async def state_of(run_dir):
        return (await Subscription(Feed(run_dir, watched.state), SUBSCRIBE).next())["state"]

    watched.run(1)
    found = asyncio.run(state_of(watched.folder))
    assert found.keys() >= set(schema()["required"]) and not found["is_live"]
    gone = asyncio.run(state_of(str(tmp_path / "none")))
    assert gone.keys() == {"trouble"} and "none" in gone["trouble"]
