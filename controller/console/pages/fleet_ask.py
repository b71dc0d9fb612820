"""The text of `firebreak fleet ask`: the answer, what each battery gives, and what is left out."""

from controller.console.pages.ask import VERDICTS
from controller.console.pages.text import LABEL_MARGIN, duration, kilowatt, labelled, wrapped
from controller.dispatch import site_ask
from controller.state.base import Facts
from controller.system.paths import printable

BATTERIES_MAX = 16  # lines; --json has all


def lines(facts: Facts) -> list[str]:
    """The answer (controller/dispatch/site_ask.py) as lines."""
    start = f"in {duration(facts['at_s'] * 1000)}" if facts["at_s"] else "now"
    place = f" at {facts['cabinet']}" if facts.get("cabinet") else ""
    job = f"a job of {_kW(facts['power_W'])}{place}, {start}, for {duration(facts['for_s'] * 1000)}"
    first = wrapped(f"{VERDICTS[facts['answer']]}: {job}.", LABEL_MARGIN)
    if facts["answer"] == site_ask.NOT_KNOWN:
        unknown = labelled("unknown", facts["unknown"])
        return [printable(line) for line in first + unknown + _left_out(facts)]
    answer_lines = [*first, *labelled("left", _margin(facts)), *labelled("import", _sum(facts))]
    answer_lines += labelled("batteries", _batteries(facts["cabinets"]))
    return [printable(line) for line in answer_lines + _left_out(facts)]


def _kW(power_W: int) -> str:
    return f"{kilowatt(power_W)} kW"


def _margin(facts: Facts) -> list[str]:
    margin_W, least_W = facts["margin_W"], facts["margin_without_largest_W"]
    texts = [f"{_kW(margin_W)} to spare."] if margin_W >= 0 else [f"{_kW(-margin_W)} are missing."]
    if margin_W >= 0 > least_W:
        texts.append(
            f"If the battery that gives most fails during the job, {_kW(-least_W)} are missing."
        )
    return texts


def _sum(facts: Facts) -> list[str]:
    if not facts["is_lent"]:
        return ["No share is lent: each cabinet may import its fallback, and no more."]
    return [
        f"{_kW(facts['reserved_W'])} of {_kW(facts['import_W_max'])} are reserved: for each "
        f"cabinet its fallback, or its load less what its battery gives. The batteries give "
        f"{_kW(facts['given_W'])} together."
    ]


def _batteries(cabinets: Facts) -> list[str]:
    """A line for each battery, the one that gives most first."""
    names = sorted(cabinets, key=lambda name: (-cabinets[name]["gives_W"], name))
    texts = [_battery(name, cabinets[name]) for name in names[:BATTERIES_MAX]]
    if len(names) > BATTERIES_MAX:
        rest_W = sum(cabinets[name]["gives_W"] for name in names[BATTERIES_MAX:])
        texts.append(f"{len(names) - BATTERIES_MAX} more give {_kW(rest_W)} together.")
    return texts


def _battery(name: str, battery: Facts) -> str:
    if battery["gives_W"]:
        return f"{name} gives {_kW(battery['gives_W'])}; {battery['limit']} decides."
    return f"{name} gives nothing: {battery['limit']}."


def _left_out(facts: Facts) -> list[str]:
    return labelled("left out", facts["leaves_out"])
