"""A controller in chain-only mode beside the same one with kernel, devices and wires: each field of
Known, of Found and of the decisions, second by second.

The two do not decide at the same moment: the site of chain-only moves once a second, so a transfer
is up to 2 s early; contact, meters and devices of byte mode report up to 1 s late. So a value has
to lie within what byte mode had from BEFORE_S ago to AFTER_S later, and `within` beside it (SLACK).
"""

import re
import tempfile
from pathlib import Path
from typing import NamedTuple

from site_bench import controlled

from controller.config import configuration
from controller.core.base import answers, setpoint
from controller.core.base.schedule_table import Slot, Table
from controller.core.policies.known import Known
from controller.sites import PV_GENSET
from hil.engine.simulate import VirtualRig
from hil.engine.virtual_controller import ERROR_US, UTC_US
from hil.site.genset import Genset
from hil.site.grid import Grid
from hil.site.load_ups import LoadUps
from hil.site.pv import Pv
from hil.site.site import Site
from hil.site.transfer_switch import TransferSwitch
from hil.site.weather import Weather
from hil.systems import sized
from hil.systems.member import HEARTBEAT, HEARTBEAT_S, ChainMember
from hil.values.mean_readings import NOT_KNOWN

OF_SIZES = tempfile.TemporaryDirectory()  # a rig reads the profiles in it
LIMIT_FIELDS = answers.Limit._fields
BEGIN_S = UTC_US // 1_000_000


BEFORE_S, AFTER_S = 2, 3
SETTLED_S = 18


class Slack(NamedTuple):
    """The first row whose pattern is found in the name of a field counts."""

    pattern: str
    within: float
    after_s: int
    why: str


SLACK = (
    Slack("temperature", 20, AFTER_S, "modules of a rack differ by up to 3 K, here it has one"),
    Slack("soc_permille", 3, AFTER_S, "each rack has a capacity of its own, within 1 %"),
    Slack("full_Wh", 20_000, AFTER_S, "each rack has a state of health of its own, within 1 %"),
    Slack("remaining_Wh", 6000, AFTER_S, "byte mode counts the energy of its start"),
    Slack("fuel_permille", 2, AFTER_S, "rounding"),
    Slack("uncertainty_ms", 5, AFTER_S, "rounding"),
    Slack(
        "unmetered_W", 8000, AFTER_S, "after the start it takes 30 s to learn what no meter sees"
    ),
    Slack(
        "connection|part_W|meter_off|grid_W|grid_meter|battery_W|unit_.*_W|grid_cap|left_|import_room|"
        "available|low_W|high_W|held_back|obligation|setpoint_W|after_|request|genset_W|power_W|"
        "limit_W|reserve|is_.*_obliged|binding_reason|limit_reason|load_W",
        3000,
        SETTLED_S,
        "after a transfer grid and battery are read at two moments; each 5 s 37 % are left",
    ),
    Slack("_W", 2000, AFTER_S, "noise and quantum of meters"),
    Slack("", 0, AFTER_S, "no reason to differ"),
)
START_S = 15
PAUSED = "found.left_"  # off the grid the last tick before it stands, and nothing reads it
# What the set-point may move in one tick, and whether that holds it: a tick is 50 times as long.
PER_TICK = "chain.ramp_low_W", "chain.ramp_high_W", "chain.ramp_reason"


class Case(NamedTuple):
    """load: t_s -> W; outage: (at_s, for_s); rows: of a schedule, from rows_s on; source: its
    index, 0 the planner, whose caps count, 1 the scheduler; from_s: byte mode has started, and
    nothing before it counts; forms: of each unit; slack: comes first.
    """

    load: object
    for_s: int
    soc: float = 0.5
    outage: tuple = ()
    control: dict = {}
    rows: tuple = ()
    rows_s: int = 20
    source: int = 1
    plant: dict = {}
    switch: dict = {}
    genset: dict = {}
    noon: bool = False
    ups_W: float = 0.0
    forms: tuple = (True,)
    file: object = PV_GENSET
    from_s: int = 34
    slack: tuple = ()


def loaded(case, tick_ms):
    """A rig whose meter is believed: the test of it needs ticks of milliseconds."""
    if isinstance(case.file, sized.Size):
        config = sized.load(case.file, Path(OF_SIZES.name), tick_ms)
    else:
        config = configuration.load(case.file, tick_ms=tick_ms)
    return controlled(config, **{"meter_code_permille": 0} | case.control)


def site_of(case):
    grid = Grid(1, outages=[case.outage] if case.outage else [])
    parts = [TransferSwitch({"return_s": 5.0, "call_s": 3600.0} | case.switch)]
    parts.append(Genset({"rated_W": 300_000, "start_s": 5.0} | case.genset))
    if case.ups_W:
        parts.append(LoadUps({"rated_W": case.ups_W}))
    weather = Weather(time_of_day_s=12 * 3600.0 * case.noon)
    if case.noon:
        parts.append(Pv({"rated_W": 200_000, "ramp_W_per_s": 20_000}, weather))
    return Site(case.load, 1, grid, parts, weather=weather)


