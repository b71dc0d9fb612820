"""Holds the arrays that all modules which compute features share, and the places in them.

Features (features.py) extends this class. The modules that it uses (gas.py, racks.py, ...) know
this class only, which avoids a circular import.
"""

from array import array

from safety import matrix as m, parameters as p, signals as s
from safety.ages import Ages

TICKS_FOR_MS_MAX = 1_000_000  # so that age_ms stays below 2^30: a tick is at most 1000 ms


class FeatureArrays:
    """`value[i]` holds feature i of a cabinet, `known[i]` how far it is known.

    known: matrix.KNOWN, IN_PART, DOUBTED or 0. base: place of the first feature of each block (the
    cabinet, each unit, each rack). changed: per block, 1 if a feature was computed in this step.
    never: place of a feature that is never known.
    """

    def __init__(
        self,
        layout: s.Layout,
        image: "array[int]",
        image_map: p.ImageMap,
        inp: "array[int]",
        fresh: bytearray,
        out: "array[int]",
    ) -> None:
        self.layout, self.image, self.map = layout, image, image_map
        self.inp, self.fresh, self.out = inp, fresh, out
        self.unit_base = len(m.CABINET_FEATURES)
        self.rack_base = self.unit_base + layout.units * m.UNIT_FEATURE_COUNT
        units, racks = range(layout.units), range(layout.racks)
        self.base = tuple(
            [0]
            + [self.unit_base + unit * m.UNIT_FEATURE_COUNT for unit in units]
            + [self.rack_base + rack * m.RACK_FEATURE_COUNT for rack in racks]
        )
        self.never = self.rack_base + layout.racks * m.RACK_FEATURE_COUNT
        self.value = array("i", [0] * (self.never + 1))
        self.known = bytearray(self.never + 1)
        self.changed = bytearray(1 + layout.units + layout.racks)
        self.ages = Ages(layout, image, image_map, fresh)
        self.tick_ms = image[p.H_TICK_MS]
        self.rack_unit = tuple(
            [image[image_map.rack + rack * p.RACK_WORDS + p.R_UNIT] for rack in racks]
        )
        # the racks on the DC bus of each unit
        self.of_unit = tuple(
            [tuple([rack for rack in racks if self.rack_unit[rack] == unit]) for unit in units]
        )
        self.state_at = tuple([layout.rack_input(rack, s.CONTACTOR_STATE) for rack in racks])
        # how the report of a rack contradicts the command; contactors.py writes it
        self.mismatch = bytearray(layout.racks)

    def put(self, feature: int, value: int, known: int) -> None:
        """Store value and `known` of one feature."""
        self.value[feature] = value
        self.known[feature] = known

    def level(self, age_ticks: int, ladder: int) -> int:
        """How many of the three times at image[ladder] the age has reached: 0 to 3."""
        image, age_ms = self.image, min(age_ticks, TICKS_FOR_MS_MAX) * self.tick_ms
        return (
            (age_ms >= image[ladder])
            + (age_ms >= image[ladder + 1])
            + (age_ms >= image[ladder + 2])
        )
