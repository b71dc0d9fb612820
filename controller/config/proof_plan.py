"""Finds the proof tests that a cabinet needs, and the earliest and latest time at which the cabinet
may react in each test.

The header of the journal has this plan and the limit image. The earliest time is computed from the
debounce times and silences of that image. The times of sensor, bus and write count as zero, because
only their longest times are known.
"""

from array import array

from controller.config import bus_times, stage_states, time_chain, wired
from controller.config.cabinet_config import Config
from controller.config.devices import METERS, Device
from controller.rows import proof_intervals, records
from controller.rows.shapes import AT_ONCE, BY_LEVEL, BY_LEVEL_S, MatrixStage
from safety import matrix as m, parameters as p
from safety.evaluate import D_SET_TICKS
from safety.kernel import Kernel
from safety.signals import UNIT

# The kernel counts a cause as one tick old when it first sees the cause, even if the cause came
# just before. The age of a silence is also counted one tick too long.
SEEN_TICKS = 2
# A silence counts from the last value. A silence is at least three periods long (silence.BUDGETS),
# so this value is at most a third of the silence old when the wire is cut, and two thirds remain.
# The plan uses half of the silence, because on a full bus the last answer may have been late.
SILENCE_DIVISOR = 2
EXPIRY_ROW = 44  # tested with the controller switched off, because its outputs then expire
ByTest = dict[str, int]  # {key of proof_intervals: a number}


def plan(config: Config) -> ByTest:
    """{key of proof_intervals: most days between two tests}. 0 days: the row is tested only at
    commissioning.
    """
    tested = {proof_intervals.key_of(stage) for stage in _armed(config)} | set(_wired(config))
    return {key: interval_d or 0 for key, interval_d in config.proof_tests.items() if key in tested}


def allowed_ms(config: Config) -> ByTest:
    """{key of a test: the latest time of the reaction, ms}. It is the longest time of the armed
    stages with this key. For a test of the hard wiring, it is the time until the enable drops.
    """
    schedule = bus_times.schedule(config)
    latest: ByTest = {}
    for stage in _armed(config):
        key = proof_intervals.key_of(stage)
        latest_ms = sum(part.time_ms for part in time_chain.chain(config, schedule, stage))
        latest[key] = max(latest_ms, latest.get(key, 0))
    return latest | {key: wired.enable_ms(config, row) for key, row in _wired(config).items()}


def resting(config: Config) -> dict[str, list[str]]:
    """{device: keys of the tests that must be done again after the device was replaced}.

    There is a test for each armed stage that reads the device, for one stage of each output of the
    device, and for the expiry of its outputs.
    """
    keys = list(plan(config))
    armed = sorted(_armed(config), key=lambda stage: int(stage[m.S_ROW]))
    own_keys = {device.name: _resting(armed, device) for device in config.devices}
    signs = {device.name: _signs(config, device) for device in config.devices}
    return {
        name: [*[key for key in keys if key in own], *signs[name]] for name, own in own_keys.items()
    }


def _signs(config: Config, device: Device) -> list[str]:
    """Keys of the sign tests that depend on a device. "u1" is the sign test of unit 1."""
    indexes = range(config.units)
    units = {"pcs": [device.index], **dict.fromkeys(METERS, [*indexes])}
    if device.role == "bms":
        units["bms"] = [config.topology.rack_units[device.index]]
    return [f"u{unit + 1}" for unit in units.get(device.role, [])]


def _resting(armed: list[MatrixStage], device: Device) -> set[str]:
    keys = {proof_intervals.key_of(stage) for stage in armed if _reads(stage, device)}
    outputs = {name.lstrip("!") for name in device.outputs} - {""}
    for demand, output in (*time_chain.OUTPUTS, (m.D_PCS, "pcs_enable_ok")):
        driving = [proof_intervals.key_of(stage) for stage in armed if stage[m.S_DEMAND][demand]]
        if output in outputs and not keys & {*driving}:
            keys |= {*driving[:1]}
    expiry = {f"{EXPIRY_ROW}{proof_intervals.WIRED}"} if outputs else set()
    return keys | expiry


def _reads(stage: MatrixStage, device: Device) -> bool:
    """True if a stage of the matrix, or its second condition (gate), reads this device."""
    return any(
        device.role in feature.roles or bool({*feature.contacts} & {*device.inputs})
        for feature in records.features(stage)
    )


def soonest_ms(image: "array[int]") -> ByTest:
    """{key of a test: the earliest time of the reaction, ms} from a limit image. Tests of the hard
    wiring are left out. Raises ValueError if the image is of another version.
    """
    kernel = Kernel(image)
    soonest: ByTest = {}
    for instance in range(kernel.evaluator.count):
        if image[kernel.evaluator.map.armed + instance]:
            key = proof_intervals.key_of(m.STAGES[kernel.evaluator.stage[instance]])
            ms = _instance_ms(kernel, instance)
            soonest[key] = min(ms, soonest.get(key, ms))
    return soonest


def _instance_ms(kernel: Kernel, instance: int) -> int:
    tick_ms, debounce = kernel.image[p.H_TICK_MS], kernel.evaluator.debounce[instance]
    # at least one tick, because only the next tick sees the cause
    waited_ms: int = max(1, debounce[D_SET_TICKS]) * tick_ms + _silent_ms(kernel, instance)
    return max(0, waited_ms - SEEN_TICKS * tick_ms)


def _silent_ms(kernel: Kernel, instance: int) -> int:
    """Shortest time from a cut wire to the trip, if the instance trips by a silence, ms. Else 0."""
    image, places, evaluator = kernel.image, kernel.evaluator.map, kernel.evaluator
    stage, number = m.STAGES[evaluator.stage[instance]], evaluator.block[instance] - 1
    feature = records.feature(stage)
    level = abs(evaluator.watch[instance][2])
    if feature.ladder:
        first = (
            places.unit + number * p.UNIT_WORDS + p.U_PCS_RAMP_MS
            if stage[m.S_SCOPE] == UNIT
            else places.rack + (number - kernel.layout.units) * p.RACK_WORDS + p.R_BMS_WARN_MS
        )
        return int(image[first + level - 1]) // SILENCE_DIVISOR
    if feature.silence == BY_LEVEL_S:
        return int(level * 1000)
    if feature.silence == BY_LEVEL:
        return int(level // SILENCE_DIVISOR)
    if feature.silence in ("", AT_ONCE):
        return 0
    return int(image[places.cabinet + p.cabinet_index(feature.silence)]) // SILENCE_DIVISOR


def _wired(config: Config) -> ByTest:
    """{key of a test of the hard wiring: its row}."""
    return {f"{row}{proof_intervals.WIRED}": row for row in wired.rows(config)}


def _armed(config: Config) -> list[MatrixStage]:
    armed = stage_states.stages_in(config.topology, stage_states.ARMED_STATES)
    return list({stage[m.S_ID]: stage for stage in armed}.values())
