"""What a scenario can do to the cabinet at a given time, and the clockwork that does it.

An action acts on a World: the plant, the devices by name (io_1 io_2 gas_1 gas_2 meter_grid meter_load pcs_1 bms_1 ...),
the wires by bus name (can0 pcs meter io gas), and the controller's process. Rack and module numbers count from 1.
"""

from typing import NamedTuple

from controller import hint_codes
from hil.plant.cabinet import CONTACTS
from hil.wires import Noise

BOOL, INTEGER, NUMBER, TEXT, ANY = "true or false", "a whole number", "a number", "a text", "a value"
NEVER_US = 1 << 62


class Field(NamedTuple):
    """One key of a table: what kind of value, its range or choices, and its default (REQUIRED = none)."""

    kind: str
    default: object
    low: float = None
    high: float = None
    choices: tuple = ()


REQUIRED = object()
_ON = {"on": Field(BOOL, True)}
_RACK = {"rack": Field(INTEGER, REQUIRED, 1, 16)}
_FAULT = {"fault": Field(TEXT, REQUIRED), "value": Field(ANY, True)}
_PERMILLE = Field(NUMBER, 0, 0, 1000)


class World(NamedTuple):
    """Everything an action may touch.

    controller has kill(), start(), reset(kind), run_request(on) and, in virtual time, hint(...).
    """

    plant: object
    devices: dict
    wires: dict
    controller: object


def _named(things, kind, name):
    if name not in things:
        raise ValueError(f"no {kind} {name!r}, there are {', '.join(sorted(things))}")
    # A pty wire paces its bytes with a VirtualSerial of its own, which is where the faults are.
    return getattr(things[name], "line", things[name])


def _set_fault(things, kind, name, fault, value):
    """Set an existing attribute to a value of its own type (TOML has no sets, and keys of tables are texts)."""
    thing = _named(things, kind, name)
    if not hasattr(thing, fault):
        raise ValueError(f"{kind} {name} has no fault {fault!r}")
    before = getattr(thing, fault)
    if isinstance(before, bool) and not isinstance(value, bool):
        raise ValueError(f"{kind} {name}: {fault} = {value!r} must be true or false")
    if isinstance(before, set):
        value = set(value)
    elif isinstance(before, dict):
        value = {int(key) if key.isdigit() else key: part for key, part in value.items()}
    setattr(thing, fault, value)


def _set_noise(world, a):
    share = {key: a[key] for key in ("garbage_permille", "flip_permille", "drop_permille")}
    _named(world.wires, "bus", a["bus"]).noise = Noise(a["seed"], **share) if any(share.values()) else None


def _heat(world, a):
    rack = a["rack"] - 1
    modules = range(len(world.plant.racks[rack].temperatures_degC)) if a["module"] is None else (a["module"] - 1,)
    for module in modules:
        world.plant.heat(rack, module, a["degC"], a["rate_K_per_s"])


_HINT = {"source": Field(TEXT, REQUIRED), "kind": Field(TEXT, REQUIRED, choices=tuple(hint_codes.KINDS.values())),
         "quantity": Field(TEXT, "", choices=("", *hint_codes.QUANTITIES.values())),
         "value_W": Field(INTEGER, 0, -10**9, 10**9), "valid_s": Field(NUMBER, REQUIRED, 0.02, 300)}


def _hint(world, a):
    kind, quantity = _code(hint_codes.KINDS, a["kind"]), _code({0: "", **hint_codes.QUANTITIES}, a["quantity"])
    if hint_codes.KIND_OF[quantity] != kind:
        raise ValueError(f"a hint of kind {a['kind']!r} has no quantity {a['quantity']!r}")
    world.controller.hint(a["source"], kind, quantity, a["value_W"], round(a["valid_s"] * 1000))


def _code(names, wanted):
    return next(code for code, name in names.items() if name == wanted)


