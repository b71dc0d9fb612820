"""`python -m hil rig`: the controller against the built-in simulated cabinet, in real or in virtual time."""

import argparse
import pathlib
import sys
import time

from controller import config as configs
from controller.cabinet import stage_instances
from controller.layers import ConfigError
from hil import loads, result, rig, scenario, view
from hil.load import LoadError
from hil.rig import RigError
from hil.scenario import ScenarioError
from hil.screen import Screen
from hil.simulate import VirtualRig

SITES = pathlib.Path(__file__).parents[1] / "controller" / "sites"
EXAMPLE = SITES / "example" / "cabinet.toml"
DEFAULT_S = 120.0
WRONG_INPUT, NO_START = 2, 3
VIEW_EVERY_S = 1.0  # virtual time between two views


def main(argv=None):
    """Returns the exit code: 0 all as expected, 1 not, 2 wrong input, 3 could not start."""
    arguments = _parser().parse_args(argv)
    try:
        return _rig(arguments)
    except (ScenarioError, LoadError, ConfigError) as error:
        print(f"rig: {error}", file=sys.stderr)
        return WRONG_INPUT
    except (RigError, OSError) as error:
        print(f"rig: {error}", file=sys.stderr)
        return NO_START


def _parser():
    parser = argparse.ArgumentParser(prog="python -m hil")
    command = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "rig", help="run the controller against the simulated cabinet")
    command.add_argument("--load", metavar="FILE", help="CSV (or .gz) with t_s and power columns")
    command.add_argument("--column", metavar="NAME", help="which power column of the file")
    command.add_argument("--scale", type=_positive, default=1.0, help="factor on the load (1)")
    command.add_argument("--raw", action="store_true", help="pass the file's meter rows on as they are, wrong ones too")
    command.add_argument("--for", dest="seconds", type=_positive, metavar="SECONDS", help="how long to run")
    command.add_argument("--scenario", metavar="NAME", help=f"one of {', '.join(scenario.names())}")
    command.add_argument("--seed", type=int, help="of plant, load and faults (1)")
    command.add_argument("--soc", type=_percent, metavar="PERCENT", help="state of charge at the start (55)")
    command.add_argument("--virtual", action="store_true", help="virtual time, as fast as it goes")
    command.add_argument("--headless", action="store_true", help="no screen")
    command.add_argument("--json", metavar="FILE", help="write all figures there")
    command.add_argument("--plot", metavar="FILE", default="rig.html", help=".html, .png or .svg (rig.html)")
    return parser


def _positive(text):
    value = float(text)
    if not 0 < value <= 31 * 86_400:
        raise argparse.ArgumentTypeError(f"{text}: allowed is more than 0, at most {31 * 86_400}")
    return value


def _percent(text):
    value = float(text)
    if not 5 <= value <= 95:
        raise argparse.ArgumentTypeError(f"{text}: allowed 5 .. 95")
    return value


def _rig(arguments):
    chosen = scenario.load(arguments.scenario) if arguments.scenario else None
    config = configs.load(str(EXAMPLE))
    order = _order(arguments, chosen, config)
    load = loads.load_of(order, chosen)
    if arguments.seconds is None and order["file"]:
        order["duration_s"] = load.duration_s
    began_s = time.monotonic()
    if arguments.virtual:
        outcome = _virtual(order, chosen, config, arguments.headless)
    else:
        outcome = rig.run(order, chosen, config, arguments.headless)
    outcome.doc["wall_s"] = round(time.monotonic() - began_s, 3)
    title = chosen.title if chosen else f"Load tracking on {load.about['column']}"
    outcome.write(arguments.json, arguments.plot, title)
    print(f"seed       {order['seed']}")
    print("\n".join(outcome.lines()))
    written = [path for path in (arguments.plot, arguments.json) if path]
    print(f"written    {', '.join(written) or 'nothing'}")
    return outcome.exit_code


def _order(arguments, chosen, config):
    """What the run is, as plain values that can be handed to another process."""
    duration_s = arguments.seconds or (chosen.duration_s if chosen else DEFAULT_S)
    seed = arguments.seed if arguments.seed is not None else chosen.seed if chosen else 1
    soc_pct = arguments.soc if arguments.soc is not None else chosen.soc_pct if chosen else 55.0
    armed = sum(config.safety_image[config.image_map().armed:])
    return {"site": str(EXAMPLE), "extends": str(EXAMPLE.parent / "site.toml"), "scenario": arguments.scenario,
            "file": arguments.load, "column": arguments.column, "scale": arguments.scale, "raw": arguments.raw,
            "duration_s": duration_s, "seed": seed, "soc_pct": soc_pct, "armed": armed,
            "not_fitted": len(config.topology.not_fitted)}


def _virtual(order, chosen, config, headless):
    load = loads.load_of(order, chosen)
    actions = chosen.actions if chosen else ()
    virtual = VirtualRig(config, load.power, order["seed"], actions, {"soc": order["soc_pct"] / 100})
    shower = VirtualShow(virtual, order, load, chosen, config)
    began_s = time.monotonic()
    with Screen() as screen:
        virtual.run(order["duration_s"], None if headless else lambda: screen.show(shower.view()), VIEW_EVERY_S)
    wall_s = time.monotonic() - began_s
    extra = {"mode": "virtual time", "seed": order["seed"], "speed": round(order["duration_s"] / wall_s, 1)}
    loop = {"ticks": virtual.ticks, "missed": 0}
    return result.Outcome(virtual.recorder, virtual.observer, virtual.trips.trips, loop, load.about, extra, chosen,
                          load.from_us)


class VirtualShow:
    """Views of a run in virtual time."""

    def __init__(self, virtual, order, load, chosen, config):
        self._virtual, self._order = virtual, order
        self._names = stage_instances(config.layout())
        self._since_s, self._load, self._grid = {}, [], []
        self._began_s = time.monotonic()
        self._common = {"title": chosen.title if chosen else "Load tracking", "load_name": load.about["column"],
                        "mode": "virtual time", "duration_s": order["duration_s"], "tick_ms": config.tick_ms,
                        "armed": order["armed"], "not_fitted": order["not_fitted"]}

    def view(self):
        """What the screen shows now."""
        virtual = self._virtual
        shown = view.plant_part(virtual.plant)
        now_s = virtual.now_us / 1e6
        self._load.append(shown["load_W"])
        self._grid.append(shown["grid_W"])
        cabinet = virtual.controller.cabinet
        if cabinet is not None:
            core = cabinet.core
            shown |= view.controller_part(core.out, core.layout, self._names, None, self._since_s, now_s)
        speed = now_s / max(1e-6, time.monotonic() - self._began_s)
        return {**shown, **self._common, "elapsed_s": now_s, "ticks": virtual.ticks, "speed": speed,
                "load_history": self._load, "grid_history": self._grid, "next_action": virtual.clockwork.upcoming()}


if __name__ == "__main__":
    sys.exit(main())
