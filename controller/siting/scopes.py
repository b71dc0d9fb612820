"""Lists the scopes of the rules. A scope has reasons that exclude a site; the first one counts."""

from collections.abc import Callable
from typing import NamedTuple

from controller.siting import fields as f
from controller.siting.site import Site

BELOW = "not over the threshold of B1"
Exclusion = tuple[str, Callable[[Site], bool | None]]  # (reason, function: True if excluded)
Exclusions = tuple[Exclusion, ...]


class Scope(NamedTuple):
    """The set of sites for which a rule holds. local: the local profile of its rules, or ""."""

    text: str
    exclusions: Exclusions
    local: str = ""

    def reason(self, site: Site) -> str:
        """The reason why the rule does not hold on a site; "" if it holds."""
        return next((reason for reason, excludes in self.exclusions if excludes(site)), "")


def _is_deck(site: Site) -> bool:
    return site.mode in (f.ROOFTOP, f.OPEN_GARAGE)


def _is_newer(site: Site) -> bool:
    return site.edition != f.IFC_2018


def _is_only_mobile(site: Site) -> bool:
    """True for mobile storage that rows B29 and B30 do not make stationary.

    IFC 2018 has no rules for mobile storage, so there it counts as stationary.
    """
    return site.mode == f.MOBILE and not (
        (site.facts["deployed_days"] or 0) > f.MOBILE_d
        or site.facts["charging_location"]
        or site.edition == f.IFC_2018
    )


_REGULATED: Exclusions = (
    ("a dwelling has other rules", lambda site: site.mode == f.DWELLING),
    (BELOW, lambda site: site.total_kWh <= site.threshold_kWh),
)
_STATIONARY: Exclusions = (("mobile, not deployed as stationary", _is_only_mobile), *_REGULATED)
_SIZED: Exclusions = (
    (
        "a dedicated building (B10)",
        lambda site: _is_newer(site) and site.facts["dedicated_building"],
    ),
    (
        "outdoors, no exposure within 30.5 m (B10)",
        lambda site: _is_newer(site) and site.is_remote and site.mode in f.OPEN_AIR,
    ),
    *_STATIONARY,
)
_NO_ROOM: Exclusion = ("no room", lambda site: site.place != f.INDOORS)
_FLOORS: Exclusions = (
    ("no floor of a building", lambda site: site.place != f.INDOORS and not _is_deck(site)),
    *_STATIONARY,
)
_NOT_OUTDOORS: Exclusion = ("not outdoors", lambda site: site.place != f.OUTDOORS)

EVERYWHERE = Scope("Every site", ())
REGULATED = Scope("Over the threshold; not dwellings, which have other rules", _REGULATED)
SIZED = Scope(
    "Stationary, with limits on size and spacing (except by row B10, which IFC 2018 does not have)",
    _SIZED,
)
SIZED_ROOMS = Scope("As sized, with walls around", (_NO_ROOM, *_SIZED))
ROOMS = Scope("Stationary and indoors", (_NO_ROOM, *_STATIONARY))
FLOORS = Scope("Stationary, indoors, on a roof or in an open garage", _FLOORS)
FLOORS_UNDER_ROOF = Scope(
    "Stationary, indoors or in an open garage",
    (("no room", lambda site: site.mode == f.ROOFTOP), *_FLOORS),
)
ROOFS = Scope("On a roof", (("no roof", lambda site: site.mode != f.ROOFTOP), *_REGULATED))
GARAGES = Scope(
    "In an open garage", (("no open garage", lambda site: site.mode != f.OPEN_GARAGE), *_REGULATED)
)
OUTDOORS = Scope("Outdoors in any mode", (_NOT_OUTDOORS,))
OUTDOOR_UNITS = Scope(
    "Stationary outdoors, on a roof and in an open garage too", (_NOT_OUTDOORS, *_STATIONARY)
)
EXPOSED_UNITS = Scope(
    "Stationary outdoors; on a roof and in an open garage only if the edition has no own distances "
    "for them",
    (
        ("a roof or garage has other rules", lambda site: _is_deck(site) and _is_newer(site)),
        *OUTDOOR_UNITS.exclusions,
    ),
)
MOBILE = Scope("Mobile storage", (("not mobile", lambda site: site.mode != f.MOBILE),))
DWELLING = Scope("In or at a dwelling", (("no dwelling", lambda site: site.mode != f.DWELLING),))
