"""Makes the page of `firebreak join`: the steps of a cabinet, and what the next one needs."""

from collections.abc import Iterator

from controller.console.join_steps import STEPS
from controller.console.pages.text import labelled
from controller.state.base import Facts
from controller.store.joining import ALONE, IN, JOINS, LEAVES, WHOLE

WORDS = {
    ALONE: "`firebreak join` was never used here: others count on the whole battery",
    JOINS: "it joins: nobody counts on its battery yet",
    IN: "it has joined",
    LEAVES: "it leaves: each step has to be done anew",
}


def lines(facts: Facts) -> list[str]:
    """The page, 79 columns of ASCII."""
    return [line for label, text in _labelled_texts(facts) for line in labelled(label, [text])]


def _labelled_texts(facts: Facts) -> Iterator[tuple[str, str]]:
    """(label, text) of each paragraph."""
    yield "CABINET", f"{facts['cabinet']}, place {facts['place']}"
    provisioned = facts["provisioned_utc"]
    yield "PROVISION", provisioned or "not by `firebreak box provision`: the hours are unknown"
    yield "NOW", f"{WORDS[facts['state']]}; {facts['ready_permille'] * 100 // WHOLE} % counts"
    for number, (name, step) in enumerate(STEPS.items(), 1):
        done = facts["steps"].get(name)
        label = f"{number:>3}. {name}"
        if done:
            yield label, f"{done['utc']} by {done['by']}: {done['words']}"
        else:
            yield label, f"open: {step.title}"
    if facts["hours"] is not None:
        yield "HOURS", f"{facts['hours']:.1f} from the provision to the last step"
    if facts["missing"]:
        yield from _next(facts["missing"])


def _next(missing: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    name, lacks = next(iter(missing.items()))
    step = STEPS[name]
    for line in lacks:
        yield "LACKS", line
    yield "NEXT", f"{name}: {step.how}, then `firebreak join --by NAME`"
    if lacks and step.can_be_accepted:
        yield "", 'or --accept "WHY": your name answers for it'
