"""The site devices of a cabinet as integers (the site image), and the places of their words.

The site image has these words for each device: the number of its role, its own number within the
role, a mask of the signals that it reports, and its parameters in the order of the role's record.
"""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from controller.core.base.setpoint import CHAIN_OUTPUTS
from controller.core.site_devices.records import Role
from controller.core.site_devices.roles import BY_NUMBER

# State that the driver reports, behind the signals and the sent values of each device. refused: a
# bit for each signal whose last answers were refused. refused_value: the last value out of range.
# other_device: number, from 1, of the first identity register that does not fit the profile; 0: all
# fit.
STATE_WORDS = ("refused", "refused_value", "other_device")
REFUSED, REFUSED_VALUE, OTHER_DEVICE = range(len(STATE_WORDS))


class SiteDevice(NamedTuple):
    """number: from 1 within its role; mask: a bit for each signal that the device reports."""

    role: Role
    number: int
    mask: int
    settings: dict[str, int]

    @property
    def name(self) -> str:
        """Its name in words, why and status: "pv_1"."""
        return f"{self.role.name}_{self.number}"

    def setting(self, value: int | str) -> int:
        """A number of the role's record, given as the number or as the name of a parameter."""
        return self.settings[value] if isinstance(value, str) else value


def image_of(devices: Iterable[SiteDevice]) -> "array[int]":
    """The site image of devices, array('i')."""
    image = array("i")
    for device in devices:
        image.extend((device.role.number, device.number, device.mask, *device.settings.values()))
    return image


def devices_of(site_image: "array[int]") -> tuple[SiteDevice, ...]:
    """The devices of a site image. ValueError where the image is not of this version."""
    devices, start = [], 0
    while start < len(site_image):
        role = BY_NUMBER.get(site_image[start])
        first = start + 3
        end = first + len(role.parameters) if role else 0
        if role is None or end > len(site_image):
            raise ValueError("the site image does not fit this version")
        values = zip([row[0] for row in role.parameters], site_image[first:end])
        devices.append(SiteDevice(role, site_image[start + 1], site_image[start + 2], dict(values)))
        start = end
    return tuple(devices)


def signals(devices: Iterable[SiteDevice]) -> int:
    """Number of signals of these devices: each has a byte of freshness and an age."""
    return sum([len(device.role.signals) for device in devices])


def words(device: SiteDevice) -> list[str]:
    """Names of the words of a device in the process image: signals, last sent values, state."""
    names = [signal.name for signal in device.role.signals]
    names += [f"sent_{actuator.name}" for actuator in device.role.actuators]
    names += STATE_WORDS
    return [f"{device.name}.{name}" for name in names]


def trace_names(devices: Iterable[SiteDevice]) -> list[str]:
    """Names of the words that the chains of the actuators write into the journal."""
    names = [
        f"{device.name}.{actuator.name}" for device in devices for actuator in device.role.actuators
    ]
    return [f"{name}.{word.removesuffix('_W')}" for name in names for word in CHAIN_OUTPUTS]
