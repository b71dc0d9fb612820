"""Contacts of the grid operator, such as 60, 30 and 0 %: a cap of import and export by wire.

A ripple-control receiver closes a contact while its stage holds. Each closed one leaves a part of
the connection's limits, and the smallest part counts. It is an obligation of the battery, as the
connection itself is: no hint and no schedule exceeds it, and the battery gives before a load is
shed. The naive way opens the cap when the input module is silent, or closes the site by a broken
wire. Here a contact keeps its last state while its module is silent. Before the first reply it
counts as closed.
"""

from typing import Any

from controller.core.base import reasons
from controller.core.base.answers import Obligation, grid_obligation
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup

RANK = (45, "grid_contact")  # above the limits of the connection
WHOLE = 1000
CONTACTS = ("contact_1", "contact_2", "contact_3")
CONTACT_IMPORT, CONTACT_EXPORT = 324, 325  # reason codes
_TEXTS = """
    CONTACT_IMPORT | grid operator's contact, import | A contact of the grid operator is closed: the
      connection may import only a part of its limit. | Nothing: it ends when the operator opens the
      contact. Page Devices shows the contacts.
    CONTACT_EXPORT | grid operator's contact, export | A contact of the grid operator is closed: the
      connection may export only a part of its limit. | Nothing: it ends when the operator opens the
      contact. Page Devices shows the contacts.
"""


class Contacts(Words):
    """The contacts of one device. closed: a bit for each one."""

    is_heard: int
    closed: int


class GridContact(Function):
    """The obligation of the closed contacts."""

    NAME, STAGE = "grid_contact", BOUND
    ROLES = ("grid_contact",)
    READS = ("connection_W",)
    TEXTS = reasons.texts(_TEXTS, CONTACT_IMPORT=CONTACT_IMPORT, CONTACT_EXPORT=CONTACT_EXPORT)

    def __init__(self, setup: Setup):
        self._devices = [device for device, _ in setup.actuators(self.ROLES)]
        self._settings = setup.settings
        self.more = self.contacts = [Contacts.zero() for _ in self._devices]

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """The obligation while a contact is closed and the import is known."""
        self._read()
        if found.connection_W is None:
            return ()
        maxima_W = self._most_W("import"), self._most_W("export")
        if maxima_W == (self._settings["grid_import_W_max"], self._settings["grid_export_W_max"]):
            return ()
        imported, exported = zip(maxima_W, (CONTACT_IMPORT, CONTACT_EXPORT))
        quantum_W = self._settings["setpoint_quantum_W"]
        return (grid_obligation(RANK, found.connection_W, imported, exported, quantum_W),)

    def hold(self, known: Known, found: Found, elapsed_ticks: int) -> None:
        """Go on reading off the grid, for the way back."""
        self._read()

    def _read(self) -> None:
        """Take each contact that its device reports now."""
        for contacts, device in zip(self.contacts, self._devices):
            values = [device.value(name) for name in CONTACTS]
            if not contacts.is_heard:
                contacts.closed = sum([bool(device.bits[n]) << at for at, n in enumerate(CONTACTS)])
            for at, value in enumerate(values):
                if value is not None:
                    contacts.is_heard = 1
                    contacts.closed = contacts.closed & ~(1 << at) | value << at

    def _most_W(self, direction: str) -> int:
        """The part of a limit of the connection that the closed contacts leave."""
        parts = [
            device.settings[f"{name}_{direction}_permille"]
            for contacts, device in zip(self.contacts, self._devices)
            for at, name in enumerate(CONTACTS)
            if contacts.closed >> at & 1
        ]
        return self._settings[f"grid_{direction}_W_max"] * min([WHOLE, *parts]) // WHOLE

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: the limits that are left."""
        return {
            "kind": "contact",
            "import_W_max": self._most_W("import"),
            "export_W_max": self._most_W("export"),
        }
