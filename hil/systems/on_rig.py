"""`rig --system NAME`: a system of the mission on its site, played by the rig in virtual time."""

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from hil.engine import pod_command, rig_command
from hil.engine.arguments import CABINET, number
from hil.scenarios import scenario
from hil.systems import live, spec
from hil.systems.series import SLOT_S

BEGIN_H = 9.0


def extend(parser: ArgumentParser) -> None:
    """Add the options to the parser of the command `rig`."""
    parser.add_argument(
        "--system",
        metavar="NAME",
        help=f"a system of the mission on its site, in virtual time: {', '.join(spec.NAMES)}",
    )
    parser.add_argument(
        "--begin",
        type=number(0, 366 * 24),
        metavar="HOURS",
        help=f"of --system: hours after the first midnight of its run ({BEGIN_H:g})",
    )
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Run the system, or without one the cabinet. Returns the exit code."""
    if arguments.system:
        return _played(arguments)
    if arguments.begin is not None:
        raise rig_command.InputError("--begin is an hour of a system's run: it needs --system NAME")
    return rig_command.main(arguments)


def _played(arguments: Namespace) -> int:
    name = arguments.system
    if name not in spec.NAMES:
        raise rig_command.InputError(f"--system {name}: allowed are {', '.join(spec.NAMES)}")
    if arguments.cabinet != CABINET["--cabinet"]["default"]:
        raise rig_command.InputError("--system has a cabinet of its own: leave --cabinet out")
    order = rig_command.site_order(arguments, f"--system {name}", "run_dir")
    acted = scenario.load(arguments.scenario) if arguments.scenario else None
    if acted and not arguments.seconds:
        order["seconds"] = acted.duration_s
    hours = BEGIN_H if arguments.begin is None else arguments.begin
    begin_s = round(hours * 3600) // SLOT_S * SLOT_S
    chosen = spec.load(name)._replace(seed=order["seed"])
    if hours >= chosen.days * 24:
        raise rig_command.InputError(
            f"--begin {hours:g}: allowed is below {chosen.days * 24}, its run"
        )
    order["soc_pct"] = arguments.soc or chosen.soc_permille / 10
    with tempfile.TemporaryDirectory() as folder:
        soc = order["soc_pct"] / 100
        system = live.LivePod(chosen, Path(folder), begin_s, soc, scenario=acted)
        names = {"file": f"{name}.toml", "name": chosen.name}
        doc = pod_command.played_pod(
            system, {**names, **order}, arguments.plot, acted, arguments.headless
        )
    return pod_command.finished(doc, arguments.json)
