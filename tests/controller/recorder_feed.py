"""A journal with many trips, written by hand as fast as a test wants."""

import os
import random

from controller.config import configuration
from controller.core.core import STANDING_BITS
from controller.journal import journal_header, replay
from controller.journal.writer import JournalWriter
from controller.recorder.events import TRIP, row_kind
from controller.sites import EXAMPLE
from safety import signals as s

CONFIG = configuration.load(EXAMPLE)
RING_BYTES = 32 << 20


class Feed:
    """Frames in which rows come and go at seeded ticks; `trips`: [(sequence, instance)] so far."""

    def __init__(self, run_directory, seed, trip_every=25):
        header = journal_header.journal_header(CONFIG)
        self.core = core = replay.core_of(header)
        self.names = header["stage_instances"]
        self.standing_at = len(header["output_names"])
        self.state = core.state_words()
        path = os.path.join(run_directory, "journal")
        self.journal = JournalWriter(path, header, replay.counts_of(core), RING_BYTES)
        self.draw, self.trip_every = random.Random(seed), trip_every
        self.sequence, self.trips = 0, []
        self.may_trip = [name for name in self.names if row_kind(name.partition(".")[0]) == TRIP]

    def frame(self):
        core, changed = self.core, False
        core.inp[s.GRID_POWER_W] += self.draw.randrange(-50, 51)
        core.fresh[s.G_METER_GRID] = 1
        if self.sequence and self.draw.randrange(self.trip_every) == 0:
            changed = True
            self._toggle(self.draw.choice(self.may_trip))
        keyframe = changed or self.sequence % 500 == 0
        self.journal.append(
            self.sequence, 1, core.inp, core.fresh, core.out, self.state if keyframe else None
        )
        self.sequence += 1

    def _toggle(self, name):
        index = self.names.index(name)
        word = self.standing_at + index // STANDING_BITS
        self.core.out[word] ^= 1 << index % STANDING_BITS
        if self.core.out[word] >> index % STANDING_BITS & 1:
            self.trips.append((self.sequence, name))

    def close(self):
        self.journal.close()
