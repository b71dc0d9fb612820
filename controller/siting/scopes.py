"""Where a rule holds: each function takes a Site and returns "" where it does, else the reason why
it does not.
"""

from controller.siting import fields as f

BELOW = "not over the threshold of B1"


def everywhere(site):
    """Every site."""
    return ""


def regulated(site):
    """Over the threshold, and not a dwelling, which has rules of its own."""
    if site.mode == f.DWELLING:
        return "a dwelling has rules of its own"
    return "" if site.total_kWh > site.threshold_kWh else BELOW


def _stationary(site):
    if site.mode == f.MOBILE and not site.counts_as_stationary:
        return "mobile, not deployed as stationary"
    return regulated(site)


def sized(site):
    """Stationary, where limits on size and spacing are aimed (row B10, which IFC 2018 does not
    have).
    """
    if site.edition != f.IFC_2018:
        if site.facts["dedicated_building"]:
            return "a dedicated building (B10)"
        if site.is_remote and site.mode in (f.STATIONARY, f.MOBILE):
            return "outdoors, no exposure within 30.5 m (B10)"
    return _stationary(site)


def sized_rooms(site):
    """As sized, with walls around."""
    return "no room" if site.place != f.INDOORS else sized(site)


def rooms(site):
    """Stationary and indoors."""
    return "no room" if site.place != f.INDOORS else _stationary(site)


def floors(site):
    """Stationary, indoors, on a roof or in an open garage."""
    is_floor = site.place == f.INDOORS or site.mode in (f.ROOFTOP, f.OPEN_GARAGE)
    return _stationary(site) if is_floor else "no floor of a building"


def floors_under_roof(site):
    """Stationary, indoors or in an open garage."""
    return "no room" if site.mode == f.ROOFTOP else floors(site)


def roofs(site):
    """On a roof."""
    return "no roof" if site.mode != f.ROOFTOP else regulated(site)


def garages(site):
    """In an open garage."""
    return "no open garage" if site.mode != f.OPEN_GARAGE else regulated(site)


def outdoors(site):
    """Outdoors in any mode."""
    return "" if site.place == f.OUTDOORS else "not outdoors"


def outdoor_units(site):
    """Stationary outdoors, on a roof and in an open garage too."""
    return "not outdoors" if site.place != f.OUTDOORS else _stationary(site)


def exposed_units(site):
    """Stationary outdoors; on a roof and in an open garage only where the edition has no distances
    of its own there.
    """
    if site.mode == f.OPEN_GARAGE or site.mode == f.ROOFTOP and site.edition != f.IFC_2018:
        return "a roof or garage has rules of its own"
    return outdoor_units(site)


def mobile(site):
    """Mobile storage."""
    return "" if site.mode == f.MOBILE else "not mobile"


def dwelling(site):
    """In or at a dwelling."""
    return "" if site.mode == f.DWELLING else "no dwelling"
