"""The signals of the site devices in one tick, and how old they are.

Each signal has its own age, because a device answers in several blocks of registers, and one block
may be missing while the others arrive. A state passes its debounce, and a power that may jump
passes ../base/integrity.py.
"""

from array import array
from typing import NamedTuple

from controller.core.base import integrity
from controller.core.base.integrity import Integrity
from controller.core.site_devices import debounce, layout
from controller.core.site_devices.debounce import Debounce
from controller.core.site_devices.layout import REFUSED, SiteDevice
from controller.core.site_devices.reading_roles import CLOCK

AGE_MS_MAX = 1_000_000_000  # an older signal, and one that was never reported, counts as this old
NEVER_MS = 1 << 62
ALONE_MS = 3000  # a jump that no other reading confirms or contradicts counts after this time
NOW = 0  # place of the present time in `Site.state`; the times of the last reports follow
DAY_S = 86_400


class UtcTime(NamedTuple):
    """time_s: since 1970, UTC; error_ms: largest error that the time source states."""

    time_s: int
    error_ms: int


class DeviceView:
    """One device as control functions see it. `known` has a bit for each known signal. `bits` has
    the bit of each signal by name, 0 if this device does not report it.
    """

    def __init__(
        self,
        device: SiteDevice,
        inp: "array[int]",
        first: int,
        state: "array[int]",
        first_time: int,
    ):
        """inp: inputs of the core; first: place of the device's first word; state: of the Site;
        first_time: place of the device's first signal there.
        """
        self.device, self.settings = device, device.settings
        self._inp = inp
        self._state, self._first_time = state, first_time
        signals, actuators = device.role.signals, device.role.actuators
        names = [signal.name for signal in signals]
        self._places = {name: place for place, name in enumerate(names)}
        # the signals that do not count at once; `checked`: powers that may jump
        self.receivers: dict[str, Debounce | Integrity] = {}
        self.checked: dict[str, Integrity] = {}
        self._at = {name: first + place for place, name in enumerate(names)}
        self.bits = {name: device.mask & 1 << place for place, name in enumerate(names)}
        first += len(signals)
        self._sent = {actuator.name: first + place for place, actuator in enumerate(actuators)}
        self._words_at = first + len(actuators)
        self.refused_at = self._words_at + REFUSED
        # doubted: a bit for each signal that other measurements contradict (site_balance.py)
        self.known = self.doubted = 0

    def value(self, signal: str) -> int | None:
        """Value of a signal that counts. None while the signal is unknown or contradicted, or if
        this device does not report it.
        """
        if not self.known & ~self.doubted & self.bits[signal]:
            return None
        return self._counted(signal) if signal in self.receivers else self._inp[self._at[signal]]

    def settled(self, signal: str) -> int | None:
        """The same as `value`, but also for a signal that other measurements contradict."""
        reported = self.reported(signal)
        if reported is None or signal not in self.receivers:
            return reported
        return self._counted(signal)

    def _counted(self, signal: str) -> int | None:
        receiver = self.receivers[signal]
        if isinstance(receiver, Integrity):
            return receiver.value
        return receiver.value(self._inp[self._at[signal]])

    def held(self, signal: str) -> int | None:
        """The same as `value`, but the value before a jump while the jump makes it unknown."""
        if signal in self.checked and self.checked[signal].is_doubted:
            return self.settled(signal)
        return self.value(signal)

    def reported(self, signal: str) -> int | None:
        """Last report of a signal, contradicted or not. None if it is too old or refused."""
        return self._inp[self._at[signal]] if self.known & self.bits[signal] else None

    def is_doubted(self, signal: str) -> bool:
        """True if other measurements contradict this signal."""
        return self.doubted & self.bits[signal] != 0

    def read(self, signal: str) -> int | None:
        """Last value that counted, however old; None if this device does not report it."""
        counted = self.checked[signal].value if signal in self.checked else None
        reported = self._inp[self._at[signal]] if self.bits[signal] else None
        return reported if counted is None else counted

    def age_ms(self, signal: str) -> int:
        """Time since this signal was reported, at most AGE_MS_MAX."""
        reported_ms = self._state[self._first_time + self._places[signal]]
        return min(AGE_MS_MAX, self._state[NOW] - reported_ms)

    def is_heard(self, signal: str) -> bool:
        """True if this signal has been reported since the start."""
        return self.age_ms(signal) < AGE_MS_MAX

    def is_refused(self, signal: str) -> bool:
        """True if the device answers, but the last report of this signal was refused."""
        return self._inp[self.refused_at] & self.bits[signal] != 0

    @property
    def youngest_ms(self) -> int:
        """Age of the signal that was reported last."""
        return min([self.age_ms(signal) for signal in self._places])

    @property
    def is_known(self) -> bool:
        """True if at least one signal is known."""
        return self.known != 0

    def update_known(self) -> int:
        """Update `known`. Returns the time at which the next signal becomes too old, ms."""
        state, stale_ms, ends_ms = self._state, self.settings["stale_ms"], [NEVER_MS]
        known = 0
        for place in range(len(self._places)):
            end_ms = state[self._first_time + place] + stale_ms
            if state[NOW] < end_ms:
                known |= 1 << place
                ends_ms.append(end_ms)
        self.known = known & ~self._inp[self.refused_at]
        return min(ends_ms)

    def word(self, number: int) -> int:
        """A word of layout.STATE_WORDS."""
        return self._inp[self._words_at + number]

    def sent(self, actuator: str) -> int:
        """The value that was sent to the device last; 0 before the first."""
        return self._inp[self._sent[actuator]]


