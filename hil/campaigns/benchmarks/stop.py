"""`python -m hil bench stop` measures emergency stops in real time, from press to permit.

The relay chain is bridged, so that only the program acts. Each press comes at another phase of the
tick. cyclictest runs meanwhile: its maximum is the delay by the host itself.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.config import bus_times, configuration
from controller.config.cabinet_config import Config
from hil.campaigns import order
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import Figures, Measured, figure, spread
from hil.campaigns.benchmarks.lateness import figures_of, stall_figures

FIRST_S, CYCLE_S = 8.0, 11.0
# (s after each press, action): release the mushroom, turn the key out of RUN, reset (the cause must
# be clear for 5 s), turn the key back, start.
ACTIONS = (
    (0.0, 'do = "estop_press"'),
    (0.5, 'do = "estop_release"'),
    (5.8, 'do = "key"\nrun = false'),
    (6.5, 'do = "reset"\nby = "key"'),
    (7.0, 'do = "key"\nrun = true'),
    (7.2, 'do = "run_request"'),
)
HEAD = """name = "run"
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
PERMITS = {"pcs_enable_on_sent": True, "pcs_enable_off_sent": False}
EFFECTS = {  # {name: (event, words)}
    "permit": ("pcs_enable_off_sent", "the last byte of the permit"),
    "relay": ("pcs_enable_off", "the relay of the PCS enable"),
    "pcs_frame": ("pcs_stop_sent", "the stop frame of the PCS"),
}
# {effect: ms for each press}; None if the effect did not come before the next press
Stops = dict[str, list[float | None]]


def run(count: int = 200, seed: int = 1) -> Measured:
    """The findings. Raises RigError, OSError."""
    config, text = configuration.load(order.EXAMPLE), scenario_text(count, seed)
    duration_s = FIRST_S + count * CYCLE_S
    with Cyclictest() as rival:
        doc, *_ = order.played(config, duration_s, seed, text=text)
    stops = reactions_ms(doc["timeline"])
    notes = [
        *rival.notes,
        f"seed {seed}, one press every {CYCLE_S:g} s at a random phase of the tick; seen by an "
        "observer on the wire, whose own lateness is in it",
        *_not_answered(stops, count),
        *_other_trips(doc["trips"]),
        *doc["violations"][:3],
        *doc["controller_messages"][:3],
    ]
    lateness = figures_of("loop lateness during it", order.loop(doc), rival)
    figures = [*_figures(stops, config, rival), *lateness]
    details = {"reactions_ms": stops, "cyclictest": rival.result}
    return Measured(figures, notes, details, order.priority(doc))


def scenario_text(count: int, seed: int) -> str:
    """A scenario file with `count` presses, each followed by release and reset."""
    rng = random.Random(seed)
    parts = [HEAD.format(duration_s=FIRST_S + count * CYCLE_S)]
    for number in range(count):
        at_s = FIRST_S + number * CYCLE_S + rng.random()
        parts += [
            f"[[action]]\nat_s = {at_s + after_s:.6f}\n{action}\n" for after_s, action in ACTIONS
        ]
    return "".join(parts)


def reactions_ms(timeline: Iterable[Sequence[Any]]) -> Stops:
    """Reactions in a timeline [[s, event, detail]]. A press without a permit is left out."""
    stops: Stops = {name: [] for name in EFFECTS}
    permitted, pressed_s = False, None
    for at_s, event, _ in timeline:
        if event == "estop_press":
            pressed_s = at_s if permitted else None
            if permitted:
                stops = {name: [*times_ms, None] for name, times_ms in stops.items()}
        elif event in PERMITS:
            permitted = PERMITS[event]
        for name, (effect, _) in EFFECTS.items():
            if event == effect and pressed_s is not None and stops[name][-1] is None:
                stops[name][-1] = round((at_s - pressed_s) * 1000.0, 3)
    return stops


def _not_answered(stops: Stops, count: int) -> list[str]:
    """Lines about presses that do not count, and about presses without the expected effect."""
    uncounted = count - len(stops["permit"])
    lines = []
    if uncounted:
        lines.append(f"{uncounted} presses came while no permit was given and do not count")
    missing = {name: times_ms.count(None) for name, times_ms in stops.items()}
    return lines + [
        f"{number} presses had no {name} effect" for name, number in missing.items() if number
    ]


def _other_trips(trips: Iterable[Mapping[str, Any]]) -> list[str]:
    """[one line] that names other trips and when each came first, or []. Presses during another
    trip do not count.
    """
    first: dict[str, str] = {}
    for trip in trips:
        if trip["row"] != 1:
            first.setdefault(f"{trip['stage']} ({trip['scope']})", f"{trip['t_s']:.0f} s")
    text = ", ".join(f"{name} at {moment}" for name, moment in first.items())
    return [f"also tripped: {text}"] if first else []


def _figures(stops: Stops, config: Config, rival: Cyclictest) -> Figures:
    figures: Figures = []
    for name, times_ms in stops.items():
        seen_ms = [time_ms for time_ms in times_ms if time_ms is not None]
        budget = "estop_modbus" if name == "permit" else None
        figures += spread(f"E-stop, press to {EFFECTS[name][1]}", seen_ms, "ms", budget=budget)
    parts = bus_times.stop_latency(config, bus_times.schedule(config))
    worst_ms = round(sum(part.time_us for part in parts) / 1000, 2)
    missed = stops["permit"].count(None)
    figures.append(
        figure("E-stop, worst case as `check` computes it, no late tick", worst_ms, "ms")
    )
    figures.append(figure("presses without the effect on the permit", missed, "presses"))
    return figures + stall_figures(rival)
