"""The disturbances of the machine and of the processes beside the controller, each a context.

A disturbance takes the Stage and may add notes: stage.note(ok, sentence).
"""

import contextlib
import signal
from typing import NamedTuple

from hil.campaigns.chaos import floods, neighbours
from hil.campaigns.chaos.terminal import typing
from hil.campaigns.course import Background
from hil.scenarios.faults import NOISE

HOUR_US = 3_600_000_000
SILENT_ROWS = ("13a", "13b", "14", "40e", "41a", "41b", "41c", "49", "50a", "50b")


class Disturbance(NamedTuple):
    """what: a sentence; act: context manager of the stage; needs_mounts: needs small file systems;
    trips_right: expected trips; gaps_right: gaps in the writes are allowed; ends_running: the
    cabinet must run at the end.
    """

    what: str
    act: object
    needs_mounts: bool = False
    trips_right: tuple = ()
    gaps_right: bool = False
    ends_running: bool = True


def _between(begin, end):
    """begin(stage), and after the disturbance, or an interruption, end(stage)."""

    @contextlib.contextmanager
    def act(stage):
        begin(stage)
        yield
        end(stage)

    return act


def _beside(make, seen):
    """make(stage): turns of a course.Background; seen(counts): (ok, sentence) at the end."""

    @contextlib.contextmanager
    def act(stage):
        with Background(make(stage)) as made:
            yield
        ok, sentence = seen(made.counts)
        because = f", ended by {made.error}" if made.error else ""
        stage.note(ok and made.error is None, sentence + because)

    return act


def _sent(what):
    return lambda counts: (counts["sent"] > 0, f"{counts['sent']} {what}")


def _killed(name):
    return _between(
        lambda stage: getattr(stage.companions, name).kill(),
        lambda stage: getattr(stage.companions, name).start(),
    )


def _stopped(name):
    return _between(
        lambda stage: getattr(stage.companions, name).process.send_signal(signal.SIGSTOP),
        lambda stage: getattr(stage.companions, name).process.send_signal(signal.SIGCONT),
    )


def _full(which):
    return _beside(
        lambda stage: floods.filling(getattr(stage, which)),
        lambda counts: (counts["sent"] > 0, f"{counts['sent'] >> 20} MiB filled"),
    )


def _no_inodes(which):
    return _beside(lambda stage: floods.inodes(getattr(stage, which)), _sent("empty files made"))


def _of_bad_hints(counts):
    """(ok, sentence): all bad hints were refused, all genuine hints were accepted."""
    bad, refused = counts["accepted"] - counts["taken"], counts["genuine"] - counts["taken"]
    return counts["sent"] > 0 and not bad and not refused, (
        f"{counts['sent']} bad hints sent, {bad} accepted; {refused} of {counts['genuine']} "
        f"genuine hints refused"
    )


def _clock_step(offset_us):
    @contextlib.contextmanager
    def act(stage):
        before = len(stage.clock_notes())
        stage.companions.clock_offset_us[0] = offset_us
        yield
        stage.companions.clock_offset_us[0] = 0
        stage.wait_for(lambda: len(stage.clock_notes()) >= before + 2)
        notes = stage.clock_notes()[before:]
        stage.note(len(notes) == 2, f"the recorder notes: {'; '.join(notes) or 'nothing'}")

    return act


def _can(frames):
    return _beside(
        lambda stage: floods.can(stage.rig.wires["cans"]["can0"], stage.seed, frames),
        _sent("frames sent"),
    )


def _noise(permille, kinds=("garbage_permille", "flip_permille", "drop_permille")):
    def at(value):
        def act(stage):
            values = {kind: value if kind in kinds else 0 for kind in NOISE}
            for bus in ("io", "pcs", "meter_grid", "meter_load", "gas"):
                stage.act("noise", bus=bus, seed=stage.seed, **values)

        return act

    return _between(at(permille), at(0))


def _keeper(number):
    @contextlib.contextmanager
    def act(stage):
        stage.signal_keeper(number)
        try:
            yield
        finally:  # also after an interruption, because no other code resumes the keeper
            stage.signal_keeper(signal.SIGCONT)

    return act


