"""Whether a power can be, by the rating of what carries it.

A wrong unit, scale, sign or register gives a number that fits its type, and what acts on it acts
wrongly: 5 MW of sun beside 90 kW of panels, -170 kW of a converter of 10 kW. So every driver, feed
and reader of powers asks here. A value beyond the rating and its margin is no reading: it is
unknown and counted, and what depends on it does what it does while its input is unknown.

A margin must leave every power that can really flow, because an overload has to stay seen.
"""

Margin = tuple[int, int]  # lowest and highest value, permille of the rating

# A converter that forms an island carries the start of motors for seconds.
CONVERTER: Margin = (-2000, 2000)
# The rating of a meter is that of its fuse or its current transformers, exact up to 1.2 times.
METER: Margin = (-1200, 1200)
# The limits of a connection are a contract. A connection that breaks it by several times is real
# and must be seen; ten times is a wrong unit or scale.
CONNECTION: Margin = (-10_000, 10_000)
# An inverter draws little at night; the edge of a cloud lifts its power above the rated one for
# seconds. Its panels alone may be rated for twice as much.
PV: Margin = (-50, 1200)
PANELS: Margin = (0, 2000)
# A set without fuel is motored by the bus until its protection opens, and an overloaded one must
# stay known: load is then shed.
GENSET: Margin = (-200, 1500)
UPS: Margin = (0, 1500)  # it carries an overload for seconds, and its bypass for longer
CONSUMER: Margin = (0, 1200)  # a heater; what a scheduler has agreed to lower
EXACT: Margin = (-1000, 1000)  # the rating is a bound already

# A power below this part of voltage times current has the wrong unit: kW for W is a thousandth. No
# load has so low a power factor: an idle filter or transformer takes several parts in a hundred.
# 0 W is a choke, a capacitor, or a battery that follows the load.
UNIT_PARTS = 500
UNIT_VA_MIN = 1000  # below it the current is noise of its transformers
# A forecast of PV whose best hour stays below this part of the rating, permille. The darkest
# overcast day gives more; kW for W gives less on every day.
FAINT_PERMILLE = 5


def limits(rating: int, margin: Margin) -> tuple[int, int]:
    """(lowest, highest) plausible value."""
    low, high = margin
    return low * rating // 1000, high * rating // 1000


def plausible(value: float, rating: float, margin: Margin) -> bool:
    """Whether this value can be. Not a number cannot."""
    low, high = margin
    return low * rating <= value * 1000 <= high * rating


class UnitProof:
    """Whether the power of a meter has had the unit of voltage times current once. One that shows
    kW for W never has it; a right one may show a few W while a battery follows the load.
    """

    is_proven = False

    def fits(self, power_W: float, apparent_VA: float) -> bool:
        """Whether this power is a reading."""
        is_shown = power_W != 0 and apparent_VA >= UNIT_VA_MIN
        if is_shown and not self.is_proven:
            self.is_proven = abs(power_W) * UNIT_PARTS >= apparent_VA
        return self.is_proven or not is_shown


def is_faint(highest_W: float, rating_W: float) -> bool:
    """Whether a whole day of PV stays so low that its unit is doubtful."""
    return highest_W * 1000 < FAINT_PERMILLE * rating_W
