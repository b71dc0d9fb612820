"""A site with stand-ins for its cabinets."""

from array import array
from dataclasses import replace
from types import SimpleNamespace

from hil.site.site import Site


class Unit:
    """A converter that keeps its power, and forms an island if `forms` is set."""

    def __init__(self, power_W=0.0, rated_W=250_000.0, forms=False):
        self.ac_power_W, self.rated_W, self.forms = power_W, rated_W, forms

    def carry(self, power_W):
        if power_W is not None:
            self.ac_power_W = max(-self.rated_W, min(self.rated_W, power_W))
        return self.ac_power_W


def cabinet(*units, drawn_W=0.0):
    seen = []
    return SimpleNamespace(
        pcs=list(units), drawn_W=drawn_W, advance=lambda *_: None, supply=seen.append, seen=seen
    )


def controlled(config, **control):
    """The settings with other values of their control functions."""
    control = config.control | control
    return replace(config, control=control, control_image=array("i", control.values()))


def site(load_W=100_000.0, members=(), **more):
    one = Site(load_W if callable(load_W) else lambda t_s: load_W, 1, **more)
    for member in members:
        one.join(member)
    return one
