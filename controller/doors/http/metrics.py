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
            racks = _samples(state["racks"], ("rack", "unit"), place)
            scaled = [(labels, _scaled(value, divisor)) for labels, value in racks]
            lines += _family(name, "gauge", meaning, scaled)
        for name, meaning, samples in _labelled(state):
            lines += _family(name, "gauge", meaning, samples)
    for name, kind, meaning, samples in _of_door(counts):
        lines += _family(name, kind, meaning, samples)
    return "\n".join(lines) + "\n"


def _labelled(state: Facts) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    binding, limits, site, hints = [state[name] for name in ("binding", "limits", "site", "hints")]
    tests, silent = state["proof_tests"], bool(state.get("recorder_silent_since"))
    overdue: list[Sample] = (
        [({}, sum(row["state"] == "overdue" for row in tests["rows"]))] if tests else []
    )
    names = [({"state": name}, state["state"] == name) for name in s.STATES]
    yield "state", "1: of the power", names
    lamps = [({"lamp": lamp}, state["lamp"] == lamp) for lamp in LAMPS]
    yield "lamp", "1: so is the lamp", lamps
    yield "alarm", "1: a row is active or latched", [(_alarm(row), 1) for row in state["standing"]]
    unknown = [
        ({"signal": row["signal"], **_reason(row["reason"])}, 1) for row in state["contradicted"]
    ]
    yield "contradicted", "1: other readings contradict this one, so it is unknown", unknown
    cuts = [(_reason(binding), 1)] if binding else []
    yield "binding", "1: the limit that cuts the request", cuts
    ends = [
        ({"end": end, **_reason(limits[f"{end}_reason"])}, limits[f"{end}_W"])
        for end in ("low", "high")
    ]
    yield "limit_watts", "Range of the set-point, and the reason of each end", ends
    links = [({"kind": kind}, link == "ok") for kind, link in state["links"].items()]
    yield "link_ok", "1: heard", links
    watts = _samples(hints, HINT, "value_W")
    yield "hint_watts", "Value that a source sets, and whether it is a fallback", watts
    yield "hint_left_seconds", "Time until a hint ends", _samples(hints, HINT[:2], "valid_s")
    labels = {"release": release.version(), "limits_crc": state["version"]["limits_crc"]}
    yield "info", "1: its release and the CRC of its approved limits", [(labels, 1)]
    yield "device_watts", "Power of a device of the site", _samples(site, DEVICE, "power_W")
    yield "device_known", "1: its readings are new", _samples(site, DEVICE, "is_known")
    yield "proof_tests_overdue", "Tests of interlocks to be done", overdue
    recorder: list[Sample] = [({}, silent)] if state["record"] is not None else []
    yield "recorder_silent", "1: the recorder writes nothing", recorder


def _samples(rows: Iterable[Facts], names: Iterable[str], key: str) -> list[Sample]:
    """A sample of each row: its labels, and its value of a key."""
    return [({name: row[name] for name in names}, row.get(key)) for row in rows]


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
