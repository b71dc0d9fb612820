"""`firebreak check FILE`: refuses a configuration in one line, or reports what it means. `check
--keys`: every key.

The report is plain ASCII, at most document.WIDTH columns.
"""

from controller.config import bus_times, hma, schema
from controller.config.configuration import Config, load
from controller.config.refusal import ConfigError, in_unit, shown
from controller.config.value_checks import allowed_text
from controller.core import hint_codes
from controller.documents import check_path, check_rows, effect_words
from controller.documents.document import wrapped
from controller.rows.facts import sources
from controller.store import proof_lines
from controller.system import cli, clock
from controller.system.paths import DONE, WRONG_INPUT, ascii_only
from safety import parameters, witness

TIGHTER = {
    "up": "only up",
    "down": "only down",
    "fixed": "given once",
    "free": "free",
    "subset": "shorter",
}


def add(commands) -> None:
    """Add the command to argparse's subparsers."""
    text = "list every key with its range, default and tighter side"
    every_key = cli.option("--keys", action="store_true", help=text)
    cli.add(commands, "check", _check, cli.option("file", nargs="?"), every_key, cli.STATE_DIR)


def _check(arguments):
    if arguments.keys == bool(arguments.file):
        raise cli.Ended(
            WRONG_INPUT,
            "give a FILE (cabinet.toml, which names the layers above it) or --keys, not both",
        )
    with cli.ends(WRONG_INPUT, ConfigError):
        if arguments.keys:
            print(keys())
        else:
            config = load(arguments.file)
            print(report(config, today(), check_path.stored_ms(config, arguments.state_dir)))
    return DONE


def today() -> str:
    """UTC day of this box's clock, as 2026-03-14; the clock may be wrong."""
    return proof_lines.utc_text(clock.utc_us())[:10]


def report(config: Config, day: str | None = None, measured_ms: int = 0) -> str:
    """The meaning of the configuration, as text for a terminal. day: today's, to name acceptances
    that are dated ahead of it, or None. measured_ms: see check_path.stored_ms.
    """
    schedule = bus_times.schedule(config)
    lines = [
        *_head(config, day),
        *_topology(config),
        *_analysis(config),
        *_open_hazards(config),
        *_sources(config),
        *_silence(config),
        *check_rows.thresholds(config),
        *check_rows.rows(config),
        *_buses(config, schedule),
        *_latencies(config, schedule),
        *check_path.lines(config, schedule, measured_ms),
    ]
    return ascii_only("\n".join(lines))


def keys() -> str:
    """Every key of a configuration: what is allowed, its default, which way is tighter."""
    lines = []
    for key, spec, nmc in schema.every_key():
        default = "" if spec.default is None else f"; default {in_unit(spec.default, spec.unit)}"
        if nmc != spec:
            default += f"; NMC: {allowed_text(nmc)}; default {in_unit(nmc.default, nmc.unit)}"
        if key.rpartition(".")[2] in schema.FACTS:
            default = "; must be said"
        lines += wrapped(f"{key:41} {TIGHTER[spec.tighter]:9} ", f"{allowed_text(spec)}{default}")
    return ascii_only("\n".join(lines))


def _head(config, day):
    yield from wrapped("Accepted: ", config.path)
    papers = config.hma, config.topology.not_fitted
    for line in hma.placeholder_lines(*papers):
        yield from wrapped("  PLACEHOLDERS: ", line)
    for line in hma.ahead_lines(*papers, day) if day else ():
        yield from wrapped("  DATED AHEAD: ", line)
    for layer, name in config.names:
        yield from wrapped(f"  {layer:8} ", name)
    image, crc = config.safety_image, parameters.image_crc(config.safety_image)
    yield f"  limits   {len(image)} words, CRC {crc:08X} (both channels must hold the same)"


