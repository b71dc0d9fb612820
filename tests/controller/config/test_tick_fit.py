"""`check` doubts a tick that a large cabinet, or the bus of a converter, cannot hold, and a path
delay without the capacitors.
"""

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


@cases("""buffer  delay_ms  is_doubted
    "buffer_J_per_kW = 54"  110  True | "buffer_J_per_kW = 54"  84  True
    "buffer_J_per_kW = 54"  83  False | "buffer_J_per_kW = 54"  56  False
    ""  110  False | "buffer_J_per_kW = 54"  None  False""")
def test_a_stated_path_delay_without_the_capacitors_is_doubted(files, buffer, delay_ms, is_doubted):
    files.replace("site", 'role = "meter_load"', f'role = "meter_load"\n{buffer}')
    if delay_ms:
        files.say("site", "control.track_path_delay_ms", str(delay_ms))
    line = (
        f"{files.paths[1]}:control.track_path_delay_ms: {delay_ms} is doubtful: buffer_J_per_kW = "
        "54 of meter_load shortens the path from 110 to 56 ms; expected about 56, or no such key"
    )
    assert list(configuration.with_doubts(files.paths[2])[1]) == [f"doubt: {line}"] * is_doubted
