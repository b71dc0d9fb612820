"""What the tests of the recorder share: a virtual cabinet that writes a journal, a recorder on
clocks of their own.
"""

from controller.record import journal_header
from controller.recorder import reading
from controller.recorder.limits import Limits
from controller.recorder.process import Recorder
from controller.site import config
from controller.sites import EXAMPLE
from hil.scenarios.scenario import Action
from hil.simulate import VirtualRig

CONFIG = config.load(EXAMPLE)
UTC_US = 1_800_000_000_000_000  # some moment of 2027
TICK_US = CONFIG.tick_ms * 1000
ESTOP_S = 3
SMALL_RING_BYTES = 8 << 20


class FakeClocks:
    """Clocks a test moves; `steered` is what the kernel says of its own, us or None."""

    def __init__(self):
        self.us, self.wall_us, self.steered, self.rtc = 5_000_000, UTC_US, 1500, False

    def pass_us(self, passed_us):
        """Time goes by on both clocks."""
        self.us += passed_us
        self.wall_us += passed_us

    def now_us(self):
        return self.us

    def utc_us(self):
        return self.wall_us

    def steered_us(self):
        return self.steered

    def started_from_rtc(self):
        return self.rtc


def estop(at_s=ESTOP_S):
    """Somebody presses the emergency stop."""
    return Action(round(at_s * 1e6), "estop_press", "estop_press", {})


def release(at_s):
    """And releases it."""
    return Action(round(at_s * 1e6), "estop_release", "estop_release", {})


class Bench:
    """A cabinet in virtual time and its recorder, in folders of their own."""

    def __init__(self, folder, actions=(), limits=None, ring_bytes=SMALL_RING_BYTES):
        self.run_dir, self.state_dir = folder / "run", folder / "state"
        self.run_dir.mkdir(exist_ok=True)
        self.state_dir.mkdir(exist_ok=True)
        self.limits = limits or Limits(capture_before_s=2, capture_after_s=2)
        self.clocks, self.said = FakeClocks(), []
        self.ring_bytes = ring_bytes
        self.rig = self.recorder = None
        self.dead = []
        self.start_controller(actions)

    def start_controller(self, actions=()):
        """A new run of the controller: a new journal, the one before is kept."""
        if self.rig is not None:
            self.rig.controller.cabinet.journal.close()
        self.rig = VirtualRig(CONFIG, lambda t_s: 300_000.0, 1, actions, {"soc": 0.55})
        cabinet = self.rig.controller.cabinet
        cabinet.journal = journal_header.open_journal(
            str(self.run_dir / "journal"), CONFIG, cabinet.core, self.ring_bytes
        )

    def start_recorder(self):
        """A recorder, as if its process had just begun."""
        self.recorder = Recorder(
            str(self.run_dir), str(self.state_dir), self.limits, self.said.append, self.clocks
        )
        return self.recorder

    def kill_recorder(self):
        """It is gone between two instructions: nothing is written any more, nothing is closed in
        order.
        """
        # kept, so that nothing is closed, and no log is put in order, by its end
        self.dead.append(self.recorder)
        self.recorder = None

    def run(self, duration_s, record=True):
        """Virtual time passes for the cabinet, and for the recorder if there is one."""
        for _ in range(round(duration_s * 1e6) // TICK_US):
            self.rig.step()
            self.clocks.pass_us(TICK_US)
            if record and self.recorder is not None:
                self.settle()
        return self

    def idle(self, duration_s):
        """Time passes, the controller writes nothing."""
        for _ in range(round(duration_s * 1e6) // TICK_US):
            self.clocks.pass_us(TICK_US)
            self.settle()
        return self

    def settle(self):
        """Let the recorder take all there is."""
        while self.recorder.step():
            pass

    def query(self, statement, values=()):
        """Rows, as any reader sees them."""
        with reading.opened(str(self.state_dir / "record.db")) as connection:
            return connection.execute(statement, values).fetchall()

    def events(self, *kinds):
        """[(kind, code, scope, text)] of these kinds, or of all."""
        rows = self.query("SELECT kind, code, scope, text FROM events ORDER BY id")
        return [row for row in rows if not kinds or row[0] in kinds]

    def close(self):
        if self.recorder is not None:
            self.recorder.close()
        self.rig.controller.cabinet.journal.close()
