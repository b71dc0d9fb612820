"""`firebreak doors`: the process of the doors of one kind (controller/doors)."""

from argparse import Namespace

from controller.doors import settings
from controller.forms.refusal import ConfigError
from controller.system import cli
from controller.system.paths import WRONG_INPUT

OWN_DIRECTORY = "/var/lib/firebreak-doors"


@cli.command(
    "doors",
    cli.option("kind", choices=settings.KINDS, help="which doors this process serves"),
    cli.option("file", nargs="?", default=settings.FILE, metavar="FILE", help="doors.toml"),
    cli.RUN_DIR,
    cli.STATE_DIR,
    cli.option("--own-dir", default=OWN_DIRECTORY, help="what the doors keep (%(default)s)"),
)
def _run(arguments: Namespace) -> int:
    from controller.doors import process  # slow to load

    with cli.ends(WRONG_INPUT, ConfigError):
        found = settings.load(arguments.file)
        if arguments.kind not in found.doors:
            line = f"{arguments.file}: has no [{arguments.kind}.NAME], so nothing is to be opened"
            raise cli.Ended(WRONG_INPUT, line)
    directories = arguments.run_dir, arguments.state_dir, arguments.own_dir
    return process.run(arguments.kind, found, *directories)
