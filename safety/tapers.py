"""Reduces power near the limits of temperature, cell voltage and charge (tapers), in permille."""

from array import array

from safety import matrix as m, parameters as p

# Row 18 of the cause-and-effect matrix as a taper, for charge and discharge: full power up to the
# first temperature, no power from the second on (0.1 degC).
TAPER_DDEGC = ((350, 450), (450, 550))
# row 25 as a taper: it begins 10 K above the inhibit (chosen by the project)
COLD_NONE_DDEGC, COLD_SPAN_DDEGC = (0, -200), 100
# stages whose thresholds, if a site sets them tighter, make a taper begin or end sooner
TAPER_STAGES = (("18a", "20a", "25a"), ("18b", "20b", "25b"))
# the first and last 3 % of charge, where the cell voltage changes steeply (chosen by the project)
SOC_TAPER_PERMILLE = ((970, 1000), (30, 0))
FULL_PERMILLE = 1000  # full power


def scale_W(power_W: int, permille: int) -> int:
    """power_W x permille / 1000, rounded down. No intermediate value exceeds 2^30."""
    return power_W // 1000 * permille + power_W % 1000 * permille // 1000


def taper_permille(value: int, full_at: int, none_at: int) -> int:
    """The allowed part of full power: 1000 up to full_at, 0 from none_at on, linear between.

    full_at may be above or below none_at.
    """
    span, left = none_at - full_at, none_at - value
    if span < 0:
        span, left = -span, -left
    if left <= 0:
        return 0
    return min(left, span) * FULL_PERMILLE // span if span else FULL_PERMILLE


def temperature_tapers(
    image: "array[int]", image_map: p.ImageMap
) -> tuple[tuple[tuple[int, int], tuple[int, int]], ...]:
    """Tapers of rows 18 to 20 and 25, for charging, then for discharging, in 0.1 degC.

    Each taper is ((full, none) of the hottest module, (full, none) of the coldest module). Where a
    site trips or inhibits sooner, the taper ends there.
    """
    ids, tapers = [row[m.S_ID] for row in m.STAGES], []
    for way in range(2):
        warm, trip, frost = [
            image[image_map.stage + ids.index(stage) * len(p.STAGE_WORDS)]
            for stage in TAPER_STAGES[way]
        ]
        none_at, cold_at = min(TAPER_DDEGC[way][1], trip), max(COLD_NONE_DDEGC[way], frost)
        tapers.append(
            (
                (min(TAPER_DDEGC[way][0], warm, none_at), none_at),
                (cold_at + COLD_SPAN_DDEGC, cold_at),
            )
        )
    return tuple(tapers)
