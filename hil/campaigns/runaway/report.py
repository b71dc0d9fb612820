"""The figures of `python -m hil runaway` as a document, a table and a picture."""

from hil.campaigns.runaway import courses as c
from hil.campaigns.runaway import metrics
from safety import matrix as m
from safety import runaway

HONESTY = (
    "Simulated: a plant model with made-up sensor faults, not field data. Rates of the "
    "makers of false alarms "
    "are assumed (makers.RATES). The plant's gas mixes at once in 3 m3, and nothing acts "
    "on what is seen."
)
SECONDS_PCT = (0, 10, 25, 40, 60, 80)  # least second sign that counts
DEBOUNCES_S = (1, 3, 5, 10, 20)
SUSPICION = next(stage for stage in m.STAGES if stage[m.S_ID] == "53")
OWN_S = -(-SUSPICION[m.S_SET_MS] // 1000)


def document(all_series, seed):
    """Everything as plain data."""
    judged = metrics.judge(all_series, SECONDS_PCT, (OWN_S,))
    judged |= metrics.judge(all_series, (runaway.SECOND_PCT_MIN,), DEBOUNCES_S)
    true = [series for series in all_series if series.course.rack is not None]
    makers = [series for series in all_series if series.course.rack is None]
    return {
        "about": HONESTY,
        "seed": seed,
        "runaways": {
            kind: sum(series.course.kind == kind for series in true) for kind, _ in c.SHARES
        },
        "never_ran_away": sum(series.runaway_s is None for series in true),
        "hours_of_runaways": _hours(true),
        "hours_of_makers": _hours(makers),
        "hours_of_load_alone": _hours(
            [series for series in makers if series.course.kind == "load"]
        ),
        "rates_per_1000_d": c.RATES,
        "noises_K": c.NOISES_K,
        "detectors": judged,
    }


def _hours(all_series):
    return round(sum(series.seconds for series in all_series) / 3600.0, 2)


def own():
    """Name of the suspicion as row 53 has it."""
    return metrics.suspicion_name(SUSPICION[m.S_SET], runaway.SECOND_PCT_MIN, OWN_S)


def curve(doc, second_pct_min=runaway.SECOND_PCT_MIN, seconds=OWN_S):
    """[(threshold, detector)] of the suspicion over metrics.SCORE_PCT."""
    return [
        (pct, doc["detectors"][metrics.suspicion_name(pct, second_pct_min, seconds)])
        for pct in metrics.SCORE_PCT
    ]


def table(doc):
    """Lines: rows, then the suspicion's curve, then its variants at the threshold of row 53."""
    lines = [
        f"{doc['hours_of_runaways']} h with {sum(doc['runaways'].values())} runaways "
        f"{doc['runaways']}, "
        f"{doc['hours_of_makers']} h with makers of false alarms "
        f"({doc['hours_of_load_alone']} h load alone), "
        f"seed {doc['seed']}",
        doc["about"],
        "",
        f"{'':25}missed  lead s: median  5 %   false alarms per 1000 cabinet-days: events, "
        f"load alone, 95 %",
    ]
    names = [name for name in doc["detectors"] if not name.startswith("suspicion")]
    for name in names:
        lines.append(_line(name, doc["detectors"][name]))
    lines += [
        "",
        f"suspicion, second sign {runaway.SECOND_PCT_MIN} %, {OWN_S} s, over its "
        f"threshold (row 53: "
        f"{SUSPICION[m.S_SET]} %)",
    ]
    lines += [_line(f"  {pct} %", detector) for pct, detector in curve(doc)]
    lines += ["", "at the threshold of row 53, other least second signs and debounces"]
    variants = [(second, OWN_S) for second in SECONDS_PCT] + [
        (runaway.SECOND_PCT_MIN, held) for held in DEBOUNCES_S
    ]
    for second, seconds in variants:
        name = metrics.suspicion_name(SUSPICION[m.S_SET], second, seconds)
        lines.append(_line(f"  second {second} %, {seconds} s", doc["detectors"][name]))
    return lines + ["", *makers(doc, ("row 7", "row 22", "row 23", "row 26", "row 53"))]


def _line(name, detector):
    leads, false = detector["leads"], detector["false_alarms"]
    load = false["makers"]["load"]["per_1000_d"]
    return (
        f"{name:25}{leads['missed']:>3}/{leads['of']:<3} {_number(leads['median_s']):>12} "
        f"{_number(leads['p5_s']):>6} {false['events_per_1000_d']:>16.2f} {_number(load):>16} "
        f"{false['per_1000_d_upper']:>16.0f}"
    )


def _number(value):
    return "-" if value is None else f"{value:.0f}"


def makers(doc, names):
    """Lines: which maker of false alarms trips which detector, alarms of events."""
    kinds = list(doc["detectors"][names[0]]["false_alarms"]["makers"])
    lines = [f"{'alarms / events':18}" + "".join(f"{name:>14}" for name in names)]
    for kind in kinds:
        cells = [doc["detectors"][name]["false_alarms"]["makers"][kind] for name in names]
        words = [
            f"{cell['alarms']}/{cell['events']}"
            if "events" in cell
            else f"{cell['alarms']}/{cell['hours']:.1f} h"
            for cell in cells
        ]
        lines.append(f"{kind:18}" + "".join(f"{word:>14}" for word in words))
    for noise in doc["detectors"][names[0]]["false_alarms"]["makers"]["load"]["by_noise_K"]:
        cells = [
            doc["detectors"][name]["false_alarms"]["makers"]["load"]["by_noise_K"][noise]
            for name in names
        ]
        words = [f"{cell['alarms']}/{cell['hours']:.1f} h" for cell in cells]
        lines.append(f"{'  noise ' + noise + ' K':18}" + "".join(f"{word:>14}" for word in words))
    return lines


def draw(doc):
    """A matplotlib Figure: lead time and share detected over false alarms, the suspicion as a
    curve, rows as points.
    """
    from matplotlib.figure import Figure

    from hil.campaigns.runaway import names

    figure = Figure(figsize=(10.5, 8.0), dpi=110)
    panels = figure.subplots(2, 1, sharex=True)
    points = curve(doc)
    for axes, (value, label) in zip(panels, PANELS, strict=True):
        _draw_points(axes, doc, points, value)
        axes.set_ylabel(label)
    # no label is in its way there
    panels[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0))
    panels[1].set_xscale("symlog", linthresh=0.1)
    panels[1].set_xlim(left=0.0)
    panels[1].set_xlabel(ACROSS)
    figure.suptitle(TITLE, fontsize=10)
    figure.tight_layout()
    figure.draw_without_rendering()  # from here on nothing moves
    for axes, (value, _) in zip(panels, PANELS, strict=True):
        named = [
            (_false(each), value(each), name) for name, each in [*_percents(points), *_rows(doc)]
        ]
        names.write(axes, named, [(_false(each), value(each)) for _, each in points])
    return figure


