"""Tapers: limits on power that fall in a line before a stage trips, as the kernel has them
(safety/tapers.py).

No stage demands them and nothing has to trip: they always act, on every rack whose BMS reports
their signal. Section 7 requires them in rows 18, 27 and 31. Chosen by the project: where those of
27 and 31 begin, before the voltage of the row; row 25; the state of charge. 40a is the silence
ladder.
"""

from typing import NamedTuple

from controller.config import schema
from controller.rows import matrix_words
from safety import matrix, parameters, tapers

CHARGE, DISCHARGE = (0,), (1,)
WAYS = ("charging", "discharging")


class Taper(NamedTuple):
    """stage: in whose effects it is told, "" for none. ways: CHARGE, DISCHARGE or both. signal: in
    the form of a feature, for its unit. ends: (full power up to here, none from here), two numbers
    or two parameters of the rack; one number: the place in what tapers.temperature_tapers makes of
    the limit image. told: parameter of the rack without which it does not act, "" for none.
    """

    stage: str
    ways: tuple
    signal: str
    what: str
    ends: tuple
    told: str
    basis: str


_SOC = tapers.SOC_TAPER_PERMILLE
_HOT, _COLD = (0,), (1,)  # place of the ends among those that follow from the limit image
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


def facts(found=None) -> list:
    """[{...}] of every taper that acts. found: Config of a site, or None for the defaults (with
    those of NMC cells).
    """
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


def words(fact: dict) -> str:
    """ "charging tapers from 40 degC to none at 50 degC"."""
    return (
        f"{fact['power']} {'taper' if ' and ' in fact['power'] else 'tapers'} {range_words(fact)}"
    )


def range_words(fact: dict) -> str:
    """ "from 3.5 V to none at 3.6 V [from 4.1 V to none at 4.2 V]"; racks that differ are joined by
    "or".
    """
    nmc = f" [{_range(fact['signal'], fact['nmc'])}]" if "nmc" in fact else ""
    return " or ".join([_range(fact["signal"], ends) for ends in fact["ends"]]) + nmc


def _range(signal, ends):
    full_at, none_at = [matrix_words.quantity(signal, end) for end in ends]
    return f"from {full_at} to none at {none_at}"


def _fact(taper, ends, nmc=()):
    """nmc: the ends for NMC cells, told where they differ."""
    fact = {
        "stage": taper.stage,
        "power": " and ".join([WAYS[way] for way in taper.ways]),
        "signal": taper.signal,
        "what": taper.what,
        "ends": ends,
        "basis": taper.basis,
    }
    return fact | ({"nmc": nmc[0]} if nmc and nmc != ends else {})


def _ends(taper, racks, moved):
    """[(full, none)] of the racks on which it acts, each once, rising; racks: {parameter: integer}
    of each.
    """
    acting = [table for table in racks if not taper.told or table[taper.told]]
    return sorted({_numbers(taper, table, moved) for table in acting})


def _numbers(taper, table, moved):
    """(full, none) of a rack. table: {parameter: integer} of it; moved: of
    tapers.temperature_tapers.
    """
    if len(taper.ends) == 1:
        return moved[taper.ways[0]][taper.ends[0]]
    return tuple([table[end] if isinstance(end, str) else end for end in taper.ends])


def _default(taper, chemistry):
    table = {name: spec.default for name, spec in schema.RACKS[chemistry].items()}
    return [_numbers(taper, table, tapers.temperature_tapers(*_default_image()))]


def _default_image():
    """The thresholds alone of a limit image of one unit and one rack, all at their defaults, and
    its map.
    """
    image_map = parameters.ImageMap(1, 1, matrix.STAGES_PER_SCOPE)
    image = [0] * image_map.words
    for place, stage in enumerate(matrix.STAGES):
        image[image_map.stage + place * len(parameters.STAGE_WORDS)] = stage[matrix.S_SET]
    return image, image_map
