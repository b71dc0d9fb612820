"""Links: every device of the cabinet, whether it is heard, how old its word is, and what its bus
has counted.
"""

from controller.state import base, racks
from safety import signals as s

OK, LATE, NEVER = "ok", "LATE", "never heard"
KINDS = {
    "bms": "BMS",
    "pcs": "PCS",
    "meter_grid": "Meter",
    "meter_load": "Meter",
    "io_1": "I/O",
    "io_2": "I/O",
    "io_3": "I/O",
    "gas_1": "Gas",
    "gas_2": "Gas",
    "offgas_1": "Gas",
    "offgas_2": "Gas",
    "toxic": "Gas",
    "climate": "Air",
    "ups": "UPS",
}


def facts(shadow, counters):
    """The page `links` as plain data; counters: of link_statistics.read, None without."""
    devices = [_device(shadow, device) for device in shadow.reader.header.get("devices", [])]
    return {
        **base.head(shadow),
        "devices": devices,
        "summary": summary(devices),
        "buses": [_bus(bus, counters) for bus in shadow.reader.header.get("buses", [])],
        "has_counters": counters is not None,
        **_per_device(devices, counters),
    }


def summary(devices):
    """{kind: the worst state of its devices}, in the order of KINDS."""
    found = {}
    for kind in dict.fromkeys(KINDS.values()):
        states = [device["state"] for device in devices if device["kind"] == kind]
        if states:
            found[kind] = next((state for state in (LATE, NEVER) if state in states), OK)
    return found


def _device(shadow, device):
    role, index = device["role"], device["index"]
    ages = shadow.core.kernel.features.ages
    groups = _groups(shadow, role, index)
    ages_ms = [base.age_ms(shadow, group) for group in groups]
    late = [group for group in groups if not base.known(shadow, group)]
    return {
        "device": device["name"],
        "role": role,
        "kind": KINDS[role],
        "bus": device["bus"],
        "address": device["address"],
        "state": NEVER if None in ages_ms else LATE if late else OK,
        "age_ms": None if None in ages_ms else max(ages_ms),
        "late_after_ms": min([ages.budget_ticks[group] for group in groups]) * base.tick_ms(shadow),
    }


def _groups(shadow, role, index):
    if role == "bms":
        return racks.groups(shadow, index)
    if role == "pcs":
        return [shadow.layout.unit_group(index, group) for group in range(s.UNIT_GROUP_COUNT)]
    return [s.CABINET_GROUPS.index(role)]  # a cabinet's role is the name of its group


def _bus(bus, counters):
    return {**bus, **(counters or {}).get("buses", {}).get(bus["name"], {})}


def _per_device(devices, counters):
    """Hang the counters of an RTU unit on its device."""
    for device in devices:
        found = (counters or {}).get("units", {}).get((device["bus"], device["address"]))
        device["counters"] = found if device["kind"] != "BMS" else None
    return {}
