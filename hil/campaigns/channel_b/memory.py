"""Memory words that the rig shares with the board of a channel B: contacts, output, mode."""

import contextlib
import mmap
import os
import pathlib
from array import array

from safety import second as sc, second_image as si

MEMORY_BYTES = 16 << 20  # memory of the emulated machine
MAPPED_BYTES = 1 << 16
# Offsets from the beginning of that memory, as in safety/mcu/board_qemu.py and modes.py.
MODE, CONTACTS, LATCH_LEVEL, WATCHDOG_MS, HANG, RUNNING, IMAGE_BYTES, STEPS, OUTPUT = range(
    0, 36, 4
)
KEPT_COUNT, KEPT_DIGEST = 36, 40
IMAGE = 0x100
USUAL_WATCHDOG_MS = 300  # below 0.5 s, as on the real boards, with a reserve for a busy machine
MODE_RUN, MODE_LOCKSTEP, MODE_COUNT = range(3)
ALL_CLOSED = sc.RELAY_BIT - 1


class Memory:
    """The mapped file. image: the limit image of a new board; None: the file exists."""

    def __init__(self, path: str | pathlib.Path, image: "array[int] | None" = None) -> None:
        self.path, self._created = str(path), image is not None
        if self._created:
            with open(self.path, "wb") as file:
                file.truncate(MEMORY_BYTES)
        with open(self.path, "r+b") as file:
            self._words = mmap.mmap(file.fileno(), MAPPED_BYTES)
        if image is not None:
            content = si.file_bytes(image)
            self._words[IMAGE : IMAGE + len(content)] = content
            self.write(IMAGE_BYTES, len(content))
            self.write(WATCHDOG_MS, USUAL_WATCHDOG_MS)
            self.forget()

    def write(self, place: int, word: int) -> None:
        """Set a word."""
        self._words[place : place + 4] = word.to_bytes(4, "little")

    def read(self, place: int) -> int:
        """A word."""
        return int.from_bytes(self._words[place : place + 4], "little")

    def image(self) -> bytes:
        """The bytes of the limit image."""
        return self._words[IMAGE : IMAGE + self.read(IMAGE_BYTES)]

    def forget(self) -> None:
        """Reset the state to that before the first run: no latch, and no hang noted."""
        for place in (LATCH_LEVEL, KEPT_COUNT, KEPT_DIGEST, RUNNING, HANG, OUTPUT):
            self.write(place, 0)
        self.write(CONTACTS, ALL_CLOSED)

    def close(self) -> None:
        """Close the memory and remove its file. A second call has no effect."""
        self._words.close()
        if self._created:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
