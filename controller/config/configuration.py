"""One configuration: type > site > cabinet, each layer only tighter, checked as a whole, as the
images the core needs.

`load(path)` reads the file and the layers above it and returns a Config, or raises ConfigError: one
line with file, key, value, what is allowed. In this order: layers.py (files), schema.py (keys),
topology.py and devices.py (structure), limit_images.py (integers), cross_checks.py (what fits
together), bus_times.py (loads of the buses), track_path.py (what load tracking has to know of the
path from meter to battery).
"""

import functools
from array import array
from dataclasses import dataclass

from controller.config import (
    bus_times,
    cross_checks,
    hma,
    layers,
    limit_images,
    places,
    refusal,
    schema,
    silence,
    sources,
    topology,
    track_path,
)
from controller.config.values import Values
from controller.core import hint_sources
from controller.rows import proof_intervals
from safety import matrix, parameters, signals

ConfigError = refusal.ConfigError
COIL_WRITES_PER_EXPIRY = 5  # three writes in a row may be lost before a permit lapses by itself


@dataclass(frozen=True, slots=True)
class Config:
    """A checked configuration. Indexes count from 0, names in files and on doors from 1.

    names: (layer, its own name), the type's first. cabinet, control: {parameter: integer};
    unit_tables, rack_tables: one such dict per unit, rack. devices: devices.Device; buses:
    topology.Bus. coil_period_ms: coils are written at least this often, so that permits stay.
    stage_words: {stage id: (set, clear, set ticks, clear ticks)}. sources: sources.Source of each,
    by index. proof_tests: {key of proof_intervals: days at most between two tests, or None}.
    neighbours: {key of [neighbours]: integer}, for an estimate that nothing acts on. responder:
    {key of [responder]: text or None}, for the responder sheet alone.
    """

    path: str
    names: tuple
    topology: topology.Topology
    tick_ms: int
    modules: int
    cabinet: dict
    unit_tables: tuple
    rack_tables: tuple
    control: dict
    stage_words: dict
    safety_image: array
    control_image: array
    coil_period_ms: int
    sources: tuple
    source_image: array
    proof_tests: dict
    neighbours: dict
    responder: dict

    @property
    def units(self) -> int:
        """Number of units (PCS with its DC bus)."""
        return self.topology.units

    @property
    def racks(self) -> int:
        """Number of racks."""
        return self.topology.racks

    @property
    def buses(self) -> tuple:
        """All buses, a tuple of topology.Bus."""
        return self.topology.buses

    @property
    def devices(self) -> tuple:
        """All devices that are fitted, a tuple of devices.Device."""
        return self.topology.devices

    @property
    def hma(self) -> dict:
        """{key of [hma]: value or None}."""
        return self.topology.hma

    @property
    def noc_source(self) -> int:
        """Index of the source of hints whose heartbeat is the operations centre's (row 46), -1 for
        none.
        """
        return next(
            (source.index for source in self.sources if source.name == self.hma["noc_source"]), -1
        )

    @property
    def channel_b(self):
        """The wire to channel B (a topology.Bus), None where none is fitted."""
        return self.topology.channel_b

    def layout(self):
        """A safety.signals.Layout of this topology."""
        return signals.Layout(self.units, self.racks, self.modules)

    def image_map(self):
        """A safety.parameters.ImageMap of safety_image."""
        return parameters.ImageMap(self.units, self.racks, matrix.STAGES_PER_SCOPE)


def survey(path) -> tuple:
    """(Config, [line of each refusal]) of a file that may lack required equipment: for a report,
    never to run on.

    Raises ConfigError where anything else is wrong.
    """
    missing, lines = [], []
    while True:
        try:
            return load(path, missing), lines
        except refusal.UnarmedError as error:
            if not set(error.equipment) - set(missing):
                raise
            missing += error.equipment
            lines.append(str(error))


def load(path, missing=()):
    """Config of the file at `path` and the layers above it. Raises ConfigError. missing: see
    topology.build.
    """
    chain = layers.read_chain(str(path))
    # what the type does not offer, no later layer can
    chain[0].content.setdefault("optional_equipment", [])
    chemistry = hma.chemistry_of(chain)
    spec_of = functools.partial(schema.spec_of, chemistry=chemistry)
    values = Values(layers.merge(chain, spec_of, schema.names_at), chain[-1].file, chemistry)
    config = _config(chain, values, topology.build(values, missing))
    cross_checks.check(values, config)
    every = bus_times.schedule(config)
    bus_times.check(values, every)
    return track_path.filled(values, config, every)


def _config(chain, values, plan):
    budgets = silence.silence_budgets(values, plan)
    of_type = {path for path, _ in layers.leaves(chain[0].content)}
    values.check_defaults(of_type, {path[-1] for path in budgets})
    cabinet = limit_images.cabinet_parameters(values, plan, budgets)
    units = tuple(
        [limit_images.unit_parameters(values, plan, i, budgets) for i in range(plan.units)]
    )
    racks = tuple(
        [limit_images.rack_parameters(values, plan, i, budgets) for i in range(plan.racks)]
    )
    control = limit_images.control_parameters(values, plan)
    tick_ms, modules = values.get("cabinet", "tick_ms"), max([each["modules"] for each in racks])
    words = limit_images.stage_words(values, cabinet, tick_ms)
    senders = sources.read(values)
    return Config(
        path=chain[-1].file,
        names=tuple([(layers.LAYERS[layer.rank], layer.name) for layer in chain]),
        topology=plan,
        tick_ms=tick_ms,
        modules=modules,
        cabinet=cabinet,
        unit_tables=units,
        rack_tables=racks,
        control=control,
        stage_words=words,
        safety_image=limit_images.safety_image(
            plan, tick_ms, modules, cabinet, units, racks, words
        ),
        control_image=array("i", control.values()),
        coil_period_ms=_coil_period_ms(plan),
        sources=senders,
        source_image=hint_sources.image(senders),
        proof_tests=proof_intervals.read(values),
        neighbours={key: values.get("neighbours", key) for key in schema.NEIGHBOURS},
        responder={key: values.get("responder", key) for key in places.RESPONDER},
    )


def _coil_period_ms(plan):
    expiries_ms = [
        device.profile.settings["expiry_ms"] for device in plan.devices if device.outputs
    ]
    return min(expiries_ms) // COIL_WRITES_PER_EXPIRY
