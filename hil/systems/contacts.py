"""The import that the contacts of the grid operator leave, beside the import of a run."""

import numpy as np

from controller.core.policies.grid_contact import GridContact
from hil.systems.spec import Spec

# Part of the cap. A billing meter of class 0.2 S (IEC 62053-22) cannot see a smaller excess.
CAP_ERROR = 0.002
# A contact is read once a second and counts after 2 s. The meter and the converters need the rest.
REACTS_S = 5


def caps_W(spec: Spec, count: int) -> np.ndarray:
    """Import of each second of a run that is surely above the contacts; inf while all are open."""
    caps_W = np.full(count, np.inf)
    devices = [
        device for device in spec.size.devices.values() if device["role"] == GridContact.NAME
    ]
    for name, closings in (spec.site.get(GridContact.NAME) or {}).items():
        parts = [device.get(f"{name}_import_permille", 1000) for device in devices]
        most_W = spec.size.import_W * min([1000, *parts]) / 1000 * (1 + CAP_ERROR)
        for at_s, for_s in closings:
            closed = slice(round(at_s) + REACTS_S, round(at_s + for_s))
            caps_W[closed] = np.minimum(caps_W[closed], most_W)
    return caps_W


def closes(caps_W: np.ndarray) -> bool:
    """True if a contact closes in a run with these caps."""
    return bool(np.isfinite(caps_W).any())


def broken(spec: Spec, grid_W: np.ndarray, begin_s: int = 0) -> list[str]:
    """[sentence] if the import was above a contact's cap. begin_s: first second of grid_W."""
    over_W = grid_W - caps_W(spec, begin_s + len(grid_W))[begin_s:]
    is_over = over_W > 0
    if not is_over.any():
        return []
    most_kW = float(over_W[is_over].max()) / 1000
    return [f"import above the contact's cap in {is_over.sum()} s, by {most_kW:.3g} kW"]
