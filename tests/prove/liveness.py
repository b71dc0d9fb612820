"""Proofs that what is held acts in its time, from any counters and timers of the step before."""

import ast

from claims import (
    RACKS,
    UNITS,
    WAITS,
    Cabinet,
    any_latches,
    any_permit,
    breaking,
    columns,
    is_over,
    rising,
    units_of,
    verdict,
    watched,
)
from symbolic import HIGH, Cond, any_of, equal, implies, no, truth

from controller.config.schema import TICKS_MS
from safety import (
    bounds,
    contactors,
    features,
    image_check,
    matrix as m,
    opening,
    parameters as p,
    rack_limits,
    racks,
    signals as s,
    tapers,
)
from safety.evaluate import STAGE_WORDS, Evaluator
from safety.heating import HISTORY_S
from safety.kernel import ELAPSED_MAX, SIGNALLED, Kernel
from safety.latches import Latches

INHIBITS = (m.D_CHARGE_INHIBIT, m.D_DISCHARGE_INHIBIT)
DERATES = (m.D_CHARGE_DERATE_PCT, m.D_DISCHARGE_DERATE_PCT)
# outputs that drop where their demand is raised
DROPPED = ((s.SUPERVISORY_OK, m.D_FACU), (s.AUX_LOAD_OK, m.D_AUX_SHED))
RAISED = (*SIGNALLED, (s.LAMP_ON, m.D_LAMP), (s.RED_LAMP_ON, m.D_RED_LAMP))
RAMP_TICKS_MAX = p.CABINET_PARAMETERS[p.P_RAMP_TO_ZERO_MS][3] // TICKS_MS[0]


class Instance:
    """One stage of one block, by the table and the image; `due`: it has to act in this step."""

    def __init__(self, cabinet, index, elapsed):
        kernel = cabinet.kernel
        self.index, self.evaluator = index, kernel.evaluator
        which, block = self.evaluator.stage[index], self.evaluator.block[index]
        self.stage, self.units = m.STAGES[which], units_of(kernel, block)
        self.block, words = block, kernel.evaluator.map.stage + which * STAGE_WORDS
        self.set_at, _, self.set_ticks, _ = kernel.image[words : words + STAGE_WORDS]
        self.held = self._held(kernel.features, kernel.features.base[block])
        self.count, self.was_active = self.evaluator.set_count[index], self.active()
        self.later = cabinet.machine.compute(ast.Add, self.count, elapsed, "ticks of a stage")
        self.due = self.held & (self.was_active | (self.set_ticks <= self.later))

    def active(self):
        return truth(self.evaluator.active[self.index])

    def _held(self, words, base):
        """Known and at or beyond the threshold, the gate known and open."""
        feature, gate = base + self.stage[m.S_FEATURE], self.stage[m.S_GATE]
        value, is_open = words.value[feature], True
        if gate != m.NO_GATE:
            is_open = truth(words.known[base + gate]) & truth(words.value[base + gate])
        beyond = self.set_at <= value if self.stage[m.S_SENSE] > 0 else value <= self.set_at
        return truth(words.known[feature]) & beyond & is_open

    def looked_at(self, *flags):
        """The flags of the block say that the stage is held."""
        return implies(self.held, any_of(truth(each[self.block]) for each in flags))

    def asks(self, demand, unit=None):
        """The level of a demand; 0 of a unit that it does not concern."""
        return self.stage[m.S_DEMAND][demand] if unit is None or unit in self.units else 0

    def claims(self):
        """It counts on until it is active."""
        count = self.evaluator.set_count[self.index]
        counts = equal(count, self.later) & (count < self.set_ticks)
        return [
            ("what is held counts on", implies(self.held, self.active() | counts)),
            ("what is held for its time is active", implies(self.due, self.active())),
            ("what is held is looked at again", self.looked_at(self.evaluator.busy)),
        ]


