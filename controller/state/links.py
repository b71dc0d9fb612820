"""Links: every device of the cabinet, its state and the age of its values; the counters of each
bus; the path delay.
"""

from controller.state import base, path_delay, racks
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


def facts(shadow, counters) -> dict:
    """The page `links` as plain data; counters: of link_statistics.read, None without."""
    units, buses = [(counters or {}).get(name, {}) for name in ("units", "buses")]
    header = shadow.reader.header
    devices = [_device(shadow, device, units) for device in header.get("devices", [])]
    return {
        **base.head(shadow),
        "devices": devices,
        "summary": summary(devices),
        "buses": [{**bus, **buses.get(bus["name"], {})} for bus in header.get("buses", [])],
        "has_counters": counters is not None,
        "path_delay": path_delay.facts(shadow),
    }


def summary(devices: list) -> dict:
    """{kind: the worst state of its devices}, in the order of KINDS."""
    found = {}
    for kind in dict.fromkeys(KINDS.values()):
        states = [device["state"] for device in devices if device["kind"] == kind]
        if states:
            found[kind] = next((state for state in (LATE, NEVER) if state in states), OK)
    return found


def _device(shadow, device, counters):
    """One device; counters: {(bus, address): of an RTU unit}."""
    role, bus, address = device["role"], device["bus"], device["address"]
    ages, groups = shadow.core.kernel.features.ages, _groups(shadow, role, device["index"])
    ages_ms = [base.age_ms(shadow, group) for group in groups]
    is_known = all(base.known(shadow, group) for group in groups)
    state, age_ms = NEVER, None
    if None not in ages_ms:
        state, age_ms = OK if is_known else LATE, max(ages_ms)
    return {
        "device": device["name"],
        "role": role,
        "kind": KINDS[role],
        "bus": bus,
        "address": address,
        "state": state,
        "age_ms": age_ms,
        "late_after_ms": min([ages.budget_ticks[group] for group in groups]) * base.tick_ms(shadow),
        "counters": counters.get((bus, address)) if role != "bms" else None,
        "says": base.bit_names(device, _bits(shadow, role, device["index"])),
    }


def _bits(shadow, role, index):
    """What a BMS or PCS says of itself, as bits."""
    if role == "bms":
        return base.rack_value(shadow, index, s.BMS_FAULT_BITS)
    return base.unit_value(shadow, index, s.PCS_ALARM_BITS) if role == "pcs" else 0


def _groups(shadow, role, index):
    if role == "bms":
        return racks.groups(shadow, index)
    if role == "pcs":
        return [shadow.layout.unit_group(index, group) for group in range(s.UNIT_GROUP_COUNT)]
    return [s.CABINET_GROUPS.index(role)]  # a cabinet's role is the name of its group
