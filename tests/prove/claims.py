"""What is proved of the shipped functions, for all values and not for some.

Each claim runs the shipped source on symbolic numbers (symbolic.py) and asks Z3 for a
counterexample; no counterexample and no obligation left open is "held", anything else, a time-out
too, is not. A claim returns None, or why it is not held.
"""

import ast
import itertools
import operator
import sys

from symbolic import (
    HIGH,
    LOW,
    Cond,
    Machine,
    Unknown,
    bits_of,
    both,
    compare,
    either,
    ends,
    formula,
    from_bits,
    inverse,
    truth,
)

from hil import forks
from safety import (
    bounds,
    contactors as c,
    crc,
    evaluate,
    matrix as m,
    parameters as p,
    permit as permits,
    rack_limits,
    signals as s,
    tapers,
)
from safety.kernel import ELAPSED_MAX, Kernel

TICK_MS = 20
ROUNDS_MAX = 60
SMALL = 1000
CLAMP_MIN = 100  # the smallest one: runaway.SIGN_PCT_MAX
# parameters that decide how much there is, not how much it may be
SHAPES = ("bool", "count", "index")


def at_most(a, b):
    """a <= b."""
    return compare(operator.le, a, b)


def equal(a, b):
    """a == b."""
    return compare(operator.eq, a, b)


def implies(a, b):
    """If a then b."""
    return either(inverse(a), b)


def over_crc(machine, value, word):
    """For the CRC: any register value."""
    return machine.symbol("crc", 0, HIGH)


def stubs():
    """What is not run but stands for anything: CRCs."""
    return {
        crc.add_word: over_crc,
        p.image_crc: lambda machine, *_: machine.symbol("crc", 0, HIGH),
        evaluate.Evaluator.cause_mask: lambda machine, *_: machine.symbol("mask", 0, HIGH),
    }


def symbolic_image(machine, units, racks, modules, end):
    """Any quantity in its range; flags and counts at one end (0 low, 1 high); all stages armed."""

    def word(row, **fixed):
        shape = row[2 + end] if row[1] in SHAPES else None
        return fixed.get(row[0], machine.symbol(row[0], row[2], row[3]) if shape is None else shape)

    words = [p.IMAGE_SCHEMA, units, racks, modules, TICK_MS]
    words += [word(row) for row in p.CABINET_PARAMETERS]
    for _ in range(units):
        words += [word(row) for row in p.UNIT_PARAMETERS]
    for rack in range(racks):
        words += [word(row, unit=rack % units, modules=modules) for row in p.RACK_PARAMETERS]
    for stage in m.STAGES:
        words += [stage[m.S_SET], stage[m.S_CLEAR]]
        words += [p.ticks(stage[each], TICK_MS) for each in (m.S_SET_MS, m.S_CLEAR_MS)]
    return words + [1] * (p.ImageMap(units, racks, m.STAGES_PER_SCOPE).words - len(words))


def input_ranges(layout):
    """(low, high) of every input, from the tables of signals.py."""
    rack = [row[2:4] for row in s.RACK_INPUTS]
    rack += [s.MODULE_TEMPERATURE_RANGE_DDEGC] * layout.modules
    unit = [row[2:4] for row in s.UNIT_INPUTS]
    return [row[2:4] for row in s.CABINET_INPUTS] + unit * layout.units + rack * layout.racks


class Cabinet:
    """A kernel that was constructed symbolically, with inputs anywhere in their declared ranges."""

    def __init__(self, units=1, racks=1, modules=2, end=1):
        self.machine = Machine(stubs())
        image = symbolic_image(self.machine, units, racks, modules, end)
        self.kernel = self.machine.call(Kernel, image)
        self.layout = self.kernel.layout
        for place, (low, high) in enumerate(input_ranges(self.layout)):
            self.kernel.inp[place] = self.machine.symbol("inp", low, high)
        self.any(self.kernel.fresh, 0, 1)

    def any(self, values, low, high):
        """Every element of a list becomes a number of that range."""
        values[:] = self.machine.symbols("any", low, high, len(values))

    def any_ages(self):
        """Any freshness of every group."""
        ages = self.kernel.features.ages
        self.any(ages.ticks, 0, s.TICKS_MAX)
        self.any(ages.seen, 0, 1)
        self.any(ages.oldest_ticks, 0, s.TICKS_MAX)

    def elapsed(self):
        """Any number of ticks that a step is given."""
        return self.machine.symbol("elapsed", 0, ELAPSED_MAX)

    def conclude(self, claims):
        """Why the claims or the obligations on the way do not hold, or None."""
        return verdict(self.machine, claims)


def verdict(machine, claims):
    """None if all is held."""
    return _words(machine.refute(claims) or machine.refute(machine.obligations))


def _words(found):
    if isinstance(found, tuple):
        return f"{found[0]}: {found[1]}"
    return None if found is None else str(found)


def scale_is_within():
    """scale_W: never below 0, never above the power, rises with the share and with the power"""
    machine = Machine()
    power, more = machine.symbol("power_W", 0, HIGH), machine.symbol("more_W", 0, HIGH)
    machine.facts.append(power.e <= more.e)
    claims, before = [], None
    for permille in range(1001):
        scaled = machine.call(tapers.scale_W, power, permille)
        claims += [
            ("above 0", at_most(0, scaled)),
            ("at most the power", at_most(scaled, power)),
            ("rises with the power", at_most(scaled, machine.call(tapers.scale_W, more, permille))),
        ]
        if before is not None:
            claims.append(("rises with the share", at_most(before, scaled)))
        before = scaled
    claims.append(("all of it at 1000", equal(before, power)))
    return verdict(machine, claims)


