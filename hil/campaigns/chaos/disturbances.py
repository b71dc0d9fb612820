"""Defines how each disturbance of `disturbances.toml` begins and ends.

Disturbances act on the machine, or on processes beside the controller. A disturbance is a context
manager. It gets the Stage (stage.py: the rig and its processes), and may add notes by
`stage.note(ok, sentence)`.
"""

import contextlib
import pathlib
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from controller.system import toml_text
from hil.campaigns.chaos import floods, neighbours
from hil.campaigns.chaos.stage import Stage
from hil.campaigns.chaos.terminal import typing
from hil.campaigns.course import Background, Turns
from hil.scenarios.faults import NOISE

Context = contextlib.AbstractContextManager[None]
Act = Callable[[Stage], Context]
Judge = Callable[[Counter[str]], tuple[bool, str]]


class Disturbance(NamedTuple):
    """what: a sentence; needs_mounts: it needs small file systems; trips_right: trips to expect;
    gaps_right: the writes may have gaps; coils_silent_ms: how long the coils may be silent;
    ends_running: the cabinet must run at the end.
    """

    what: str
    act: Act
    needs_mounts: bool = False
    trips_right: tuple[str, ...] = ()
    gaps_right: bool = False
    coils_silent_ms: int = 0
    ends_running: bool = True


@contextlib.contextmanager
def _between(begin: Callable[[], object], end: Callable[[], object]) -> Iterator[None]:
    """Calls begin, and after the disturbance end."""
    begin()
    yield
    end()


@contextlib.contextmanager
def _beside(stage: Stage, turns: Turns, judge: Judge) -> Iterator[None]:
    """turns: those of a course.Background; judge(counts) gives (ok, sentence) at the end."""
    with Background(turns) as background:
        yield
    ok, sentence = judge(background.counts)
    because = f", ended by {background.error}" if background.error else ""
    stage.note(ok and background.error is None, sentence + because)


def _sent(text: str) -> Judge:
    return lambda counts: (counts["sent"] > 0, f"{counts['sent']} {text}")


def _killed(stage: Stage, name: str) -> Context:
    companion = getattr(stage.companions, name)
    return _between(companion.kill, companion.start)


def _stopped(stage: Stage, name: str) -> Context:
    send = getattr(stage.companions, name).signal
    return _between(lambda: send(signal.SIGSTOP), lambda: send(signal.SIGCONT))


def _of_bad_hints(counts: Counter[str]) -> tuple[bool, str]:
    """(ok, sentence): all bad hints were refused and all genuine ones accepted."""
    bad, refused = counts["accepted"] - counts["taken"], counts["genuine"] - counts["taken"]
    return counts["sent"] > 0 and not bad and not refused, (
        f"{counts['sent']} bad hints sent, {bad} accepted; {refused} of {counts['genuine']} "
        f"genuine hints refused"
    )


@contextlib.contextmanager
def _clock_step(stage: Stage, offset_us: str) -> Iterator[None]:
    before = len(stage.clock_notes())
    stage.companions.clock_offset_us[0] = int(offset_us)
    yield
    stage.companions.clock_offset_us[0] = 0
    stage.wait_for(lambda: len(stage.clock_notes()) >= before + 2)
    notes = stage.clock_notes()[before:]
    stage.note(len(notes) == 2, f"the recorder notes: {'; '.join(notes) or 'nothing'}")


def _noise(stage: Stage, permille: str, *kinds: str) -> Context:
    """Put noise of these kinds on every RTU bus."""

    def put(share: int) -> None:
        values = {key: share * (key.removesuffix("_permille") in kinds) for key in NOISE}
        for bus in ("io", "pcs", "meter_grid", "meter_load", "gas"):
            stage.act("noise", bus=bus, seed=stage.seed, **values)

    return _between(lambda: put(int(permille)), lambda: put(0))


@contextlib.contextmanager
def _keeper(stage: Stage, name: str) -> Iterator[None]:
    stage.signal_keeper(signal.Signals[name])
    try:
        yield
    finally:  # even after an interruption, because nothing else resumes the keeper
        stage.signal_keeper(signal.SIGCONT)


# The first word in the table names the function of the stage and the other words.
ACTS: dict[str, Callable[..., Context]] = {
    "killed": _killed,
    "stopped": _stopped,
    "stalled_reader": neighbours.stalled_reader,
    "readers": neighbours.readers,
    "memory": neighbours.memory,
    "cpu": neighbours.cpu,
    "clock_step": _clock_step,
    "noise": _noise,
    "keeper": _keeper,
    "terminal_unread": lambda stage: _between(
        stage.companions.terminal.reads.clear, stage.companions.terminal.reads.set
    ),
    "terminal_flood": lambda stage: _beside(
        stage, typing(stage.companions.terminal, stage.seed), _sent("bytes typed")
    ),
    "full": lambda stage, folder_name: _beside(
        stage,
        floods.filling(getattr(stage, folder_name)),
        lambda counts: (counts["sent"] > 0, f"{counts['sent'] >> 20} MiB filled"),
    ),
    "crowded": lambda stage, folder_name: _beside(
        stage, floods.inodes(getattr(stage, folder_name)), _sent("empty files made")
    ),
    "can": lambda stage, frames: _beside(
        stage,
        floods.can(stage.rig.wires["cans"]["can0"], stage.seed, floods.FRAMES[frames]),
        _sent("frames sent"),
    ),
    "hints_bad": lambda stage: _beside(
        stage, floods.bad_hints(stage.directory, stage.rig.keys, stage.seed), _of_bad_hints
    ),
    "hints_valid": lambda stage: _beside(
        stage,
        floods.valid_hints(stage.directory, stage.rig.keys[floods.SOURCE]),
        lambda counts: (
            counts["taken"] > 0 and counts["refused"] > 0,
            f"{counts['sent']} hints sent, {counts['taken']} accepted, others above the quota",
        ),
    ),
    "commands": lambda stage: _beside(
        stage, floods.senseless_commands(stage.directory, stage.seed), _sent("commands sent")
    ),
    "gateway": lambda stage: _beside(
        stage, floods.gateway(stage.companions.upstream, stage.seed), _sent("bytes sent")
    ),
}


def _disturbance(act: str, **fields: Any) -> Disturbance:
    word, *arguments = act.split()
    return Disturbance(act=lambda stage: ACTS[word](stage, *arguments), **fields)


DATA = toml_text.read(pathlib.Path(__file__).with_suffix(".toml"))
DISTURBANCES = {name: _disturbance(**fields) for name, fields in DATA.items()}
