"""Makes the texts of the pages: numbers with units, times, and sentences folded to lines. An
unknown value is shown as "-".
"""

import textwrap
from collections.abc import Iterable

from controller.core.base import reasons
from controller.hints import no_answer
from controller.state.base import INPUT_LOW, Facts
from controller.state.record import utc_text
from controller.state.reset_code import TURN_KEY
from safety import signals

# A terminal may wrap after the 80th column. The 24th line is for the prompt.
WIDTH, HEIGHT = 79, 23
RULE = "-" * WIDTH
MARGIN = 7
LABEL_MARGIN = 12  # columns for a label and the blanks after it
MORE = "..."
CELLS = "Cells stay live with contactors open."
ANY_W = (1 << 30) - 1  # larger than any limit
NOT_WORTH_W = 50  # a smaller power is shown as 0.0 kW
Parts = list[list[str]]  # the parts of a page, each as its lines
# A detector reports this number if its calibration day is not set or is impossible.
NO_DAY_D = int(signals.CABINET_INPUTS[signals.GAS_1_CALIBRATION_D][INPUT_LOW])


def kilowatt(power_W: int | None, width: int = 0) -> str:
    """Power in kW with one decimal and no unit; "-" if unknown, "any" if there is no bound."""
    if power_W is None:
        return "-".rjust(width)
    if abs(power_W) >= ANY_W:
        return "any".rjust(width)
    return f"{0.0 if abs(power_W) < NOT_WORTH_W else power_W / 1000:.1f}".rjust(width)


def calibration(days: int | None) -> str:
    """Words for when the calibration of a gas detector is due. days: days until then, or None."""
    if days is None:
        return "unknown"
    if days >= 0:
        return f"in {days} d"
    return f"overdue by {-days} d" if days > NO_DAY_D else "overdue (no day set)"


def directed(power_W: int | None) -> str:
    """Battery power in words: "discharge 81.5 kW", "charge 3.6 kW", "0.0 kW"."""
    if power_W is None or abs(power_W) < NOT_WORTH_W:
        return kilowatt(power_W) + " kW"
    return f"{'discharge' if power_W > 0 else 'charge'} {kilowatt(abs(power_W))} kW"


def interval(low_W: int | None, high_W: int | None) -> str:
    """ "-250.0 ..  81.5", both ends in kW."""
    return f"{kilowatt(low_W, 7)} .. {kilowatt(high_W, 7)}"


def scaled(value: float | None, divisor: float, digits: int = 1) -> str:
    """A value divided by `divisor`, as text. "-" if the value is unknown."""
    return "-" if value is None else f"{value / divisor:.{digits}f}"


def duration(time_ms: int | None) -> str:
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
    if minutes < 2880:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // 1440} d {minutes // 60 % 24} h"


def age(time_ms: int | None) -> str:
    """Age of a value: "40 ms old", "never seen"."""
    if time_ms is None:
        return "never seen"
    return f"{time_ms} ms old" if time_ms < 10_000 else f"{duration(time_ms)} old"


def uptime(time_ms: int | None) -> str:
    """A moment since the controller's start: "00:01:22.40", "41 d 02:07:31.00"."""
    if time_ms is None:
        return "before that"
    seconds = time_ms // 1000
    minutes = seconds // 60
    clock = f"{minutes // 60 % 24:02}:{minutes % 60:02}:{seconds % 60:02}.{time_ms % 1000 // 10:02}"
    return f"{seconds // 86_400} d {clock}" if seconds >= 86_400 else clock


def moment(time_ms: int | None, facts: Facts) -> str:
    """A moment, in the form that the head of the page has: UTC, or the time since the controller's
    start. UTC has no day if it is today. Pages of a stopped controller show times since its start.
    """
    if time_ms is None or "utc_us" not in facts:
        return uptime(time_ms)
    if not facts["is_live"]:
        return f"up {uptime(time_ms)}"
    day, _, time = utc_text(facts["utc_us"] - 1000 * (facts["uptime_ms"] - time_ms)).partition(" ")
    return time if utc_text(facts["utc_us"]).startswith(day) else f"{day} {time}"


def cut(line: str, width: int = WIDTH) -> str:
    """The line, cut to this width, but never inside a number. "..." marks a cut if it fits."""
    if len(line) <= width:
        return line
    more = MORE if width > 2 * len(MORE) else ""
    kept = line[: max(0, width - len(more))]
    if any(map(str.isdigit, kept[-1:] + line[len(kept)])):
        kept = kept.rpartition(" ")[0]
    return kept + more


def spread(left: str, right: str, width: int = WIDTH) -> str:
    """left and right at the two ends of a line; left is cut if they do not fit."""
    left = cut(left, width - len(right) - 1)
    return left + " " * (width - len(left) - len(right)) + right


def ending(left: str, right: str) -> str:
    """left and right joined; left is cut if they do not fit."""
    return cut(left, WIDTH - len(right)) + right


def fitting(first: str, *texts: str) -> str:
    """A line with `first` and, in their order, the others that still fit whole."""
    for text in texts:
        first += text if len(first + text) <= WIDTH else ""
    return first


