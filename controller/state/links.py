"""Facts of the page `links`: state of each device, age of its values, counters of each bus, path
delay.
"""

from collections import defaultdict
from typing import Any

from controller.core.site_devices import roles
from controller.journal.snapshot import Shadow
from controller.state import base, devices, path_delay, racks
from controller.state.base import Facts
from drivers import can_dialect, profile
from drivers.can_codec import EXTENDED
from safety import signals as s

SLOWER_PERCENT = 150  # a meter is too slow if it takes longer than this part of its stated refresh
OK, LATE, NEVER, FROZEN = "ok", "LATE", "never heard", "FROZEN"
OWN_STATES = {s.PCS_FAULT: "FAULT", s.PCS_UNNAMED: "NOT RUNNING"}  # of converters
NOT_OK = LATE, NEVER, FROZEN, *OWN_STATES.values()
_TEXTS = [(name, roles.ROLES[name].text) for name in roles.OF_DEVICES]
# why the values of a BMS do not count
REFUSALS = {
    can_dialect.STOPPED: "{frame} has stopped, no value counts",
    can_dialect.REFUSED: "{frame} comes with values that do not fit its profile, they do not count",
    can_dialect.SIGN: "its current has another sign than the converter's power; no value counts "
    "until the profile is corrected and the controller restarts",
    can_dialect.OTHER: "another device than the profile's: {name} differs, no value counts",
    can_dialect.STUCK: "its heartbeat, read from register {number} on, has stopped, no value "
    "counts",
    can_dialect.READ: "the read from register {number} on has a value out of range, it does not "
    "count",
}
UNSEEN_STOP = (
    "no reading confirms that this converter has stopped; while it may not run, its stop or 0 W is "
    "repeated"
)
KINDS = {
    "bms": "BMS",
    "pcs": "PCS",
    **dict.fromkeys(("meter_grid", "meter_load"), "Meter"),
    **dict.fromkeys(("io_1", "io_2", "io_3"), "I/O"),
    **dict.fromkeys(("gas_1", "gas_2", "offgas_1", "offgas_2", "toxic"), "Gas"),
    "climate": "Air",
    "ups": "UPS",
    **{name: f"{text[:1].upper()}{text[1:]}" for name, text in _TEXTS},
}


def facts(shadow: Shadow, counters: Facts | None) -> Facts:
    """The page `links` as plain data; counters: of link_statistics.read."""
    kinds: Facts = defaultdict(dict, counters or {})
    header = shadow.reader.header

    def counter(kind: str, device: Facts) -> Any:
        return kinds[kind].get((device["bus"], device["address"]))

    rows = [
        {
            **_device(shadow, device, kinds["units"]),
            "meter": _meter(device, kinds["meters"]),
            "serial": counter("serials", device) or None,
            "unnamed_state": counter("states", device),
            "spent_writes": counter("spent", device),
            "refusal": _refusal(device, counter("racks", device)),
            "stop": None if device.get("shows_stop", True) else UNSEEN_STOP,
        }
        for device in header.get("devices", [])
    ]
    return {
        **base.head(shadow),
        "devices": rows,
        "summary": summary(rows),
        "buses": [
            {**bus, **kinds["buses"].get(bus["name"], {})} for bus in header.get("buses", [])
        ],
        "has_counters": counters is not None,
        "path_delay": path_delay.facts(shadow),
    }


def meters(shadow: Shadow) -> dict[str, Facts]:
    """{"grid", "load": {device, state, age_ms}} of the meters that the cabinet has."""
    reports = {}
    for device in shadow.reader.header.get("devices", []):
        if device["role"] in ("meter_grid", "meter_load"):
            state, age_ms, _ = _state_and_age(shadow, device["role"], device["index"])
            report = {"device": device["name"], "state": state, "age_ms": age_ms}
            reports[device["role"].removeprefix("meter_")] = report
    return reports


def summary(devices: list[Facts]) -> dict[str, str]:
    """{kind: the worst state of its devices}, in the order of KINDS."""
    worst_states = {}
    for kind in dict.fromkeys(KINDS.values()):
        states = [device["state"] for device in devices if device["kind"] == kind]
        if states:
            worst_states[kind] = next((state for state in NOT_OK if state in states), OK)
    return worst_states


