"""Operators: each function yields (operator, new node) for one spot of a tree."""

import ast

SYMBOLS = (
    "Lt <, LtE <=, Gt >, GtE >=, Eq ==, NotEq !=, Is is, IsNot is not, In in, NotIn not in, Add +, "
    "Sub -, Mult *, Div /, FloorDiv //, Mod %, LShift <<, RShift >>, BitAnd &, BitOr |, BitXor ^"
)
SYMBOLS = {
    getattr(ast, name): " ".join(text) for name, *text in map(str.split, SYMBOLS.split(", "))
}


def _classes(pairs):
    named = [pair.split() for pair in pairs.split(", ")]
    return {getattr(ast, name): getattr(ast, other) for name, other in named}


# The boundary only: condition to True and to False find a condition turned round.
COMPARED = _classes(
    "Lt LtE, LtE Lt, Gt GtE, GtE Gt, Eq NotEq, NotEq Eq, Is IsNot, IsNot Is, In NotIn, NotIn In"
)
ORDERED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
COMPUTED = _classes(
    "Add Sub, Sub Add, Mult Add, Div Mult, FloorDiv Mult, Mod FloorDiv, LShift RShift, "
    "RShift LShift, BitAnd BitOr, BitOr BitAnd, BitXor BitOr"
)


# names of byte orders
LITTLE = {"big": "little", "little": "big"}


def constant(value):
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def plus(node, step):
    return ast.BinOp(node, ast.Add() if step > 0 else ast.Sub(), ast.Constant(abs(step)))


def is_negated(node):
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def is_at(spot, field, *kinds):
    return spot.field == field and isinstance(spot.parent, kinds)