def taper_is_within():
    """taper_permille: 0 to 1000, 0 from none_at on, 1000 up to full_at, falls in between"""
    machine = Machine()
    value, further = (machine.symbol(name, -(1 << 29), 1 << 29) for name in ("value", "further"))
    full, none = (machine.symbol(name, -1000, 1_000_000) for name in ("full_at", "none_at"))
    up = compare(operator.lt, full, none)
    machine.facts.append(inverse(equal(full, none)).e)

    def on(near, far):
        """far lies at or beyond near, in the direction of the taper."""
        return either(both(up, at_most(near, far)), both(inverse(up), at_most(far, near)))

    left, later = (
        machine.call(tapers.taper_permille, each, full, none) for each in (value, further)
    )
    claims = [
        ("within", both(at_most(0, left), at_most(left, 1000))),
        ("falls", implies(on(value, further), at_most(later, left))),
        ("none", implies(on(none, value), equal(left, 0))),
        ("full", implies(on(value, full), equal(left, 1000))),
    ]
    return verdict(machine, claims)


def a_limit_never_widens():
    """_lowest: at most every limit, named rightly; smaller limits never give more"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    count = bounds.LIMIT_COUNT
    claims = []
    for way in range(2):
        first = way * count
        wide = machine.symbols("limit_W", 0, HIGH, count)
        narrow = machine.symbols("narrower_W", 0, HIGH, count)
        machine.facts += [tight.e <= loose.e for tight, loose in zip(narrow, wide)]
        results = []
        for limits in (wide, narrow):
            b.limit_W[first : first + count] = list(limits)
            machine.call(b._lowest, 0, way)
            results.append(b.lowest_W[way])
            reason = b.out[cabinet.layout.unit_output(0, _reason(way))]
            claims += [("at most every limit", at_most(b.lowest_W[way], limit)) for limit in limits]
            claims += [
                ("the reason", implies(equal(reason, place), equal(b.lowest_W[way], limit)))
                for place, limit in enumerate(limits)
            ]
        claims.append(("narrower", at_most(results[1], results[0])))
    return cabinet.conclude(claims)


def _reason(way):
    return s.DISCHARGE_REASON if way else s.CHARGE_REASON


def what_is_published_is_within():
    """_publish: 0 to the lowest limit and rated power; smaller limits never give more"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    elapsed, rated = cabinet.elapsed(), b.limit_W[0]
    lowest = machine.symbols("lowest_W", 0, HIGH, 2)
    published = machine.symbols("published_W", 0, HIGH, 2)
    machine.facts += [
        lowest[1].e <= lowest[0].e,
        published[1].e <= published[0].e,
        lowest[0].e <= rated.e,
        published[0].e <= rated.e,
    ]
    after = []
    for run in range(2):
        b.lowest_W[0], b.published_W[0] = lowest[run], published[run]
        machine.call(b._publish, 0, elapsed)
        after.append(b.published_W[0])
    assert bounds.L_PCS_RATED == 0
    return cabinet.conclude(
        [
            ("within", both(at_most(0, after[0]), at_most(after[0], lowest[0]))),
            ("rated", at_most(after[0], rated)),
            ("narrower", at_most(after[1], after[0])),
        ]
    )


def columns():
    """The levels that some stage demands, per demand; 0 among them."""
    return [
        sorted({0, *(stage[m.S_DEMAND][place] for stage in m.STAGES)})
        for place in range(m.DEMAND_COUNT)
    ]


def a_demand_never_widens_a_limit():
    """_limits: with any demands raised, or no permit, no limit of a unit is more than without"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    elapsed, permitted = cabinet.elapsed(), machine.symbol("running", 0, 1)
    # within rated: shown by the claim before
    b.published_W[:] = machine.symbols("published_W", 0, HIGH, 2)
    machine.facts += [each.e <= b.limit_W[0].e for each in b.published_W]
    derates, claims = (m.D_CHARGE_DERATE_PCT, m.D_DISCHARGE_DERATE_PCT), []
    lower = [machine.symbol("level", 0, max(levels)) for levels in columns()]
    higher = [machine.symbol("higher", 0, max(levels)) for levels in columns()]
    machine.facts += [
        at_most(a, b_).e for a, b_ in zip(lower, higher) if isinstance(at_most(a, b_), Cond)
    ]
    for way, place in enumerate(derates):
        for less in columns()[place]:
            for more in (each for each in columns()[place] if each >= less):
                lower[place], higher[place], after = less, more, []
                for demand, running in ((lower, 1), (higher, permitted)):
                    machine.call(b._limits, 0, way, elapsed, demand, 0, running)
                    after.append(
                        b.limit_W[way * bounds.LIMIT_COUNT : (way + 1) * bounds.LIMIT_COUNT]
                    )
                claims += [
                    (f"{name}, derate {less} to {more}", at_most(tight, loose))
                    for name, loose, tight in zip(bounds.LIMITS, *after)
                ]
                claims += [
                    ("at most rated", both(at_most(0, each), at_most(each, after[0][0])))
                    for each, name in zip(after[0], bounds.LIMITS)
                    if name in ("derate", "inhibit", "stop", "permit")
                ]
    return cabinet.conclude(claims)


def a_weaker_rack_never_widens():
    """_rack_limits: racks that allow less get no larger share; the BMS's limit is 0 to rated"""
    cabinet = Cabinet(racks=2)
    machine, b = cabinet.machine, cabinet.kernel.bounds
    # see a_share_never_widens
    machine.stubs[bounds.Bounds._share_W] = lambda machine, at, permille: permille
    strong = [machine.symbol("word", 0, top) for _ in range(2) for top in rack_words()]
    weak = [
        each
        if place % rack_limits.RACK_LIMITS == rack_limits.RL_CLOSED
        else machine.symbol("weaker", 0, each.high)
        for place, each in enumerate(strong)
    ]
    machine.facts += [less.e <= more.e for less, more in zip(weak, strong)]
    names = ("cell_voltage_taper", "temperature_taper", "soc_taper", "bms_silence")
    tapered = [bounds.LIMITS.index(name) for name in names]
    claims = []
    for way in range(2):
        after = []
        for words in (strong, weak):
            b.rack_limit[:] = words
            machine.call(b._rack_limits, 0, way)
            after.append(b.limit_W[way * bounds.LIMIT_COUNT : (way + 1) * bounds.LIMIT_COUNT])
            current = after[-1][bounds.L_BMS_CURRENT]
            claims.append(("within", both(at_most(0, current), at_most(current, b.limit_W[0]))))
            claims += [("at least nothing", at_most(0, after[-1][place])) for place in tapered]
        narrower = [at_most(after[1][place], after[0][place]) for place in tapered]
        claims += list(zip(names, narrower))
    return cabinet.conclude(claims)