def _device(shadow: Shadow, device: Facts, counters: dict[tuple[str, int], Facts]) -> Facts:
    """One device; counters: {(bus, address): counters of a Modbus unit}."""
    role, bus, address = device["role"], device["bus"], device["address"]
    state, age_ms, late_after_ms = _state_and_age(shadow, role, device["index"])
    buses = shadow.reader.header.get("buses", [])
    on_can = [can_bus["name"] for can_bus in buses if can_bus["kind"] == "can"]
    return {
        "device": device["name"],
        "role": role,
        "kind": KINDS[role],
        "bus": bus,
        "address": address,
        "state": state,
        "age_ms": age_ms,
        "late_after_ms": late_after_ms,
        "counters": counters.get((bus, address)) if bus not in on_can else None,
        "says": base.bit_names(device, _bits(shadow, role, device["index"])),
    }


def own_state(shadow: Shadow, unit: int) -> str | None:
    """Word for a state of a converter that a person must check; None for any other state."""
    return OWN_STATES.get(base.unit_value(shadow, unit, s.PCS_STATE) or 0)


def _refusal(device: Facts, report: Facts | None) -> str | None:
    """Why the values of a BMS do not count, and which CAN profile would fit it; None: they
    count.
    """
    if report is None or report["state"] in (can_dialect.OK, can_dialect.WAITING):
        return None
    number, can_id = report["can_id"], report["can_id"] & ~EXTENDED
    frame = f"id 0x{can_id:X}"
    if report["state"] in REFUSALS:
        name = base.differing(device, number)
        return REFUSALS[report["state"]].format(number=number, frame=frame, name=name)
    problem = "of its protocol does not come, or not with its length"
    if report["state"] == can_dialect.FOREIGN:
        problem = "is of another protocol"
    fits = profile.shipped()[report["fits"] - 1] if report["fits"] else ""
    allowed = f"profile {fits} would fit" if fits else "no shipped profile fits these ids"
    return f"{frame} {problem}, no value counts; {allowed}"


def _meter(device: Facts, reports: dict[tuple[str, int], Facts]) -> Facts | None:
    """Measurements of a meter's driver (drivers/meter.py); None: no meter, or unknown yet."""
    report = reports.get((device["bus"], device["address"]))
    if report is None:
        return None
    known = {name: None if value < 0 else value for name, value in report.items()}
    number = known.pop("other_device") or 0
    stated_ms, found_ms = report["refresh_stated_ms"], known["refresh_ms"]
    return {
        **known,
        "is_slower": found_ms is not None and found_ms > stated_ms * SLOWER_PERCENT // 100,
        "differs": base.differing(device, number),
    }


def _state_and_age(shadow: Shadow, role: str, index: int) -> tuple[str, int | None, int]:
    """(state, age of the oldest value, age at which it is late) of a device, ms."""
    if role in roles.ROLES:
        view = next(
            view for view in shadow.core.site.of_role(role) if view.device.number == index + 1
        )
        age_ms, is_known, is_frozen = devices.age_ms(view), view.is_known, False
        late_after_ms = view.settings["stale_ms"]
    else:
        groups = _groups(shadow, role, index)
        age_ms = racks.oldest_ms(shadow, groups)
        is_known = all(base.is_fresh(shadow, group) for group in groups)
        is_frozen = any(base.is_frozen(shadow, group) for group in groups)
        late_after_ms = min(map(shadow.core.facts.budget_ms, groups))
    state = NEVER if age_ms is None else LATE if not is_known else FROZEN if is_frozen else OK
    if role == "pcs" and state == OK:
        state = own_state(shadow, index) or OK
    return state, age_ms, late_after_ms


def _bits(shadow: Shadow, role: str, index: int) -> int | None:
    """Fault bits that a BMS or PCS reports; 0 for other devices, None while unknown."""
    if role == "bms":
        return base.rack_value(shadow, index, s.BMS_FAULT_BITS)
    return base.unit_value(shadow, index, s.PCS_ALARM_BITS) if role == "pcs" else 0


def _groups(shadow: Shadow, role: str, index: int) -> list[int]:
    """Freshness groups that a device fills."""
    if role == "bms":
        return racks.groups(shadow, index)
    if role == "pcs":
        return [shadow.layout.unit_group(index, group) for group in range(s.UNIT_GROUP_COUNT)]
    return [s.CABINET_GROUPS.index(role)]  # other roles have the name of their group
