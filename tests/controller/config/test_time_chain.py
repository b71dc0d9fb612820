"""The chains of the commissioning checklist are complete where a part was once missing."""

import pickle

import pytest
from slow import slow

from controller.config import bus_times, time_chain
from safety import matrix as m, signals as s
from tests.safety.bench import Bench, disarm

PHASES = range(0, 50, 7)  # ticks of 20 ms into the second of the looks
HOT = s.MODULE_TEMPERATURE_DDEGC + 7
NOT_ITS_OWN = ("sensor", "bus")  # a bench has neither


def parts(found):
    """{stage: {part: ms}} from the cause to the tick that decides."""
    schedule = bus_times.schedule(found)
    chains = {stage[m.S_ID]: time_chain.decision(found, schedule, stage) for stage in m.STAGES}
    return {name: {part.what: part.time_ms for part in chain} for name, chain in chains.items()}


def test_meter_freezes_after_one_more_read(files):
    """The read comes every 20 ms and takes 9.39 ms, in whole ms."""
    found = parts(files.load())
    of_frozen, of_silent = found["50b"], found["50a"]
    assert of_frozen["silence"] == 5000 and of_frozen["bus"] == 30
    assert of_silent["silence"] == 500 and "bus" not in of_silent


def test_features_of_each_second_wait_for_it(files):
    found = parts(files.load())
    waits = [
        (what, name, part[what])
        for what in ("once a second", "gate")
        for name, part in found.items()
        if what in part
    ]
    looks = [("once a second", name, 1000) for name in ("10b", "22", "23a", "23b", "53")]
    assert sorted(waits) == [("gate", "21b", 1000), *looks]


def active_after_ms(name, bench, at, from_value, per_s):
    """ms until the stage is active on a bench whose input changes at this rate."""
    for ticks in range(1, 60 * 50):
        bench.inp[at] = from_value + int(per_s * ticks / 50 + (1e-9 if per_s > 0 else -1e-9))
        if name in bench.step().standing():
            return ticks * 20
    return None


# stage, the input, its value and its change per second: the rate of the row itself; of 10b, which
# asks for more than 5 ppm/s, one at which 51 ppm take nearly all of its 10 s
@pytest.mark.parametrize(
    "name, signal, from_value, per_s",
    [
        ("23a", HOT, 250, 2),
        ("24", s.CELL_VOLTAGE_MV_MIN, 3290, -125),
        *slow(
            ("10b", s.TOXIC_PPM, 0, 5.2),
            ("22", HOT, 250, 10 / 60),
            ("23b", HOT, 250, 10),
            ("53", HOT, 250, 10 / 60),
        ),
    ],
)
def test_a_rise_trips_within_its_chain(files, name, signal, from_value, per_s):
    """Row 23a took 12.4 s, its chain gave 11.5 s; phases not tried, 140 ms apart, leave 400 ms."""
    bench = Bench()
    at = signal if name == "10b" else bench.layout.rack_input(0, signal)
    bench.inp[at] = from_value
    # 40 % of row 7, with all of row 22's sign row 53's 140 %
    bench.inp[s.OFFGAS_1_PPM] = 8 if name == "53" else 0
    # the other sign that row 24 asks for
    bench.inp[s.GAS_1_CALIBRATION_D] = -1 if name == "24" else 90
    evaluator = bench.kernel.evaluator
    names = [m.STAGES[evaluator.stage[index]][m.S_ID] for index in range(evaluator.count)]
    others = [index for index, each in enumerate(names) if each not in (name, "13c")]
    disarm(evaluator, bench.kernel.image, others)
    bench.step(35 * 50)  # a history of 30 s, all alike
    started = pickle.dumps(bench)
    starts = [pickle.loads(started).step(phase) for phase in PHASES]
    taken_ms = [active_after_ms(name, each, at, from_value, per_s) for each in starts]
    chain = parts(files.load())[name].items()
    latest_ms = sum([time_ms for what, time_ms in chain if what not in NOT_ITS_OWN])
    assert latest_ms - 400 <= max(taken_ms) <= latest_ms
