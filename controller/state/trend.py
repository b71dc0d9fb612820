"""Facts of the page `trend`: the last minutes, from the recorder or the journal's keyframes."""

from collections.abc import Iterable

from controller.core.base import setpoint
from controller.journal.history import History
from controller.journal.snapshot import Shadow
from controller.state import base, racks as facts_of_racks
from controller.state.base import Computed, Facts
from controller.state.record import Record
from safety import signals as s

COLUMNS = 42
SPAN_S = 600
# A restarted recorder gives new times to the seconds that it missed. Such a time may be earlier
# than the time before, but by less than this.
BACK_MS = 5000
# (name on the page, field, divisor, digits)
QUANTITIES = (
    ("load kW", "load_W", 1000, 1),
    ("grid kW", "grid_W", 1000, 1),
    ("battery kW", "battery_W", 1000, 1),
    ("set-pt. kW", "setpoint_W", 1000, 1),
    ("avail. low", "low_W", 1000, 1),
    ("avail. high", "high_W", 1000, 1),
    ("SOC %", "soc_permille", 10, 1),
    ("cell V min", "cell_mV_min", 1000, 3),
    ("cell V max", "cell_mV_max", 1000, 3),
    ("hottest C", "temperature_ddegC_max", 10, 1),
)
FROM_RECORD = "From the recorder, one value a second; a column is a mean."
FROM_JOURNAL = (
    "No recorder: from the journal, one value every 10 s or at an event; a column is a mean."
)


def facts(
    shadow: Shadow, history: History, recorded: Record | None, boot_ms: int, span_s: int = SPAN_S
) -> Facts:
    """The page `trend`: COLUMNS means of each quantity over span_s, oldest first; None: no value.

    boot_ms: time since the boot of the box. The recorder counts from there; the journal counts from
    the start of the controller.
    """
    now_ms = base.uptime_ms(shadow) if recorded is None else boot_ms
    samples = history.samples if recorded is None else _this_boot(recorded.seconds(span_s), now_ms)
    since_ms = now_ms - span_s * 1000
    samples = [sample for sample in samples if sample["uptime_ms"] > since_ms]
    newest = sample_of(shadow)
    return {
        **base.head(shadow),
        "span_ms": span_s * 1000,
        "source": FROM_RECORD if recorded is not None else FROM_JOURNAL,
        "quantities": [
            {
                "name": name,
                "field": field,
                "divisor": divisor,
                "digits": digits,
                "values": _means(samples, field, since_ms, span_s * 1000),
                "now": newest[field],
            }
            for name, field, divisor, digits in QUANTITIES
        ],
    }


def _this_boot(samples: list[Facts], now_ms: int) -> list[Facts]:
    """The newest samples of the present boot of the box. They may include earlier runs of the
    controller.
    """
    if not samples or samples[-1]["uptime_ms"] > now_ms:
        return []
    first = len(samples) - 1
    while first > 0 and samples[first - 1]["uptime_ms"] - samples[first]["uptime_ms"] < BACK_MS:
        first -= 1
    return samples[first:]


def _means(samples: Iterable[Facts], field: str, since_ms: int, span_ms: int) -> list[int | None]:
    columns: list[list[int]] = [[] for _ in range(COLUMNS)]
    for sample in samples:
        if sample[field] is not None:
            column = (sample["uptime_ms"] - since_ms) * COLUMNS // span_ms
            columns[min(COLUMNS - 1, column)].append(sample[field])
    return [sum(values) // len(values) if values else None for values in columns]


def sample_of(moment: Computed) -> dict[str, int | None]:
    """The values of a keyframe, in the fields of the recorder's one-second history; None:
    unknown.
    """
    racks = range(moment.layout.racks)

    def of_racks(index: int) -> list[int | None]:
        return [base.rack_value(moment, rack, index) for rack in racks]

    soc_permille = base.of_all(sum, of_racks(s.SOC_PERMILLE))
    hottest = [facts_of_racks.temperatures(moment, rack)["temperature_ddegC_max"] for rack in racks]
    return {
        "grid_W": base.cabinet_value(moment, s.GRID_POWER_W),
        "load_W": base.cabinet_value(moment, s.LOAD_POWER_W),
        "battery_W": base.battery_W(moment),
        "setpoint_W": moment.chain(setpoint.O_SETPOINT_W),
        "low_W": moment.chain(setpoint.O_AVAILABLE_LOW_W),
        "high_W": moment.chain(setpoint.O_AVAILABLE_HIGH_W),
        "soc_permille": None if soc_permille is None else soc_permille // len(racks),
        "cell_mV_min": base.of_all(min, of_racks(s.CELL_VOLTAGE_MV_MIN)),
        "cell_mV_max": base.of_all(max, of_racks(s.CELL_VOLTAGE_MV_MAX)),
        "temperature_ddegC_max": base.of_all(max, hottest),
    }
