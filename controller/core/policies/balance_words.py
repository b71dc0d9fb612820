"""Names, texts and state of site_balance.py: signals that other measurements may contradict."""

from collections.abc import Sequence

from controller.core.base import reasons
from controller.core.base.balance import SOURCE, Source
from controller.core.base.words import Words
from controller.core.site_devices.signals_view import DeviceView

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
      sources: it is not used. | Check current transformers, scale and direction of the load meter.
    GRID_METER_WRONG | grid meter contradicted | The grid meter does not fit the load and the powers
      of the sources: it is not used. | Check the grid meter: its current transformers, and whether
      its range is as large as the connection.
    FORMING_WRONG | forming report contradicted | A converter reports that it forms the voltage, but
      the bus has none. | Check the converter: its breaker, its alarms, its mode.
    BATTERY_POWER_WRONG | battery power contradicted | The converters' power does not fit the load
      and the other sources. | Check the power that each converter reports: page Racks and links.
    POWERS_DOUBTFUL | powers do not add up | Grid, PV, generator, battery and load do not add up.
      Which one is wrong stays open. | Compare the reported powers with the devices' own displays.
""")


class State(Words):
    """The balance of the site. Powers are in W, except `others` and `unrest`."""

    wrong: int  # a bit for each signal
    doubtful: int
    passed_ms: int  # since the last check
    others: int  # draw that no meter sees, W << 16
    unrest: int  # mean distance of the rest from `others`, W << 16
    is_learnt: int  # `others` is known
    is_formed: int  # a converter has shown that it forms the voltage
    is_carried: int  # sets carry the load
    load_W: int  # load meter at its last move
    calm_ms: int  # time since that move
    grid_W: int  # grid meter at its last change
    grid_ms: int  # time since that change
    quiet_ms: int  # time since the grid meter last showed power
    is_timer_running: int  # of any signal


class Timer(Words):
    """How long a signal has been contradicted, or doubtful."""

    ms: int  # before it is effective: how long it has lasted; then: time until it ends
    is_effective: int


class Engine(Words):
    """The engine of one generator set."""

    is_heard: int
    runs: int  # its last report
    asked_ms: int  # time for which the set has been asked to run
    warm_ms: int  # time for which it has run as asked without power; 0: it is not warming up


def signals(sets: Sequence[DeviceView], inverters: Sequence[DeviceView]) -> list[tuple[str, int]]:
    """(name, reason code) of each signal, by its number in balance.py."""
    rows = [*CABINET]
    for view in sets:
        rows.append((f"{view.device.name}.power_W", reasons.GENSET_POWER_WRONG))
        rows.append((f"{view.device.name}.is_running", reasons.RUNNING_WRONG))
    rows += [(f"{view.device.name}.power_W", reasons.PV_POWER_WRONG) for view in inverters]
    return rows[:SIGNALS_MAX]


def contradicted(
    rows: Sequence[tuple[str, int]], wrong: int, doubtful: int
) -> list[tuple[str, int]]:
    """(name, reason code) of each wrong signal, then of each doubtful one. rows: of `signals`."""
    found = [signal for number, signal in enumerate(rows) if wrong >> number & 1]
    for number, (name, code) in enumerate(rows):
        if doubtful & ~wrong & 1 << number:
            found.append((name, code if number == SOURCE else reasons.POWERS_DOUBTFUL))
    return found


def power_and_rating(device: DeviceView) -> tuple[int | None, int]:
    """(power, rating) of a source, W."""
    return device.reported("power_W"), device.settings["rated_W"]


def genset_source(engine: Engine, device: DeviceView) -> Source:
    """A generator set as the balance sees it."""
    settings = device.settings
    accept_ms = settings["accept_after_s"] * 1000
    is_due = engine.asked_ms >= settings["start_s_max"] * 1000 + accept_ms
    is_warming = 0 < engine.warm_ms <= accept_ms
    return Source(*power_and_rating(device), device.reported("is_running"), is_due, is_warming)