def bytes_of(case, kind=VirtualRig, tick_ms=20):
    """([{field: value} of each tick] of each second, charge after the start)."""
    config, site = loaded(case, tick_ms), site_of(case)
    rig = kind(config, None, plant_config={"soc": case.soc, **case.plant}, site=site)
    for unit, forms in zip(rig.plant.pcs, case.forms):
        unit.can_form = forms
    core, image = rig.controller.cabinet.core, rig.controller.cabinet.image
    found, soc = [], case.soc
    for second in range(case.for_s):
        if second == START_S:
            soc = min([rack.soc for rack in rig.plant.racks])
        if second % HEARTBEAT_S == 0:
            image.add_hint(HEARTBEAT._replace(source=case.source + 1))
        if case.rows and second == case.rows_s:
            image.add_schedule(table(case))
        ticks = []
        for _ in range(1000 // tick_ms):
            rig.step()
            ticks.append(fields(core.control, core.units))
        found.append(ticks)
    return found, soc


def chain_of(case, soc):
    """{field: value} of each second. soc: 0 to 1."""
    site = site_of(case)
    member = ChainMember(loaded(case, 100), site, soc, BEGIN_S, case.plant)
    for unit, forms in zip(member.pcs, case.forms):
        unit.can_form = forms
    member.clock_error_ms = ERROR_US // 1000
    member.clock_off_s = -1.0  # compared with the last tick of a second, at its end
    found = []
    for second in range(case.for_s):
        if second % HEARTBEAT_S == 0:
            member.image.add_hint(HEARTBEAT._replace(source=case.source + 1))
        if case.rows and second == case.rows_s:
            member.image.add_schedule(table(case))
        site.step(1.0)
        found.append(fields(member.control, member.loop.decision.units))
    return found


def table(case):
    start_min = (BEGIN_S + case.rows_s) // 60
    return Table(case.source, start_min, 1, tuple([Slot(*row) for row in case.rows]))


def fields(control, units):
    """The values that are compared, by name."""
    known, found = control.known, control.found
    values = {f"known.{name}": getattr(known, name) for name in Known._fields}
    values |= {f"found.{name}": value for name, value in vars(found).items()}
    del values["known.site"], values["known.hints"], values["known.schedule"]
    for name, value in zip(LIMIT_FIELDS, values.pop("known.limit")):
        values[f"known.limit.{name}"] = value
    for name in ("soc_permille", "module_temperature_ddegC", "unit_temperature_ddegC"):
        pair = values.pop(f"known.{name}")
        for at in range(len(units.out) if name.startswith("unit") else 2):
            values[f"known.{name}.{at}"] = None if pair is None else pair[at]
    for view in known.site.devices:
        for signal in view.bits:
            values[f"known.site.{view.device.name}.{signal}"] = view.value(signal)
    for name, value in zip(setpoint.CHAIN_OUTPUTS, control.chain.out):
        values[f"chain.{name}"] = value
    standing = {each.rank[1]: each for each in control.chain.obligations.standing}
    values["obligations"] = tuple(standing)
    for name, each in standing.items():
        values[f"obligation.{name}"] = each.low_W, each.high_W
    for each in control.actuators:
        values[f"actuator.{each.name}"] = each.value
        values[f"actuator.{each.name}.reason"] = each.chain.out[setpoint.O_REQUEST_BASE_REASON]
    for name, function in control.functions.items():
        names = function.output_names(2)
        values |= {f"{name}.{each}": value for each, value in zip(names, function.out)}
    reserve = control.functions["reserve"]
    values["reserve.peaks_W"] = reserve.peaks.discharge_W_max
    values["reserve.backup_W"] = reserve.backup.discharge_W_max
    values |= {f"unit_{at}_W": value for at, value in enumerate(units.out, 1)}
    return values


def played(case, kind=VirtualRig, tick_ms=20):
    """Played by bytes_of and chain_of, which begins with the charge of the other."""
    by_bytes, soc = bytes_of(case, kind, tick_ms)
    return by_bytes, chain_of(case, soc)


def differing(case, by_bytes, chain):
    """One line for each field that differs: how often, the first second, both values. Nothing
    counts after a stop by the kernel.
    """
    stops = [at for at, ticks in enumerate(by_bytes) if not ticks[-1]["known.is_running"]]
    end_s = min([case.for_s, *[at for at in stops if at >= case.from_s]]) - AFTER_S
    lines = []
    for name in sorted({*chain[-1], *by_bytes[-1][-1]} - {*PER_TICK}):
        if name.partition(".")[2] in NOT_KNOWN:
            continue
        slack = next(each for each in (*case.slack, *SLACK) if re.search(each.pattern, name))
        seen = [[tick.get(name) for tick in ticks] for ticks in by_bytes]
        seconds = range(case.from_s, end_s)
        if name.startswith(PAUSED):
            seconds = [at for at in seconds if not by_bytes[at][0]["found.is_off_grid"]]
        off = [at for at in seconds if not _fits(chain[at].get(name), seen, at, slack)]
        for at in off[:1]:
            given = chain[at].get(name), seen[at][0], seen[at][-1]
            lines.append(f"{name}: {len(off)} s from {at} on: {given}")
    return lines


def _fits(value, seen, second, slack):
    near = [each for at in seen[second - BEFORE_S : second + slack.after_s] for each in at]
    if value in near or not _is_numeric(value):
        return value in near
    numbers = [_numbers(each) for each in near if _is_numeric(each)]
    return bool(numbers) and all(
        min(of) - slack.within <= one <= max(of) + slack.within
        for one, of in zip(_numbers(value), zip(*numbers), strict=True)
    )


def _numbers(value):
    return value if isinstance(value, tuple) else (value,)


def _is_numeric(value):
    return all(isinstance(each, int) and not isinstance(each, bool) for each in _numbers(value))