def rising(machine, power_W, permille, calls):
    """For scale_W: any function that does what `scale_is_within` has shown of it."""
    scaled = machine.symbol("scaled_W", 0, HIGH)
    machine.facts.append(formula(implies(at_most(permille, 1000), at_most(scaled, power_W))))
    calls.append((power_W, permille, scaled))
    for first, second in itertools.permutations(calls, 2):
        below = both(at_most(first[0], second[0]), at_most(first[1], second[1]))
        machine.facts.append(formula(implies(below, at_most(first[2], second[2]))))
    return scaled


def a_share_never_widens():
    """_share_W: 0 to rated power; no more of a smaller share, nor where less is left"""
    cabinet = Cabinet()
    machine, b, calls = cabinet.machine, cabinet.kernel.bounds, []
    machine.stubs[tapers.scale_W] = lambda machine, power_W, permille: rising(
        machine, power_W, permille, calls
    )
    most, least = machine.symbols("left_W", 0, HIGH, 2), machine.symbols("less_W", 0, HIGH, 2)
    whole, part = machine.symbol("permille", 0, HIGH), machine.symbol("less_permille", 0, HIGH)
    rated = b.limit_W[bounds.L_PCS_RATED]
    machine.facts += [less.e <= more.e for less, more in zip([*least, part], [*most, whole])]
    machine.facts += [each.e <= rated.e for each in most]
    claims, found = [], []
    for left, permille in ((most, whole), (least, part)):
        b.limit_W[bounds.L_INSTALLER], b.limit_W[bounds.L_BMS_CURRENT] = left
        share = machine.call(b._share_W, 0, permille)
        claims.append(("within", both(at_most(0, share), at_most(share, rated))))
        found.append(machine.call(min, share, *left))
    return cabinet.conclude([*claims, ("no more of less", at_most(found[1], found[0]))])


def rack_words():
    """The most that each word of a rack may be, by the ranges of what it is taken from."""
    tops = [tapers.FULL_PERMILLE] * rack_limits.RACK_LIMITS
    (rated_mA,) = [row[3] for row in p.RACK_PARAMETERS if row[0] == "rated_current_mA"]
    tops[rack_limits.RL_CURRENT_MA] = tops[rack_limits.RL_CURRENT_MA + 1] = rated_mA
    (tops[rack_limits.RL_VOLTAGE_V],) = [
        row[3] // 1000 for row in s.RACK_INPUTS if row[0] == "rack_voltage_mV"
    ]
    tops[rack_limits.RL_CLOSED] = 1
    return tops


def a_fault_never_lowers_a_demand():
    """_combine, _settle: each demand is the highest, so more never lowers it but by CONFLICTS"""
    cabinet = Cabinet(units=2, racks=3)
    machine, kernel = cabinet.machine, cabinet.kernel
    any_demands(cabinet)
    machine.call(kernel._combine)
    nothing = equal(kernel.standing[0], 0)
    claims = [
        ("nothing stands, nothing is demanded", implies(nothing, equal(each, 0)))
        for each in kernel.demand + kernel.unit_demand
    ]
    claims += [
        ("nothing stands, no alert does", implies(nothing, inverse(bit)))
        for bit in bits_of(kernel.standing[1])
    ]
    scopes = [(kernel.demand, None)] + [
        (kernel.unit_demand[unit * m.DEMAND_COUNT :], unit) for unit in range(cabinet.layout.units)
    ]
    for demands, unit in scopes:
        for place, levels in enumerate(columns()):
            for level in levels[1:]:
                asked = standing(
                    kernel,
                    lambda row, block: (
                        row[m.S_DEMAND][place] >= level
                        and (unit is None or unit in _units(kernel, block))
                    ),
                )
                reached = at_most(level, demands[place])
                claims.append((f"{m.DEMANDS[place]} {level} of unit {unit}", alike(reached, asked)))
            claims.append(("one of its levels", among(demands[place], levels)))
    return cabinet.conclude(claims + settled(cabinet))


def alike(a, b):
    """a if and only if b."""
    return both(implies(a, b), implies(b, a))


