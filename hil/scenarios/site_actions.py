"""A scenario's actions on the site, in the same form as those of plant_actions.py.

If a site has several cabinets, the actions reach it through the first cabinet.
"""

from controller.forms.field import choice, flag, integer, number
from hil.scenarios.world import Arguments, World
from hil.site.transfer_switch import TransferSwitch

DAY_S = 86_400
STEP_S = 0.02
STARTS = {"always": 0, "second": 1, "never": 1000}  # number of first tries that fail
# action: part without which the site cannot take the action
NEEDS = {"genset_start": "genset", "transfer_switch_stuck": TransferSwitch.kind}
_TIMES = {key: number(0, 3600, None) for key in ("open_s", "call_s", "return_s")}


def _now_s(world: World) -> float:
    return world.plant.site.now_us / 1e6


def _genset(world: World, a: Arguments) -> None:
    for genset in world.plant.site.gensets:
        genset.parameters["failed_starts"] = STARTS[a["succeeds"]]


def _switch(world: World) -> TransferSwitch:
    """The transfer switch of the site. A site without one gets a new one."""
    site = world.plant.site
    return site.switch or site.part(TransferSwitch.kind, {})  # type: ignore[return-value]


def _transfer_switch(world: World, a: Arguments) -> None:
    times_s = {key: a[key] for key in _TIMES if a[key] is not None}
    _switch(world).parameters.update(times_s)
    for unit in world.plant.pcs:
        unit.can_form = a["forming"]


SITE_ACTIONS = {
    "outage": (
        {"for_s": number(STEP_S, DAY_S)},
        lambda world, a: world.plant.site.grid.cut(_now_s(world), a["for_s"]),
    ),
    "dip": (
        {
            "for_s": number(STEP_S, DAY_S),
            "left_permille": integer(0, 1000, 1000),
            "fall_Hz": number(-5, 5, 0),
        },
        lambda world, a: world.plant.site.grid.dip(
            _now_s(world), a["for_s"], a["left_permille"], a["fall_Hz"]
        ),
    ),
    "genset_start": ({"succeeds": choice(STARTS)}, _genset),
    "transfer_switch": ({"forming": flag(True)} | _TIMES, _transfer_switch),
    "transfer_switch_stuck": (
        {"on": flag(True)},
        lambda world, a: setattr(_switch(world), "is_stuck", a["on"]),
    ),
}
