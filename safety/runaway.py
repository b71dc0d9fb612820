"""Computes the suspicion of a thermal runaway: two weak signs together are a strong one.

It trips row 53 of the cause-and-effect matrix, which the project has added. Each sign counts in
percent of the value that trips its own row, so a sign of 100 trips that row. The suspicion is the
sum of the two largest signs. It is 0 while the second sign is below SECOND_PCT_MIN, because a
solvent in the air, a warm afternoon or a load step causes one sign only.

Row 53 trips at 140 %. A threshold of 100 % would trip 31 s earlier (median lead 448 s), find no
more runaways and cause twice the false alarms. Source: `hil trials runaway`, a plant model with
assumed rates.
"""

from array import array

from safety import matrix as m, signals as s

SIGN_PCT_MAX = 100
SECOND_PCT_MIN = 25
# Columns: feature; 0 for the cabinet or 1 for the rack; value at which its own row trips (rows 7,
# 9, 22, 21, 24, 34); freshness group.
SIGNS = (
    (m.F_OFFGAS_PPM_MAX, 0, 20, s.G_OFFGAS_1),
    (m.F_TOXIC_PPM, 0, 50, s.G_TOXIC),
    (m.F_TEMPERATURE_UNEXPLAINED_DDEGC, 1, 5, s.G_BMS_TEMPERATURES),
    (m.F_TEMPERATURE_OVER_MEDIAN_DDEGC, 1, 151, s.G_BMS_TEMPERATURES),
    (m.F_CELL_VOLTAGE_DROP_MV, 1, 250, s.G_BMS_CELLS),
    (m.F_CELL_SPREAD_MV, 1, 400, s.G_BMS_CELLS),
)


def suspicion_pct(value: "array[int]", known: bytearray, base: int) -> int:
    """The suspicion of one rack, 0 to 200 %. A sign that is not known counts 0.

    base: place of the first feature of the rack.
    """
    largest = second = 0
    for feature, of_rack, trips_at, _ in SIGNS:
        place = base * of_rack + feature
        if known[place]:
            sign = min(SIGN_PCT_MAX, value[place] * 100 // trips_at)
            second = max(second, min(largest, sign))
            largest = max(largest, sign)
    return largest + second if second >= SECOND_PCT_MIN else 0


def known_as(known: bytearray, expected: bytes, base: int, groups: int) -> int:
    """`known` of the suspicion, from the signs that this cabinet has.

    m.KNOWN: all signs are known. m.DOUBTED: some are doubted, the others known. m.IN_PART in all
    other cases, so a silent sign clears nothing.

    expected: per freshness group, 1 if fitted. groups: first group of the rack.
    """
    level = m.KNOWN
    for feature, of_rack, _, group in SIGNS:
        sign = known[base * of_rack + feature]
        if expected[groups * of_rack + group] and sign != m.KNOWN:
            if sign != m.DOUBTED:
                return m.IN_PART
            level = m.DOUBTED
    return level
