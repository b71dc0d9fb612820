"""Plays the cases of a command: cases in, results out.

A long run must survive failures. A case that fails does not end the others, and each result is
kept in a file as it comes. So an interrupted run goes on with `--resume FILE`:

    cases --> processes of this machine, or workers of dask --> file --> results in order

A result is plain data. A command gets each result as it is read back from JSON.
"""

import argparse
import contextlib
import functools
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from hil.engine import forks
from hil.engine.refusals import CaseError as CaseError
from hil.runner import evidence, executed
from hil.runner.evidence import Evidence
from hil.runner.kept import Kept
from hil.runner.options import WrongOptionError

WALL_S_MAX = 4 * 3600  # of a case: guards against a hang
SAY_S = 30  # between two lines in a pipe
DASK_S = 10  # until the scheduler has answered
NO_END = f"hil.runner.cases.LostError: no result for {WALL_S_MAX // 3600} hours"
GONE = "hil.runner.cases.LostError: the scheduler has gone"
DASK_MISSING = "--dask: needs a package that is not here: .venv/bin/pip install distributed"
OWN_MODULES = ("hil.", "controller.", "drivers.")  # their exceptions have text for people
Work = Callable[[Any], Any]
Line = Callable[[Any], str | None]
Ended = tuple[int, Any]  # (place of a case among the cases, its result or a Failure)
# (cases, work, workers): yields Ended as the cases end
Results = Generator[Ended, None, None]
Engine = Callable[[Sequence, Work, int], Results]


class Failure(NamedTuple):
    """Why a case has no result: the text of a traceback, or of a killed process."""

    text: str

    @property
    def reason(self) -> str:
        """The reason in a few words."""
        last = self.text.strip().splitlines()[-1]
        kind, _, text = last.partition(": ")
        if kind.startswith(OWN_MODULES):
            return text
        if kind.startswith("child ended with"):
            return "its process was killed"
        return f"a mistake of this program ({kind})"


def on_processes(
    cases: Sequence, work: Work, workers: int, wall_s_max: float = WALL_S_MAX
) -> Results:
    """Play each case in a process of its own on this machine."""
    for place, outcome in forks.run(
        range(len(cases)), lambda place, fd: {"value": work(cases[place])}, workers, wall_s_max
    ):
        yield place, Failure(outcome["error"]) if "error" in outcome else outcome["value"]


def in_turn(cases: Sequence, work: Work, workers: int) -> Results:
    """Play the cases one by one in this process, for cases that print or start processes."""
    yield from enumerate(map(work, cases))


def on_dask(address: str, cases: Sequence, work: Work, workers: int) -> Results:
    """Send the cases to the workers of a dask scheduler. They need this program and its files."""
    try:
        import distributed
    except ImportError:
        raise WrongOptionError(DASK_MISSING) from None
    try:
        logging.disable(logging.ERROR)  # dask prints tracebacks
        client = distributed.Client(address, timeout=DASK_S)
    except (OSError, ValueError):
        raise WrongOptionError(
            f"--dask {address}: no scheduler answers; allowed is an address such as "
            f"tcp://10.0.0.5:8786"
        ) from None
    checked = functools.partial(_of_same_code, evidence.digest_of_tree(), work)
    with client:
        futures = {
            client.submit(checked, case, pure=False): place for place, case in enumerate(cases)
        }
        open_futures = set(futures)
        while open_futures:
            try:
                done_futures = distributed.wait(open_futures, WALL_S_MAX, "FIRST_COMPLETED").done
            except (TimeoutError, CancelledError) as error:
                reason = GONE if isinstance(error, CancelledError) else NO_END
                yield from ((futures[future], Failure(reason)) for future in open_futures)
                return
            for future in done_futures:
                is_failed = future.status != "finished"
                yield futures[future], _failed(future) if is_failed else future.result()
            open_futures -= done_futures


def _of_same_code(digest: str, work: Work, case: Any) -> Any:
    """Play a case on a worker, which needs the files that this digest stands for."""
    if evidence.digest_of_tree() != digest:
        raise WrongOptionError(
            f"the worker on {os.uname().nodename} has other files of the program"
        )
    return work(case)


def _failed(future: Any) -> Failure:
    """The failure of a future. If its worker ended, dask has already tried the case again."""
    error = future.exception()
    module = type(error).__module__
    if module.startswith("distributed."):
        return Failure("child ended with its worker: ")
    return Failure(f"{module}.{type(error).__name__}: {error}")


