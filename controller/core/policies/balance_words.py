"""Names and words of the signals that other measurements contradict (site_balance.py)."""

from collections.abc import Sequence

from controller.core.base import reasons
from controller.core.base.balance import SOURCE
from controller.core.base.words import Words

SIGNALS_MAX = 31  # bits of a published word
# (name, reason code) of GRID to FORMING in ../base/balance.py
CABINET = (
    ("meter_grid.power_W", reasons.GRID_METER_WRONG),
    ("meter_load.power_W", reasons.LOAD_METER_WRONG),
    ("pcs.power_W", reasons.BATTERY_POWER_WRONG),
    ("source_code", reasons.CONTACT_WRONG),
    ("pcs_forming", reasons.FORMING_WRONG),
)

TEXTS = reasons.texts("""
    CONTACT_WRONG | transfer switch contradicted | The contact says off the grid, but the grid meter
      shows power: the limits act. | Check the auxiliary contact of the transfer switch and its wire
      to I/O module 3.
    RUNNING_WRONG | engine report contradicted | What the generator set reports of its engine does
      not fit power, load and battery. | Look at the engine, then check the running signal of its
      controller: page Devices.
    GENSET_POWER_WRONG | generator power contradicted | The generator's power does not fit load,
      battery and PV: it is not used. | Check current transformers and scale of the generator
      controller: page Devices.
    PV_POWER_WRONG | PV power contradicted | The PV inverter's power does not fit its rating or the
      other powers: it is not used. | Check scale, sign and meter of the PV inverter: page Devices.
    LOAD_METER_WRONG | load meter contradicted | The load meter does not fit the powers of the
      sources that carry the island. | Check current transformers, scale and direction of the load
      meter.
    GRID_METER_WRONG | grid meter contradicted | The site is off the grid and its sources carry the
      load, but the grid meter shows power. | Check the grid meter and its current transformers.
    FORMING_WRONG | forming report contradicted | A converter reports that it forms the voltage, but
      the bus has none. | Check the converter: its breaker, its alarms, its mode.
    BATTERY_POWER_WRONG | battery power contradicted | The converters' power does not fit the load
      and the other sources. | Check the power that each converter reports: page Racks and links.
    POWERS_DOUBTFUL | powers do not add up | Grid, PV, generator, battery and load do not add up.
      Which one is wrong stays open. | Compare the reported powers with the devices' own displays.
""")


class Lasting(Words):
    """A signal that is contradicted, or doubtful."""

    ms: int  # for which it has been; while it counts: until it no longer does
    counts: int


def signals(sets: Sequence[str], suns: Sequence[str]) -> list[tuple[str, int]]:
    """(name, reason code) of each signal, by its number in balance.py. sets, suns: names."""
    found = [*CABINET]
    for name in sets:
        found.append((f"{name}.power_W", reasons.GENSET_POWER_WRONG))
        found.append((f"{name}.is_running", reasons.RUNNING_WRONG))
    found += [(f"{name}.power_W", reasons.PV_POWER_WRONG) for name in suns]
    return found[:SIGNALS_MAX]


def contradicted(
    known: Sequence[tuple[str, int]], wrong: int, doubtful: int
) -> list[tuple[str, int]]:
    """(name, reason code) of each wrong signal, then of the doubtful. known: of `signals`."""
    found = [signal for number, signal in enumerate(known) if wrong >> number & 1]
    for number, (name, code) in enumerate(known):
        if doubtful & ~wrong & 1 << number:
            found.append((name, code if number == SOURCE else reasons.POWERS_DOUBTFUL))
    return found
