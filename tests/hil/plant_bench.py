"""A simulated plant without devices, and the scenario actions applied to it."""

from types import SimpleNamespace

from hil.plant.cabinet import CabinetPlant
from hil.scenarios.faults import ACTIONS

DT_S = 0.1


def plant(load_W=300_000.0, seed=1, **changes):
    return CabinetPlant(changes, lambda t_s: load_W, seed)


def act(one, name, then_s=0, **given):
    fields, do = ACTIONS[name]
    do(SimpleNamespace(plant=one), {key: field.default for key, field in fields.items()} | given)
    return run(one, then_s)


def run(one, seconds, dt_s=DT_S):
    for _ in range(round(seconds / dt_s)):
        one.step(dt_s)
    return one


def until(one, seconds_max, happened):
    for count in range(1, round(seconds_max / DT_S) + 1):
        one.step(DT_S)
        if happened():
            return count * DT_S
    raise AssertionError(f"not within {seconds_max} s")


def closed(*coils, **changes):
    one = plant(**changes)
    for coil in ("pcs_enable", "contactor_supply", *(coils or ("fan_off",))):
        one.set_coil(coil, True)
    for rack in one.racks:
        rack.command_close(True)
    run(one, 2)
    assert states(one) == [2] * len(one.racks)
    return one


def running(power_W=100_000.0, **changes):
    """Every PCS at this power, the fan on."""
    one = closed("aux_load", **changes)
    for unit in one.pcs:
        unit.command_run(True)
        unit.command_setpoint(power_W)
    run(one, 2)
    assert [unit.ac_power_W for unit in one.pcs] == [power_W] * len(one.pcs)
    return one


def states(one):
    return [rack.contactor_state for rack in one.racks]