def _apart(names: list[str]) -> list[str]:
    """The names. A repeated name gets a number, because files may have equal names."""
    seen: Counter[str] = Counter()
    unique_names = []
    for name in names:
        seen[name] += 1
        unique_names.append(f"{name}, {seen[name]}" if seen[name] > 1 else name)
    return unique_names


def say(program: str, done: int, total: int, case_s: float) -> None:
    """Print on standard error how far a long run is. each_s: wall time of a case so far."""
    left_min = -(-case_s * (total - done) // 60)
    print(f"{program}: {done} of {total} cases, about {left_min:.0f} min left", file=sys.stderr)


class Runner:
    """A context in which a command plays its cases; `done`: results of the last `play` so far."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """arguments: the command's arguments, with options.CASES."""
        self._arguments, self._kept = arguments, Kept(arguments)
        self._workers = getattr(arguments, "processes", None) or forks.cores()
        self._dask = getattr(arguments, "dask", None)
        self.done: list[Any] = []
        self.evidence: list[Evidence] = []  # of each case of the last `play`; {}: not known
        self._has_bar = True

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._kept.close(is_over=error is None)
        if isinstance(error, KeyboardInterrupt) and self._kept.count:
            raise KeyboardInterrupt(self._kept.resume_text) from None

    def play(
        self,
        cases: Sequence,
        work: Work,
        line: Line | None = None,
        name: Callable[[Any], str] = str,
        engine: Engine = on_processes,
    ) -> list[Any]:
        """The results of all cases, in their order. Raises CaseError.

        line(result): text to print as the result comes, or None; name(case): unique in the run.
        """
        self._has_bar = engine is not in_turn
        if engine is in_turn and not self._kept.is_asked:  # such a case does more than its result
            self._kept.results.clear()
        if self._dask:
            engine = functools.partial(on_dask, self._dask)
        names, kept = _apart([name(case) for case in cases]), self._kept.results
        self.done, failures = [], {}
        left = {label: case for label, case in zip(names, cases) if label not in kept}
        names_left = list(left)
        for label in names:
            if label in kept:
                self._take(kept[label], line)
        if self._kept.is_stored and self._has_bar:
            valid = f"{len(cases) - len(left)} of {len(cases)} results are still valid"
            print(f"{self._arguments.program}: {valid}, {len(left)} to play", file=sys.stderr)
        ended = engine(list(left.values()), executed.noted(work), self._workers)
        for place, outcome in self._drawn(ended, len(cases)):
            label = names_left[place]
            if isinstance(outcome, Failure):
                failures[label] = outcome
                self._kept.fail(label, outcome.text)
            else:
                self._take(self._kept.add(label, *outcome), line)
        if failures:
            raise CaseError(self._complaint(min(failures, key=names.index), failures))
        self.evidence = [self._kept.evidence.get(label, {}) for label in names]
        return [kept[label] for label in names]

    def _take(self, result: Any, line: Line | None) -> None:
        self.done.append(result)
        text = line(result) if line else None
        if text is not None:
            print(text, flush=True)

    def _drawn(self, results: Results, total: int) -> Iterator[Ended]:
        """The results, with a bar on a terminal and a line each SAY_S in a pipe. No thread draws
        the bar: a fork could copy its locks.
        """
        is_terminal = sys.stderr.isatty() and self._has_bar
        with (
            contextlib.closing(results),
            Progress(
                console=Console(stderr=True),
                auto_refresh=False,
                disable=not is_terminal,
                redirect_stdout=is_terminal and sys.stdout.isatty(),
            ) as progress,
        ):
            task = progress.add_task(self._arguments.program, total=total, completed=len(self.done))
            began_s, earlier_count = forks.wall_s(), len(self.done)
            printed_s = began_s
            for number, ended in enumerate(results, 1):
                yield ended
                progress.update(task, advance=1, refresh=True)
                now_s = forks.wall_s()
                if self._has_bar and not is_terminal and now_s - printed_s >= SAY_S:
                    printed_s = now_s
                    say(
                        self._arguments.program,
                        earlier_count + number,
                        total,
                        (now_s - began_s) / number,
                    )

    def _complaint(self, first: str, failures: dict[str, Failure]) -> str:
        more = f", and {len(failures) - 1} more" if len(failures) > 1 else ""
        return f"{first}: no result: {failures[first].reason}{more}; {self._kept.resume_text}"
