"""`firebreak upstream`: the command line of the gateway process (controller/upstream)."""

import os

from controller.site.schema import BAUDS_BD
from controller.system.paths import RUN_DIRECTORY


def add(commands):
    """Add `firebreak upstream` to the subparsers."""
    parser = commands.add_parser("upstream")
    parser.add_argument("--run-dir", default=RUN_DIRECTORY)
    parser.add_argument(
        "--listen", metavar="PATH", help="UNIX stream socket (RUN_DIR/upstream.sock)"
    )
    parser.add_argument("--serial", metavar="TTY", help="also take JSON lines on this serial line")
    parser.add_argument(
        "--baud",
        type=int,
        choices=BAUDS_BD,
        default=115_200,
        metavar="N",
        help="of it (%(default)s)",
    )
    parser.set_defaults(run=_run)


def _run(arguments):
    from controller.upstream import gateway  # with its libraries, which no other command needs

    listen_path = arguments.listen or os.path.join(arguments.run_dir, "upstream.sock")
    return gateway.serve(arguments.run_dir, listen_path, arguments.serial, arguments.baud)
