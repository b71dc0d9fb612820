"""The evidence of a result: the code that made it and the files that it read, as one digest.

A result is stale if the digest has changed. Comments, docstrings and layout do not count, and in a
TOML file neither.
"""

import ast
import builtins
import contextlib
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from controller.system import toml_text
from hil.runner import code, executed
from hil.runner.executed import CACHE, Used

UNITS = "units.json"
GONE = "gone"  # a function or a file that is not there any more
Evidence = dict[str, Any]  # {digest, functions, files}: Used as plain data


def evidence(used: Used) -> Evidence:
    """The evidence to keep beside a result."""
    functions = {
        module: None if names is None else " ".join(sorted(names))
        for module, names in sorted(used.functions.items())
    }
    files = sorted(map(_short, used.files))
    return {"digest": digest(used), "functions": functions, "files": files}


def is_whole(kept: object) -> bool:
    """True for evidence that a file has given."""
    kinds = {"digest": str, "functions": dict, "files": list}
    return isinstance(kept, dict) and all(
        isinstance(kept.get(name), kind) for name, kind in kinds.items()
    )


def is_valid(kept: Evidence) -> bool:
    """True if all that a result depends on is as it was."""
    return bool(digest_of(kept) == kept["digest"])


def digest_of(kept: Evidence) -> str:
    """The digest of the same code and files as they are now."""
    functions = {
        module: None if names is None else set(names.split())
        for module, names in kept["functions"].items()
    }
    return digest(Used(functions, set(kept["files"])))


def folder() -> pathlib.Path:
    """The folder of the user's cache for results."""
    return pathlib.Path(CACHE, "firebreak", "results")


def digest(used: Used) -> str:
    """SHA-256 of all that a result depends on, as it is in the tree now."""
    with executed.apart():
        parts = [
            f"{name} {_of_module(name, used.functions[name])}" for name in sorted(used.functions)
        ]
        parts += [f"{path} {_of_data(path)}" for path in sorted(map(_short, used.files))]
    return _sha256("\n".join(parts))


@functools.cache
def digest_of_tree() -> str:
    """SHA-256 of all files of the program, for a worker on another computer."""
    tree_hash = hashlib.sha256()
    with executed.apart():
        for room in executed.ROOMS:
            for path in sorted((code.ROOT / room).rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    tree_hash.update(
                        f"{path.relative_to(code.ROOT)}\n".encode() + path.read_bytes()
                    )
    return tree_hash.hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _of_module(module: str, names: Iterable[str] | None) -> str:
    units = _units(module)
    chosen = set(units) if names is None else {"", *names, *_run_at_import(module)}
    parts = [f"{name} {units.get(name, GONE)}" for name in sorted(chosen)]
    # A new function may take the place of one from another module.
    new = sorted(name for name in units if "." not in name) if len(chosen) > 1 else []
    return _sha256("\n".join([*parts, *new]))


@functools.cache
def _units(module: str) -> dict[str, str]:
    """{function: digest of its code}; "": the code around the functions."""
    text = _text(module)
    known, key = _known_units(), _sha256(text)
    if key not in known:
        known[key] = {name: _sha256("\n".join(tokens)) for name, tokens in code.units(text).items()}
    return known[key]


@functools.cache
def _known_units() -> dict[str, dict[str, str]]:
    """{digest of a text: its units}, because Python's tokenizer needs seconds for all modules."""
    try:
        return dict(json.loads((folder() / UNITS).read_text(encoding="ascii")))
    except (OSError, ValueError):
        return {}


def save_units() -> None:
    """Keep the digests of the modules for the next process. The file is replaced in one step."""
    path = folder() / f"{UNITS}.{os.getpid()}"
    with contextlib.suppress(OSError):  # a cache that is full: they are made again
        path.write_text(json.dumps(_known_units()), encoding="ascii")
        path.replace(folder() / UNITS)


def _text(module: str) -> str:
    module_path = code.ROOT.joinpath(*module.split("."))
    for path in (module_path / "__init__.py", module_path.with_suffix(".py")):
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return ""


@functools.cache
def _run_at_import(module: str) -> set[str]:
    """Functions that the module's own code calls during its import, before a probe is there. A used
    class counts with all its methods. Names in a counted function count too.
    """
    tree = ast.parse(_text(module))
    bodies = _Bodies()
    bodies.visit(tree)
    called_units, names_left = set[str](), set(bodies.called)
    while names_left:
        name = names_left.pop()
        for unit, names in bodies.named.items():
            if unit.partition(".")[0] == name and unit not in called_units:
                called_units.add(unit)
                names_left |= names
    return called_units


class _Bodies(ast.NodeVisitor):
    """called: names that the code of module and classes calls, or passes to a builtin; named:
    {function: names in it}.
    """

    def __init__(self) -> None:
        self.called: set[str] = set()
        self.named: dict[str, set[str]] = {}
        self._within = ""

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """Go into the body of a class."""
        before, self._within = self._within, f"{self._within}{node.name}."
        self.generic_visit(node)
        self._within = before

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        """Note the names in a function. Its decorators are called at once."""
        self.called |= set().union(*map(_names, node.decorator_list))
        self.named.setdefault(self._within + node.name, set()).update(_names(node))

    def visit_Call(self, node: ast.Call) -> None:
        """Note what is called."""
        self.called |= _names(node.func)
        if isinstance(node.func, ast.Name) and hasattr(builtins, node.func.id):
            values = [keyword.value for keyword in node.keywords]
            self.called |= set().union(*map(_names, [*node.args, *values]))
        self.generic_visit(node)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _short(path: str) -> str:
    """The path below the tree, or the whole path."""
    full_path = pathlib.Path(path)
    return str(full_path.relative_to(code.ROOT)) if full_path.is_relative_to(code.ROOT) else path


@functools.cache
def _of_data(path: str) -> str:
    try:
        content = (code.ROOT / path).read_bytes()
    except OSError:
        return GONE
    if path.endswith(".toml"):
        with contextlib.suppress(toml_text.TomlError):  # then each byte counts
            content = repr(toml_text.loads(toml_text.text_of(content))).encode()
    return hashlib.sha256(content).hexdigest()
