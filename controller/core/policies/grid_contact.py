"""Contacts of the grid operator, such as 60, 30 and 0 %: a cap of import and export by wire.

A ripple-control receiver closes a contact while its stage holds. Each closed contact leaves a part
of the connection's limits, and the smallest part counts. This cap is an obligation of the battery,
so no hint and no schedule exceeds it. The battery gives power before a load is shed, and takes
power before PV is curtailed. The naive way opens the cap when the input module is silent, or closes
the site by a broken wire. Here a contact keeps its last state while its module is silent. Before
the first reply it counts as closed.
"""

from array import array
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
    CONTACT_IMPORT | operator's contact, import | A contact of the grid operator is closed: the
      connection may import only a part of its limit. | Nothing: it ends when the operator opens the
      contact. Page Devices shows the contacts.
    CONTACT_EXPORT | operator's contact, export | A contact of the grid operator is closed: the
      connection may export only a part of its limit. | Nothing: it ends when the operator opens the
      contact. Page Devices shows the contacts.
"""


# Words of `out`: a bit for each contact that is reported closed, and the limits that are left, W.
OUTPUTS = ("contacts_closed", "contacts_import_W_max", "contacts_export_W_max")


class Contacts(Words):
    """The contacts of one device. heard, closed: a bit for each contact."""

    heard: int
    closed: int


def words(closed: int, import_W: int, export_W: int) -> str:
    """The words of `out` as a line of text."""
    names = [name for bit, name in enumerate(CONTACTS) if closed >> bit & 1]
    left = f"import at most {import_W} W, export at most {export_W} W"
    return f"grid operator's contacts closed: {', '.join(names) or 'none'}; {left}"


class GridContact(Function):
    """The obligation of the closed contacts."""

    NAME, STAGE = "grid_contact", BOUND
    ROLES = ("grid_contact",)
    READS, WRITES = ("connection_W",), ("export_less_W",)
    OUTPUTS = OUTPUTS
    TEXTS = reasons.texts(_TEXTS, CONTACT_IMPORT=CONTACT_IMPORT, CONTACT_EXPORT=CONTACT_EXPORT)

    def __init__(self, setup: Setup):
        self._devices = [device for device, _ in setup.actuators(self.ROLES)]
        names = ("grid_import_W_max", "grid_export_W_max")
        self._whole_W = array("i", [setup.settings[name] for name in names])
        self._quantum_W = setup.settings["setpoint_quantum_W"]
        self.more = self.contacts = [Contacts.zero() for _ in self._devices]
        for contacts, device in zip(self.contacts, self._devices):
            has_contact = [device.bits[name] != 0 for name in CONTACTS]
            contacts.closed = sum([is_one << bit for bit, is_one in enumerate(has_contact)])
        self.out = array("i", [0, *self._whole_W])
        self._publish()

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[Obligation, ...]:
        """The obligation while a contact is closed and the import is known."""
        self._read(findings)
        most_W = self.out[1:]
        if findings.connection_W is None or most_W == self._whole_W:
            return ()
        imported, exported = zip(most_W, (CONTACT_IMPORT, CONTACT_EXPORT))
        return (grid_obligation(RANK, findings.connection_W, imported, exported, self._quantum_W),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Go on reading off the grid, for the way back."""
        self._read(findings)

    def _read(self, findings: Found) -> None:
        """Take each contact that its device reports now."""
        is_new = False
        for contacts, device in zip(self.contacts, self._devices):
            heard, closed = contacts
            for bit, name in enumerate(CONTACTS):
                value = device.value(name)
                if value is not None:
                    heard |= 1 << bit
                    closed = closed | 1 << bit if value else closed & ~(1 << bit)
            if contacts.heard != heard or contacts.closed != closed:
                contacts.heard, contacts.closed, is_new = heard, closed, True
        if is_new:
            self._publish()
        findings.export_less_W = self._whole_W[1] - self.out[2]

    def _publish(self) -> None:
        """Write what is reported closed, and what is left of the connection's limits."""
        reported = 0
        for contacts in self.contacts:
            reported |= contacts.closed & contacts.heard
        most_W = [self._most_W(*way) for way in zip(("import", "export"), self._whole_W)]
        self.out[:] = array("i", [reported, *most_W])

    def _most_W(self, direction: str, whole_W: int) -> int:
        """The part of a limit of the connection that the closed contacts leave."""
        parts = [
            device.settings[f"{name}_{direction}_permille"]
            for contacts, device in zip(self.contacts, self._devices)
            for bit, name in enumerate(CONTACTS)
            if contacts.closed >> bit & 1
        ]
        return whole_W * min([WHOLE, *parts]) // WHOLE

    def numbers(self, code: int) -> dict[str, Any]:
        """Numbers behind the reason: the limits that are left."""
        _, import_W_max, export_W_max = self.out
        return {"kind": "contact", "import_W_max": import_W_max, "export_W_max": export_W_max}
