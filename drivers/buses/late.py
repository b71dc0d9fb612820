"""Finds Modbus RTU replies that come after their read has timed out.

An RTU reply does not name its request. So after such a read, the next good reply of that unit and
function within LATE_US is dropped. There is one exception: if the same read is repeated, up to
SAME_MAX time-outs in a row, a late reply has the same meaning and counts. Otherwise one damaged
byte would silence a meter for 0.5 s.

Two cases are not covered: a unit slower than twice the time-out, and a late reply to a write of the
same address (set-points are read back).
"""

from dataclasses import dataclass

from drivers.buses.rtu import Request

LATE_US = 1_000_000  # the slowest documented reply (genset controllers)
SAME_MAX = 2
COUNTED_MAX = 3  # more time-outs in a row are not counted


@dataclass(slots=True)
class _Late:
    """Late replies that one unit and function may send until `until_us`.

    frame: the request; None if the requests differed. reply_id: the unit id in the replies.
    """

    frame: bytes | None
    reply_id: int
    count: int = 0
    until_us: int = 0


class LateReplies:
    """The expected late replies. expected: {(unit id, function): replies that may still come}."""

    __slots__ = ("expected",)

    def __init__(self) -> None:
        self.expected: dict[tuple[int, int], _Late] = {}

    def note(self, request: Request, now_us: int) -> None:
        """Count a read that has timed out."""
        key = (request.unit_id, request.function)
        late = self.expected.setdefault(key, _Late(request.frame, request.reply_id))
        late.count = min(late.count + 1, COUNTED_MAX)
        late.until_us = now_us + LATE_US
        if late.frame != request.frame:
            late.frame = None

    def takes(self, request: Request, now_us: int) -> bool:
        """Count a good reply to this read if it may belong to an earlier one. True if so."""
        key = (request.unit_id, request.function)
        late = self.expected.get(key)
        if late is None:
            return False
        if late.frame == request.frame and late.count <= SAME_MAX:
            late.count = 1  # one reply may still come, and must not answer another read
            return False
        late.count -= 1
        if late.count <= 0 or now_us >= late.until_us:
            del self.expected[key]
        return now_us < late.until_us

    def may_be_of(self, reply_id: int, function: int, now_us: int) -> bool:
        """True if a reply with this unit id may belong to an earlier read of that unit."""
        return any(
            late.reply_id == reply_id and key[1] == function and now_us < late.until_us
            for key, late in self.expected.items()
        )
