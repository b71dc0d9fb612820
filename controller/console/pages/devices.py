"""The page `devices`. It has one block of lines for each site device, such as a PV plant or a
generator set. "-" means unknown.
"""

from controller.console.pages.text import HEIGHT, Parts, age, filled, folded, pages, wrapped
from controller.state.base import Facts
from controller.state.devices import bound_by

LINES_MAX = 4  # most lines of a sentence


def parts(facts: Facts) -> Parts:
    """The devices (state/devices.py) as parts of a page."""
    return pages(facts, filled(map(_block, facts["devices"]), HEIGHT - 3))


def _block(device: Facts) -> list[str]:
    name, age_text = device["device"], age(device["age_ms"])
    title, silent = f"{name} ({device['name']})", "NOT HEARD"
    if name is None:  # the controller's own clock
        title, silent = device["name"], "no trusted UTC"
    state = age_text if device["is_known"] else f"{silent}: {age_text}"
    values = [
        f"{name} {'-' if value is None else value}" for name, value in device["signals"].items()
    ]
    texts = [", ".join(values)]
    for name, refused in device["refused"].items():
        read = "" if refused["value"] is None else f" reads {refused['value']} and"
        possible = f"possible are {refused['low']} .. {refused['high']}"
        texts.append(f"{name}{read} is refused; {possible}: check sign, scale and rated_W")
    if device["differs"]:
        texts.append(
            f"another device than the profile's: {device['differs']} differs; no value counts"
        )
    for name, value in device["fixed"].items():
        texts.append(
            f"somebody has fixed {name} at {value} in the device: it is not written until "
            f"{name}_max in the site file is {value} or less"
        )
    for name, power_W in device["beyond"].items():
        texts.append(f"{power_W} W are reported, more than {name} allows: does it take commands?")
    for actuator in device["actuators"]:
        sent = "-" if actuator["sent"] is None else actuator["sent"]
        request = f"{actuator['name']} {actuator['value']} (sent {sent}): {actuator['text']}"
        texts.append(f"asked for {request}; {bound_by(actuator)}")
    lines = wrapped(f"{title}: {device['role']}, {state}", 7)
    return lines + [line for text in texts for line in folded("", text, LINES_MAX)]