def standing(kernel, chosen):
    """Some instance stands whose chosen(stage, block) is true."""
    evaluator, found = kernel.evaluator, False
    for index in range(evaluator.count):
        if chosen(m.STAGES[evaluator.stage[index]], evaluator.block[index]):
            found = either(
                found, either(truth(evaluator.active[index]), truth(evaluator.latched[index]))
            )
    return found


def any_demands(cabinet):
    """Any active and latched instances; demands are anything the invariant allows."""
    machine, kernel = cabinet.machine, cabinet.kernel
    evaluator = kernel.evaluator
    for flags in (evaluator.active, evaluator.latched, evaluator.busy):
        cabinet.any(flags, 0, 1)
    machine.facts += [
        implies(truth(flag), truth(evaluator.busy[evaluator.block[index]])).e
        for flags in (evaluator.active, evaluator.latched)
        for index, flag in enumerate(flags)
    ]
    bits = max(kernel.alert_bits).bit_length()
    kernel.standing[0] = machine.symbol("standing", 0, 1)
    alerts = [truth(each) for each in machine.symbols("alert", 0, 1, bits)]
    kernel.standing[1] = from_bits(alerts)
    nothing = equal(kernel.standing[0], 0)
    for demands in (kernel.demand, kernel.unit_demand):
        cabinet.any(demands, 0, 100)
        machine.facts += [implies(nothing, equal(each, 0)).e for each in demands]
    machine.facts += [implies(nothing, inverse(bit)).e for bit in alerts]


def settled(cabinet):
    """_settle after _combine: a demand of CONFLICTS is 0 while its row stands and has not stood for
    its time; no more.

    What the row says is looked for among the standing instances, not in the bits that the kernel
    made of them.
    """
    machine, kernel = cabinet.machine, cabinet.kernel
    cabinet.any(kernel.conflict_ticks, 0, s.TICKS_MAX)
    combined, ticks, elapsed = list(kernel.demand), list(kernel.conflict_ticks), cabinet.elapsed()
    machine.call(kernel._settle, elapsed)
    claims, yields = [], [False] * m.DEMAND_COUNT
    for place, (demand, row, _, _) in enumerate(m.CONFLICTS):
        stands = standing(kernel, lambda stage, _: stage[m.S_ROW] == row)
        hold, later = kernel.hold_ticks[place], kernel.conflict_ticks[place]
        yields[demand] = either(
            yields[demand], both(stands, compare(operator.lt, ticks[place], hold))
        )
        more = machine.compute(ast.Add, ticks[place], elapsed, "ticks of a conflict")
        runs = either(equal(later, more), at_most(hold, later))
        claims += [
            ("the hold-off runs", implies(stands, runs)),
            ("the hold-off begins anew", implies(inverse(stands), equal(later, 0))),
            ("a conflict never stops the PCS or the DC", demand not in (m.D_PCS, m.D_DC)),
        ]
    for place, (before, now) in enumerate(zip(combined, kernel.demand)):
        claims += [
            ("a demand without a conflict", either(yields[place], equal(now, before))),
            ("a demand that yields", implies(yields[place], equal(now, 0))),
        ]
    return claims


def _units(kernel, block):
    """The units that a block concerns."""
    units = kernel.layout.units
    if block == 0:
        return range(units)
    return (block - 1,) if block <= units else (kernel.features.rack_unit[block - 1 - units],)


def any_permit(cabinet):
    """State of permit and contactors: anything that the invariants of `permit_holds` allow."""
    machine, kernel = cabinet.machine, cabinet.kernel
    cabinet.any_ages()
    permit, out = kernel.permit, kernel.out
    cabinet.any(kernel.contactors.step, c.OPEN, c.FAULT)
    cabinet.any(kernel.contactors.closing_ticks, 0, s.TICKS_MAX)
    cabinet.any(kernel.contactors.open_ticks, 0, s.TICKS_MAX)
    permit.state[:] = machine.symbols("state", 0, len(s.STATES) - 1, 1)
    permit.timer[:] = [*machine.symbols("ticks", 0, s.TICKS_MAX, 2), machine.symbol("opened", 0, 1)]
    permit.waited[:] = machine.symbols("waited", permits.NOT_WAITING, s.TICKS_MAX, 2)
    permit.relays[:] = [
        machine.symbol("tested", 0, len(permits.RELAY_TEST)),
        machine.symbol("ticks", 0, s.TICKS_MAX),
    ]
    permit.tried[:] = [
        machine.symbol("failed", 0, permits.FAILURES_MAX),
        machine.symbol("test", 0, s.TICKS_MAX),
    ]
    for place in (s.CONTACTOR_SUPPLY_OK, s.PCS_ENABLE_OK, s.ARM_REQUEST, *kernel.contactors.out_at):
        out[place] = machine.symbol("out", 0, 1)
    machine.facts += [formula(claim) for _, claim in permit_invariants(kernel)]


def among(value, others):
    """value is one of the others."""
    found = False
    for each in others:
        found = either(found, equal(value, each))
    return found


def testing(permit):
    """The relays are under test: closing, and not every step of the test was read back."""
    return both(
        equal(permit.state[0], s.CLOSING),
        compare(operator.lt, permit.relays[0], len(permits.RELAY_TEST)),
    )


