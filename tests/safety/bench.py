"""A kernel with a complete, healthy cabinet in its input arrays."""

from array import array

import late_steps

from hil.oracle.kernel_steps import fill
from safety import matrix as m, parameters as p, signals as s
from safety.kernel import Kernel

COARSE = 20  # ticks, 0.4 s: as late as a step may be without a trip of row 44


def default_image(units=1, racks=1, modules=15, tick_ms=20, **changed):
    """changed: parameters by name, of cabinet, units or racks: a tuple has one for each."""
    tables = p.CABINET_PARAMETERS, p.UNIT_PARAMETERS, p.RACK_PARAMETERS
    unknown = set(changed) - {row[0] for table in tables for row in table} - {"rack_modules"}
    if unknown:
        raise KeyError(f"no such parameter: {', '.join(sorted(unknown))}")
    changed["modules"] = changed.pop("rack_modules", modules)
    changed["unit"] = tuple([rack % max(1, units) for rack in range(racks)])
    words = [p.IMAGE_SCHEMA, units, racks, modules, tick_ms]
    for table, blocks in zip(tables, (1, units, racks)):
        for block in range(blocks):
            values = [changed.get(row[0], row[4]) for row in table]
            words += [each[block] if isinstance(each, tuple) else each for each in values]
    for stage in m.STAGES:
        times = [p.ticks(stage[at], tick_ms) for at in (m.S_SET_MS, m.S_CLEAR_MS)]
        words += [stage[m.S_SET], stage[m.S_CLEAR], *times]
    words += [1] * (p.ImageMap(units, racks, m.STAGES_PER_SCOPE).words - len(words))
    return array("i", words)


def disarm(evaluator, image, indices):
    image_map = p.ImageMap(image[p.H_UNITS], image[p.H_RACKS], m.STAGES_PER_SCOPE)
    image = array("i", image)
    for index in indices:
        image[image_map.armed + index] = 0
    evaluator.build(image, image_map)


class Inputs:
    def set(self, signal, value):
        self.kernel.inp[signal] = value
        return self

    def set_rack(self, signal, value, rack=0):
        return self.set(self.kernel.layout.rack_input(rack, signal), value)

    def set_unit(self, signal, value, unit=0):
        return self.set(self.kernel.layout.unit_input(unit, signal), value)

    def of(self, feature, scope=s.CABINET, block=0):
        """(value, known) of a feature."""
        features = self.kernel.features
        first = (0, features.unit_base, features.rack_base)[scope]
        at = first + block * len(m.FEATURES[scope]) + feature
        return features.value[at], features.known[at]

    def of_unit(self, feature, unit=0):
        return self.of(feature, s.UNIT, unit)

    def of_rack(self, feature, rack=0):
        return self.of(feature, s.RACK, rack)

    def silence(self, *groups):
        self.silent |= set(groups)
        return self

    def speak(self, *groups):
        self.silent -= set(groups) if groups else self.silent
        return self


