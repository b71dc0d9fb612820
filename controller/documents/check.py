"""`firebreak check FILE`: refuses a configuration in one line, or says what it means. `check
--keys`: every key.

The report: topology, the rows of the cause-and-effect matrix (armed, done by the BMS, not fitted),
what travels on each bus, and how long a stop takes in the worst case. Plain ASCII, at most WIDTH
columns.
"""

import sys
import textwrap

from controller.core import hint_codes
from controller.documents import effect_words
from controller.record import proof_lines
from controller.rows import matrix_words
from controller.rows.records import ROWS
from controller.site import bus_times, hma, limit_images, schema, stage_states, thresholds
from controller.site import equipment as equipment_tables
from controller.site.config import ConfigError, load
from controller.site.refusal import in_unit, shown
from controller.site.value_checks import allowed_text
from controller.system import clock
from controller.system.paths import ascii_only
from safety import matrix, parameters, signals

WIDTH = 100
TIGHTER = {
    "up": "only up",
    "down": "only down",
    "fixed": "said once",
    "free": "free",
    "subset": "shorter",
}
# By images.ARMED, BY_BMS, NOT_FITTED, BY_PANEL, NOT_ASKED, NOT_TOLD.
STATES = (
    "armed",
    "done by BMS, by its own limits",
    "not fitted",
    "armed, satisfied by the fire panel",
    "not asked for by the hazard analysis",
    "not available: the BMS does not tell ",
)

# Equipment whose rows stay armed without it.
UNSEEN_IN_ROWS = ("shunt_trip", "aux_load", "pre_alarm", "supervised")


def add(commands):
    """Add the command to argparse's subparsers."""
    checking = commands.add_parser("check")
    checking.add_argument("file", nargs="?")
    checking.add_argument(
        "--keys",
        action="store_true",
        help="list every key with its range, default and tighter side",
    )
    checking.set_defaults(run=_check)


def _check(arguments):
    return main(["--keys"] * arguments.keys + [arguments.file] * bool(arguments.file))


def main(argv):
    """Check argv[0]: 0 and the report, or 2 and one line on stderr. --keys: 0 and the list of
    keys.
    """
    if argv == ["--keys"]:
        print(keys())
        return 0
    if len(argv) != 1 or argv[0].startswith("-"):
        print(
            "usage: check FILE (a cabinet.toml; it names the layers above it), or check --keys",
            file=sys.stderr,
        )
        return 2
    try:
        text = report(load(argv[0]), today())
    except ConfigError as error:
        print(ascii_only(error), file=sys.stderr)
        return 2
    print(text)
    return 0


def today():
    """UTC day of this box's clock, as 2026-03-14; the clock may be wrong."""
    return proof_lines.utc_text(clock.utc_us())[:10]


def report(config, day=None):
    """What the configuration means, as text for a terminal. day: today's, or None where no
    acceptance is held to it.
    """
    schedule = bus_times.schedule(config)
    lines = [
        *_head(config, day),
        *_topology(config),
        *_analysis(config),
        *_sources(config),
        *_silence(config),
        *_thresholds(config),
        *_rows(config),
        *_buses(config, schedule),
        *_latencies(config, schedule),
    ]
    return ascii_only("\n".join(lines))


def keys():
    """Every key of a configuration: what is allowed, its default, which way is tighter."""
    lines = []
    for key, spec, nmc in schema.every_key():
        default = "" if spec.default is None else f"; default {in_unit(spec.default, spec.unit)}"
        if nmc != spec:
            default += f"; NMC: {allowed_text(nmc)}; default {in_unit(nmc.default, nmc.unit)}"
        if key.rpartition(".")[2] in schema.FACTS:
            default = "; must be said"
        lines += _wrapped(f"{key:41} {TIGHTER[spec.tighter]:9} ", f"{allowed_text(spec)}{default}")
    return ascii_only("\n".join(lines))


def _wrapped(first, text):
    """Lines of `text` behind `first`, folded to WIDTH."""
    return textwrap.wrap(
        first + text, WIDTH, subsequent_indent=" " * len(first), break_on_hyphens=False
    ) or [first]


