"""The process image: drivers write it between ticks, and each tick works on a frozen copy.

Drivers write values into `inp` and set bytes of `fresh` at any time between two ticks. The process
does the same with the local signals. `freeze` copies both into the core's arrays at once, so that
no value changes during a tick. The blocks of `own_blocks` follow behind the kernel's inputs:

    the core reads             hints, schedule, lamp_test, step_test, site, rest (standby.py),
                               grid_quality and load_quality; path_delay and peak of an
                               earlier run
    for readers of the journal sent (sent.py), locked_out, peer (channel B), is_ending, void_reset,
                               approved_by, sign_held
"""

from array import array
from collections.abc import Iterable, Sequence

from controller.core.base import schedule_table
from controller.core.base.hint_codes import HINT_SLOTS, HINT_WORDS, SLOT_WORDS, HintSlot
from controller.core.base.integers import within
from controller.core.site_devices.layout import SiteDevice, signals, words
from safety import signals as s

LOCKED_OUT = tuple([f"locked_out_{word}" for word in range(4)])
NAME_CHARACTERS_MAX = 4 * len(LOCKED_OUT)  # name of a person, in ASCII, four characters to a word
LAMP_TEST = "lamp_test_ms"
OPERATOR = (LAMP_TEST, *LOCKED_OUT)
REST = ("rest_code", "rest_0", "rest_1", "rest_2", "rest_3")
PEER = ("peer_first_out", "peer_cause_mask")  # of channel B's own instances and kernel
IS_ENDING = "is_ending"  # 1: the process has been asked to end; a standby does not set it
# A reset that ended in this tick before it reached the kernel. Kind 0: there was none.
VOID_RESET = ("void_reset_kind", "void_reset_answer")
APPROVED_BY = tuple([f"approved_by_{word}" for word in range(4)])
STORED_PATH_DELAY = "stored_path_delay_ms"  # 0: not measured with this configuration
STEP_TEST = ("step_test_unit", "step_test_W")  # units count from 1; 0: no step test runs
SIGN_HELD = "sign_held_units"  # bit 0 is unit 1; a start waits for the sign test of these units
# A value is 0 if the meter does not report it or is silent. LOAD_QUALITY is the lowest phase.
GRID_QUALITY = ("grid_voltage_permille", "grid_frequency_mHz")
LOAD_QUALITY = ("load_voltage_permille",)
STORED_PEAK = ("stored_peak_minute", "stored_peak_used_Wh")
PEER_EMPTY = (-1, 0)  # channel B has nothing active or latched, is silent, or is not fitted


def own_blocks(units: int, devices: Iterable[SiteDevice]) -> dict[str, Sequence[str]]:
    """{block: names of its words}, in the order of the blocks behind the kernel's inputs."""
    return {
        "hints": [f"hint_{slot}.{word}" for slot in range(HINT_SLOTS) for word in HintSlot._fields],
        "sent": [f"unit_{unit}.sent_code" for unit in range(units)],
        "lamp_test": [LAMP_TEST],
        "locked_out": LOCKED_OUT,
        "rest": REST,
        "peer": PEER,
        "is_ending": [IS_ENDING],
        "void_reset": VOID_RESET,
        "approved_by": APPROVED_BY,
        "path_delay": [STORED_PATH_DELAY],
        "peak": STORED_PEAK,
        "schedule": schedule_table.BLOCK,
        "step_test": STEP_TEST,
        "sign_held": [SIGN_HELD],
        "grid_quality": GRID_QUALITY,
        "load_quality": LOAD_QUALITY,
        "site": [name for device in devices for name in words(device)],
    }


def own_names(units: int, devices: Iterable[SiteDevice]) -> list[str]:
    """Names of the words behind the kernel's inputs."""
    return [name for names in own_blocks(units, devices).values() for name in names]


def places(layout: s.Layout, devices: Iterable[SiteDevice]) -> dict[str, slice]:
    """{block of own_blocks: its slice of an image of inputs}."""
    slices, end = {}, layout.inputs
    for block, names in own_blocks(layout.units, devices).items():
        slices[block] = slice(end, end + len(names))
        end += len(names)
    return slices


