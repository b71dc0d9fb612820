"""`rig --system NAME` plays an example system of hil/systems on the rig, in virtual time."""

import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from hil.engine import pod_command, rig_command
from hil.engine.arguments import CABINET, number
from hil.scenarios import scenario
from hil.systems import live, spec
from hil.systems.minutes import LEAD_S
from hil.systems.series import SLOT_S, outages_of

BEGIN_H = 9.0


def extend(parser: ArgumentParser) -> None:
    """Add the options to the parser of the command `rig`."""
    parser.add_argument(
        "--system",
        metavar="NAME",
        help=f"a system of the mission on its site, in virtual time: {', '.join(spec.NAMES)}",
    )
    parser.add_argument("--variant", metavar="NAME", help="of --system: a variant of its file")
    parser.add_argument(
        "--begin",
        type=number(0, 366 * 24),
        metavar="HOURS",
        help=f"of --system: hours after the first midnight of its run ({BEGIN_H:g}, or "
        f"{LEAD_S} s before an outage)",
    )
    parser.set_defaults(run=main)


def main(arguments: Namespace) -> int:
    """Run the system that --system names, or else one cabinet as usual. Returns the exit code."""
    if arguments.system:
        return _played(arguments)
    for option, words in (("begin", "an hour of a system's run"), ("variant", "of a system")):
        if getattr(arguments, option) is not None:
            raise rig_command.InputError(f"--{option} is {words}: it needs --system NAME")
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
    chosen = spec.load(name, _variant(arguments))._replace(seed=order["seed"])
    begin_s = _begin_s(chosen, arguments.begin)
    order["soc_pct"] = arguments.soc or chosen.soc_permille / 10
    with tempfile.TemporaryDirectory() as folder:
        soc = order["soc_pct"] / 100
        system = live.LivePod(chosen, Path(folder), begin_s, soc, scenario=acted)
        names = {"file": f"{name}.toml", "name": chosen.name}
        doc = pod_command.played_pod(
            system, {**names, **order}, arguments.plot, acted, arguments.headless
        )
    return pod_command.finished(doc, arguments.json)


def _variant(arguments: Namespace) -> str:
    known, variant = spec.variants(arguments.system), arguments.variant or ""
    if variant and variant not in known:
        allowed = f"allowed are {', '.join(known)}" if known else "it has none"
        raise rig_command.InputError(f"--variant {variant}: of {arguments.system} {allowed}")
    return variant


def _begin_s(chosen: spec.Spec, hours: float | None) -> int:
    """Time in the system's run at which the rig begins, s. hours: as --begin asks; None: shortly
    before the first outage, or else BEGIN_H.
    """
    if hours is None:
        for at_s, _ in outages_of(chosen):
            return at_s - LEAD_S
    hours = BEGIN_H if hours is None else hours
    if hours >= chosen.days * 24:
        raise rig_command.InputError(
            f"--begin {hours:g}: allowed is below {chosen.days * 24}, its run"
        )
    return round(hours * 3600) // SLOT_S * SLOT_S
