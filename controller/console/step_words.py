"""Makes the lines that `firebreak test sign` and `firebreak test step` print about a converter."""

from collections.abc import Callable, Iterator

from controller.console.pages.text import scaled
from controller.state import sign_verdicts as signs
from controller.state.base import Facts
from controller.state.step_samples import AC, DC, GRID, LOAD

Lines = Callable[[Facts], Iterator[str]]
CONVERTER = (
    "The converter moves against its set-point: see the sign of the set-point in its profile and "
    "in its settings."
)
REMOTE = (
    "The converter accepts the set-point and does nothing: see remote control, operating mode and "
    "enable input."
)
READINGS = (
    "Only the converter's readings disagree: racks and grid meter agree with each other. See the "
    "signs of the readings in its profile."
)
METER = "Only the grid meter disagrees: turn its current transformers or phases, or its sign."
BATTERY = "Only the BMS disagrees: see the sign of the current in its profile."
# The likely cause, if converter, racks or meter (in this order) disagrees with the other two.
CAUSE_OF_ODD = READINGS, BATTERY, METER
NO_METER = (
    "Converter and racks disagree, and no grid meter shows which is right: test again with a "
    "steadier load."
)
HALF = "The converter's own readings disagree with each other: see their signs in its profile."
DIRECTIONS = signs.AGREES, signs.OPPOSITE
LOAD_MOVES = "The load meter also measures the battery: it must sit behind the load alone."


def sign_lines(facts: Facts) -> Iterator[str]:
    """The result of one unit's sign test, as lines."""
    yield f"unit {facts['unit']}: sign test {facts['result']}"
    yield f"  {'':<14}{'moved, W':>10}{'expected':>10}{'+-':>8}  verdict"
    for point in facts["points"]:
        keys = "moved_W", "expected_W", "uncertainty_W"
        moved, expected, uncertainty = [scaled(point[key], 1, 0) for key in keys]
        if point["point"] == LOAD:  # the battery must not move the load
            expected = "0"
        verdict = point["verdict"] + (f" (by {point['by']})" if point["by"] else "")
        yield f"  {point['point']:<14}{moved:>10}{expected:>10}{uncertainty:>8}  {verdict}"
    yield from _held(facts)
    cause = diagnosis(facts)
    if cause:
        yield f"  {cause}"


def _held(facts: Facts) -> Iterator[str]:
    for reason in facts["held_by"]:
        yield f"  held back by {reason['label']} {reason['name']}"


def diagnosis(facts: Facts) -> str:
    """The likely cause of a failed test, or ""."""
    verdicts = {point["point"]: point["verdict"] for point in facts["points"]}
    load = verdicts.pop(LOAD, "")
    meter = verdicts.pop(GRID, "")
    converter = [verdicts.pop(AC), verdicts.pop(DC)]
    racks = list(verdicts.values())
    if {*converter, *racks} == {signs.NOTHING}:
        return REMOTE
    if load == signs.MOVES:
        return LOAD_MOVES
    if odd := _against_two({*converter}, {*racks}, meter):
        return odd
    if set(converter) == {signs.AGREES} and any(rack in signs.BAD for rack in racks):
        return BATTERY
    if meter in signs.BAD and not any(verdict in signs.BAD for verdict in (*converter, *racks)):
        return METER
    return HALF if any(verdict in signs.BAD for verdict in converter) else ""


def _against_two(converter: set[str], racks: set[str], meter: str) -> str:
    """The likely cause of a failed test, or "". Converter, racks and meter each show a direction.
    The cause is the one that disagrees with the other two.
    """
    if len(converter) > 1 or len(racks) > 1 or not converter | racks <= {*DIRECTIONS}:
        return ""
    if meter not in DIRECTIONS:
        return NO_METER if converter != racks else CONVERTER if signs.OPPOSITE in racks else ""
    ways = *converter, *racks, meter
    majority = max(DIRECTIONS, key=ways.count)
    causes = [text for way, text in zip(ways, CAUSE_OF_ODD, strict=True) if way != majority]
    return " ".join(causes + ([CONVERTER] if majority == signs.OPPOSITE else []))


def remark(facts: Facts) -> str:
    """The verdicts as one short line for the ledger. Each verdict has its points: the places where
    the power was measured.
    """
    parts: dict[str, list[str]] = {}
    for point in facts["points"]:
        parts.setdefault(point["verdict"], []).append(point["point"])
    texts = [f"{verdict}: {', '.join(points)}" for verdict, points in parts.items()]
    return "; ".join(texts)[:160]


def step_lines(facts: Facts) -> Iterator[str]:
    """Figures of one unit's step test."""
    yield f"unit {facts['unit']}: rated {facts['rated_W']} W"
    for point in facts["points"]:
        yield from _point_lines(point, facts["stated"] if point["point"] == AC else {})
    yield from _held(facts)
    yield from _profile_lines(facts)


def summary(facts: Facts) -> str:
    """The figures at the converter in one line, for the record."""
    point = facts["points"][0]
    if point["too_little"]:
        return f"too little to tell, {point['too_little']}"
    delay, rise, gain = [_figure(point[key]) for key in ("dead_time_ms", "ramp_ms", "gain")]
    return f"dead time {delay} ms, ramp {rise} ms, gain {gain}"


def _point_lines(point: Facts, stated: Facts) -> Iterator[str]:
    refresh = "-" if point["refresh_ms"] is None else f"{point['refresh_ms']:g}"
    yield f"  at the {point['point']}: {point['steps']} steps, a new value each {refresh} ms"
    if point["too_little"]:
        yield f"    too little to tell: {point['too_little']}"
        return
    for name, unit in (("dead_time_ms", "ms"), ("ramp_ms", "ms, 0 to rated")):
        yield f"    {name:<14}{_figure(point[name])} {unit}{_stated(point[name], stated, name)}"
    slew_max = point["slew_W_per_s_max"]
    upper_text = f" .. {slew_max} W/s" if slew_max else " W/s or more"
    yield f"    slew          {point['slew_W_per_s_min']}{upper_text}"
    yield f"    gain          {_figure(point['gain'])} of the set-point, settled"
    step_text = f"of the step of {point['step_W']} W"
    yield f"    overshoot     {_figure(point['overshoot_pct'])} % {step_text}"


def _figure(figure: Facts) -> str:
    return f"{figure['value']:g} +- {figure['uncertainty']:g}"


def _stated(figure: Facts, stated: Facts, name: str) -> str:
    if name not in stated:
        return ""
    fits = abs(stated[name] - figure["value"]) <= figure["uncertainty"]
    return f"; profile: {stated[name]}, {'fits' if fits else 'DOES NOT FIT'}"


def _profile_lines(facts: Facts) -> Iterator[str]:
    """Lines to paste into the profile. A figure below its uncertainty is given as a bound."""
    point = facts["points"][0]
    if point["too_little"]:
        return
    yield "  for the profile of the converter:"
    for name in ("dead_time_ms", "ramp_ms"):
        time_ms, uncertainty_ms = point[name]["value"], point[name]["uncertainty"]
        if time_ms > uncertainty_ms:
            measured = f"measured +- {uncertainty_ms:.0f}, {point['steps']} steps"
            yield f"    {name} = {time_ms:.0f}  # {measured}"
        else:
            most_ms = time_ms + uncertainty_ms
            yield f"    # {name}: at most {most_ms:.0f}; 5 % of the rating shows no more"