class Site:
    """`devices` in the order of the site image; `state`: in the journal."""

    def __init__(
        self, devices: tuple[SiteDevice, ...], inp: "array[int]", first: int, tick_ms: int
    ):
        """inp: inputs of the core; first: place of the first word of the first device."""
        self.inp = inp
        # 64 bits, so that the time never overflows
        count = layout.signals(devices)
        self.state = array("q", [0, *[-AGE_MS_MAX] * count])
        # {place of the signal in `fresh`: (place of its word in `inp`, what takes its report)}
        self._receivers: dict[int, tuple[int, Debounce | Integrity]] = {}
        self.devices: list[DeviceView] = []
        first_time = NOW + 1
        for device in devices:
            view = DeviceView(device, inp, first, self.state, first_time)
            self.devices.append(view)
            self._check(view, first, first_time - 1)
            first += len(layout.words(device))
            first_time += len(device.role.signals)
        feeds = [(view, view.device.role.feed) for view in self.devices]
        # the devices that feed power into the site: sources that depend on weather, and engines
        self.inverters = [view for view, feed in feeds if feed and not feed.is_engine]
        self.engines = [view for view, feed in feeds if feed and feed.is_engine]
        self._clocks = self.of_role(CLOCK.name)
        self._tick_ms = tick_ms
        self._refused_at = [view.refused_at for view in self.devices]
        self._refused: list[int] = []
        self._due_ms = NEVER_MS

    def _check(self, view: DeviceView, first: int, fresh_at: int) -> None:
        """Make what takes the reports of states and of powers that may jump. fresh_at: place of the
        first signal of the device in `fresh`.
        """
        settings, state = view.settings, self.state
        stale_ms = settings["stale_ms"]
        for place, signal in enumerate(view.device.role.signals):
            receiver: Debounce | Integrity
            start = len(state)
            if signal.settle_ms:
                state.extend([0] * debounce.WORDS)
                receiver = Debounce(state, start, signal.settle_ms, stale_ms)
            elif signal.jump_permille:
                state.extend([0] * integrity.WORDS)
                step = settings[signal.rating] * signal.jump_permille // 1000
                receiver = Integrity(state, start, step, stale_ms, ALONE_MS)
                view.checked[signal.name] = receiver
            else:
                continue
            view.receivers[signal.name] = receiver
            self._receivers[fresh_at + place] = first + place, receiver

    def of_role(self, role: str) -> list[DeviceView]:
        """All devices of a role, in order."""
        return [device for device in self.devices if device.device.role.name == role]

    def utc_time(self) -> UtcTime | None:
        """The time by the clock of this box; None while any of its words is unknown."""
        for clock in self._clocks:
            day_d, time_s, error_ms = [clock.value(signal.name) for signal in CLOCK.signals]
            if day_d is not None and time_s is not None and error_ms is not None:
                return UtcTime(day_d * DAY_S + time_s, error_ms)
        return None

    def step(self, fresh: bytes | bytearray, elapsed_ticks: int) -> None:
        """Step one tick. fresh: a byte for each signal, 1 if it was reported in this tick."""
        state, inp = self.state, self.inp
        state[NOW] += elapsed_ticks * self._tick_ms
        place = fresh.find(1)
        refused = [inp[refused_at] for refused_at in self._refused_at]
        is_due = place >= 0 or state[NOW] >= self._due_ms or refused != self._refused
        while place >= 0:
            if place in self._receivers:
                word_at, receiver = self._receivers[place]
                receiver.take(inp[word_at], state[NOW], state[NOW] - state[NOW + 1 + place])
            state[NOW + 1 + place] = state[NOW]
            place = fresh.find(1, place + 1)
        if is_due:
            self._refused = refused
            self.look()

    def look(self) -> None:
        """Update `known` of all devices after a change of `state`."""
        self._due_ms = min([NEVER_MS, *[view.update_known() for view in self.devices]])


def without_devices() -> Site:
    """The site of a cabinet that has no site devices."""
    return Site((), array("i"), 0, 1)
