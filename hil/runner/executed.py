"""Finds out what a result depends on: the functions that a case executed, and the files it read.

    begin()     --> each function of the project gets a probe in place of its code, as soon as its
                    module is imported; the first call writes its name down and puts the code back
    noted(work) --> the result of a case, with what was executed and read in its process

So a case pays once for each function, and nothing for the calls after that. A function within
another one counts with the outer one. Code of modules and classes counts for every module that is
loaded. A forked process counts as having used what its parent used, because it may have results
that the parent computed. A module that was imported before begin() counts as executed.
"""

import contextlib
import functools
import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator
from importlib.abc import Loader
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from hil.runner.code import ROOT

CACHE = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
ROOMS = "controller", "drivers", "safety", "hil"
# A program reads these files besides the data of its case. A person's file may be anywhere else,
# also in /etc.
LIBRARIES = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
SYSTEM = "/proc", "/sys", "/etc/localtime", "/etc/ssl", "/usr/share", "/usr/lib"
ELSEWHERE = tuple(f"{folder}/" for folder in (*SYSTEM, *LIBRARIES, CACHE))
IMPORTER = "<frozen importlib"
WRITING = os.O_WRONLY | os.O_RDWR
STARTS = "subprocess.Popen", "os.fork", "os.exec", "os.posix_spawn", "os.system"
PLACEHOLDER = 0.125  # constant of _template that a probe replaces by the function to call


class Used(NamedTuple):
    """functions: {module: names of functions as `Class.method`}, None: all; files: paths."""

    functions: dict[str, set[str] | None]
    files: set[str]


class _Watch:
    """What this process has loaded and read. sources: {file of a module: when it was changed};
    own_files: those that it wrote; is_apart: what it reads now is no part of a case.
    """

    def __init__(self) -> None:
        self.used, self.sources = Used({}, set()), dict[str, int]()
        self.own_files = set[str]()
        self.has_begun = self.starts_others = self.is_apart = False


_watch = _Watch()


def begin() -> None:
    """Begin to watch this process, once."""
    _watch.has_begun = True
    for name in [name for name in sys.modules if is_ours(name)]:
        _watch.used.functions[name] = None
    sys.meta_path.insert(0, _Finder())
    sys.addaudithook(_audit)


def dask_setup(worker: object) -> None:
    """Begin to watch a worker of dask that starts with `--preload hil.runner.executed`."""
    begin()


def has_begun() -> bool:
    """True if this process watches itself."""
    return _watch.has_begun


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """A context in which this process reads files that no case needs."""
    _watch.is_apart = True
    try:
        yield
    finally:
        _watch.is_apart = False


def noted(work: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, Used | None]]:
    """Work that returns its result and what the process has used; None: that is not known, because
    the process does not watch, starts other programs, or the code has changed since it was loaded.
    """

    def play(case: Any) -> tuple[Any, Used | None]:
        _watch.starts_others = False
        outcome = work(case)
        is_known = _watch.has_begun and not _watch.starts_others and not _has_changed()
        return outcome, _watch.used if is_known else None

    return play


def _has_changed() -> bool:
    return any(_changed_ns(path) != at_ns for path, at_ns in _watch.sources.items())


def _changed_ns(path: str) -> int:
    """When a file was changed last; 0: it is not there."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def is_ours(module: str) -> bool:
    """True for a module of this project."""
    return module.partition(".")[0] in ROOMS


class _Finder:
    """Finds our modules as Python does, and puts the probes into each after its import."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """The spec of a module of this project; None for others."""
        if not is_ours(name):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None and spec.origin:
            _put_probes(spec.loader, name)
            _watch.sources[spec.origin] = _changed_ns(spec.origin)
        return spec


def _put_probes(loader: Loader, name: str) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        _watch.used.functions.setdefault(name, set())
        for function in _functions(module):
            _probe(function, name)

    loader.exec_module = exec_module  # type: ignore[method-assign]


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """The functions of a module and of its classes, those behind decorators too."""
    left, seen = list(vars(module).values()), set[int]()
    while left:
        member = left.pop()
        if id(member) in seen or isinstance(member, ModuleType):
            continue
        seen.add(id(member))
        if isinstance(member, FunctionType):
            left.append(getattr(member, "__wrapped__", None))
            if member.__module__ == module.__name__:
                yield member
        elif isinstance(member, type):
            if member.__module__ == module.__name__:
                left += vars(member).values()
        else:
            names = "__func__", "fget", "fset", "func", "__wrapped__"
            left += [part for part in map(functools.partial(_part, member), names) if part]


def _part(member: object, name: str) -> object:
    """A part of a property, a method or a decorated function; None: it has none."""
    is_plain = isinstance(member, (property, classmethod, staticmethod, functools.partial))
    is_wrapper = hasattr(type(member), "__get__") or hasattr(member, "cache_info")
    return getattr(member, name, None) if is_plain or is_wrapper else None


def _probe(function: FunctionType, module: str) -> None:
    """Replace the code of a function until its first call."""
    code = function.__code__
    if code.co_filename.startswith("<"):  # made by a library, such as __init__ of a dataclass
        return

    def first_call(args: tuple, keywords: dict[str, Any]) -> object:
        function.__code__ = code
        names = _watch.used.functions[module]
        if names is not None:
            names.add(code.co_qualname.partition(".<locals>")[0])
        return function(*args, **keywords)

    function.__code__ = _calling(first_call, code)


def _template(*arguments: Any, **keywords: Any) -> Any:
    called: Any = 0.125
    return called(arguments, keywords)


def _calling(first_call: Callable[[tuple, dict[str, Any]], object], code: CodeType) -> CodeType:
    """Code that only calls first(arguments, keywords), and looks like the given code. Python lets a
    function change only to code with as many free variables.
    """
    template = _template.__code__
    consts = [first_call if const == PLACEHOLDER else const for const in template.co_consts]
    return template.replace(
        co_consts=tuple(consts),
        co_freevars=code.co_freevars,
        co_name=code.co_name,
        co_qualname=code.co_qualname,
        co_filename=code.co_filename,
    )


def _audit(event: str, args: tuple) -> None:
    """The audit hook: notes each file that is opened to be read, and the start of a program."""
    if event in STARTS:
        _watch.starts_others = True
    if event != "open" or _watch.is_apart or not isinstance(args[0], (str, bytes)):
        return
    path, mode, flags = args
    path = os.path.abspath(os.fsdecode(path))
    if (mode and set(mode) & set("wax+")) or (not mode and flags & WRITING):
        _watch.own_files.add(path)
    if _is_data(path) and path not in _watch.own_files and not _is_import():
        _watch.used.files.add(path)


def _is_data(path: str) -> bool:
    """True for a file of the project, there or missing, and for one of the user. The project itself
    may stand below one of the other folders.
    """
    is_of_project = path.startswith(tuple(f"{ROOT}/{room}/" for room in ROOMS))
    return is_of_project or os.path.isfile(path) and not f"{path}/".startswith(ELSEWHERE)


def _is_import() -> bool:
    """True if Python reads the file to import a module."""
    opener = sys._getframe(2)  # 0: here, 1: the audit hook
    return opener.f_code.co_filename.startswith(IMPORTER)
