"""The page `racks`: one line for each rack. "-" means unknown. If the page has several parts, the
worst racks come first.
"""

from controller.console.pages.text import CELLS, RULE, Parts, folded, head, page, scaled
from controller.state.base import Facts
from controller.state.racks import worst_first

COLUMNS = "{:>4} {:>6} {:>6}   {:>6} {:>6}   {:>6} {:>6}  {:>8}  {:<10} {:>6}"
HEADER = COLUMNS.format(
    "RACK", "SOC %", "SOH %", "V min", "V max", "C min", "C max", "amps", "contactor", "age ms"
)
PER_PAGE = 16
_WAYS = ("charge", "discharge")


def parts(facts: Facts) -> Parts:
    """The racks as parts of a page. facts: see state/racks.py."""
    racks = facts["racks"]
    starts = range(0, len(racks), PER_PAGE)
    if len(starts) < 2:
        return [_part(facts, racks, [])]
    ranked, note = worst_first(racks), f"of {len(starts)}, worst first."
    return [
        _part(facts, ranked[start : start + PER_PAGE], [f"Page {number} {note}"])
        for number, start in enumerate(starts, 1)
    ]


def _part(facts: Facts, racks: list[Facts], more: list[str]) -> list[str]:
    is_short = len(facts["racks"]) <= 4
    details = [piece for rack in racks for piece in _detail(rack)] if is_short else []
    shown = [line(rack) for rack in racks]
    return page([*head(facts), HEADER, *shown, RULE, *details, *more, CELLS])


def line(rack: Facts) -> str:
    """One rack in the columns of HEADER."""
    current_mA = rack["rack_current_mA"]
    return COLUMNS.format(
        rack["rack"],
        scaled(rack["soc_permille"], 10),
        scaled(rack["soh_permille"], 10),
        scaled(rack["cell_voltage_mV_min"], 1000, 3),
        scaled(rack["cell_voltage_mV_max"], 1000, 3),
        scaled(rack["temperature_ddegC_min"], 10),
        scaled(rack["temperature_ddegC_max"], 10),
        "-" if current_mA is None else f"{current_mA / 1000:+.1f}",
        rack["contactor"] or "-",
        scaled(rack["age_ms"], 1, 0),
    )


def _detail(rack: Facts) -> list[str]:
    charge, discharge = [scaled(rack[f"{way}_current_mA_max"], 1000) for way in _WAYS]
    hottest = f", hottest module {rack['hottest_module']}" if rack["hottest_module"] else ""
    lines = folded(
        f"Rack {rack['rack']}",
        f"{scaled(rack['rack_voltage_mV'], 1000)} V, BMS allows {charge} A charge, {discharge} A "
        f"discharge; cell spread {scaled(rack['spread_mV'], 1, 0)} mV{hottest}; "
        f"{scaled(rack['cells_online'], 1, 0)} of {rack['cells']} cells; "
        f"{rack['full_Wh'] / 1000:.1f} kWh when full.",
        2,
    )
    if rack["bms_fault_bits"]:
        bits = f"{rack['bms_fault_bits']:#x}"
        lines += folded("", f"Its BMS reports fault bits {bits}; page Links names them.", 1)
    rows = [name.partition(".")[0] for name in rack["standing"]]
    return [*lines, f"{'':7}rows: {', '.join(rows)}"] if rows else lines
