"""Samples of one unit during a step test: its set-point, and each value when it arrives.

Powers in W, > 0 discharges; times in ms of ticks, from the first tick on. The load is subtracted
from the samples of the grid, because a step of the load would hide the step of the converter.
"""

from array import array
from collections.abc import Sequence
from typing import NamedTuple

from controller.core import parameters as control
from controller.journal.snapshot import Snapshot
from safety import parameters as p, signals as s
from safety.image_check import topology

AC, DC, GRID, LOAD = "converter AC", "converter DC", "grid meter", "load meter"
METERS = {"meter_grid": GRID, "meter_load": LOAD}  # {role of a device: name of its point}
Words = Sequence[int]  # inputs or outputs of a tick
PER_W = 1_000_000  # mV x mA


class Sample(NamedTuple):
    """One value that arrived in a tick."""

    at_ms: int
    value_W: float


class Place(NamedTuple):
    """Places of one unit in the arrays of a journal, and its numbers."""

    unit: int  # from 0
    rated_W: int
    quantum_W: int  # step of the set-point
    racks: tuple[int, ...]  # from 0
    setpoint_at: int
    meters: tuple[str, ...]  # points of METERS that are fitted
    layout: s.Layout


def place(seen: Snapshot, unit: int) -> Place:
    """Place of a unit (from 0) of the journal's cabinet."""
    header = seen.reader.header
    names = header["output_names"]
    return place_of(
        header["safety_image"],
        header["control_image"],
        names.index(f"unit_{unit}.setpoint_W"),
        [device["role"] for device in header["devices"]],
        unit,
    )


def place_of(
    image: "array[int]",
    control_image: "array[int]",
    setpoint_at: int,
    roles: Sequence[str],
    unit: int,
) -> Place:
    """Place from the images of a cabinet and the roles of its devices."""
    layout, image_map = topology(image)
    starts = [image_map.rack + rack * p.RACK_WORDS for rack in range(layout.racks)]
    racks = tuple(rack for rack, start in enumerate(starts) if image[start + p.R_UNIT] == unit)
    rated_W = image[image_map.unit + unit * p.UNIT_WORDS + p.U_RATED_W]
    quantum_W = control.settings_of(control_image)["setpoint_quantum_W"]
    meters = tuple(point for role, point in METERS.items() if role in roles)
    return Place(
        unit, rated_W, quantum_W, racks=racks, setpoint_at=setpoint_at, meters=meters, layout=layout
    )


class Samples:
    """`points`: the samples of each point by name; `setpoints`: one of each tick; `sent`: each
    change of the set-point on the wire.
    """

    def __init__(self, unit_place: Place):
        self.place, self.at_ms = unit_place, 0
        self.setpoints: list[Sample] = []
        self.sent: list[Sample] = []
        racks = [rack_point(rack) for rack in unit_place.racks]
        self.points: dict[str, list[Sample]] = {
            name: [] for name in (AC, DC, *racks, *unit_place.meters)
        }
        self._raw_hash = dict.fromkeys(METERS.values(), -1)

    def take(self, inp: Words, out: Words, fresh: Words, elapsed_ms: int) -> None:
        """Add one tick."""
        self.at_ms += elapsed_ms
        self.setpoints.append(Sample(self.at_ms, out[self.place.setpoint_at]))
        self._take_unit(inp, fresh, elapsed_ms)
        for rack in self.place.racks:
            self._take_rack(rack, inp, fresh)
        if LOAD in self.points:
            self._take_meter(LOAD, s.G_METER_LOAD, s.LOAD_POWER_W, inp, fresh)
        if GRID in self.points:
            self._take_meter(GRID, s.G_METER_GRID, s.GRID_POWER_W, inp, fresh)

    def _add(self, point: str, value_W: float) -> None:
        self.points[point].append(Sample(self.at_ms, value_W))

    def _take_unit(self, inp: Words, fresh: Words, elapsed_ms: int) -> None:
        layout, unit = self.place.layout, self.place.unit
        first = layout.unit_input(unit, 0)
        sent_W = inp[first + s.PCS_SENT_W]
        if not self.sent or sent_W != self.sent[-1].value_W:
            # This image shows a frame that was submitted in the tick before.
            self.sent.append(Sample(self.at_ms - elapsed_ms, sent_W))
        if fresh[layout.unit_group(unit, s.G_PCS_MEASURE)]:
            self._add(AC, inp[first + s.PCS_POWER_W])
            volts_mV, amps_mA = inp[first + s.PCS_DC_VOLTAGE_MV], inp[first + s.PCS_DC_CURRENT_MA]
            self._add(DC, volts_mV * amps_mA / PER_W)

    def _take_rack(self, rack: int, inp: Words, fresh: Words) -> None:
        layout = self.place.layout
        first = layout.rack_input(rack, 0)
        if fresh[layout.rack_group(rack, s.G_BMS_PACK)]:
            volts_mV, amps_mA = inp[first + s.RACK_VOLTAGE_MV], inp[first + s.RACK_CURRENT_MA]
            self._add(rack_point(rack), volts_mV * amps_mA / PER_W)

    def _take_meter(self, point: str, group: int, power_at: int, inp: Words, fresh: Words) -> None:
        """Take a reply of a meter. A reply with the same raw words as the last one is no
        new value.
        """
        raw_hash = inp[power_at + 1]
        if not fresh[group] or raw_hash == self._raw_hash[point]:
            return
        self._raw_hash[point] = raw_hash
        load = self.points.get(LOAD, []) if point == GRID else []
        self._add(point, inp[power_at] - (load[-1].value_W if load else 0))


def rack_point(rack: int) -> str:
    """Name of the point of a rack (from 0)."""
    return f"rack {rack + 1}"