def permit_invariants(kernel):
    """What holds of the permit between two steps; assumed before and shown after."""
    state, opened, out = kernel.permit.state[0], kernel.permit.timer[2], kernel.out
    under_test = testing(kernel.permit)
    supply, enable = equal(out[s.CONTACTOR_SUPPLY_OK], 1), equal(out[s.PCS_ENABLE_OK], 1)
    supplied = both(among(state, permits.LIVE), equal(opened, 0))
    closing_or_running = either(equal(state, s.CLOSING), equal(state, s.RUNNING))
    going, tried = both(supplied, inverse(under_test)), kernel.permit.tried[0]
    at_rest = among(state, permits.AT_REST)
    found = [
        ("supply only while live", implies(supply, supplied)),
        ("then always, but under test", implies(going, supply)),
        ("no enable without supply, but under test", implies(enable, either(supply, under_test))),
        ("running is enabled", implies(both(equal(state, s.RUNNING), supply), enable)),
        ("closing or running is not opened", implies(closing_or_running, equal(opened, 0))),
        ("no test has begun at rest", implies(at_rest, equal(kernel.permit.relays[0], 0))),
        ("at most so many failed closings", at_most(tried, permits.FAILURES_MAX)),
    ]
    for step, at in zip(kernel.contactors.step, kernel.contactors.out_at):
        told, closed = equal(out[at], 1), both(equal(step, c.CLOSED), going)
        has_run = among(step, (c.CLOSED, c.FAULT))
        found += [
            ("nothing is told to close under test", implies(told, both(supply, going))),
            ("nothing has closed under test", implies(under_test, equal(step, c.OPEN))),
            ("what has closed is told to", implies(closed, told)),
            ("what runs has closed", implies(equal(state, s.RUNNING), has_run)),
        ]
    return found


def of_racks(cabinet):
    """(current, first parameter word, rack) of every rack."""
    kernel, layout = cabinet.kernel, cabinet.layout
    for rack, words in enumerate(kernel.contactors.words_at):
        yield kernel.inp[layout.rack_input(rack, s.RACK_CURRENT_MA)], words, rack


def breaking(cabinet):
    """Some rack carries, or did when it was heard last, more than its contactors may open."""
    found = False
    for current, words, _ in of_racks(cabinet):
        limit = cabinet.kernel.image[words + p.R_BREAK_CURRENT_MA]
        beyond = cabinet.machine.compute(ast.Add, current, limit, "current beyond its limit")
        above, below = compare(operator.gt, current, limit), compare(operator.lt, beyond, 0)
        found = either(found, either(above, below))
    return found


def carrying(cabinet):
    """Some rack is known to carry 5 % of its rated current or more."""
    machine, ages, found = cabinet.machine, cabinet.kernel.features.ages, False
    for current, words, rack in of_racks(cabinet):
        rated = cabinet.kernel.image[words + p.R_RATED_CURRENT_MA]
        times = machine.compute(ast.Mult, current, 20, "20 times")
        back = machine.compute(ast.Add, times, rated, "and its rating")
        known = machine.call(ages.known, cabinet.layout.rack_group(rack, s.G_BMS_PACK))
        found = either(found, both(truth(known), either(at_most(rated, times), at_most(back, 0))))
    return found


def permit_holds():
    """Permit.update, one step from any state, inputs, ages and requests, while a cause demands"""
    cabinet = Cabinet(units=2, racks=2)
    any_permit(cabinet)
    machine, kernel = cabinet.machine, cabinet.kernel
    permit, out = kernel.permit, kernel.out
    pcs, dc = machine.symbol("pcs", 0, m.PCS_STOP), machine.symbol("dc", 0, m.DC_OPEN_ONLY_AT_ZERO)
    at_rest = among(permit.state[0], permits.AT_REST)
    supplied = equal(out[s.CONTACTOR_SUPPLY_OK], 1)
    enabled, load, carried = equal(out[s.PCS_ENABLE_OK], 1), breaking(cabinet), carrying(cabinet)
    under = both(supplied, inverse(testing(permit)))  # nothing has closed in the relay test
    machine.call(permit.update, cabinet.elapsed(), pcs, dc)
    off, dark = equal(out[s.CONTACTOR_SUPPLY_OK], 0), equal(out[s.PCS_ENABLE_OK], 0)
    opens, stops = at_most(m.DC_OPEN_AT_ZERO, dc), at_most(m.PCS_STOP, pcs)
    demanded, gas = either(at_most(m.DC_INHIBIT, dc), stops), equal(dc, m.DC_OPEN_ONLY_AT_ZERO)
    tripped = equal(permit.state[0], s.TRIPPED)
    runs = among(permit.state[0], (s.CLOSING, s.RUNNING))
    fused = at_most(permit.fuse_ticks, permit.waited[permits.W_FUSE])
    ramped = both(at_rest, at_most(m.PCS_RAMP, pcs))
    claims = permit_invariants(kernel) + in_its_time(cabinet, dc, load)
    claims += [
        ("a stop takes the enable in its step", implies(stops, dark)),
        ("no new supply against a cause", implies(both(demanded, inverse(supplied)), off)),
        ("no new enable against a cause", implies(both(demanded, inverse(enabled)), dark)),
        ("no closing begins against a ramp", implies(ramped, off)),
        ("an open demand trips", implies(opens, either(off, tripped))),
        (
            "a load too high waits for the fuse",
            implies(both(load, under), either(inverse(off), fused)),
        ),
        ("row 12 opens nothing under load", implies(both(gas, both(carried, under)), inverse(off))),
        ("unwanted nothing closes or runs", implies(unwanted(kernel), inverse(runs))),
    ]
    for unit in range(cabinet.layout.units):
        run = equal(out[cabinet.layout.unit_output(unit, s.PCS_RUN_OK)], 1)
        claims.append(("a stop takes the run", implies(stops, inverse(run))))
    return cabinet.conclude(claims)


