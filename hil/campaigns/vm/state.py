#!/opt/firebreak/current/bin/python3
"""Runs in the box: prints what the controller's journal and statistics say, as one line of JSON."""

import json
import sys

from controller.record import snapshot
from controller.run import loop_statistics
from controller.system.paths import RUN_DIRECTORY
from safety import signals as s


def main():
    """Exit code 0, or a traceback when there is no running controller: the caller shows its last
    line.
    """
    seen = snapshot.read(f"{RUN_DIRECTORY}/journal")
    loop = loop_statistics.read(f"{RUN_DIRECTORY}/loop.stats")
    print(
        json.dumps(
            {"state": s.STATES[seen.out[s.STATE]], "standing": list(seen.standing), "loop": loop}
        )
    )


if __name__ == "__main__":
    sys.exit(main())
