"""The part of the page `why` about one actuator of a site device, such as the power limit of a PV
plant. It shows the request, the bounds, the value that was sent, the cause and the remedy.
"""

from controller.console.pages.text import cut, folded, scaled
from controller.core.base import reasons
from controller.state.base import Facts

COLUMNS = " {:<12}{:<37}{:>18}{:>8}{}"


def block(actuator: Facts) -> list[str]:
    """The lines of the block. Numbers have the unit with which the actuator's name ends."""
    sent_text, reported_text = [scaled(actuator[key], 1, 0) for key in ("sent", "feedback_value")]
    name = f"{actuator['device']}, {actuator['name']}"
    return [
        cut(f"{name}: {actuator['value']} ({actuator['text']})"),
        "",
        COLUMNS.format("step", "what acts", "from .. to", "result", "").rstrip(),
        *[_step(actuator, step) for step in actuator["steps"]],
        f" sent {sent_text}   {actuator['feedback']} reported {reported_text}",
        "",
        *_cause(actuator),
        *folded("Alone", f"Without a word from here {actuator['unheard']}.", 2),
    ]


def _step(actuator: Facts, step: Facts) -> str:
    is_request = step["step"] == "request"
    reason = actuator["request_reason"] if is_request else step["acted"]
    binding = actuator["binding"]
    acts = not is_request and binding is not None and reason == binding
    text = f"{reason['label']} {reason['name']}" if reason else "none" if is_request else "-"
    ends = [scaled(step[end], 1, 0) for end in ("low", "high")]
    bounds = "" if ends == ["-", "-"] else " .. ".join(ends)
    marker = " <<" if acts else ""
    return COLUMNS.format(step["step"], text[:37], bounds, step["leaves"], marker).rstrip()


def _cause(actuator: Facts) -> list[str]:
    reason = actuator["binding"] or actuator["request_reason"]
    if reason is None or reason["code"] == reasons.NO_REQUEST:
        return ["Cause  Nothing asks for it."]
    lines = folded("Cause", reason["sentence"]) + folded("Do", reason["remedy"], 2)
    without = actuator["without"]
    if without is not None:
        following = without["next"]
        next_text = f", by {following['label']} {following['name']}" if following else ""
        lines += folded(
            "Else", f"Without {reason['label']} it would be {without['value']}{next_text}.", 2
        )
    return lines
