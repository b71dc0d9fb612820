"""Debounce of a state that a site device reports, such as "ready" or "the engine runs".

A contact bounces, and a single reading can be wrong. Once, one reading of "not ready" while a
generator set cranked counted as a failed start, and the site stayed dark. So a new state counts
only after every report has shown it for `settle_ms`:

    report differs from the state that counts --> it must last for settle_ms; then it counts
    the old state comes back sooner           --> the old state still counts; this is a flap
    it flaps again and again                  --> the state is unknown
    first report, or the first after a silence --> counts at once
"""

from array import array

from controller.core.base.integrity import FLAP_MS, FLAPS_MS_MAX

WORDS = 3
VALUE, SINCE, FLAPS = range(WORDS)  # the state that counts; when another one began; see FLAP_MS
NONE = -1


class Debounce:
    """Debounce of one state. Its words in `state` have 64 bits and are in the journal."""

    def __init__(self, state: "array[int]", first: int, settle_ms: int, stale_ms: int) -> None:
        """first: place of its words in `state`."""
        self._state, self._words = state, slice(first, first + WORDS)
        self._settle_ms, self._stale_ms = settle_ms, stale_ms
        state[self._words] = array("q", [NONE, NONE, 0])

    def value(self, reported: int | None) -> int | None:
        """The state that counts; None while it flaps. reported: the last report, which counts if no
        state counts yet.
        """
        counted, _, flaps_ms = self._state[self._words]
        if flaps_ms >= FLAPS_MS_MAX:
            return None
        return reported if counted == NONE else counted

    def take(self, reported: int, now_ms: int, silence_ms: int) -> None:
        """Take a report, which came `silence_ms` after the previous report."""
        counted, since_ms, flaps_ms = self._state[self._words]
        flaps_ms = max(0, flaps_ms - silence_ms)
        if counted == NONE or silence_ms >= self._stale_ms:
            counted, since_ms = reported, NONE
        elif reported == counted:
            if since_ms != NONE:
                flaps_ms = min(flaps_ms + FLAP_MS, 2 * FLAPS_MS_MAX)
            since_ms = NONE
        elif since_ms == NONE:
            since_ms = now_ms
        elif now_ms - since_ms >= self._settle_ms:
            counted, since_ms = reported, NONE
        self._state[self._words] = array("q", [counted, since_ms, flaps_ms])
