"""What leaves a door is what its Sender itself would send. HTTP and MQTT inherit this."""

import asyncio
import contextlib

from hypothesis import given, strategies as st

from controller.doors import sending
from controller.doors.settings import Source
from controller.forms.refusal import ConfigError

ODD = "x", -1, 0, 60, 301, 10**10, 2**33, 0.5, True, None
ANY = st.sampled_from([*sending.NAMES.values(), *ODD])
WRONG = st.dictionaries(st.sampled_from([*sending.HINT, "source", "mac"]), ANY)
RIGHT = st.fixed_dictionaries(
    {
        "quantity": st.sampled_from([*sending.NAMES.values()]),
        "valid_s": st.sampled_from([1, 60, 300]),
        "value_W": st.sampled_from([-(10**9), -1, 0, 1, 10**9]),
    },
    optional={"is_exact": st.booleans(), "start_in_s": st.just(9)},
)
FIELDS = RIGHT | RIGHT | WRONG


class Recorded(sending.Sender):
    def __init__(self, name, role, sent):
        super().__init__("", Source(name, "", role, 600))
        self.sent = sent

    async def _asked(self, hint, ahead_ms):
        assert sending.may(self.source.may, hint[0])
        self.sent.append((self.source.name, hint, ahead_ms))
        return {"granted": True, "code": 1}


def senders(role):
    sent = []
    return {name: Recorded(name, role, sent) for name in ("site_ems", "scheduler")}, sent


class SenderSuite:
    """`through(senders)`: brings a call through the door; `meant(calls)`: what it should send."""

    def test_only_what_the_sender_itself_would_send_leaves(self):
        @given(st.lists(self.calls, min_size=6, max_size=12), st.sampled_from(["cap", "request"]))
        def leaves(calls, role):
            counts.append(asyncio.run(self.compared(calls, role)))

        counts = []
        leaves()
        assert sum(counts) > 30

    async def compared(self, calls, role):
        (tried, sent), (direct, expected) = senders(role), senders(role)
        through = self.through(tried)
        for call in calls:
            await through(call)
        for source, fields in self.meant(calls):
            with contextlib.suppress(ConfigError):
                await direct[source].hint(fields)
        assert sent == expected
        return len(sent)
