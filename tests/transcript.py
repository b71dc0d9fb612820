"""Output of commands as a text beside its test. `pytest --approve` writes what differs.

A part begins with "# title". At the margin stands what happens: `$ command`, or a step of the test
with its words. Two blanks in, below a command: its exit code if it is not 0, its lines, and after
`! ` those on stderr. "..." is any text of stdout or of stderr, at the end of a line any lines too.
A title that ends in "(whole)" is of the slower selection of that name.
"""

import functools
import re
import shlex
from pathlib import Path

import pytest

ANY = "..."
approves = False  # --approve: a text takes what is found


class Part:
    """Steps of one part: a line at the margin, and the lines below it."""

    def __init__(self, path, text):
        self.path, self.text = path, text.rstrip("\n")
        self.title, *self.steps = re.split(r"\n+(?=[^ \n])", self.text)

    def play(self, do):
        """do(line): a list of lines, or nothing that is printed."""
        played = [self.title]
        for step in self.steps:
            line, *wanted = step.splitlines()
            wanted, found = [each[2:] for each in wanted], do(line)
            found = found if isinstance(found, list) else []
            is_right = fits(wanted, found)
            wanted = wanted if is_right else merged(wanted, found)
            assert is_right or approves, "\n  ".join([f"{self.path.name}: {line}", *wanted])
            played += [line, *[f"  {each}".rstrip() for each in wanted]]
        if approves and "\n".join(played) != self.text:
            whole = self.path.read_text(encoding="ascii")
            self.path.write_text(whole.replace(self.text, "\n".join(played), 1))


def each_part(test, name):
    """Run the test for each `part` of the text beside it."""
    path = Path(test).parent / name
    texts = re.split(r"\n(?=# )", path.read_text(encoding="ascii"))[1:]
    return pytest.mark.parametrize("part", [_param(Part(path, text)) for text in texts])


def _param(part):
    marks = [pytest.mark.whole] if part.title.endswith("(whole)") else []
    return pytest.param(part, id=part.title[2:], marks=marks)


def fits(wanted, found):
    """Exit code, stdout and stderr are as the lines say."""
    pairs = list(zip(_streams(wanted), _streams(found)))
    return all(re.fullmatch(form("\n".join(want)), "\n".join(have)) for want, have in pairs)


def _streams(lines):
    code = [line for line in lines[:1] if line.isdigit()]
    errors = [line for line in lines if line.startswith("! ")]
    return code, lines[len(code) : len(lines) - len(errors)], errors


def form(text):
    """A regular expression of the text."""
    return re.compile(re.escape(text).replace(r"\.\.\.", ".*"), re.DOTALL)


def merged(wanted, found):
    """The lines that are found; `...` stays where nothing beside it was lost."""
    return [line for pair in zip(_streams(wanted), _streams(found)) for line in _merged(*pair)]


def _merged(wanted, found):
    kept = [line for line in wanted if line != ANY]
    any_before, at = set(), 0
    for line in wanted:
        any_before |= {at} if line.startswith(ANY) else set()
        at += line != ANY
        any_before |= {at} if line.endswith(ANY) else set()
    lines, at, place = [], 0, 0
    for next_at, next_place in (*_pairs(kept, found), (len(kept), len(found))):
        is_any = next_at == at and at in any_before
        lines += [ANY] if is_any else found[place:next_place]
        lines += kept[next_at : next_at + 1]
        at, place = next_at + 1, next_place + 1
    return _without_double(lines)


def _pairs(kept, found):
    """The longest way to pair lines of both in order."""

    @functools.cache
    def best(at, place):
        if at == len(kept) or place == len(found):
            return 0, ()
        if form(kept[at]).fullmatch(found[place]):
            length, pairs = best(at + 1, place + 1)
            return length + 1, ((at, place), *pairs)
        return max(best(at + 1, place), best(at, place + 1), key=lambda each: each[0])

    return best(0, 0)[1]


def _without_double(lines):
    """The lines; no "..." beside one that has it at that end."""
    around = zip(["", *lines], lines, [*lines[1:], ""])
    return [
        line
        for before, line, after in around
        if line != ANY or not (before.endswith(ANY) or after.startswith(ANY))
    ]


def by_word(steps, names=()):
    """do(line): the function of its first word, with the others. names: {NAME: what it is}."""

    def do(line):
        word, *words = shlex.split(replaced(line, dict(names).items()))
        return steps[word](*words)

    return do


def terminal(capsys, main, names=()):
    """A step `$`: a command of the program, in this process."""

    def run(*words):
        try:
            code = main([*words])
        except SystemExit as leaving:  # argparse
            code = leaving.code
        return printed(code, *capsys.readouterr(), names)

    return run


def printed(code, out, err, names=()):
    """Lines as a text has them; names: {NAME in the text: what stands for it}."""
    assert err.isascii()
    lines = [*[str(code)] * (code != 0), *out.rstrip("\n").splitlines()]
    lines += [f"! {line}" for line in err.splitlines()]
    back = [(str(value), name) for name, value in dict(names).items()]
    return [replaced(line, back) for line in lines]


def replaced(text, pairs):
    for old, new in pairs:
        text = text.replace(old, str(new))
    return text
