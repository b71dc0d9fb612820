"""Weight of the project by tree, held against weight.toml: `python tests/weight.py [--lower]`.

Tokens are those of Python's own tokenizer without comments, docstrings and line ends; an f-string
counts as one, so that every Python counts alike. Words are told (docstrings, comments) or stand in
other strings. Other text is what is neither Python nor Markdown, in kB. `--lower` writes down each
cap that is above today's figure. The caps of the product rise only by what weight.toml names.
"""

import argparse
import collections
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CAPS = ROOT / "tests" / "weight.toml"
TREES = {
    "tests/": "tests",
    "hil/campaigns/": "lab",
    "hil/systems/": "lab",
    "hil/": "bench",
    "controller/siting/": "office",
    "controller/audit/": "office",
    "controller/office/": "office",
    "controller/mqtt/": "companions",
    "controller/doors/": "companions",
    "controller/planner/": "companions",
    "controller/watch/": "companions",
    "controller/dispatch/": "companions",
    "controller/state/": "reading",
    "controller/workbench/": "reading",
    "controller/console/": "reading",
    "controller/recorder/": "reading",
    "controller/documents/": "reading",
    "controller/systemd/": "reading",
    "controller/sites/": "reading",
    "controller/": "loop",
    "drivers/": "loop",
    "safety/": "loop",
}  # the first prefix that fits


def tree_of(name):
    """The tree of a file; None: it is in no tree."""
    return next((TREES[prefix] for prefix in TREES if name.startswith(prefix)), None)


def weighed(text):
    """{tokens, told, strings} of a Python text."""
    from hil.runner import code

    layout = {*code.LINES, tokenize.INDENT, tokenize.DEDENT}
    found, docs = collections.Counter(), set(code.docstrings(text))
    for kind, start, string in code.tokens(text):
        words = len(string.split())
        if kind == tokenize.COMMENT or start in docs:
            found["told"] += words
        elif kind not in layout:
            found["tokens"] += 1
            found["strings"] += words if kind == tokenize.STRING and words > 1 else 0
    return found


def files():
    """Names of tracked files and new ones that git does not ignore."""
    names = "git ls-files -z --cached --others --exclude-standard".split()
    listed = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in sorted(set(listed.split("\0"))) if (ROOT / name).is_file()]


def measured():
    """{tree: {figure: count}} in the form of weight.toml."""
    rows = collections.defaultdict(collections.Counter)
    for name in files():
        tree = tree_of(name)
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if name.endswith(".md"):
            rows["markdown"]["words"] += len(text.split())
        elif name.endswith(".py") and tree:
            rows[tree] += weighed(text)
        elif tree:
            rows[tree]["other_kB"] += len(text) / 1000
    rows["readme"]["words"] = len((ROOT / "README.md").read_text(encoding="utf-8").split())
    rows["commands"].update(commands())
    return {tree: {name: round(row[name]) for name in row} for tree, row in rows.items()}


def commands():
    from controller.__main__ import COMMANDS
    from hil.__main__ import BENCH, LAB

    return {"firebreak": len(COMMANDS), "hil": len(BENCH) + len(LAB)}


def caps():
    return tomllib.loads(CAPS.read_text(encoding="ascii"))


def above(rows, most):
    """A line for each figure above its cap, or without one."""
    return [
        f"{tree}.{name}: {count}, at most {most.get(tree, {}).get(name, 0)}"
        for tree, row in rows.items()
        for name, count in row.items()
        if count > most.get(tree, {}).get(name, 0)
    ]


def product(figures):
    """Tokens of the product by tree: all trees but the tests."""
    return {
        tree: row["tokens"]
        for tree, row in figures.items()
        if tree in {*TREES.values()} - {"tests"}
    }


def unnamed(most):
    """Tokens by which the caps of the product stand above the last version and all named rises."""
    version = [count for name, count in most["version"].items() if name != "name"]
    named = [each["tokens"] for each in most["rises"]]
    return sum(product(most).values()) - sum(version) - sum(named)


def risen(rows, most):
    """A line: what the product weighs, and how much of it came since the last version."""
    now, then = product(rows), most["version"]
    since = {tree: now[tree] - then[tree] for tree in now}
    told = ", ".join([f"{tree} {count:+}" for tree, count in since.items()])
    whole, rise = sum(now.values()), sum(since.values())
    return f"product    tokens {whole}, {rise:+} since {then['name']} ({told})"


def lowered(text, rows):
    """The text of weight.toml with each cap at the lower of itself and today's figure."""
    lines, tree = [], ""
    for line in text.splitlines(keepends=True):
        if line.startswith("["):
            tree = line.strip("[]\n")
        elif tree in rows and (known := re.fullmatch(r"(\w+) = (\d+)\n", line)):
            least = min(int(known[2]), rows[tree].get(known[1], 0))
            line = f"{known[1]} = {least}\n"
        lines.append(line)
    return "".join(lines)


def main(argv=None):
    """Print each figure beside its cap; 1 when one is above."""
    parser = argparse.ArgumentParser(description="Print the weight of each tree beside its cap.")
    parser.add_argument("--lower", action="store_true", help="lower each cap to today's figure")
    given = parser.parse_args(argv)
    rows, most = measured(), caps()
    for tree, row in sorted(rows.items()):
        told = [f"{name} {row[name]} of {most.get(tree, {}).get(name, 0)}" for name in sorted(row)]
        print(f"{tree:11}{', '.join(told)}")
    print(risen(rows, most))
    if given.lower:
        CAPS.write_text(lowered(CAPS.read_text(encoding="ascii"), rows), encoding="ascii")
    return 1 if above(rows, most) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    from controller.system.output import guarded

    sys.exit(guarded("weight.py", main))
