"""A second channel in the rig of real processes: the site that has one; its line and its steps
beside the plant.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import termios
import tty
from array import array

from controller.sites import FOLDER as SITES
from hil.devices.channel_b import VirtualChannelB
from hil.wires.virtual import NEVER

NAME = "channel_b"
TYPE = "firebreak_645.toml"
NONE, FITTED = 'second_channel = "none"', 'second_channel = "fitted"'


def section(port):
    """Of a cabinet's file: where the second channel's plug is."""
    return f'[{NAME}]\nport = "{port}"\n'


def site(directory):
    """Part of an order: the example site with a second channel, a copy in this directory."""
    folder = pathlib.Path(directory, "sites")
    shutil.copytree(SITES, folder)
    path, cabinet = folder / "types" / TYPE, folder / "example" / "cabinet.toml"
    path.write_text(path.read_text(encoding="ascii").replace(NONE, FITTED), encoding="ascii")
    # the bench only has to know that there is one
    text = cabinet.read_text(encoding="ascii") + section("/dev/null")
    cabinet.write_text(text, encoding="ascii")
    return {"site": str(cabinet), "extends": str(cabinet.parent / "site.toml")}


class SecondChannel:
    """Channel B and its line to the controller: a pty in both directions at once, unlike the buses.
    `device`: what faults are done to.
    """

    next_us = NEVER

    def __init__(self, plant, image):
        """image: the limit image of channel A."""
        self.device = VirtualChannelB(plant, image)
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.slave_name = os.ttyname(self._slave)
        self._waiting = array("i", [0])

    def fileno(self):
        """The descriptor that becomes readable when the controller has sent something."""
        return self._master

    def service(self, now_us):
        """Read what the controller has sent; its length is asked first, see PtyWire."""
        fcntl.ioctl(self._master, termios.FIONREAD, self._waiting)
        if self._waiting[0]:
            self.device.receive(os.read(self._master, self._waiting[0]))

    def step(self, now_us):
        """Do all steps that are due, and send."""
        self.device.advance(now_us)
        data = self.device.take()
        if data:
            with contextlib.suppress(BlockingIOError):  # no reader: a UART would lose them too
                os.write(self._master, data)

    def close(self):
        """Close both sides."""
        os.close(self._master)
        os.close(self._slave)
