"""Mutants of a scope: each changes one node of a function or table, no docstring, raise or name."""

import ast
import contextlib
import os
import re
from collections import Counter

import operators
import scopes


class Mutant:
    def __init__(self, source, where, operator, spot, new):
        """where: qualified name of the function or of the cell; spot: Spot of the node."""
        self.source, self.where, self.operator = source, where, operator
        self.spot, self.new = spot, new
        self.text = ast.unparse(spot.node)
        self.ordinal = 0
        self.fresh = True  # False: the code of the function can be swapped in a running process

    @property
    def id(self):
        """Free of line numbers: where, operator, source text, which one of several alike."""
        return f"{self.source.name}.{self.where} | {self.operator} | {self.text} | {self.ordinal}"

    @property
    def lines(self):
        node, statement = self.spot.node, self.spot.statement
        last = node.end_lineno if isinstance(node, ast.expr) else node.lineno
        return set(range(node.lineno, last + 1)) | {statement.lineno}

    @property
    def family(self):
        """Keys of learning: function or column, file, all."""
        where = re.sub(r"\[[^]]*\]", "[]", self.where, count=1)
        return (self.source.name, where), self.source.name, ""

    def known_as(self, test):
        return test if self.spot.function else test.partition("[")[0]

    def concerns(self, test):
        """A factor: higher for a test named after the mutant's file, row or number."""
        words = re.findall(r"[A-Z][A-Z_]+", self.where) + re.findall(r"\[([^]]*)\]", self.where)[:1]
        named = self.spot.function is None and set(words) & set(re.split(r"[][.-]", test)[1:])
        own_file = f"/test_{self.source.test_stem}.py" in test
        return (50 if named else 1) * (10 if own_file else 1)

    def compiled(self):
        """Code of the function or the module. SyntaxError: the change is no Python."""
        with self.spot.replaced(self.new):
            if self.spot.function is None or self.fresh:
                return compile(self.source.tree, str(self.source.path), "exec")
            return function_code(self.spot.function, self.source.path)

    def module_text(self):
        with self.spot.replaced(self.new):
            return ast.unparse(self.source.tree)

    def diff(self):
        """Two lines: the statement before and after (its first line only)."""
        statement = self.spot.statement
        before = head(statement)
        with self.spot.replaced(self.new):
            after = head(statement)
        if self.spot.node is statement:
            after = head(self.new) if self.new else "(deleted)"
        return "\n".join(f"{sign}{text}" for sign, text in zip("-+", around(before, after)))


def head(statement):
    return ast.unparse(statement).partition("\n")[0]


def around(before, after, shown=120):
    """Both texts near the place where they begin to differ, as a table is one long line."""
    same = len(os.path.commonprefix([before, after]))
    place = slice(max(0, same - shown), same + shown)
    return before[place], after[place]


def function_code(function, path):
    module = compile(ast.Module([function], []), str(path), "exec")
    return next(each for each in module.co_consts if hasattr(each, "co_code"))


class Spot:
    def __init__(self, node, parent, field, place, statement, function):
        self.node, self.parent, self.field, self.place = node, parent, field, place
        self.statement, self.function = statement, function

    @contextlib.contextmanager
    def replaced(self, new):
        """The tree with `new` in place of the node, None: without it; yields whether it is gone."""
        value, place = getattr(self.parent, self.field), self.place
        nodes = [] if new is None else [new]
        if new is None and isinstance(self.node, ast.stmt) and len(value) == 1:
            nodes = [ast.Pass()]
        for node in nodes:
            ast.fix_missing_locations(ast.copy_location(node, self.node))
        changed = nodes[0] if place is None else [*value[:place], *nodes, *value[place + 1 :]]
        setattr(self.parent, self.field, changed)
        try:
            yield new is None
        finally:
            setattr(self.parent, self.field, value)


class Source:
    def __init__(self, path, scope=scopes.SAFETY):
        self.path, self.name, self.package = path, scope.name_of(path), scope.name
        self.test_stem = scope.test_stem(path)
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    @property
    def module(self):
        return f"{self.package}.{self.name}".removesuffix(".__init__")


def sources(scope=scopes.SAFETY):
    return [Source(path, scope) for path in scope.paths()]


