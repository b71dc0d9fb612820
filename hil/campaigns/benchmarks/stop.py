"""`python -m hil bench stop`: emergency stops in real time, from the press to the last byte of the
permit.

The rig's own processes, wires and observer; the relay chain is bridged, so that the program alone
must act. After each press the mushroom is released, the key resets, the contactors close again, and
the next press comes at another phase of the tick. cyclictest runs meanwhile: its maximum is what
the host itself held back.
"""

import os
import random
import tempfile

from controller.site import bus_times
from controller.site import config as configs
from hil import rig
from hil.campaigns import order
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import document, figure, spread
from hil.campaigns.benchmarks.lateness import figures_of, stall_figures
from hil.loads.selection import load_of
from hil.scenarios import scenario

FIRST_S, CYCLE_S = 8.0, 11.0
# After each press, s: the mushroom out, the key out of RUN, the reset (the cause must be clear for
# 5 s), the key back.
RELEASE_S, KEY_S, RESET_S, RUN_S = 0.5, 5.8, 6.5, 7.0
HEAD = """name = "{name}"
title = "Emergency stops"
duration_s = {duration_s:.3f}
expect = []
[load]
kind = "steps"
steps_kW = [[0, 300]]
[[action]]
at_s = 1
do = "bridge_chain"
"""
NAME, ESTOP_ROW = "estops", 1
EFFECTS = (
    ("permit", "pcs_enable_off_sent"),
    ("relay", "pcs_enable_off"),
    ("pcs_frame", "pcs_stop_sent"),
)
WORDS = {
    "permit": "press to the last byte of the permit",
    "relay": "press to the relay of the PCS enable",
    "pcs_frame": "press to the stop frame of the PCS",
}


def run(count=200, seed=1, beside=""):
    """The document. Raises RigError, OSError."""
    config = configs.load(order.EXAMPLE)
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        path = os.path.join(folder, f"{NAME}.toml")
        with open(path, "w", encoding="ascii") as file:
            file.write(scenario_text(count, seed))
        chosen = scenario.load(path)
        given = order.made(config, chosen.duration_s, seed, path)
        with Cyclictest() as rival:
            outcome = rig.run(given, chosen, config, True, load_of(given, chosen))
    doc = order.whole(outcome.doc)
    stops = reactions_ms(doc["timeline"])
    notes = [rival.note] if rival.note else []
    notes += [
        f"seed {seed}, one press every {CYCLE_S:g} s at a random phase of the tick; seen by "
        f"an observer on the "
        "wire, whose own lateness is in "
        "it",
        *_not_answered(stops, count),
        *_other_trips(doc["trips"]),
        *doc["violations"][:3],
        *doc["controller_messages"][:3],
    ]
    figures = [
        *_figures(stops, config, rival),
        *figures_of("loop lateness during it", order.loop(doc), rival),
    ]
    return document(
        "stop",
        f"python -m hil bench stop --count {count}",
        figures,
        notes,
        {"reactions_ms": stops, "cyclictest": rival.result},
        beside,
        order.priority(doc),
    )


def scenario_text(count, seed):
    """A scenario file: `count` presses, each with its release and reset."""
    phase = random.Random(seed)
    parts = [HEAD.format(name=NAME, duration_s=FIRST_S + count * CYCLE_S)]
    for number in range(count):
        at_s = FIRST_S + number * CYCLE_S + phase.random()
        for after_s, words in (
            (0.0, 'do = "estop_press"'),
            (RELEASE_S, 'do = "estop_release"'),
            (KEY_S, 'do = "key"\nrun = false'),
            (RESET_S, 'do = "reset"\nby = "key"'),
            (RUN_S, 'do = "key"\nrun = true'),
        ):
            parts.append(f"[[action]]\nat_s = {at_s + after_s:.6f}\n{words}\n")
    return "".join(parts)


def reactions_ms(timeline):
    """{effect: [ms of each press]} of a timeline [[s, event, detail]]; a press while no permit was
    given is left out, None where an effect did not come before the next press.
    """
    out = {name: [] for name, _ in EFFECTS}
    permitted, waiting = False, {}
    pressed_s = None
    for at_s, event, _ in timeline:
        if event == "estop_press":
            _give_up(out, waiting)
            pressed_s, waiting = (
                at_s,
                dict.fromkeys([name for name, _ in EFFECTS]) if permitted else {},
            )
        elif event in ("pcs_enable_on_sent", "pcs_enable_off_sent"):
            permitted = event == "pcs_enable_on_sent"
        for name, effect in EFFECTS:
            if event == effect and name in waiting:
                del waiting[name]
                out[name].append(round((at_s - pressed_s) * 1000.0, 3))
    _give_up(out, waiting)
    return out


def _give_up(out, waiting):
    for name in waiting:
        out[name].append(None)


def _not_answered(stops, count):
    """Lines about presses that do not count, or that should have had an effect and had none."""
    lines = []
    if len(stops["permit"]) < count:
        lines.append(
            f"{count - len(stops['permit'])} presses came while no permit was given and "
            f"do not count"
        )
    lines += [
        f"{values.count(None)} presses had no {name} effect"
        for name, values in stops.items()
        if None in values
    ]
    return lines


def _other_trips(trips):
    """A line that names what else has tripped, and when first: it costs presses, and is no fault of
    theirs.
    """
    first = {}
    for trip in trips:
        if trip["row"] != ESTOP_ROW:
            first.setdefault(f"{trip['stage']} ({trip['scope']})", round(trip["t_s"]))
    return (
        ["also tripped: " + ", ".join([f"{name} at {at_s} s" for name, at_s in first.items()])]
        if first
        else []
    )


def _figures(stops, config, rival):
    figures = []
    for name, values in stops.items():
        seen = [value for value in values if value is not None]
        budget = "estop_modbus" if name == "permit" else None
        figures += spread(f"E-stop, {WORDS[name]}", seen, "ms", budget=budget)
    worst = bus_times.stop_latency(config, bus_times.schedule(config))
    worst_us = sum([part.time_us for part in worst])
    what = "E-stop, worst case as `check` computes it, no late tick"
    missed = stops["permit"].count(None)
    figures.append(figure(what, round(worst_us / 1000, 2), "ms"))
    figures.append(figure("presses without the effect on the permit", missed, "presses"))
    return figures + stall_figures(rival)
