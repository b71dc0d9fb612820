"""Proofs of shipped functions for all values; a claim returns None, or why it is not held."""

import ast
import itertools
import sys

from symbolic import HIGH, LOW, Machine, any_of, bits_of, ends, equal, implies, no, truth

from controller.config.schema import TICKS_MS
from safety import (
    bounds,
    contactors as c,
    crc,
    evaluate,
    image_check,
    matrix as m,
    means,
    opening,
    parameters as p,
    permit as permits,
    rack_limits,
    signals as s,
    tapers,
    witness,
)
from safety.kernel import ELAPSED_MAX, Kernel

UNITS, RACKS = 2, 4
ROUNDS_MAX = 60
SMALL = 1000
CONNECTION_PARTS = ("parts", 1), ("import_parts", 0), ("export_parts", 0)
CLAMP_MIN = 100  # the smallest one: runaway.SIGN_PCT_MAX
# parameters that decide how much there is, not how much it may be
SHAPES = ("bool", "count", "index")


# not run, any value instead: CRCs
STUBS = dict.fromkeys(
    (crc.add_word, crc.add_words, evaluate.Evaluator.cause_mask),
    lambda machine, *_: machine.symbol("crc", 0, HIGH),
)


def symbolic_image(machine, units, racks, modules, end, tick_ms):
    """Any quantity in its range; flags and counts at one end (0 low, 1 high); all stages armed.
    tick_ms: None for any tick, thresholds and debounces; else these are the table's.
    """

    def word(row, **fixed):
        shape = row[2 + end] if row[1] in SHAPES else None
        return fixed.get(row[0], machine.symbol(row[0], row[2], row[3]) if shape is None else shape)

    words = [p.IMAGE_SCHEMA, units, racks, modules, tick_ms or any_tick(machine)]
    words += [word(row) for row in (*p.CABINET_PARAMETERS, *(units * p.UNIT_PARAMETERS))]
    for rack in range(racks):
        words += [word(row, unit=rack % units, modules=modules) for row in p.RACK_PARAMETERS]
    for stage in m.STAGES:
        words += stage_words(stage, tick_ms) if tick_ms else any_stage_words(machine)
    return words + [1] * (p.ImageMap(units, racks, m.STAGES_PER_SCOPE).words - len(words))


def stage_words(stage, tick_ms):
    debounces = [p.ticks(stage[each], tick_ms) for each in (m.S_SET_MS, m.S_CLEAR_MS)]
    return [stage[m.S_SET], stage[m.S_CLEAR], *debounces]


