"""Makes the page of `firebreak replace`. It shows the facts about a device, and what a person does
to replace it.
"""

from collections.abc import Iterator

from controller.console.pages.text import labelled
from controller.console.replace_steps import FIRST, KINDS, THEN
from controller.state.base import Facts


def lines(facts: Facts) -> list[str]:
    """The page, 79 columns of ASCII."""
    return [line for label, text in _labelled_texts(facts) for line in labelled(label, [text])]


def tests_in_words(keys: list[str]) -> str:
    """The keys of tests in words: "12b, sign of unit 1"."""
    return ", ".join(f"sign of unit {key[1:]}" if key[0] == "u" else key for key in keys)


def _labelled_texts(facts: Facts) -> Iterator[tuple[str, str]]:
    """(label, text) of each paragraph."""
    device, kind = facts["device"], KINDS[facts["kind"]]
    yield "DEVICE", f"{device} ({facts['role']}), {facts['state']}"
    yield "PROFILE", facts["profile"]
    yield "SERIAL", facts["serial"] or "its profile reads none: note it from the plate"
    if facts["serial_before"] not in (None, facts["serial"]):
        yield "BEFORE", facts["serial_before"]
    yield "WIRING", facts["wiring"]
    yield "TESTS", tests_in_words(facts["tests"]) or "no proof test depends on it"
    holder = facts["locked_out_by"]
    yield "CABINET", facts["cabinet_state"] + (f", locked out by {holder}" if holder else "")
    yield "NOW", facts["open"] or "no replacement is open"
    command = f"firebreak replace {facts['kind']} {device} --by NAME"
    if not facts["open"]:
        if not facts["is_open"]:
            yield "FIRST", "`firebreak stop`, and wait until the contactors are open"
        yield "NEXT", f"{command}   (locks the cabinet out and begins)"
        return
    yield "OLD", facts["before"]
    for number, step in enumerate((*FIRST, *kind.before, *THEN, *kind.after), 1):
        yield f"{number:>4}.", step
    yield (
        "OTHER TYPE",
        f"another model needs its own profile: write device.{device}.profile, run `firebreak "
        "check`, restart the controller, then `firebreak approve`",
    )
    yield "NEXT", f"{command} --serial TEXT   (when it answers; --cancel: the old one stays)"
