"""Shared by the tests of the terminal: a VT100 of 80 x 24, and stand-ins around a session."""

import re

from controller.console.terminal import view

ROWS, COLUMNS = 24, 80
SEEN = view.ShownAlarms((4, 0x1234, -1, 0), "row 29 cell over voltage, rack 2", 2)


class Vt100:
    """Obeys the sequences that the console may send and fails at others. `lines`: its screen."""

    def __init__(self):
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self._rest = b""
        self.received = 0

    def feed(self, data):
        self.received += len(data)
        data = self._rest + data
        while data:
            taken = self._take(data)
            if not taken:
                break
            data = data[taken:]
        self._rest = data

    def _take(self, data):
        if data[0] in (0x18, 0x0F, 0x0D, 0x0A):
            return 1
        if data[0] != 0x1B:
            assert 0x20 <= data[0] <= 0x7E, data[:20]
            assert self.column < COLUMNS - 1, "the last column stays free"
            self.cells[self.row][self.column] = chr(data[0])
            self.column += 1
            return 1
        if len(data) < 3:
            return 0
        cut_off = re.match(rb"\x1b(\[[0-9;]*|\()?\x18", data)
        if cut_off:
            return len(cut_off[0])
        found = re.match(rb"\x1b\[([0-9;]*)([A-Za-z])|\x1b\(B", data)
        if found is None:
            assert re.fullmatch(rb"\x1b(\[[0-9;]*)?", data), data[:20]
            return 0
        self._obey(found[2], [int(each) for each in (found[1] or b"").split(b";") if each])
        return len(found[0])

    def _obey(self, command, numbers):
        if command == b"H":
            self.row, self.column = numbers[0] - 1, numbers[1] - 1
            assert 0 <= self.row < ROWS and 0 <= self.column < COLUMNS
        elif command == b"K":
            self.cells[self.row][self.column :] = [" "] * (COLUMNS - self.column)
        elif command == b"J":
            assert numbers == [2]
            self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        else:
            assert command in (b"m", b"r", None)

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.cells]


def look(watched, pause=None):
    made = view.View(watched.folder, watched.folder, pause or watched.rig.step)
    made.update()
    return made


class FakeView:
    def __init__(self):
        self.is_live, self.is_key_out, self.alarm = True, False, SEEN.causes
        self.locked_out_by = None


class FakeActions:
    """Remembers what was asked for; an action answers "Name: done."."""

    def __init__(self):
        self.notes, self.done = [], []
        self.acknowledged = lambda alarm: None

    def note(self, now_us, code, who, text):
        self.notes.append((code, who))
        return ""

    def __getattr__(self, name):
        return lambda now_us, *details: self.done.append((name, *details)) or f"{name}: done."


class FakeActor:
    """The right to act; `elsewhere`: who has it at another console."""

    def __init__(self):
        self.elsewhere, self.is_held = None, False
        self.other = lambda: self.elsewhere

    def take(self, who):
        self.is_held = self.elsewhere is None
        return self.is_held

    def give_back(self):
        self.is_held = False
