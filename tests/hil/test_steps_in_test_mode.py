"""Sign test and step test in TEST mode of the rig: the right cabinet, each planted wrong sign."""

import pytest

from controller.config import configuration
from controller.sites import EXAMPLE, FOLDER, PYLONTECH
from controller.state import sign_verdicts, step_response, step_samples, step_session
from hil.engine.simulate import VirtualRig
from safety import signals as s
from tests.controller.run.cabinet_bench import believed
from tests.slow import whole

SIGN, STEPS = (-1, 1, -1, 1), (-1, 1) * 4


def in_test(path, load_W, config=lambda loaded: loaded, tick_ms=None):
    config = config(configuration.load(path, tick_ms=tick_ms))
    rig = VirtualRig(config, lambda t_s: load_W, plant_config={"soc": 0.55}).run(0.5)
    rig.plant.key_run = False
    rig.run(1.5)
    assert rig.controller.cabinet.request_test() == 100
    rig.run(2)
    rig.plant.key_run = True
    return rig


def NOTHING(rig):
    """No trouble comes."""


def session(rig, signs, hold_ms, units=(0,), trouble=NOTHING):
    """Run a session to its end; the power never passes 5 % of the rating. trouble: comes in the
    second step of the last unit.
    """
    config, core = rig.config, rig.core
    roles = [device.role for device in config.devices]
    images = config.safety_image, config.control_image
    places = [
        step_samples.place_of(*images, core.setpoint_at + unit, roles, unit) for unit in units
    ]
    meter_at, mode_at = core.out_at["meter_sign"], core.out_at["modes"]
    made = step_session.Session(places, signs, hold_ms, meter_at, mode_at)
    while not made.ended:
        if made.phases.get(units[-1], ())[2:]:
            trouble(rig)
            trouble = NOTHING
        rig.step()
        core = rig.core
        ask = made.take(core.inp, core.out, core.fresh, rig.tick_us // 1000)
        if ask:
            assert rig.controller.cabinet.request_step(*ask) == 100
        assert all(abs(pcs.ac_power_W) <= pcs.rated_W * 0.0501 for pcs in rig.plant.pcs)
    return made


def verdicts(made, unit=0):
    samples = made.samples[unit]
    found = sign_verdicts.facts(samples, made.whole(unit), made.meter_result)
    return found["result"], {each["point"]: each["verdict"] for each in found["points"]}


def turn_current(rig, rack):
    """The BMS of a rack (from 0) reports its current with the other sign."""
    device, plant = rig.cabinet.devices[f"bms_{rack + 1}"], rig.plant
    step = plant.step

    def stepped(dt_s):
        step(dt_s)
        device.overrides["PACK.current"] = -plant.racks[rack].current_A

    plant.step = stepped


RIGHT = ["agrees"] * 6 + ["unchanged"]
STILL = ["nothing moved"] * 6 + ["unchanged"]
AGAINST = ["opposite"] * 6 + ["unchanged"]


def test_one_wrong_sign_after_the_other_is_found_at_its_device():
    """One minute of TEST mode, because a rig of its own for each would take minutes."""
    rig = in_test(EXAMPLE, 60_000.0)
    pcs, meter = rig.plant.pcs[0], rig.cabinet.devices["meter_grid"]

    def found():
        result, points = verdicts(session(rig, SIGN, 1200))
        assert result == "failed"
        return list(points.values())

    pcs.is_reversed = True
    assert found() == AGAINST
    pcs.is_reversed, meter.reversed_phases = False, 3
    assert found() == [*RIGHT[:5], "opposite", "unchanged"]
    meter.reversed_phases = 0
    turn_current(rig, 1)
    assert found() == [*RIGHT[:3], "opposite", *RIGHT[4:]]


def get_stuck(rig):
    rig.plant.pcs[0].is_stuck = True


@pytest.mark.parametrize("plant, found", whole((NOTHING, RIGHT), (get_stuck, STILL)))
def test_only_a_right_cabinet_passes(plant, found):
    rig = in_test(EXAMPLE, 60_000.0)
    plant(rig)
    made = session(rig, SIGN, 2500)
    assert list(verdicts(made)[1].values()) == found and made.ended == step_session.DONE
    assert verdicts(made)[0] == ("passed" if found == RIGHT else "failed")


@pytest.mark.parametrize(
    "path, load_W, units",
    whole((PYLONTECH, 3000.0, 1), (FOLDER / "three_units" / "cabinet.toml", 3e5, 3)),
)
def test_every_unit_of_the_shipped_cabinets_passes(path, load_W, units):
    made = session(in_test(path, load_W), SIGN, 2500, range(units))
    assert [verdicts(made, unit)[0] for unit in range(units)] == ["passed"] * units


@pytest.mark.parametrize("dead_ms, ramp_ms", [(300, 5000), *whole((60, 100))])
def test_the_step_test_finds_dead_time_and_ramp_of_the_plant(dead_ms, ramp_ms):
    rig = in_test(EXAMPLE, 300_000.0)
    pcs = rig.plant.pcs[0]
    pcs._dead_us, pcs._ramp_W_per_s = dead_ms * 1000, pcs.rated_W / ramp_ms * 1000
    made = session(rig, STEPS, 1500)
    found = step_response.facts(made.samples[0], made.whole(0), rig.config.tick_ms)
    register, meter = found["points"]
    for key, true in (("dead_time_ms", dead_ms), ("ramp_ms", ramp_ms), ("gain", 1)):
        figure = register[key]
        assert abs(figure["value"] - true) <= figure["uncertainty"] + 0.001, key
        assert figure["uncertainty"] <= {"dead_time_ms": 100, "ramp_ms": 3000, "gain": 0.1}[key]
    assert abs(meter["gain"]["value"] - 1) < 0.02 and meter["dead_time_ms"]["value"] > dead_ms


def test_a_step_ends_with_its_time_and_with_test_mode():
    rig = in_test(EXAMPLE, 300_000.0).run(20)
    cabinet = rig.controller.cabinet
    assert [cabinet.request_step(*ask) for ask in ((0, 9, 9), (2, 9, 9), (1, 9, 0))] == [101] * 3
    assert cabinet.request_step(1, -9000, 1000) == 100
    rig.run(rig.now_us / 1e6 + 0.5)
    assert list(rig.core.setpoints()) == [-9000]
    rig.run(rig.now_us / 1e6 + 0.6)
    assert list(rig.core.setpoints()) != [-9000]
    rig.controller.cabinet.run_request.test = rig.core.inp[s.TEST_REQUEST] = 0
    assert cabinet.request_step(1, -9000, 1000) == 119


def turn_key(rig):
    rig.plant.key_run = False


def press_estop(rig):
    rig.plant.relays.estop_closed = [False, False]


def silence(rig):
    rig.cabinet.devices["pcs_2"].silent = True


def stop(rig):
    rig.controller.cabinet.request_run(False)


def let_time_pass(rig):
    rig.run(61)


@pytest.mark.parametrize(
    "units, trouble, why",
    [
        ((1,), stop, step_session.OVER),
        *whole(
            ((1,), turn_key, step_session.KEY),
            ((0, 1, 2), let_time_pass, step_session.OVER),
            ((0, 1, 2), turn_key, step_session.KEY),
            ((1,), press_estop, step_session.TRIPPED),
            ((1,), silence, step_session.TRIPPED),
        ),
    ],
)
def test_whatever_ends_the_steps_of_three_units_the_power_returns_to_0(units, trouble, why):
    rig = in_test(FOLDER / "three_units" / "cabinet.toml", 3e5, believed, 100)
    assert session(rig, (-1, 1), 300, units).ended == step_session.DONE
    made = session(rig, (-1, 1), 4000, units, trouble)
    assert made.ended == why
    rig.run(rig.now_us / 1e6 + 6)
    assert not any(rig.core.setpoints()) and rig.core.out[s.STATE] != s.RUNNING
    assert all(abs(pcs.ac_power_W) < 1 for pcs in rig.plant.pcs)
