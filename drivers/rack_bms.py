"""Takes the values of a rack BMS on any bus: refuses bad values, and stores complete groups."""

from collections.abc import Callable, Mapping
from typing import Any

from drivers.profile import Profile
from drivers.rack_sources import (
    ALLOWED,
    CELLS,
    CELLS_PER_MODULE_MAX,
    CHARGE_MV,
    CUTOFF_MV,
    GROUPS,
    SIGNALS,
    TEMPERATURES,
    Group,
    Source,
    Sources,
)
from drivers.sink import Sink
from drivers.states import unnamed
from safety import signals as s

NO_POSITION = 4095
SIGN_US = 5_000_000  # BMS or converter may lag when the direction of the power changes
EXTREMES = ("cell_voltage_mV_min", "cell_voltage_mV_max")
VOLTAGE, CURRENT = "rack_voltage_mV", "rack_current_mA"
Values = dict[str, int]  # by name
Signals = dict[int, int]  # by index of safety.signals
POSITIONS = ("cell_position_min", "cell_position_max")


class RackBms:
    """One rack. Counters: frames (accepted), bad_frames (damaged), refused.

    is_sign_wrong: the converter has contradicted the direction of the current; it stays until the
    controller restarts. misfit: (signal, value, lowest, highest) of the last value that did not
    fit.
    """

    _sources: Sources  # set by `_set_up`
    _GROUP_OF = GROUPS  # {signal: the group that needs it}

    def __init__(
        self,
        profile: Profile,
        rack: int,
        node: int,
        sink: Sink,
        layout: s.Layout,
        sizes: tuple[int, int] = (0, 0),
        flow: Callable[[], int] = int,
        sign_mA: int = 0,
        rated_mA: int = 0,
    ):
        """node: CAN node or unit id. sizes: (cells, modules). rated_mA: limit if none is reported.

        flow: direction of the converter's power, > 0 out of the rack; compared from sign_mA on.
        """
        self.profile, self.rack, self.node = profile, rack, node
        self.frames = self.bad_frames = self.refused = 0
        self.is_sign_wrong, self._contradictions, self._contradicted_since_us = False, 0, 0
        self.misfit: tuple[str, int, int, int] | None = None
        self._flow, self._sign_mA, self._rated_mA = flow, sign_mA, rated_mA
        self._inp, self._fresh = sink.inp, sink.fresh
        self._first, self._groups_at = layout.rack_input(rack, 0), layout.rack_group(rack, 0)
        self._cells, self._modules = sizes
        self._sizes = {CELLS: self._cells, TEMPERATURES: self._modules}
        self._values: Values = {}
        self._numbers: dict[str, list[int | None]] = {
            name: [None] * count for name, count in self._sizes.items()
        }
        self._faults: Values = {}
        # contactors that are not reported count as closed some time after their supply is on
        self._is_timed = "contactor_state" not in profile.signals
        self._unnamed: set[str] = set()  # signals with an unnamed state; their group is not stored
        self._window_mV = 1, 0  # no voltage fits before the first limits
        self._supply_us: int | None = None  # when the supply was first read back as closed
        self._set_up(sink)
        groups = self._sources.groups
        if not groups[s.G_BMS_LIMITS].required | groups[s.G_BMS_LIMITS].optional:
            groups[s.G_BMS_LIMITS].required = groups[s.G_BMS_PACK].required
        self._sources.join()

    def _set_up(self, sink: Sink) -> None:
        """Make the sources, and everything else that a family needs."""
        raise NotImplementedError

    def _take(self, source: Source, frame: Any, now_us: int, bits: int = 0) -> bool:
        """Keep the values of a frame, and store each complete group. False if it is refused.

        bits: the bits of the frame under the mask of the source; equal bits are not decoded again.
        """
        is_same = source.mask > 0 and bits == source.bits
        values = source.values if is_same else self._read(source, frame)
        if values is None or CURRENT in values and self._contradicts(values[CURRENT], now_us):
            return False
        if not is_same:
            if not self._fits(values):
                return False
            self._keep(source, frame, values)
            source.values, source.bits = values, -1 if self._unnamed else bits
        source.good_us = now_us
        for group, place in source.feeds:
            place.arrived |= source.bit
            if place.is_whole(now_us) and self._publish(group, place, now_us):
                place.arrived, place.stored_us = 0, now_us
        return True

    def _keep(self, source: Source, frame: Any, values: Values) -> None:
        """Keep the values of a frame whose content is new."""
        self._values.update(values)
        for name, first, fields in source.arrays:
            self._numbers[name][first : first + len(fields)] = [
                field.value(frame) for field in fields
            ]
        for name, fault in source.faults:
            self._faults[name] = fault.bits(frame)
        self._apply_limits()
        if VOLTAGE in values and CHARGE_MV in self.profile.signals:
            self._values[VOLTAGE] = min(max(values[VOLTAGE], 0), self._window_mV[1])
        for _, place in source.feeds:
            place.is_new = True

    def _read(self, source: Source, frame: Any) -> Values | None:
        """The signals of a frame; None if one of them is refused."""
        values: Values = {}
        for name, field, is_optional in source.fields:
            if is_optional and frame.length < field.bytes:
                self._values.pop(name, None)
                continue
            value = field.value(frame)
            if value is not None:
                self._unnamed.discard(name)
                values[name] = value
            elif name in POSITIONS and not self._sources.is_sealed:  # 0 can mean unknown
                self._values.pop(name, None)
            elif unnamed([field]) is not None:
                self.refused += 1
                self._unnamed.add(name)
            else:
                return None
        return values

    @property
    def unnamed(self) -> int | None:
        """A raw state that the profile does not name, or None."""
        sources = self._sources.sources
        fields = [field for source in sources for _, field, _ in source.fields]
        return unnamed(fields + [fault for source in sources for _, fault in source.faults])

    def _fits(self, values: Values) -> bool:
        """Compare the voltage with the limits, because its scale may be wrong by a factor of ten.

        But a low voltage in a short circuit (above rack_current_mA_max) must trip, not be refused.
        """
        lowest, highest = [values.get(name, 0) for name in EXTREMES]
        if lowest > highest:
            self.misfit = EXTREMES[0], lowest, 0, highest
            return False
        last = self._modules * self.profile.settings["cells_per_module"] - 1
        for name in POSITIONS if self._sources.is_sealed and self._modules else ():
            if values.get(name, 0) > last:
                self.misfit = name, values[name], 0, last
                return False
        if VOLTAGE not in values or CHARGE_MV not in self.profile.signals:
            return True
        low_mV, high_mV = self._window(self._values | values)
        current_mA = abs(values.get(CURRENT, 0))
        is_short = current_mA > self.profile.settings["rack_current_mA_max"] and high_mV > 0
        if not low_mV <= values[VOLTAGE] <= high_mV and not is_short:
            self.misfit = VOLTAGE, values[VOLTAGE], low_mV, high_mV
            return False
        return True

    def _contradicts(self, current_mA: int, now_us: int) -> bool:
        """True if the converter has contradicted this direction for too long and too often."""
        flow = self._flow() if abs(current_mA) >= self._sign_mA > 0 else 0
        if flow:
            self._contradictions = self._contradictions + 1 if (flow > 0) != (current_mA > 0) else 0
            if self._contradictions <= 1:
                self._contradicted_since_us = now_us
            is_often = self._contradictions >= self.profile.settings["sign_readings"]
            self.is_sign_wrong |= is_often and now_us - self._contradicted_since_us >= SIGN_US
        return self.is_sign_wrong

    def _apply_limits(self) -> None:
        """Set the limit of a forbidden direction to 0 at once, without waiting for its group."""
        self._window_mV = self._window(self._values)
        for name, index in ALLOWED.items():
            if not self._values.get(name, 1):
                self._inp[self._first + index] = 0

    def _window(self, values: Values) -> tuple[int, int]:
        """(lowest, highest) voltage that fits; without a charge voltage, the last result."""
        charge_mV, settings = values.get(CHARGE_MV, 0), self.profile.settings
        if not charge_mV:
            return self._window_mV
        cutoff_mV = values.get(CUTOFF_MV) or charge_mV // 2
        low_mV = cutoff_mV * settings["voltage_permille_min"] // 1000
        return low_mV, charge_mV * settings["voltage_permille_max"] // 1000

    def _publish(self, group: int, place: Group, now_us: int) -> bool:
        """Store a complete group, and set it fresh. False if a value in it is unknown."""
        if self._unnamed and group in [self._GROUP_OF.get(name) for name in self._unnamed]:
            return False
        if place.is_new:
            values = self._values
            signals: Mapping[int, int] | None = {
                index: values[name] for name, index in SIGNALS[group] if name in values
            }
            if group in self._COMPLETED:
                signals = self._COMPLETED[group](self, signals, now_us)
            if signals is None:
                return False
            for index, value in signals.items():
                self._inp[self._first + index] = value
            place.is_new = group == s.G_BMS_STATE and self._is_timed
        self._fresh[self._groups_at + group] = 1
        return True

    def _limits(self, signals: Signals, now_us: int) -> Signals:
        signals = dict.fromkeys(ALLOWED.values(), self._rated_mA) | signals
        for name, index in ALLOWED.items():
            if not self._values.get(name, 1):
                signals[index] = 0
        if self._values.get(CHARGE_MV, 1) == 0:
            signals[s.CHARGE_CURRENT_MA_MAX] = 0
        return signals

    def _state(self, signals: Signals, now_us: int) -> Signals | None:
        """Fault bits and counters. None if frames are not sealed and the limits are too old.

        Contactors that are not reported count as closed `close_ms` after their supply is on, and as
        open without it. A test of the supply is shorter than `close_ms`.
        """
        limits_us = self._sources.groups[s.G_BMS_LIMITS].stored_us
        is_late = now_us - limits_us > self.profile.settings["stopped_ms"] * 1000
        if is_late and not self._sources.is_sealed:
            return None
        if not self._inp[s.PERMIT_2_CLOSED]:
            self._supply_us = None
        elif self._supply_us is None:
            self._supply_us = now_us
        close_us, faults = self.profile.settings["close_ms"] * 1000, 0
        closed = self._supply_us is not None and now_us - self._supply_us >= close_us
        for bits in self._faults.values():
            faults |= bits
        return {
            s.CONTACTOR_STATE: s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN,
            s.BMS_FAULT_BITS: faults,
            s.BMS_BAD_FRAMES: min(self.bad_frames, s.INT_MAX),
            s.CELLS_ONLINE: self._online(),
            **signals,
        }

    def _online(self) -> int:
        """Number of cells with a value. If the BMS reports only extremes, it is all cells.

        For such a BMS, the acceptance of bms_sensors in the site file names who watches the cells.
        """
        if CELLS in self.profile.arrays:
            return self._cells - self._numbers[CELLS].count(None)
        return self._cells if EXTREMES[0] in self.profile.signals else 0

    def _extremes(self, signals: Signals, now_us: int) -> Signals | None:
        """Extremes and positions of the cells. None if no cell has a value."""
        if CELLS in self.profile.arrays:
            known = [(mV, place) for place, mV in enumerate(self._numbers[CELLS]) if mV is not None]
            if not known:
                return None
            (low, low_at), (high, high_at) = min(known), max(known)
            signals |= {s.CELL_VOLTAGE_MV_MIN: low, s.CELL_VOLTAGE_MV_MAX: high}
            signals |= {s.CELL_POSITION_MIN: low_at, s.CELL_POSITION_MAX: high_at}
        per_module = self.profile.settings["cells_per_module"]
        for index in (s.CELL_POSITION_MIN, s.CELL_POSITION_MAX):
            module, cell = divmod(signals.get(index, NO_POSITION), per_module)
            signals[index] = min(module * CELLS_PER_MODULE_MAX + cell, NO_POSITION)
        return signals

    def _temperatures(self, signals: Signals, now_us: int) -> Signals | None:
        degrees = [reading for reading in self._numbers[TEMPERATURES] if reading is not None]
        whole = len(degrees) == self._modules
        return dict(enumerate(degrees, s.MODULE_TEMPERATURE_DDEGC)) if whole else None

    def _charge(self, signals: Signals, now_us: int) -> Signals:
        return {s.SOH_PERMILLE: 0, **signals}  # 0: the BMS reports no state of health

    _COMPLETED: Mapping[int, Callable[..., Signals | None]] = {
        s.G_BMS_LIMITS: _limits,
        s.G_BMS_STATE: _state,
        s.G_BMS_CELLS: _extremes,
        s.G_BMS_TEMPERATURES: _temperatures,
        s.G_BMS_CHARGE: _charge,
    }