# name: (its keys, function of (world, arguments))
ACTIONS = {
    "estop_press": ({}, lambda world, a: world.plant.press_estop()),
    "estop_release": ({}, lambda world, a: world.plant.release_estop()),
    "bridge_chain": (_ON, lambda world, a: world.plant.bridge_chain(a["on"])),
    "fire_alarm": (_ON, lambda world, a: world.plant.set_fire(a["on"])),
    "suppression": (_ON, lambda world, a: world.plant.set_suppression(a["on"])),
    "airflow_fail": (_ON, lambda world, a: world.plant.set_airflow_fail(a["on"])),
    "gas": ({"lfl_pct": Field(NUMBER, REQUIRED, 0, 100), "detector": Field(INTEGER, None, 1, 2)},
            lambda world, a: world.plant.set_gas(a["lfl_pct"], a["detector"] and a["detector"] - 1)),
    "contact": ({"name": Field(TEXT, REQUIRED, choices=CONTACTS), "closed": Field(BOOL, REQUIRED)},
                lambda world, a: world.plant.force_contact(a["name"], a["closed"])),
    "contact_repair": ({"name": Field(TEXT, REQUIRED, choices=CONTACTS)},
                       lambda world, a: world.plant.force_contact(a["name"], None)),
    "key": ({"run": Field(BOOL, REQUIRED)}, lambda world, a: setattr(world.plant, "key_run", a["run"])),
    "heat": (_RACK | {"module": Field(INTEGER, None, 1, 64), "degC": Field(NUMBER, REQUIRED, -40, 200),
                      "rate_K_per_s": Field(NUMBER, 0, 0, 100)}, _heat),
    "cell_offset": (_RACK | {"offset_mV": Field(NUMBER, REQUIRED, -3000, 3000)},
                    lambda world, a: world.plant.set_cell_offset(a["rack"] - 1, a["offset_mV"] / 1000.0)),
    "weld": (_RACK | _ON, lambda world, a: world.plant.weld_contactor(a["rack"] - 1, a["on"])),
    "device_fault": ({"device": Field(TEXT, REQUIRED)} | _FAULT,
                     lambda world, a: _set_fault(world.devices, "device", a["device"], a["fault"], a["value"])),
    "wire_fault": ({"bus": Field(TEXT, REQUIRED)} | _FAULT,
                   lambda world, a: _set_fault(world.wires, "bus", a["bus"], a["fault"], a["value"])),
    "noise": ({"bus": Field(TEXT, REQUIRED), "seed": Field(INTEGER, 1, 0, 2**31 - 1), "garbage_permille": _PERMILLE,
               "flip_permille": _PERMILLE, "drop_permille": _PERMILLE}, _set_noise),
    "controller_kill": ({}, lambda world, a: world.controller.kill()),
    "controller_start": ({}, lambda world, a: world.controller.start()),
    "reset": ({"by": Field(TEXT, "remote", choices=("remote", "key"))},
              lambda world, a: world.controller.reset(a["by"])),
    "run_request": (_ON, lambda world, a: world.controller.run_request(a["on"])),
    "hint": (_HINT, _hint),
}


class Clockwork:
    """Applies a scenario's actions at their times. Cheap to ask: one comparison while nothing is due."""

    __slots__ = ("next_us", "_world", "_actions", "_place", "_mark")

    def __init__(self, actions, world, mark=None):
        """actions: scenario.Action in order of time; mark(time_us, name, detail) tells the observer the
        label and, if that is another, the action's own name."""
        self._world = world
        self._actions = actions
        self._mark = mark or (lambda time_us, label, detail: None)
        self._place = 0
        self.next_us = actions[0].at_us if actions else NEVER_US

    def apply(self, now_us):
        """Do what is due; returns the actions done (an empty tuple nearly always)."""
        if now_us < self.next_us:
            return ()
        done = []
        while self._place < len(self._actions) and self._actions[self._place].at_us <= now_us:
            action = self._actions[self._place]
            # The mark comes first: what the action causes at the same instant must not seem to come before it.
            for name in dict.fromkeys((action.label, action.do)):
                self._mark(now_us, name, action.detail())
            ACTIONS[action.do][1](self._world, action.arguments)
            self._place += 1
            done.append(action)
        self.next_us = self._actions[self._place].at_us if self._place < len(self._actions) else NEVER_US
        return done

    def upcoming(self):
        """Words for the screen: the next action and when, None when all is done."""
        if self._place == len(self._actions):
            return None
        action = self._actions[self._place]
        return f"{action.label} at {action.at_us / 1e6:g} s"
