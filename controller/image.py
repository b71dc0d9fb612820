"""The process image: what drivers write between ticks, and what a tick freezes.

Drivers (and the shell, for the local signals) write into `inp` and set `fresh` bytes at any time between two ticks;
`freeze` copies both into the core's arrays at once, so nothing a tick looks at changes under it.
"""

from array import array

from safety import signals as s


class ProcessImage:
    """Live inputs and freshness bytes of one cabinet, indexed like safety.signals.Layout."""

    def __init__(self, layout):
        self.layout = layout
        self.inp = array("i", [0] * layout.inputs)
        self.fresh = bytearray(layout.groups)
        self._none = bytes(layout.groups)

    def freeze(self, inp, fresh):
        """Copy everything into `inp` and `fresh`, then forget what was fresh and the one-tick commands."""
        self.fresh[s.G_LOCAL] = 1
        inp[:] = self.inp
        fresh[:] = self.fresh
        self.fresh[:] = self._none
        self.inp[s.RESET_KIND] = 0
