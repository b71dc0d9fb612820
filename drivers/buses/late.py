"""Replies that may come after their read has timed out.

RTU replies carry no number, so a late one could be taken for the next: after a read that timed out
the next good reply of that unit and function within LATE_US is dropped. Only a repetition of the
very same read is believed at once (up to SAME_MAX time-outs in a row): its late reply says the same
thing, at most so many time-outs older, and one damaged byte must not cost a meter its 0.5 s. What
remains: a unit slower than twice the time-out at every reply, and a late reply to a write of the
same address (set-points are read back anyway).
"""

LATE_US = 1_000_000  # slowest documented reply (genset controllers)
SAME_MAX = 2
COUNTED_MAX = 3  # time-outs in a row


class LateReplies:
    """`expected`: {(unit id, function): [replies still to come, until when, frame if one]}."""

    __slots__ = ("expected",)

    def __init__(self):
        self.expected = {}

    def note(self, request, now_us: int) -> None:
        """A read has timed out."""
        key = (request.unit_id, request.function)
        late = self.expected.setdefault(key, [0, 0, request.frame])
        late[0] = min(late[0] + 1, COUNTED_MAX)
        late[1] = now_us + LATE_US
        if late[2] != request.frame:
            late[2] = None

    def takes(self, request, now_us: int) -> bool:
        """True when a good reply to this read may belong to an earlier one; counts it off."""
        key = (request.unit_id, request.function)
        late = self.expected.get(key)
        if late is None:
            return False
        if late[2] == request.frame and late[0] <= SAME_MAX:
            late[0] = 1  # whichever reply this was, one more may come, for another read to mistake
            return False
        late[0] -= 1
        if late[0] <= 0 or now_us >= late[1]:
            del self.expected[key]
        return now_us < late[1]
