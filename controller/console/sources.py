"""`firebreak sources`: shows the programs that may send hints (sources) and their valid hints. A
hint asks for power or for a tighter limit. Exit codes: see show.py.
"""

import contextlib
import os
from argparse import Namespace
from collections.abc import Sequence

from controller.console.key import fingerprint, span
from controller.core.base import hint_codes as h
from controller.core.policies import hint_outputs
from controller.hints import hint_statistics, no_answer
from controller.hints.words import kW, quantity
from controller.journal import snapshot
from controller.journal.ring import JournalError
from controller.state import watch
from controller.state.base import Facts
from controller.system import cli, clock
from controller.system.paths import DONE, NO_START, NOT_DONE
from controller.system.utc import elapsed_s

_HEAD = "SOURCE           ROLE     KEY      AGE   SEEN      TAKEN  LESS REFUSED BAD MAC"
_STOPPED = f"{no_answer.LAST_STATE}: no hint is in force; this is the last state of the controller."


@cli.command("sources", cli.RUN_DIR, cli.JSON)
def _run(arguments: Namespace) -> int:
    run_directory = arguments.run_dir
    with cli.ends(
        NO_START, OSError, JournalError, before=f"{no_answer.not_found(run_directory)}: "
    ):
        statistics = hint_statistics.read(os.path.join(run_directory, "hints.stats"))
        newest = snapshot.read(os.path.join(run_directory, "journal"))
    if statistics is None:
        raise cli.Ended(NO_START, f"{run_directory}: holds no counters of hints yet")
    with contextlib.closing(newest), cli.ends(NO_START, JournalError, before=f"{run_directory}: "):
        is_live = snapshot.ticks(newest.reader, watch.wait)
        newest.update()
        now_ms, utc_s = clock.now_us() // 1000, int(clock.utc_us()) // 1_000_000
        facts = {"is_live": is_live} | gather(statistics, newest, now_ms, utc_s)
    cli.show(arguments.json, facts, lambda: lines(facts), None)
    return DONE if is_live else NOT_DONE


def gather(seen: Facts, frame: snapshot.Snapshot, uptime_ms: int, utc_s: int) -> Facts:
    """Add ages and hints to the facts of hint_statistics.read. Raises JournalError if the journal
    has other sources than these facts.
    """
    base, sources = frame.output_names.index(hint_outputs.HINT_OUTPUTS[0]), seen["sources"]
    if base + hint_outputs.output_count(len(sources)) > len(frame.output_names):
        raise JournalError("the counters of hints are of other sources than the journal")
    for index, source in enumerate(sources):
        seen_ms, until_ms = source["last_seen_ms"], source["old_key_until_ms"]
        made_s = source["key_made_s"]
        source["key_age_s"] = elapsed_s(made_s, utc_s) if made_s else None
        source["seen_s_ago"] = (uptime_ms - seen_ms) // 1000 if seen_ms else None
        source["old_key_left_s"] = max(0, until_ms - uptime_ms) // 1000 if until_ms else None
        source["in_force"] = [_in_force(frame.out, base, index, number) for number in h.QUANTITIES]
    number = frame.out[base + hint_outputs.O_CONTROL_SOURCE]
    seen["in_control"] = sources[number - 1]["name"] if number else None
    return seen


def _in_force(out: Sequence[int], base: int, source_index: int, number: int) -> Facts:
    value_W, valid_s, state = [
        out[base + hint_outputs.output_at(source_index, number, field)]
        for field in (hint_outputs.F_VALUE_W, hint_outputs.F_VALID_S, hint_outputs.F_STATE)
    ]
    return {
        "quantity": h.QUANTITIES[number],
        "value_W": value_W,
        "valid_s": valid_s,
        "state": hint_outputs.STATES[state],
    }


def lines(facts: Facts) -> list[str]:
    """The facts of `gather` as lines of a screen, 80 columns."""
    shown = [] if facts.get("is_live", True) else [_STOPPED]
    shown.append(_HEAD)
    for source in facts["sources"]:
        shown += _source(source)
    if not facts["sources"]:
        shown.append("no sources: the configuration has no [source.NAME]; every hint is refused")
    return [
        *shown,
        f"Requests come from {facts['in_control'] or 'no source'}.",
        f"From others: {facts['unknown_source']} unknown source, {facts['wrong_length']} "
        f"wrong length, {facts['wrong_magic']} wrong magic.",
        f"Hellos {facts['hellos']}, answers not delivered {facts['unsent']}.",
    ]


def _source(source: Facts) -> list[str]:
    key, age = "none", "-"
    if source["key_made_s"]:
        key, age = fingerprint(source["key_fingerprint"]), span(source["key_age_s"])
    seen = "never" if source["seen_s_ago"] is None else span(source["seen_s_ago"])
    lines = [
        f"{source['name']:16} {source['role']:8} {key:8} {age:5} {seen:7} {source['accepted']:7} "
        f"{source['limited']:5} {source['refused']:7} {source['bad_mac']:7}"
    ]
    if source["old_key_left_s"]:
        lines.append(f"  the previous key is valid for {span(source['old_key_left_s'])} more")
    code = source["last_code"]
    if code:
        lines.append(
            f"  last: {h.label(code)} {h.text(code)[0]}, sequence {source['last_sequence']}, "
            f"purpose {source['last_purpose']}"
        )
    return lines + [
        line for hint in source["in_force"] for line in _quantity_lines(hint, source["fallback"])
    ]


def _quantity_lines(hint: Facts, fallbacks: Facts) -> list[str]:
    """[line about one quantity of a source]. [] if the source has no hint or fallback for it."""
    numbers = {name: number for number, name in h.QUANTITIES.items()}
    fallback_W = fallbacks.get(hint["quantity"])
    fallback_text = f", then fallback {kW(fallback_W)}" if fallback_W is not None else ""
    text = {
        "valid": f", {hint['valid_s']} s left{fallback_text}",
        "fallback": ": fallback, no fresh hint",
        "resting": f", {hint['valid_s']} s left, paused by its energy quota",
    }.get(hint["state"])
    bound = quantity(numbers[hint["quantity"]], hint["value_W"])
    return [] if text is None else [f"  {bound}{text}"]
