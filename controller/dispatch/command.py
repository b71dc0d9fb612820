"""`firebreak dispatch FLEET.toml`: shares one connection among its cabinets."""

import asyncio
import os
from argparse import Namespace
from typing import Any

from controller.dispatch import fleet
from controller.dispatch.fleet import Fleet
from controller.forms import key_list
from controller.hints.key_file import KeyStoreError
from controller.mqtt.form import BROKER
from controller.system import cli, regular_file
from controller.system.paths import DONE, NO_START, WRONG_INPUT

OWN_DIRECTORY = "/var/lib/firebreak-dispatch"


@cli.command(
    "dispatch",
    cli.option("file", metavar="FLEET.toml", nargs="?", default="", help="the fleet"),
    cli.option("--own-dir", default=OWN_DIRECTORY, help="what it keeps (%(default)s)"),
    cli.option("--check", action="store_true", help="only check the file, and print its sums"),
    cli.JSON,
    cli.option("--keys", action="store_true", help="print every key of FLEET.toml"),
    cli.option(
        "--take-over",
        action="store_true",
        help="replace another dispatcher, which may still run: wait until its hints have run out",
    ),
    cli.option(
        "--without",
        action="append",
        default=[],
        metavar="NAME",
        help="a cabinet that a person has disconnected from the connection",
    ),
)
def _run(arguments: Namespace) -> int:
    if arguments.keys:
        tables = {"[fleet]": fleet.FLEET, "[broker]": BROKER, "[cabinet.NAME]": fleet.CABINET}
        for title, form in tables.items():
            print("\n".join(key_list.listed(title, form)))
        return DONE
    if not arguments.file:
        raise cli.Ended(WRONG_INPUT, "FLEET.toml is missing; --keys prints its keys")
    with cli.ends(WRONG_INPUT, KeyStoreError, FileNotFoundError):
        fleet_config = fleet.load(arguments.file)
    names = [cabinet.name for cabinet in fleet_config.cabinets]
    for name in arguments.without:
        if name not in names:
            raise cli.Ended(WRONG_INPUT, f"--without {name}: allowed {', '.join(names)}")
    if len(set(arguments.without)) == len(names):
        raise cli.Ended(WRONG_INPUT, "--without names every cabinet: nothing is left to share")
    if arguments.check:
        cli.show(arguments.json, facts(fleet_config), lambda: lines(fleet_config))
        return DONE
    return _serve(fleet_config, arguments)


def facts(fleet_config: Fleet) -> dict[str, Any]:
    """A fleet as data, without its keys."""
    cabinets = {
        cabinet.name: {**cabinet._asdict(), "meter_code_wait_s": turn_s}
        for cabinet, turn_s in zip(fleet_config.cabinets, fleet.turns_s(fleet_config))
    }
    for cabinet in cabinets.values():
        del cabinet["key"]
    return {
        "connection_W": fleet_config.connection_W,
        "is_common": fleet_config.is_common,
        "cabinets": cabinets,
    }


def lines(fleet_config: Fleet) -> list[str]:
    """A fleet in lines for a person."""
    fallbacks_W = sum(cabinet.fallback_W for cabinet in fleet_config.cabinets)
    lent_W = fleet_config.connection_W - fallbacks_W
    load = "a common load" if fleet_config.is_common else "a load of its own at each cabinet"
    return [
        f"{len(fleet_config.cabinets)} cabinets on {fleet_config.connection_W / 1e6:g} MW, {load}",
        f"fallbacks {fallbacks_W / 1e6:g} MW together; {lent_W / 1e6:g} MW can be lent",
        *[
            f"  {cabinet.name:16} fallback {cabinet.fallback_W / 1000:>9,.0f} kW"
            + (_common_load(cabinet.load_permille, turn_s) if fleet_config.is_common else "")
            for cabinet, turn_s in zip(fleet_config.cabinets, fleet.turns_s(fleet_config))
        ],
    ]


def _common_load(load_permille: int, turn_s: int | None) -> str:
    turn = f"meter_code_wait_s = {turn_s}"
    if turn_s is None:
        turn = "start it after the others"
    return f", {load_permille / 10:g} % of the load, {turn}"


def _serve(fleet_config: Fleet, arguments: Namespace) -> int:
    with cli.needs_doors("dispatch"):
        from controller.dispatch import service
    with cli.ends(NO_START, OSError, before="--own-dir: ", at=arguments.own_dir):
        os.makedirs(arguments.own_dir, mode=0o750, exist_ok=True)
        lock = regular_file.locked(os.path.join(arguments.own_dir, "lock"))
    if lock is None:
        raise cli.Ended(NO_START, f"another dispatcher runs on {arguments.own_dir}")
    path = os.path.join(arguments.own_dir, f"epoch-{fleet_config.source}.json")
    dispatch_service = service.Service(fleet_config, path, arguments.take_over, arguments.without)
    return asyncio.run(service.until_signal(dispatch_service))