def _head(config, day):
    lines = _wrapped("Accepted: ", config.path)
    for line in hma.placeholder_lines(config.hma, config.topology.not_fitted):
        lines += _wrapped("  PLACEHOLDERS: ", line)
    for line in hma.ahead_lines(config.hma, config.topology.not_fitted, day) if day else ():
        lines += _wrapped("  DATED AHEAD: ", line)
    for layer, name in config.names:
        lines += _wrapped(f"  {layer:8} ", name)
    crc = parameters.image_crc(config.safety_image)
    return [
        *lines,
        f"  limits   {len(config.safety_image)} words, CRC {crc:08X} (both channels "
        f"must hold the same)",
    ]


def _topology(config):
    lines = ["", "TOPOLOGY"]
    for unit, table in enumerate(config.unit_tables):
        lines.append(
            f"  PCS {unit + 1}: {table['rated_W'] / 1000:g} kW on DC bus "
            f"{config.topology.dc_buses[unit]}, "
            f"charge {min(table['rated_W'], table['installer_charge_W_max']) / 1000:g} "
            f"kW, "
            f"discharge "
            f"{min(table['rated_W'], table['installer_discharge_W_max']) / 1000:g} kW"
        )
        for rack, of_unit in enumerate(config.topology.rack_units):
            if of_unit == unit:
                lines.append(_rack(rack, config.rack_tables[rack]))
    lines.append("  device          role        profile           bus       address   period")
    for device in config.devices:
        role = device.role if device.index < 0 else f"{device.role} {device.index + 1}"
        lines.append(
            f"  {device.name[:15]:15} {role:11} {device.profile.path.stem[:17]:17} "
            f"{device.bus[:9]:9} "
            f"{device.address or '-':>7} {device.profile.period_ms:5} ms"
        )
    return lines


def _rack(rack, table):
    parts = [
        f"    rack {rack + 1}: {table['cells']} cells",
        f"{table['modules']} modules" if table["modules"] else "",
        f"{table['rated_current_mA'] / 1000:g} A",
        "" if table["cells_reported"] else "no cell voltages",
        "" if table["temperatures_reported"] else "no module temperatures",
    ]
    return ", ".join([part for part in parts if part])


def _analysis(config):
    """What the hazard mitigation analysis and the listings say."""
    lines = ["", "HAZARD MITIGATION ANALYSIS"]
    for key, value in config.hma.items():
        if value is not None:
            lines += _wrapped(f"  {key:22} ", value if isinstance(value, str) else shown(value))
    return lines + _hold_offs(config)


def _hold_offs(config):
    """What waits by the table of conflicts, and for how long."""
    lines = []
    for conflict in effect_words.conflicts(config):
        if conflict["hold_off_ms"]:
            lines += _wrapped(
                f"  {conflict['parameter']:22} ",
                f"{conflict['hold_off_ms']}: {conflict['yields']} only "
                f"{effect_words.conflict_words(conflict)} after row "
                f"{conflict['row']} "
                f"({conflict['basis']})",
            )
    return lines


def _sources(config):
    """Who may send hints, and what stands in for them when they are silent."""
    if not config.sources:
        return ["", "SOURCES OF HINTS: none"]
    lines = [
        "",
        "SOURCES OF HINTS (a hint only narrows, asks, or obliges within the limits)",
        "  source           role     priority  valid    hints  ramp of requests  energy of "
        "requests",
    ]
    for source in config.sources:
        lines.append(
            f"  {source.name:16} {source.role:9} {source.priority or '-':>7} "
            f"{source.valid_s_max:4} s "
            f"{source.hints_per_s_max:4}/s "
            + (_requests(source) if source.priority else "     no requests")
        )
        said = [
            f"{hint_codes.QUANTITIES[quantity].removesuffix('_W_max')} {watts / 1000:g} kW"
            for quantity, watts in source.fallback.items()
            if watts is not None
        ]
        lines += _wrapped(
            f"{'':19}fallback: ", ", ".join(said) or "none; what has expired no longer acts"
        )
    return lines


