"""`firebreak upstream`: the command line of the gateway process (controller/upstream)."""

import os

from controller.site.schema import BAUDS_BD
from controller.system import cli


def add(commands) -> None:
    """Add `firebreak upstream` to the subparsers."""
    cli.add(
        commands,
        "upstream",
        _run,
        cli.RUN_DIR,
        cli.option("--listen", metavar="PATH", help="UNIX stream socket (RUN_DIR/upstream.sock)"),
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


def _run(arguments):
    from controller.upstream import gateway  # with its libraries, which no other command needs

    listen_path = arguments.listen or os.path.join(arguments.run_dir, "upstream.sock")
    return gateway.serve(arguments.run_dir, listen_path, arguments.serial, arguments.baud)
