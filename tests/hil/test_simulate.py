"""The simulation: its seed repeats it; a killed controller is silent, a new one finds the store."""

import pytest
from observed import events

from controller.config import configuration
from controller.sites import EXAMPLE, PYLONTECH
from controller.store import stored_record, two_copies
from hil.engine.simulate import VirtualRig
from hil.engine.virtual_controller import MemoryStore
from hil.scenarios.scenario import Action
from hil.wires.virtual import DOWN, NEVER
from safety import signals as s

CONFIG = configuration.load(EXAMPLE)
SECOND_US = 1_000_000


def load(t_s):
    return 300_000.0 + 40_000.0 * (int(t_s) % 3)


def rig(seed=1, actions=()):
    return VirtualRig(CONFIG, load, seed, actions, {"soc": 0.55})


def action(at_s, do, **arguments):
    return Action(round(at_s * SECOND_US), do, do, arguments)


def fingerprint(virtual):
    observed = virtual.observer.result(), virtual.trips.trips, virtual.observer.violations
    words = virtual.controller.cabinet.core.state_words()
    return virtual.recorder.rows().tobytes(), observed, words


def opened(virtual):
    return [rack.contactor_state for rack in virtual.plant.racks] == [0, 0, 0]


def stages(virtual):
    return [trip["stage"] for trip in virtual.trips.trips]


def test_a_hint_is_in_the_image_of_the_next_tick_and_lost_on_a_dead_controller():
    virtual = rig().run(1)
    virtual.controller.hint("site_ems", 3, 4, 9000, 1500)
    core = virtual.controller.cabinet.core
    virtual.step()
    assert list(core.inp[core.layout.inputs : core.layout.inputs + 6]) == [3, 3, 4, 9000, 1500, 0]
    with pytest.raises(ValueError, match="no source 'ems'; allowed: planner, scheduler, site_ems"):
        virtual.controller.hint("ems", 3, 4, 9000, 1500)
    virtual.controller.kill()
    virtual.controller.hint("site_ems", 3, 4, 9000, 1500)


def test_the_same_seed_gives_the_same_run_and_another_seed_another():
    noise = {"garbage_permille": 100, "flip_permille": 30, "drop_permille": 30}
    actions = (action(4, "noise", bus="io", seed=5, **noise), action(6.003, "estop_press"))
    first, again, other = (fingerprint(rig(seed, actions).run(8)) for seed in (1, 1, 2))
    assert first == again
    assert first[0] != other[0]


def test_it_starts_closes_and_follows_the_load():
    virtual, shown_us = rig(), []
    virtual.run(12, lambda: shown_us.append(virtual.now_us), 5)
    assert shown_us == [20_000, 5_000_000, 10_000_000]
    names = events(virtual)
    assert names.index("contactors_closed") < names.index("power_flowing")
    assert virtual.observer.violations == [] and virtual.trips.trips == []
    assert virtual.controller.cabinet.core.out[s.STATE] == s.RUNNING
    assert virtual.ticks == 600 and virtual.now_us == 12 * SECOND_US
    # several exchanges fit between two ticks
    units = list(virtual.controller.cabinet.field.ports["io"].statistics.values())
    assert sum(unit.sent for unit in units) > 1.1 * virtual.ticks - 10
    assert sum(unit.timeout for unit in units) == 0


def test_bytes_take_their_time_on_the_wire():
    """A request of 8 bytes takes 694.4 us at 115200 Bd; the reply follows after 2 ms."""
    virtual = rig()
    wire, heard = virtual.controller.wires["io"], []
    wire.tap = lambda at_us, way, data, plain=wire.tap: (
        heard.append((at_us, way, len(data))) or plain(at_us, way, data)
    )
    virtual.run(0.1)
    request, reply = heard[0], heard[1]
    assert (request[1], request[2]) == (DOWN, 8) and reply[1] != DOWN
    assert reply[0] - request[0] == 2000 + wire.bytes_us(reply[2])
    downs = [time_us for time_us, way, _ in heard if way == DOWN]
    # sent when the bus was free, not at ticks
    assert any(time_us % virtual.tick_us for time_us in downs)


