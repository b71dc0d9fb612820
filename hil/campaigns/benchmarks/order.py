"""What every benchmark on the rig has in common: the example cabinet, the order of a run, the
priority it had.
"""

from controller import sites
from controller.system.realtime import FIFO_PRIORITY

EXAMPLE = str(sites.EXAMPLE)


def made(config, chosen, duration_s, seed, journal=None):
    """An order for rig.Rig; chosen: name or path of a scenario, None for none."""
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
        "journal": journal,
    }


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
