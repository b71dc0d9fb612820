"""What is asked of a box, in order: each check builds on the one before."""

from hil.campaigns.vm import failing, making, running

CHECKS = (
    ("Debian base", making.base),
    ("install --root", making.installed),
    ("install again", making.installed_twice),
    ("disk", making.disk),
    ("boot", running.boots),
    ("service starts", running.starts),
    ("CAN interface", running.can_interface),
    ("serial ports", running.port_names),
    ("rights", running.rights),
    ("exposure", running.exposure),
    ("rest of a new cabinet", running.rests),
    ("first start", running.closes),
    ("commands", running.commands),
    ("UTC source", running.wall_clock),
    ("hang", failing.hangs),
    ("ARMED latch after the hang", failing.latched),
    ("reset", failing.resets),
    ("power cut", failing.power_cut),
    ("ARMED latch after the cut", failing.latched),
    ("reset after the cut", failing.resets),
    ("controlled stop", failing.stops_clean),
    ("install on the box", running.installs_live),
    ("uninstall", running.uninstalls),
    ("invariants", running.invariants),
)
