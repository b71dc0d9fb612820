"""Parts of a page: numbers with units, times, folded sentences; an unknown value is "-"."""

import textwrap

from controller.state.record import utc_text
from controller.state.reset_code import TURN_KEY
from safety import signals

# the 80th column stays free, as a terminal may wrap there; the 24th line is the prompt's
WIDTH, HEIGHT = 79, 23
RULE = "-" * WIDTH
MARGIN = 7
MORE = "..."
CELLS = "Cells stay live with contactors open."
ANY_W = (1 << 30) - 1  # a bound of this size bounds nothing
NOT_WORTH_W = 50  # rounds to 0.0 kW
# told for a day that is not set or impossible
NO_DAY_D = signals.CABINET_INPUTS[signals.GAS_1_CALIBRATION_D][2]


def kilowatt(power_W: int, width=0) -> str:
    """Power in kW with one decimal and no unit, "-" when unknown, "any" where nothing bounds it."""
    if power_W is None:
        return "-".rjust(width)
    if abs(power_W) >= ANY_W:
        return "any".rjust(width)
    return f"{0.0 if abs(power_W) < NOT_WORTH_W else power_W / 1000:.1f}".rjust(width)


def calibration(days: int | None) -> str:
    """When a gas detector is due for calibration; days: until then, None while unknown."""
    if days is None:
        return "unknown"
    return (
        f"in {days} d"
        if days >= 0
        else (f"overdue by {-days} d")
        if days > NO_DAY_D
        else "overdue (no day set)"
    )


def directed(power_W: int) -> str:
    """Battery power in words: "discharge 81.5 kW", "charge 3.6 kW", "0.0 kW"."""
    if power_W is None or abs(power_W) < NOT_WORTH_W:
        return kilowatt(power_W) + " kW"
    return f"{'discharge' if power_W > 0 else 'charge'} {kilowatt(abs(power_W))} kW"


def interval(low_W: int, high_W: int) -> str:
    """ "-250.0 ..  81.5", both ends in kW."""
    return f"{kilowatt(low_W, 7)} .. {kilowatt(high_W, 7)}"


def scaled(value: int | None, divisor: int, digits: int = 1) -> str:
    """A value in thousandths, tenths ... as a plain number; "-" when unknown."""
    return "-" if value is None else f"{value / divisor:.{digits}f}"


def duration(time_ms: int) -> str:
    """ "0.34 s", "12 s", "4 min", "3 h 12 min", "41 d 2 h"; "-" when unknown."""
    if time_ms is None:
        return "-"
    if time_ms < 10_000:
        return f"{time_ms / 1000:.2f} s"
    seconds = time_ms // 1000
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    return (
        (f"{minutes // 60} h {minutes % 60} min")
        if minutes < 2880
        else f"{minutes // 1440} d {minutes // 60 % 24} h"
    )


def age(time_ms: int | None) -> str:
    """Age of a value: "40 ms old", "never seen"."""
    if time_ms is None:
        return "never seen"
    return f"{time_ms} ms old" if time_ms < 10_000 else f"{duration(time_ms)} old"


def uptime(time_ms: int) -> str:
    """A moment since the controller's start: "00:01:22.40", "41 d 02:07:31.00"."""
    if time_ms is None:
        return "before that"
    seconds = time_ms // 1000
    minutes = seconds // 60
    clock = f"{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds % 60:02}.{time_ms % 1000 // 10:02}"
    return f"{seconds // 86_400} d {clock}" if seconds >= 86_400 else clock


def moment(time_ms: int, facts: dict) -> str:
    """A moment since the controller's start by the clock of the page's head: UTC, without today's
    day, or uptime.

    While the head is UTC and the controller does not tick, the UTC of its last moment is unknown.
    """
    if time_ms is None or "utc_us" not in facts:
        return uptime(time_ms)
    if not facts["is_live"]:
        return f"up {uptime(time_ms)}"
    day, _, time = utc_text(facts["utc_us"] - 1000 * (facts["uptime_ms"] - time_ms)).partition(" ")
    return time if utc_text(facts["utc_us"]).startswith(day) else f"{day} {time}"


def cut(line: str, width: int = WIDTH) -> str:
    """The line, shortened to width: never inside a number, and marked as cut if there is room."""
    if len(line) <= width:
        return line
    more = MORE if width > 2 * len(MORE) else ""
    kept = line[: max(0, width - len(more))]
    if any(map(str.isdigit, kept[-1:] + line[len(kept)])):
        kept = kept.rpartition(" ")[0]
    return kept + more