def unwanted(kernel):
    """Energy is not requested, locked out, or the test mode has lasted for its time."""
    inp, permit = kernel.inp, kernel.permit
    lasted = compare(operator.gt, permit.tried[1], permit.test_ticks)
    over = both(equal(inp[s.TEST_REQUEST], 1), lasted)
    return either(either(equal(inp[s.RUN_REQUEST], 0), equal(inp[s.LOCK_OUT_OK], 0)), over)


def in_its_time(cabinet, dc, load):
    """After a step a demand has opened in its time, or the fuse's where the load is too high."""
    permit, out = cabinet.kernel.permit, cabinet.kernel.out
    state, waited = permit.state[0], permit.waited[permits.W_DEMAND]
    open_ = equal(out[s.CONTACTOR_SUPPLY_OK], 0)
    breakable = either(inverse(load), at_most(permit.fuse_ticks, permit.waited[permits.W_FUSE]))
    tripped, claims = equal(state, s.TRIPPED), []
    zero = both(at_most(permit.zero_ticks, waited), at_most(permit.unknown_ticks, waited))
    stopped = at_most(permit.stopping_ticks, permit.timer[0])
    for name, when, due in (
        ("DC_OPEN", both(tripped, equal(dc, m.DC_OPEN)), at_most(permit.open_ticks, waited)),
        ("DC_OPEN_AT_ZERO", both(tripped, equal(dc, m.DC_OPEN_AT_ZERO)), zero),
        ("a controlled stop", equal(state, s.STOPPING), stopped),
    ):
        ends = implies(both(when, both(due, breakable)), open_)
        claims.append((f"{name} ends in its time", ends))
    return claims


def relays_are_tested():
    """Permit.update: no new close command before each permit relay fell alone and was read back"""
    cabinet = Cabinet(units=1, racks=2)
    any_permit(cabinet)
    machine, kernel = cabinet.machine, cabinet.kernel
    permit, out, at = kernel.permit, kernel.out, kernel.contactors.out_at
    before, step, told = permit.state[0], permit.relays[0], [out[each] for each in at]
    was_closing = equal(before, s.CLOSING)
    was_tested = both(was_closing, inverse(testing(permit)))
    levels = out[s.PCS_ENABLE_OK], out[s.CONTACTOR_SUPPLY_OK]
    pcs, dc = machine.symbol("pcs", 0, m.PCS_STOP), machine.symbol("dc", 0, m.DC_OPEN_ONLY_AT_ZERO)
    machine.call(permit.update, cabinet.elapsed(), pcs, dc)
    closing, running = equal(permit.state[0], s.CLOSING), equal(permit.state[0], s.RUNNING)
    claims, after_test = [], both(was_tested, closing)
    for old, each in zip(told, at):
        is_new = both(equal(old, 0), equal(out[each], 1))
        claims.append(("a new close command comes after the test", implies(is_new, after_test)))
    begins, has_run = both(closing, inverse(was_closing)), equal(before, s.RUNNING)
    claims += [
        ("running follows the test", implies(running, either(has_run, was_tested))),
        ("closing begins with the first step", implies(begins, equal(permit.relays[0], 0))),
    ]
    return cabinet.conclude(claims + read_back(cabinet, both(closing, was_closing), step, levels))


def read_back(cabinet, closing, before, levels):
    """The relay test goes on by one step at a time, and by none that was not told and read back on
    known modules.

    closing: before and after the step; before, levels: step of the test and the two permits before.
    """
    kernel, test = cabinet.kernel, permits.RELAY_TEST
    after, ages = kernel.permit.relays[0], kernel.features.ages
    known = both(
        *[truth(cabinet.machine.call(ages.known, group)) for group in (s.G_IO_1, s.G_IO_2)]
    )
    both_on = test.index((1, 1))
    claims = [
        ("each relay falls alone, after both were on", alone in test[both_on:])
        for alone in ((0, 1), (1, 0))
    ]
    for place, wanted in enumerate(test):
        right = known
        for value, level in zip(
            (*levels, kernel.inp[s.PERMIT_1_CLOSED], kernel.inp[s.PERMIT_2_CLOSED]), wanted * 2
        ):
            right = both(right, equal(value, level))
        here = both(closing, equal(before, place))
        claims += [
            ("no step is left out", implies(here, among(after, (place, place + 1)))),
            ("a step was read back", implies(both(here, equal(after, place + 1)), right)),
        ]
    return claims


def any_latches(cabinet):
    """Every flag and counter of the evaluator, what is known, and the tokens."""
    kernel = cabinet.kernel
    evaluator = kernel.evaluator
    cabinet.any(evaluator.active, 0, 1)
    cabinet.any(evaluator.latched, 0, 1)
    cabinet.any(evaluator.set_count, 0, s.TICKS_MAX)
    cabinet.any(evaluator.clear_count, 0, s.TICKS_MAX)
    cabinet.any(evaluator.features.known, 0, m.IN_PART)
    cabinet.any(kernel.latches.token_age, 0, kernel.latches.hour_ticks)
    evaluator.first_out[0] = cabinet.machine.symbol("first_out", -1, evaluator.count - 1)
    return evaluator


