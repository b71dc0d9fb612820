"""The limit image: is it one at the start, and is it still the same while the kernel runs."""

from array import array

from safety import crc, matrix as m, parameters as p, signals as s
from safety.evaluate import (
    D_CLEAR_AT,
    D_CLEAR_TICKS,
    D_GATE,
    D_HOLD_TICKS,
    D_SET_TICKS,
    STAGE_WORDS,
)

# the whole limit image is checked in so many steps, 2 s at 20 ms, however large it is
CRC_STEPS = 100


def topology(image) -> tuple:
    """(Layout, ImageMap) of an image. ValueError when it is no limit image of this kernel."""
    if image[p.H_SCHEMA] != p.IMAGE_SCHEMA:
        raise ValueError("limit image schema is not the kernel's")
    layout = s.Layout(image[p.H_UNITS], image[p.H_RACKS], image[p.H_MODULES])
    image_map = p.ImageMap(layout.units, layout.racks, m.STAGES_PER_SCOPE)
    if len(image) != image_map.words:
        raise ValueError("limit image length does not fit its topology")
    # or it would be an IndexError at the very trip, or another rack's temperature
    if not p.fits(image, image_map):
        raise ValueError(
            "limit image holds a word beyond 2^30, a second not of whole ticks, "
            "or units or modules that its topology has not"
        )
    return layout, image_map


class ImageCheck:
    """A slice of the image and of the copies of its thresholds per step: CRC, comparison.

    A wrong result is a feature (row 44), not an exception.
    """

    def __init__(self, image, evaluator):
        self.image, self.evaluator, self.features = image, evaluator, evaluator.features
        # at start, running, next word, a copy differs
        self.crc = array("i", [p.image_crc(image), 0, 0, 0])
        self.words = -(-len(image) // CRC_STEPS)  # of each step

    def update(self) -> None:
        """The slice of this step."""
        found, image, evaluator = self.crc, self.image, self.evaluator
        first, end = found[2], len(image)
        last = min(first + self.words, end)
        value = crc.START if first == 0 else found[1]
        value = crc.add_words(value, image, first, last)
        for index in range(first * evaluator.count // end, last * evaluator.count // end):
            if not self.as_image(index):
                found[3] = 1
        found[1] = value
        found[2] = last
        if last == end:
            is_changed = value != found[0] or found[3]
            self.features.put(m.F_IMAGE_CHANGED, 1 if is_changed else 0, 1)
            found[2] = found[3] = 0

    def as_image(self, index: int) -> bool:
        """True if the instance still works with the numbers of the image and of the table: what
        `build` made of them is a copy.
        """
        evaluator = self.evaluator
        image, image_map, at = evaluator.image, evaluator.map, evaluator.place[index]
        if at < 0:
            return not image[image_map.armed + index]
        block = evaluator.block[index]
        armed, armed_at = evaluator.armed[block], evaluator.armed_at[block]
        watch = evaluator.watch[index]
        if (
            at >= len(armed)
            or at >= len(armed_at)
            or armed[at] is not watch
            or armed_at[at] != index
        ):
            return False
        debounce = evaluator.debounce[index]
        words = image_map.stage + evaluator.stage[index] * STAGE_WORDS
        feature, sense, set_at, _ = watch
        return (
            feature == evaluator.feature_of(index)
            and sense == m.STAGES[evaluator.stage[index]][m.S_SENSE]
            and set_at == image[words] * sense
            and debounce[D_CLEAR_AT] == image[words + 1] * sense
            and debounce[D_SET_TICKS] == image[words + 2]
            and debounce[D_CLEAR_TICKS] == image[words + 3]
            and debounce[D_HOLD_TICKS] == evaluator.hold_of(index)
            and debounce[D_GATE] == evaluator.gate_of(index)
        )
