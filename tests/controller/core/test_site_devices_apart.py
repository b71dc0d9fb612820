"""No site device reaches the kernel on the grid, and only PV the battery: any words, silence, and
jumps.
"""

import random
from array import array

import pytest
from cabinet_bench import CONFIG
from slow import whole
from test_core import Walk
from views import DEVICES

from controller.core.base import hint_sources
from controller.core.core import Core
from controller.core.site_devices.actuator_chain import A_VALUE
from controller.core.site_devices.layout import image_of, signals
from tests.exemptions import Exempt

TICKS = 1000


def core_with(devices):
    sources = hint_sources.image(CONFIG.sources)
    return Core(CONFIG.safety_image, CONFIG.control_image, sources, image_of(devices))


def disturb(core, draw, first):
    """Any integer at any place of the site devices, fresh or not."""
    for at in range(first, len(core.inp)):
        if draw.random() < 0.1:
            core.inp[at] = draw.choice(
                (0, 1, -1, 2**31 - 1, -(2**31), draw.randrange(-(10**6), 10**6))
            )
    for group in range(core.layout.groups, len(core.fresh)):
        core.fresh[group] = draw.random() < 0.7


# The sun is a part of the load, what a UPS can give lowers the reserve, a contact limits the grid.
APART = (
    "tests/controller/core/test_site_devices_apart.py"
    "::test_outputs_of_kernel_and_battery_equal_those_without_site_devices"
)
OF_BATTERY = {
    "pv": Exempt("the sun is a part of the load of the battery", APART),
    "load_ups": Exempt("the energy of a UPS lowers the reserve", APART),
    "grid_contact": Exempt("a contact limits the import", APART),
}
WITHOUT_SUN = tuple([each for each in DEVICES if each.role.name not in OF_BATTERY])


@pytest.mark.parametrize("seed", [0, *whole(1, 2)])
@pytest.mark.parametrize("devices", (WITHOUT_SUN, DEVICES), ids=("no PV", "PV"))
def test_outputs_of_kernel_and_battery_equal_those_without_site_devices(devices, seed):
    alone, beside = core_with(()), core_with(devices)
    end = beside.actuators_at if devices is WITHOUT_SUN else beside.chain_at
    walk, draw = Walk(alone, seed), random.Random(seed)
    first, named = len(alone.inp), beside.out_at["site_balance"]
    asked = set()
    for _ in range(TICKS):
        elapsed = walk.feed(alone)
        beside.inp[: len(walk.inp)] = alone.inp[: len(walk.inp)]
        beside.fresh[: alone.layout.groups] = alone.fresh
        disturb(beside, draw, first)
        alone.tick(elapsed)
        beside.tick(elapsed)
        # two words name signals of site devices that other measurements contradict
        alone.out[named : named + 2] = beside.out[named : named + 2]
        assert beside.out[:end] == alone.out[:end]
        assert devices is DEVICES or beside.setpoints() == alone.setpoints()
        asked |= {each.name for each in beside.actuators if each.value}
    assert len(asked) >= 2, "the devices were used"


def test_an_actuator_is_at_rest_when_its_device_has_been_silent_for_its_time():
    """3000 ms in ticks of 20 ms."""
    core = core_with(DEVICES)
    for _ in range(20):
        core.fresh[core.layout.groups :] = bytes([1]) * signals(DEVICES)
        core.tick(1)
    for each in core.actuators:
        each.state = array("i", [1, 10**9])
        each.chain.state[0] = 1
    core.fresh[core.layout.groups :] = bytes(signals(DEVICES))
    for tick in range(1, 151):
        core.tick(1)
        assert all(view.is_known == (tick < 150) for view in core.site.devices)
    assert [each.state[A_VALUE] for each in core.actuators] == [0] * len(core.actuators)