def is_mode_shown(facts: Facts) -> bool:
    """True if the mode is not "on the grid"."""
    return bool(facts.get("mode")) and facts["mode"]["code"] != reasons.MODE


def contradicted(facts: Facts) -> str:
    """Signals that other measurements contradict, after the reason: "R922 ...: pv_1.power_W"."""
    by_reason: dict[str, list[str]] = {}
    for contradiction in facts.get("contradicted", ()):
        reason = f"{contradiction['reason']['label']} {contradiction['reason']['name']}"
        by_reason.setdefault(reason, []).append(contradiction["signal"])
    return "; ".join(f"{reason}: {', '.join(names)}" for reason, names in by_reason.items())


def head(facts: Facts) -> list[str]:
    """The first two lines of every page. In danger, the second line says what to do first."""
    last_state = f"{no_answer.LAST_STATE}: LAST STATE"
    state = facts["state"].upper() if facts.get("is_live", True) else last_state
    if facts.get("locked_out_by"):
        state += f", LOCKED OUT BY {facts['locked_out_by']}"
    elif facts.get("test_left_ms") is not None:
        state += f", TEST, {-(-facts['test_left_ms'] // 1000)} s left"
    if is_mode_shown(facts):
        state += f", {facts['mode']['name'].upper()}"
    time = facts.get("utc_text") or f"up {uptime(facts['uptime_ms'])}"
    middle = WIDTH - len(time) - 2
    danger = facts.get("danger", {}).get("words")
    line = f"!!! {danger} ".ljust(WIDTH, "!") if danger else RULE
    return [spread(spread(facts["cabinet"], state, middle), time), line]


def checklist(start: Facts) -> str:
    """Progress of the start checklist: "checklist 27 of 33: ". "" if it does not apply now."""
    items = start["checklist"]
    return f"checklist {items['done']} of {items['total']}: " if items else ""


def standby(start: Facts) -> str:
    """Why the cabinet is in standby, with the remedy."""
    cause = start["rests"]
    if cause is None:
        return "no run request: the controller is stopping, or its store has failed"
    texts = {
        "test": "the test is over",
        "lock-out": f"{cause['name']}'s lock-out has ended",
        "unknown": "the store may lack a stop or lock-out",
        "row": "a row stopped it",
        "restart": "the controller has restarted",
        "store": "the store keeps failing",
        "sign test": "a sign test was due",
    }
    reason = texts.get(cause["why"], "a person stopped it")
    held = start["sign_held"]
    if held:
        units = f"unit {', '.join(map(str, held))}" if len(held) < 4 else f"{len(held)} units"
        return f"the sign test of {units} comes first (firebreak test sign)"
    return f"{reason}: start it (firebreak start)"


def reset_command(reset: Facts) -> str | None:
    """The command that resets the rows on a page. If it needs the key first, words that say so.
    None if no row needs a reset.
    """
    return reset["command"] or (reset["code"] and TURN_KEY)


def last_line(command: str | None) -> str:
    """The last line of a page, with the command that resets its alarms."""
    return spread(CELLS, f"To reset: {command}") if command else CELLS


def source(facts: Facts) -> str:
    """Words about where the history on a page comes from, with a note if the recorder is silent."""
    since, trouble = facts.get("recorder_silent_since"), facts.get("record_trouble")
    if trouble is not None:
        return f"Record not readable, {trouble}: {facts['source'].removeprefix('No recorder: ')}"
    return facts["source"] if since is None else f"Recorder silent since {since}. {facts['source']}"


def folded(label: str, sentence: str, lines_max: int = 3) -> list[str]:
    """A label and a sentence, folded to at most `lines_max` lines. "..." marks a cut."""
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


def labelled(label: str, texts: Iterable[str]) -> list[str]:
    """The texts as folded lines, with the label before the first one."""
    lines = []
    for number, text in enumerate(texts):
        begin = "" if number else label
        lines += wrapped(f"{begin:<{LABEL_MARGIN}}{text}", LABEL_MARGIN)
    return lines


def wrapped(line: str, margin: int) -> list[str]:
    """The line, folded. Its next lines begin with `margin` spaces."""
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * margin, break_on_hyphens=False)


def filled(blocks: Iterable[list[str]], lines_max: int) -> Parts:
    """Fill the parts of a page with blocks of lines, in their order. A block that fits in one part
    is never split.
    """
    parts: Parts = [[]]
    for block in blocks:
        if parts[-1] and len(parts[-1]) + len(block) > lines_max:
            parts.append([])
        parts[-1].extend(block)
    return parts


def page(lines: Iterable[str]) -> list[str]:
    """A page of at most HEIGHT lines of WIDTH. If there are too many lines, dividing lines are
    dropped first, except the one below the head.
    """
    kept = [cut(line.rstrip()).rstrip() for line in lines]
    for index in range(len(kept) - 1, 1, -1):
        if len(kept) > HEIGHT and kept[index] == RULE:
            del kept[index]
    return kept[:HEIGHT]


def pages(facts: Facts, bodies: Parts) -> Parts:
    """The parts of a page, each below the head. If there are several, each has its number."""
    count = len(bodies)
    return [
        page([*head(facts), *body, *([f"Page {number} of {count}."] if count > 1 else [])])
        for number, body in enumerate(bodies, 1)
    ]