def is_range(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "range"


def is_int(node):
    node = node.operand if is_negated(node) else node
    return isinstance(node, ast.Constant) and type(node.value) is int


def of(spot):
    yield from HANDLERS.get(type(spot.node), lambda _: ())(spot)
    yield from _condition(spot)
    yield from _index(spot)
    yield from _range(spot)


def _compare(spot):
    node = spot.node
    for place, operator in enumerate(node.ops if not _takes_the_larger(spot) else ()):
        if type(operator) in ORDERED or not _is_condition(spot):
            other = COMPARED[type(operator)]()
            ops = [*node.ops[:place], other, *node.ops[place + 1 :]]
            change = f"{SYMBOLS[type(operator)]} to {SYMBOLS[type(other)]}"
            yield change, ast.Compare(node.left, ops, node.comparators)


def _takes_the_larger(spot):
    """`if a > b: b = a`, or with <: equal values make no difference."""
    body = spot.parent.body if is_at(spot, "test", ast.If) and not spot.parent.orelse else []
    if len(body) != 1 or not isinstance(body[0], ast.Assign) or len(spot.node.ops) != 1:
        return False
    asked, done = (spot.node.left, *spot.node.comparators), (body[0].targets[0], body[0].value)
    return set(map(ast.unparse, asked)) == set(map(ast.unparse, done))


def _binary(spot):
    node = spot.node
    other = COMPUTED.get(type(node.op))
    # an index is moved by 1
    if other and not is_at(spot, "slice", ast.Subscript):
        change = f"{SYMBOLS[type(node.op)]} to {SYMBOLS[other]}"
        yield change, ast.BinOp(node.left, other(), node.right)


def _augmented(spot):
    yield "statement deleted", None
    node = spot.node
    yield f"{SYMBOLS[type(node.op)]}= to =", ast.Assign([node.target], node.value)


def beside(value):
    return 0 if value == 1 else value + 1


def _constant(spot):
    value = spot.node.value
    if type(value) is bool:
        yield f"{value} to {not value}", ast.Constant(not value)
    elif type(value) is int and not is_negated(spot.parent):
        # one higher ends by itself
        other = value - 1 if spot.field == "slice" and value > 0 else beside(value)
        yield f"{value} to {other}", constant(other)
    elif type(value) is float:
        yield f"{value} to {value + 1}", ast.Constant(value + 1)
    elif value in LITTLE:
        yield f"{value} to {LITTLE[value]}", ast.Constant(LITTLE[value])


def _boolean(spot):
    """Each operand left out: a test that finds this finds `and` for `or` too."""
    node = spot.node
    for place in range(len(node.values)):
        left = [*node.values[:place], *node.values[place + 1 :]]
        yield f"operand {place} dropped", ast.BoolOp(node.op, left) if len(left) > 1 else left[0]


def _unary(spot):
    node = spot.node
    if isinstance(node.op, ast.Not):
        yield "not dropped", node.operand
    elif is_int(node):
        value = ast.literal_eval(node)
        yield f"{value} to {value + 1}", constant(value + 1)
    elif is_negated(node):
        yield "minus dropped", node.operand


def _call(spot):
    node = spot.node
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("min", "max"):
        for place, argument in enumerate(node.args):
            yield f"{name} to operand {place}", argument
    elif name == "abs":
        yield "abs dropped", node.args[0]


def _alone(spot):
    """The whole body of an if without an else: its condition to False does the same."""
    parent = spot.parent
    return is_at(spot, "body", ast.If) and len(parent.body) == 1 and not parent.orelse


def _assign(spot):
    targets = spot.node.targets
    named = all(isinstance(each, ast.Name) for each in targets)
    if not _alone(spot) and (not named or len(targets) == 1 and _assigned_twice(spot)):
        yield "statement deleted", None


def _assigned_twice(spot):
    """A name that has only this assignment would be a NameError without it: no need to try."""
    name = spot.node.targets[0].id
    arguments = [each.arg for each in spot.function.args.args]
    names = [node for node in ast.walk(spot.function) if isinstance(node, ast.Name)]
    stored = [node.id for node in names if isinstance(node.ctx, ast.Store)]
    return (stored + arguments).count(name) > 1


def _statement(spot):
    says = isinstance(spot.node, ast.Expr) and not isinstance(spot.node.value, ast.Call)
    if not _alone(spot) and not says:
        yield "statement deleted", None


def _return(spot):
    value = spot.node.value
    if value is None:
        yield from _statement(spot)
        return
    if not isinstance(value, ast.Constant):
        for other in (0, 1) if isinstance(value, (ast.Compare, ast.BoolOp, ast.UnaryOp)) else (0,):
            yield f"return to return {other}", ast.Return(ast.Constant(other))
    if spot.node is not spot.function.body[-1] and not _alone(spot):
        yield "statement deleted", None


def _if(spot):
    if spot.node.orelse:
        yield "else deleted", ast.If(spot.node.test, spot.node.body, [])


HANDLERS = {ast.Compare: _compare, ast.BinOp: _binary, ast.AugAssign: _augmented}
HANDLERS |= {ast.Constant: _constant, ast.BoolOp: _boolean, ast.UnaryOp: _unary, ast.Call: _call}
HANDLERS |= {ast.Assign: _assign, ast.Return: _return, ast.If: _if}
HANDLERS |= dict.fromkeys((ast.Expr, ast.Continue, ast.Break), _statement)


def _is_condition(spot):
    return is_at(spot, "test", ast.If, ast.IfExp, ast.While)


def _condition(spot):
    """Always and never; an endless while shows nothing."""
    if _is_condition(spot):
        if not isinstance(spot.parent, ast.While):
            yield "condition to True", ast.Constant(True)
        yield "condition to False", ast.Constant(False)
    if is_at(spot, "ifs", ast.comprehension):
        yield "condition to True", ast.Constant(True)


def _index(spot):
    """An index one lower, a slice shorter by one: the other way mostly is an IndexError."""
    if is_int(spot.node):
        return
    if is_at(spot, "slice", ast.Subscript) and not isinstance(spot.node, (ast.Slice, ast.Tuple)):
        yield "index -1", plus(spot.node, -1)
    if isinstance(spot.parent, ast.Slice):
        step = 1 if spot.field == "lower" else -1
        yield f"bound {step:+}", plus(spot.node, step)


def _range(spot):
    parent = spot.parent
    if spot.field == "args" and is_range(parent):
        if not is_int(spot.node):
            step = 1 if len(parent.args) > 1 and spot.place == 0 else -1
            yield f"bound {step:+}", plus(spot.node, step)
        if len(parent.args) == 1:
            both = ast.Tuple([ast.Constant(1), spot.node], ast.Load())
            yield "begun at 1", ast.Starred(both, ast.Load())


def value_of(node, namespace):
    try:
        return eval(ast.unparse(node), namespace)
    except (NameError, AttributeError, RuntimeError):  # super() outside its method
        return None


def is_name(node):
    return isinstance(node, (ast.Name, ast.Attribute))


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


class Columns:
    def __init__(self, value, namespace):
        self.namespace, self.value, self.rows, self.others = namespace, value, {}, {}
        rows = []
        if isinstance(value, (ast.Tuple, ast.List)):
            rows = [(str(place), row) for place, row in enumerate(value.elts)]
        elif isinstance(value, ast.Dict):
            named = [(key, row) for key, row in zip(value.keys, value.values) if key is not None]
            rows = [(ast.unparse(key), row) for key, row in named]
            for key, _ in named:
                self.rows |= dict.fromkeys(map(id, ast.walk(key)), f"[{ast.unparse(key)}]")
        for key, row in rows:
            self._row(key, row)
        self._alternatives([row.elts for _, row in rows if isinstance(row, ast.Tuple)])
        self._alternatives([[row] for _, row in rows if isinstance(row, ast.Attribute | ast.Name)])

    def _row(self, key, row):
        is_tuple = isinstance(row, ast.Tuple)
        cells = row.elts if is_tuple else [row]
        is_keyed = is_tuple and cells and isinstance(self.value, ast.Tuple)
        if is_keyed and isinstance(cells[0], ast.Constant):
            key = str(cells[0].value)
        self.rows[id(row)] = f"[{key}]"
        for place, cell in enumerate(cells):
            where = f"[{key}][{place}]" if is_tuple else f"[{key}]"
            self.rows |= dict.fromkeys(map(id, ast.walk(cell)), where)

    def _alternatives(self, rows):
        """Changes of a name that is no number, or a string of a few: the next of its column."""
        for column in range(max(map(len, rows), default=0)):
            cells = [row[column] for row in rows if len(row) > column]
            names = [cell for cell in cells if is_name(cell) and not self.is_number(cell)]
            texts = [cell for cell in cells if is_text(cell)]
            few_texts = 2 * len({cell.value for cell in texts}) <= len(texts)
            for kind, few in ((names, True), (texts, few_texts)):
                distinct = list(dict.fromkeys(ast.unparse(cell) for cell in kind))
                for cell in kind if few and len(distinct) > 1 else ():
                    place = distinct.index(ast.unparse(cell)) + 1
                    self.others[id(cell)] = distinct[place % len(distinct)]

    def is_number(self, node):
        return type(value_of(node, self.namespace)) is int

    def where(self, node):
        return self.rows.get(id(node), "")


def of_cell(spot, columns):
    node, parent = spot.node, spot.parent
    if is_range(parent) and len(parent.args) == 1:
        return  # as many names as numbers, or the module does not load
    if is_int(node):
        if not is_negated(parent):
            value = ast.literal_eval(node)
            yield f"{value} to {beside(value)}", constant(beside(value))
    elif id(node) in columns.others:
        other = ast.parse(columns.others[id(node)], mode="eval").body
        yield f"to {columns.others[id(node)]}", other
    elif is_name(node) and _in_display(spot) and columns.is_number(node):
        step = -1 if value_of(node, columns.namespace) > 0 else 1
        yield f"{ast.unparse(node)} {step:+}", plus(node, step)
    elif isinstance(node, ast.BinOp):
        yield from _binary(spot)
    elif isinstance(node, ast.Constant) and type(node.value) in (bool, float):
        yield from _constant(spot)
    yield from _dropped(spot)


def _in_display(spot):
    displays = (ast.Tuple, ast.List, ast.Dict, ast.Call, ast.keyword)
    return isinstance(spot.parent, displays) and spot.field != "func"


def _dropped(spot):
    """A row or an element of a plain sequence left out; of texts only the last one."""
    parent = spot.parent
    whole = getattr(spot.statement, "value", None)  # a loop or a condition has none
    is_element = is_at(spot, "elts", ast.Tuple, ast.List) and whole is parent
    if is_element and (not is_text(spot.node) or spot.node is parent.elts[-1]):
        yield "element dropped", None
