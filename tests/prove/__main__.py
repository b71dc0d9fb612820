"""Proof of the safety kernel in one command: `python tests/prove [--quick]`; see README.md."""

import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT)]

# The path has to be set before, or an installed product is imported instead of this tree's
import campaign  # noqa: E402
import kept  # noqa: E402
import mutants  # noqa: E402
import mutation  # noqa: E402
import parity  # noqa: E402
import scopes  # noqa: E402
import sizes  # noqa: E402

from controller.system.output import guarded  # noqa: E402
from hil.engine import forks  # noqa: E402

PARTS = ("self-test", "coverage", "mutation", "proofs", "parity")
SAMPLE_SEED = 1
SURVIVORS = "survivors.txt"


OPTIONS = {
    "quick": ({"action": "store_true"}, "a few mutants drawn by --seed, short parity"),
    "only": ({"metavar": "PART,..."}, "of " + ", ".join(PARTS)),
    "scope": ({"choices": scopes.SCOPES, "default": "safety"}, "what is mutated (%(default)s)"),
    "sample": ({"type": int, "default": 0, "metavar": "N"}, "only N mutants, drawn by --seed"),
    "seed": ({"type": int, "default": SAMPLE_SEED}, "of --sample and --quick (%(default)s)"),
    "files": ({"default": "", "metavar": "NAME,..."}, "mutants of these only, as bounds,permit"),
    "resume": ({"action": "store_true"}, "take over what a run of this same tree has done"),
    "recheck": ({"action": "store_true"}, "try the mutants of equivalent.toml with all tests"),
    "workers": ({"type": int, "default": os.cpu_count() or 1, "metavar": "N"}, "at a time"),
}


def parsed(argv):
    what = "Self-test of the tool; coverage, mutation, proofs and parity of safety/."
    parser = argparse.ArgumentParser(prog="flash.sh prove", description=what)
    parser.error = lambda message: parser.exit(2, f"{parser.prog}: {message}\n")
    for name, (settings, what) in OPTIONS.items():
        parser.add_argument(f"--{name}", help=what, **settings)
    found = parser.parse_args(argv)
    found.scope = scopes.SCOPES[found.scope]
    parts = PARTS if found.scope.is_kernel else ("mutation",)
    found.only = parts if found.only is None else tuple(found.only.split(","))
    found.files = tuple(name for name in found.files.split(",") if name)
    files = [source.name for source in mutants.sources(found.scope)]
    for given, known, what in (
        (found.only, parts, "part"),
        (found.files, files, f"file of {found.scope.name}/"),
    ):
        for each in given:
            if each not in known:
                parser.error(f"'{each}' is no {what}; there are: {', '.join(known)}")
    if found.sample < 0 or found.workers < 1:
        parser.error("--sample is 0 or more, --workers 1 or more")
    if "proofs" in found.only and importlib.util.find_spec("z3") is None:
        parser.error("proofs need z3, which is not installed: ./flash.sh prove installs it")
    return found


def show(text):
    print(text, flush=True)


def lasted(begun_s):
    return f"{forks.wall_s() - begun_s:.0f} s"


def tool_tested(options):
    words = ["-q", "-p", "no:cacheprovider", "-n", str(options.workers), str(HERE / "self_test.py")]
    done = subprocess.run([sys.executable, "-m", "pytest", *words], cwd=ROOT, check=False)
    show(f"self-test {'failed' if done.returncode else 'passed'}")
    return done.returncode == 0


def started(options, scope, listed=()):
    """A campaign that has run, and when it began."""
    begun_s, sample = forks.wall_s(), options.sample or (scope.quick_sample * options.quick)
    if sample and "mutation" in options.only:
        of = "" if scope.is_kernel else f" of {scope.name}"
        show(f"mutants{of}: a sample of {sample}, seed {options.seed}")
    done = [0]

    def say(mutant, result):
        done[0] += 1
        if result["how"] != mutation.KILLED:
            show(f"  {result['how']}: {mutant.id} {result['by']} {result['wall_s']:.0f} s")
        if done[0] % 200 == 0:
            show(f"  {done[0]} mutants after {lasted(begun_s)}")

    words = options.workers, sample, options.seed, options.files, options.resume
    settings = campaign.Options(*words, () if options.recheck else listed, scope)
    run = campaign.Campaign(settings, say)
    if run.before:
        show(f"mutants: {len(run.before)} results of an earlier run of this tree are taken over")
    run.run(mutate="mutation" in options.only)
    for each in run.failed + run.errors:
        show(f"  error: {each}")
    return run, begun_s


def tested(options):
    listed = campaign.explained()
    run, begun_s = started(options, scopes.SAFETY, listed)
    for each in run.missing:
        show(f"  not covered: {each}")
    good = not run.failed and not run.errors and run.percent == (100.0, 100.0)
    for name, exempt in scopes.ON_HARDWARE.items():
        show(f"  left out: safety/{name}: {exempt.harm}")
    show("coverage line {:.1f} branch {:.1f}".format(*run.percent))
    if "mutation" in options.only:
        good = mutated(run, listed, begun_s) and good
    return good


