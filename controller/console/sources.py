"""`firebreak sources`: who may send hints, who does, what became of it, and what is in force.

Exit codes as of `firebreak status`: 1 when the controller does not tick any more.
"""

import json
import os

from controller.console import watch
from controller.console.key import fingerprint, span
from controller.core import hint_codes as h
from controller.core.policies import hint_table
from controller.hints import hint_statistics
from controller.hints.words import kW, quantity
from controller.record import snapshot
from controller.record.journal import JournalError
from controller.system import clock
from controller.system.paths import DONE, NO_START, NOT_DONE, RUN_DIRECTORY, plain, say

_HEAD = "SOURCE           ROLE     KEY      AGE   SEEN      TAKEN  LESS REFUSED BAD MAC"
_DEAD = "NOT TICKING: nothing of this is in force any more, these are the controller's last words."


def add(commands):
    """Add `firebreak sources` to the subparsers."""
    parser = commands.add_parser("sources")
    parser.add_argument("--run-dir", default=RUN_DIRECTORY)
    parser.add_argument("--json", action="store_true", help="the same as JSON, SI units")
    parser.set_defaults(run=_run)


def _run(arguments):
    try:
        seen = hint_statistics.read(os.path.join(arguments.run_dir, "hints.stats"))
        frame = snapshot.read(os.path.join(arguments.run_dir, "journal"))
    except (OSError, JournalError) as error:
        say(f"no controller has run in {arguments.run_dir}: {plain(error)}")
        return NO_START
    if seen is None:
        say(f"{arguments.run_dir}: holds no counters of hints yet")
        return NO_START
    try:
        is_live = watch.ticks(frame.reader, watch.wait)
        frame.update()
        found = {"is_live": is_live} | gather(
            seen, frame, clock.now_us() // 1000, clock.utc_us() // 1_000_000
        )
    except JournalError as error:
        say(f"{arguments.run_dir}: {error}")
        return NO_START
    finally:
        frame.close()
    print(json.dumps(found) if arguments.json else "\n".join(lines(found)))
    return DONE if is_live else NOT_DONE


def gather(seen, frame, uptime_ms, utc_s):
    """hint_statistics.read's dict with ages and what is in force added; frame: snapshot.Snapshot.

    Raises JournalError when the two do not belong together.
    """
    base = frame.output_names.index(hint_table.HINT_OUTPUTS[0])
    if base + hint_table.output_count(len(seen["sources"])) > len(frame.output_names):
        raise JournalError("the counters of hints are of other sources than the journal")
    for index, source in enumerate(seen["sources"]):
        source["key_age_s"] = utc_s - source["key_made_s"] if source["key_made_s"] else None
        source["seen_s_ago"] = (
            (uptime_ms - source["last_seen_ms"]) // 1000 if source["last_seen_ms"] else None
        )
        left_ms = source["old_key_until_ms"] - uptime_ms
        source["old_key_left_s"] = max(0, left_ms // 1000) if source["old_key_until_ms"] else None
        source["in_force"] = [_in_force(frame.out, base, index, number) for number in h.QUANTITIES]
    seen["in_control"] = _name(seen, frame.out[base + hint_table.O_CONTROL_SOURCE])
    return seen


def _in_force(out, base, source_index, number):
    value_W, valid_s, state = [
        out[base + hint_table.output_at(source_index, number, field)]
        for field in (hint_table.F_VALUE_W, hint_table.F_VALID_S, hint_table.F_STATE)
    ]
    return {
        "quantity": h.QUANTITIES[number],
        "value_W": value_W,
        "valid_s": valid_s,
        "state": hint_table.STATES[state],
    }


def _name(seen, number):
    return seen["sources"][number - 1]["name"] if number else None


def lines(found):
    """What `gather` gives as lines of a screen, 80 columns."""
    shown = [_HEAD] if found.get("is_live", True) else [_DEAD, _HEAD]
    for source in found["sources"]:
        shown += _source(source)
    if not found["sources"]:
        shown.append("none: no [source.NAME] in the configuration, so every hint is refused")
    shown += [
        f"Requests come from {found['in_control'] or 'no source'}.",
        f"Not from any of them: {found['unknown_source']} unknown source, "
        f"{found['wrong_length']} wrong length, "
        f"{found['wrong_magic']} wrong "
        f"magic.",
        f"Hellos {found['hellos']}, answers not taken {found['unsent']}.",
    ]
    return shown


def _source(source):
    key = fingerprint(source["key_fingerprint"]) if source["key_made_s"] else "none"
    age = span(source["key_age_s"]) if source["key_made_s"] else "-"
    seen = span(source["seen_s_ago"]) if source["seen_s_ago"] is not None else "never"
    shown = [
        f"{source['name']:16} {source['role']:8} {key:8} {age:5} {seen:7} "
        f"{source['accepted']:7} "
        f"{source['limited']:5} {source['refused']:7} {source['bad_mac']:7}"
    ]
    if source["old_key_left_s"]:
        shown.append(
            f"  the key before this one is valid for {span(source['old_key_left_s'])} more"
        )
    if source["last_code"]:
        shown.append(
            f"  last: {h.label(source['last_code'])} {h.text(source['last_code'])[0]}, "
            f"sequence "
            f"{source['last_sequence']}, purpose {source['last_purpose']}"
        )
    return shown + [line for each in source["in_force"] for line in _held(each, source["fallback"])]


def _held(each, fallbacks):
    """The line of one quantity of one source, none when there is nothing to say."""
    number = next(number for number, name in h.QUANTITIES.items() if name == each["quantity"])
    fallback_W = fallbacks.get(each["quantity"])
    then = f", then fallback {kW(fallback_W)}" if fallback_W is not None else ""
    words = {
        "valid": f", {each['valid_s']} s left{then}",
        "fallback": ": fallback, nothing fresh",
        "resting": f", {each['valid_s']} s left, rests on its energy quota",
    }.get(each["state"])
    return [] if words is None else [f"  {quantity(number, each['value_W'])}{words}"]
