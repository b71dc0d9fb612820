"""An exception anywhere in a step of the recorder: nothing is stored twice, or lost unsaid."""

import ast
import inspect
import operator

import pytest
from recorder_bench import Bench, FakeClocks, estop, release

from controller.recorder import process

ACTIONS = [estop(3), release(4)]
BEGIN_US = (
    FakeClocks().us + 2_900_000
)  # just before the emergency stop: the next call meets its trip
NOT_OF_A_STEP = {"__init__", "close", "_label_now"}


def called():
    """{"captures.begin", "_collect", ...}: all that the recorder calls in a step, by its source."""
    (recorder,) = ast.parse(inspect.getsource(process.Recorder)).body
    methods = [each for each in recorder.body if isinstance(each, ast.FunctionDef)]
    calls = [
        ast.unparse(node.func).removeprefix("self.")
        for method in methods
        if method.name not in NOT_OF_A_STEP
        for node in ast.walk(method)
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("self.")
    ]
    return sorted(set(calls) - {"_say", "batch.event_rows.append"})


def played(folder, name=None):
    """(bench, exceptions that left `step`) with one exception in the next call of this name."""
    bench, left = Bench(folder, ACTIONS).start_recorder(), []
    raised = []
    if name is not None:
        *path, last = name.split(".")
        owner = operator.attrgetter(".".join(path))(bench.recorder) if path else bench.recorder
        real = getattr(owner, last)

        def once(*arguments, **options):
            if not raised and bench.clocks.us > BEGIN_US:
                raised.append(name)
                raise ArithmeticError("odd")
            return real(*arguments, **options)

        setattr(owner, last, once)
    step = bench.recorder.step

    def survived():
        try:
            return step()
        except ArithmeticError:
            left.append(name)
            return False

    bench.recorder.step = survived
    bench.run(6)
    raised.append("over")
    return bench, left


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    bench, _ = played(tmp_path_factory.mktemp("undisturbed"))
    yield bench.told()
    bench.close()


@pytest.mark.parametrize("name", called())
def test_an_exception_loses_nothing_without_a_word_and_repeats_nothing(tmp_path, undisturbed, name):
    bench, left = played(tmp_path, name)
    told = bench.told()
    assert len(told) == len(set(told)), "stored twice"
    lost = [row for row in undisturbed if row not in told]
    assert not lost or any(line.startswith("a frame or event") for line in bench.said), lost
    assert bench.verdict().intact and len(left) <= 1
    bench.close()
