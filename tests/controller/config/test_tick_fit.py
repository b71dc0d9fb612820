"""`check` doubts a tick that a large cabinet, or the bus of a converter, cannot hold."""

from types import SimpleNamespace

import pytest

from controller.config import configuration, tick_fit
from tests.tables import cases


@cases("""racks  units  tick_ms  least_ms
    3  1  10  None | 16  1  10  None | 16  16  10  20 | 16  16  20  None""")
def test_the_cost_of_a_tick_is_a_tenth_of_it_at_most(racks, units, tick_ms, least_ms):
    values = SimpleNamespace(entries={}, last_file="cabinet.toml")
    config = SimpleNamespace(racks=racks, units=units, tick_ms=tick_ms)
    line = (
        f"doubt: cabinet.toml:cabinet.tick_ms: 10 is doubtful: a tick of {racks} racks and {units} "
        f"converters takes about 1.2 ms on one core of a server; expected at least {least_ms}"
    )
    assert list(tick_fit._cost(values, config)) == [line] * (least_ms is not None)


@pytest.mark.parametrize("turnaround_ms, least_ms", [(5, None), (6, 21)])
def test_a_set_point_ends_before_the_next(files, turnaround_ms, least_ms):
    own = f'role = "pcs"\nperiod_ms = 400\nturnaround_ms = {turnaround_ms}\n'
    files.replace("type", 'role = "pcs"\n', own)
    found = [each for each in configuration.with_doubts(files.paths[2])[1] if "setpoint" in each]
    wanted = "setpoint_ms: 20 is doubtful: a set-point behind another exchange takes 20.7 ms; "
    assert len(found) == (least_ms is not None)
    assert all(f"{wanted}expected at least {least_ms}" in each for each in found)
