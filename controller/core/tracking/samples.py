"""The samples of the load meter that load tracking remembers: a ring at the meter's own rate."""

from array import array

FRACTION = 256  # positions between two samples are in 1/256 sample

S_FILLED, S_NEWEST = range(2)  # 1 after the first sample; place of the newest one in the ring


class Samples:
    """Samples in W, one meter period apart. A place counts samples back from the newest one."""

    def __init__(self, count: int):
        """count: how many samples the ring keeps."""
        self.ring = array("i", [0] * count)
        self.words = array("q", [0, 0])

    def begin(self, load_W: int) -> None:
        """Forget everything: the past is one constant load."""
        self.ring[:] = array("i", [load_W]) * len(self.ring)
        self.words[S_FILLED] = 1

    def append(self, load_W: int) -> None:
        """Add the newest sample."""
        words = self.words
        words[S_NEWEST] = (words[S_NEWEST] + 1) % len(self.ring)
        self.ring[words[S_NEWEST]] = load_W

    def newest_W(self) -> int:
        """The newest sample."""
        return self.ring[self.words[S_NEWEST]]

    def back_W(self, count: int) -> int:
        """The sample `count` before the newest one."""
        return self.ring[(self.words[S_NEWEST] - count) % len(self.ring)]

    def between_W(self, age_256: int) -> int:
        """The load at an age in 1/256 sample, on a straight line between two samples."""
        count, part = divmod(age_256, FRACTION)
        newer_W = self.back_W(count)
        if not part:
            return newer_W
        return newer_W + ((self.back_W(count + 1) - newer_W) * part >> 8)

    def every(self, step: int, count: int, back: int = 0) -> array:
        """`count` samples (array), `step` apart, from the one `back` before the newest on."""
        ring = self.ring
        at = (self.words[S_NEWEST] - back) % len(ring)
        inside = min(count, at // step + 1)
        found = ring[at : at - inside * step if at >= inside * step else None : -step]
        if inside < count:
            at += len(ring) - inside * step
            end = at - (count - inside) * step
            found += ring[at : end if end >= 0 else None : -step]
        return found
