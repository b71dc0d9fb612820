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
    name, heard = device["device"], age(device["age_ms"])
    title, silent = f"{name} ({device['name']})", "NOT HEARD"
    if name is None:  # the controller's own clock
        title, silent = device["name"], "no trusted UTC"
    state = heard if device["is_known"] else f"{silent}: {heard}"
    values = [
        f"{name} {'-' if value is None else value}" for name, value in device["signals"].items()
    ]
    out = wrapped(f"{title}: {device['role']}, {state}", 7)
    out += folded("", ", ".join(values), LINES_MAX)
    for name, refused in device["refused"].items():
        read = "" if refused["value"] is None else f" reads {refused['value']} and"
        possible = f"possible are {refused['low']} .. {refused['high']}"
        problem = f"{name}{read} is refused; {possible}: check sign, scale and rated_W"
        out += folded("", problem, LINES_MAX)
    if device["differs"]:
        problem = f"another device than the profile's: {device['differs']} differs; no value counts"
        out += folded("", problem, LINES_MAX)
    for name, value in device["fixed"].items():
        problem = f"somebody has fixed {name} at {value} in the device: it is not written until"
        out += folded("", f"{problem} {name}_max in the site file is {value} or less", LINES_MAX)
    for name, power_W in device["beyond"].items():
        problem = f"{power_W} W are reported, more than {name} allows: does it take commands?"
        out += folded("", problem, LINES_MAX)
    for actuator in device["actuators"]:
        sent = "-" if actuator["sent"] is None else actuator["sent"]
        text = f"{actuator['name']} {actuator['value']} (sent {sent}): {actuator['text']}"
        out += folded("", f"asked for {text}; {bound_by(actuator)}", LINES_MAX)
    return out
