"""`firebreak box figures` prints a few figures of how well the running release controls. The old
release judges them (trial.py).
"""

from argparse import Namespace
from typing import Any

from controller.rows import danger
from controller.state import contacts, watch
from controller.state.base import Facts
from controller.store.trips import TripLog
from controller.system import cli
from controller.system.paths import DONE
from safety import signals as s

SPAN_S = 600
# {figure that forbids a start now: its words}
NO_START = {
    "is_closed": "the cabinet is closed: firebreak stop",
    "is_off_grid": "the site is off the grid, and the cabinet may carry it",
    "is_dangerous": "an alarm of danger is open: firebreak alarms",
}


@cli.command("box figures", cli.RUN_DIR, cli.STATE_DIR)
def _print(arguments: Namespace) -> int:
    with watch.first_look(arguments) as seen:
        print(cli.as_json(_figures(seen, arguments.state_dir)))
    return DONE


def _figures(seen: watch.Watch, state_directory: str) -> Facts:
    """The figures. Raises JournalError, OSError, sqlite3.Error.

    late_us: lateness of the slowest tick of 1000. trips: number of the newest trip. links: devices
    that do not answer. apart_permille: mean over SPAN_S, see the function.
    """
    status, links = seen.facts("status"), seen.facts("links")["devices"]
    quantities = seen.facts("trend", span_s=SPAN_S)["quantities"]
    trend = {quantity["field"]: quantity["values"] for quantity in quantities}
    is_closed = not contacts.is_open(seen.shadow)
    is_off_grid = bool(seen.shadow.core.facts.is_off_grid())
    seen.shadow.close()
    loop = status["loop"] or {"ticks": 0, "missed": 0, "lateness_us": {"p99_9": None}}
    return {
        "uptime_s": status["uptime_ms"] / 1000 if seen.is_live else 0,
        "is_controlling": status["state"] == s.STATES[s.RUNNING],
        "missed_permille": 1000 * loop["missed"] / max(1, loop["ticks"]),
        "late_us": loop["lateness_us"]["p99_9"],
        "trips": TripLog(state_directory).newest,
        "links": sum(link["state"] != "ok" for link in links),
        "apart_permille": apart_permille(trend, status["rated_W"]),
        "is_closed": is_closed,
        "is_off_grid": is_off_grid,
        "is_dangerous": status["danger"]["level"] >= danger.SIGN,
    }


def apart_permille(trend: dict[str, list[Any]], rated_W: int) -> float | None:
    """Mean distance of power and set-point, permille of the rated power; None: no value."""
    pairs = zip(trend["battery_W"], trend["setpoint_W"])
    apart_W = [abs(power - setpoint) for power, setpoint in pairs if None not in (power, setpoint)]
    return 1000 * sum(apart_W) / len(apart_W) / max(1, rated_W) if apart_W else None
