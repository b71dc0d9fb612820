"""Judges a run, for exit code, page, claims and README. document: see command.document."""

from typing import Any

from hil.systems.figures import number, reached

Document = dict[str, Any]  # result of command.document, or a part of it


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
    judged = [figure for figure in document["figures"] if figure["is_met"] is not None]
    texts = [f"{figure['name']} {against(figure)}" for figure in judged if is_missed(figure)]
    return texts if judged else ["no promise can be judged"]


def against(figure: Document) -> str:
    """The reached value beside the asked one."""
    sign = ">=" if figure["way"] == "least" else "<="
    return f"{reached(figure)}, asked {sign} {number(figure['asked'])}"


def wrong(document: Document) -> list[str]:
    """Texts for all missed promises and violated limits."""
    return [*missed(document), *document["violations"]]


def sentences(document: Document) -> str:
    """The verdict for people, with the promises that this run does not show."""
    figures, broken = document["figures"], len(document["violations"])
    good = sum([bool(figure["is_met"]) for figure in figures])
    count = good + sum(map(is_missed, figures))
    text = f"All {count} promises are kept." if count > 1 else "The promise is kept."
    if good < max(1, count):
        text = f"{good} of {count} promises are kept."
    worse = [figure for figure in figures if figure["unit"] == "%" and (figure["reached"] or 0) < 0]
    listed = {
        "Not kept": [figure["text"] for figure in figures if is_missed(figure)],
        "Cannot be kept at this size": [
            figure["text"] for figure in figures if is_unreachable(figure)
        ],
        "Worse than without the system": [
            f"{figure['text']}: {figure['reached']:.2g} %" for figure in worse
        ],
        "Not shown by this run": [
            figure["text"]
            for figure in figures
            if figure["is_met"] is None and figure["asked"] is not None
        ],
    }
    limits = [f"{broken} limit{'s were' if broken > 1 else ' was'} violated."] if broken else []
    more = [f"{head}: {'; '.join(texts)}." for head, texts in listed.items() if texts]
    return " ".join([*limits, text, *more])
