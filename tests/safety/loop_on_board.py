"""The microcontroller's loop on a board made of a course, on CPython and on MicroPython."""

try:
    from hil.oracle import channel_b_course as course
except ImportError:  # on MicroPython the course lies beside this file
    import channel_b_course as course

from safety import crc, second_image as si
from safety.mcu import loop

TURNS = 1500


class CourseBoard:
    def __init__(self, lock):
        self._image = course.default_image(1, 3)
        self.way = course.Course(7, self._image)
        self._lock = lock
        self.value, self.permits, self.remembered_times = crc.START, 0, 0
        self._at = 0

    def service(self):
        return False

    def image(self):
        return si.file_bytes(self._image)

    def remembered(self):
        return 0, 0, 0

    def remember(self, level, count, digest):
        self.remembered_times += 1
        self.value = crc.add_word(crc.add_word(self.value, level), count + digest)

    def next(self, second):
        self.way.next(second)
        self._at = 0

    def start(self, tick_ms):
        """Nothing to start."""

    def lock_heap(self):
        self._lock()

    def read(self, buffer):
        count = min(7, len(buffer), self.way.length - self._at)
        for place in range(count):
            buffer[place] = self.way.line[self._at + place]
        self._at += count
        return count

    def elapsed(self):
        return self.way.elapsed if self._at == self.way.length else 0

    def contacts(self):
        return self.way.contacts

    def relay(self, on):
        self.permits += on
        self.value = crc.add_word(self.value, on)

    def send(self, data):
        for byte in data:
            self.value = crc.add_word(self.value, byte)

    def kick(self):
        self.value = crc.add_word(self.value, 1)


def main(lock, unlock):
    board = CourseBoard(lock)
    second = loop.build(board)
    loop.start(board, second)
    for _ in range(TURNS):
        board.next(second)
        loop.turn(board, second)
    unlock()
    print(board.value, board.permits, board.remembered_times)
