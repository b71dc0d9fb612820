"""A latched stop while the converter of the market cabinet starts, in virtual time."""

from controller.sites import FOLDER
from hil.engine import coverage
from hil.engine.simulate import VirtualRig
from hil.scenarios.faults import Action

START, STOP, CLEAR = 650, 651, 652  # Sinexcel


def test_a_latched_stop_ends_a_start_and_nothing_clears_or_starts_behind_it():
    config = coverage.loaded(str(FOLDER / "market" / "cabinet.toml"))
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


def play(config, actions):
    """[(time in s, register)] of what a converter that does not run after its start is sent."""
    rig = VirtualRig(config, lambda t_s: 60_000, 1, actions, {"soc": 0.55})
    device, found = rig.cabinet.devices["pcs_1"], []
    device.pcs.command_run = lambda run: None
    take = device.write

    def write(function, address, values, now_us):
        found.append((now_us / 1e6, address))
        take(function, address, values, now_us)

    device.write = write
    rig.run(70 if actions else 12)
    return [each for each in found if each[1] in (START, STOP, CLEAR)]
