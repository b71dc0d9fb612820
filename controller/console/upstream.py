"""`firebreak upstream`: the command line of the gateway process (controller/upstream)."""

from argparse import Namespace

from controller.config.schema import BAUDS_BD
from controller.system import cli

LISTEN = "/run/firebreak-upstream/upstream.sock"


@cli.command(
    "upstream",
    cli.RUN_DIR,
    cli.option(
        "--listen",
        metavar="PATH",
        default=LISTEN,
        help="UNIX stream socket, in a folder of this user (%(default)s)",
    ),
    cli.option("--serial", metavar="TTY", help="also take JSON lines on this serial line"),
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
    from controller.upstream import gateway  # its libraries are slow to load

    return gateway.serve(arguments.run_dir, arguments.listen, arguments.serial, arguments.baud)
