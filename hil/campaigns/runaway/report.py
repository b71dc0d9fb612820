"""The figures of `python -m hil runaway` as a document, a table and a picture."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from controller.siting.labels import Placer
from hil.campaigns.runaway import courses as c, metrics
from hil.campaigns.runaway.watching import Series
from safety import matrix as m, runaway

HONESTY = (
    "Simulated: a plant model with assumed sensor faults, not field data. The rates of the "
    "makers of false alarms are assumptions (courses.RATES). Gas mixes at once in 3 m3, and no "
    "row acts on the cabinet."
)
SECONDS_PCT = (0, 10, 25, 40, 60, 80)  # lowest second sign that counts
DEBOUNCES_S = (1, 3, 5, 10, 20)
SUSPICION = next(stage for stage in m.STAGES if stage[m.S_ID] == "53")
OWN_S = -(-SUSPICION[m.S_SET_MS] // 1000)
BY_MAKER = ("row 7", "row 22", "row 23", "row 26", "row 53")  # rows of the last table
# Labels of the picture: points within NEAR_px share one.
NEAR_px, WIDE_characters = 12, 30
UNTORN = "\u00a0"
Detector = Mapping[str, Any]
Point = tuple[float, float]
ARROW = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}


def document(all_series: Sequence[Series], seed: int) -> dict[str, Any]:
    """Everything as plain data."""
    judged = metrics.judge(all_series, SECONDS_PCT, (OWN_S,))
    judged |= metrics.judge(all_series, (runaway.SECOND_PCT_MIN,), DEBOUNCES_S)
    true = [series for series in all_series if series.course.rack is not None]
    makers = [series for series in all_series if series.course.rack is None]
    kinds = [series.course.kind for series in true]
    return {
        "about": HONESTY,
        "seed": seed,
        "runaways": {kind: kinds.count(kind) for kind, _ in c.SHARES},
        "never_ran_away": sum(series.runaway_s is None for series in true),
        "hours_of_runaways": _hours(true),
        "hours_of_makers": _hours(makers),
        "hours_of_load_alone": _hours(each for each in makers if each.course.kind == "load"),
        "rates_per_1000_d": c.RATES,
        "noises_K": c.NOISES_K,
        "detectors": judged,
    }


def _hours(all_series: Iterable[Series]) -> float:
    return round(sum(series.seconds for series in all_series) / 3600.0, 2)


def curve(doc: Mapping[str, Any]) -> list[tuple[int, Detector]]:
    """[(threshold, detector)] of the suspicion over metrics.SCORE_PCT."""
    names = [_suspicion(threshold_pct=pct) for pct in metrics.SCORE_PCT]
    return [(pct, doc["detectors"][name]) for pct, name in zip(metrics.SCORE_PCT, names)]


def _suspicion(
    threshold_pct: int = SUSPICION[m.S_SET],
    second_pct_min: int = runaway.SECOND_PCT_MIN,
    seconds: int = OWN_S,
) -> str:
    """Name of a suspicion; the defaults are those of row 53."""
    return metrics.suspicion_name(threshold_pct, second_pct_min, seconds)


def table(doc: Mapping[str, Any]) -> list[str]:
    """Lines: the rows, the curve of the suspicion, its variants at the threshold of row 53."""
    detectors = doc["detectors"]
    names = [name for name in detectors if not name.startswith("suspicion")]
    variants = [(second, OWN_S) for second in SECONDS_PCT]
    variants += [(runaway.SECOND_PCT_MIN, held) for held in DEBOUNCES_S]
    return [
        f"{doc['hours_of_runaways']} h with {sum(doc['runaways'].values())} runaways "
        f"{doc['runaways']}, {doc['hours_of_makers']} h with makers of false alarms "
        f"({doc['hours_of_load_alone']} h load alone), seed {doc['seed']}",
        doc["about"],
        "",
        f"{'':25}missed  lead s: median  5 %   false alarms per 1000 cabinet-days: events, "
        f"load alone, 95 %",
        *[_line(name, detectors[name]) for name in names],
        "",
        f"suspicion, second sign {runaway.SECOND_PCT_MIN} %, {OWN_S} s, over its threshold "
        f"(row 53: {SUSPICION[m.S_SET]} %)",
        *[_line(f"  {pct} %", detector) for pct, detector in curve(doc)],
        "",
        "at the threshold of row 53, other least second signs and debounces",
        *[
            _line(
                f"  second {second} %, {seconds} s",
                detectors[_suspicion(second_pct_min=second, seconds=seconds)],
            )
            for second, seconds in variants
        ],
        "",
        *_by_maker([detectors[name]["false_alarms"]["makers"] for name in BY_MAKER]),
    ]


def _line(name: str, detector: Detector) -> str:
    leads, false = detector["leads"], detector["false_alarms"]
    load = false["makers"]["load"]["per_1000_d"]
    return (
        f"{name:25}{leads['missed']:>3}/{leads['of']:<3} {_number(leads['median_s']):>12} "
        f"{_number(leads['p5_s']):>6} {false['events_per_1000_d']:>16.2f} {_number(load):>16} "
        f"{false['per_1000_d_upper']:>16.0f}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _by_maker(all_makers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines: alarms per events, for each maker and each detector of BY_MAKER."""
    rows = {kind: [makers[kind] for makers in all_makers] for kind in all_makers[0]}
    loads = [cell["by_noise_K"] for cell in rows["load"]]
    rows |= {f"  noise {noise} K": [load[noise] for load in loads] for noise in loads[0]}
    lines = [f"{'alarms / events':18}" + "".join(f"{name:>14}" for name in BY_MAKER)]
    return lines + [
        f"{kind:18}" + "".join(f"{_share(cell):>14}" for cell in cells)
        for kind, cells in rows.items()
    ]


