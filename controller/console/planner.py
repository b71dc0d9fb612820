"""`firebreak planner`: runs the process that plans the power of the battery and sends schedules to
the controller (controller/planner).
"""

import os
import signal
from argparse import Namespace

from controller.state import plan_file
from controller.system import caught, cli, realtime, regular_file
from controller.system.paths import DONE, NO_START, say
from controller.system.stop import Stop

SITE, KEY = "/etc/firebreak/planner/planner.toml", "/etc/firebreak/planner/planner.key"
STATE_DIRECTORY = "/var/lib/firebreak-planner"
# SLICE_S: pause while shadows are left to compute, one hour at a time. A shadow is another way to
# run the battery, for comparison.
POLL_S, SLICE_S = 5.0, 0.2


@cli.command(
    "planner",
    cli.option("site", nargs="?", default=SITE, metavar="FILE", help="planner.toml (%(default)s)"),
    cli.RUN_DIR,
    cli.option("--state-dir", default=STATE_DIRECTORY, help="where its books last (%(default)s)"),
    cli.option(
        "--plan-dir",
        default=plan_file.RUN_DIRECTORY,
        metavar="DIR",
        help=f"where it writes {plan_file.FILE} (%(default)s)",
    ),
    cli.option("--key-file", default=KEY, metavar="FILE", help="key of its source (%(default)s)"),
    cli.option("--source", default="planner", metavar="NAME", help="as in [source.NAME]"),
    cli.option(
        "--trust-clock",
        action="store_true",
        help="send also while it is not known how good the clock is (a rig)",
    ),
)
def _run(arguments: Namespace) -> int:
    from controller.planner import process  # slow to load

    places = process.Places(
        site=os.path.abspath(arguments.site),
        run_directory=arguments.run_dir,
        state_directory=arguments.state_dir,
        out_directory=arguments.plan_dir,
        key_path=arguments.key_file,
        source=arguments.source,
        trusts_clock=arguments.trust_clock,
    )
    with cli.ends(NO_START, OSError, at=arguments.state_dir):
        for folder in (places.state_directory, places.out_directory):
            os.makedirs(folder, mode=0o755, exist_ok=True)
        if regular_file.locked(os.path.join(places.state_directory, "planner.lock")) is None:
            line = "another planner writes here; a cabinet has one planner"
            raise cli.Ended(NO_START, f"{places.state_directory}: {line}")
        planner = process.Process(places, say)
    stop, notifier = Stop(signal.SIGTERM, signal.SIGINT), realtime.Notifier()
    last = caught.Last("planner: tried again", process.LINES_MAX)
    notifier.ready("planning")
    while not stop.asked:
        more = False
        with last:
            more = planner.step()
            notifier.alive()  # a planner that only fails is started again by systemd
        stop.wait(SLICE_S if more else POLL_S)
    notifier.stopping()
    return DONE
