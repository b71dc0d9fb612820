"""Listens to a CAN bus for commands such as `firebreak bus sniff`."""

import select
from collections.abc import Iterator

from controller.system import clock
from controller.workbench.can_fits import Frame
from drivers.buses.can_port import CanPort

POLL_US = 20_000  # an interface without a file descriptor is asked for frames every 20 ms


def listen(port: CanPort, seconds: float | None) -> Iterator[Frame]:
    """Yield frames for this time, or for None until the person ends the command. The time of a
    frame is UTC, us.
    """
    end_us = None if seconds is None else clock.now_us() + round(seconds * 1e6)
    while end_us is None or clock.now_us() < end_us:
        descriptor = port.fileno()
        wait_us = POLL_US if descriptor < 0 else 10 * POLL_US
        if end_us is not None:
            wait_us = max(0, min(wait_us, end_us - clock.now_us()))
        select.select((descriptor,) if descriptor >= 0 else (), (), (), wait_us / 1e6)
        utc_us = int(clock.utc_us())
        for can_id, data in port.drain():
            yield utc_us, can_id, data
