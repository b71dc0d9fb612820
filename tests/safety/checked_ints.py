"""safety/*.py compiled with a check that each result is a small int of a 32-bit MicroPython."""

import ast
import importlib.util
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "safety"
LOW, HIGH = -(1 << 30), (1 << 30) - 1


class OutOfRange(Exception):
    """A value that is no small int."""


def check(value):
    if type(value) is int and not LOW <= value <= HIGH:
        raise OutOfRange(str(value))
    return value


class Small(int):
    """A number whose sums and products a 32-bit MicroPython must hold without its heap."""

    def __add__(self, other):
        return Small(check(int(self) + int(other)))

    def __mul__(self, other):
        return Small(check(int(self) * int(other)))

    __rmul__ = __mul__

    def __floordiv__(self, other):
        return Small(int(self) // int(other))


def _call(node):
    return ast.Call(ast.Name("__check__", ast.Load()), [node], [])


class _Watch(ast.NodeTransformer):
    def visit_BinOp(self, node):
        return _call(self.generic_visit(node))

    def visit_UnaryOp(self, node):
        return _call(self.generic_visit(node))

    def visit_AugAssign(self, node):
        load = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], _call(self.visit(ast.BinOp(load, node.op, node.value))))


class Loader:
    def find_spec(self, name, path=None, target=None):
        if name == "safety":
            return importlib.util.spec_from_loader(name, self, is_package=True)
        return importlib.util.spec_from_loader(name, self) if name.startswith("safety.") else None

    def create_module(self, spec):
        """The default."""

    def exec_module(self, module):
        name = module.__name__.partition(".")[2] or "__init__"
        tree = _Watch().visit(ast.parse((FOLDER / (name + ".py")).read_text(encoding="utf-8")))
        module.__dict__["__check__"] = lambda value: value  # importing may allocate
        exec(compile(ast.fix_missing_locations(tree), name, "exec"), module.__dict__)


def load():
    """{module name: module} of the watched kernel."""
    kept = {
        name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "safety"
    }
    loader = Loader()
    sys.meta_path.insert(0, loader)
    try:
        importlib.import_module("safety.kernel")
        modules = {
            name[len("safety.") :]: sys.modules[name]
            for name in sys.modules
            if name.startswith("safety.")
        }
        for module in modules.values():
            module.__dict__["__check__"] = check
        return modules
    finally:
        sys.meta_path.remove(loader)
        for name in [name for name in sys.modules if name.split(".")[0] == "safety"]:
            del sys.modules[name]
        sys.modules.update(kept)
