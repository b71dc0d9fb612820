"""One controller without its transport: image, core, field, journal and store, and the tick that ties them together.

loop.py runs it against real wires and clocks, the rig's simulation in virtual time: the same object, the same order:
freeze -> features -> safety -> control -> gate -> write.
"""

from array import array

from controller import replay
from controller.core import Core
from controller.field import Field
from controller.image import ProcessImage
from controller.store import ARMED, MISSING, UNREADABLE
from controller.setpoint import CHAIN_OUTPUTS, O_BINDING_REASON, O_SETPOINT_W
from safety import matrix, signals as s
from safety import parameters as p

KEYFRAME_MS = 10_000


class Cabinet:
    """The controller of one cabinet. `keeper`: takes records of what must survive (store.Keeper or alike)."""

    def __init__(self, config, loaded, keeper, journal=None):
        """loaded: store.Loaded of the last run; journal: JournalWriter or None."""
        self.config = config
        self.core = Core(config.safety_image, config.control_image)
        self.image = ProcessImage(self.core.layout)
        self.field = Field(config, self.image)
        self.keeper, self.journal = keeper, journal
        self.sequence = 0
        self.keyframe_ticks = p.ticks(KEYFRAME_MS, config.tick_ms)
        self._hour_ms = self.core.kernel.latches.hour_ticks * config.tick_ms
        self._armed = self._armed_number = None
        self._saved = None
        self._boot(loaded)
        self.image.inp[s.RUN_REQUEST] = 1

    def _boot(self, loaded):
        record = loaded.record or {}
        names = stage_instances(self.core.layout)
        latched = [names.index(name) for name in record.get("latches", {}) if name in names]
        for token, age_ms in enumerate(record.get("token_ages_ms", [])[:len(self.core.kernel.latches.token_age)]):
            self.core.kernel.latches.token_age[token] = min(age_ms, self._hour_ms) // self.config.tick_ms
        self._names = names
        self.core.kernel.boot(loaded.state == ARMED, loaded.state in (UNREADABLE, MISSING), latched)

    def tick(self, now_us, elapsed_ticks):
        """One tick: everything between the freeze and the last submitted byte."""
        core, image = self.core, self.image
        self.field.read(now_us)
        image.inp[s.ARMED_STORED] = self._armed_stored()
        image.freeze(core.inp, core.fresh)
        core.tick(elapsed_ticks)
        if self.journal is not None:
            self._record(elapsed_ticks)
        self._persist()
        self.field.write(core.inp, core.out, core.setpoints(), now_us)

    def _record(self, elapsed_ticks):
        core = self.core
        keyframe = self.sequence % self.keyframe_ticks == 0
        self.journal.append(self.sequence, elapsed_ticks, core.inp, core.fresh, core.out,
                            core.state_words() if keyframe else None)
        self.sequence += 1

    def _armed_stored(self):
        """1 once the record that says ARMED is durable; never before."""
        return 1 if self._armed and self.keeper.ok and self.keeper.poll() >= self._armed_number else 0

    def _persist(self):
        """Hand over a record whenever what must survive has changed: latches, spent tokens, armed or clean."""
        out, latches = self.core.kernel.out, self.core.kernel.latches
        armed = out[s.ARM_REQUEST]
        now = (armed, bytes(self.core.kernel.evaluator.latched), out[s.RESETS_LEFT])
        if now == self._saved:
            return
        self._saved = now
        latched = self.core.kernel.evaluator.latched
        record = {"armed": armed, "clean": 1 - armed, "values": {},
                  "latches": {name: 1 for name, stands in zip(self._names, latched) if stands},
                  "token_ages_ms": [age * self.config.tick_ms for age in latches.token_age if age < latches.hour_ticks]}
        number = self.keeper.submit(record)
        if armed and not self._armed:
            self._armed_number = number
        self._armed = armed

    def summary(self):
        """(reason code of the binding limit, run state, set-point of all units in W) of the last tick."""
        core = self.core
        out = core.out
        return (out[core.chain_at + O_BINDING_REASON], out[s.STATE], out[core.chain_at + O_SETPOINT_W])

    def request_reset(self, kind, first_out, mask):
        """An operator's reset for the next tick, naming the first-out and the mask the operator saw."""
        self.image.inp[s.RESET_KIND] = kind
        self.image.inp[s.RESET_FIRST_OUT] = first_out
        self.image.inp[s.RESET_MASK] = mask

    def request_run(self, run):
        """1: the cabinet is to run; 0: a controlled stop."""
        self.image.inp[s.RUN_REQUEST] = 1 if run else 0


def stage_instances(layout):
    """Name of every stage instance in the kernel's order: "29.rack2", "41a.unit1", "1a" in the cabinet."""
    names = []
    for scope, name, count in ((s.CABINET, "", 1), (s.UNIT, ".unit", layout.units), (s.RACK, ".rack", layout.racks)):
        for number in range(1, count + 1):
            names += [stage[matrix.S_ID] + (name and f"{name}{number}") for stage in matrix.STAGES
                      if stage[matrix.S_SCOPE] == scope]
    return names


def journal_header(config):
    """What a replay needs and a reader wants to name: images and signal names."""
    layout = config.layout()
    inputs, outputs = replay.signal_names(layout)
    units = [f"unit_{unit}.setpoint_W" for unit in range(layout.units)]
    return {"schema": 1, "safety_image": array("i", config.safety_image),
            "control_image": array("i", config.control_image), "input_names": inputs,
            "output_names": outputs + list(CHAIN_OUTPUTS) + units,
            "stage_instances": stage_instances(layout)}


def core_of(header):
    """Core of a journal header: the factory replay asks for."""
    return Core(header["safety_image"], header["control_image"])
