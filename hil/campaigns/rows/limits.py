"""Time limits of a test case: the oracle's time, or the site's time chain if that is shorter.

The time chain adds up the times from the sensor's value to the effect. The lag of the sensor is
measured, so the chain does not contain it. In virtual time, times of the plant are accurate to one
tick; in real processes, all times to one step of the plant.
"""

import math
from collections.abc import Iterable, Sequence

from controller.config import bus_times, time_chain
from controller.config.cabinet_config import Config
from controller.rows.records import BY_ID
from hil.campaigns.rows import effects
from hil.campaigns.rows.course import Course, Do
from hil.oracle import design
from safety import matrix as m
from safety.signals import CABINET

PLANT_RAMP_MS = 100  # the simulated converter: rated power in 0.1 s
# The contactors open at least this long after the permit is dropped: the observer's invariant.
ORDER_MS = 100


class Limits:
    """Limits of one site, in ms after the sensor shows the cause."""

    def __init__(self, config: Config, step_ms: int = 0) -> None:
        """step_ms: step of the plant process, or 0 in virtual time."""
        self.config, self.schedule = config, bus_times.schedule(config)
        self._seen_ms, self._sampled_ms = step_ms, step_ms or config.tick_ms

    def decision_ms(self, stage_id: str) -> int:
        """Latest time at which the stage is active."""
        return self._decided_ms(stage_id) + self._seen_ms

    def _decided_ms(self, stage_id: str) -> int:
        parts = [part for part in self._decision(stage_id) if not part.is_assumed]
        return min(design.decision_ms(stage_id), sum(part.time_ms for part in parts))

    def earliest_ms(self, stage_id: str, cause: Iterable[Do]) -> int:
        """Earliest time of the stage: its debounce, and the silence since the last frame, less
        a tick.
        """
        parts = {part.what: part.time_ms for part in self._decision(stage_id)}
        period_ms = self._period_ms(cause)
        debounce_ms = self.config.stage_words[stage_id][2] * self.config.tick_ms
        feature = BY_ID[stage_id][m.S_SCOPE], BY_ID[stage_id][m.S_FEATURE]
        is_at_once = feature == (CABINET, m.F_IMAGE_CHANGED) or (
            feature == (CABINET, m.F_GAS_DETECTORS_LOST) and not period_ms
        )
        silence_ms = 0 if is_at_once else parts.get("silence", 0)
        first_ms = max(silence_ms - period_ms + debounce_ms, design.ROWS[stage_id].debounce_ms)
        return max(0, first_ms - self.config.tick_ms) - self._seen_ms

    def permit_ms(self, stage_id: str) -> int:
        """Latest time of the byte that drops the converter's permit."""
        return self._decided_ms(stage_id) + self._write_ms("pcs_enable_ok")

    def effect_ms(self, course: Course, effect: str) -> int:
        """Latest time of an effect, by the time chain, the oracle and the process safety time."""
        stage_id = course.stage
        limits_ms = [self._chain_ms(stage_id, effect)]
        acts_ms = design.acts_ms(stage_id, effects.letters(effect))
        if acts_ms is not None:
            seen_ms = design.decision_ms(stage_id) + self._sampled_ms
            limits_ms.append(seen_ms + acts_ms + self._held_ms(stage_id, effect))
        if effect in (effects.POWER, effects.OPENED):
            limits_ms.append(design.process_safety_ms(stage_id))
        if course.does("controller_start") and effect in effects.COILS:
            return min(limits_ms) + self._connected_ms(effects.COILS[effect].output)
        return min(limits_ms)

    def _chain_ms(self, stage_id: str, effect: str) -> int:
        seen_ms = self._decided_ms(stage_id) + self._sampled_ms
        asks = design.effects(stage_id)
        if effect in effects.COILS:
            return seen_ms + self._coil_ms(stage_id, effect) + time_chain.RELAY_MS
        if effect in effects.LIMITED:
            return seen_ms + self._setpoint_ms() + time_chain.DEAD_MS + PLANT_RAMP_MS
        zero_ms = seen_ms + self._write_ms("pcs_enable_ok") + time_chain.RELAY_MS
        if effect == effects.ENABLE and effects.STOPS in asks:
            return zero_ms
        zero_ms += time_chain.DEAD_MS
        zero_ms += self.config.cabinet["ramp_to_zero_ms"] if "R" in asks else 0
        return zero_ms if effect == effects.POWER else self._opened_ms(stage_id, seen_ms, zero_ms)

    def held_ms(self, stage_id: str, effect: str) -> int:
        """Earliest time of an effect after its stage. Only the fan waits, for the extinguishing
        agent.
        """
        return max(0, self._held_ms(stage_id, effect) - self._seen_ms)

    def _held_ms(self, stage_id: str, effect: str) -> int:
        """How long the fan waits for the agent, as the hazard analysis says; else 0."""
        if (stage_id, effect) == ("3", effects.FAN):
            return self.config.cabinet["agent_hold_off_ms"]
        return 0

    def stopped_ms(self, wanted: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Times of the effects that the wiring causes without the controller: {effect: (earliest,
        latest)}. They count from when a contact opens or the controller ends.
        """
        tick_ms, lapse_ms = self.config.tick_ms, self.config.cabinet["permit_expiry_ms"]
        first_ms, last_ms = 0, time_chain.CONTACT_MS + tick_ms
        if effects.FAN in wanted:
            first_ms, last_ms = lapse_ms - self.config.coil_period_ms - tick_ms, lapse_ms + tick_ms
        seen_ms = last_ms + time_chain.RELAY_MS + tick_ms
        return dict.fromkeys(wanted, (first_ms, seen_ms)) | {
            effects.POWER: (first_ms, seen_ms + time_chain.DEAD_MS),
            effects.OPENED: (first_ms + ORDER_MS, seen_ms + time_chain.OPENING_MS),
        }

    def _coil_ms(self, stage_id: str, effect: str) -> int:
        """Latest time at which a coil changes. If it must wait, a periodic write changes it."""
        held_ms = self._held_ms(stage_id, effect)
        stops = effects.STOPS in design.effects(stage_id)
        return held_ms + self._write_ms(effects.COILS[effect].output, bool(held_ms) or not stops)

    def _decision(self, stage_id: str) -> list[time_chain.Part]:
        return time_chain.decision(self.config, self.schedule, BY_ID[stage_id])

    def _opened_ms(self, stage_id: str, seen_ms: int, zero_ms: int) -> int:
        """Latest opening of the contactors. A row that waits for zero current waits until the BMS
        reports it.
        """
        actuation_ms = self._write_ms("contactor_supply_ok") + time_chain.RELAY_MS
        waits_ms = time_chain.opening_ms(self.config, BY_ID[stage_id])
        if waits_ms is not None:
            return seen_ms + actuation_ms + waits_ms
        bus_ms = next(part.time_ms for part in self._decision("29") if part.what == "bus")
        reported_ms = time_chain.ASSUMED_MS["BMS"] + bus_ms + self.config.tick_ms
        return zero_ms + reported_ms + actuation_ms + time_chain.OPENING_MS

    def _write_ms(self, output: str, keeps: bool = False) -> int:
        return time_chain.write_ms(self.config, self.schedule, (output,), keeps)

    def _connected_ms(self, output: str) -> int:
        """Time until a module takes the first write of a controller that has just started.

        The time contains the exchange in progress on the module's bus, a read of the inputs and of
        the expiry of each module (drivers/io.py), and one tick until the write.
        """
        names = {output, f"!{output}"}
        (bus,) = {device.bus for device in self.config.devices if names & set(device.outputs)}
        exchanges = self.schedule[bus]
        reads_us = [exchange.time_us for exchange in exchanges if exchange.what == "read inputs"]
        in_flight_us = max(exchange.time_us for exchange in exchanges)
        return math.ceil((in_flight_us + 2 * sum(reads_us)) / 1000) + self.config.tick_ms

    def _setpoint_ms(self) -> int:
        """Time from the tick to a set-point's last byte: three times the longest exchange."""
        buses = {device.bus for device in self.config.devices if device.role == "pcs"}
        longest_us = max(exchange.time_us for bus in buses for exchange in self.schedule[bus])
        return math.ceil(3 * longest_us / 1000)

    def _period_ms(self, cause: Iterable[Do]) -> int:
        """Longest age of a device's last frame when a cause silences it: its slowest period."""
        names = {act.arguments.get("device") for act in cause}
        profiles = [device.profile for device in self.config.devices if device.name in names]
        periods_ms = [profile.period_ms for profile in profiles]
        periods_ms += [profile.settings.get("control_period_ms", 0) for profile in profiles]
        return max(periods_ms, default=0)