# In this order: disturbances with expected trips come late, those that end the operation last.
DISTURBANCES = {
    "recorder_killed": Disturbance("kill -9 of the recorder", _killed("recorder")),
    "recorder_stopped": Disturbance("SIGSTOP of the recorder", _stopped("recorder")),
    "gateway_killed": Disturbance("kill -9 of the gateway", _killed("gateway")),
    "gateway_stopped": Disturbance("SIGSTOP of the gateway", _stopped("gateway")),
    "reader_killed": Disturbance("kill -9 of the page reader", _killed("reader")),
    "reader_stopped": Disturbance("SIGSTOP of the page reader", _stopped("reader")),
    "reader_stalled": Disturbance(
        "a reader maps the journal and stops reading", neighbours.stalled_reader
    ),
    "readers": Disturbance("readers of all pages without a pause", neighbours.readers),
    "console_killed": Disturbance("kill -9 of the serial console", _killed("console")),
    "console_stopped": Disturbance("SIGSTOP of the serial console", _stopped("console")),
    "terminal_unread": Disturbance(
        "a terminal that stops reading",
        _between(
            lambda stage: stage.companions.terminal.reads.clear(),
            lambda stage: stage.companions.terminal.reads.set(),
        ),
    ),
    "terminal_flood": Disturbance(
        "random keys at the terminal, as fast as the line takes them",
        _beside(lambda stage: typing(stage.companions.terminal, stage.seed), _sent("bytes typed")),
    ),
    "state_full": Disturbance(
        "the disk of the state directory full", _full("state_directory"), needs_mounts=True
    ),
    "run_full": Disturbance(
        "the disk of the run directory full", _full("directory"), needs_mounts=True
    ),
    "state_inodes": Disturbance(
        "no inode left for the state directory", _no_inodes("state_directory"), needs_mounts=True
    ),
    "run_inodes": Disturbance(
        "no inode left for the run directory", _no_inodes("directory"), needs_mounts=True
    ),
    "clock_forward": Disturbance("the recorder's wall clock +1 h", _clock_step(HOUR_US)),
    "clock_back": Disturbance("the recorder's wall clock -1 h", _clock_step(-HOUR_US)),
    "hints_bad": Disturbance(
        "flood of forged, replayed, late ... hints",
        _beside(
            lambda stage: floods.bad_hints(stage.directory, stage.rig.keys, stage.seed),
            _of_bad_hints,
        ),
    ),
    "hints_valid": Disturbance(
        "flood of valid hints, far beyond the quota",
        _beside(
            lambda stage: floods.valid_hints(stage.directory, stage.rig.keys[floods.SOURCE]),
            lambda counts: (
                counts["taken"] > 0 and counts["refused"] > 0,
                f"{counts['sent']} hints sent, {counts['taken']} accepted, others above the quota",
            ),
        ),
    ),
    "commands": Disturbance(
        "flood of the command socket",
        _beside(
            lambda stage: floods.senseless_commands(stage.directory, stage.seed),
            _sent("commands sent"),
        ),
    ),
    "gateway": Disturbance(
        "flood of the gateway: connections, fragments, garbage, unsigned hints",
        _beside(
            lambda stage: floods.gateway(stage.companions.upstream, stage.seed), _sent("bytes sent")
        ),
    ),
    "memory": Disturbance("memory pressure", neighbours.memory),
    "cpu": Disturbance("busy processes on every core", neighbours.cpu),
    "can_unknown": Disturbance("CAN flooded with unknown ids", _can(floods.unknown_frames)),
    "can_bad_crc": Disturbance(
        "CAN flooded with the racks' ids, CRC wrong",
        _can(floods.spoiled_frames),
        trips_right=("40d",),
    ),
    "can_malformed": Disturbance(
        "CAN flooded with the racks' ids, with a wrong length or 29 bits",
        _can(floods.malformed_frames),
        trips_right=("40d",),
    ),
    "rtu_forged": Disturbance(
        "before every third reply a forged frame: right CRC, wrong unit, function or size",
        _noise(300, ("forged_permille",)),
    ),
    "rtu_noise": Disturbance("noise on every RTU bus, 1 % of each kind", _noise(10)),
    "rtu_noise_heavy": Disturbance(
        "noise on every RTU bus, 30 % of each kind",
        _noise(300),
        trips_right=SILENT_ROWS,
        gaps_right=True,
    ),
    "keeper_stopped": Disturbance(
        "SIGSTOP of the process that stores latches", _keeper(signal.SIGSTOP)
    ),
    "keeper_killed": Disturbance(
        "kill -9 of the process that stores latches: a controlled stop is expected",
        _keeper(signal.SIGKILL),
        gaps_right=True,
        ends_running=False,
    ),
}
