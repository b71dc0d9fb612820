"""`firebreak doors`: runs the doors of one kind, or shows which doors are open. A door is a
protocol, such as HTTP or Modbus, by which other programs reach the controller (controller/doors).

`firebreak doors local --listen PATH` runs one door of kind local without a file doors.toml.
"""

from argparse import Namespace

from controller.config.bus_schema import BAUDS_BD
from controller.doors import exposure, settings
from controller.doors.local import form
from controller.forms import key_list
from controller.system import cli
from controller.system.paths import DONE, WRONG_INPUT

OWN_DIRECTORY = "/var/lib/firebreak-doors"
CHECK = "check"


@cli.command(
    "doors",
    cli.option(
        "kind", choices=(*settings.KINDS, CHECK), help="doors to serve; check: print what is open"
    ),
    cli.option("file", nargs="?", default=settings.FILE, metavar="FILE", help="doors.toml"),
    cli.RUN_DIR,
    cli.STATE_DIR,
    cli.option("--own-dir", default=OWN_DIRECTORY, help="what the doors keep (%(default)s)"),
    cli.option(
        "--drop-in",
        choices=settings.KINDS,
        metavar="KIND",
        help="with check: print the drop-in of the unit of one kind, with its addresses",
    ),
    cli.option("--keys", action="store_true", help="with check: print every key of doors.toml"),
    cli.option(
        "--registers",
        action="store_true",
        help="with check: print the Modbus registers; ! marks one that a master may write",
    ),
    cli.JSON,
    cli.option(
        "--listen",
        metavar="PATH",
        help=f"local, without a file: UNIX stream socket, in a folder of this user ({form.LISTEN})",
    ),
    cli.option(
        "--serial", metavar="TTY", help="local, without a file: JSON lines on this serial line too"
    ),
    cli.option(
        "--baud",
        type=int,
        choices=BAUDS_BD,
        default=115_200,
        metavar="N",
        help="of the serial line (%(default)s)",
    ),
)
def _run(arguments: Namespace) -> int:
    if arguments.listen or arguments.serial:
        if arguments.kind != "local":
            raise cli.Ended(WRONG_INPUT, "--listen and --serial belong to the kind local")
        return _serve_alone(arguments)
    if arguments.keys:
        forms = {"source": settings.SOURCE} | {
            kind: settings.form(kind).FORM for kind in settings.KINDS
        }
        for kind, keys in forms.items():
            print("\n".join(key_list.listed(f"[{kind}.NAME]", keys)))
        return DONE
    if arguments.registers:
        from controller.doors.modbus import image  # slow to load

        print("\n".join(image.listed()))
        return DONE
    configured = settings.load(arguments.file)
    if arguments.kind == CHECK:
        return _check(configured, arguments)
    if arguments.kind not in configured.doors:
        line = f"{arguments.file}: has no [{arguments.kind}.NAME], so nothing is to be opened"
        raise cli.Ended(WRONG_INPUT, line)
    from controller.doors import process  # slow to load

    directories = arguments.run_dir, arguments.state_dir, arguments.own_dir
    return process.run(arguments.kind, configured, *directories)


def _serve_alone(arguments: Namespace) -> int:
    """Run one door of kind local on the socket, and on the serial line if one is given."""
    from controller.doors import process  # slow to load

    values = {name: field.default for name, field in form.FORM.items()}
    values |= {"listen": arguments.listen or form.LISTEN, "baud_Bd": arguments.baud}
    values["serial"] = arguments.serial or ""
    configured = settings.Settings("", {}, {"local": {"upstream": values}})
    return process.run(
        "local", configured, arguments.run_dir, arguments.state_dir, "", is_kept=False
    )


def _check(configured: settings.Settings, arguments: Namespace) -> int:
    kind = arguments.drop_in
    if kind is None:
        facts = [door._asdict() for door in exposure.of(configured)]
        cli.show(arguments.json, facts, lambda: exposure.table(configured))
    elif kind in configured.doors:
        print(exposure.drop_in(configured, kind), end="")
    return DONE
