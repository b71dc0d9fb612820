"""Runaway suspicion: two signs that are weak alone are strong together (row 53, project).

Each sign counts in percent of what trips its own row, so that 100 is a trip by itself. The
suspicion is the sum of the two largest, and nothing while the second one is below SECOND_PCT_MIN: a
solvent in the air, a warm afternoon or a load step makes one sign, not two. Row 53 trips at 140 %:
on the curve of `python -m hil runaway` (a plant model, rates assumed) that costs 31 s of 448 s of
median lead against 100 %, misses no more, and halves its alarms.
"""

from safety import matrix as m, signals as s

SIGN_PCT_MAX = 100
SECOND_PCT_MIN = 25
# feature of the cabinet or (1) of the rack; the value at which its own row trips (rows 7, 9, 22,
# 21, 24, 34); group.
SIGNS = (
    (m.F_OFFGAS_PPM_MAX, 0, 20, s.G_OFFGAS_1),
    (m.F_TOXIC_PPM, 0, 50, s.G_TOXIC),
    (m.F_TEMPERATURE_UNEXPLAINED_DDEGC, 1, 5, s.G_BMS_TEMPERATURES),
    (m.F_TEMPERATURE_OVER_MEDIAN_DDEGC, 1, 151, s.G_BMS_TEMPERATURES),
    (m.F_CELL_VOLTAGE_DROP_MV, 1, 250, s.G_BMS_CELLS),
    (m.F_CELL_SPREAD_MV, 1, 400, s.G_BMS_CELLS),
)


def suspicion_pct(value, known: bytearray, base: int) -> int:
    """Percent, 0 to 200, of one rack, whose features begin at `base`; a sign that is not known
    counts nothing.
    """
    largest = second = 0
    for feature, of_rack, trips_at, _ in SIGNS:
        at = base * of_rack + feature
        if known[at]:
            sign = min(SIGN_PCT_MAX, value[at] * 100 // trips_at)
            second = max(second, min(largest, sign))
            largest = max(largest, sign)
    return largest + second if second >= SECOND_PCT_MIN else 0


def known_as(known: bytearray, expected: bytes, base: int, groups: int) -> int:
    """m.KNOWN if every sign that this cabinet has is, m.DOUBTED if one is and none is worse, else
    m.IN_PART.

    A sign that fell silent is none that is clear.

    expected: per freshness group; groups: where those of the rack begin.
    """
    found = m.KNOWN
    for feature, of_rack, _, group in SIGNS:
        sign = known[base * of_rack + feature]
        if expected[groups * of_rack + group] and sign != m.KNOWN:
            if sign != m.DOUBTED:
                return m.IN_PART
            found = m.DOUBTED
    return found
