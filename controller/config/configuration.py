"""Reads the configuration of a cabinet, checks it as a whole, and makes the arrays of integers
(images) on which the controller runs. The files are called layers: type, site and cabinet.

Step 1 reads: layers.py reads files, schema.py checks keys, topology.py and devices.py find the
structure. In step 2, limit_images.py makes the integers and cross_checks.py finds contradictions.
In step 3, bus_times.py checks how busy the buses are, and track_path.py checks the delay from the
meter to the battery.
"""

from array import array
from collections.abc import Sequence

from controller.config import (
    bus_times,
    cross_checks,
    hma,
    layers,
    limit_images,
    pairs,
    places,
    schema,
    silence,
    site_plan,
    sources,
    tick_fit,
    topology,
    track_path,
)
from controller.config.cabinet_config import Config
from controller.config.devices import Topology
from controller.config.values import Values
from controller.core.base import hint_sources
from controller.forms.refusal import ConfigError, Path, dotted
from controller.rows import proof_intervals
from controller.system.paths import AnyPath

REFUSALS_MAX = 8  # most refusals after which a report about a refused file tries again
# Writes of the coils before a permit expires: a permit outlasts three lost writes in a row.
COIL_WRITES_PER_EXPIRY = 5


def survey(path: AnyPath) -> tuple[Config, list[str]]:
    """(Config, [line of each refusal]) of a file that may lack required equipment. The Config is
    only for a report: a cabinet must never run on it. Raises ConfigError for other mistakes.
    """
    lines: list[str] = []
    return _surveyed(path, lines), lines


def refusals(path: AnyPath) -> list[str]:
    """Lines that say why a file is refused, or [] for an accepted file. There is a line for each
    missing piece of equipment, and one for the first other mistake.
    """
    lines: list[str] = []
    try:
        _surveyed(path, lines)
    except ConfigError as error:
        lines.append(str(error))
    return lines


def _surveyed(path: AnyPath, lines: list[str]) -> Config:
    """The Config of survey(); each refusal becomes one of the lines."""
    missing: list[str] = []
    while True:
        try:
            return load(path, missing)
        except ConfigError as error:
            if not set(error.equipment) - set(missing):
                raise
            missing += error.equipment
            lines.append(str(error))


def load(path: AnyPath, missing: Sequence[str] = (), tick_ms: int | None = None) -> Config:
    """Config of the file at `path` and the files that it extends. Raises ConfigError.

    missing: see topology.build. tick_ms: tick of a simulation, instead of that in the files.
    """
    chain = layers.read_chain(str(path))
    if tick_ms is not None:
        chain[0].content.setdefault("cabinet", {})["tick_ms"] = tick_ms
    return _checked(chain, missing)[1]


def with_doubts(path: AnyPath) -> tuple[Config, tuple[str, ...]]:
    """(Config, lines that warn of doubtful values) of the file at `path`. Raises ConfigError."""
    values, config, schedule = _checked(layers.read_chain(str(path)))
    return config, (*pairs.doubts(values, config), *tick_fit.doubts(values, config, schedule))


def carried_over(path: AnyPath, lines: list[str]) -> Config:
    """Config of a file of an earlier version. Adds to `lines` each key to change by hand."""
    chain = layers.read_chain(str(path))
    lines += layers.carry_over(chain)
    return _checked(chain)[1]


def without_refused(path: AnyPath) -> tuple[Config | None, list[str]]:
    """(Config, refused keys) of a refused file, for a report. The Config is made without the
    refused keys. It is None if this is not possible.
    """
    missing: list[str] = []
    left_out: list[tuple[str, Path]] = []
    config = None
    for _ in range(REFUSALS_MAX):
        try:
            chain = layers.read_chain(str(path))
            for file, key in left_out:
                layers.leave_out(chain, file, key)
            config = _checked(chain, missing)[1]
            break
        except ConfigError as error:
            missing += error.equipment
            if error.equipment:
                continue
            config = error.built
            if config is not None or error.key is None or error.key in left_out:
                break
            left_out.append(error.key)
    return config, [dotted(key) for _, key in left_out]


def _checked(
    chain: list[layers.Layer], missing: Sequence[str] = ()
) -> tuple[Values, Config, bus_times.Schedule]:
    """(merged values, Config, exchanges of each bus) of the layers. Raises ConfigError."""
    # Only the type may set this list. Without a list of the type, a site could set it.
    chain[0].content.setdefault("optional_equipment", [])
    chemistry = hma.chemistry_of(chain)
    values = Values(layers.merge(chain, chemistry), chain[-1].file, chemistry)
    config = _config(chain, values, topology.build(values, missing))
    try:
        cross_checks.check(values, config)
        schedule = bus_times.schedule(config)
        bus_times.check(values, schedule)
        config = track_path.filled(values, config, schedule)
    except ConfigError as error:
        error.built = config
        raise
    return values, config, schedule


def _config(chain: list[layers.Layer], values: Values, plan: Topology) -> Config:
    budgets = silence.silence_budgets(values, plan)
    type_paths = {path for path, _ in layers.leaves(chain[0].content)}
    values.check_defaults(type_paths, {path[-1] for path in budgets})
    cabinet = limit_images.cabinet_parameters(values, plan, budgets)
    unit, rack = limit_images.unit_parameters, limit_images.rack_parameters
    units = tuple(unit(values, plan, index, budgets) for index in range(plan.units))
    racks = tuple(rack(values, plan, index, budgets) for index in range(plan.racks))
    control = limit_images.control_parameters(values, plan)
    tick_ms, modules = values.get("cabinet", "tick_ms"), max(rack["modules"] for rack in racks)
    stage_words = limit_images.stage_words(values, cabinet, tick_ms)
    senders, tables = sources.read(values), (cabinet, *units, *racks)
    return Config(
        path=chain[-1].file,
        names=tuple((layers.LAYERS[layer.rank], layer.name) for layer in chain),
        topology=plan,
        tick_ms=tick_ms,
        modules=modules,
        cabinet=cabinet,
        unit_tables=units,
        rack_tables=racks,
        control=control,
        stage_words=stage_words,
        safety_image=limit_images.safety_image(plan, tick_ms, modules, tables, stage_words),
        control_image=array("i", control.values()),
        coil_period_ms=_coil_period_ms(plan),
        sources=senders,
        source_image=hint_sources.image(senders),
        proof_tests=proof_intervals.read(values.get),
        neighbours={key: values.get("neighbours", key) for key in schema.NEIGHBOURS},
        responder={key: values.get("responder", key) for key in places.RESPONDER},
        site_plan=site_plan.load(values, plan.racks),
    )


def _coil_period_ms(plan: Topology) -> int:
    expiries_ms: list[int] = [
        device.profile.settings["expiry_ms"] for device in plan.devices if device.outputs
    ]
    return min(expiries_ms) // COIL_WRITES_PER_EXPIRY
