"""The page links: who is heard, how old their word is, what the buses have counted."""

from controller.console.pages.text import RULE, duration, folded, head, page

HEADER = "DEVICE        BUS     ADDR STATE          age late at    asked no reply damaged"
DEVICES_PER_PAGE = 11
CAN_STATES = ("active", "warning", "passive", "bus-off", "down")
TROUBLE = ("LATE", "never heard")


def lines(facts, number=1):
    """Page `number` (from 1) of the links (facts/links.py) as lines; with more devices than fit,
    troubles first.
    """
    devices = facts["devices"]
    if len(devices) > DEVICES_PER_PAGE:
        devices = sorted(devices, key=lambda device: device["state"] not in TROUBLE)
    shown = devices[(number - 1) * DEVICES_PER_PAGE : number * DEVICES_PER_PAGE]
    more = (
        [f"Page {number} of {pages(facts['devices'])}, troubles first."]
        if pages(facts["devices"]) > 1
        else []
    )
    without = (
        [] if facts["has_counters"] else ["No counters: the controller has not written any yet."]
    )
    return page(
        [
            *head(facts),
            HEADER,
            *[_device(device) for device in shown],
            RULE,
            *[_bus(bus) for bus in facts["buses"]],
            *_advice(devices),
            *without,
            *more,
        ]
    )


def pages(devices):
    """How many pages so many devices take."""
    return max(1, -(-len(devices) // DEVICES_PER_PAGE))


def _device(device):
    age = "-" if device["age_ms"] is None else duration(device["age_ms"])
    counted = device["counters"]
    counts = (
        f"{counted['sent']:>9}{counted['timeout']:>9}{counted['bad_reply']:>8}" if counted else ""
    )
    return (
        f"{device['device'][:13]:<13} {device['bus'][:7]:<7} {device['address']:>4} "
        f"{device['state']:<11}"
        f"{age:>7} {duration(device['late_after_ms']):>7}{counts}"
    )


def _bus(bus):
    name = f"BUS {bus['name'][:8]:<9}{bus['kind']} {bus['speed']:>7}  "
    if "state" in bus:
        state = CAN_STATES[bus["state"]] if 0 <= bus["state"] < len(CAN_STATES) else "?"
        return (
            f"{name}{state}, received {bus['received']}, errors {bus['error_frames']}, "
            f"bus-off {bus['bus_offs']}, lost {bus['losses']}"
        )
    if "noise_bytes" in bus:
        return (
            f"{name}unasked bytes {bus['noise_bytes']}, of them whole frames {bus['stray_frames']}"
        )
    return name


def _advice(devices):
    """What to look at first when something is not heard."""
    silent = [device for device in devices if device["state"] in TROUBLE]
    if not silent:
        return []
    names = ", ".join([device["device"] for device in silent[:4]])
    on_can = any(device["kind"] == "BMS" for device in silent)
    plug = (
        ("CAN plug, terminator, node number and supply")
        if on_can
        else "supply, address and RS-485 pair"
    )
    return folded(
        "Check",
        f"{names}: {plug}. The whole bus silent points at the bus, one device at the device.",
        2,
    )