def _requests(source):
    return (
        f"{source.request_ramp_W_per_s / 1000:10g} kW/s {source.energy_Wh_per_h_max / 1000:11g} "
        f"kWh in any hour"
    )


def _silence(config):
    """The ladder: what happens when something is silent, in ms."""
    cabinet = config.cabinet
    expiry_ms = max(
        [device.profile.settings["expiry_ms"] for device in config.devices if device.outputs]
    )
    lines = [
        "",
        "SILENCE (ms without a value, then)",
        f"  I/O module   {cabinet['io_silent_ms']:6} stop; its permits lapse by themselves "
        f"after {expiry_ms}",
        f"  meter        {cabinet['meter_silent_ms']:6} no charging, obligations dropped "
        f"(frozen: {cabinet['meter_frozen_ms']})",
    ]
    if cabinet["gas_detectors"]:
        lines.append(
            f"  gas detector {cabinet['gas_silent_ms']:6} counts as silent (rows 13 and 14)"
        )
    if cabinet["climate_fitted"] or cabinet["ups_fitted"]:
        lines.append(f"  climate, UPS {cabinet['monitor_silent_ms']:6} no start (row 52)")
    for unit, table in enumerate(config.unit_tables):
        lines.append(
            f"  PCS {unit + 1:<8} {table['pcs_ramp_ms']:6} ramp to zero, "
            f"{table['pcs_stop_ms']} stop, "
            f"{table['pcs_open_ms']} open"
        )
    for rack, table in enumerate(config.rack_tables):
        lines.append(
            f"  BMS {rack + 1:<8} {table['bms_warn_ms']:6} limit falls, "
            f"{table['bms_ramp_ms']} ramp to zero, "
            f"{table['bms_stop_ms']} stop and open"
        )
    return lines


def _thresholds(config):
    """What differs from the matrix, in the units of persons: a number in a wrong unit shows
    here.
    """
    lines = []
    for stage in matrix.STAGES:
        changed = _changed(config, stage)
        if changed:
            lines += _wrapped(
                f"  {stage[matrix.S_ID]:4} {matrix_words.cause(stage)}: ", ", ".join(changed)
            )
    longer = limit_images.longer_by_tick(config)
    return [
        "",
        "THRESHOLDS TIGHTENED (matrix -> here)" + ("" if lines else ": none"),
        *lines,
        *(_wrapped("  ", matrix_words.longer_by_tick(longer)) if longer else ()),
    ]


def _changed(config, stage):
    """["trips at 45.1 degC -> 43 degC"] of a stage. A silence that is a parameter stands under
    SILENCE.
    """
    level, clear, *ticks = config.stage_words[stage[matrix.S_ID]]
    before = (
        (level, clear)
        if stage[matrix.S_ID] in thresholds.STAGE_SET_FROM
        else thresholds.levels(stage, config.hma["chemistry"])
    )
    pairs = [
        (what, old, new, matrix_words.level(stage, old), matrix_words.level(stage, new))
        for what, old, new in (("trips at", before[0], level), ("clears at", before[1], clear))
    ]
    for what, index, new in (
        ("after", matrix.S_SET_MS, ticks[0]),
        ("clear for", matrix.S_CLEAR_MS, ticks[1]),
    ):
        old = parameters.ticks(stage[index], config.tick_ms)
        pairs.append(
            (what, old, new, *[matrix_words.after(each * config.tick_ms) for each in (old, new)])
        )
    return [f"{what} {was} -> {now}" for what, old, new, was, now in pairs if old != new]


def _rows(config):
    lines = ["", "ROWS OF THE CAUSE-AND-EFFECT MATRIX", "  row  stages              state"]
    states = row_states(config)
    for row in sorted(states):
        text = ROWS[row].what
        for stages, state, equipment in states[row]:
            joint = "; " if ": " in state else ": "
            lines += _wrapped(
                f"  {row:3}  {' '.join(stages):18}  ", f"{state}{joint}{text}" if text else state
            )
            text = ""
            if equipment:
                lines += _wrapped(
                    f"{'':25}accepted by: ", stage_states.accepted(config.topology, equipment)
                )
    for name, who in config.topology.not_fitted.items():
        if name in UNSEEN_IN_ROWS:
            lines.append(f"{'':5}not fitted: {equipment_tables.EQUIPMENT[name].text}")
            lines += _wrapped(f"{'':25}accepted by: ", who)
    return lines


