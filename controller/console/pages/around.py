"""Makes the lines of the page `status` about everything around the battery: meters, site devices
and links (the connections to devices).
"""

from controller.console.pages.text import WIDTH, kilowatt
from controller.state.base import Facts
from controller.state.devices import POWER

METER_WORDS = {
    "LATE": "unknown, late",
    "never heard": "unknown, unheard",
    "FROZEN": "unknown, frozen",
}
UPS, ON_BATTERY = "ups_Wh", "ON BATTERY, the site on the grid"
CLOSED = "closed"


def unknown(facts: Facts, meter: str) -> str:
    """Why the power of a meter is unknown."""
    meter_facts = facts["meters"].get(meter)
    if meter_facts is None:
        return "not measured"
    # If METER_WORDS has no words for the state, the site is off the grid and no current flows.
    return METER_WORDS.get(meter_facts["state"], "off the grid")


def site(devices: list[Facts]) -> list[str]:
    """[the line about site devices], or []. First come devices that do not answer, then powers and
    energies. For a device without a power, the line says what the controller asks of the device.
    """
    silent = [f"{device['device']} NOT HEARD" for device in devices if not device["is_known"]]
    heard = [device for device in devices if device["is_known"]]
    powers = [
        f"{device['device']} {kilowatt(device[POWER])} kW" for device in heard if POWER in device
    ]
    warnings = [f"{device['device']} {ON_BATTERY}" for device in heard if device.get("is_alone")]
    warnings += [
        f"{device['device']} {name} CLOSED" for device in heard for name in device.get(CLOSED, ())
    ]
    powers += [
        f"{device['device']} {kilowatt(device[UPS])} kWh" for device in heard if UPS in device
    ]
    asked = [
        f"{name.partition('.')[2]} {value}"
        for device in heard
        if POWER not in device
        for name, value in device["asked"].items()
        if value
    ]
    texts = [*silent, *warnings, *powers, *asked]
    if not texts:
        return []
    for shown in range(len(texts), 0, -1):
        more = f"  +{len(texts) - shown}: firebreak devices" if shown < len(texts) else ""
        line = f"SITE     {'  '.join(texts[:shown])}{more}"
        if len(line) <= WIDTH:
            return [line]
    return [f"SITE     {len(silent)} of {len(devices)} not heard: firebreak devices"]


def links(links: list[tuple[str, str]]) -> str:
    """A line with as many kinds of links and their states as fit, and the number of the others."""
    texts = [f"{kind} {state}" for kind, state in links]
    line = "LINKS    -"
    for shown in range(1, len(texts) + 1):
        is_ok = all(state == "ok" for _, state in links[shown:])
        more = f"  +{len(texts) - shown} {'ok' if is_ok else 'not ok'}" if links[shown:] else ""
        longer = f"LINKS    {'  '.join(texts[:shown])}{more}"
        line = longer if len(longer) <= WIDTH else line
    return line