def any_step(units, racks):
    """(cabinet, ticks): anything that the invariants allow. The features are anything, not run."""
    cabinet = Cabinet(units, racks)
    machine, kernel = cabinet.machine, cabinet.kernel
    evaluator, words = any_latches(cabinet), kernel.features
    cabinet.any(evaluator.busy, 0, 1)
    any_permit(cabinet)
    any_limits(cabinet)
    cabinet.any(words.value, -HIGH // 2, HIGH // 2)
    cabinet.any(words.changed, 0, 1)
    cabinet.any(kernel.conflict_ticks, 0, s.TICKS_MAX)
    machine.assume(watched(evaluator))
    calls = []
    machine.stubs |= {
        features.Features.update: lambda *_: None,
        image_check.ImageCheck.update: lambda *_: None,
        rack_limits.RackLimits.update: lambda machine, *_: truth(machine.symbol("moved", 0, 1)),
        bounds.Bounds._rack_limits: lambda *_: None,
        tapers.scale_W: lambda *given: rising(*given, calls),
        Evaluator.note_first: lambda *_: None,
        Latches.publish_causes: lambda *_: None,
        Kernel._combine: lambda *_: demanded(cabinet),
    }
    return cabinet, machine.symbol("elapsed", 1, ELAPSED_MAX)


def any_limits(cabinet):
    """Limits of racks are anything; what is published is at most the rated power."""
    machine, b = cabinet.machine, cabinet.kernel.bounds
    for place in range(len(b.limit_W)):
        if place % bounds.LIMIT_COUNT != bounds.L_PCS_RATED:
            b.limit_W[place] = machine.symbol("limit_W", 0, HIGH)
    for words in (b.lowest_W, b.published_W):
        cabinet.any(words, 0, HIGH)
    for place, at in enumerate(b.publish_at):
        cabinet.kernel.out[at] = b.published_W[place]
    cabinet.any(b.signature, -1, HIGH)


def demanded(cabinet):
    """Stands for Kernel._combine: any demands of which `a_fault_never_lowers_a_demand` is true."""
    machine, kernel = cabinet.machine, cabinet.kernel
    evaluator = kernel.evaluator
    tops = [levels[-1] for levels in columns()]
    for demands in (kernel.demand, kernel.unit_demand):
        demands[:] = [
            machine.symbol("level", 0, tops[at % len(tops)]) for at in range(len(demands))
        ]
    cabinet.any(kernel.standing, 0, HIGH)
    for index in range(evaluator.count):
        stands = truth(evaluator.active[index]) | truth(evaluator.latched[index])
        for place, level in enumerate(m.STAGES[evaluator.stage[index]][m.S_DEMAND]):
            at = [unit * m.DEMAND_COUNT for unit in units_of(kernel, evaluator.block[index])]
            levels = [kernel.demand[place], *(kernel.unit_demand[each + place] for each in at)]
            machine.assume([implies(stands, level <= each) for each in levels])


def what_is_held_acts_in_its_time(units=UNITS, racks=RACKS):
    """Kernel.step: held features count on, then take permits and limits in that step"""
    cabinet, elapsed = any_step(units, racks)
    machine, kernel = cabinet.machine, cabinet.kernel
    instances = [Instance(cabinet, index, elapsed) for index in range(kernel.evaluator.count)]
    changed, busy = kernel.features.changed, kernel.evaluator.busy
    machine.assume([each.looked_at(changed, busy) for each in instances])
    before = Before(cabinet)
    machine.call(kernel.step, elapsed)
    claims = [claim for each in instances for claim in each.claims()]

    def asked(demand, level=1, unit=None):
        """Some instance has to act that asks for so much."""
        return any_of(each.due for each in instances if each.asks(demand, unit) >= level)

    claims += signals_follow(kernel, asked) + before.opened(asked, elapsed) + before.left()
    for unit in range(cabinet.layout.units):
        claims += before.limited(asked, unit, elapsed)
    return cabinet.shown(claims)


def signals_follow(kernel, asked):
    """An output follows its demand at once. The fan alone waits for an agent (`settled`)."""
    levels = [(*each, 0) for each in DROPPED] + [(*each, 1) for each in RAISED]
    return [
        (m.DEMANDS[demand], implies(asked(demand), equal(kernel.out[output], level)))
        for output, demand, level in levels
    ]


class Before:
    """The state before a step, for the claims about the state after it."""

    def __init__(self, cabinet):
        kernel = cabinet.kernel
        self.machine, self.kernel, self.layout = cabinet.machine, kernel, cabinet.layout
        self.waited, self.load = list(kernel.permit.opening.waited), breaking(cabinet)
        self.supplied = truth(kernel.out[s.CONTACTOR_SUPPLY_OK])
        self.published = list(kernel.bounds.published_W)
        self.features = self._features()

    def _features(self):
        """Words of units and racks."""
        words = self.kernel.features
        return [each[words.unit_base :] for each in (words.value, words.known)]

    def left(self):
        """Only Features.update writes them, so that its marks say what has moved."""
        pairs = zip(sum(self.features, []), sum(self._features(), []))
        return [("nothing else writes a feature", equal(one, other)) for one, other in pairs]

    def opened(self, asked, elapsed):
        """How a demand opens: at once, at zero current, in gas by the breaker."""
        kernel, out = self.kernel, self.kernel.out
        permit, off = kernel.permit, equal(out[s.CONTACTOR_SUPPLY_OK], 0)
        stop, opens = asked(m.D_PCS, m.PCS_STOP), asked(m.D_DC, m.DC_OPEN_AT_ZERO)
        over = {name: is_over(permit, opening.W_DEMAND, f"{name}_ticks") for name in WAITS}
        at_zero, now = over["open"] & over["zero"] & over["unknown"], kernel.demand[m.D_DC]
        may = no(self.load) | is_over(permit, opening.W_FUSE, "fuse_ticks")
        in_gas, at_once = equal(now, m.DC_OPEN_ONLY_AT_ZERO), equal(now, m.DC_OPEN)
        helped, removes = off | equal(out[s.SHUNT_TRIP_ON], 1), asked(m.D_REMOVAL) & over["removal"]
        wait, fuse = (self.runs(place, elapsed) for place in (opening.W_DEMAND, opening.W_FUSE))
        claims = [
            ("a stop takes the enable", stop, equal(out[s.PCS_ENABLE_OK], 0)),
            ("nothing closes", asked(m.D_DC, m.DC_INHIBIT) & no(self.supplied), off),
            ("what opens trips", opens, off | equal(permit.state[0], s.TRIPPED)),
            ("the wait of a demand runs", opens, off | wait),
            ("the wait of a fuse runs", opens & self.load, off | fuse),
            ("it opens at once", opens & at_once & over["open"] & may, off),
            ("it opens at zero", opens & no(in_gas) & at_zero & may, off),
            ("the breaker is asked", opens & in_gas & over["breaker"], helped),
            ("it opens in gas", opens & in_gas & removes & may, off),
        ]
        return [(what, implies(when, then)) for what, when, then in claims]

    def runs(self, place, elapsed):
        """A waiting time has begun, or runs on."""
        before, now = self.waited[place], self.kernel.permit.opening.waited[place]
        more = self.machine.compute(ast.Add, before, elapsed, "ticks of a wait")
        goes_on = (more <= now) | equal(now, s.TICKS_MAX)
        return implies(before < 0, equal(now, 0)) & implies(before >= 0, goes_on)

    def limited(self, asked, unit, elapsed):
        """Limits of a unit: a stop or an inhibit leaves nothing, a ramp and a derate their part."""
        b, found = self.kernel.bounds, []
        stop, ramp = (asked(m.D_PCS, level, unit) for level in (m.PCS_STOP, m.PCS_RAMP))
        for way in range(2):
            place, inhibit, derate = 2 * unit + way, INHIBITS[way], DERATES[way]
            at = place * bounds.LIMIT_COUNT
            left = self.kernel.out[b.publish_at[place]]
            b.published_W[place] = self.published[place]
            ramped = self.machine.call(b._ramped_W, place, b.limit_W[at], elapsed)
            now = stop | asked(inhibit, m.INHIBIT_AT_ONCE, unit)
            soon = ramp | asked(inhibit, m.INHIBIT_BY_RAMP, unit)
            found += [("nothing is left", now, equal(left, 0)), ("it ramps", soon, left <= ramped)]
            for level in columns()[derate][1:]:
                share = self.machine.call(b._share_W, at, (100 - level) * 10)
                found.append(("it derates", asked(derate, level, unit), left <= share))
        return [(what, implies(when, then)) for what, when, then in found]


def what_moves_is_looked_at():
    """Features.update: a word of a unit or rack that moves marks its block, or is of none held"""
    cabinet = Cabinet()
    machine, kernel = cabinet.machine, cabinet.kernel
    words = kernel.features
    any_features(cabinet)
    before = list(words.value), list(words.known)
    machine.call(words.update, cabinet.elapsed())
    claims = []
    for block in range(1, len(words.changed)):
        scope, marked = 1 if block <= cabinet.layout.units else 2, truth(words.changed[block])
        for at, name in enumerate(m.FEATURES[scope]):
            place = words.base[block] + at
            same = equal(before[0][place], words.value[place])
            same = same & equal(before[1][place], words.known[place])
            of_none = trips_above_0(scope, at) & (words.value[place] <= 0)
            claims.append((name, same | marked | of_none))
    return cabinet.shown(claims)


def any_features(cabinet):
    """Features that look back may have any value."""
    words = cabinet.kernel.features
    heating, many = words.racks.heating, HIGH // 2
    cabinet.any_ages()
    cabinet.any(words.value, -many, many)
    cabinet.any(words.known, 0, m.DOUBTED)
    cabinet.any(words.changed, 0, 1)
    for each, most in (
        (words.racks.clock, 99),
        (words.racks.open_string, racks.FLOWS),
        (words.racks.mismatch, contactors.UNKNOWN_FAULT),
        (heating.place, HISTORY_S - 1),
        (heating.zeros, cabinet.layout.modules),
        (heating.doubt_s, HISTORY_S),
        (heating.whole_s, HISTORY_S),
    ):
        cabinet.any(each, 0, most)
    cabinet.any(words.witness.words, -many, many)


def trips_above_0(scope, feature):
    """No stage acts on this feature at 0 or less, and none has it as its gate."""
    stages = [stage for stage in m.STAGES if stage[m.S_SCOPE] == scope]
    gates = [stage[m.S_GATE] for stage in stages]
    acts = [stage for stage in stages if stage[m.S_FEATURE] == feature]
    above = all(stage[m.S_SENSE] > 0 and stage[m.S_SET] > 0 for stage in acts)
    return above and feature not in gates


def a_ramp_ends():
    """_ramped_W: steps that together last ramp_ticks (each) leave nothing of any power"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    rated, before = b.limit_W[bounds.L_PCS_RATED], machine.symbol("before_W", 0, HIGH)
    elapsed, claims = machine.symbol("elapsed", 1, ELAPSED_MAX), []
    machine.assume([before <= rated])
    for b.ramp_ticks in range(1, RAMP_TICKS_MAX + 1):
        lefts = []
        for ticks in (1, elapsed):
            b.published_W[0] = before
            lefts.append(machine.call(b._ramped_W, 0, rated, ticks))
        fell, fell_late = (machine.compute(ast.Sub, before, left, "fall") for left in lefts)
        whole = fell.e * b.ramp_ticks > rated.e
        claims += [
            ("the steps of a whole ramp", equal(lefts[0], 0) | Cond(whole)),
            ("a late step", equal(lefts[1], 0) | Cond(fell_late.e == fell.e * elapsed.e)),
        ]
    return verdict(machine, claims)