def _topology(config):
    yield from ("", "TOPOLOGY")
    for unit, table in enumerate(config.unit_tables):
        powers = [
            f"{way} {min(table['rated_W'], table[f'installer_{way}_W_max']) / 1000:g} kW"
            for way in ("charge", "discharge")
        ]
        yield (
            f"  PCS {unit + 1}: {table['rated_W'] / 1000:g} kW on DC bus "
            f"{config.topology.dc_buses[unit]}, {', '.join(powers)}"
        )
        racks = [rack for rack, at in enumerate(config.topology.rack_units) if at == unit]
        yield from [_rack(rack, config.rack_tables[rack]) for rack in racks]
        apart_A = _apart_A(config, unit, racks)
        yield f"    currents of PCS and racks contradict beyond {apart_A:g} A (row 55)"
    yield "  device          role        profile           bus       address   period"
    for device in config.devices:
        role = device.role if device.index < 0 else f"{device.role} {device.index + 1}"
        yield (
            f"  {device.name[:15]:15} {role:11} {device.profile.path.stem[:17]:17} "
            f"{device.bus[:9]:9} {device.address or '-':>7} {device.profile.period_ms:5} ms"
        )


def _apart_A(config, unit, racks):
    """Margin of row 55."""
    tables = [config.rack_tables[rack] for rack in racks]
    errors = [(each["rated_current_mA"], each["current_error_permille"]) for each in tables]
    permille = config.unit_tables[unit]["pcs_current_error_permille"]
    return witness.apart_dA_max(errors, permille) / 10


def _rack(rack, table):
    parts = (
        f"    rack {rack + 1}: {table['cells']} cells",
        f"{table['modules']} modules" if table["modules"] else "",
        f"{table['rated_current_mA'] / 1000:g} A",
        "" if table["cells_reported"] else "no cell voltages",
        "" if table["temperatures_reported"] else "no module temperatures",
    )
    return ", ".join(filter(None, parts))


def _analysis(config):
    """The hazard mitigation analysis and the listings, and what waits by the table of conflicts."""
    yield from ("", "HAZARD MITIGATION ANALYSIS")
    for key, value in config.hma.items():
        if value is not None:
            yield from wrapped(f"  {key:22} ", value if isinstance(value, str) else shown(value))
    for each in effect_words.conflicts(config):
        if each["hold_off_ms"]:
            yield from wrapped(
                f"  {each['parameter']:22} ",
                f"{each['hold_off_ms']}: {each['yields']} only "
                f"{effect_words.conflict_words(each)} after row {each['row']} "
                f"({sources(each['basis'])})",
            )


def _open_hazards(config):
    """Hazards that the log leaves open on a cabinet like this."""
    if config.channel_b is None:
        yield from wrapped(
            "  OPEN HAZARD: ",
            "H6: an older pair of copies of the store loads as clean, because no channel B keeps "
            "its mark: what was latched or locked out since is then forgotten",
        )
    if not config.cabinet["close_command_fitted"]:
        yield from wrapped(
            "  OPEN HAZARD: ",
            "H41: no closing tests the expiry of the permits, because a BMS closes by itself once "
            "it has its supply; test it by hand, with the controller off (row 44)",
        )


def _sources(config):
    """Sources of hints, and the fallbacks while they are silent."""
    if not config.sources:
        yield from ("", "SOURCES OF HINTS: none")
        return
    yield from ("", "SOURCES OF HINTS (a hint only narrows, asks, or obliges within the limits)")
    yield (
        "  source           role     priority  valid    hints  ramp of requests  energy of requests"
    )
    for source in config.sources:
        requests = "     no requests"
        if source.priority:
            ramp_kW_per_s = source.request_ramp_W_per_s / 1000
            energy_kWh = source.energy_Wh_per_h_max / 1000
            requests = f"{ramp_kW_per_s:10g} kW/s {energy_kWh:11g} kWh in any hour"
        yield (
            f"  {source.name:16} {source.role:9} {source.priority or '-':>7} "
            f"{source.valid_s_max:4} s {source.hints_per_s_max:4}/s {requests}"
        )
        fallbacks = [
            f"{hint_codes.QUANTITIES[quantity].removesuffix('_W_max')} {watts / 1000:g} kW"
            for quantity, watts in source.fallback.items()
            if watts is not None
        ]
        words = ", ".join(fallbacks) or "none; what has expired no longer acts"
        yield from wrapped(f"{'':19}fallback: ", words)