def mutated(run, listed, begun_s):
    count, left = run.count(), run.survivors()
    unlisted = [each for each in left if each.id not in listed]
    wrong = campaign.stale(listed, run)
    for each in left:
        show(f"  {each.id}: {listed.get(each.id, 'NOT EXPLAINED')}")
    if set(run.options.listed) & {each.id for each in left}:
        show("  the listed ones were tried with the likeliest tests only; --recheck tries all")
    for each in wrong:
        show(f"  error: equivalent.toml: {each}")
    write(run, unlisted)
    show(f"  {run.cost()}")
    broken = sum(result["by"] == mutation.IMPORT for result in run.results.values())
    show(
        f"  by a failed test {count[mutation.KILLED] - broken}, on import {broken}, by endless "
        f"running {count[mutation.TIMEOUT]}; errors {len(run.errors)}; {lasted(begun_s)}; "
        f"unexplained: {len(unlisted)} (build/prove/survivors.txt)"
    )
    killed = count[mutation.KILLED] + count[mutation.TIMEOUT]
    show(f"mutants {len(run.mutants)} killed {killed} survived {len(left)}")
    return not unlisted and not wrong and killed + len(left) == len(run.mutants)


def write(run, survivors):
    """Survivors of all scopes of this command in one file, results in one for each scope."""
    kept.FOLDER.mkdir(parents=True, exist_ok=True)
    with (kept.FOLDER / SURVIVORS).open("a", encoding="ascii") as file:
        file.write("".join(f"{each.id}\n{each.diff()}\n\n" for each in survivors))
    path = kept.FOLDER / (run.scope.kept_as("mutants") + ".json")
    path.write_text(json.dumps(run.results, indent=1), encoding="ascii")


def others(options):
    """Scopes outside the kernel: of --quick a few mutants where the tests are short."""
    if not options.scope.is_kernel:
        return [options.scope]
    quick = options.quick and "mutation" in options.only
    return [scope for scope in scopes.SCOPES.values() if quick and scope.is_quick]


def told(options, scope):
    """Mutants outside the kernel: survivors are shown, too many of them are an error."""
    run, begun_s = started(options, scope)
    count, left = run.told(), run.survivors()
    told, judged = count[campaign.TOLD], count[campaign.TOLD] + len(left)
    write(run, left)
    show(f"  {run.cost()}")
    show(f"  coverage line {run.percent[0]} branch {run.percent[1]}; {lasted(begun_s)}")
    show("  apart: " + ", ".join(f"{how} {count[how]}" for how in campaign.APART))
    show(f"scope {scope.name}: {judged} mutants, told by behaviour {told}, survived {len(left)}")
    enough = told >= scope.told_min(judged)
    if not enough:
        show(f"  error: too few for {scope.told_percent} %; survivors: build/prove/survivors.txt")
    done = sum(count.values()) + len(left) == len(run.mutants)
    return enough and done and not run.failed and not run.errors


def proved(options):
    import proofs  # needs the solver, which only this part has a use for

    held = tried = 0
    if options.quick:
        show(f"  left out: {', '.join(proof.__name__ for proof in proofs.SLOW)}")
    for name, title, why, wall_s in proofs.run(options.workers, options.quick):
        tried += 1
        verdict, reason = ("NOT HELD", f": {why}") if why else ("held", "")
        show(f"  {verdict} {name} ({title}) {wall_s:.1f} s{reason}")
        held += why is None
    show(f"proofs {tried} held {held}")
    return held == tried


def in_step(options):
    begun_s, cases = forks.wall_s(), parity.QUICK if options.quick else parity.FULL
    equal, names, wrong = parity.run(cases, options.workers)
    for each in wrong:
        show(f"  error: {each}")
    show(f"  on {', '.join(names)}; racks {sorted({case[2] for case in cases})}; {lasted(begun_s)}")
    show(f"parity steps {equal} equal")
    return not wrong and equal == sum(case[1] for case in cases)


def main(argv):
    """Exit code: 0 all is proved, 1 something is not, 2 wrong arguments or list of equivalents."""
    options = parsed(argv)
    for line in sizes.lines() if options.scope.is_kernel else ():
        show(line)
    good = True
    if "self-test" in options.only and not options.quick:
        good = tool_tested(options)
    (kept.FOLDER / SURVIVORS).unlink(missing_ok=True)
    try:
        for scope in others(options):
            good = told(options, scope) and good
        if options.scope.is_kernel and {"coverage", "mutation"} & set(options.only):
            good = tested(options) and good
    except ValueError as error:
        show(f"prove: {error}")
        return 2
    if "proofs" in options.only:
        good = proved(options) and good
    if "parity" in options.only:
        good = in_step(options) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(guarded("tests/prove", lambda: main(sys.argv[1:])))