def _draw_points(axes, doc, points, value):
    across = [_false(each) for _, each in points]
    label = f"suspicion at {points[0][0]} .. {points[-1][0]} %"
    axes.plot(across, [value(each) for _, each in points], "o-", color="#d55e00", label=label)
    for _, each in _rows(doc):
        axes.plot(_false(each), value(each), "s", color="#0072b2", markersize=4)
    axes.grid(alpha=0.3)


def _rows(doc):
    return [
        (name, each) for name, each in doc["detectors"].items() if name.startswith(("row", "any"))
    ]


def _percents(points):
    return [(f"{pct} %", each) for pct, each in points[::3]]


def _false(detector):
    return detector["false_alarms"]["per_1000_d"]


def _median_min(detector):
    return (detector["leads"]["median_s"] or 0.0) / 60.0


def _detected_pct(detector):
    leads = detector["leads"]
    return 100.0 * (leads["of"] - leads["missed"]) / max(1, leads["of"])


PANELS = (
    (_median_min, "median lead before the runaway, min"),
    (_detected_pct, "detected before the runaway, %"),
)
ACROSS = (
    "false alarms expected per 1000 cabinet-days, rates of events assumed "
    "(log beyond 0.1; 0: none seen)"
)
TITLE = (
    "Runaway detection in the simulated cabinet: lead time against false alarms. A plant model, "
    "not field data"
)
