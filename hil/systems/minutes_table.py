"""The minutes with the kernel as a table."""

from hil.systems.minutes import Played

STAGES_SHOWN = 8
COLUMNS = "  {:<34}{:>10}{:>8}{:>7}{:>9}{:>9}{:>9}{:>10}{:>10}{:>9}  {}"
HEAD = ("with the kernel", "load kW", "charge", "h", "island s", "dark s", "set s", "lost kWh",
        "critical", "step kW", "")  # fmt: skip


def lines(documents: list[Played]) -> list[str]:
    """The lines of a table. documents: results of `played`."""
    if not documents:
        return ["  no minutes with the kernel were played"]
    rows = [line for document in documents for line in (_line(document), *_shed_lines(document))]
    return [COLUMNS.format(*HEAD).rstrip(), *rows]


def _shed_lines(played: Played) -> list[str]:
    """A line with the number of open load contacts after each change; [] without a change."""
    stages, most = played["stages"], STAGES_SHOWN
    shown = [*stages[:most], *stages[most:][-1:]]
    moments = ", ".join([f"{open_} after {at_s:.0f} s" for at_s, open_ in shown])
    more = f"; {len(stages) - most - 1} more changes" if len(stages) > most + 1 else ""
    return [f"    contacts open: {moments}{more}"] if stages else []


def _line(played: Played) -> str:
    kind = "outage" if played["is_outage"] else "plain day"
    hours, seconds = divmod(played["at_s"], 3600)
    name = f"{kind} of {played['for_s']} s at {hours} h {seconds // 60:02d}"
    engine = "-" if played["engine_s"] is None else f"{played['engine_s']:g}"
    hours_ = "-" if played["charge_h"] is None else f"{played['charge_h']:.1f}"
    values = (f"{played['load_W'] / 1000:,.0f}", f"{played['soc']:.0%}", hours_,
              f"{played['island_s']:g}", f"{played['dark_s']:g}", engine, f"{played['lost_kWh']:g}",
              f"{played['critical_kWh']:g}", f"{played['step_W'] / 1000:,.0f}")  # fmt: skip
    return COLUMNS.format(name, *values, "; ".join(played["faults"]) or "ok").rstrip()
