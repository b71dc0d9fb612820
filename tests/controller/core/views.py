"""Setups, and what a tick knows and has found, for the tests of control functions."""

from array import array

from controller.core import parameters
from controller.core.base import hint_sources
from controller.core.base.answers import Limit
from controller.core.policies import contract
from controller.core.policies.found import Found
from controller.core.policies.known import Known
from controller.core.site_devices import layout, roles
from controller.core.site_devices.layout import SiteDevice
from controller.core.site_devices.signals_view import Site

RATED_W = 250_000


def device(role="pv", number=1, **settings):
    """A site device that reports every signal, with the lowest number where there is no default."""
    record = roles.ROLES[role]
    known = {}
    for name, _, low, _, default, _ in record.parameters:
        known[name] = low if default is None else known.get(default, default)
        known[name] = settings.get(name, known[name])
    assert settings.keys() <= known.keys()
    return SiteDevice(record, number, (1 << len(record.signals)) - 1, known)


# One of each role. The generator starts at a charge at which the battery still has a use.
CHOSEN = {"pv": {"rated_W": 1000}, "genset": {"start_soc_permille": 600, "stop_soc_permille": 700}}
CHOSEN["grid_contact"] = {"contact_1_import_permille": 900}
DEVICES = tuple([device(name, **CHOSEN.get(name, {})) for name in roles.ROLES])


def site_of(devices, tick_ms=20):
    """The Site of devices that are ready and whose other words are all 0."""
    words = [name.endswith(".is_ready_ok") for each in devices for name in layout.words(each)]
    return Site(tuple(devices), array("i", words), 0, tick_ms)


def setup(tick_ms=20, rated_W=RATED_W, known=(), site=None, **settings):
    """contract.Setup of the defaults except `settings`; known: sources of hints."""
    names = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
    assert settings.keys() <= names.keys()
    return contract.Setup(names | settings, tick_ms, rated_W, hint_sources.image(known), site)


KNOWN = Known()._asdict()
WIDE = Limit(RATED_W, 212, RATED_W, 213)


class Tick(Found):
    """Known and Found in one record, for a function that is tested alone: it takes it twice."""

    def __init__(self, **fields):
        super().__init__()
        vars(self).update(KNOWN)
        assert fields.keys() <= vars(self).keys(), fields.keys() - vars(self).keys()
        vars(self).update(fields)


def both(**fields):
    return (Tick(**fields),) * 2
