"""A latched stop while the converter of the market cabinet starts, in virtual time."""

from controller.sites import FOLDER
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.scenarios.faults import Action
from safety import signals as s

START, STOP, CLEAR = 650, 651, 652  # Sinexcel


def test_a_latched_stop_ends_a_start_and_nothing_clears_or_starts_behind_it():
    config = coverage.loaded(FOLDER / "market" / "cabinet.toml")
    probe = play(config, ())
    start_s = next(at_s for at_s, address in probe if address == START)
    pressed_s = start_s + 1.5
    writes = play(config, (Action(round(pressed_s * 1e6), "estop_press", "estop", {}),))
    before = [address for at_s, address in writes if at_s < pressed_s]
    assert before[-2:] == [CLEAR, START], before
    after = [(at_s, address) for at_s, address in writes if at_s > pressed_s + 0.2]
    assert not [each for each in after if each[1] in (START, CLEAR)]
    stops = [at_s for at_s, address in writes if address == STOP and at_s > pressed_s]
    assert stops and stops[0] < pressed_s + 0.5


def test_a_short_fault_is_shown_until_a_reset_and_only_then_is_the_converter_started_again():
    """It has the fault for 1 s, and then stands by itself. Stage 59e has 5 s."""
    config = coverage.loaded(FOLDER / "market" / "cabinet.toml")
    reset_s = 30
    reset = Action(reset_s * 1_000_000, "reset", "reset", {"by": "remote"})
    rig = VirtualRig(config, lambda t_s: 60_000, 1, (reset,), {"soc": 0.55})
    found, latched = followed(rig), []
    pcs, core = rig.cabinet.devices["pcs_1"].pcs, rig.core
    step = pcs.step

    def failing(dt_s, now_us, *rest):
        step(dt_s, now_us, *rest)
        latched.append((now_us / 1e6 > reset_s + 0.5, core.out[s.LATCHED_COUNT]))
        if now_us // 1_000_000 == 8:
            pcs.state = s.PCS_FAULT
        elif now_us // 100_000 == 90:
            pcs.state, pcs._run = s.PCS_STANDBY, False

    pcs.step = failing
    rig.run(reset_s + 7)
    assert (False, 1) in latched and latched[-1] == (True, 0)
    assert [at_s > reset_s for at_s, each in found if each in (START, CLEAR)] == [0, 0, 1, 1]
    assert pcs.state in (s.PCS_RUNNING, s.PCS_THROTTLED)


def play(config, actions):
    """[(time in s, register)] of what a converter that does not run after its start is sent."""
    rig = VirtualRig(config, lambda t_s: 60_000, 1, actions, {"soc": 0.55})
    found = followed(rig)
    rig.cabinet.devices["pcs_1"].pcs.command_run = lambda run: None
    rig.run(70 if actions else 12)
    return [each for each in found if each[1] in (START, STOP, CLEAR)]


def followed(rig):
    """[(time in s, register)] of all writes to the converter from now on."""
    device, found = rig.cabinet.devices["pcs_1"], []
    take = device.write

    def write(function, address, values, now_us):
        found.append((now_us / 1e6, address))
        take(function, address, values, now_us)

    device.write = write
    return found
