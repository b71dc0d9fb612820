"""Draws a system's page as SVG: a day, the best and the worst minute, and battery sizes.

A phone gets its own picture, because the text of a shrunk wide picture cannot be read.
"""

import io
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Picture

from hil.results.plot import COLOURS, SOC, STYLE
from hil.results.site_plot import LEGEND
from hil.systems.run import Result
from hil.systems.series import SLOT_S, SLOTS_PER_DAY, blocks

GENSET, PV, PRICE = "#999999", "#e69f00", "#cc79a7"
WIDE, PHONE, SMALL = (12.5, 6.2), (4.4, 7.0), (4.4, 2.8)  # inches
# 15 points are 14 px on a screen of 390 px.
ON_PHONE: dict[Any, Any] = {
    "font.size": 15,
    "legend.handlelength": 1.0,
    "legend.columnspacing": 1.0,
}
SIZES = {"wide": WIDE, "phone": PHONE}  # {kind of the picture on the page: size}
MINUTE_S = 60


def day(result: Result, size: tuple[float, float]) -> str:
    """Powers, charge and price of the day with the highest import."""
    first = int(result.grid_W.argmax()) // SLOTS_PER_DAY
    span = slice(first * SLOTS_PER_DAY, (first + 1) * SLOTS_PER_DAY)
    hours = np.arange(SLOTS_PER_DAY) * SLOT_S / 3600
    series = (
        ("load", result.load_W, COLOURS["load"]),
        ("grid", result.grid_W, COLOURS["grid"]),
        ("battery", result.battery_W, COLOURS["battery"]),
        ("PV", result.pv_W, PV),
        ("generator set", result.genset_W, GENSET),
    )

    def draw(picture: Picture) -> None:
        power, charge, price = picture.subplots(3, 1, sharex=True, height_ratios=(4, 1.2, 1.2))
        for name, power_W, colour in series:
            if power_W.any():
                power.step(hours, power_W[span] / 1000, where="post", color=colour, label=name)
        if result.cap_W:
            power.axhline(result.cap_W / 1000, color=COLOURS["grid"], lw=0.8, ls=":")
        power.set_ylabel("kW, means of 15 min")
        power.legend(ncols=5 if size == WIDE else 2, **LEGEND)
        charge.plot(hours, 100 * result.soc[span], color=SOC)
        charge.set_ylabel("charge, %")
        price.step(hours, result.series.price[span], where="post", color=PRICE)
        price.set_ylabel(f"{result.spec.tariff['currency']}/kWh")
        price.set_xlabel(f"hours of {(result.spec.start + timedelta(days=first)):%Y-%m-%d}")
        price.set_xlim(0, 24)
        price.set_xticks(range(0, 25, 3 if size == WIDE else 6))

    return _svg(draw, size)


def minutes(result: Result) -> list[tuple[str, str]]:
    """(title, picture) of two minutes, second by second: the one in which the battery calmed the
    grid most, and the one in which the grid moved most.
    """
    load_W, grid_W = [blocks(second_W, MINUTE_S) for second_W in result.seconds_W]
    moved_W = np.ptp(grid_W, axis=1)
    best, worst = int((np.ptp(load_W, axis=1) - moved_W).argmax()), int(moved_W.argmax())
    return [
        (
            f"{name}: {result.spec.start + timedelta(minutes=minute):%a %-d %B %H:%M}",
            _minute(result, minute * MINUTE_S),
        )
        for name, minute in (("Best minute", best), ("Worst minute", worst))
    ]


def _minute(result: Result, first: int) -> str:
    span = slice(first, first + MINUTE_S)
    load_W, grid_W = result.seconds_W[:, span]
    series = {"load": load_W, "grid": grid_W, "battery": result.battery_1s_W[span]}

    def draw(picture: Picture) -> None:
        axes: Any = picture.subplots()
        for name, power_W in series.items():
            axes.step(
                range(len(power_W)), power_W / 1000, where="post", color=COLOURS[name], label=name
            )
        axes.set_ylabel("kW")
        axes.set_xlabel("seconds")
        axes.legend(ncols=3, **LEGEND)

    return _svg(draw, SMALL)


def sweep(annual: Mapping[str, Any]) -> str:
    """A curve: saving of a year less wear, over the size of the battery. It marks the optimum."""
    outcomes = annual["sweep"]
    kWh = [outcome["energy_kWh"] for outcome in outcomes]
    best = [outcome["year"]["best"] for outcome in outcomes]

    def draw(picture: Picture) -> None:
        axes: Any = picture.subplots()
        if None not in best:
            axes.plot(kWh, best, "o:", color=COLOURS["grid"], label="perfect foresight")
        nets = [outcome["net"] for outcome in outcomes]
        axes.plot(kWh, nets, "o-", color=COLOURS["battery"], label="saved less wear")
        axes.axhline(0, color=COLOURS["load"], lw=0.8)
        axes.set_xlim(0)
        axes.set_xlabel("battery, kWh")
        axes.set_ylabel(f"{annual['currency']} a year")
        axes.legend(**LEGEND)

    return _svg(draw, (4.4, 3.6))


def _svg(draw: Callable[[Picture], None], size: tuple[float, float]) -> str:
    style = STYLE if size == WIDE else STYLE | ON_PHONE
    with matplotlib.rc_context(style):
        picture = Picture(figsize=size)
        draw(picture)
        file = io.StringIO()
        picture.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    return file.getvalue()
