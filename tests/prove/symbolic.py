"""Runs shipped functions on symbolic whole numbers for Z3; raises Unknown at anything else."""

import ast
import builtins
import functools
import inspect
import itertools
import operator
import sys
import textwrap

import z3

LOW, HIGH = -(1 << 30), (1 << 30) - 1
UNROLL_MAX = 200
OURS = ("safety", "controller")


def _operators(pairs):
    names = [pair.split() for pair in pairs.split(", ")]
    return {getattr(ast, node): getattr(operator, name) for node, name in names}


COMPARE = _operators("Lt lt, LtE le, Gt gt, GtE ge, Eq eq, NotEq ne")
LT, LE, GT, GE, EQ, NE = COMPARE.values()
TURNED = {LT: GT, GT: LT, LE: GE, GE: LE, EQ: EQ, NE: NE}
COMPUTE = _operators(
    "Add add, Sub sub, Mult mul, FloorDiv floordiv, Mod mod, BitAnd and_, BitOr or_, BitXor xor, "
    "LShift lshift, RShift rshift"
)
sys.setrecursionlimit(20_000)  # a word that each stage may set is as many conditions deep
# The solver's work is limited in steps it counts itself, not in seconds: a busy machine proves the
# same. About 3 million in a second; the hardest range that it shows to hold takes 12.3 million.
RANGE_STEPS, CLAIM_STEPS = 15_000_000, 720_000_000
ALONE_STEPS = 1_000_000  # for an obligation without the path to it
# claims that are asked for at once, and for how many steps before their halves are
TOGETHER, TOGETHER_STEPS = 32, 90_000_000


class Unknown(Exception):
    """Something that cannot be run symbolically: the proof is not held."""


class _Value:
    __slots__ = ()

    def __lt__(self, other):
        return compare(LT, self, other)

    def __le__(self, other):
        return compare(LE, self, other)

    def __gt__(self, other):
        return compare(GT, self, other)

    def __ge__(self, other):
        return compare(GE, self, other)


class Sym(_Value):
    """bits: truth values, lowest first; chosen: (condition, a, b) of it, far easier to decide."""

    __slots__ = ("e", "low", "high", "bits", "chosen", "compared")

    def __init__(self, e, low, high, bits=None, chosen=None):
        self.e, self.low, self.high, self.bits = e, low, high, bits
        self.chosen, self.compared = chosen, {}


class Cond(_Value):
    __slots__ = ("e",)

    def __init__(self, e):
        self.e = e

    def __bool__(self):
        raise Unknown("a truth value that is not decided, taken for one that is")

    def __and__(self, other):
        return (
            (self if other else False) if isinstance(other, bool) else Cond(z3.And(self.e, other.e))
        )

    def __or__(self, other):
        return no(no(self) & no(other))

    __rand__, __ror__ = __and__, __or__


NUMBER = (int, Sym, Cond)


def no(a):
    if isinstance(a, bool):
        return not a
    return Cond(a.e.arg(0) if z3.is_not(a.e) else z3.Not(a.e))


def equal(a, b):
    return compare(EQ, a, b)


def implies(a, b):
    return no(a) | b


def any_of(conditions):
    found = False
    for each in conditions:
        found = found | each
    return found


def says(path, condition):
    """True if a condition is, word for word, one of those that a path is made of."""
    waiting = [path.e] if isinstance(path, Cond) and isinstance(condition, Cond) else []
    while waiting:
        part = waiting.pop()
        if part.eq(condition.e):
            return True
        if z3.is_and(part):
            waiting += part.children()
    return False


def formula(a):
    return z3.BoolVal(a) if isinstance(a, bool) else a.e


def number(a):
    if isinstance(a, Cond):
        return Sym(z3.If(a.e, z3.IntVal(1), z3.IntVal(0)), 0, 1)
    return int(a) if isinstance(a, bool) else a


def expression(a):
    a = number(a)
    return a.e if isinstance(a, Sym) else z3.IntVal(a)


def ends(a):
    a = number(a)
    return (a.low, a.high) if isinstance(a, Sym) else (a, a)


def truth(a):
    if isinstance(a, Sym):
        return compare(NE, a, 0)
    return a if isinstance(a, Cond) else bool(a)


