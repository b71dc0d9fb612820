"""Values at the ends of the types of the wire, for every field of every message."""

LIMITS = {
    "B": (0, 2**8 - 1),
    "H": (0, 2**16 - 1),
    "I": (0, 2**32 - 1),
    "Q": (0, 2**64 - 1),
    "i": (-(2**31), 2**31 - 1),
}


def near(powers, steps):
    """Numbers a step from a power of two, of both signs."""
    return {sign * 2**power + step for power in powers for sign in (1, -1) for step in steps}


AROUND = {-1, 0, 1, 1000, 1001} | near((7, 8, 15, 16, 29, 30, 31, 32, 63, 64), (-1, 0, 1))
FEW = sorted({-1, 0, 1} | near((15, 16, 31, 32, 63, 64), (-1, 0)))
# JSON and msgpack have other types beside
ODD = (*FEW, None, True, "", "x" * 300, "\u00e9", [], {}, [[[]]], 0.5, float("nan"), float("-inf"))


def ends(code):
    """The numbers around which a narrower type ends, within the type of the wire."""
    low, high = LIMITS[code]
    return [each for each in sorted(AROUND) if low <= each <= high]


def varied(fields):
    """(name, value) of every field of {name: type code} at each of its ends."""
    return [(name, value) for name, code in fields.items() for value in ends(code)]
