"""The page `racks`: one line per rack; "-" is unknown. If there are several parts, worst first."""

from controller.console.pages.text import CELLS, RULE, folded, head, page, part, parts, scaled
from controller.state.base import Facts
from controller.state.racks import worst_first

COLUMNS = "{:>4} {:>6} {:>6}   {:>6} {:>6}   {:>6} {:>6}  {:>8}  {:<10} {:>6}"
HEADER = COLUMNS.format(
    "RACK", "SOC %", "SOH %", "V min", "V max", "C min", "C max", "amps", "contactor", "age ms"
)
PER_PAGE = 16
_WAYS = ("charge", "discharge")


def lines(facts: Facts, number: int = 1) -> list[str]:
    """Part `number` (from 1) of the racks (state/racks.py) as lines."""
    racks, order = facts["racks"], facts["racks"]
    more: list[str] = []
    count = parts(racks, PER_PAGE)
    if count > 1:
        order, more = worst_first(racks), [f"Page {number} of {count}, worst first."]
    shown = part(order, number, PER_PAGE)
    details = [] if len(racks) > 4 else [piece for rack in shown for piece in _detail(rack)]
    return page(
        [*head(facts), HEADER, *[line(rack) for rack in shown], RULE, *details, *more, CELLS]
    )


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
    out = folded(
        f"Rack {rack['rack']}",
        f"{scaled(rack['rack_voltage_mV'], 1000)} V, BMS allows {charge} A charge, {discharge} A "
        f"discharge; cell spread {scaled(rack['spread_mV'], 1, 0)} mV{hottest}; "
        f"{scaled(rack['cells_online'], 1, 0)} of {rack['cells']} cells; "
        f"{rack['full_Wh'] / 1000:.1f} kWh when full.",
        2,
    )
    if rack["bms_fault_bits"]:
        bits = f"{rack['bms_fault_bits']:#x}"
        out += folded("", f"Its BMS reports fault bits {bits}; page Links names them.", 1)
    rows = [name.partition(".")[0] for name in rack["standing"]]
    return [*out, f"{'':7}rows: {', '.join(rows)}"] if rows else out
