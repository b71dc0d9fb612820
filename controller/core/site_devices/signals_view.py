"""The signals of the site devices in one tick, and how old they are."""

from array import array
from collections.abc import Iterable

from controller.core.site_devices import layout
from controller.core.site_devices.layout import SiteDevice

AGE_MS_MAX = 1_000_000_000  # an older signal counts as this old


class DeviceView:
    """One device as control functions see it."""

    def __init__(self, device: SiteDevice, inp: array, first: int):
        """inp: of the core; first: place of the device's first word."""
        self.device, self.settings = device, device.settings
        self._inp = inp
        self._places = {
            signal.name: first + place if device.mask >> place & 1 else None
            for place, signal in enumerate(device.role.signals)
        }
        first += len(device.role.signals)
        self._sent = {each.name: first + at for at, each in enumerate(device.role.actuators)}
        self.is_known = False
        self.is_heard = False  # since this start
        # signals that other measurements contradict (policies/site_balance.py)
        self.doubted: frozenset[str] = frozenset()

    @property
    def names(self) -> Iterable[str]:
        """Of its signals."""
        return self._places

    def value(self, signal: str) -> int | None:
        """Its value in the unit of its name, None while it is unknown or contradicted, or where
        this device does not report it. KeyError: not of this role.
        """
        return None if signal in self.doubted else self.reported(signal)

    def reported(self, signal: str) -> int | None:
        """Its value as long as it is fresh, contradicted or not."""
        return self.read(signal) if self.is_known else None

    def read(self, signal: str) -> int | None:
        """Its last value, however old; None where this device does not report it."""
        place = self._places[signal]
        return None if place is None else self._inp[place]

    def sent(self, actuator: str) -> int:
        """The value that was sent to the device last; 0 before the first."""
        return self._inp[self._sent[actuator]]


class Site:
    """`devices` in the order of the site image; `ages_ms`: since each was heard."""

    def __init__(self, devices: tuple[SiteDevice, ...], inp: array, first: int, tick_ms: int):
        """inp: of the core; first: place of the first word of the first device."""
        self.inp = inp
        self.devices: list[DeviceView] = []
        for device in devices:
            self.devices.append(DeviceView(device, inp, first))
            first += len(layout.words(device))
        self.ages_ms = array("i", [AGE_MS_MAX] * len(devices))
        self._tick_ms = tick_ms

    def of_role(self, role: str) -> list[DeviceView]:
        """All devices of a role, in order."""
        return [each for each in self.devices if each.device.role.name == role]

    def step(self, fresh: bytes | bytearray, elapsed_ticks: int) -> None:
        """fresh: a byte for each device, 1 where a reply arrived in this tick."""
        ages_ms, passed_ms = self.ages_ms, elapsed_ticks * self._tick_ms
        for index, view in enumerate(self.devices):
            age_ms = 0 if fresh[index] else min(ages_ms[index] + passed_ms, AGE_MS_MAX)
            ages_ms[index] = age_ms
            view.is_heard = age_ms < AGE_MS_MAX
            view.is_known = age_ms < view.settings["stale_ms"]


def without_devices() -> Site:
    """The site of a cabinet that has no site devices."""
    return Site((), array("i"), 0, 1)
