"""Judges a run, for exit code, page, claims and README. document: see command.document."""

from typing import Any

from hil.systems.figures import number, reached

Document = dict[str, Any]  # of command.document, or a part of it


def is_unreachable(figure: Document) -> bool:
    """True if the figure is missed, its file says that this size cannot reach it, and its bound
    proves that.
    """
    asked, bound = figure.get("asked"), figure.get("optimum")
    if figure["status"] != "unreachable" or figure["is_met"] is not False or bound is None:
        return False
    return bool(bound < asked if figure["way"] == "least" else bound > asked)


def is_missed(figure: Document) -> bool:
    """True if a promise is not kept, although the size can keep it."""
    return figure.get("is_met") is False and not is_unreachable(figure)


def missed(document: Document) -> list[str]:
    """A text for each missed promise."""
    judged = [each for each in document["figures"] if each["is_met"] is not None]
    texts = [f"{each['name']} {against(each)}" for each in judged if is_missed(each)]
    return texts if judged else ["no promise can be judged"]


def against(figure: Document) -> str:
    """The reached value beside the asked one."""
    sign = ">=" if figure["way"] == "least" else "<="
    return f"{reached(figure)}, asked {sign} {number(figure['asked'])}"


def wrong(document: Document) -> list[str]:
    """Texts for all missed promises and violated limits."""
    return [*missed(document), *document["violations"]]


def words(document: Document) -> str:
    """The verdict for people, with the promises that this run does not show."""
    every, broken = document["figures"], len(document["violations"])
    good = sum([bool(each["is_met"]) for each in every])
    count = good + sum(map(is_missed, every))
    text = f"All {count} promises are kept." if count > 1 else "The promise is kept."
    if good < max(1, count):
        text = f"{good} of {count} promises are kept."
    worse = [each for each in every if each["unit"] == "%" and (each["reached"] or 0) < 0]
    open_ = [each for each in every if each["is_met"] is None and each["asked"] is not None]
    listed = {
        "Not kept": [each["text"] for each in every if is_missed(each)],
        "Cannot be kept at this size": [each["text"] for each in every if is_unreachable(each)],
        "Worse than without the system": [
            f"{each['text']}: {each['reached']:.2g} %" for each in worse
        ],
        "Not shown by this run": [each["text"] for each in open_],
    }
    limits = [f"{broken} limit{'s were' if broken > 1 else ' was'} violated."] if broken else []
    more = [f"{head}: {'; '.join(found)}." for head, found in listed.items() if found]
    return " ".join([*limits, text, *more])