def compare(how, a, b):
    """A comparison, decided where the intervals decide it."""
    a, b = number(a), number(b)
    if not isinstance(a, Sym) and not isinstance(b, Sym):
        return how(a, b)
    if isinstance(a, int):
        return compare(TURNED[how], b, a)
    (a_low, a_high), (b_low, b_high) = ends(a), ends(b)
    if how in (EQ, NE):
        if a_high < b_low or b_high < a_low:
            return how is NE
    else:
        always, possible = (a_high, b_low), (a_low, b_high)
        if how in (GT, GE):
            always, possible = possible, always
        if how(*always) or not how(*possible):
            return how(*always)
    return _compared_with(how, a, b) if isinstance(b, int) else Cond(how(a.e, b.e))


def _compared_with(how, a, constant):
    if a.bits is not None and len(a.bits) == 1 and how in (EQ, NE):
        return a.bits[0] if (how is EQ) == (constant == 1) else no(a.bits[0])
    # all in terms of <, so that a path is seen to contain it already
    if how in (GE, GT, LE):
        below = a < constant + (how is not GE)
        return below if how is LE else no(below)
    key = how, constant
    if key not in a.compared:
        if a.chosen and any(isinstance(each, int) for each in a.chosen[1:]):
            condition, one, other = a.chosen
            a.compared[key] = choose(
                condition, compare(how, one, constant), compare(how, other, constant)
            )
        else:
            a.compared[key] = Cond(how(a.e, z3.IntVal(constant)))
    return a.compared[key]


def bits_of(a):
    """Bits of a number, lowest first, as truth values; None where they are not known one by one."""
    a = number(a)
    if isinstance(a, Sym):
        if a.bits is None and a.chosen:
            condition, one, other = a.chosen[0], bits_of(a.chosen[1]), bits_of(a.chosen[2])
            if one is not None and other is not None:
                a.bits = joined(lambda left, right: choose(condition, left, right), one, other)
        if a.bits is None and a.low == 0 and a.high == 1:
            a.bits = (truth(a),)
        return a.bits
    return tuple(a >> place & 1 == 1 for place in range(a.bit_length())) if a >= 0 else None


def from_bits(bits):
    bits = tuple(bits)
    if all(isinstance(bit, bool) for bit in bits):
        return sum(bit << place for place, bit in enumerate(bits))
    total = z3.Sum([z3.If(formula(bit), 1 << place, 0) for place, bit in enumerate(bits)])
    return Sym(total, 0, (1 << len(bits)) - 1, bits)


def joined(join, a, b):
    return tuple(join(one, other) for one, other in itertools.zip_longest(a, b, fillvalue=False))


def choose(condition, a, b):
    if isinstance(condition, bool):
        return a if condition else b
    if a is b:
        return a
    if isinstance(a, (tuple, list)) and isinstance(b, (tuple, list)) and len(a) == len(b):
        return type(a)(choose(condition, left, right) for left, right in zip(a, b))
    if isinstance(a, (Cond, bool)) and isinstance(b, (Cond, bool)):
        return (condition & a) | (no(condition) & b)
    if not (isinstance(a, NUMBER) and isinstance(b, NUMBER)):
        raise Unknown(f"one of {a!r} and {b!r}")
    if isinstance(a, int) and a == b:
        return a
    lows, highs = zip(ends(a), ends(b))
    either = z3.If(condition.e, expression(a), expression(b))
    return Sym(either, min(lows), max(highs), chosen=(condition, a, b))


class Span:
    """range(first, after) of unknown ends: numbers that may be in it, each under its condition."""

    def __init__(self, first, after):
        self.first, self.after = first, after

    def numbers(self):
        return range(ends(self.first)[0], ends(self.after)[1])

    def holds(self, value):
        return (self.first <= value) & (value < self.after)


class _Frame:
    def __init__(self, names, scope, title, entered):
        """entered: the condition under which the call happens; the names exist under no other."""
        self.names, self.scope, self.title, self.entered = names, scope, title, entered
        self.result, self.leaving = None, 0
        self.skipped = self.broken = False


