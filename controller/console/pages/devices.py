"""The page devices: one block for each site device; "-" is unknown."""

from typing import Any

from controller.console.pages.text import age, folded, head, page, part
from controller.state.devices import bound_by

PER_PAGE = 4  # blocks


def lines(facts: dict[str, Any], number: int = 1) -> list[str]:
    """Part `number` (from 1) of the devices (state/devices.py) as lines."""
    blocks = [_block(each) for each in part(facts["devices"], number, PER_PAGE)]
    return page([*head(facts), *[line for block in blocks for line in block]])


def _block(device: dict[str, Any]) -> list[str]:
    heard = age(device["age_ms"])
    state = heard if device["is_known"] else f"NOT HEARD ({heard}): its actuators go to 0"
    values = [
        f"{name} {'-' if value is None else value}" for name, value in device["signals"].items()
    ]
    out = [f"{device['name']}: {device['role']}, {state}", *folded("", ", ".join(values), 2)]
    for name, refused in device["refused"].items():
        read = "" if refused["value"] is None else f" reads {refused['value']} and"
        possible = f"possible are {refused['low']} .. {refused['high']}"
        words = f"{name}{read} is refused; {possible}: check sign, scale and rated_W"
        out += folded("", words, 2)
    if device["differs"]:
        words = f"another device than the profile's: {device['differs']} differs; no value counts"
        out += folded("", words, 2)
    for name, power_W in device["beyond"].items():
        words = f"{power_W} W are reported, more than {name} allows: does it take commands?"
        out += folded("", words, 2)
    for actuator in device["actuators"]:
        text = f"{actuator['name']} {actuator['value']} (sent {_sent(actuator)}): "
        out += folded("", f"asked for {text}{actuator['text']}; {bound_by(actuator)}", 2)
    return out


def _sent(actuator: dict[str, Any]) -> str:
    return "-" if actuator["sent"] is None else str(actuator["sent"])
