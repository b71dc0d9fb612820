"""Makes a campaign's runs in real processes: options (`order`), run and recording."""

import os
import pathlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import msgpack

from controller.config.cabinet_config import Config
from controller.sites import EXAMPLE as EXAMPLE
from controller.system.realtime import FIFO_PRIORITY
from hil.campaigns.course import Course
from hil.engine import coverage, plant_process, rig
from hil.loads.selection import load_of
from hil.scenarios import scenario

WHOLE_DAY_S = 86_400.0  # for a run that its test sequence (course.py) ends earlier
Document = dict[str, Any]


def run_options(
    config: Config, duration_s: float, seed: int, scenario_path: str | None = None, **more: object
) -> Document:
    """The options of a run for rig.Rig, with `more` among them."""
    return {
        "site": os.path.abspath(config.path),
        "mirrored": coverage.about(config),
        "scenario": scenario_path,
        "duration_s": duration_s,
        "seed": seed,
        "soc_pct": config.control["soc_target_permille"] / 10,
        **more,
    }


def played(
    config: Config,
    duration_s: float,
    seed: int,
    see: Callable[[rig.Rig, Document], object] = lambda running, view: None,
    text: str | None = None,
    course: Callable[[rig.Rig], Course] | None = None,
    **more: object,
) -> tuple[Document, Document, Any]:
    """(document, recording of the plant, test sequence) of a run.

    text: a scenario, which gets the name "run"; see(rig, view): called ten times a second; course:
    makes a test sequence that plays beside the started rig. Raises RigError and OSError. If the run
    is interrupted, raises KeyboardInterrupt, because figures of half a run would mislead.
    """
    with tempfile.TemporaryDirectory(prefix="firebreak-run-") as folder:
        chosen = path = sequence = None
        if text:
            path = os.path.join(folder, "run.toml")
            pathlib.Path(path).write_text(text, encoding="ascii")
            chosen = scenario.load(path)
        options = run_options(config, duration_s, seed, path, run_dir=folder, **more)
        running = rig.Rig(options, chosen, config)
        try:
            running.start()
            sequence = course(running) if course else None
            play = sequence.beside if sequence else running.run
            play(lambda view: see(running, view))
        finally:
            running.stop()
        if sequence and sequence.error is not None:
            raise rig.RigError(sequence.error)
        doc = running.outcome(load_of(options, chosen), {"mode": "real time", "seed": seed}).doc
        if doc["interrupted"]:
            raise KeyboardInterrupt
        return doc, recorded(folder), sequence


def recorded(directory: str) -> Document:
    """The recording of the plant process of an ended run. Raises OSError."""
    return msgpack.unpackb(pathlib.Path(directory, plant_process.RESULT).read_bytes())


def priority(doc: Mapping[str, Any]) -> str:
    """The controller's priority, read from its messages about refusals."""
    messages = " ".join(doc.get("controller_messages", ()))
    fifo = f"SCHED_FIFO {FIFO_PRIORITY}"
    level = "ordinary priority" if "no real-time priority" in messages else fifo
    return f"{level}, memory {'not ' if 'memory is not locked' in messages else ''}locked"


def loop(doc: Mapping[str, Any]) -> Document:
    """A run's figures of the loop, in the form of loop_statistics.read. `missed` includes late
    ticks.
    """
    copied = {key: doc[key] for key in ("ticks", "missed", "lateness_us")}
    return {**copied, "late": 0, "runs": doc["missed_runs"]}
