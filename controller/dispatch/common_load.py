"""The load that all cabinets of one connection see, and the power that their meters do not show.

unseen   import of the connection beside the loads of the cabinets; below 0: something feeds in
rise     the part of an expected rise of the load that no battery answers. Each cabinet that runs
         answers its own part at once, and no battery answers the part of a dead cabinet. The load
         is expected to reach the peak of the last hour, and that of yesterday's next hour, because
         a load often rises at the same time of each day. A restart forgets both.
"""

import collections
from collections.abc import Sequence

from controller.dispatch.member import Member

UNSEEN_US = 60_000_000  # time constant with which unseen_W falls
RUNNING = "running"  # state of a cabinet whose battery answers
MINUTE_US = 60_000_000
HOUR_MIN, DAY_MIN = 60, 24 * 60


class CommonLoad:
    """The common load of a fleet whose cabinets have parts of it. `unseen_W` is smoothed."""

    def __init__(self, members: Sequence[Member], now_us: int):
        self._members, self._noted_us = members, now_us
        self.unseen_W = 0.0
        self._peaks: collections.deque[tuple[int, int]] = collections.deque(maxlen=DAY_MIN + 1)

    def load_W(self, now_us: int) -> int:
        """The highest load that a reporting cabinet sees; if none reports, the last known one."""
        parts = [member for member in self._members if member.cabinet.load_permille]
        live = [part for part in parts if part.is_live(now_us)]
        loads_W = [member.load_W * 1000 // member.cabinet.load_permille for member in live or parts]
        return max(loads_W, default=0)

    def note(self, now_us: int, seen_W: int) -> None:
        """Take the present values. seen_W: sum of the cabinets' loads. A rise of unseen_W counts at
        once, a fall slowly, because a cloud takes the sun away within seconds.
        """
        passed_us, self._noted_us = now_us - self._noted_us, now_us
        live = [member.report for member in self._members if member.is_live(now_us)]
        grids_W = sorted(report.grid_W for report in live if report.grid_W is not None)
        if not grids_W:
            return
        batteries_W = sum(report.battery_W or 0 for report in live)
        beside_W = grids_W[len(grids_W) // 2] + batteries_W - seen_W
        part = min(1.0, passed_us / UNSEEN_US) if beside_W < self.unseen_W else 1.0
        self.unseen_W += (beside_W - self.unseen_W) * part
        minute, load_W = now_us // MINUTE_US, self.load_W(now_us)
        if not self._peaks or self._peaks[-1][0] != minute:
            self._peaks.append((minute, 0))
        self._peaks[-1] = minute, max(self._peaks[-1][1], load_W)

    def rise_W(self, now_us: int) -> int:
        """The part of a rise to the expected peak that no battery answers. 0 if all run."""
        dead_permille = sum(
            member.cabinet.load_permille
            for member in self._members
            if not member.is_live(now_us) or member.report.state != RUNNING
        )
        if not dead_permille:
            return 0
        minute, load_W = now_us // MINUTE_US, self.load_W(now_us)
        peaks_W = [
            peak_W
            for peak_minute, peak_W in self._peaks
            if minute - peak_minute < HOUR_MIN or 0 <= peak_minute + DAY_MIN - minute < HOUR_MIN
        ]
        return (max(peaks_W, default=load_W) - load_W) * dead_permille // 1000