def packed_name(name: str) -> "array[int]":
    """Four words that hold a name of at most NAME_CHARACTERS_MAX ASCII characters."""
    return array("i", name.encode("ascii").ljust(NAME_CHARACTERS_MAX, b"\0"))


def name_of(name_words: Iterable[int]) -> str:
    """The name in words of `packed_name`; "" for no name."""
    return bytes(array("i", name_words)).rstrip(b"\0").decode("ascii", "replace")


class ProcessImage:
    """Live inputs and freshness of a cabinet. The kernel's inputs come first
    (safety.signals.Layout), then the blocks at `places`.
    """

    def __init__(self, layout: s.Layout, devices: tuple[SiteDevice, ...]):
        self.layout, self.devices = layout, devices
        self.places = places(layout, devices)
        self._hints = self.places["hints"]
        self.inp = array("i", [0] * self.places["site"].stop)
        self.put("peer", PEER_EMPTY)
        self.hint_count = 0  # since the last freeze
        # parts of a schedule that are not yet written, the last part first
        self._schedule: list[array[int]] = []
        self.fresh = bytearray(layout.groups + signals(devices))
        self._no_fresh = bytes(len(self.fresh))

    def _slot(self, number: int) -> slice:
        """Place of a slot of hints, from 0."""
        start = self._hints.start + number * SLOT_WORDS
        return slice(start, start + SLOT_WORDS)

    def _delay_hints(self, late_ms: int) -> None:
        """Shorten the hints that have waited for a late tick, because their times began before."""
        for place in map(self._slot, range(self.hint_count)):
            hint = HintSlot._make(self.inp[place])
            begins_ms = max(0, hint.start_ms - late_ms)
            ends_ms = hint.start_ms + hint.valid_ms - late_ms
            left_ms = max(0, ends_ms - begins_ms)
            self.inp[place] = array("i", hint._replace(valid_ms=left_ms, start_ms=begins_ms))

    def freeze(self, inp: "array[int]", fresh: bytearray, late_ms: int = 0) -> None:
        """Copy inputs and freshness, then clear the freshness and the commands of one tick.
        late_ms: how long the tick is late.
        """
        self._delay_hints(late_ms)
        self.fresh[s.G_LOCAL] = 1
        if self._schedule:
            self.put("schedule", self._schedule.pop())
        inp[:] = self.inp
        fresh[:] = self.fresh
        self.fresh[:] = self._no_fresh
        self.inp[s.RESET_KIND] = 0
        self.inp[self.places["schedule"].start] = schedule_table.NO_STEP
        if self.hint_count:
            self.inp[self._hints] = array("i", [0] * HINT_WORDS)
            self.hint_count = 0

    @property
    def is_schedule_entering(self) -> bool:
        """True while parts of a schedule are still to be written into the image."""
        return bool(self._schedule)

    def add_schedule(self, table: schedule_table.Table) -> None:
        """Write a schedule into the image, one part each tick. It replaces an unfinished one."""
        self._schedule = schedule_table.steps_of(table)[::-1]

    def site_place(self, role: str, number: int) -> tuple[int, int]:
        """(place of the first word in `inp`, of the first signal in `fresh`) of a site device."""
        first, group = self.places["site"].start, self.layout.groups
        for device in self.devices:
            if (device.role.name, device.number) == (role, number):
                return first, group
            first += len(words(device))
            group += len(device.role.signals)
        raise KeyError(f"{role}_{number}")

    def put(self, block: str, content: Iterable[int]) -> None:
        """Write the words of a block of own_blocks."""
        self.inp[self.places[block]] = array("i", content)

    def add_hint(self, hint: HintSlot) -> int | None:
        """Add a hint. Returns the number of its slot, None when all are taken."""
        number, most = self.hint_count, s.INT_MAX
        if number == HINT_SLOTS:
            return None
        bounded = hint._replace(
            value_W=within(hint.value_W, -most, most),
            valid_ms=within(hint.valid_ms, 0, most),
            start_ms=within(hint.start_ms, 0, most),
        )
        self.inp[self._slot(number)] = array("i", bounded)
        self.hint_count = number + 1
        return number
