"""The page racks: one line per rack, worst first when there are more than fit, and what is not
known as "-".
"""

from controller.console.pages.text import RULE, folded, head, page, scaled
from controller.state.racks import worst_first

COLUMNS = "{:>4} {:>6} {:>6}   {:>6} {:>6}   {:>6} {:>6}  {:>8}  {:<10} {:>6}"
HEADER = COLUMNS.format(
    "RACK", "SOC %", "SOH %", "V min", "V max", "C min", "C max", "amps", "contactor", "age ms"
)
RACKS_PER_PAGE = 16


def lines(facts, number=1):
    """Page `number` (from 1) of the racks (facts/racks.py) as lines."""
    racks = facts["racks"]
    order = racks if len(racks) <= RACKS_PER_PAGE else worst_first(racks)
    shown = order[(number - 1) * RACKS_PER_PAGE : number * RACKS_PER_PAGE]
    more = [f"Page {number} of {pages(racks)}, worst first."] if pages(racks) > 1 else []
    details = [] if len(racks) > 4 else [part for rack in shown for part in _detail(rack)]
    return page(
        [
            *head(facts),
            HEADER,
            *[line(rack) for rack in shown],
            RULE,
            *details,
            *more,
            "Cells stay live with contactors open.",
        ]
    )


def pages(racks):
    """How many pages so many racks take."""
    return max(1, -(-len(racks) // RACKS_PER_PAGE))


def line(rack):
    """One rack in the columns of HEADER."""
    ages = "-" if rack["age_ms"] is None else str(rack["age_ms"])
    current = "-" if rack["rack_current_mA"] is None else f"{rack['rack_current_mA'] / 1000:+.1f}"
    return COLUMNS.format(
        rack["rack"],
        scaled(rack["soc_permille"], 10),
        scaled(rack["soh_permille"], 10),
        scaled(rack["cell_voltage_mV_min"], 1000, 3),
        scaled(rack["cell_voltage_mV_max"], 1000, 3),
        scaled(rack["temperature_ddegC_min"], 10),
        scaled(rack["temperature_ddegC_max"], 10),
        current,
        rack["contactor"] or "-",
        ages,
    )


def _detail(rack):
    limits = [
        scaled(rack[name], 1000) for name in ("charge_current_mA_max", "discharge_current_mA_max")
    ]
    spread = "-" if rack["spread_mV"] is None else rack["spread_mV"]
    hottest = f", hottest module {rack['hottest_module']}" if rack["hottest_module"] else ""
    cells = "-" if rack["cells_online"] is None else rack["cells_online"]
    fault = rack["bms_fault_bits"]
    words = (
        f"{scaled(rack['rack_voltage_mV'], 1000)} V, BMS allows {limits[0]} A charge, "
        f"{limits[1]} A discharge; "
        f"cell spread {spread} mV{hottest}; {cells} of {rack['cells']} cells"
    )
    out = folded(f"Rack {rack['rack']}", words + ".", 2)
    if fault:
        out += folded("", f"Its BMS says fault bits {fault:#x}.", 1)
    return out + (
        [f"{'':7}rows: {', '.join([name.partition('.')[0] for name in rack['standing']])}"]
        if rack["standing"]
        else []
    )
