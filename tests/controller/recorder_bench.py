"""Bench of the recorder: a virtual cabinet that writes a journal, a recorder on its own clocks.

Value mode: the journal of byte mode (tests/hil/values/test_words.py) for less time.
"""

from cabinet_bench import believed

from controller.config import configuration
from controller.journal import journal_header, replay
from controller.recorder import reading
from controller.recorder.limits import Limits
from controller.recorder.process import Recorder
from controller.sites import EXAMPLE
from controller.store import chain
from hil.scenarios.scenario import Action
from hil.values.rig import ValueRig

CONFIG = believed(configuration.load(EXAMPLE, tick_ms=100))
EACH_20_MS = believed(configuration.load(EXAMPLE))
UTC_US = 1_800_000_000_000_000  # some moment of 2027
SMALL_RING_BYTES = 8 << 20


class FakeClocks:
    """Clocks that a test moves; `steered`: what the kernel reports of its clock, us or None."""

    def __init__(self):
        self.us, self.wall_us, self.steered, self.rtc = 5_000_000, UTC_US, 1500, False
        self.now_us, self.utc_us = lambda: self.us, lambda: self.wall_us
        self.steered_us, self.started_from_rtc = lambda: self.steered, lambda: self.rtc

    def pass_us(self, passed_us):
        self.us += passed_us
        self.wall_us += passed_us


def estop(at_s=3, do="estop_press"):
    return Action(round(at_s * 1e6), do, do, {})


def release(at_s):
    return estop(at_s, "estop_release")


class Place:
    def __init__(self, folder):
        self.run_dir, self.state_dir, self.said = folder / "run", folder / "state", []
        self.path = self.state_dir / "record.db"
        for each in (self.run_dir, self.state_dir):
            each.mkdir(parents=True, exist_ok=True)

    def query(self, statement, values=()):
        with reading.opened(str(self.path)) as connection:
            return connection.execute(statement, values).fetchall()

    def verdict(self, published=None):
        with reading.opened(str(self.path)) as connection:
            return chain.verify(connection, published)

    def events(self, *kinds):
        rows = self.query("SELECT kind, code, scope, text FROM events ORDER BY id")
        return [row for row in rows if not kinds or row[0] in kinds]


class Bench(Place):
    def __init__(
        self, folder, actions=(), limits=None, ring_bytes=SMALL_RING_BYTES, settings=CONFIG
    ):
        super().__init__(folder)
        self.settings = settings
        self.limits = limits or Limits(capture_before_s=2, capture_after_s=2)
        self.clocks, self.ring_bytes = FakeClocks(), ring_bytes
        self.rig = self.recorder = None
        self.dead = []
        self.start_controller(actions)

    def start_controller(self, actions=()):
        """A new run with a new journal; the journal before is kept."""
        if self.rig is not None:
            self.rig.controller.cabinet.journal.close()
        self.rig = ValueRig(self.settings, lambda t_s: 300_000.0, 1, actions, {"soc": 0.55})
        cabinet = self.rig.controller.cabinet
        cabinet.journal = journal_header.open_journal(
            str(self.run_dir / "journal"), self.settings, cabinet.core, self.ring_bytes
        )

    def start_recorder(self):
        self.recorder = Recorder(
            str(self.run_dir), str(self.state_dir), self.limits, self.said.append, self.clocks
        )
        return self

    def kill_recorder(self):
        # kept: its end would close the files and put the logs in order
        self.dead.append(self.recorder)
        self.recorder = None
        return self

    def run(self, duration_s, record=True):
        return self._pass(duration_s, self.rig.step, record and self.recorder is not None)

    def idle(self, duration_s):
        return self._pass(duration_s, lambda: None, True)

    def _pass(self, duration_s, step, record):
        tick_us = self.settings.tick_ms * 1000
        for _ in range(round(duration_s * 1e6) // tick_us):
            step()
            self.clocks.pass_us(tick_us)
            while record and self.recorder.step():
                pass
        return self

    def told(self):
        rows = self.query("SELECT sequence, kind, code, scope, text FROM events ORDER BY id")
        return [row for row in rows if row[0] is not None]

    def captures(self):
        return sorted((self.state_dir / "captures").iterdir())

    def replayed(self):
        (path,) = self.captures()
        report = replay.replay(str(path), replay.core_of)
        return report.exit_code == replay.EQUAL, report.last

    def close(self):
        if self.recorder is not None:
            self.recorder.close()
        self.rig.controller.cabinet.journal.close()