def _share(cell: Mapping[str, Any]) -> str:
    of = cell["events"] if "events" in cell else f"{cell['hours']:.1f} h"
    return f"{cell['alarms']}/{of}"


def draw(doc: Mapping[str, Any]) -> Any:
    """The picture: lead time and detected share over false alarms; a curve, and rows as points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 8.0), dpi=110)
    panels = figure.subplots(2, 1, sharex=True)
    rows = [(name, each) for name, each in doc["detectors"].items() if name[:3] in ("row", "any")]
    points = curve(doc)
    for axes, (value, label) in zip(panels, PANELS, strict=True):
        label_of_curve = f"suspicion at {points[0][0]} .. {points[-1][0]} %"
        across, up = [_false(each) for _, each in points], [value(each) for _, each in points]
        axes.plot(across, up, "o-", color="#d55e00", label=label_of_curve)
        for _, each in rows:
            axes.plot(_false(each), value(each), "s", color="#0072b2", markersize=4)
        axes.grid(alpha=0.3)
        axes.set_ylabel(label)
    # no label is there
    panels[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    panels[1].set_xscale("symlog", linthresh=0.1)
    panels[1].set_xlim(left=0.0)
    panels[1].set_xlabel(ACROSS)
    figure.suptitle(TITLE, fontsize=10)
    figure.tight_layout()
    figure.draw_without_rendering()  # fixes the layout
    named = [*[(f"{pct} %", each) for pct, each in points[::3]], *rows]
    for axes, (value, _) in zip(panels, PANELS, strict=True):
        line = [(_false(each), value(each)) for _, each in points]
        _write(axes, [(_false(each), value(each), name) for name, each in named], line)
    return figure


def _write(axes: Any, named: Iterable[tuple[float, float, str]], line: Iterable[Point]) -> None:
    """Label points [(x, y, name)] without overlap with each other and the line."""
    placer = Placer(axes.bbox.width, axes.bbox.height)
    on_line = [_place_px(axes, *point) for point in line]
    for start, end in zip(on_line, on_line[1:], strict=False):
        placer.take_line(start, end)
    groups = _grouped([(_place_px(axes, x, y), name, (x, y)) for x, y, name in named])
    for place_px, _, _ in groups:
        placer.take_line(place_px, place_px)
    for (x_px, y_px), point, names in groups:
        # keeps a name on one line
        whole = ", ".join([name.replace(" ", UNTORN) for name in names])
        folded = [part.replace(UNTORN, " ") for part in textwrap.wrap(whole, WIDE_characters)]
        lines, (center_x_px, center_y_px) = placer.place([folded], x_px, y_px)
        axes.annotate(
            "\n".join(lines),
            point,
            (center_x_px - x_px, center_y_px - y_px),
            fontsize=7,
            ha="center",
            va="center",
            textcoords="offset pixels",
            arrowprops=ARROW,
        )


def _grouped(placed: Iterable[tuple[Point, str, Point]]) -> list[tuple[Point, Point, list[str]]]:
    """[(place_px, point, [name])]: points within NEAR_px share a label."""
    groups: list[tuple[Point, Point, list[str]]] = []
    for place_px, name, point in placed:
        near = [names for place, _, names in groups if math.dist(place, place_px) <= NEAR_px]
        if not near:
            groups.append((place_px, point, [name]))
        elif name not in near[0]:
            near[0].append(name)
    return groups


def _place_px(axes: Any, x: float, y: float) -> Point:
    across_px, up_px = axes.transData.transform((x, y))
    return float(across_px - axes.bbox.x0), float(up_px - axes.bbox.y0)


def _false(detector: Detector) -> float:
    return detector["false_alarms"]["per_1000_d"]


def _median_min(detector: Detector) -> float:
    return (detector["leads"]["median_s"] or 0.0) / 60.0


def _detected_pct(detector: Detector) -> float:
    leads = detector["leads"]
    return 100.0 * (leads["of"] - leads["missed"]) / max(1, leads["of"])


PANELS = (
    (_median_min, "median lead before the runaway, min"),
    (_detected_pct, "detected before the runaway, %"),
)
ACROSS = (
    "expected false alarms per 1000 cabinet-days, with assumed rates of events "
    "(log above 0.1; 0: none seen)"
)
TITLE = (
    "Runaway detection in the simulated cabinet: lead time against false alarms. A plant model, "
    "not field data"
)