class Bench(Inputs):
    """A kernel that is stepped; inputs in `held` {index: value} stay, for any outputs."""

    def __init__(self, image=None, **topology):
        self.held, self.is_alone = {}, False
        self.kernel = Kernel(image if image is not None else default_image(**topology))
        self.inp, self.out, self.layout = self.kernel.inp, self.kernel.out, self.kernel.layout
        self.silent, self.welded, self.count = set(), False, 0
        self.counts_late_steps = False
        fill(self.inp, self.layout)

    def unit(self, signal, unit=0):
        return self.out[self.layout.unit_output(unit, signal)]

    def rack(self, signal, rack=0):
        return self.out[self.layout.rack_output(rack, signal)]

    def step(self, steps=1, elapsed=1):
        fresh = bytes([0 if group in self.silent else 1 for group in range(self.layout.groups)])
        kernel = self.kernel
        for _ in range(steps):
            self.count += 1
            self._follow()
            kernel.fresh[:] = fresh
            kernel.step(elapsed)
            if not self.counts_late_steps:
                late_steps.forget(kernel)
            self.inp[s.RESET_KIND] = 0
        return self

    def _follow(self):
        inp, out = self.inp, self.out
        inp[s.GRID_RAW_HASH] = inp[s.LOAD_RAW_HASH] = self.count
        inp[s.ARMED_STORED] = out[s.ARM_REQUEST]
        inp[s.PERMIT_1_CLOSED] = out[s.PCS_ENABLE_OK] & ~out[s.WITHHOLD_ON]
        inp[s.PERMIT_2_CLOSED] = out[s.CONTACTOR_SUPPLY_OK] & ~out[s.WITHHOLD_ON]
        inp[s.AIRFLOW_OK] = inp[s.DAMPER_OK] = 1
        inp[s.KEY_SERVICE_CLOSED] = 1 - inp[s.KEY_RUN_OK]
        for rack in range(self.layout.racks):
            closed = self.rack(s.CONTACTOR_CLOSE_OK, rack) or self.welded
            state = s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN
            self.set_rack(s.CONTACTOR_STATE, state, rack)
        for unit in range(self.layout.units):
            racks = range(unit, self.layout.racks, self.layout.units)
            currents = [inp[self.layout.rack_input(rack, s.RACK_CURRENT_MA)] for rack in racks]
            self.set_unit(s.PCS_DC_CURRENT_MA, sum(currents), unit)
            self.set_unit(s.PCS_SENT_W, inp[self.layout.unit_input(unit, s.PCS_POWER_W)], unit)
        for at, value in self.held.items():
            inp[at] = value

    def run(self):
        """Start and let the limits recover (22 s); fails if energy is not permitted then."""
        self.step(60).step(130, elapsed=8)  # later steps recover no more
        if self.out[s.STATE] != s.RUNNING:
            raise AssertionError(f"did not start: inhibit reason {self.out[s.INHIBIT_REASON]}")
        return self

    def standing(self):
        evaluator = self.kernel.evaluator
        return [
            m.STAGES[evaluator.stage[index]][m.S_ID]
            for index in range(evaluator.count)
            if evaluator.standing(index)
        ]

    def key_reset(self):
        """Turn the key out of RUN (row 47, one step), then ask for a reset by key."""
        self.inp[s.KEY_RUN_OK] = 0
        return self.step().reset(m.KEY)

    def reset(self, kind=m.REMOTE):
        self.inp[s.RESET_KIND] = kind
        self.inp[s.RESET_FIRST_OUT] = self.out[s.FIRST_OUT_INSTANCE]
        self.inp[s.RESET_MASK] = self.out[s.CAUSE_MASK]
        return self

    def wait(self, waited_ticks):
        """Let time pass in late steps: exact for all but clear times."""
        if self.is_alone and waited_ticks > 1:  # row 44 is not armed
            return self.step().step(1, elapsed=waited_ticks - 1)
        self.step(waited_ticks // COARSE, elapsed=COARSE)
        return self.step(waited_ticks % COARSE)

    def rack_at(self, signal, rack=0):
        return self.layout.rack_input(rack, signal)

    def bms_groups(self, rack=0):
        return {self.layout.rack_group(rack, group) for group in range(len(s.RACK_GROUPS))}

    def load(self, current_mA):
        for rack in range(self.layout.racks):
            self.set_rack(s.RACK_CURRENT_MA, current_mA, rack)
        return self

    def hold(self, at, value):
        self.held[at] = value
        return self

    def hold_rack(self, signal, value, rack=0):
        return self.hold(self.rack_at(signal, rack), value)

    def hold_unit(self, signal, value, unit=0):
        return self.hold(self.layout.unit_input(unit, signal), value)

    def instance(self, name):
        stages = list(enumerate(self.kernel.evaluator.stage))
        return max(index for index, stage in stages if m.STAGES[stage][m.S_ID] == name)

    def alone(self, *names):
        self.is_alone = True
        kept = [self.instance(name) for name in names]
        evaluator = self.kernel.evaluator
        others = [at for at in range(evaluator.count) if at not in kept]
        disarm(evaluator, self.kernel.image, others)
        return self
