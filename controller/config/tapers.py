"""Describes the tapers of a site. A taper is a power limit that falls linearly before a stage of
the cause-and-effect matrix trips. safety/tapers.py computes the limits.

A taper acts on every rack whose BMS reports its signal. Section 7 requires the tapers of rows 18,
27 and 31. The project chose where the tapers of rows 27 and 31 begin, and added the tapers of row
25 and of the state of charge.
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from controller.config import schema
from controller.config.cabinet_config import Config
from controller.core.base.texts import table
from controller.rows import matrix_words
from safety import matrix, parameters, tapers

WAYS = ("charging", "discharging")
Ends = tuple[int, int]  # (full power up to this value, no power from this value on)
Image = tuple["array[int]", parameters.ImageMap]


class Taper(NamedTuple):
    """A taper. stage: the stage under which documents list it, or "". ways: indexes into WAYS.
    signal: the feature, which also gives the unit. ends: two parameters of the rack, or a name that
    _ends knows. reported: the taper acts only if this parameter of the rack is set; "": it always
    acts.
    """

    stage: str
    ways: tuple[int, ...]
    signal: str
    what: str
    ends: str
    reported: str
    basis: str


# stage | ways | signal | what | ends | reported | basis
_TAPERS = """
18a | charging | temperature_ddegC_max | hottest module | hot | temperatures_reported | row 18
18b | discharging | temperature_ddegC_max | hottest module | hot | temperatures_reported | row 18
25a | charging | temperature_ddegC_min | coldest module | cold | temperatures_reported |
  project: 10 K before row 25
25b | discharging | temperature_ddegC_min | coldest module | cold | temperatures_reported |
  project: 10 K before row 25
27 | charging | cell_voltage_mV_max | highest cell | charge_taper_mV charge_end_mV |
  cells_reported | row 27 for the taper; project: it begins before the row's own voltage
31a | discharging | cell_voltage_mV_min | lowest cell | discharge_taper_mV discharge_end_mV |
  cells_reported | row 31 for the taper; project: with LFP cells it begins before the row's own
  voltage
40a | charging and discharging | bms_silence_ms | silence of the BMS | bms_warn_ms bms_ramp_ms | |
  project: the silence ladder
| charging | soc_permille | state of charge | charge | | project: the last 3 %
| discharging | soc_permille | state of charge | charge | | project: the last 3 %
"""
Facts = dict[str, Any]
TAPERS = [
    Taper(stage, tuple(map(WAYS.index, ways.split(" and "))), *rest)
    for stage, ways, *rest in table(_TAPERS)
]


def facts(site: Config | None = None) -> list[Facts]:
    """The facts of every taper that acts. site: a configuration, or None for the defaults."""
    if site is None:
        lfp, nmc = [_ends(_defaults(chemistry), _default_image()) for chemistry in schema.RACKS]
        return [_fact(*row) for row in zip(TAPERS, lfp, nmc)]
    taper_ends = _ends(site.rack_tables, (site.safety_image, site.image_map()))
    return [_fact(taper, ends) for taper, ends in zip(TAPERS, taper_ends) if ends]


def words(fact: Facts) -> str:
    """ "charging tapers from 40 degC to none at 50 degC"."""
    return (
        f"{fact['power']} {'taper' if ' and ' in fact['power'] else 'tapers'} {range_words(fact)}"
    )


def range_words(fact: Facts) -> str:
    """ "from 3.5 V to none at 3.6 V". If racks differ, "or" joins their ranges. [...] has the
    defaults of NMC cells.
    """
    nmc = f" [{_range(fact['signal'], fact['nmc'])}]" if "nmc" in fact else ""
    return " or ".join(_range(fact["signal"], ends) for ends in fact["ends"]) + nmc


def _range(signal: str, ends: Ends) -> str:
    full_at, none_at = [matrix_words.quantity(signal, end) for end in ends]
    return f"from {full_at} to none at {none_at}"


def _fact(taper: Taper, ends: list[Ends], nmc: list[Ends] | None = None) -> Facts:
    """The facts of one taper. nmc: the ends for NMC cells, which are added if they differ."""
    fact: Facts = {
        "stage": taper.stage,
        "power": " and ".join(WAYS[way] for way in taper.ways),
        "signal": taper.signal,
        "what": taper.what,
        "ends": ends,
        "basis": taper.basis,
    }
    return fact | ({"nmc": nmc[0]} if nmc and nmc != ends else {})


def _ends(racks: Sequence[Mapping[str, int]], image: Image) -> list[list[Ends]]:
    """Sorted and different (full, none) of the racks on which a taper acts, for each taper."""
    temperature_ends = tapers.temperature_tapers(*image)
    taper_ends = []
    for taper in TAPERS:
        (hot, cold), way = temperature_ends[taper.ways[0]], taper.ways[0]
        fixed = {"hot": hot, "cold": cold, "charge": tapers.SOC_TAPER_PERMILLE[way]}
        acting = [rack for rack in racks if not taper.reported or rack[taper.reported]]
        numbers = [fixed.get(taper.ends) or _parameters(taper.ends, rack) for rack in acting]
        taper_ends.append(sorted(set(numbers)))
    return taper_ends


def _parameters(ends: str, rack: Mapping[str, int]) -> Ends:
    full_at, none_at = [rack[end] for end in ends.split()]
    return full_at, none_at


def _defaults(chemistry: str) -> list[Facts]:
    """The parameters of one rack whose BMS reports everything."""
    rack = {name: spec.default for name, spec in schema.RACKS[chemistry].items()}
    return [{**rack, **{taper.reported: True for taper in TAPERS}}]


def _default_image() -> Image:
    """(thresholds of a limit image of one unit and one rack, all at their defaults; its map)."""
    image_map = parameters.ImageMap(1, 1, matrix.STAGES_PER_SCOPE)
    image = array("i", [0] * image_map.words)
    for place, stage in enumerate(matrix.STAGES):
        image[image_map.stage + place * len(parameters.STAGE_WORDS)] = int(stage[matrix.S_SET])
    return image, image_map
