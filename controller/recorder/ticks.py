"""Takes from each tick the values that rules of grid operators need, for the ring of ticks."""

from typing import Any

from controller.config.devices import METERS
from controller.core.image import GRID_QUALITY
from controller.journal.frame import Frame
from controller.journal.snapshot import Snapshot, places
from controller.recorder.seconds import Seconds
from controller.state.bands import sample_ms_of
from safety import signals as s

# elapsed_ticks: ticks since the last frame; commanded: bits
COLUMNS = tuple(
    "elapsed_ticks grid_W load_W battery_W voltage_permille frequency_mHz commanded".split()
)
NONE = -(1 << 31)  # stands for an unknown value
STOP, ISLAND, SHED = 1, 2, 4  # bits of `commanded`
POWERS = 3  # the first columns of Seconds that are used here


def meters_of(header: dict[str, Any]) -> tuple[int, list[str]]:
    """(ms between values of the load meter, roles of the meters), from the header of a journal."""
    roles = [device["role"] for device in header["devices"]]
    return sample_ms_of(header), [role for role in METERS if role in roles]


class Ticks:
    """Makes the rows. Call `row` after a frame was given to the Seconds."""

    def __init__(self, seconds: Seconds):
        self._seconds, self._seen = seconds, seconds.seen
        place_of = places(self._seen.reader.header["input_names"])
        self._quality = [place_of(name) for name in GRID_QUALITY]
        self._sheds = seconds.site.of_role("load_shed")

    def row(self, frame: Frame) -> tuple[int, ...]:
        """The values of COLUMNS for this frame."""
        now, seen = self._seconds.now, self._seen
        return (
            frame.elapsed_ticks,
            *[powers[0] if powers else NONE for powers in now[:POWERS]],
            *[_quality(seen, place) for place in self._quality],
            self._commanded(),
        )

    def _commanded(self) -> int:
        seen, layout = self._seen, self._seen.layout
        forming = [seen.inp[layout.unit_input(unit, s.PCS_FORMING)] for unit in range(layout.units)]
        is_island = seen.inp[s.SOURCE_CODE] != s.SOURCE_GRID or any(forming)
        is_shed = any(shed.sent("stages") for shed in self._sheds)
        is_stop = seen.out[s.STATE] != s.RUNNING
        return STOP * is_stop + ISLAND * is_island + SHED * is_shed


def _quality(seen: Snapshot, place: int | None) -> int:
    """A value of the grid meter; NONE if the meter does not measure it or is silent."""
    return (seen.inp[place] if place is not None else 0) or NONE
