"""The page `links`: state of each device, age of its values, counters of the buses, path delay."""

from controller.console.pages.text import RULE, duration, folded, head, page, part, parts
from controller.state.base import Facts

HEADER = "DEVICE        BUS     ADDR STATE          age late at    asked no reply damaged"
PER_PAGE = 10
CAN_STATES = ("active", "warning", "passive", "bus-off", "down")
SILENT = ("LATE", "never heard")


def lines(facts: Facts, number: int = 1) -> list[str]:
    """Part `number` (from 1) of the links (state/links.py) as lines. If there are several parts,
    silent devices come first.
    """
    devices, count, notes = facts["devices"], parts(facts["devices"], PER_PAGE), []
    if not facts["has_counters"]:
        notes.append("No counters: the controller has not written them yet.")
    if count > 1:
        devices = sorted(devices, key=lambda device: device["state"] not in SILENT)
        notes.append(f"Page {number} of {count}, silent devices first.")
    return page(
        [
            *head(facts),
            HEADER,
            *[_device(device) for device in part(devices, number, PER_PAGE)],
            RULE,
            *[_bus(bus) for bus in facts["buses"]],
            _path(facts["path_delay"]),
            *_advice(devices),
            *_strangers(devices),
            *_faults(devices),
            *notes,
        ]
    )


def _device(device: Facts) -> str:
    counts, counted = "", device["counters"]
    if counted:
        counts = f"{counted['sent']:>9}{counted['timeout']:>9}{counted['bad_reply']:>8}"
    return (
        f"{device['device'][:13]:<13} {device['bus'][:7]:<7} {device['address']:>4} "
        f"{device['state']:<11}{duration(device['age_ms']):>7} "
        f"{duration(device['late_after_ms']):>7}{counts}"
    )


def _bus(bus: Facts) -> str:
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


def _path(path: Facts) -> str:
    """The path delay in use and its source."""
    low_ms, high_ms = path["believed_ms"]
    words = {
        "nominal": "nominal: no start has measured it yet",
        "measured": f"measured by the last test; nominal {path['nominal_ms']} ms",
        "stored": f"measured in an earlier run; nominal {path['nominal_ms']} ms",
        "not believed": f"nominal: {path['found_ms']} ms is outside of {low_ms} .. {high_ms} ms",
    }
    return f"PATH DELAY {path['used_ms']} ms, {words[path['source']]}"


def _faults(devices: list[Facts]) -> list[str]:
    """Fault bits that BMS and converters report (row 59)."""
    found = [f"{one['device']} {', '.join(one['says'])}" for one in devices if one["says"]]
    return folded("Faults", "; ".join(found) + ".", 2) if found else []


def _strangers(devices: list[Facts]) -> list[str]:
    """Units whose requests another unit id answers."""
    found = [
        f"{one['device']}: unit {counts['answered_by']} answers the requests to unit "
        f"{one['address']} ({counts['other_unit']} times)"
        for one in devices
        if (counts := one["counters"]) and counts["other_unit"]
    ]
    return (
        folded("Other", "; ".join(found) + ". Correct unit_id or the device.", 2) if found else []
    )


def _advice(devices: list[Facts]) -> list[str]:
    """The first check if a device is silent."""
    silent = [device for device in devices if device["state"] in SILENT]
    if not silent:
        return []
    names = ", ".join([device["device"] for device in silent[:4]])
    plug = "supply, address and RS-485 pair"
    if any(device["kind"] == "BMS" for device in silent):
        plug = "CAN plug, terminator, node number and supply"
    return folded(
        "Check", f"{names}: {plug}. If all devices of a bus are silent, check the bus.", 2
    )
