"""The page `links`. It shows the state of each device and the age of its values, the counters of
each bus, and the path delay (from a change of the load to the battery's power).
"""

from controller.console.pages.text import (
    HEIGHT,
    MARGIN,
    RULE,
    WIDTH,
    Parts,
    duration,
    filled,
    folded,
    pages,
    wrapped,
)
from controller.state.base import Facts

COLUMNS = "{:<12} {:<10} {:>4} {:<11} {:>7} {:>6} {:>8} {:>8} {:>5}"
HEADER = COLUMNS.format("DEVICE", "BUS", "ADDR", "STATE", "age", "late", "asked", "no reply", "bad")
ROOM = HEIGHT - 3  # lines between the head and the number of the part
CAN_STATES = ("active", "warning", "passive", "bus-off", "down")
SILENT, FROZEN = ("LATE", "never heard"), "FROZEN"


def parts(facts: Facts) -> Parts:
    """The links (state/links.py) as parts of a page. If there are several parts, silent devices
    come first.
    """
    devices = sorted(facts["devices"], key=lambda device: device["state"] == "ok")
    remarks = [*_advice(devices), *_other_units(devices), *_states(devices), *_faults(devices)]
    if not facts["has_counters"]:
        remarks.append("No counters: the controller has not written them yet.")
    remarks += [line for device in devices for line in _meter(device)] + _serials(devices)
    remarks += [line for device in devices for line in _refusals(device)]
    buses, path = [line for bus in facts["buses"] for line in _bus(bus)], _path(facts["path_delay"])
    rows = [line for device in facts["devices"] for line in _device(device)]
    whole = [HEADER, *rows, RULE, *buses, path, *remarks]
    if len(whole) <= ROOM + 1:
        return pages(facts, [whole])
    remarks.append(path)
    tables = [[HEADER, *part] for part in filled(map(_device, devices), ROOM - 1 - len(remarks))]
    tables[0] = remarks + tables[0]
    rest = filled([[line] for line in buses], ROOM)
    if len(tables[-1]) + 1 + len(rest[0]) <= ROOM:
        tables[-1] += [RULE, *rest.pop(0)]
    return pages(facts, tables + rest)


def _device(device: Facts) -> list[str]:
    """The line of a device, or two lines if its names are too long for their columns."""
    counters = device["counters"] or {}
    numbers = (
        device["address"],
        device["state"],
        _short(device["age_ms"]),
        _short(device["late_after_ms"]),
        *[counters.get(name, "") for name in ("sent", "timeout", "bad_reply")],
    )
    name, bus = device["device"], device["bus"]
    line = COLUMNS.format(name, bus, *numbers).rstrip()
    if len(line) <= WIDTH:
        return [line]
    return [f"{name} on {bus}", COLUMNS.format("", "", *numbers).rstrip()]


def _short(time_ms: int | None) -> str:
    """A duration with only its larger unit: "3 h" for 3 h 12 min."""
    return " ".join(duration(time_ms).split()[:2])


def _bus(bus: Facts) -> list[str]:
    speed = "" if bus["kind"] == "tcp" else f" {bus['speed']:>7}"
    name, counts = f"BUS {bus['name']:<8} {bus['kind']}{speed}", ""
    if "state" in bus:
        state = CAN_STATES[bus["state"]] if 0 <= bus["state"] < len(CAN_STATES) else "?"
        counts = (
            f"{state}, received {bus['received']}, errors {bus['error_frames']}, "
            f"bus-off {bus['bus_offs']}, lost {bus['losses']}"
        )
    elif "noise_bytes" in bus:
        counts = f"unasked bytes {bus['noise_bytes']}, of them whole frames {bus['stray_frames']}"
    return wrapped(f"{name}  {counts}".rstrip(), MARGIN)


def _path(path: Facts) -> str:
    """The path delay that the controller uses, and where its value comes from."""
    low_ms, high_ms = path["believed_ms"]
    sources = {
        "nominal": "nominal: no start has measured it yet",
        "measured": f"measured by the last test; nominal {path['nominal_ms']} ms",
        "stored": f"measured in an earlier run; nominal {path['nominal_ms']} ms",
        "not believed": f"nominal: {path['found_ms']} ms is outside of {low_ms} .. {high_ms} ms",
    }
    return f"PATH DELAY {path['used_ms']} ms, {sources[path['source']]}"