def test_a_killed_controller_is_silent_and_deaf_and_the_hardware_lets_go():
    virtual = rig().run(5)
    dead = virtual.controller.cabinet
    units = [unit for port in dead.field.ports.values() for unit in port.statistics.values()]
    virtual.controller.kill()
    before = [(unit.ok, unit.noise_bytes) for unit in units]
    for name, *arguments in (("reset", "remote"), ("run_request", True), ("stall", 500)):
        getattr(virtual.controller, name)(*arguments)
    virtual.run(7)
    assert before == [(unit.ok, unit.noise_bytes) for unit in units]
    assert virtual.controller.cabinet is None and virtual.controller.can["can0"].ends == []
    late = [name for time_us, name, _ in virtual.observer.result() if time_us >= 5_000_000]
    assert late.index("pcs_enable_off") < late.index("contactor_supply_off") and opened(virtual)
    assert all(wire.next_us == NEVER for wire in virtual.controller.wires.values())
    assert virtual.recorder.rows()["state"][-1] == s.INHIBITED


def test_a_restarted_or_stalled_controller_notices():
    for spoiled, found in (((), ["44c"]), ((action(5.5, "store_spoil"),), ["44d", "58"])):
        kill, start = action(5, "controller_kill"), action(6, "controller_start")
        virtual = rig(actions=[kill, *spoiled, start]).run(8)
        assert stages(virtual) == found
        assert virtual.controller.cabinet.core.out[s.STATE] == s.INHIBITED
        assert virtual.controller.store.loaded().record is not None
        assert len(virtual.controller.can["can0"].ends) == 1
    for duration_ms, trips in ((480, []), (520, ["44b"])):
        virtual = rig(actions=[action(5, "controller_stall", duration_ms=duration_ms)]).run(5.4)
        assert virtual.trips.trips == []
        assert stages(virtual.run(6)) == trips


def test_a_start_finds_the_store_an_action_its_tick_and_a_stop_is_clean():
    kept = MemoryStore(stored_record.Record())
    assert kept.loaded()[:2] == (two_copies.CLEAN, stored_record.Record())
    for number, armed in enumerate((1, 0), 1):
        record = stored_record.Record(armed)
        assert kept.submit(record) == kept.poll() == number
        assert kept.loaded().state == (two_copies.KILLED if armed else two_copies.CLEAN)
        assert kept.loaded().record is record
    virtual = rig(actions=[action(1.001, "estop_press")]).run(1.0)
    assert virtual.plant.contacts["estop_1"]
    virtual.step()
    assert not virtual.plant.contacts["estop_1"]
    assert (1_020_000, "estop_press", "") in virtual.observer.result()
    virtual = rig(actions=[action(5, "run_request", on=False)]).run(9)
    assert virtual.controller.store.loaded().state == two_copies.CLEAN
    assert opened(virtual)
    assert virtual.trips.trips == [] and virtual.observer.violations == []


def run_state(virtual):
    return s.STATES[virtual.controller.cabinet.core.out[s.STATE]], stages(virtual)


def test_a_start_continues_or_ends_with_the_start_checklist():
    site = configuration.load(PYLONTECH)
    virtual = VirtualRig(site, lambda t_s: 10_000.0, plant_config={"soc": 0.55})
    assert run_state(virtual.run(10)) == ("running", [])
    for device, state in (("", "tripped"), ("bms_1", "inhibited"), ("meter_grid", "inhibited")):
        virtual = rig()
        while run_state(virtual)[0] != "closing":
            virtual.step()
        if device:
            virtual.cabinet.devices[device].silent = True
        else:
            virtual.plant.key_run = False
        virtual.run(8)
        assert run_state(virtual)[0] == state
        assert opened(virtual)


def test_a_rack_that_recloses_against_the_command_widens_nothing():
    virtual = rig().run(5)
    kernel = virtual.controller.cabinet.core.kernel
    virtual.cabinet.devices["bms_1"].overrides["STATE.contactor_state"] = 0
    virtual.run(6)
    narrowed = kernel.bounds.rack_limit[8]
    virtual.cabinet.devices["bms_1"].overrides.clear()
    virtual.run(7)
    assert (narrowed, kernel.bounds.rack_limit[8]) == (0, 0)


@pytest.mark.parametrize("lost, state", [("key", "tripped"), ("store", "ready")])
def test_a_lost_key_or_store_is_a_controlled_stop(lost, state):
    virtual = rig().run(5)
    if lost == "key":
        virtual.plant.key_run = False
    else:
        virtual.controller.store.ok = False
    virtual.run(12)
    assert run_state(virtual)[0] == state and (lost != "key" or stages(virtual) == ["47a"])
    assert opened(virtual)
