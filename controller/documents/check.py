"""The command `firebreak check`. It refuses a configuration in one line, or explains it in plain
ASCII of at most document.WIDTH columns. It can also list every key and every control function.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from controller.config import bus_times, configuration, hma, unit_access
from controller.config.cabinet_config import Config
from controller.core.base import hint_codes, hint_sources
from controller.documents import (
    check_facts,
    check_functions,
    check_keys,
    check_rows,
    check_tables,
    effect_words,
    matrix_tables,
)
from controller.documents.document import wrapped
from controller.forms.refusal import ConfigError, shown
from controller.rows.facts import sources
from controller.system import cli
from controller.system.paths import DONE, WRONG_INPUT, ascii_only, quoted, say
from controller.system.worded import counted
from safety import parameters, witness

ALLOWED = (
    "allowed is one of FILE (cabinet.toml, which names the layers above it), --keys, --functions"
)


def _form(text: str) -> str:
    """An argparse type: a form of the list of functions."""
    if text not in check_functions.FORMS:
        allowed = " or ".join(check_functions.FORMS)
        raise argparse.ArgumentTypeError(f"{quoted(text)}: allowed is {allowed}, without a FILE")
    return text


@cli.command(
    "check",
    cli.option("file", nargs="?"),
    cli.option(
        "--keys",
        action="store_true",
        help="list every key with its range, default and tighter side",
    ),
    cli.option(
        "--functions",
        metavar="FORM",
        nargs="?",
        const="table",
        type=_form,
        choices=tuple(check_functions.FORMS),
        help="list the control functions, what each reads and writes; drawing: as Mermaid",
    ),
    cli.option(
        "--drop-in",
        action="store_true",
        help="print only what the service's unit has to allow for this file, nothing if its file "
        "does",
    ),
    cli.STATE_DIR,
    cli.JSON,
)
def _check(arguments: argparse.Namespace) -> int:
    lists = ("--keys", arguments.keys), ("--functions", arguments.functions)
    chosen = [quoted(arguments.file)] if arguments.file else []
    chosen += [name for name, is_given in lists if is_given]
    if len(chosen) != 1:
        fault = f"{' with '.join(chosen)} is not allowed" if chosen else "nothing is given"
        raise cli.Ended(WRONG_INPUT, f"check: {fault}; {ALLOWED}")
    if arguments.json and (arguments.drop_in or not arguments.file):
        raise cli.Ended(WRONG_INPUT, "--json: allowed is with FILE alone")
    if arguments.keys:
        print(check_keys.keys())
    elif arguments.functions:
        print(check_functions.FORMS[arguments.functions]())
    elif arguments.json:
        facts = check_facts.of(arguments.file)
        print(cli.as_json(facts))
        return DONE if facts["is_accepted"] else WRONG_INPUT
    elif arguments.drop_in:
        print(unit_access.drop_in(configuration.load(arguments.file)), end="")
    else:
        print(_checked(arguments.file, arguments.state_dir))
    return DONE


def _checked(path: str, state_directory: str) -> str:
    """The report about a file. For a refused file, print some tables, then raise ConfigError."""
    try:
        config, doubts = configuration.with_doubts(path)
    except ConfigError:
        built, left_out = configuration.without_refused(path)
        if built is not None:
            print(check_tables.tables(built, left_out))
        for line in configuration.refusals(path)[1:]:
            say(line)
        raise
    measured_ms = check_tables.stored_ms(config, state_directory)
    return report(config, measured_ms, doubts)


def report(config: Config, measured_ms: int = 0, doubts: Sequence[str] = ()) -> str:
    """The configuration in words. doubts: lines that warn of doubtful values."""
    schedule = bus_times.schedule(config)
    lines = [
        *_head(config, doubts),
        *_topology(config),
        *check_tables.profiles(config),
        *_analysis(config),
        *_sources(config),
        *check_tables.peak_shaving(config),
        *_silence(config),
        *check_rows.thresholds(config),
        *check_rows.rows(config),
        *check_tables.buses(config, schedule),
        *check_tables.network(config),
        *check_tables.latencies(config, schedule),
        *check_tables.path(config, schedule, measured_ms),
        *check_tables.range_5s(config),
    ]
    return ascii_only("\n".join(lines))


def _head(config: Config, doubts: Sequence[str]) -> Iterator[str]:
    warnings = counted(len(doubts), "warning")
    yield from wrapped(f"Accepted with {warnings}: " if doubts else "Accepted: ", config.path)
    yield from doubts  # each doubt stays on one line, however long
    for line in hma.placeholder_lines(config.hma, config.topology.not_fitted):
        yield from wrapped("  PLACEHOLDERS: ", line)
    for line in hma.ahead_lines(config.hma, config.topology.not_fitted, matrix_tables.today()):
        yield from wrapped("  DATED AHEAD: ", line)
    for layer, name in config.names:
        yield from wrapped(f"  {layer:8} ", name)
    image, crc = config.safety_image, parameters.image_crc(config.safety_image)
    yield f"  limits   {len(image)} words, CRC {crc:08X} (both channels must hold the same)"
    units = ", ".join(map(str, range(1, config.units + 1)))
    yield from wrapped("  start    ", f"needs the sign test of unit {units}: firebreak test sign")


def _topology(config: Config) -> Iterator[str]:
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
        racks = [
            rack for rack, rack_unit in enumerate(config.topology.rack_units) if rack_unit == unit
        ]
        yield from [_rack(rack, config.rack_tables[rack]) for rack in racks]
        most_A = _difference_max_A(config, unit, racks)
        yield f"    row 55 acts if the currents of PCS and racks differ by more than {most_A:g} A"
    yield from check_tables.devices(config)


def _difference_max_A(config: Config, unit: int, racks: list[int]) -> float:
    """Largest difference, A, that row 55 allows between the currents of PCS and racks."""
    tables = [config.rack_tables[rack] for rack in racks]
    errors = [(table["rated_current_mA"], table["current_error_permille"]) for table in tables]
    permille = config.unit_tables[unit]["pcs_current_error_permille"]
    return witness.apart_dA_max(errors, permille) / 10


def _rack(rack: int, table: Mapping[str, int]) -> str:
    parts = (
        f"    rack {rack + 1}: {table['cells']} cells",
        f"{table['modules']} modules" if table["modules"] else "",
        f"{table['rated_current_mA'] / 1000:g} A",
        "" if table["cells_reported"] else "no cell voltages",
        "" if table["temperatures_reported"] else "no module temperatures",
    )
    return ", ".join(filter(None, parts))


def _analysis(config: Config) -> Iterator[str]:
    """Lines about the hazard mitigation analysis, effects that wait, and open hazards."""
    yield from ("", "HAZARD MITIGATION ANALYSIS")
    for key, value in config.hma.items():
        if value is not None:
            yield from wrapped(f"  {key:22} ", value if isinstance(value, str) else shown(value))
    for conflict in effect_words.conflicts(config):
        if conflict["hold_off_ms"]:
            yield from wrapped(
                f"  {conflict['parameter']:22} ",
                f"{conflict['hold_off_ms']}: {conflict['yields']} only "
                f"{effect_words.conflict_words(conflict)} after row {conflict['row']} "
                f"({sources(conflict['basis'])})",
            )
    for open_hazard in check_facts.open_hazards(config):
        yield from wrapped("  OPEN HAZARD: ", open_hazard)


def _sources(config: Config) -> Iterator[str]:
    """Lines about the sources of hints, with the limits that apply while a source is silent."""
    if not config.sources:
        yield from ("", "SOURCES OF HINTS: none")
        return
    yield from ("", "SOURCES OF HINTS (hints narrow, request or oblige, always within the limits)")
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
        text = ", ".join(fallbacks) or "none; an expired hint no longer acts"
        has_no_import_limit = source.fallback[hint_codes.IMPORT_W_MAX] is None
        if source.rank >= hint_sources.GRID_CAP and has_no_import_limit:
            text += f"; {_without_import(config)}"
        yield from wrapped(f"{'':19}fallback: ", text)


def _without_import(config: Config) -> str:
    """Words about a source without an import limit for the time after its schedule has ended."""
    control = config.control
    most_W = min(control["grid_import_W_max"], control["peak_import_W_max"])
    return (
        f"without fallback_import_W_max a charge may lift the import to {most_W / 1000:g} kW when "
        "its schedule ends"
    )


def _silence(config: Config) -> Iterator[str]:
    """Lines about what happens when a device is silent, and after how many ms."""
    cabinet = config.cabinet
    expiry_ms = max(
        device.profile.settings["expiry_ms"] for device in config.devices if device.outputs
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