def any_stage_words(machine):
    thresholds = machine.symbols("threshold", LOW // 2, HIGH // 2, 2)
    return thresholds + machine.symbols("debounce", 0, s.TICKS_MAX, 2)


def any_tick(machine):
    """Any one that a site may have."""
    tick_ms = machine.symbol("tick_ms", TICKS_MS[0], TICKS_MS[-1])
    machine.assume([among(tick_ms, TICKS_MS)])
    return tick_ms


def input_ranges(layout):
    rack = declared(s.RACK_INPUTS) + [s.MODULE_TEMPERATURE_RANGE_DDEGC] * layout.modules
    return declared(s.CABINET_INPUTS + s.UNIT_INPUTS * layout.units) + rack * layout.racks


def declared(rows):
    return [row[2:4] for row in rows]


class Cabinet:
    def __init__(self, units=UNITS, racks=RACKS, end=1, tick_ms=None):
        self.machine = Machine(STUBS)
        image = symbolic_image(self.machine, units, racks, 2, end, tick_ms)
        self.kernel = self.machine.call(Kernel, image)
        self.layout = self.kernel.layout
        for place, (low, high) in enumerate(input_ranges(self.layout)):
            self.kernel.inp[place] = self.machine.symbol("inp", low, high)
        self.any(self.kernel.fresh, 0, 1)

    def any(self, values, low, high):
        values[:] = self.machine.symbols("any", low, high, len(values))

    def any_ages(self):
        ages = self.kernel.features.ages
        self.any(ages.ticks, 0, s.TICKS_MAX)
        self.any(ages.seen, 0, 1)
        self.any(ages.oldest_ticks, 0, s.TICKS_MAX)

    def elapsed(self):
        return self.machine.symbol("elapsed", 0, ELAPSED_MAX)

    def conclude(self, claims):
        return verdict(self.machine, claims)

    def shown(self, claims):
        """State without what is computed on the way: `every_value_stays_small` is about that."""
        return _words(self.machine.refute(claims))


def verdict(machine, claims):
    return _words(machine.refute(claims) or machine.unmet())


def _words(found):
    return found and ": ".join(found)


def scale_is_within():
    """scale_W: never below 0, never above the power, rises with the share and with the power"""
    machine = Machine()
    power, more = machine.symbol("power_W", 0, HIGH), machine.symbol("more_W", 0, HIGH)
    machine.assume([power <= more])
    claims, before = [], 0
    for permille in range(1001):
        scaled, of_more = (machine.call(tapers.scale_W, each, permille) for each in (power, more))
        claims += [("above 0", scaled >= 0), ("at most the power", scaled <= power)]
        claims += [("rises with the power", scaled <= of_more)]
        claims += [("rises with the share", before <= scaled)]
        before = scaled
    claims.append(("all of it at 1000", equal(before, power)))
    return verdict(machine, claims)


def taper_is_within():
    """taper_permille: 0 to 1000, 0 from none_at on, 1000 up to full_at, falls in between"""
    machine = Machine()
    value, further = machine.symbols("value", -(1 << 29), 1 << 29, 2)
    full, none = machine.symbols("at", -1000, 1_000_000, 2)
    up = full < none
    machine.assume([no(equal(full, none))])

    def on(near, far):
        """far lies at or beyond near, in the direction of the taper."""
        return (up & (near <= far)) | (no(up) & (far <= near))

    left, later = [machine.call(tapers.taper_permille, x, full, none) for x in (value, further)]
    claims = [
        ("within", (left >= 0) & (left <= 1000)),
        ("falls", implies(on(value, further), later <= left)),
        ("none", implies(on(none, value), equal(left, 0))),
        ("full", implies(on(value, full), equal(left, 1000))),
    ]
    return verdict(machine, claims)


def a_limit_never_widens():
    """_lowest: at most every limit, named rightly; smaller limits never give more"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    claims = []
    for way, reason in enumerate((s.CHARGE_REASON, s.DISCHARGE_REASON)):
        wide = machine.symbols("limit_W", 0, HIGH, bounds.LIMIT_COUNT)
        narrow = machine.symbols("narrower_W", 0, HIGH, bounds.LIMIT_COUNT)
        machine.assume(each_at_most(narrow, wide))
        results = []
        for limits in (wide, narrow):
            b.limit_W[of_way(way)] = list(limits)
            machine.call(b._lowest, 0, way)
            lowest, named = b.lowest_W[way], b.out[cabinet.layout.unit_output(0, reason)]
            results.append(lowest)
            for place, limit in enumerate(limits):
                rightly = implies(equal(named, place), equal(lowest, limit))
                claims += [("at most every limit", lowest <= limit), ("the reason", rightly)]
        claims.append(("narrower", results[1] <= results[0]))
    return cabinet.conclude(claims)


def of_way(way):
    return slice(way * bounds.LIMIT_COUNT, (way + 1) * bounds.LIMIT_COUNT)


def each_at_most(narrow, wide):
    return [tight <= loose for tight, loose in zip(narrow, wide)]


def what_is_published_is_within():
    """_publish: 0 to the lowest limit and rated power; smaller limits never give more"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    elapsed, rated = cabinet.elapsed(), b.limit_W[0]
    lowest = machine.symbols("lowest_W", 0, HIGH, 2)
    published = machine.symbols("published_W", 0, HIGH, 2)
    for loose, tight in (lowest, published):
        machine.assume([tight <= loose, loose <= rated])
    after = []
    for b.lowest_W[0], b.published_W[0] in zip(lowest, published):
        machine.call(b._publish, 0, elapsed)
        after.append(b.published_W[0])
    assert bounds.L_PCS_RATED == 0
    within = (after[0] >= 0) & (after[0] <= lowest[0])
    claims = [("within", within), ("rated", after[0] <= rated), ("narrower", after[1] <= after[0])]
    return cabinet.conclude(claims)


def columns():
    demands = zip(*(stage[m.S_DEMAND] for stage in m.STAGES), strict=True)
    return [sorted({0, *levels}) for levels in demands]


def a_demand_never_widens_a_limit():
    """_limits: with any demands raised, or no permit, no limit of a unit is more than without"""
    cabinet = Cabinet()
    machine, b = cabinet.machine, cabinet.kernel.bounds
    elapsed, permitted = cabinet.elapsed(), machine.symbol("running", 0, 1)
    # within rated: shown by the claim before
    b.published_W[:] = machine.symbols("published_W", 0, HIGH, 2)
    machine.assume([each <= b.limit_W[0] for each in b.published_W])
    derates, claims = (m.D_CHARGE_DERATE_PCT, m.D_DISCHARGE_DERATE_PCT), []
    lower = [machine.symbol("level", 0, max(levels)) for levels in columns()]
    higher = [machine.symbol("higher", 0, max(levels)) for levels in columns()]
    machine.assume(each_at_most(lower, higher))
    for way, place in enumerate(derates):
        for less, more in itertools.combinations_with_replacement(columns()[place], 2):
            lower[place], higher[place], after = less, more, []
            for demand, running in ((lower, 1), (higher, permitted)):
                machine.call(b._limits, 0, way, elapsed, demand, 0, running)
                after.append(b.limit_W[of_way(way)])
            for name, loose, tight in zip(bounds.LIMITS, *after):
                claims.append((f"{name}, derate {less} to {more}", tight <= loose))
                if name in ("derate", "inhibit", "stop", "permit"):
                    claims.append(("at most rated", (loose >= 0) & (loose <= after[0][0])))
    return cabinet.conclude(claims)


def a_weaker_rack_never_widens():
    """_rack_limits: shares of 0 to 1000, none larger for weaker racks; 0 to rated of the BMS"""
    cabinet = Cabinet(units=1)
    machine, b = cabinet.machine, cabinet.kernel.bounds
    # see a_share_never_widens
    machine.stubs[bounds.Bounds._share_W] = lambda machine, at, permille: permille
    strong = [machine.symbol("word", 0, top) for top in rack_words() * cabinet.layout.racks]
    weak = [machine.symbol("weaker", 0, each.high) for each in strong]
    closed = slice(rack_limits.RL_CLOSED, None, rack_limits.RACK_LIMITS)
    weak[closed] = strong[closed]
    machine.assume(each_at_most(weak, strong))
    names = ("cell_voltage_taper", "temperature_taper", "soc_taper", "bms_silence")
    tapered = [bounds.LIMITS.index(name) for name in names]
    claims = []
    for way in range(2):
        after = []
        for words in (strong, weak):
            b.rack_limit[:] = words
            machine.call(b._rack_limits, 0, way)
            after.append(b.limit_W[of_way(way)])
            current = after[-1][bounds.L_BMS_CURRENT]
            claims.append(("within", (current >= 0) & (current <= b.limit_W[0])))
            shares = [after[-1][place] for place in tapered]
            full = tapers.FULL_PERMILLE
            claims += [("a share", (each >= 0) & (each <= full)) for each in shares]
        claims += [(name, after[1][at] <= after[0][at]) for name, at in zip(names, tapered)]
    return cabinet.conclude(claims)


def rising(machine, power_W, permille, calls):
    """Stands for scale_W: any function with the properties that `scale_is_within` has shown."""
    scaled = machine.symbol("scaled_W", 0, HIGH)
    machine.assume([implies(permille <= 1000, scaled <= power_W)])
    calls.append((power_W, permille, scaled))
    for one, other in itertools.permutations(calls, 2):
        below = (one[0] <= other[0]) & (one[1] <= other[1])
        machine.assume([implies(below, one[2] <= other[2])])
    return scaled


def a_share_never_widens():
    """_share_W: 0 to rated power; no more of a smaller share, nor where less is left"""
    cabinet = Cabinet()
    machine, b, calls = cabinet.machine, cabinet.kernel.bounds, []
    machine.stubs[tapers.scale_W] = lambda *given: rising(*given, calls)
    most, least = machine.symbols("left_W", 0, HIGH, 2), machine.symbols("less_W", 0, HIGH, 2)
    whole, part = machine.symbols("permille", 0, tapers.FULL_PERMILLE, 2)
    rated = b.limit_W[bounds.L_PCS_RATED]
    machine.assume(each_at_most([*least, part, *most], [*most, whole, rated, rated]))
    claims, found = [], []
    for left, permille in ((most, whole), (least, part)):
        b.limit_W[bounds.L_INSTALLER], b.limit_W[bounds.L_BMS_CURRENT] = left
        share = machine.call(b._share_W, 0, permille)
        claims.append(("within", (share >= 0) & (share <= rated)))
        found.append(machine.call(min, share, *left))
    return cabinet.conclude([*claims, ("no more of less", found[1] <= found[0])])


def rack_words():
    tops = [tapers.FULL_PERMILLE] * rack_limits.RACK_LIMITS
    highest = {row[0]: row[3] for row in p.RACK_PARAMETERS + s.RACK_INPUTS}
    at = rack_limits.RL_CURRENT_MA
    tops[at] = tops[at + 1] = highest["rated_current_mA"]
    tops[rack_limits.RL_VOLTAGE_V] = highest["rack_voltage_mV"] // 1000
    tops[rack_limits.RL_CLOSED] = 1
    return tops


def a_fault_never_lowers_a_demand():
    """_combine, _settle: each demand is the highest, so more never lowers it but by CONFLICTS"""
    cabinet = Cabinet()
    machine, kernel = cabinet.machine, cabinet.kernel
    any_demands(cabinet)
    machine.call(kernel._combine)
    claims = [("nothing stands, nothing is demanded", each) for each in of_nothing(kernel)]
    demands = {unit: kernel.unit_demand[unit * m.DEMAND_COUNT :] for unit in range(2)}
    for unit, demanded in {**demands, None: kernel.demand}.items():
        for place, levels in enumerate(columns()):
            for level in levels[1:]:
                asked = standing(
                    kernel, lambda row, units: row[m.S_DEMAND][place] >= level and unit in units
                )
                reached, what = level <= demanded[place], f"{m.DEMANDS[place]} {level} of {unit}"
                claims.append((what, implies(reached, asked) & implies(asked, reached)))
            claims.append(("one of its levels", among(demanded[place], levels)))
    return cabinet.conclude(claims + settled(cabinet))


def of_nothing(kernel):
    nothing, alerts = equal(kernel.standing[0], 0), bits_of(kernel.standing[1])
    none = [equal(each, 0) for each in kernel.demand + kernel.unit_demand]
    return [implies(nothing, each) for each in none + [no(bit) for bit in alerts]]


def standing(kernel, chosen):
    """units of chosen(stage, units): those that the stage concerns, None for the cabinet."""
    it = kernel.evaluator
    return any_of(
        truth(it.active[index]) | truth(it.latched[index])
        for index in range(it.count)
        if chosen(m.STAGES[it.stage[index]], (None, *units_of(kernel, it.block[index])))
    )


def any_demands(cabinet):
    """Any active and latched instances; demands are anything the invariant allows."""
    machine, kernel = cabinet.machine, cabinet.kernel
    evaluator = kernel.evaluator
    for flags in (evaluator.active, evaluator.latched, evaluator.busy):
        cabinet.any(flags, 0, 1)
    for block, active, latched in zip(evaluator.block, evaluator.active, evaluator.latched):
        machine.assume([implies(truth(active) | truth(latched), truth(evaluator.busy[block]))])
    bits = max(kernel.alert_bits).bit_length()
    kernel.standing[0] = machine.symbol("standing", 0, 1)
    kernel.standing[1] = machine.bits("alert", bits)
    for demands in (kernel.demand, kernel.unit_demand):
        cabinet.any(demands, 0, 100)
    machine.assume(of_nothing(kernel))


def settled(cabinet):
    """A demand of CONFLICTS is 0 for its row's time only: by instances, not the kernel's bits."""
    machine, kernel = cabinet.machine, cabinet.kernel
    cabinet.any(kernel.conflict_ticks, 0, s.TICKS_MAX)
    combined, ticks, elapsed = list(kernel.demand), list(kernel.conflict_ticks), cabinet.elapsed()
    machine.call(kernel._settle, elapsed)
    claims, yields = [], [False] * m.DEMAND_COUNT
    for place, (demand, row, _, _) in enumerate(m.CONFLICTS):
        stands = standing(kernel, lambda stage, _: stage[m.S_ROW] == row)
        hold, later = kernel.hold_ticks[place], kernel.conflict_ticks[place]
        yields[demand] = yields[demand] | (stands & (ticks[place] < hold))
        more = machine.compute(ast.Add, ticks[place], elapsed, "ticks of a conflict")
        runs = equal(later, more) | (hold <= later)
        claims += [
            ("the hold-off runs", implies(stands, runs)),
            ("the hold-off begins anew", implies(no(stands), equal(later, 0))),
            ("a conflict never stops the PCS or the DC", demand not in (m.D_PCS, m.D_DC)),
        ]
    for place, (before, now) in enumerate(zip(combined, kernel.demand)):
        claims += [
            ("a demand without a conflict", yields[place] | equal(now, before)),
            ("a demand that yields", implies(yields[place], equal(now, 0))),
        ]
    return claims


def units_of(kernel, block):
    units = kernel.layout.units
    if block == 0:
        return range(units)
    return (block - 1,) if block <= units else (kernel.features.rack_unit[block - 1 - units],)


def any_permit(cabinet):
    """State of permit and contactors: anything that the invariants of `permit_holds` allow."""
    machine, kernel = cabinet.machine, cabinet.kernel
    cabinet.any_ages()
    permit, contactors, symbol = kernel.permit, kernel.contactors, machine.symbol
    cabinet.any(contactors.step, c.OPEN, c.FAULT)
    for ticks in (contactors.closing_ticks, contactors.open_ticks):
        cabinet.any(ticks, 0, s.TICKS_MAX)
    permit.state[:] = machine.symbols("state", 0, len(s.STATES) - 1, 1)
    permit.timer[:] = [*machine.symbols("ticks", 0, s.TICKS_MAX, 2), machine.symbol("opened", 0, 1)]
    permit.opening.waited[:] = machine.symbols("waited", opening.NOT_WAITING, s.TICKS_MAX, 2)
    tested = symbol("tested", 0, len(permits.RELAY_TEST))
    permit.relays[:] = [tested, symbol("ticks", 0, s.TICKS_MAX)]
    failed, test = symbol("failed", 0, permits.FAILURES_MAX), symbol("test", 0, s.TICKS_MAX)
    permit.tried[:] = [failed, test, symbol("rests", 0, 1)]
    bits = (s.CONTACTOR_SUPPLY_OK, s.PCS_ENABLE_OK, s.ARM_REQUEST, s.WITHHOLD_ON)
    for place in (*bits, *contactors.out_at):
        kernel.out[place] = symbol("out", 0, 1)
    machine.assume([claim for _, claim in permit_invariants(kernel)])


def among(value, others):
    return any_of(equal(value, each) for each in others)


def testing(permit):
    return equal(permit.state[0], s.CLOSING) & (permit.relays[0] < len(permits.RELAY_TEST))


def permit_invariants(kernel):
    """Invariants of the permit between two steps; assumed before and shown after."""
    state, opened, out = kernel.permit.state[0], kernel.permit.timer[2], kernel.out
    under_test = testing(kernel.permit)
    supply, enable = equal(out[s.CONTACTOR_SUPPLY_OK], 1), equal(out[s.PCS_ENABLE_OK], 1)
    supplied = among(state, permits.LIVE) & equal(opened, 0)
    closing_or_running = equal(state, s.CLOSING) | equal(state, s.RUNNING)
    going, tried = supplied & no(under_test), kernel.permit.tried[0]
    at_rest = among(state, permits.AT_REST)
    found = [
        ("supply only while live", implies(supply, supplied)),
        ("then always, but under test", implies(going, supply)),
        ("no enable without supply, but under test", implies(enable, supply | under_test)),
        ("running is enabled", implies(equal(state, s.RUNNING) & supply, enable)),
        ("closing or running is not opened", implies(closing_or_running, equal(opened, 0))),
        ("no test has begun at rest", implies(at_rest, equal(kernel.permit.relays[0], 0))),
        ("at most so many failed closings", tried <= permits.FAILURES_MAX),
    ]
    for step, at in zip(kernel.contactors.step, kernel.contactors.out_at):
        told, closed = equal(out[at], 1), equal(step, c.CLOSED) & going
        has_run = among(step, (c.CLOSED, c.FAULT))
        found += [
            ("nothing is told to close under test", implies(told, supply & going)),
            ("nothing has closed under test", implies(under_test, equal(step, c.OPEN))),
            ("what has closed is told to", implies(closed, told)),
            ("what runs has closed", implies(equal(state, s.RUNNING), has_run)),
        ]
    return found


def of_racks(cabinet):
    kernel, layout = cabinet.kernel, cabinet.layout
    for rack, words in enumerate(kernel.contactors.words_at):
        yield kernel.inp[layout.rack_input(rack, s.RACK_CURRENT_MA)], words, rack


def breaking(cabinet):
    """Some rack carries, or did when it was heard last, more than its contactors may open."""
    found = False
    for current, words, _ in of_racks(cabinet):
        limit = cabinet.kernel.image[words + p.R_BREAK_CURRENT_MA]
        beyond = cabinet.machine.compute(ast.Add, current, limit, "current beyond its limit")
        found = found | (current > limit) | (beyond < 0)
    return found


def carrying(cabinet):
    machine, ages, found = cabinet.machine, cabinet.kernel.features.ages, False
    for current, words, rack in of_racks(cabinet):
        rated = cabinet.kernel.image[words + p.R_RATED_CURRENT_MA]
        times = machine.compute(ast.Mult, current, 20, "20 times")
        back = machine.compute(ast.Add, times, rated, "and its rating")
        known = machine.call(ages.known, cabinet.layout.rack_group(rack, s.G_BMS_PACK))
        found = found | (truth(known) & ((rated <= times) | (back <= 0)))
    return found


def unseen(cabinet):
    """The current of a rack is not known, nor is that of each converter small."""
    machine, kernel, layout = cabinet.machine, cabinet.kernel, cabinet.layout
    ages, unknown, seen = kernel.features.ages, False, True
    for rack in range(layout.racks):
        first = layout.rack_group(rack, 0)
        pack, state = [
            truth(machine.call(ages.known, first + group))
            for group in (s.G_BMS_PACK, s.G_BMS_STATE)
        ]
        told = kernel.inp[layout.rack_input(rack, s.CONTACTOR_STATE)]
        unknown = unknown | no(pack) & no(state & equal(told, s.CONTACTOR_OPEN))
    for unit in range(layout.units):
        known = truth(machine.call(ages.known, layout.unit_group(unit, s.G_PCS_MEASURE)))
        current = kernel.inp[layout.unit_input(unit, s.PCS_DC_CURRENT_MA)]
        small = (current <= opening.PCS_ZERO_MA) & (current >= -opening.PCS_ZERO_MA)
        seen = seen & known & small
    return unknown & no(seen)


WAITS = ("open", "zero", "unknown", "breaker", "removal")


def permit_holds():
    """Permit.update, one step from any state, inputs, ages and requests, while a cause demands"""
    cabinet = Cabinet()
    any_permit(cabinet)
    machine, kernel = cabinet.machine, cabinet.kernel
    permit, out = kernel.permit, kernel.out
    pcs, dc = machine.symbol("pcs", 0, m.PCS_STOP), machine.symbol("dc", 0, m.DC_OPEN_ONLY_AT_ZERO)
    at_rest = among(permit.state[0], permits.AT_REST)
    supplied = equal(out[s.CONTACTOR_SUPPLY_OK], 1)
    enabled, load, carried = equal(out[s.PCS_ENABLE_OK], 1), breaking(cabinet), carrying(cabinet)
    under = supplied & no(testing(permit))  # nothing has closed in the relay test
    blind = unseen(cabinet)
    removal = machine.symbol("removal", 0, 1)
    machine.call(permit.update, cabinet.elapsed(), pcs, dc, removal)
    off, dark = equal(out[s.CONTACTOR_SUPPLY_OK], 0), equal(out[s.PCS_ENABLE_OK], 0)
    opens, stops = dc >= m.DC_OPEN_AT_ZERO, pcs >= m.PCS_STOP
    demanded, gas = (dc >= m.DC_INHIBIT) | stops, equal(dc, m.DC_OPEN_ONLY_AT_ZERO)
    tripped = equal(permit.state[0], s.TRIPPED)
    runs = among(permit.state[0], (s.CLOSING, s.RUNNING))
    fused = is_over(permit, opening.W_FUSE, "fuse_ticks")
    removed = equal(removal, 1) & is_over(permit, opening.W_DEMAND, "removal_ticks")
    ramped = at_rest & (pcs >= m.PCS_RAMP)
    claims = permit_invariants(kernel) + in_its_time(cabinet, dc, load, removal)
    claims += [
        ("a stop takes the enable in its step", implies(stops, dark)),
        ("no new supply against a cause", implies(demanded & no(supplied), off)),
        ("no new enable against a cause", implies(demanded & no(enabled), dark)),
        ("no closing begins against a ramp", implies(ramped, off)),
        ("an open demand trips", implies(opens, off | tripped)),
        ("a load too high waits for the fuse", implies(load & under, no(off) | fused)),
        ("row 12 opens nothing under load", implies(gas & carried & under, no(off) | removed)),
        ("row 12 opens nothing unseen", implies(gas & blind & under, no(off) | removed)),
        ("unwanted nothing closes or runs", implies(unwanted(kernel), no(runs))),
    ]
    runs_at = [cabinet.layout.unit_output(unit, s.PCS_RUN_OK) for unit in range(2)]
    claims += [("a stop takes the run", implies(stops, no(equal(out[at], 1)))) for at in runs_at]
    return cabinet.conclude(claims)


def unwanted(kernel):
    inp, permit = kernel.inp, kernel.permit
    lasted = permit.tried[1] > permit.test_ticks
    over = equal(inp[s.TEST_REQUEST], 1) & lasted
    rests = equal(permit.tried[2], 1)
    return equal(inp[s.RUN_REQUEST], 0) | equal(inp[s.LOCK_OUT_OK], 0) | over | rests


def is_over(permit, place, name):
    """Whether a waiting time of Opening is over."""
    return getattr(permit.opening, name) <= permit.opening.waited[place]


def in_its_time(cabinet, dc, load, removal):
    """A demand has opened after a step in its time, or the fuse's where the load is too high; what
    may not open yet has the breaker's help in time.
    """
    permit, out = cabinet.kernel.permit, cabinet.kernel.out
    open_ = equal(out[s.CONTACTOR_SUPPLY_OK], 0)
    fused = is_over(permit, opening.W_FUSE, "fuse_ticks")
    at_zero, in_gas = equal(dc, m.DC_OPEN_AT_ZERO), equal(dc, m.DC_OPEN_ONLY_AT_ZERO)
    waits = {name: is_over(permit, opening.W_DEMAND, name + "_ticks") for name in WAITS}
    zero, removes = waits["zero"] & waits["unknown"], in_gas & equal(removal, 1)
    tripped = equal(permit.state[0], s.TRIPPED)
    stopping, stopped = equal(permit.state[0], s.STOPPING), permit.opening.stopping_ticks
    claims = []
    for name, when, due in (
        ("DC_OPEN", tripped & equal(dc, m.DC_OPEN), waits["open"]),
        ("DC_OPEN_AT_ZERO", tripped & at_zero, zero),
        ("removal", tripped & removes, waits["removal"]),
        ("a controlled stop", stopping, stopped <= permit.timer[0]),
    ):
        ends = implies(when & due & (no(load) | fused), open_)
        claims.append((f"{name} ends in its time", ends))
    helped = truth(cabinet.machine.call(permit.needs_breaker, dc, removal))
    lasts = tripped & in_gas & waits["breaker"] & no(open_)
    return [*claims, ("what lasts in gas trips the breaker", implies(lasts, helped))]


def relays_are_tested():
    """Permit.update: no new close command before each permit expired, fell alone, was read back"""
    cabinet = Cabinet()
    any_permit(cabinet)
    machine, kernel = cabinet.machine, cabinet.kernel
    permit, out, at = kernel.permit, kernel.out, kernel.contactors.out_at
    before, step, told = permit.state[0], permit.relays[0], [out[each] for each in at]
    was_closing = equal(before, s.CLOSING)
    was_tested = was_closing & no(testing(permit))
    levels = out[s.PCS_ENABLE_OK], out[s.CONTACTOR_SUPPLY_OK], out[s.WITHHOLD_ON]
    pcs, dc = machine.symbol("pcs", 0, m.PCS_STOP), machine.symbol("dc", 0, m.DC_OPEN_ONLY_AT_ZERO)
    machine.call(permit.update, cabinet.elapsed(), pcs, dc, machine.symbol("removal", 0, 1))
    closing, running = equal(permit.state[0], s.CLOSING), equal(permit.state[0], s.RUNNING)
    begins, has_run = closing & no(was_closing), equal(before, s.RUNNING)
    claims = [
        ("running follows the test", implies(running, has_run | was_tested)),
        ("closing begins with the first step", implies(begins, equal(permit.relays[0], 0))),
    ]
    for old, each in zip(told, at):
        is_new, after_test = equal(old, 0) & equal(out[each], 1), was_tested & closing
        claims.append(("a new close command comes after the test", implies(is_new, after_test)))
    return cabinet.conclude(claims + read_back(cabinet, closing & was_closing, step, levels))


def read_back(cabinet, closing, before, levels):
    """closing: before and after the step; before, levels: test step, both permits, and whether
    they were withheld before it.
    """
    kernel, test = cabinet.kernel, permits.RELAY_TEST
    after, ages = kernel.permit.relays[0], kernel.features.ages
    one, two = [truth(cabinet.machine.call(ages.known, group)) for group in (s.G_IO_1, s.G_IO_2)]
    both_on = test.index((1, 1))
    claims = [
        ("each relay falls alone, after both were on", alone in test[both_on:])
        for alone in ((0, 1), (1, 0))
    ]
    read = *levels, kernel.inp[s.PERMIT_1_CLOSED], kernel.inp[s.PERMIT_2_CLOSED]
    for place, wanted in enumerate(test):
        withheld = int(place == permits.EXPIRY_AT)
        right, shown = one & two, (0, 0) if withheld else wanted
        for value, level in zip(read, (*wanted, withheld, *shown)):
            right = right & equal(value, level)
        here = closing & equal(before, place)
        claims += [
            ("no step is left out", implies(here, among(after, (place, place + 1)))),
            ("a step was read back", implies(here & equal(after, place + 1), right)),
        ]
    return claims


def any_latches(cabinet):
    kernel = cabinet.kernel
    evaluator = kernel.evaluator
    cabinet.any(evaluator.active, 0, 1)
    cabinet.any(evaluator.latched, 0, 1)
    cabinet.any(evaluator.set_count, 0, s.TICKS_MAX)
    cabinet.any(evaluator.clear_count, 0, s.TICKS_MAX)
    cabinet.any(evaluator.features.known, 0, m.DOUBTED)
    latches = kernel.latches
    cabinet.any(latches.token_age, 0, ends(latches.hour_ticks)[1])
    cabinet.machine.assume([age <= latches.hour_ticks for age in latches.token_age])
    evaluator.first_out[0] = cabinet.machine.symbol("first_out", -1, evaluator.count - 1)
    return evaluator


def no_reset_clears_what_stands():
    """Latches.update, any request: what is active, or not clear for long enough, stays latched"""
    cabinet = Cabinet()
    evaluator = any_latches(cabinet)
    machine, latches, inp = cabinet.machine, cabinet.kernel.latches, cabinet.kernel.inp
    before, left = list(evaluator.latched), machine.call(latches.left)
    cabinet.any_ages()
    elapsed, features = cabinet.elapsed(), evaluator.features
    known = [equal(machine.call(features.ages.known, at), 1) for at in (s.G_IO_1, s.G_IO_3)]
    machine.call(latches.update, elapsed, inp)
    kind, claims = inp[s.RESET_KIND], []
    second = equal(features.fire.key_service_fitted, 0) | known[1] & equal(
        inp[s.KEY_SERVICE_CLOSED], 1
    )
    turned = known[0] & equal(inp[s.KEY_RUN_OK], 0) & second
    without_key = equal(kind, m.KEY) & no(turned)
    for index in range(evaluator.count):
        kept = implies(equal(before[index], 1), equal(evaluator.latched[index], 1))
        early = evaluator.clear_count[index] < latches.clear_ticks
        fresh = early | equal(evaluator.active[index], 1)
        unknown = no(equal(evaluator.features.known[evaluator.watch[index][0]], m.KNOWN))
        level = m.STAGES[evaluator.stage[index]][m.S_LATCH]
        claims += [
            ("nothing is latched by a reset", evaluator.latched[index] <= before[index]),
            ("a cause that is not clear", implies(fresh, kept)),
            ("a cause that is not known", implies(unknown, kept)),
            ("no request", implies(equal(kind, 0), kept)),
            ("a key reset without the key", implies(without_key, kept)),
        ]
        if level != m.SELF:
            none = equal(elapsed, 0) & (left <= 0)  # as time passes a token may come back
            claims.append(("no tokens", implies(equal(kind, m.REMOTE) & none, kept)))
        if level == m.KEY:
            claims.append(("a key latch and a remote reset", implies(equal(kind, m.REMOTE), kept)))
    return cabinet.conclude(claims)


def evaluating_never_unlatches():
    """Evaluator.update: a latch stays; a counting or active instance keeps its block busy"""
    cabinet = Cabinet()
    evaluator, features = any_latches(cabinet), cabinet.kernel.features
    cabinet.any(features.value, LOW + 1, HIGH)
    cabinet.any(features.changed, 0, 1)
    cabinet.any(evaluator.busy, 0, 1)
    machine, before = cabinet.machine, list(evaluator.latched)
    machine.assume(watched(evaluator))
    machine.call(evaluator.update, cabinet.elapsed())
    claims = [("a latch stays", each) for each in each_at_most(before, evaluator.latched)]
    return cabinet.conclude(claims + [("its block is busy", each) for each in watched(evaluator)])


def watched(evaluator):
    """Each instance: if it counts, is active or latched, its block is busy."""
    found, flags = [], (evaluator.set_count, evaluator.active, evaluator.latched)
    for index, block in enumerate(evaluator.block):
        counting, active, latched = (equal(each[index], 0) for each in flags)
        found.append(counting & active & latched | equal(evaluator.busy[block], 1))
    return found


def narrowed(machine, bounds, wide_W):
    low_W, high_W = bounds.low_W, bounds.high_W
    charge, discharge = (machine.symbol(name, -wide_W, wide_W) for name in ("charge", "discharge"))
    reasons = machine.symbols("reason", 0, 200, 2)
    machine.call(bounds.narrow, charge, reasons[0], discharge, reasons[1])
    low_after_W, high_after_W = bounds.low_W, bounds.high_W
    lowest_W = machine.compute(ast.Sub, 0, low_after_W, "charging allowed")
    return [
        ("charging holds", (lowest_W <= charge) | (lowest_W <= 0)),
        ("discharging holds", (high_after_W <= discharge) | (high_after_W <= 0)),
        ("never wider", (low_W <= low_after_W) & (high_after_W <= high_W)),
        ("holds 0", (low_after_W <= 0) & (high_after_W >= 0)),
    ]


def a_hint_only_narrows():
    """Chain.finish, any request: the set-point is within the limits, one more limit narrows it"""
    from controller.core import parameters
    from controller.core.base import answers, setpoint

    machine, wide = Machine(), answers.WIDE_W
    rows = {row[0]: row for row in parameters.CONTROL_PARAMETERS}
    fastest_W = rows["setpoint_ramp_W_per_s"][3] * TICKS_MS[-1] // 1000
    chain = machine.call(setpoint.Chain, machine.symbol("ramp_W", 1, fastest_W))
    chain.state[0] = machine.symbol("setpoint_W", -wide, wide)
    claims = []
    for within in (*[chain.caps] * 3, *[chain.limits] * 3):
        claims += narrowed(machine, within, wide)
    for rank in range(4):
        low, high = machine.symbols("limit_W", -wide, wide, 2)
        machine.assume([low <= high])
        chain.take(answers.Obligation((rank, ""), low, 1, high, 1))
    chain.take(answers.BaseRequest(machine.symbol("base_W", -wide, wide), 1))
    chain.take(answers.FastRequest(machine.symbol("fast_W", -wide, wide), 1))
    result = machine.call(chain.finish, machine.symbol("elapsed", 0, 50))
    limits = chain.limits
    inside = (limits.low_W <= result) & (result <= limits.high_W)
    return _words(machine.refute([*claims, ("within the limits", inside)]))


def arrays(kernel):
    found, waiting = [], [kernel]
    seen = {id(each) for each in (kernel.image, kernel.inp, kernel.fresh)}
    while waiting:
        for value in vars(waiting.pop()).values():
            if id(value) not in seen and isinstance(value, list):
                found.append(value)
            elif id(value) not in seen and type(value).__module__.startswith("safety"):
                waiting.append(value)
            seen.add(id(value))
    return found


def clamps():
    """Ends of counters: numbers ..._MAX that are no place in an array, last places of rings, _S."""
    modules = [module for name, module in sys.modules.items() if name.startswith("safety.")]
    named = [pair for module in modules for pair in vars(module).items()]
    numbers = [(name, value) for name, value in named if isinstance(value, int)]
    found = {value for name, value in numbers if name.endswith("_MAX") and value >= CLAMP_MIN}
    found |= {value - 1 for name, value in numbers if name.endswith("_S")}
    return sorted({LOW, 0, SMALL, 1_000_000, HIGH} | found | {-each for each in found})


def thresholds(layout, lengths):
    stops = {*clamps(), 1, 2, 3, *(length - 1 for length in lengths)}
    parameters = declared(p.CABINET_PARAMETERS + p.UNIT_PARAMETERS + p.RACK_PARAMETERS)
    stops = stops.union(*input_ranges(layout), *parameters)
    return sorted(each for each in stops if LOW <= each <= HIGH)


class Range:
    """The range of one number; an end that has grown three times stops at clamps only. counts: it
    grows to its clamp, so Z3 is never asked whether it is small.
    """

    def __init__(self, value, counts):
        (self.low, self.high), self.counts = ends(value), counts
        self.times = [0, 0]

    def small(self, value):
        """Ask for a number whose interval is no longer small: the question for Z3 whether it is."""
        low, high = ends(value)
        if self.counts or high <= SMALL or self.high > SMALL or low < 0:
            return None
        return value <= SMALL

    def grow(self, value, is_small, fine, coarse):
        (low, high), before = ends(value), (self.low, self.high)
        high = min(high, SMALL) if is_small else high
        if low < self.low:
            self.times[0] += 1
            stops = fine if self.times[0] < 3 else coarse
            self.low = max(stop for stop in stops if stop <= max(low, LOW))
        if high > self.high:
            self.times[1] += 1
            stops = fine if self.times[1] < 3 else coarse
            self.high = min(stop for stop in stops if stop >= min(high, HIGH))
        return before != (self.low, self.high)


def grow(machine, spans, values, fine, coarse):
    asked = [span.small(value) for span, value in zip(spans, values)]
    answers = iter(machine.always([each for each in asked if each is not None]))
    small = [each is not None and next(answers) for each in asked]
    return any([span.grow(*given, fine, coarse) for span, *given in zip(spans, values, small)])


def every_value_stays_small():
    """Kernel.step: every value stays in +-2^30, every index in its array; flags, counts all high"""
    return _stays_small(1)


def every_value_stays_small_bare():
    """Kernel.step, the same with nothing fitted or reported: flags and counts all low"""
    return _stays_small(0)


def every_value_stays_small_at_10_ms():
    """Kernel.step at a tick of 10 ms: every value in +-2^30, every index in its array; all high"""
    return _stays_small(1, 10)


def every_copy_stays_small():
    """ImageCheck.as_image, each instance: every value stays in +-2^30, every index in its array"""
    cabinet = Cabinet()
    check = cabinet.kernel.image_check
    for index in range(check.evaluator.count):
        cabinet.machine.call(check.as_image, index)
    return cabinet.conclude([])


def _compared(evaluator):
    """Stands for ImageCheck.as_image: any answer; `every_copy_stays_small` is about the numbers."""

    def answer(machine, index):
        machine.oblige("instance", (index >= 0) & (index < evaluator.count))
        return truth(machine.symbol("as_image", 0, 1))

    return answer


def _stays_small(end, tick_ms=20):
    """Ranges grow from the start until a step leaves them; then every obligation is asked."""
    cabinet = Cabinet(1, 1, end, tick_ms=tick_ms)
    machine, kernel = cabinet.machine, cabinet.kernel
    machine.stubs[image_check.ImageCheck.as_image] = _compared(kernel.evaluator)
    why = machine.refute(claims_of_the_start(machine, kernel))
    if why:
        return _words(why)
    built, facts, of_results = map(list, (machine.obligations, machine.facts, machine.of_results))
    state = arrays(kernel)
    fine, coarse = thresholds(cabinet.layout, map(len, state)), clamps()
    counters = counters_of(kernel)
    ranges = [[Range(each, id(values) in counters) for each in values] for values in state]
    for values, spans in zip(state, ranges):
        for place, low, high in first_ends(kernel, values):
            spans[place].low, spans[place].high = low, high
    for _ in range(ROUNDS_MAX):
        machine.facts[:], machine.of_results[:], machine.obligations = facts, of_results, []
        for values, spans in zip(state, ranges):
            values[:] = [machine.symbol("state", span.low, span.high) for span in spans]
        machine.call(kernel.step, cabinet.elapsed())
        if not grow(machine, sum(ranges, []), sum(state, []), fine, coarse):
            machine.obligations += built
            return _words(machine.unmet())
    return f"the ranges still grow after {ROUNDS_MAX} rounds"


def claims_of_the_start(machine, kernel):
    """Ranges of the quotients that are computed once at the start. A formula of a whole step
    takes any value of the range, because a quotient of two unknowns is hard to solve there.
    """
    connection, claims = kernel.features.connection, []
    of_units = [(each, "parts", 1) for each in kernel.features.witness.of_unit]
    of_grid = [(connection, name, low) for name, low in CONNECTION_PARTS]
    for owner, name, low in of_units + of_grid:
        value, high = getattr(owner, name), witness.RATED_PARTS
        claims += [(f"{name} from {low}", value >= low), (f"{name} to {high}", value <= high)]
        setattr(owner, name, machine.symbol(name, low, high))
    return claims


def first_ends(kernel, values):
    """Yield (place, low, high) of each word that is not 0 at the start, or whose range would grow
    by one round per block of Means. A range may start wide, as long as no step leaves it.
    """
    if any(values is one for one in set_by_boot(kernel)):
        yield from ((place, 0, 1) for place in range(len(values)))
    rows, connection = kernel.features.witness, kernel.features.connection
    for pair in (*rows.currents, *rows.powers, connection.pair):
        if values is pair.words:
            yield from ((pair.at + place, *ends) for place, *ends in ends_of_means(pair))


def counters_of(kernel):
    evaluator = kernel.evaluator
    counters = (evaluator.set_count, evaluator.clear_count, evaluator.order, evaluator.last)
    return {id(each) for each in (*counters, kernel.features.ages.ticks)}


def set_by_boot(kernel):
    return kernel.features.boot, kernel.evaluator.latched, kernel.evaluator.busy


def ends_of_means(pair):
    yield means.KNOWN, 0, 1
    yield means.FILLED, 0, means.BLOCKS
    yield means.TICKS, 0, pair.block_ticks
    yield means.RANGE, -means.RANGE_MAX, means.RANGE_MAX
    for mean in (means.MEAN_FIRST, means.MEAN_SECOND):
        yield mean, -means.VALUE_MAX, means.VALUE_MAX
    for block in range(means.NOW, means.WORDS, means.BLOCK_WORDS):
        for word in (means.FIRST, means.SECOND):
            yield block + word, -pair.sum_max, pair.sum_max
        for word in (means.LOW, means.HIGH):
            yield block + word, -means.VALUE_MAX, means.VALUE_MAX