def no_reset_clears_what_stands():
    """Latches.update, any request: what is active, or not clear for long enough, stays latched"""
    cabinet = Cabinet()
    evaluator = any_latches(cabinet)
    machine, latches, inp = cabinet.machine, cabinet.kernel.latches, cabinet.kernel.inp
    before, left = list(evaluator.latched), machine.call(latches.left)
    known_key = machine.symbol("known_key", 0, 1)
    elapsed = cabinet.elapsed()
    machine.call(latches.update, elapsed, inp, known_key)
    kind, claims = inp[s.RESET_KIND], []
    turned = both(equal(known_key, 1), equal(inp[s.KEY_RUN_OK], 0))
    without_key = both(equal(kind, m.KEY), inverse(turned))
    for index in range(evaluator.count):
        kept = implies(equal(before[index], 1), equal(evaluator.latched[index], 1))
        fresh = either(
            equal(evaluator.active[index], 1),
            compare(operator.lt, evaluator.clear_count[index], latches.clear_ticks),
        )
        unknown = inverse(equal(evaluator.features.known[evaluator.watch[index][0]], m.KNOWN))
        level = m.STAGES[evaluator.stage[index]][m.S_LATCH]
        claims += [
            ("nothing is latched by a reset", at_most(evaluator.latched[index], before[index])),
            ("a cause that is not clear", implies(fresh, kept)),
            ("a cause that is not known", implies(unknown, kept)),
            ("no request", implies(equal(kind, 0), kept)),
            ("a key reset without the key", implies(without_key, kept)),
        ]
        if level != m.SELF:
            none = both(equal(elapsed, 0), at_most(left, 0))  # as time passes a token may come back
            claims.append(("no tokens", implies(both(equal(kind, m.REMOTE), none), kept)))
        if level == m.KEY:
            claims.append(("a key latch and a remote reset", implies(equal(kind, m.REMOTE), kept)))
    return cabinet.conclude(claims)


def evaluating_never_unlatches():
    """Evaluator.update: a latch stays; a counting or active instance keeps its block busy"""
    cabinet = Cabinet(units=1, racks=1)
    evaluator, features = any_latches(cabinet), cabinet.kernel.features
    cabinet.any(features.value, LOW + 1, HIGH)
    cabinet.any(features.changed, 0, 1)
    cabinet.any(evaluator.busy, 0, 1)
    machine, before = cabinet.machine, list(evaluator.latched)
    machine.facts += [formula(each) for each in watched(evaluator)]
    machine.call(evaluator.update, cabinet.elapsed())
    claims = [
        ("a latch stays", at_most(was, latched)) for was, latched in zip(before, evaluator.latched)
    ]
    return cabinet.conclude(claims + [("its block is busy", each) for each in watched(evaluator)])


def watched(evaluator):
    """Per instance: if it counts, is active or latched, its block is busy."""
    found = []
    for index in range(evaluator.count):
        idle = both(
            equal(evaluator.set_count[index], 0),
            both(equal(evaluator.active[index], 0), equal(evaluator.latched[index], 0)),
        )
        found.append(either(idle, equal(evaluator.busy[evaluator.block[index]], 1)))
    return found


def narrowed(machine, bounds, wide_W):
    """Narrow these bounds by anything; what must hold of it."""
    low_W, high_W = bounds.low_W, bounds.high_W
    charge, discharge = (machine.symbol(name, -wide_W, wide_W) for name in ("charge", "discharge"))
    reasons = [machine.symbol("reason", 0, 200) for _ in range(2)]
    machine.call(bounds.narrow, charge, reasons[0], discharge, reasons[1])
    low_after_W, high_after_W = bounds.low_W, bounds.high_W
    lowest_W = machine.compute(ast.Sub, 0, low_after_W, "charging allowed")
    return [
        ("charging holds", either(at_most(lowest_W, charge), at_most(lowest_W, 0))),
        ("discharging holds", either(at_most(high_after_W, discharge), at_most(high_after_W, 0))),
        ("never wider", both(at_most(low_W, low_after_W), at_most(high_after_W, high_W))),
        ("holds 0", both(at_most(low_after_W, 0), at_most(0, high_after_W))),
    ]


def a_hint_only_narrows():
    """Chain.finish, any request: the set-point is within the limits, one more limit narrows it"""
    from controller.core import answers, parameters, setpoint

    machine, wide = Machine(), answers.WIDE_W
    rows = parameters.CONTROL_PARAMETERS
    settings = {row[0]: machine.symbol(row[0], row[2], row[3]) for row in rows}
    chain = machine.call(setpoint.Chain, settings, TICK_MS)
    chain.state[0] = machine.symbol("setpoint_W", -wide, wide)
    claims = []
    for within in (chain.caps, chain.limits):
        for _ in range(3):
            claims += narrowed(machine, within, wide)
    for rank in range(4):
        low, high = machine.symbol("low_W", -wide, wide), machine.symbol("high_W", -wide, wide)
        machine.facts.append(low.e <= high.e)
        chain.take(answers.Obligation((rank, ""), low, 1, high, 1))
    chain.take(answers.BaseRequest(machine.symbol("base_W", -wide, wide), 1))
    chain.take(answers.FastRequest(machine.symbol("fast_W", -wide, wide), 1))
    result = machine.call(chain.finish, machine.symbol("elapsed", 0, 50))
    limits = chain.limits
    inside = both(at_most(limits.low_W, result), at_most(result, limits.high_W))
    return _words(machine.refute([*claims, ("within the limits", inside)]))


def arrays(kernel):
    """What a step may leave behind: all lists but the image, the inputs and their freshness."""
    found, seen, waiting = (
        [],
        {id(each) for each in (kernel.image, kernel.inp, kernel.fresh)},
        [kernel],
    )
    while waiting:
        for value in vars(waiting.pop()).values():
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, list):
                found.append(value)
            elif type(value).__module__.startswith("safety"):
                waiting.append(value)
    return found


