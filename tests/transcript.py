"""Output of commands as a text beside its test. `pytest --approve` writes what differs.

A part begins with "# title". At the margin stands what happens: `$ command`, or a step of the test
with its words. Two blanks in, below a command: its exit code if it is not 0, its lines, and after
`! ` those on stderr. "..." is any text of stdout or of stderr, at the end of a line any lines too.
A title that ends in "(whole)" is of the slower selection of that name.
"""

import difflib
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
    at = [place for place, line in enumerate(wanted) if line != ANY]
    kept = ["", *[wanted[each] for each in at], ""]
    same = [next(filter(form(line).fullmatch, found), line) for line in kept[1:-1]]
    blocks = difflib.SequenceMatcher(None, same, found, autojunk=False).get_matching_blocks()
    pairs = [(one + more, other + more) for one, other, size in blocks for more in range(size)]
    lines, number, place, at = [], 0, 0, [-1, *at, len(wanted)]
    for next_number, next_place in (*pairs, (len(same), len(found))):
        is_any = at[number + 1] - at[number] > 1
        if number < next_number or not (is_any or ANY in _ends(*kept[number : number + 2])):
            lines += found[place:next_place]
        elif is_any:
            lines.append(ANY)
        lines += kept[next_number + 1 : next_number + 2]
        number, place = next_number + 1, next_place + 1
    return lines[:-1]


def _ends(before, after):
    return before[-len(ANY) :], after[: len(ANY)]


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