def without_docstring(body):
    is_docstring = bool(body) and isinstance(body[0], ast.Expr) and operators.is_text(body[0].value)
    return body[1:] if is_docstring else body


FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree):
    """(qualified name, definition) of the functions of a module and the methods of its classes."""
    for node in tree.body:
        if isinstance(node, FUNCTIONS):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, FUNCTIONS):
                    yield f"{node.name}.{method.name}", method


def spots(parent, statement, function):
    """Spots of everything below `parent`, outermost first; none in a raise or a docstring."""
    for field, value in ast.iter_fields(parent):
        many = isinstance(value, list)
        for place, node in enumerate(value if many else [value]):
            if not isinstance(node, ast.AST) or isinstance(node, (ast.Raise, ast.expr_context)):
                continue
            if field == "body" and node not in without_docstring(value if many else [node]):
                continue
            inner = node if isinstance(node, ast.stmt) else statement
            yield Spot(node, parent, field, place if many else None, inner, function)
            yield from spots(node, inner, function)


def is_the_same(new, old, namespace):
    """True for changes without effect because the module's NAME is 0."""
    signs = (ast.Add, ast.Sub)
    if isinstance(new, ast.BinOp) and isinstance(new.op, signs) and isinstance(old, ast.BinOp):
        is_sign = new.right is old.right and isinstance(old.op, signs)
        return is_sign and _value(old.right, namespace) == 0
    return isinstance(new, ast.Return) and _value(old.value, namespace) == new.value.value


def _value(node, namespace):
    return operators.value_of(node, namespace) if operators.is_name(node) else None


NOT_CODE = ("returns", "annotation", "decorator_list")
TRANSPARENT = {"property", "staticmethod", "classmethod"}


def has_own_code(function):
    """Whether its code can be replaced: no other decorator holds it, no class is bound to it."""
    names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    is_bare = {ast.unparse(each) for each in function.decorator_list} <= TRANSPARENT
    return is_bare and not names & {"super", "__class__"}


def in_code(source, namespace):
    """Mutants of the functions of a file; the definition's own line (defaults) belongs to them."""
    for name, function in functions(source.tree):
        is_fixed = not has_own_code(function)
        for spot in spots(function, function, function):
            if isinstance(spot.node, ast.arguments) or spot.field in NOT_CODE:
                continue
            for operator, new in operators.of(spot):
                if is_the_same(new, spot.node, namespace):
                    continue
                mutant = Mutant(source, name, operator, spot, new)
                mutant.fresh = is_fixed or spot.statement is function
                yield mutant


def in_tables(source, namespace):
    """namespace: of its module, for the values of names."""
    for statement in without_docstring(source.tree.body):
        if isinstance(statement, FUNCTIONS | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        is_named = isinstance(statement, ast.Assign)
        name = ast.unparse(statement.targets[0]) if is_named else "statement"
        columns = operators.Columns(getattr(statement, "value", None), namespace)
        targets = getattr(statement, "targets", ())
        targets = {id(node) for target in targets for node in ast.walk(target)}
        for spot in spots(statement, statement, None):
            if id(spot.node) in targets:
                continue
            for operator, new in operators.of_cell(spot, columns):
                yield Mutant(source, name[:40] + columns.where(spot.node), operator, spot, new)


def generated(source, namespace):
    """All mutants of a file whose code is new; ids are made different."""
    seen = {None: set()}
    count = Counter()
    for kind in (in_code(source, namespace), in_tables(source, namespace)):
        for mutant in kind:
            function = None if mutant.fresh else mutant.spot.function
            if function not in seen:
                seen[function] = {signature(function_code(function, source.path))}
            elif not seen[None]:
                seen[None].add(signature(compile(source.tree, str(source.path), "exec")))
            try:
                print_ = signature(mutant.compiled())
            except SyntaxError:
                continue
            if print_ in seen[function]:
                continue
            seen[function].add(print_)
            count[mutant.id] += 1
            mutant.ordinal = count[mutant.id] - 1
            yield mutant


def signature(code):
    consts = tuple(
        signature(each) if hasattr(each, "co_code") else (type(each).__name__, repr(each))
        for each in code.co_consts
    )
    return hash((code.co_code, consts, code.co_names, code.co_varnames, code.co_exceptiontable))
