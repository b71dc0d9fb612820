"""Finds the numbers of a configuration that pairs.py compares. A number is the value of a key, or
is computed from several keys.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from controller.config import track_path
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from controller.config.silence import entry_of
from controller.config.sources import FALLBACK_KEYS, Source
from controller.config.values import Values
from controller.core.parameters import SOURCE_PARAMETERS
from controller.forms.refusal import Path, Unit, dotted, in_unit

Table = Mapping[str, int | None]
LONGEST_CHARGE_h = 24  # longest time of a full charge, even with a lowered current (assumed)
HOUR_S = 3600
NO_RANK = -1  # rank of a number that is in no file
# {number that is computed from keys: words for a message, which name these keys}
WORDS = {
    "rating_W": "rated_W of all units together",
    "racks_W": "the power of all racks (cells, rated_current_mA, at the middle cell voltage)",
    "racks_of_unit_W": "the power of its racks (cells, rated_current_mA, at the middle voltage)",
    "racks_Wh_24_h": "24 h of all racks (cells x charge_end_mV x rated_current_mA)",
    "cells_even": "the next multiple of modules below cells",
    "above_peaks_permille": "what is left of 1000 above soc_reserve_peaks_permille",
    "shed_W": "stages_max times stage_W",
    "swing_W": "twice rated_W of all units together",
    "ramped_W": "setpoint_ramp_W_per_s in peak_interval_s",
    "interval_ms": "peak_interval_s, in ms,",
    "even_interval_s": "the longest interval up to peak_interval_s that divides an hour",
    "range_mV": "cells times charge_end_mV less discharge_end_mV",
    "meter_sample_ms": "the time between two values of the meter (period_ms and its profile)",
    "meter_period_ms": "the longest time between two values of a meter (period_ms and its profile)",
    "follow_of_profile_ms": "dead time and ramp of the converter's profile",
    "cooling_ddegC": "the lowest cells_stop_ddegC of chillers and fans",
    "units": "the number of units",
}
# {number of WORDS that follows from one key: this key, which an error line names}
KEY_OF = {"shed_W": "stage_W", "ramped_W": "setpoint_ramp_W_per_s"}


class Number(NamedTuple):
    """One of the two numbers of a pair. rank: rank of the file that states it, or NO_RANK. is_key:
    a file can state this number. sum_of: text of WORDS for a computed number, else "".
    """

    path: Path
    value: int
    file: str = ""
    rank: int = NO_RANK
    unit: Unit | None = None
    is_key: bool = False
    sum_of: str = ""

    @property
    def text(self) -> str:
        """The number as text, for a refusal of it."""
        value = in_unit(self.value, self.unit)
        return f"{value} ({self.sum_of})" if self.sum_of else value

    @property
    def words(self) -> str:
        """Name, value and file."""
        if not self.is_key:
            return f"{self.sum_of} is {self.value}"
        origin = "by its profile" if self.path[-1] == "period_ms" else "in no file"
        origin = f"in {self.file.rpartition('/')[2]}" if self.rank != NO_RANK else origin
        return f"{self.sum_of or dotted(self.path)} is {in_unit(self.value, self.unit)} ({origin})"


class Tables:
    """Finds the numbers of a configuration. A scope is a section or a role of devices."""

    def __init__(self, values: Values, config: Config):
        self._values, self._config = values, config
        self._whole = _whole(config)
        self._of_scope = functools.cache(self._tables)

    def numbers(self, scope: str, low: str, high: str) -> Iterator[tuple[Number, Number]]:
        """(low number, high number) of each table of the scope that has both of them."""
        for path, table in self._of_scope(scope):
            pair = [self._number(path, table, name) for name in (low, high)]
            if pair[0] is not None and pair[1] is not None:
                yield pair[0], pair[1]

    def _tables(self, scope: str) -> list[tuple[Path, Table]]:
        config = self._config
        if scope in ("control", "cabinet"):
            return [((scope,), getattr(config, scope))]
        if scope == "unit":
            return [
                (("unit", str(index + 1)), _unit(config, index)) for index in range(config.units)
            ]
        if scope == "rack":
            racks = enumerate(config.rack_tables, 1)
            return [(("rack", str(number)), _rack(table)) for number, table in racks]
        if scope == "source":
            return [(("source", source.name), _source(source)) for source in config.sources]
        devices = [device for device in config.devices if device.role == scope]
        return [(("device", device.name), _device(device)) for device in devices]

    def _number(self, path: Path, table: Table, name: str) -> Number | None:
        value = self._whole.get(name) if name in self._whole else table.get(name)
        key_path = (*path, KEY_OF.get(name, name))
        if "." in name:
            key_path = tuple(name.split("."))
            control, is_control = self._config.control, key_path[0] == "control"
            value = control[key_path[1]] if is_control else self._values.get(*key_path)
        if value is None:
            return None
        if name in WORDS and name not in KEY_OF:
            return Number((), value, sum_of=WORDS[name])
        return self._key(key_path, value, WORDS.get(name, ""))

    def _key(self, own: Path, value: int, sum_of: str) -> Number:
        where, entry = own, self._values.entries.get(own)
        if own[0] in ("unit", "rack"):
            where, entry = entry_of(self._values, own)
        unit = None if sum_of else self._values.spec(own).unit
        file = entry.file if entry else self._values.last_file
        rank = entry.rank if entry else NO_RANK
        return Number(where, value, file, rank, unit, is_key=True, sum_of=sum_of)


def _whole(config: Config) -> Table:
    """Numbers of the whole cabinet."""
    control, rating_W = config.control, sum(table["rated_W"] for table in config.unit_tables)
    meters = [device for device in config.devices if device.profile.family == "meter"]
    intervals_s = range(1, control["peak_interval_s"] + 1)
    racks_W = [_racks_W(config, unit) for unit in range(config.units)]
    most_uW = [
        rack_table["cells"] * rack_table["charge_end_mV"] * rack_table["rated_current_mA"]
        for rack_table in config.rack_tables
    ]
    # cell temperatures at which devices stop cooling
    cooling_stops_ddegC = [
        device.settings["cells_stop_ddegC"]
        for device in config.devices
        if "cells_stop_ddegC" in device.settings
    ]
    return {
        "cooling_ddegC": min(cooling_stops_ddegC, default=None),
        "rating_W": rating_W,
        "racks_W": sum(racks_W),
        "racks_Wh_24_h": sum(most_uW) * LONGEST_CHARGE_h // 1_000_000,
        "units": config.units,
        "above_peaks_permille": 1000 - control["soc_reserve_peaks_permille"],
        "swing_W": 2 * rating_W,
        "ramped_W": control["setpoint_ramp_W_per_s"] * control["peak_interval_s"],
        "interval_ms": control["peak_interval_s"] * 1000,
        "even_interval_s": max(time_s for time_s in intervals_s if HOUR_S % time_s == 0),
        "meter_sample_ms": track_path.sample_ms(track_path.source(config)),
        "meter_period_ms": max(map(track_path.sample_ms, meters)),
    }


def _racks_W(config: Config, unit: int) -> int:
    """Power of the racks of a unit at rated current, in the middle of the cells' voltage."""
    own = [rack for rack, own_unit in enumerate(config.topology.rack_units) if own_unit == unit]
    power_W = 0
    for table in [config.rack_tables[rack] for rack in own]:
        middle_mV = (table["charge_end_mV"] + table["discharge_end_mV"]) // 2
        power_W += table["cells"] * middle_mV * table["rated_current_mA"] // 1_000_000
    return power_W


def _unit(config: Config, unit: int) -> Table:
    settings = config.topology.required("pcs", unit).profile.settings
    return {
        **config.unit_tables[unit],
        "racks_of_unit_W": _racks_W(config, unit),
        "follow_of_profile_ms": settings["dead_time_ms"] + settings["ramp_ms"],
    }


def _rack(table: Mapping[str, int]) -> Table:
    modules = table["modules"]
    even = table["cells"] // modules * modules if modules else None
    range_mV = table["cells"] * (table["charge_end_mV"] - table["discharge_end_mV"])
    return {**table, "modules": modules or None, "cells_even": even, "range_mV": range_mV}


def _source(source: Source) -> Table:
    numbers = {row[0]: getattr(source, row[0], None) for row in SOURCE_PARAMETERS}
    return numbers | {key: source.fallback[quantity] for quantity, key in FALLBACK_KEYS.items()}


def _device(device: Device) -> Table:
    settings, shed_W = device.settings, None
    if "stage_W" in settings:
        shed_W = settings["stages_max"] * settings["stage_W"]
    return {**settings, "period_ms": device.profile.period_ms, "shed_W": shed_W}