def state_words(state, name):
    """A state of images in words; name: of the equipment that its stage lacks, or ""."""
    return STATES[state] + (equipment_tables.UNTOLD[name] if state == stage_states.NOT_TOLD else "")


def row_states(config):
    """{row: [([stage ids], state in words, equipment not fitted or "")]}, stages of the same state
    together.
    """
    found = {}
    for stage, index in stage_states.instances(config.topology):
        state, equipment = stage_states.stage_state(stage, config.topology, index)
        by_stage = found.setdefault(stage[matrix.S_ROW], {}).setdefault(stage[matrix.S_ID], [])
        by_stage.append((state, index if stage[matrix.S_SCOPE] == signals.RACK else -1, equipment))
    return {row: _grouped(stages) for row, stages in found.items()}


def _grouped(stages):
    groups = {}
    for name, instances in stages.items():
        equipment = next((name for _, _, name in instances if name), "")
        groups.setdefault((_in_words(instances), equipment), []).append(name)
    return [(names, words, equipment) for (words, equipment), names in groups.items()]


def _in_words(instances):
    """ "armed", or "armed (rack 1), done by BMS (rack 2)" where the racks differ."""
    racks = {}
    for state, rack, name in instances:
        racks.setdefault(state_words(state, name), []).append(str(rack + 1))
    if len(racks) == 1:
        return next(iter(racks))
    return ", ".join([f"{words} (rack {' '.join(numbers)})" for words, numbers in racks.items()])


def _buses(config, schedule):
    lines = [
        "",
        "BUSES (what is sent again and again; times include turn-around and gaps; a stop "
        "goes before all)",
    ]
    for bus in config.buses:
        exchanges = schedule[bus.name]
        busy_permille = bus_times.utilisation_permille(exchanges)
        speed = (
            (f"{bus.bitrate_bps} bit/s")
            if bus.kind == "can"
            else f"{bus.baud_Bd} Bd {bus.characters}"
        )
        allowed_pct = bus_times.UTILISATION_PERMILLE_MAX // 10
        lines += _wrapped(
            f"  {bus.name}: ",
            f"{speed}, {busy_permille / 10:.1f} % busy (allowed "
            f"{allowed_pct} %), " + (bus.port or f"{bus.interface} {bus.channel}"),
        )
        for exchange in exchanges:
            lines.append(
                f"    {exchange.device[:15]:15} {exchange.what:18} {exchange.frames:3} x "
                f"{exchange.time_us / 1000:7.2f} ms every {exchange.period_us / 1000:7g} "
                f"ms"
            )
    return lines


def _latencies(config, schedule):
    parts = bus_times.stop_latency(config, schedule)
    lines = [
        "",
        "WORST CASE, E-STOP CONTACT TO THE BYTES THAT DROP THE PERMIT (all devices answering)",
    ]
    for part in parts:
        lines += _wrapped(f"  {part.what:12} {part.time_us / 1000:7.2f} ms  ", part.basis)
    lines.append(f"  {'sum':12} {sum([part.time_us for part in parts]) / 1000:7.2f} ms")
    for unit in range(config.units):
        total_us = sum(
            [part.time_us for part in bus_times.pcs_stop_latency(config, schedule, unit)]
        )
        lines.append(
            f"  to the last byte of the stop frame of PCS {unit + 1}: {total_us / 1000:.2f} ms"
        )
    return [
        *lines,
        *_wrapped(
            "  ",
            "The hard-wired chain (E-stop, 25 % gas relay) does not wait "
            "for any of this. "
            "Not counted: a tick that is late, a device that does not answer, "
            "the contactor itself.",
        ),
    ]
