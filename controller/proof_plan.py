"""Which proof tests a cabinet has to have, and how long a reaction may take: those of the rows that are armed, as the
header of its journal says them."""

from controller import bus_times, images, proof_intervals, time_chain
from safety import matrix as m


def plan(config):
    """{key of proof_intervals: days at most between two tests, 0 for at commissioning only} of all armed rows."""
    armed = {stage[m.S_ID] for stage in _armed(config)}
    return {key: interval_d or 0 for key, interval_d in config.proof_tests.items()
            if armed.intersection(each[m.S_ID] for each in proof_intervals.stages_of(key))}


def allowed_ms(config):
    """{key: the latest time of its armed stages, ms}: the longest, as a test proves the row."""
    schedule, found = bus_times.schedule(config), {}
    for stage in _armed(config):
        key, latest_ms = proof_intervals.key_of(stage), sum([part.time_ms for part in time_chain.chain(
            config, schedule, stage)])
        found[key] = max(latest_ms, found.get(key, 0))
    return found


def _armed(config):
    stages = {stage[m.S_ID]: stage for stage, index in images.instances(config.topology)
              if images.stage_state(stage, config.topology, index)[0] in images.ARMED_STATES}
    return list(stages.values())
