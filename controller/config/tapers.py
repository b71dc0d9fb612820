"""Tapers: power limits that fall linearly before a stage trips (safety/tapers.py computes them).

A taper always acts, on every rack whose BMS reports its signal. Section 7 requires those of rows
18, 27 and 31. The project chose the beginning of those of 27 and 31, row 25 and the state of
charge.
"""

from array import array
from typing import Any, NamedTuple

from controller.config import schema
from controller.config.cabinet_config import Config
from controller.rows import matrix_words
from safety import matrix, parameters, tapers

CHARGE, DISCHARGE = (0,), (1,)
WAYS = ("charging", "discharging")
Ends = tuple[int, int]  # (full power up to here, none from here)


class Taper(NamedTuple):
    """stage: the stage whose effects name the taper, "" for none. ways: CHARGE, DISCHARGE or both.
    signal: in the form of a feature, for its unit. reported: parameter of a rack without which the
    taper does not act, "" for none.

    ends: (full power up to here, none from here), two numbers or two parameters of the rack. A
    single number is a place in the result of tapers.temperature_tapers for the limit image.
    """

    stage: str
    ways: tuple[int, ...]
    signal: str
    what: str
    ends: tuple[int | str, ...]
    reported: str
    basis: str


_SOC = tapers.SOC_TAPER_PERMILLE
_HOT, _COLD = (0,), (1,)  # places in the result of tapers.temperature_tapers
_WARM = ("temperature_ddegC_max", "hottest module")
_FROST = ("temperature_ddegC_min", "coldest module")
_EARLIER = "begins before the row's own voltage"
_CHARGED = ("soc_permille", "state of charge")
TAPERS = (
    Taper("18a", CHARGE, *_WARM, _HOT, "temperatures_reported", "row 18"),
    Taper("18b", DISCHARGE, *_WARM, _HOT, "temperatures_reported", "row 18"),
    Taper("25a", CHARGE, *_FROST, _COLD, "temperatures_reported", "project: 10 K before row 25"),
    Taper("25b", DISCHARGE, *_FROST, _COLD, "temperatures_reported", "project: 10 K before row 25"),
    Taper(
        "27",
        CHARGE,
        "cell_voltage_mV_max",
        "highest cell",
        ("charge_taper_mV", "charge_end_mV"),
        "cells_reported",
        f"row 27 for the taper; project: it {_EARLIER}",
    ),
    Taper(
        "31a",
        DISCHARGE,
        "cell_voltage_mV_min",
        "lowest cell",
        ("discharge_taper_mV", "discharge_end_mV"),
        "cells_reported",
        f"row 31 for the taper; project: with LFP cells it {_EARLIER}",
    ),
    Taper(
        "40a",
        CHARGE + DISCHARGE,
        "bms_silence_ms",
        "silence of the BMS",
        ("bms_warn_ms", "bms_ramp_ms"),
        "",
        "project: the silence ladder",
    ),
    Taper("", CHARGE, *_CHARGED, _SOC[0], "", "project: the last 3 %"),
    Taper("", DISCHARGE, *_CHARGED, _SOC[1], "", "project: the last 3 %"),
)


def facts(found: Config | None = None) -> list[dict[str, Any]]:
    """[{...}] of every taper that acts. found: the site, or None for the defaults, also of NMC."""
    if found:
        moved = tapers.temperature_tapers(found.safety_image, found.image_map())
        return [
            _fact(taper, ends)
            for taper in TAPERS
            if (ends := _ends(taper, found.rack_tables, moved))
        ]
    return [
        _fact(taper, _default(taper, schema.LFP), _default(taper, schema.NMC)) for taper in TAPERS
    ]


def words(fact: dict[str, Any]) -> str:
    """ "charging tapers from 40 degC to none at 50 degC"."""
    return (
        f"{fact['power']} {'taper' if ' and ' in fact['power'] else 'tapers'} {range_words(fact)}"
    )


def range_words(fact: dict[str, Any]) -> str:
    """ "from 3.5 V to none at 3.6 V [from 4.1 V to none at 4.2 V]"; "or" joins different racks."""
    nmc = f" [{_range(fact['signal'], fact['nmc'])}]" if "nmc" in fact else ""
    return " or ".join([_range(fact["signal"], ends) for ends in fact["ends"]]) + nmc


def _range(signal: str, ends: Ends) -> str:
    full_at, none_at = [matrix_words.quantity(signal, end) for end in ends]
    return f"from {full_at} to none at {none_at}"


def _fact(taper: Taper, ends: list[Ends], nmc: list[Ends] | None = None) -> dict[str, Any]:
    """nmc: the ends for NMC cells, which the fact contains if they differ."""
    fact: dict[str, Any] = {
        "stage": taper.stage,
        "power": " and ".join([WAYS[way] for way in taper.ways]),
        "signal": taper.signal,
        "what": taper.what,
        "ends": ends,
        "basis": taper.basis,
    }
    return fact | ({"nmc": nmc[0]} if nmc and nmc != ends else {})


def _ends(taper: Taper, racks: tuple[dict[str, int], ...], moved: tuple) -> list[Ends]:
    """[(full, none)] of the racks on which the taper acts, each once, rising."""
    acting = [table for table in racks if not taper.reported or table[taper.reported]]
    return sorted({_numbers(taper, table, moved) for table in acting})


def _numbers(taper: Taper, table: dict[str, int], moved: tuple) -> Ends:
    """(full, none) of a rack with these parameters. moved: of tapers.temperature_tapers."""
    if len(taper.ends) == 1:
        full_at, none_at = moved[taper.ways[0]][taper.ends[0]]
    else:
        full_at, none_at = [table[end] if isinstance(end, str) else end for end in taper.ends]
    return full_at, none_at


def _default(taper: Taper, chemistry: str) -> list[Ends]:
    table = {name: spec.default for name, spec in schema.RACKS[chemistry].items()}
    return [_numbers(taper, table, tapers.temperature_tapers(*_default_image()))]


def _default_image() -> tuple[array, parameters.ImageMap]:
    """(thresholds of a limit image of one unit and one rack, all at their defaults; its map)."""
    image_map = parameters.ImageMap(1, 1, matrix.STAGES_PER_SCOPE)
    image = array("i", [0] * image_map.words)
    for place, stage in enumerate(matrix.STAGES):
        image[image_map.stage + place * len(parameters.STAGE_WORDS)] = int(stage[matrix.S_SET])
    return image, image_map
