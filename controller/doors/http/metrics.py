"""Writes the state as text for Prometheus, in SI units. An unknown value has no line."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.doors.feed import Facts
from controller.doors.http.counts import Counts
from controller.system import release
from safety import signals as s

KIND = "text/plain; version=0.0.4; charset=utf-8"
# name | place in the state | divisor | meaning
GAUGES = """
battery_watts | battery_W | 1 | Measured power of all converters; above 0 the battery gives
grid_watts | grid_W | 1 | Measured power of the connection; above 0 the site takes
load_watts | load_W | 1 | Power of the load
tracked_load_watts | request.load_W | 1 | Load of this cabinet, its part of a common load
setpoint_watts | setpoint_W | 1 | Set-point of the converters, after all limits
request_watts | request_W | 1 | What the control functions ask for
available_charge_watts | available_low_W | 1 | Strongest charge that can be reached now, at most 0
available_discharge_watts | available_high_W | 1 | Strongest discharge that can be reached now
stored_joules | remaining_Wh | 1/3600 | Energy above the reserve
full_joules | full_Wh | 1/3600 | Energy of all racks, by their health
charge_ratio_min | soc_permille_min | 1000 | Charge of the emptiest rack
charge_ratio_max | soc_permille_max | 1000 | Charge of the fullest rack
health_ratio_min | soh_permille_min | 1000 | Health of the most worn rack
temperature_celsius_min | temperature_ddegC_min | 10 | Coldest module
temperature_celsius_max | temperature_ddegC_max | 10 | Hottest module
danger_level | danger.level | 1 | Most dangerous row: 3 a sign of fire or gas, 4 keep away
interlocks_armed | interlocks.armed | 1 | Rows of the matrix that act here
interlocks_tripped | interlocks.tripped | 1 | Rows that stop power now
interlocks_warning | interlocks.warnings | 1 | Rows that only warn now
loop_lateness_seconds_max | loop.lateness_us.max | 1000000 | Latest tick since the start
loop_lateness_seconds_p99 | loop.lateness_us.p99 | 1000000 | Of 99 % of the ticks at most
gas_calibration_due_seconds | gas_calibration_d | 1/86400 | Until the first gas detector is due
uptime_seconds | uptime_ms | 1000 | Since the start of the controller
"""
COUNTERS = """
loop_ticks_total | loop.ticks | 1 | Ticks since the start
loop_missed_total | loop.missed | 1 | Ticks that were left out
loop_late_total | loop.late | 1 | Ticks that ended after their deadline
given_joules_total | record.lifetime.given_Wh | 1/3600 | Energy given by the battery
taken_joules_total | record.lifetime.taken_Wh | 1/3600 | Energy taken by the battery
trips_total | record.lifetime.trips | 1 | Trips of the interlocks
starts_total | record.lifetime.starts | 1 | Starts of the controller
"""
RACKS = """
rack_charge_ratio | soc_permille | 1000 | Charge
rack_volts | rack_voltage_mV | 1000 | Voltage of all cells in series
rack_amperes | rack_current_mA | 1000 | Current; above 0 the rack gives
rack_cell_volts_min | cell_voltage_mV_min | 1000 | Lowest cell
rack_cell_volts_max | cell_voltage_mV_max | 1000 | Highest cell
rack_temperature_celsius_min | temperature_ddegC_min | 10 | Coldest module
rack_temperature_celsius_max | temperature_ddegC_max | 10 | Hottest module
rack_online | is_online | 1 | 1: it carries current
"""
LAMPS = "off", "amber", "red"
HINT, DEVICE = ("source", "quantity", "state"), ("device", "role")
Labels = Mapping[str, object]
Sample = tuple[Labels, Any]


def text(state: Facts | None, counts: Counts) -> str:
    """All metrics. While no controller ticks, only the metrics of the door."""
    is_up = state is not None and state["is_live"]
    lines = list(_family("up", "gauge", "1: the controller ticks", [({}, is_up)]))
    if state is not None and is_up:
        for table, kind in ((GAUGES, "gauge"), (COUNTERS, "counter")):
            for name, place, divisor, meaning in _rows(table):
                lines += _family(name, kind, meaning, [({}, _scaled(_at(state, place), divisor))])
        for name, place, divisor, meaning in _rows(RACKS):
            rack_samples = [
                ({"rack": rack["rack"], "unit": rack["unit"]}, _scaled(rack[place], divisor))
                for rack in state["racks"]
            ]
            lines += _family(name, "gauge", meaning, rack_samples)
        for name, meaning, samples in _labelled(state):
            lines += _family(name, "gauge", meaning, samples)
    for name, kind, meaning, samples in _of_door(counts):
        lines += _family(name, kind, meaning, samples)
    return "\n".join(lines) + "\n"


def _labelled(state: Facts) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    binding, limits, site = state["binding"], state["limits"], state["site"]
    ends = [(end, limits[f"{end}_reason"], limits[f"{end}_W"]) for end in ("low", "high")]
    tests, silent = state["proof_tests"], bool(state.get("recorder_silent_since"))
    overdue: list[Sample] = (
        [({}, sum(row["state"] == "overdue" for row in tests["rows"]))] if tests else []
    )
    yield "state", "1: of the power", [({"state": e}, state["state"] == e) for e in s.STATES]
    yield "lamp", "1: so is the lamp", [({"lamp": e}, state["lamp"] == e) for e in LAMPS]
    yield "alarm", "1: a row is active or latched", [(_alarm(row), 1) for row in state["standing"]]
    unknown = [({"signal": e["signal"], **_reason(e["reason"])}, 1) for e in state["contradicted"]]
    yield "contradicted", "1: other readings contradict this one, so it is unknown", unknown
    yield "binding", "1: the limit that cuts the request", [(_reason(e), 1) for e in [binding] if e]
    samples = [({"end": end, **_reason(why)}, value) for end, why, value in ends]
    yield "limit_watts", "Range of the set-point, and the reason of each end", samples
    yield "link_ok", "1: heard", [({"kind": k}, v == "ok") for k, v in state["links"].items()]
    hints = [({name: hint[name] for name in HINT}, hint["value_W"]) for hint in state["hints"]]
    yield "hint_watts", "Value that a source sets, and whether it is a fallback", hints
    left = [({name: hint[name] for name in HINT[:2]}, hint["valid_s"]) for hint in state["hints"]]
    yield "hint_left_seconds", "Time until a hint ends", left
    crc = state["version"]["limits_crc"]
    labels = {"release": release.version(), "limits_crc": crc}
    yield "info", "1: its release and the CRC of its approved limits", [(labels, 1)]
    samples = [({name: device[name] for name in DEVICE}, device.get("power_W")) for device in site]
    yield "device_watts", "Power of a device of the site", samples
    samples = [({name: device[name] for name in DEVICE}, device["is_known"]) for device in site]
    yield "device_known", "1: its readings are new", samples
    yield "proof_tests_overdue", "Tests of interlocks to be done", overdue
    recorder: list[Sample] = [({}, silent)] if state["record"] is not None else []
    yield "recorder_silent", "1: the recorder writes nothing", recorder


def _of_door(counts: Counts) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    connections, streams = counts.gauges()
    yield "http_connections", "gauge", "Connections of this door", [({}, connections)]
    yield "http_streams", "gauge", "Readers of its stream", [({}, streams)]
    answered = _counted("status", counts.answered.items())
    yield "http_answers_total", "counter", "Answers by their status", answered
    refused = _counted("cause", counts.refused.items())
    yield "http_refused_total", "counter", "Refused requests and connections", refused


def _counted(label: str, counts: Iterable[tuple[Any, int]]) -> list[Sample]:
    return [({label: key}, value) for key, value in sorted(counts)]


def _alarm(row: Facts) -> Labels:
    labels = {key: row[key] for key in ("stage", "scope", "danger", "reset")}
    return {**labels, "name": row["reason"]["name"], "where": row["where"]}


def _reason(reason: Facts | None) -> Labels:
    return {"code": reason["label"], "name": reason["name"]} if reason else {"code": "", "name": ""}


def _rows(table: str) -> Iterator[tuple[str, str, float, str]]:
    for line in table.strip().splitlines():
        name, place, divisor, meaning = line.split(" | ")
        above, _, below = divisor.partition("/")
        yield name, place, float(above) / float(below or 1), meaning


def _at(state: Facts, place: str) -> Any:
    node: Any = state
    for name in place.split("."):
        node = None if node is None else node[name]
    return node


def _scaled(value: Any, divisor: float) -> float | None:
    return None if value is None else value / divisor


def _family(name: str, kind: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    """The lines of one metric. No lines while no value is known."""
    known = [(labels, value) for labels, value in samples if value is not None]
    if known:
        yield f"# HELP firebreak_{name} {meaning}."
        yield f"# TYPE firebreak_{name} {kind}"
    for labels, value in known:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"firebreak_{name}{f'{{{inside}}}' if inside else ''} {float(value):.10g}"


def _escaped(value: object) -> str:
    return str(value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
