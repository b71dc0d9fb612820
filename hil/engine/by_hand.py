"""The menu of faults on the live screen. A key starts an action of a scenario, or undoes it."""

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from controller.config.cabinet_config import Config
from hil.engine import coverage
from hil.scenarios.faults import Action
from hil.scenarios.scenario import Scenario

HELP, WHERE, END = "?", "w", "q"
Act = tuple[str, dict[str, Any]]  # name and arguments of a scenario's action


class Item(NamedTuple):
    """One line of the menu. undo: None for an action that cannot be undone."""

    key: str
    label: str
    do: Act
    undo: Act | None = None


def _fault(device: str, label: str, key: str, fault: str = "silent") -> Item:
    arguments = {"device": device, "fault": fault}
    begin, end = [("device_fault", {**arguments, "value": is_on}) for is_on in (True, False)]
    return Item(key, f"{label} {fault}", begin, end)


ITEMS = (
    Item("e", "emergency stop pressed", ("estop_press", {}), ("estop_release", {})),
    Item("f", "fire alarm", ("fire_alarm", {"on": True}), ("fire_alarm", {"on": False})),
    Item("g", "combustible gas, 15 % LFL", ("gas", {"lfl_pct": 15, "detector": None}),
         ("gas", {"lfl_pct": 0, "detector": None})),
    Item("d", "door open", ("door", {"open": True}), ("door", {"open": False})),
    Item("h", "rack 1 heated to 75 degC",
         ("heat", {"rack": 1, "module": None, "degC": 75, "rate_K_per_s": 2}),
         ("heat_end", {"rack": 1})),
    Item("c", "cooling of the cabinet failed", ("hvac_fail", {"on": True}),
         ("hvac_fail", {"on": False})),
    _fault("bms_1", "BMS of rack 1", "b"),
    _fault("pcs_1", "converter 1", "p"),
    _fault("meter_grid", "meter of the grid", "m"),
    _fault("io_1", "I/O module 1", "i"),
    _fault("pcs_1", "converter 1, which its serial number shows,", "n", "swapped"),
    Item("o", "grid lost for 30 s", ("outage", {"for_s": 30})),
    Item("k", "controller killed; again: started", ("controller_kill", {}),
         ("controller_start", {})),
    Item("t", "key switch off", ("key", {"run": False}), ("key", {"run": True})),
    Item("r", "reset from a console", ("reset", {"by": "remote"})),
    Item("x", "reset by the key", ("reset", {"by": "key"})),
    Item("s", "request to run", ("run_request", {"on": True})),
)  # fmt: skip


def fitting(config: Config) -> tuple[Item, ...]:
    """The items of the menu whose device this cabinet has."""
    items = []
    for item in ITEMS:
        action = Action(0, item.do[0], item.label, item.do[1])
        scenario = Scenario(
            name="menu",
            title="",
            duration_s=0.0,
            seed=0,
            soc_pct=0.0,
            load={},
            actions=(action,),
            expects=(),
        )
        with contextlib.suppress(coverage.NotSimulatedError):
            coverage.check_scenario(config, scenario)
            items.append(item)
    return tuple(items)


class Menu:
    """Turns pressed keys into messages, and sends them to the plant process by `send`.

    read(): the keys pressed since its last call. welcome: lines about the programs beside the rig.
    """

    def __init__(
        self,
        items: tuple[Item, ...],
        send: Callable[[dict], object],
        read: Callable[[], str],
        welcome: Sequence[str] = (),
    ) -> None:
        self._items, self._send, self._read = {item.key: item for item in items}, send, read
        self._active: list[str] = []
        self._welcome, self._page = list(welcome), ""

    def turn(self) -> dict[str, Any]:
        """Act on the pressed keys. The key END raises KeyboardInterrupt. Returns the menu's part of
        the view.
        """
        for key in self._read():
            self._press(key)
        active = "".join([f" {key}" for key in self._active])
        where = f"   {WHERE} addresses" if self._welcome else ""
        foot = f"{HELP} faults{where}{f'   by hand:{active}' if active else ''}"
        pages = {HELP: self._lines, WHERE: self._addresses}
        return {"by_hand": foot, "menu": pages[self._page]() if self._page else None}

    def _press(self, key: str) -> None:
        if key == END:
            raise KeyboardInterrupt
        is_page = key == HELP or (key == WHERE and self._welcome)
        self._page = key if is_page and key != self._page else ""
        item = self._items.get(key)
        if item is None:
            return
        is_active = key in self._active
        do, arguments = item.undo if is_active and item.undo else item.do
        detail = Action(0, do, do, arguments).detail()
        if item.undo:
            (self._active.remove if is_active else self._active.append)(key)
        # The note about the key goes first, because the action may cause events at the same time.
        self._send({"what": "mark", "name": do, "detail": detail})
        self._send({"what": "act", "do": do, "arguments": arguments})

    def _lines(self) -> list[str]:
        """The page of the menu."""
        lines = ["FAULTS  a key does it, the same key again undoes it", ""]
        for item in self._items.values():
            state = "  <- now" if item.key in self._active else ""
            lines.append(f"  {item.key}  {item.label}{'' if item.undo else ' (once)'}{state}")
        lines += ["", "  after a trip: undo its cause, t x t, then s"]
        return [*lines, f"  {HELP}  back to the screen    {END}  end the run, with its result"]

    def _addresses(self) -> list[str]:
        """The page of the programs beside the rig."""
        return ["BESIDE THE RIG", "", *self._welcome, "", f"  {WHERE}  back to the screen"]


@contextlib.contextmanager
def keyboard() -> Iterator[Callable[[], str] | None]:
    """Context that gives read(), which returns the keys pressed since the last call. The context
    gives None if this process has no terminal or is in the background.
    """
    is_terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    if not is_terminal or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        yield None
        return
    descriptor = sys.stdin.fileno()
    settings = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield lambda: _pressed(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, settings)


def _pressed(descriptor: int) -> str:
    """The keys in the terminal's buffer. A key that sends several bytes, such as an arrow, gives
    "".
    """
    if not select.select([descriptor], [], [], 0)[0]:
        return ""
    text = os.read(descriptor, 64).decode("ascii", "replace")
    return "" if text.startswith("\x1b") else text
