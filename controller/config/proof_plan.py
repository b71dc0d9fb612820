"""Which proof tests a cabinet has to have, and how long a reaction may take: those of the rows that
are armed, and of the rows in hard wiring, as the header of its journal says them.

The soonest that a reaction can be follows from the limit image, which that header has too:
debounces and silences. Sensor, bus and write count as nothing there, because what is known of them
is how long they take at most.
"""

from controller.config import bus_times, stage_states, time_chain, wired
from controller.rows import proof_intervals, records
from controller.rows.shapes import AT_ONCE, BY_LEVEL, BY_LEVEL_S
from safety import matrix as m, parameters as p
from safety.evaluate import D_SET_TICKS
from safety.kernel import Kernel

# a cause just before a tick has stood for one when it is seen, and so has the age of a silence
SEEN_TICKS = 2
# A silence counts from the last value, and that may be old when the wire is cut: a third of the
# silence at most, as the shortest ones are three periods (sense.BUDGETS); half of it, so that an
# answer on a full bus may be late besides.
LEFT_OF_SILENCE = 2


def plan(config) -> dict:
    """{key of proof_intervals: days at most between two tests, 0 for at commissioning only} of all
    there is to test.
    """
    there = {proof_intervals.key_of(stage) for stage in _armed(config)} | set(_wired(config))
    return {key: interval_d or 0 for key, interval_d in config.proof_tests.items() if key in there}


def allowed_ms(config) -> dict:
    """{key: the latest time, ms}: of its armed stages the longest, as one test proves them; by
    wire, of the enable.
    """
    schedule, found = bus_times.schedule(config), {}
    for stage in _armed(config):
        key, latest_ms = (
            proof_intervals.key_of(stage),
            sum([part.time_ms for part in time_chain.chain(config, schedule, stage)]),
        )
        found[key] = max(latest_ms, found.get(key, 0))
    return found | {key: wired.enable_ms(config, row) for key, row in _wired(config).items()}


def soonest_ms(image) -> dict:
    """{key: the soonest, ms}: of the armed instances in a limit image the quickest; nothing of a
    row by wire.

    Raises ValueError where the image is of another version.
    """
    kernel, found = Kernel(image), {}
    for instance in range(kernel.evaluator.count):
        if image[kernel.evaluator.map.armed + instance]:
            key = proof_intervals.key_of(m.STAGES[kernel.evaluator.stage[instance]])
            ms = _instance_ms(kernel, instance)
            found[key] = min(ms, found.get(key, ms))
    return found


def _instance_ms(kernel, instance):
    tick_ms, debounce = kernel.image[p.H_TICK_MS], kernel.evaluator.debounce[instance]
    # a tick, as in the time chain
    waited_ms = max(1, debounce[D_SET_TICKS]) * tick_ms + _silent_ms(kernel, instance)
    return max(0, waited_ms - SEEN_TICKS * tick_ms)


def _silent_ms(kernel, instance):
    """What is left of the silence, or of the loss, that an instance acts on when its cause comes; 0
    where it is none.
    """
    image, places, evaluator = kernel.image, kernel.evaluator.map, kernel.evaluator
    stage, number = m.STAGES[evaluator.stage[instance]], evaluator.block[instance] - 1
    feature = records.feature(stage)
    level = abs(evaluator.watch[instance][2])
    if feature.ladder:
        first = (
            places.unit + number * p.UNIT_WORDS + p.U_PCS_RAMP_MS
            if stage[m.S_SCOPE] == m.UNIT
            else places.rack + (number - kernel.layout.units) * p.RACK_WORDS + p.R_BMS_WARN_MS
        )
        return image[first + level - 1] // LEFT_OF_SILENCE
    if feature.silence == BY_LEVEL_S:
        return level * 1000
    if feature.silence == BY_LEVEL:
        return level // LEFT_OF_SILENCE
    if feature.silence in ("", AT_ONCE):
        return 0
    return image[places.cabinet + p.cabinet_index(feature.silence)] // LEFT_OF_SILENCE


def _wired(config):
    """{key: row} of the rows that are proven by wire."""
    return {f"{row}{proof_intervals.WIRED}": row for row in wired.rows(config)}


def _armed(config):
    stages = {
        stage[m.S_ID]: stage
        for stage, index in stage_states.instances(config.topology)
        if stage_states.stage_state(stage, config.topology, index)[0] in stage_states.ARMED_STATES
    }
    return list(stages.values())
