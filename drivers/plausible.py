"""Decides whether a power is possible, by the rating of the device that carries it.

A wrong unit, scale, sign or register gives a number that fits its type but is wrong. Examples are 5
MW of PV power from 90 kW of panels, or -170 kW at a converter of 10 kW. So every driver, feed and
reader of powers asks here. A value beyond rating and margin is refused and counted, and its signal
is unknown.

A margin must include every power that can really flow, because an overload must stay visible.
"""

Margin = tuple[int, int]  # lowest and highest value, permille of the rating

# A converter that forms an island carries the starting current of motors for seconds.
CONVERTER = (-2000, 2000)
# The rating of a meter is its fuse or its current transformers, which are accurate up to 1.2 times.
METER = (-1200, 1200)
# The limits of a connection are a contract. A load may really exceed them several times, which must
# stay visible. Ten times the limit means a wrong unit or scale.
CONNECTION = (-10_000, 10_000)
# An inverter consumes little at night. The edge of a cloud lifts its power above the rated power
# for seconds. Its panels may have twice its rating.
PV = (-50, 1200)
PANELS = (0, 2000)
# Without fuel the bus drives a generator set like a motor until its protection opens. The power of
# an overloaded set must stay known, because load is then shed.
GENSET = (-200, 1500)
UPS = (0, 1500)  # it carries an overload for seconds, or for longer by its bypass
CONSUMER = (0, 1200)  # a heater, or the load that a scheduler may lower
EXACT = (-1000, 1000)  # the rating itself is the bound

# A power below 1/500 of voltage times current has the wrong unit: kW for W is 1/1000. No load has
# such a low power factor; an idle filter or transformer has several percent. But 0 W is possible,
# with a choke, a capacitor, or a battery that follows the load.
UNIT_PARTS = 500
UNIT_VA_MIN = 1000  # below it the current may be noise of the current transformers
# Permille of the rating. If the best hour of a PV forecast is below this, its unit is wrong: the
# darkest overcast day gives more, and kW for W gives less on every day.
FAINT_PERMILLE = 5


def limits(rating: int, margin: Margin) -> tuple[int, int]:
    """(lowest, highest) plausible value."""
    low, high = margin
    return low * rating // 1000, high * rating // 1000


def plausible(value: float, rating: float, margin: Margin) -> bool:
    """True if this value is possible. NaN is not."""
    low, high = margin
    return low * rating <= value * 1000 <= high * rating


class UnitProof:
    """Remembers whether a power of the meter has once fitted voltage times current.

    A meter that shows kW for W never fits. A correct meter may later show a few W, while a battery
    follows the load.
    """

    is_proven = False

    def fits(self, power_W: float, apparent_VA: float) -> bool:
        """True if this power may count as a reading."""
        is_shown = power_W != 0 and apparent_VA >= UNIT_VA_MIN
        if is_shown and not self.is_proven:
            self.is_proven = abs(power_W) * UNIT_PARTS >= apparent_VA
        return self.is_proven or not is_shown


def is_faint(highest_W: float, rating_W: float) -> bool:
    """True if a whole day of PV stays so low that its unit is doubtful."""
    return highest_W * 1000 < FAINT_PERMILLE * rating_W
