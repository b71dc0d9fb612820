"""Leaky means of products, all at once: the autocorrelation of a load (repetition.py).

    mean[lag] += (newest change * change `lag` before - mean[lag]) / 2^bits, rounded down

One by one, 282 lags take 50 us. So all numbers are in one integer, the sum of number k * 2^(64 k).
Python adds, subtracts and shifts this integer in C. Each number fits while it is below 2^62, which
holds for powers below 2^30 W.
"""

from array import array

NUMBER_BITS, POWER_BITS = 64, 32


def ones(count: int) -> int:
    """`count` packed numbers, each 1."""
    return ((1 << NUMBER_BITS * count) - 1) // ((1 << NUMBER_BITS) - 1)


class Products:
    """Computes `count` packed means."""

    def __init__(self, count: int, bits: int):
        self._bits, self._count, packed = bits, count, ones(count)
        self._signs, self._kept = (
            packed << NUMBER_BITS - 1,
            packed * ((1 << NUMBER_BITS - bits) - 1),
        )
        self._zeros = self._signs >> bits
        self._power_signs = ones(count + 1) << POWER_BITS - 1

    def moved(self, means: "array[int]", powers_W: "array[int]") -> "array[int]":
        """The next means. powers_W: count + 1 powers, newest first. Packed numbers have 2^63 added
        (powers 2^31), because a negative number would change its neighbours.
        """
        wide = array("i", bytes(8 * len(powers_W)))
        wide[::2] = powers_W
        above = int.from_bytes(wide, "little") ^ self._power_signs
        changes = above - (above >> NUMBER_BITS)
        above = int.from_bytes(means, "little") ^ self._signs
        away = (powers_W[0] - powers_W[1]) * changes - above + 2 * self._signs
        above += (away >> self._bits & self._kept) - self._zeros
        return array("q", (above ^ self._signs).to_bytes(8 * self._count, "little"))