class Machine:
    def __init__(self, stubs=(), claim_steps=CLAIM_STEPS):
        """stubs: {function: its replacement, called with the machine and the arguments}."""
        self.facts, self.obligations, self.alive = [], [], True
        # of facts: what is known of results, which contradicts nothing whatever the inputs are
        self.of_results = []
        self.stubs, self.claim_steps = dict(stubs), claim_steps
        self._trees, self._count = {}, 0

    def symbol(self, name, low, high):
        self._count += 1
        if (low, high) == (0, 1):
            truth_value = z3.Bool(f"{name}!{self._count}")
            return Sym(z3.If(truth_value, z3.IntVal(1), z3.IntVal(0)), 0, 1, (Cond(truth_value),))
        made = Sym(z3.Int(f"{name}!{self._count}"), low, high)
        self.facts += [made.e >= low, made.e <= high]
        return low if low == high else made

    def symbols(self, name, low, high, count):
        return [self.symbol(f"{name}{place}", low, high) for place in range(count)]

    def bits(self, name, count):
        return from_bits(map(truth, self.symbols(name, 0, 1, count)))

    def assume(self, conditions):
        self.facts += map(formula, conditions)

    def oblige(self, what, condition):
        needed = implies(self.alive, condition)
        if needed is not True and not says(self.alive, condition):
            self.obligations.append((what, needed, condition))

    def unmet(self):
        """Same as `refute`, of the obligations. Some hold whatever the path to them says, and
        without it they are far easier to decide. Together the others are harder than one by one.
        """
        held = self.always([condition for *_, condition in self.obligations], ALONE_STEPS)
        asked = zip(self.obligations, held)
        left = [(what, needed) for (what, needed, _), is_held in asked if not is_held]
        return self.refute(left, together=1)

    def refute(self, claims, together=TOGETHER):
        """(claim, model or reason) of the first claim that Z3 does not show to hold; or None."""
        if self._solver(self.claim_steps, *self.facts).check() != z3.sat:
            return "the assumptions", "contradict each other, or nobody knows"
        open_ = [(what, claim) for what, claim in claims if claim is not True]
        waiting = [open_[start : start + together] for start in range(0, len(open_), together)]
        while waiting:
            part = waiting.pop()
            steps = min(self.claim_steps, TOGETHER_STEPS if len(part) > 1 else CLAIM_STEPS)
            # a solver anew: what one has learned of another part only holds it up
            solver = self._solver(steps, *self.facts, *self.of_results)
            answer = solver.check(z3.Not(z3.And([formula(claim) for _, claim in part])))
            if answer == z3.unknown and len(part) > 1:
                waiting += [part[: len(part) // 2], part[len(part) // 2 :]]
            elif answer != z3.unsat:
                return self._why(solver, answer, part)
        return None

    def _solver(self, steps, *facts):
        solver = z3.Solver()
        solver.set("rlimit", steps)
        solver.add(*facts)
        return solver

    def _why(self, solver, answer, part):
        if answer == z3.unknown:
            return part[0][0], f"inconclusive: {solver.reason_unknown()}"
        model = solver.model()
        what = next(
            what for what, claim in part if not z3.is_true(model.eval(formula(claim), True))
        )
        return what, str(sorted(((str(each), model[each]) for each in model), key=str))[:300]

    def possible(self, condition):
        solver = self._solver(RANGE_STEPS, *self.facts, *self.of_results, formula(condition))
        return solver.check() != z3.unsat

    def always(self, conditions, steps=RANGE_STEPS):
        solver, found = self._solver(steps, *self.facts, *self.of_results), []
        for condition in conditions:
            solver.push()
            solver.add(z3.Not(formula(condition)))
            found.append(solver.check() == z3.unsat)
            solver.pop()
        return found

    def call(self, function, *args, **kwargs):
        """Runs a function, method or class of the project; calls anything else as it is."""
        stub = self.stubs.get(getattr(function, "__func__", function))
        if stub:
            return stub(self, *args)
        if inspect.isclass(function) and function.__module__.split(".")[0] in OURS:
            made = object.__new__(function)
            self._run(function.__init__, (made, *args), kwargs)
            return made
        if inspect.ismethod(function):
            return self.call(function.__func__, function.__self__, *args, **kwargs)
        if inspect.isfunction(function) and function.__module__.split(".")[0] in OURS:
            return self._run(function, args, kwargs)
        return self._outside(function, args, kwargs)

    def _run(self, function, args, kwargs):
        tree = self._trees.get(function)
        if tree is None:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
            self._trees[function] = tree
        bound, entered = inspect.signature(function).bind(*args, **kwargs), self.alive
        bound.apply_defaults()
        names = dict(bound.arguments)
        frame = _Frame(names, function.__globals__, function.__qualname__, entered)
        self._block(tree.body, frame)
        self.alive = entered
        return frame.result

    def _outside(self, function, args, kwargs):
        if function is min or function is max:
            return self._extreme(function, args if len(args) > 1 else args[0])
        if function is sum:
            return functools.reduce(lambda a, b: self.compute(ast.Add, a, b, "sum"), args[0], 0)
        if function is abs and isinstance(args[0], Sym):
            below = args[0] < 0
            return self._checked("abs", choose(below, self._negative(args[0]), args[0]))
        name = getattr(function, "__name__", "")
        if name == "array":
            return list(args[1])
        if function is bytearray:
            return [0] * args[0] if isinstance(args[0], int) else list(args[0])
        if function is bool:
            return truth(args[0])
        if function is range and _symbolic(args) and len(args) < 3:
            return Span(*args) if len(args) == 2 else Span(0, args[0])
        known = (len, tuple, list, range, enumerate, zip, reversed)
        is_of_list = isinstance(getattr(function, "__self__", None), list)
        if is_of_list and self.alive is not True:
            raise Unknown(f"{name} of a list under a condition")
        if function in known or name == "append" and is_of_list or not _symbolic((args, kwargs)):
            return function(*args, **kwargs)
        raise Unknown(f"call of {name or function!r}")

    def _extreme(self, function, values):
        found = values[0]
        how = LT if function is min else GT
        for value in values[1:]:
            low = function(ends(found)[0], ends(value)[0])
            high = function(ends(found)[1], ends(value)[1])
            found = choose(compare(how, value, found), value, found)
            if isinstance(found, Sym):
                found = Sym(found.e, low, high)
        return found

    def _block(self, statements, frame):
        for statement in statements:
            if self.alive is False:
                return
            kind = getattr(self, "_do_" + type(statement).__name__.lower(), None)
            if kind is None:
                raise Unknown(f"{type(statement).__name__} in {frame.title}")
            kind(statement, frame)

    def _do_expr(self, node, frame):
        if not isinstance(node.value, ast.Constant):
            self.value(node.value, frame)

    def _do_assign(self, node, frame):
        value = self.value(node.value, frame)
        for target in node.targets:
            self._store(target, value, frame)

    def _do_annassign(self, node, frame):
        self._store(node.target, self.value(node.value, frame), frame)

    def _do_augassign(self, node, frame):
        target = ast.parse(ast.unparse(node.target), mode="eval").body
        load = ast.BinOp(target, node.op, node.value)
        self._store(node.target, self.value(load, frame), frame)

    def _store(self, target, value, frame):
        if isinstance(target, ast.Name):
            old = frame.names.get(target.id, value)
            merged = _plain(old) and self.alive is not frame.entered
            frame.names[target.id] = choose(self.alive, value, old) if merged else value
        elif isinstance(target, (ast.Tuple, ast.List)):
            for place, each in enumerate(target.elts):
                self._store(each, value[place], frame)
        elif isinstance(target, ast.Attribute):
            owner = self.value(target.value, frame)
            old = getattr(owner, target.attr, value)
            setattr(owner, target.attr, choose(self.alive, value, old) if _plain(old) else value)
        elif isinstance(target, ast.Subscript):
            self._store_item(
                self.value(target.value, frame), self.value(target.slice, frame), value, frame
            )
        else:
            raise Unknown(f"assignment to {ast.unparse(target)}")

    def _store_item(self, owner, index, value, frame):
        if not isinstance(owner, list):
            raise Unknown(f"{frame.title}: store into {type(owner).__name__}")
        if isinstance(index, int):
            self.oblige(f"{frame.title}: index", 0 <= index < len(owner))
            owner[index] = choose(self.alive, value, owner[index])
            return
        self._inside(index, len(owner), frame)
        low, high = ends(index)
        for place in range(max(0, low), min(high, len(owner) - 1) + 1):
            owner[place] = choose(self.alive & equal(index, place), value, owner[place])

    def _inside(self, index, count, frame):
        self.oblige(f"{frame.title}: index", (index >= 0) & (index < count))

    def _do_return(self, node, frame):
        value = self.value(node.value, frame) if node.value else None
        if frame.leaving == 0 or frame.result is None:
            frame.result = value
        else:
            frame.result = choose(self.alive, value, frame.result)
        frame.leaving += 1
        self.alive = False

    def _do_continue(self, node, frame):
        frame.skipped = frame.skipped | self.alive
        frame.leaving += 1
        self.alive = False

    def _do_break(self, node, frame):
        frame.broken = frame.broken | self.alive
        frame.leaving += 1
        self.alive = False

    def _do_raise(self, node, frame):
        self.oblige(f"{frame.title}: {ast.unparse(node)[:60]} is not reached", False)
        frame.leaving += 1
        self.alive = False

    def _do_if(self, node, frame):
        condition = truth(self.value(node.test, frame))
        if isinstance(condition, bool):
            self._block(node.body if condition else node.orelse, frame)
            return
        before, leaving, entered, names = self.alive, frame.leaving, frame.entered, frame.names
        left = []
        for body, side in ((node.body, condition), (node.orelse, no(condition))):
            frame.names = dict(names)
            self.alive = frame.entered = before & side
            self._narrow(node.test, side is condition, frame)
            self._block(body, frame)
            left.append((self.alive, frame.names))
        (one, ours), (other, theirs) = left
        frame.entered, frame.names = entered, theirs if one is False else ours
        if one is not False and other is not False:
            frame.names = self._joined(condition, ours, theirs, names)
        self.alive = before if leaving == frame.leaving else one | other

    def _joined(self, condition, ours, theirs, before):
        """The names after an if, of both sides; one that was only narrowed is as before."""
        joined = {**theirs, **ours}
        for name in ours.keys() & theirs.keys():
            one, other = ours[name], theirs[name]
            if isinstance(one, Sym) and isinstance(other, Sym) and one.e is other.e:
                joined[name] = before.get(name, one)
            elif one is not other:
                joined[name] = choose(condition, one, other)
        return joined

    def _narrow(self, test, holds, frame):
        """The name's interval is smaller inside `if name > number`."""
        if not (
            isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.left, ast.Name)
        ):
            return
        old, other = frame.names.get(test.left.id), self.value(test.comparators[0], frame)
        if not isinstance(old, Sym) or not isinstance(other, int):
            return
        how, low, high = COMPARE[type(test.ops[0])], old.low, old.high
        edge = other + (how in (LE, GT))
        if how in (LT, LE, GT, GE) and (how in (LT, LE)) == holds:
            high = min(high, edge - 1)
        elif how in (LT, LE, GT, GE):
            low = max(low, edge)
        frame.names[test.left.id] = Sym(old.e, low, high)

    def _do_for(self, node, frame):
        outer = frame.skipped, frame.broken
        frame.broken = False
        values = self.value(node.iter, frame)
        for value in values.numbers() if isinstance(values, Span) else values:
            before, leaving = self.alive, frame.leaving
            frame.skipped = False
            self._bind(node.target, value, frame)
            if isinstance(values, Span):
                self.alive = before & values.holds(value)
            self._block(node.body, frame)
            if isinstance(values, Span) and leaving != frame.leaving:
                raise Unknown(f"{frame.title}: a loop of unknown length that is left from inside")
            self.alive = before if leaving == frame.leaving else self.alive | frame.skipped
            if self.alive is False:
                break
        if frame.broken is not False:
            self.alive = self.alive | frame.broken
        frame.skipped, frame.broken = outer

    def _bind(self, target, value, frame):
        """The variable of a loop: its own, under any condition of the loop."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
        else:
            for each, part in zip(target.elts, value, strict=True):
                self._bind(each, part, frame)

    def _do_while(self, node, frame):
        start = self.alive
        for _ in range(UNROLL_MAX):
            condition = truth(self.value(node.test, frame))
            self.alive = self.alive & condition
            if self.alive is False or not (
                isinstance(condition, bool) or self.possible(self.alive)
            ):
                self.alive = start
                return
            leaving = frame.leaving
            self._block(node.body, frame)
            if frame.leaving != leaving:
                raise Unknown(f"{frame.title}: a loop that is left from inside")
        raise Unknown(f"{frame.title}: more than {UNROLL_MAX} rounds")

    def value(self, node, frame):
        kind = getattr(self, "_of_" + type(node).__name__.lower(), None)
        if kind is None:
            raise Unknown(f"{type(node).__name__} in {frame.title}")
        return kind(node, frame)

    def _of_constant(self, node, frame):
        return node.value

    def _of_name(self, node, frame):
        for names in (frame.names, frame.scope, vars(builtins)):
            if node.id in names:
                return names[node.id]
        raise Unknown(f"{frame.title}: {node.id} has no value")

    def _of_attribute(self, node, frame):
        return getattr(self.value(node.value, frame), node.attr)

    def _of_tuple(self, node, frame):
        return tuple(self.value(each, frame) for each in node.elts)

    def _of_list(self, node, frame):
        return [self.value(each, frame) for each in node.elts]

    def _of_listcomp(self, node, frame):
        found = []
        self._comprehend(node.generators, node.elt, frame, found)
        return found

    def _comprehend(self, generators, element, frame, found):
        if not generators:
            found.append(self.value(element, frame))
            return
        first = generators[0]
        for value in self.value(first.iter, frame):
            self._bind(first.target, value, frame)
            wanted = [truth(self.value(test, frame)) for test in first.ifs]
            if any(not isinstance(each, bool) for each in wanted):
                raise Unknown(f"{frame.title}: a list whose length is not known")
            if all(wanted):
                self._comprehend(generators[1:], element, frame, found)

    def _of_slice(self, node, frame):
        parts = (node.lower, node.upper, node.step)
        return slice(*[self.value(each, frame) if each else None for each in parts])

    def _of_subscript(self, node, frame):
        owner, index = self.value(node.value, frame), self.value(node.slice, frame)
        index = number(index) if isinstance(index, (bool, Cond)) else index
        if not isinstance(index, Sym):
            if isinstance(index, int) and not isinstance(owner, dict):
                inside = -len(owner) <= index < len(owner)
                self.oblige(f"{frame.title}: index {index} of {len(owner)}", inside)
                return owner[index] if inside else 0
            return owner[index]
        self._inside(index, len(owner), frame)
        low, high = max(0, index.low), min(index.high, len(owner) - 1)
        found = owner[high]
        for place in range(high - 1, low - 1, -1):
            found = choose(equal(index, place), owner[place], found)
        return found

    def _of_ifexp(self, node, frame):
        condition = truth(self.value(node.test, frame))
        if isinstance(condition, bool):
            return self.value(node.body if condition else node.orelse, frame)
        one = self._under(condition, node.body, frame)
        return choose(condition, one, self._under(no(condition), node.orelse, frame))

    def _under(self, condition, node, frame):
        before = self.alive
        self.alive = before & condition
        try:
            return self.value(node, frame)
        finally:
            self.alive = before

    def _of_boolop(self, node, frame):
        is_and = isinstance(node.op, ast.And)
        result = self.value(node.values[0], frame)
        for each in node.values[1:]:
            condition = truth(result)
            going = condition if is_and else no(condition)
            if going is False:
                return result
            following = self._under(going, each, frame)
            result = following if going is True else choose(going, following, result)
        return result

    def _of_unaryop(self, node, frame):
        value = self.value(node.operand, frame)
        if isinstance(node.op, ast.Not):
            return no(truth(value))
        if isinstance(node.op, ast.USub):
            return self._checked(frame.title, self._negative(number(value)))
        raise Unknown(f"{frame.title}: {ast.unparse(node)}")

    def _negative(self, value):
        return Sym(-value.e, -value.high, -value.low) if isinstance(value, Sym) else -value

    def _of_compare(self, node, frame):
        left, result = self.value(node.left, frame), True
        for how, right_node in zip(node.ops, node.comparators):
            right = self.value(right_node, frame)
            result = result & self._compared(how, left, right)
            left = right
        return result

    def _compared(self, how, left, right):
        if isinstance(how, (ast.In, ast.NotIn)):
            found = any_of(equal(left, each) for each in right)
            return found if isinstance(how, ast.In) else no(found)
        if isinstance(how, (ast.Is, ast.IsNot)):
            return (left is right) == isinstance(how, ast.Is)
        if type(how) not in COMPARE:
            raise Unknown(type(how).__name__)
        if not (isinstance(left, NUMBER) and isinstance(right, NUMBER)):
            return COMPARE[type(how)](left, right)
        return compare(COMPARE[type(how)], left, right)

    def _of_call(self, node, frame):
        function = self.value(node.func, frame)
        args = [self.value(each, frame) for each in node.args]
        kwargs = {each.arg: self.value(each.value, frame) for each in node.keywords}
        return self.call(function, *args, **kwargs)

    def _of_binop(self, node, frame):
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        where = f"{frame.title}: {ast.unparse(node)}"
        return self.compute(type(node.op), left, right, where)

    def compute(self, how, left, right, where):
        if not (
            isinstance(left, NUMBER) and isinstance(right, NUMBER) and _symbolic((left, right))
        ):
            return self._checked(where, COMPUTE[how](left, right))
        left, right = number(left), number(right)
        (a, b), (c, d) = ends(left), ends(right)
        if how in (ast.BitAnd, ast.BitOr):
            return self._bits(how, left, right, where)
        if how is ast.RShift and isinstance(right, int) and bits_of(left) is not None:
            return from_bits(bits_of(left)[right:])
        if how is ast.RShift and isinstance(right, int) and ends(left)[0] >= 0:
            return self._divided(ast.FloorDiv, left, 1 << right, where)
        if how in (ast.FloorDiv, ast.Mod):
            return self._divided(how, left, right, where)
        if how not in (ast.Add, ast.Sub, ast.Mult):
            raise Unknown(where)
        spread = {ast.Add: (a + c, b + d), ast.Sub: (a - d, b - c)}.get(how)
        low, high = spread or (min(a * c, a * d, b * c, b * d), max(a * c, a * d, b * c, b * d))
        made = Sym(COMPUTE[how](expression(left), expression(right)), low, high)
        return self._checked(where, made)

    def _divided(self, how, left, right, where):
        (a, b), (c, d) = ends(left), ends(right)
        self.oblige(f"{where}: divisor above 0", right > 0)
        c, d = max(c, 1), max(d, 1)
        if how is ast.Mod:
            if a >= 0 and b < c:
                return left
            return Sym(expression(left) % expression(right), 0, min(d - 1, b) if a >= 0 else d - 1)
        corners = [x // y for x in (a, b) for y in (c, d)]
        made = Sym(expression(left) / expression(right), min(corners), max(corners))
        return self._checked(where, made)

    def _bits(self, how, left, right, where):
        """Exact where the bits are known one by one; else only bounds of the result."""
        (a, b), (c, d) = ends(left), ends(right)
        if min(a, c) < 0:
            raise Unknown(where)
        if max(b, d) <= 1:
            return number(COMPUTE[how](truth(left), truth(right)))
        mine, other = bits_of(left), bits_of(right)
        if mine is not None and other is not None:
            return from_bits(joined(COMPUTE[how], mine, other))
        most = min(b, d) if how is ast.BitAnd else (1 << max(b, d).bit_length()) - 1
        made = self.symbol("bits", 0, most)
        # outside their intervals (on a dead path) nothing is claimed
        x, y = expression(left), expression(right)
        inside = z3.And(x >= 0, y >= 0, x <= b, y <= d)
        bounds = made.e >= x, made.e >= y, made.e <= x + y
        if how is ast.BitAnd:
            bounds = made.e <= x, made.e <= y
        self.of_results.append(z3.Implies(inside, z3.And(bounds)))
        return made

    def _checked(self, where, value):
        """The value; its range is an obligation where the interval does not show it."""
        if isinstance(value, Sym):
            if value.low < LOW or value.high > HIGH:
                inside = Cond(z3.And(value.e >= LOW, value.e <= HIGH))
                self.oblige(f"{where} stays within 2^30", inside)
                value = Sym(value.e, max(value.low, LOW), min(value.high, HIGH))
        elif type(value) is int and not LOW <= value <= HIGH:
            self.oblige(f"{where} stays within 2^30", False)
        return value


def _plain(value):
    """Mergeable: everything but objects that are only passed on."""
    return isinstance(value, (*NUMBER, tuple))


def _symbolic(value):
    if isinstance(value, (tuple, list)):
        return any(_symbolic(each) for each in value)
    if isinstance(value, dict):
        return any(_symbolic(each) for each in value.values())
    return isinstance(value, (Sym, Cond))
