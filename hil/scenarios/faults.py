"""The actions of a scenario. The Clockwork applies each at its time to the simulated parts.

Devices have names (io_1 gas_1 ups pcs_1 bms_1 ...), wires the names of their buses. Numbers count
from 1.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from controller.core.base import hint_codes
from controller.forms.field import anything, choice, flag, integer, number, text
from hil.plant.cabinet import CONTACTS
from hil.scenarios.plant_actions import CABINET_ACTIONS, ON, RACK_ACTIONS
from hil.scenarios.site_actions import SITE_ACTIONS
from hil.scenarios.world import Arguments, World
from hil.wires.virtual import Noise

NEVER_US = 1 << 62
Mark = Callable[[int, str, str], object]  # (time_us, name, detail)
_FAULT = {"fault": text(), "value": anything(True)}
_PERMILLE = number(0, 1000, 0)
NOISE = ("garbage_permille", "flip_permille", "drop_permille", "forged_permille")


class Action(NamedTuple):
    """One action. label: its name on the timeline; by default the name of the action."""

    at_us: int
    do: str
    label: str
    arguments: dict

    def detail(self) -> str:
        """The arguments as one text."""
        return " ".join(f"{key}={value}" for key, value in self.arguments.items())


def _target(targets: dict[str, Any], kind: str, name: str) -> Any:
    if name not in targets:
        raise ValueError(f"no {kind} {name!r}; allowed: {', '.join(sorted(targets))}")
    # A pty wire has its faults in its VirtualSerial.
    return getattr(targets[name], "line", targets[name])


def _set_fault(targets: dict[str, Any], kind: str, name: str, fault: str, value: Any) -> None:
    """Set an attribute that exists. TOML has no sets and no integer keys: convert the value."""
    target = _target(targets, kind, name)
    if not hasattr(target, fault):
        raise ValueError(f"{kind} {name} has no fault {fault!r}")
    before = getattr(target, fault)
    if isinstance(before, bool) and not isinstance(value, bool):
        raise ValueError(f"{kind} {name}: {fault} = {value!r} must be true or false")
    if isinstance(before, set):
        value = set(value)
    elif isinstance(before, dict):
        value = {int(key) if key.isdigit() else key: part for key, part in value.items()}
    setattr(target, fault, value)


def _set_noise(world: World, a: Arguments) -> None:
    shares = {key: a.get(key, 0) for key in NOISE}
    noise = Noise(a["seed"], **shares) if any(shares.values()) else None
    _target(world.wires, "bus", a["bus"]).noise = noise


_HINT = {
    "source": text(),
    "kind": choice(tuple(hint_codes.KINDS.values())),
    "quantity": choice(("", *hint_codes.QUANTITIES.values(), *hint_codes.NOTICES.values()), ""),
    "value_W": integer(-(10**9), 10**9, 0),
    "valid_s": number(0.02, 300),
}


def _hint(world: World, a: Arguments) -> None:
    kind = _code(hint_codes.KINDS, a["kind"])
    quantity = _code({0: "", **hint_codes.QUANTITIES, **hint_codes.NOTICES}, a["quantity"])
    if not hint_codes.fits(kind, quantity):
        raise ValueError(f"a hint of kind {a['kind']!r} has no quantity {a['quantity']!r}")
    world.controller.hint(a["source"], kind, quantity, a["value_W"], round(a["valid_s"] * 1000))


_CONTACT = {"name": choice(CONTACTS)}


def _force(world: World, a: Arguments) -> None:
    world.plant.force_contact(a["name"], a.get("closed"))


def _code(names: dict[int, str], wanted: str) -> int:
    return next(code for code, name in names.items() if name == wanted)


# name: (form of its keys, function of (world, arguments))
ACTIONS = {
    **CABINET_ACTIONS,
    **RACK_ACTIONS,
    **SITE_ACTIONS,
    "contact": (_CONTACT | {"closed": flag()}, _force),
    "contact_repair": (_CONTACT, _force),
    "key": ({"run": flag()}, lambda world, a: setattr(world.plant, "key_run", a["run"])),
    "device_fault": (
        {"device": text()} | _FAULT,
        lambda world, a: _set_fault(world.devices, "device", a["device"], a["fault"], a["value"]),
    ),
    "wire_fault": (
        {"bus": text()} | _FAULT,
        lambda world, a: _set_fault(world.wires, "bus", a["bus"], a["fault"], a["value"]),
    ),
    "noise": (
        {"bus": text(), "seed": integer(0, 2**31 - 1, 1), **dict.fromkeys(NOISE, _PERMILLE)},
        _set_noise,
    ),
    "controller_kill": ({}, lambda world, a: world.controller.kill()),
    "controller_start": ({}, lambda world, a: world.controller.start()),
    "controller_stall": (
        {"duration_ms": integer(20, 5000)},
        lambda world, a: world.controller.stall(a["duration_ms"]),
    ),
    "store_spoil": ({}, lambda world, a: world.controller.spoil_store()),
    "store_other_image": ({}, lambda world, a: world.controller.store_other_image()),
    "reset": (
        {"by": choice(("remote", "key"), "remote")},
        lambda world, a: world.controller.reset(a["by"]),
    ),
    "run_request": (ON, lambda world, a: world.controller.run_request(a["on"])),
    "hint": (_HINT, _hint),
}
FORMS = {name: form for name, (form, _) in ACTIONS.items()}


class Clockwork:
    """Applies the actions of a scenario at their times. A call costs one comparison if none is
    due.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        world: World,
        mark: Mark = lambda at_us, label, detail: None,
    ) -> None:
        """actions: in order of time. mark(time_us, name, detail): called for each action with its
        label, and with its name if the label differs.
        """
        self._world, self._actions, self._mark = world, deque(actions), mark
        self._set_next()

    def _set_next(self) -> None:
        self.next_us = self._actions[0].at_us if self._actions else NEVER_US

    def apply(self, now_us: int) -> Sequence[Action]:
        """Apply the actions that are due. Returns them."""
        if now_us < self.next_us:
            return ()
        applied = []
        while self.next_us <= now_us:
            action = self._actions.popleft()
            # The note comes before the action, which may cause events at the same time.
            for name in dict.fromkeys((action.label, action.do)):
                self._mark(now_us, name, action.detail())
            ACTIONS[action.do][1](self._world, action.arguments)
            applied.append(action)
            self._set_next()
        return applied

    def upcoming(self) -> str | None:
        """The next action and its time, as a text for the screen; None if no action is left."""
        if not self._actions:
            return None
        return f"{self._actions[0].label} at {self.next_us / 1e6:g} s"
