"""Names the simulating class for each role of site devices that the rig knows."""

from hil.site.air_devices import Fan, Heater
from hil.site.branches import BranchMeter, LoadCap, LoadShed
from hil.site.cooling import Chiller
from hil.site.genset import Genset
from hil.site.grid_contact import GridContact
from hil.site.load_ups import LoadUps
from hil.site.part import SitePart
from hil.site.pv import Pv
from hil.site.transfer_switch import TransferSwitch

PARTS: dict[str, type[SitePart]] = {
    part.kind: part
    for part in (
        Pv,
        Genset,
        LoadShed,
        LoadCap,
        Chiller,
        BranchMeter,
        TransferSwitch,
        LoadUps,
        Fan,
        Heater,
        GridContact,
    )
}
FEEDING = tuple([kind for kind, part in PARTS.items() if part.FEEDS])
GIVING_WAY = tuple([kind for kind in FEEDING if PARTS[kind].GIVES_WAY])
ENGINES = tuple([kind for kind in FEEDING if kind not in GIVING_WAY])