def _silence(config):
    """Consequences of a silent device, in ms."""
    cabinet = config.cabinet
    expiry_ms = max(
        [device.profile.settings["expiry_ms"] for device in config.devices if device.outputs]
    )
    yield from ("", "SILENCE (ms without a value, then)")
    yield (
        f"  I/O module   {cabinet['io_silent_ms']:6} stop; its permits lapse by themselves "
        f"after {expiry_ms}"
    )
    yield (
        f"  meter        {cabinet['meter_silent_ms']:6} no charging, obligations dropped "
        f"(frozen: {cabinet['meter_frozen_ms']})"
    )
    if cabinet["gas_detectors"]:
        yield f"  gas detector {cabinet['gas_silent_ms']:6} counts as silent (rows 13 and 14)"
    if cabinet["climate_fitted"] or cabinet["ups_fitted"]:
        yield f"  climate, UPS {cabinet['monitor_silent_ms']:6} no start (row 52)"
    for unit, table in enumerate(config.unit_tables):
        yield (
            f"  PCS {unit + 1:<8} {table['pcs_ramp_ms']:6} ramp to zero, {table['pcs_stop_ms']} "
            f"stop, {table['pcs_open_ms']} open"
        )
    for rack, table in enumerate(config.rack_tables):
        yield (
            f"  BMS {rack + 1:<8} {table['bms_warn_ms']:6} limit falls, {table['bms_ramp_ms']} "
            f"ramp to zero, {table['bms_stop_ms']} stop and open"
        )


def _buses(config, schedule):
    """The cyclic exchanges of each bus and how busy they keep it."""
    more = "times include turn-around and gaps; a stop goes before all"
    yield from ("", f"BUSES (what is sent again and again; {more})")
    for bus in config.buses:
        busy_pct = bus_times.utilisation_permille(schedule[bus.name]) / 10
        speed = f"{bus.bitrate_bps} bit/s" if bus.kind == "can" else ""
        speed = speed or f"{bus.baud_Bd} Bd {bus.characters}"
        allowed_pct = bus_times.UTILISATION_PERMILLE_MAX // 10
        port = bus.port or f"{bus.interface} {bus.channel}"
        yield from wrapped(
            f"  {bus.name}: ", f"{speed}, {busy_pct:.1f} % busy (allowed {allowed_pct} %), {port}"
        )
        for each in schedule[bus.name]:
            yield (
                f"    {each.device[:15]:15} {each.what:18} {each.frames:3} x "
                f"{each.time_us / 1000:7.2f} ms every {each.period_us / 1000:7g} ms"
            )


def _latencies(config, schedule):
    """The worst case of a stop, part by part."""
    parts = bus_times.stop_latency(config, schedule)
    what = "WORST CASE, E-STOP CONTACT TO THE BYTES THAT DROP THE PERMIT"
    yield from ("", f"{what} (all devices answering)")
    for part in parts:
        yield from wrapped(f"  {part.what:12} {part.time_us / 1000:7.2f} ms  ", part.basis)
    yield f"  {'sum':12} {_sum_ms(parts):7.2f} ms"
    for unit in range(config.units):
        total_ms = _sum_ms(bus_times.pcs_stop_latency(config, schedule, unit))
        yield f"  to the last byte of the stop frame of PCS {unit + 1}: {total_ms:.2f} ms"
    yield from wrapped(
        "  ",
        "The hard-wired chain (E-stop, 25 % gas relay) does not wait for any of this. Not counted: "
        "a tick that is late, a device that does not answer, the contactor itself.",
    )


def _sum_ms(parts):
    return sum([part.time_us for part in parts]) / 1000
