"""What the pages of a virtual cabinet show at a moment (pages.txt)."""

import ast

from transcripts import each_part, says
from watched import CONFIG, EACH_20_MS, Watched, action, check, of_scenario

from controller.console import pages


def given(text):
    """A value of an action: a literal, else the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def cabinet(folder, lines):
    """The rig that the first lines of a part describe."""
    load_W, soc, actions, settings = 300_000.0, 0.55, [], CONFIG
    for line in lines:
        what, *words = line.split()
        if what == "scenario":
            return of_scenario(words[0], folder, int(words[1]), settings)
        if what == "ticks":
            settings = EACH_20_MS
        elif what == "load":
            load_W = float(words[0])
        elif what == "charge":
            soc = float(words[0])
        else:
            more = {
                name: given(value) for name, _, value in (each.partition("=") for each in words[1:])
            }
            actions.append(action(float(what), words[0], **more))
    return Watched(folder, lambda t_s: load_W, actions, soc, settings)


@each_part(__file__, "pages.txt")
def test_pages(tmp_path, lines):
    first = next(at for at, line in enumerate(lines) if line.startswith("at "))
    watched, shown, has_stopped = cabinet(tmp_path, lines[:first]), [], False
    for line in filter(None, lines[first:]):
        word, _, rest = line.partition(" ")
        if word == "at":
            watched.run(float(rest))
        elif word == "stop":
            pauses = []
            watched.watch().update(lambda: pauses.append(1))
            assert len(pauses) == 50, "for a second"
            has_stopped = True
        elif word == "$":
            seen = watched.seen if has_stopped else watched.watch()
            name, _, number = rest.partition(" ")
            shown = pages.lines(name, seen.facts(name), int(number or 1))
            check(shown, name)
        else:
            page = "\n".join(shown)
            assert says(page, line[2:]) == (word == ""), f"{line}\n{page}"
