"""Which proof tests a cabinet has to have, and how long a reaction may take: those of the rows that are armed, and of
the rows in hard wiring, as the header of its journal says them."""

from controller import bus_times, images, proof_intervals, time_chain, wired
from safety import matrix as m


def plan(config):
    """{key of proof_intervals: days at most between two tests, 0 for at commissioning only} of all there is to test."""
    there = {proof_intervals.key_of(stage) for stage in _armed(config)} | set(_wired(config))
    return {key: interval_d or 0 for key, interval_d in config.proof_tests.items() if key in there}


def allowed_ms(config):
    """{key: the latest time, ms}: of its armed stages the longest, as one test proves them; by wire, of the enable."""
    schedule, found = bus_times.schedule(config), {}
    for stage in _armed(config):
        key, latest_ms = proof_intervals.key_of(stage), sum([part.time_ms for part in time_chain.chain(
            config, schedule, stage)])
        found[key] = max(latest_ms, found.get(key, 0))
    return found | {key: wired.enable_ms(config, row) for key, row in _wired(config).items()}


def _wired(config):
    """{key: row} of the rows that are proven by wire."""
    return {f"{row}{proof_intervals.WIRED}": row for row in wired.rows(config)}


def _armed(config):
    stages = {stage[m.S_ID]: stage for stage, index in images.instances(config.topology)
              if images.stage_state(stage, config.topology, index)[0] in images.ARMED_STATES}
    return list(stages.values())
