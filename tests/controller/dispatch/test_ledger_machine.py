"""The shipped ledger in a world that loses, doubles, delays and overtakes messages, restarts and
reboots: the imports that the cabinets may take never sum above the connection.
"""

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from share_world import CONNECTION_W, FALLBACK_W, world

CABINET = st.integers(0, len(FALLBACK_W) - 1)
SPANS_ms = st.sampled_from([1, 900, 2000, 2200, 20_000, 59_000, 62_000, 64_000])
VALUES_W = st.sampled_from([None, 100, 200, 400, 500, 600, 700, 800])
RATES = st.sampled_from([0.98, 1.0, 1.02])


class Shares(RuleBasedStateMachine):
    @initialize(rates=st.tuples(RATES, RATES, RATES), stores_late=st.booleans())
    def begin(self, rates, stores_late):
        self.world = world(rates=rates, stores_late=stores_late)
        self.world.starts()
        for at in range(len(FALLBACK_W)):
            self.world.reports(self.world.dispatchers[0], at)

    def by(self, number):
        return self.world.dispatchers[number % len(self.world.dispatchers)]

    @rule(span_ms=SPANS_ms)
    def passes(self, span_ms):
        self.world.passes(span_ms * 1000)

    @rule(number=st.integers(0, 1), at=CABINET)
    def reports(self, number, at):
        self.world.reports(self.by(number), at)

    @rule(number=st.integers(0, 1), at=CABINET, value_W=VALUES_W, arrives=st.booleans())
    def sends(self, number, at, value_W, arrives):
        sent = self.world.sends(self.by(number), at, value_W)
        if sent and arrives:
            self.world.arrives(sent)

    @rule(number=st.integers(0, 1), at=CABINET, arrives=st.booleans())
    def sends_all(self, number, at, arrives):
        by = self.by(number)
        sent = self.world.sends(by, at, by.room_W(at, self.world.now_us))
        if sent and arrives:
            self.world.arrives(sent)

    @precondition(lambda self: self.world.hints)
    @rule(place=st.integers(0, 100))
    def arrives(self, place):
        self.world.arrives(self.world.hints[place % len(self.world.hints)])

    @precondition(lambda self: self.world.answers)
    @rule(number=st.integers(0, 1), place=st.integers(0, 100))
    def read(self, number, place):
        self.world.read(self.by(number), *self.world.answers[place % len(self.world.answers)])

    @rule(at=CABINET)
    def reboots(self, at):
        self.world.cabinets[at].reboots()

    @rule(at=CABINET)
    def stores(self, at):
        self.world.cabinets[at].stores()

    @precondition(lambda self: len(self.world.dispatchers) == 1 and self.world.epoch < 5)
    @rule(taken=st.booleans())
    def starts(self, taken):
        self.world.starts(taken)

    @invariant()
    def fits(self):
        if hasattr(self, "world"):
            assert self.world.import_W <= CONNECTION_W
            for each in self.world.dispatchers:
                each.forget_ended(self.world.now_us)


TestShares = Shares.TestCase
TestShares.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)