def clamps():
    """What counters are held to: every number of safety/ whose name ends in _MAX and that is no
    place in an array; and the last place of rings, which hold a number of seconds (..._S).
    """
    numbers = [
        (name, value)
        for module_name, module in sys.modules.items()
        if module_name.startswith("safety.")
        for name, value in vars(module).items()
        if isinstance(value, int)
    ]
    found = {value for name, value in numbers if name.endswith("_MAX") and value >= CLAMP_MIN}
    found |= {value - 1 for name, value in numbers if name.endswith("_S")}
    return sorted({LOW, 0, SMALL, 1_000_000, HIGH} | found | {-each for each in found})


def thresholds(layout, lengths):
    """Where a growing range may stop: clamps, ends of declared ranges, last places of arrays."""
    stops = {*clamps(), 1, 2, 3, *(length - 1 for length in lengths)}
    for low, high in input_ranges(layout) + [
        row[2:4]
        for table in (p.CABINET_PARAMETERS, p.UNIT_PARAMETERS, p.RACK_PARAMETERS)
        for row in table
    ]:
        stops |= {low, high}
    return sorted(each for each in stops if LOW <= each <= HIGH)


class Range:
    """The range of one number; an end that has grown three times stops at clamps only."""

    def __init__(self, value):
        self.low, self.high = ends(value)
        self.times = [0, 0]

    def small(self, value):
        """For a number whose interval is no longer small: the question for Z3 whether it is."""
        low, high = ends(value)
        if high <= SMALL or self.high > SMALL or low < 0:
            return None
        return at_most(value, SMALL)

    def grow(self, value, is_small, fine, coarse):
        """Take in what a step left; True if the range grew."""
        (low, high), before = ends(value), (self.low, self.high)
        high = min(high, SMALL) if is_small else high
        if low < self.low:
            self.times[0] += 1
            self.low = max(
                stop for stop in (fine if self.times[0] < 3 else coarse) if stop <= max(low, LOW)
            )
        if high > self.high:
            self.times[1] += 1
            self.high = min(
                stop for stop in (fine if self.times[1] < 3 else coarse) if stop >= min(high, HIGH)
            )
        return before != (self.low, self.high)


def grow(machine, spans, values, fine, coarse):
    """True if any range grew."""
    asked = [span.small(value) for span, value in zip(spans, values)]
    answers = iter(machine.always([each for each in asked if each is not None]))
    small = [each is not None and next(answers) for each in asked]
    return any(
        [
            span.grow(value, is_small, fine, coarse)
            for span, value, is_small in zip(spans, values, small)
        ]
    )


def every_value_stays_small():
    """Kernel.step: every value stays in +-2^30, every index in its array; flags, counts all high"""
    return _stays_small(1)


def every_value_stays_small_bare():
    """Kernel.step, the same with nothing fitted or reported: flags and counts all low"""
    return _stays_small(0)


def _stays_small(end):
    """Ranges grow from the start until a step leaves them; then every obligation is asked."""
    cabinet = Cabinet(end=end)
    machine, kernel = cabinet.machine, cabinet.kernel
    built, facts = list(machine.obligations), list(machine.facts)
    state = arrays(kernel)
    fine, coarse = thresholds(cabinet.layout, map(len, state)), clamps()
    ranges = [[Range(each) for each in values] for values in state]
    # what boot() may set
    for values in (kernel.features.boot, kernel.evaluator.latched, kernel.evaluator.busy):
        place = next(place for place, each in enumerate(state) if each is values)
        for each in ranges[place]:
            each.low, each.high = 0, 1
    for _ in range(ROUNDS_MAX):
        machine.facts[:], machine.obligations = facts, []
        for values, spans in zip(state, ranges):
            values[:] = [machine.symbol("state", span.low, span.high) for span in spans]
        machine.call(kernel.step, cabinet.elapsed())
        if not grow(machine, sum(ranges, []), sum(state, []), fine, coarse):
            return _words(machine.refute(built + machine.obligations))
    return f"the ranges still grow after {ROUNDS_MAX} rounds"


PROOFS = (
    scale_is_within,
    taper_is_within,
    a_limit_never_widens,
    what_is_published_is_within,
    a_demand_never_widens_a_limit,
    a_weaker_rack_never_widens,
    a_share_never_widens,
    a_fault_never_lowers_a_demand,
    permit_holds,
    relays_are_tested,
    no_reset_clears_what_stands,
    evaluating_never_unlatches,
    a_hint_only_narrows,
    every_value_stays_small,
    every_value_stays_small_bare,
)


SLOW = (every_value_stays_small, every_value_stays_small_bare)  # minutes each; left out of --quick


def work(name, fd):
    """In a child: one proof by name."""
    try:
        why = next(proof for proof in PROOFS if proof.__name__ == name)()
    except (Unknown, RecursionError) as error:
        why = f"cannot be run: {type(error).__name__} {error}"
    return {"why": why}


def run(workers, quick, wall_s_max=3600):
    """Yield (proof, its title, None or why it is not held, seconds), the slow ones first."""
    chosen = [proof for proof in PROOFS if not quick or proof not in SLOW]
    titles = {
        proof.__name__: proof.__doc__
        for proof in sorted(chosen, key=lambda proof: proof not in SLOW)
    }
    for name, result in forks.run(list(titles), work, workers, wall_s_max):
        yield name, titles[name], result.get("error", result.get("why")), result["wall_s"]
