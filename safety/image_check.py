"""Checks the limit image: its form at the start, and its content while the kernel runs."""

from array import array

from safety import crc, matrix as m, parameters as p, signals as s
from safety.evaluate import (
    CLEAR,
    CLEAR_TICKS,
    D_CLEAR_AT,
    D_CLEAR_TICKS,
    D_GATE,
    D_HOLD_TICKS,
    D_SET_TICKS,
    SET,
    SET_TICKS,
    STAGE_WORDS,
    Evaluator,
)

# Number of steps in which the whole image is checked, whatever its size: 1 s at 10 ms a tick, 2 s
# at 20 ms.
CRC_STEPS = 100
# places in `crc`: CRC at the start, CRC so far, next word, 1 if a copy differs from the image
AT_START, SO_FAR, NEXT, DIFFERS = range(4)


def topology(image: "array[int]") -> tuple[s.Layout, p.ImageMap]:
    """(Layout, ImageMap) of an image. ValueError if it is no limit image of this kernel."""
    if image[p.H_SCHEMA] != p.IMAGE_SCHEMA:
        raise ValueError("limit image schema is not the kernel's")
    layout = s.Layout(image[p.H_UNITS], image[p.H_RACKS], image[p.H_MODULES])
    image_map = p.ImageMap(layout.units, layout.racks, m.STAGES_PER_SCOPE)
    if len(image) != image_map.words:
        raise ValueError("limit image length does not fit its topology")
    # without this check a trip could raise IndexError, or a rack could read the temperature of
    # another
    if not p.fits(image, image_map):
        raise ValueError(
            "limit image holds a word beyond 2^30, a second that is not whole ticks of at most "
            "500 ms, or a rack whose unit or modules its topology does not have"
        )
    return layout, image_map


class ImageCheck:
    """Checks one slice of the image per step: its CRC, and the copies that the evaluator uses.

    A difference sets a feature (row 44 of the matrix); it raises no exception.
    """

    def __init__(self, image: "array[int]", evaluator: Evaluator) -> None:
        self.image, self.evaluator, self.features = image, evaluator, evaluator.features
        self.crc = array("i", [p.image_crc(image), 0, 0, 0])
        self.words = -(-len(image) // CRC_STEPS)  # words of each step

    def update(self) -> None:
        """Check the slice of this step."""
        state, image, evaluator = self.crc, self.image, self.evaluator
        first, end = state[NEXT], len(image)
        last = min(first + self.words, end)
        value = crc.START if first == 0 else state[SO_FAR]
        value = crc.add_words(value, image, first, last)
        for index in range(first * evaluator.count // end, last * evaluator.count // end):
            if not self.as_image(index):
                state[DIFFERS] = 1
        state[SO_FAR] = value
        state[NEXT] = last
        if last == end:
            is_changed = value != state[AT_START] or state[DIFFERS]
            self.features.put(m.F_IMAGE_CHANGED, 1 if is_changed else 0, 1)
            state[NEXT] = state[DIFFERS] = 0

    def as_image(self, index: int) -> bool:
        """True if the copies of an instance (see Evaluator.build) equal the image and the table."""
        evaluator = self.evaluator
        image, image_map, place = evaluator.image, evaluator.map, evaluator.place[index]
        if place < 0:
            return not image[image_map.armed + index]
        block = evaluator.block[index]
        armed, armed_at = evaluator.armed[block], evaluator.armed_at[block]
        watch = evaluator.watch[index]
        if (
            place >= len(armed)
            or place >= len(armed_at)
            or armed[place] is not watch
            or armed_at[place] != index
        ):
            return False
        debounce = evaluator.debounce[index]
        start = image_map.stage + evaluator.stage[index] * STAGE_WORDS
        feature, sense, set_at, _ = watch
        return (
            feature == evaluator.feature_of(index)
            and sense == m.STAGES[evaluator.stage[index]][m.S_SENSE]
            and set_at == image[start + SET] * sense
            and debounce[D_CLEAR_AT] == image[start + CLEAR] * sense
            and debounce[D_SET_TICKS] == image[start + SET_TICKS]
            and debounce[D_CLEAR_TICKS] == image[start + CLEAR_TICKS]
            and debounce[D_HOLD_TICKS] == evaluator.hold_of(index)
            and debounce[D_GATE] == evaluator.gate_of(index)
        )