def _meter(device: Facts) -> list[str]:
    """Lines about a meter: its faults and how often it has a new value. If the meter reports
    counters or a frequency, these follow.
    """
    name, meter = device["device"], device["meter"]
    if meter is None:
        return []
    texts, refresh_ms = [], meter["refresh_ms"]
    if meter["differs"]:
        texts.append(
            f"another device than the profile's: {meter['differs']} differs, no value counts"
        )
    if refresh_ms is not None:
        texts.append(f"refresh stated {meter['refresh_stated_ms']} ms, measured {refresh_ms} ms")
    if meter["is_slower"]:
        least_ms = meter["refresh_least_ms"]
        texts.append(f"SLOWER THAN STATED (least {least_ms} ms): correct refresh_ms of its profile")
    texts += [
        f"{word} {meter[key] / 1000:g} {unit}"
        for word, key, unit in (
            ("frequency", "frequency_mHz", "Hz"),
            ("import", "import_Wh", "kWh"),
            ("export", "export_Wh", "kWh"),
        )
        if meter[key] is not None
    ]
    return folded("Meter", f"{name}: {'; '.join(texts)}.") if texts else []


def _listed(label: str, texts: list[str], lines_max: int = 2) -> list[str]:
    return folded(label, f"{'; '.join(texts)}.", lines_max) if texts else []


def _refusals(device: Facts) -> list[str]:
    """Lines about why the controller does not use the values of a BMS, and why no reading of a
    converter proves that it has stopped.
    """
    reasons = {"BMS": device["refusal"], "PCS": device["stop"]}
    texts = [
        (label, f"{device['device']}: {reason}.") for label, reason in reasons.items() if reason
    ]
    return [line for labelled_text in texts for line in folded(*labelled_text)]


def _faults(devices: list[Facts]) -> list[str]:
    """Lines about the fault bits that BMS and converters report (row 59 of the matrix)."""
    texts = [
        f"{device['device']} {', '.join(device['says'])}" for device in devices if device["says"]
    ]
    return _listed("Faults", texts)


def _states(devices: list[Facts]) -> list[str]:
    """Lines about converters that report the state "fault", about states that the profile does not
    name, and about devices that may store no more values today.
    """
    texts = [
        f"{device['device']} is in its state fault"
        for device in devices
        if device["state"] == "FAULT"
    ]
    texts += [
        f"{device['device']} {'not running, ' if device['kind'] == 'PCS' else ''}state "
        f"{device['unnamed_state']}, which its profile does not name"
        for device in devices
        if device["unnamed_state"] is not None
    ]
    texts += [
        f"{device['device']} may store no more today ({device['spent_writes']} writes): a stop, 0 "
        "and less power still pass"
        for device in devices
        if device["spent_writes"]
    ]
    return _listed("State", texts)


def _serials(devices: list[Facts]) -> list[str]:
    serials = [f"{device['device']} {device['serial']}" for device in devices if device["serial"]]
    return _listed("Serial", serials, len(serials))


def _other_units(devices: list[Facts]) -> list[str]:
    """Units whose requests get answers from another unit id."""
    texts = [
        f"{device['device']}: unit {counts['answered_by']} answers the requests to unit "
        f"{device['address']} ({counts['other_unit']} times)"
        for device in devices
        if (counts := device["counters"]) and counts["other_unit"]
    ]
    advice = "A late reply counts too; else correct unit_id."
    return folded("Other", f"{'; '.join(texts)}. {advice}", 2) if texts else []


def _advice(devices: list[Facts]) -> list[str]:
    """Lines about what a person should check first, if a device is silent or a meter is frozen."""
    frozen = [device["device"] for device in devices if device["state"] == FROZEN]
    silent = [device for device in devices if device["state"] in SILENT]
    lines = []
    if frozen:
        sentence = f"{', '.join(frozen)} repeats the same values: voltage, current transformers."
        lines = folded("Check", sentence, 2)
    if not silent:
        return lines
    names = ", ".join(device["device"] for device in silent[:4])
    plug = "supply, address and RS-485 pair"
    if any(device["kind"] == "BMS" and not device["counters"] for device in silent):
        plug = "CAN plug, terminator, node number and supply"
    sentence = f"{names}: {plug}. If all devices of a bus are silent, check the bus."
    return lines + folded("Check", sentence, 2)
