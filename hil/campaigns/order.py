"""What every campaign in the rig of real processes has in common: the order of a run on the example
cabinet, and what comes back from it.
"""

import os

import msgpack

from controller import sites
from controller.system.realtime import FIFO_PRIORITY
from hil import plant_process

EXAMPLE = str(sites.EXAMPLE)
WHOLE_DAY_S = 86_400.0  # of a run that its course ends


def made(config, duration_s, seed, chosen=None, **more):
    """An order for rig.Rig; chosen: name or path of a scenario; more: what else the rig or the
    bench takes.
    """
    return {
        "site": EXAMPLE,
        "extends": str(sites.EXAMPLE.parent / "site.toml"),
        "scenario": chosen,
        "file": None,
        "column": None,
        "scale": 1.0,
        "raw": False,
        "duration_s": duration_s,
        "seed": seed,
        "soc_pct": config.control["soc_target_permille"] / 10,
        "armed": sum(config.safety_image[config.image_map().armed :]),
        "not_fitted": len(config.topology.not_fitted),
        "journal": None,
        **more,
    }


def recorded(directory):
    """What the bench of a run that has ended has written into its directory. Raises OSError."""
    with open(os.path.join(directory, plant_process.RESULT), "rb") as file:
        return msgpack.unpackb(file.read())


def priority(doc):
    """The controller's, from what it said when it started: each refusal is a line of its own."""
    said = " ".join(doc.get("controller_messages", ()))
    fifo = "ordinary priority" if "no real-time priority" in said else f"SCHED_FIFO {FIFO_PRIORITY}"
    return f"{fifo}, memory {'not ' if 'memory is not locked' in said else ''}locked"


def loop(doc):
    """What the document of a run says of the loop, as controller.run.loop_statistics.read does;
    `missed` has the late ones.
    """
    return {
        "ticks": doc["ticks"],
        "missed": doc["missed"],
        "late": 0,
        "runs": doc["missed_runs"],
        "lateness_us": doc["lateness_us"],
    }


def whole(doc):
    """The document of a run that was not interrupted: figures of half a run would be taken for
    those of a whole one.
    """
    if doc["interrupted"]:
        raise KeyboardInterrupt
    return doc
