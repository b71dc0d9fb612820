"""Values at the ends of the types of the wire, for every field of every message."""

LIMITS = {
    "B": (0, 2**8 - 1),
    "H": (0, 2**16 - 1),
    "I": (0, 2**32 - 1),
    "Q": (0, 2**64 - 1),
    "i": (-(2**31), 2**31 - 1),
}
POWERS = (7, 8, 15, 16, 29, 30, 31, 32, 63, 64)
AROUND = sorted(
    {sign * 2**power + step for power in POWERS for sign in (1, -1) for step in (-1, 0, 1)}
    | {-1, 0, 1, 1000, 1001}
)
# JSON and msgpack have other types beside
FEW = [
    sign * 2**power - step
    for power in (15, 16, 31, 32, 63, 64)
    for sign in (1, -1)
    for step in (0, 1)
]
ODD = (
    *FEW,
    -1,
    0,
    1,
    None,
    True,
    "",
    "x" * 300,
    "\u00e9",
    [],
    {},
    [[[]]],
    0.5,
    *map(float, ("nan", "-inf")),
)


def ends(code):
    """The numbers around which a narrower type ends, within the type of the wire."""
    low, high = LIMITS[code]
    return [each for each in AROUND if low <= each <= high]


def varied(fields):
    """(name, value) of every field of {name: type code} at each of its ends."""
    return [(name, value) for name, code in fields.items() for value in ends(code)]