def spread(left: str, right: str, width: int = WIDTH) -> str:
    """left and right at the two ends of a line; left gives way."""
    left = cut(left, width - len(right) - 1)
    return left + " " * (width - len(left) - len(right)) + right


def ending(left: str, right: str) -> str:
    """left and right joined; left gives way."""
    return cut(left, WIDTH - len(right)) + right


def fitting(first: str, *others) -> str:
    """first and those of the others, in their order, that still fit the line whole."""
    for other in others:
        first += other if len(first + other) <= WIDTH else ""
    return first


def head(facts: dict) -> list:
    """The first two lines of every page: whose it is, and what a person in danger does first."""
    state = facts["state"].upper() if facts.get("is_live", True) else "NOT TICKING: LAST STATE"
    if facts.get("locked_out_by"):
        state += f", LOCKED OUT BY {facts['locked_out_by']}"
    elif facts.get("test_left_ms") is not None:
        state += f", TEST, {-(-facts['test_left_ms'] // 1000)} s left"
    moment = facts.get("utc_text") or f"up {uptime(facts['uptime_ms'])}"
    middle = WIDTH - len(moment) - 2
    words = facts.get("danger", {}).get("words")
    line = f"!!! {words} ".ljust(WIDTH, "!") if words else RULE
    return [spread(spread(facts["cabinet"], state, middle), moment), line]


def checklist(start: dict) -> str:
    """Progress of the start checklist, "checklist 27 of 33: "; "" while none applies."""
    items = start["checklist"]
    return f"checklist {items['done']} of {items['total']}: " if items else ""


def rest(start: dict) -> str:
    """Why it rests, and the remedy: "the test is over: start it (firebreak start)"."""
    rests = start["rests"]
    if rests is None:
        return "nobody asks it to run: the controller is told to end, or its store has failed"
    words = {
        "test": "the test is over",
        "lock-out": f"{rests['name']}'s lock-out has ended",
        "unknown": "no store says whether it was to run",
        "row": "a row stopped it",
        "restart": "the controller has restarted",
    }
    return f"{words.get(rests['why'], 'a person stopped it')}: start it (firebreak start)"


def typed(reset: dict) -> str | None:
    """The command that resets what a page shows, or what a person has to do before; None when
    nothing waits for a reset.
    """
    return reset["command"] or (reset["code"] and TURN_KEY)


def last(words: str | None) -> str:
    """The last line of a page, with the command that resets its alarms."""
    return spread(CELLS, f"To reset: {words}") if words else CELLS


def source(facts: dict) -> str:
    """Where a page's history is from, with a word when no recorder writes any more."""
    since, trouble = facts.get("recorder_silent_since"), facts.get("record_trouble")
    if trouble is not None:
        return f"Record not readable, {trouble}: {facts['source'].removeprefix('No recorder: ')}"
    return facts["source"] if since is None else f"Recorder silent since {since}. {facts['source']}"


def folded(label: str, sentence: str, lines_max: int = 3) -> list:
    """A sentence behind its label, folded; what does not fit ends in "..."."""
    indent = " " * MARGIN
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=f"{label:<{MARGIN}}",
        subsequent_indent=indent,
        max_lines=lines_max,
        placeholder=" ...",
        break_on_hyphens=False,
    )


def wrapped(line: str, margin: int) -> list:
    """A line that is too long goes on in the next one behind so many spaces."""
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * margin, break_on_hyphens=False)


def filled(blocks: list, lines_max: int) -> list:
    """[lines of a part]: blocks of lines in their order; none is torn while it fits a part."""
    found = [[]]
    for block in blocks:
        if found[-1] and len(found[-1]) + len(block) > lines_max:
            found.append([])
        found[-1].extend(block)
    return found


def parts(items: str | list, per_page: int) -> int:
    """How many parts a list of so many items takes."""
    return max(1, -(-len(items) // per_page))


def part(items: list, number: int, per_page: int) -> list:
    """The items of one part, from 1."""
    return items[(number - 1) * per_page : number * per_page]


def page(lines: list) -> list:
    """The finished page: no line longer than WIDTH (see `cut`), none ends in spaces, no more lines
    than HEIGHT.

    Where there are too many, rules go first, from the end; the head keeps its own.
    """
    kept = [cut(line.rstrip()).rstrip() for line in lines]
    for index in range(len(kept) - 1, 1, -1):
        if len(kept) > HEIGHT and kept[index] == RULE:
            del kept[index]
    return kept[:HEIGHT]
