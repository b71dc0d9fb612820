"""Which rows stood when: read from the words in which the controller names its standing stage
instances.
"""

from controller.core.core import STANDING_BITS
from controller.core.instances import stage_instances
from safety import matrix

ROWS = {stage[matrix.S_ID]: stage[matrix.S_ROW] for stage in matrix.STAGES}


class TripWatch:
    """`trips`: [{row, stage, scope, t_s}] in order of time, one entry per time that a stage
    instance began to stand.
    """

    def __init__(self, layout):
        self.names = stage_instances(layout)
        self.trips = []
        self._words = None

    def see(self, time_us, words):
        """words: array of ints, STANDING_BITS instances each; cheap while nothing changes."""
        before = self._words
        if words == before:
            return
        self._words = words
        for place, word in enumerate(words):
            new = word & ~(before[place] if before is not None else 0)
            while new:
                bit = new.bit_length() - 1
                new ^= 1 << bit
                self._begin(time_us, place * STANDING_BITS + bit)

    def _begin(self, time_us, index):
        stage, _, scope = self.names[index].partition(".")
        self.trips.append(
            {
                "row": ROWS[stage],
                "stage": stage,
                "scope": scope_words(scope),
                "t_s": round(time_us / 1e6, 3),
            }
        )

    def standing(self):
        """Names of the instances that stand now."""
        return names_standing(self._words, self.names) if self._words else []


def names_standing(words, names):
    """Those of the stage instances `names` whose bit is set in `words`."""
    return [
        name
        for index, name in enumerate(names)
        if words[index // STANDING_BITS] >> index % STANDING_BITS & 1
    ]


def scope_words(scope):
    """ "rack 2" of "rack2"; "cabinet" of an empty text."""
    return f"{scope[:4]} {scope[4:]}" if scope else "cabinet"
