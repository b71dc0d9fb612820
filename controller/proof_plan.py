"""Which proof tests a cabinet has to have: those of the rows that are armed, as the header of its journal says them."""

from controller import images, proof_intervals


def plan(config):
    """{key of proof_intervals: days at most between two tests, 0 for at commissioning only} of all armed rows."""
    armed = {stage for stage, index in images.instances(config.topology)
             if images.stage_state(stage, config.topology, index)[0] in images.ARMED_STATES}
    return {key: interval_d or 0 for key, interval_d in config.proof_tests.items()
            if armed.intersection(proof_intervals.stages_of(key))}
