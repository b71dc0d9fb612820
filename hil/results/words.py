"""The closing lines of a run: what each figure means, what limited it, what to try next."""

from controller.core import reasons
from controller.rows import reason_words

TRIPS_SHOWN = 4
SHORT_S = 120
REACTIONS = {
    "estop": "E-stop pressed to the command that drops the PCS enable",
    "estop_to_pcs_frame": "E-stop pressed to the stop frame of the PCS",
    "estop_bytes_to_permit": "E-stop read to the command that drops the PCS enable",
    "estop_to_power_zero": "E-stop pressed to zero power",
    "pcs_silent": "last frame of the PCS to the command that drops its enable",
    "pcs_silent_open": "last frame of the PCS to open contactors",
    "bms_ramp": "last frame of the BMS to set-point zero",
    "bms_stop": "last frame of the BMS to the command that drops the PCS enable",
    "bms_open": "last frame of the BMS to open contactors",
    "kill_pcs_enable": "controller killed to PCS enable off",
    "kill_contactor": "controller killed to open contactors",
}


def closing_lines(doc):
    """Lines of plain ASCII, at most 15 characters of label each: one group of figures a line."""
    lines = [*_measured(doc), *_limits(doc), *_refused(doc["load"])]
    soc, trips = doc["soc_pct"], doc["trips"]
    lines.append(
        f"charge     {_text(soc['start'])} % at the start, {_text(soc['end'])} % at the end"
    )
    lines.append(_loop(doc))
    lines.append(f"trips      {len(trips) or 'none'}")
    lines += [f"           {trip_text(trip)}" for trip in trips[:TRIPS_SHOWN]]
    if len(trips) > TRIPS_SHOWN:
        lines.append(f"           and {len(trips) - TRIPS_SHOWN} more")
    reactions = [item for item in doc["reaction_ms"].items() if item[1] is not None]
    lines += [f"reaction   {REACTIONS[name]}: {value:.0f} ms" for name, value in reactions]
    return lines


def _measured(doc):
    """From when the figures count, and the figures of load tracking."""
    swing, from_s, end_s = doc["swing_2s_pct"], doc["measured_from_s"], doc["simulated_s"]
    if swing["load"] is None:
        return [
            "measured   nothing: the run ended before the limits had been open for 4 s (contactors "
            "closed, limits recovered)"
        ]
    reduction = swing["reduction"]
    share = "" if reduction is None else f": the battery took {reduction:g} % of it"
    return [
        f"measured   from {from_s:.1f} s (contactors closed, limits recovered) to {end_s:.1f} s",
        f"swing      load {swing['load']:g} %, grid {swing['grid']:g} % of the highest load{share}",
        "           (change of the mean over 2 s to the next; 99 % of the changes are smaller)",
        f"delay      {_text(doc['delay_ms'])} ms from a change of the load to that of the battery",
    ]


def _limits(doc):
    """How long which limit held the battery back, and the load that nothing could carry."""
    limited_s, overload = doc.get("limited_s"), doc.get("overload")
    if limited_s is None:
        return []
    longest = sorted(limited_s.items(), key=lambda item: -item[1])
    names = [f"{_name(label)} ({label}) {seconds:.1f} s" for label, seconds in longest]
    lines = [f"limits     {', '.join(names) or 'none held the battery back'}"]
    if overload["s"]:
        lines.append(
            f"overload   {overload['s']:.1f} s above what grid connection and battery can carry, "
            f"by up to {overload['W_max'] / 1000:.0f} kW"
        )
    return lines


def _name(label):
    return reason_words.text(int(label.removeprefix("R")))[0]


def _refused(load):
    if not load["rows_refused"]:
        return []
    return [f"refused    {load['rows_refused']} rows of the file, as the meter's own errors"]


def _loop(doc):
    late = doc["lateness_us"]
    how_late = "no lateness in virtual time"
    if late["p50"] is not None:
        how_late = (
            f"late by p50 {late['p50']}, p99 {late['p99']}, p99.9 {late['p99_9']}, "
            f"max {late['max']} us"
        )
    return f"ticks      {doc['ticks']}, missed {doc['missed']}; {how_late}"


def trip_text(trip):
    """A trip in words: time, row, place, cause and remedy."""
    name, sentence, remedy = reason_words.text(reasons.ROW + trip["row"])
    return (
        f"{trip['t_s']:.2f} s, row {trip['stage']} ({trip['scope']}), {name}: {sentence} {remedy}"
    )


def next_command(doc, scenario):
    """One command to try after this run, with its purpose."""
    if doc["swing_2s_pct"]["load"] is None and scenario is None:
        return f"./flash.sh rig --for {SHORT_S}   long enough for figures"
    if doc["load"]["file"] and (doc.get("limited_s") or doc.get("overload", {}).get("s")):
        scale = doc["load"]["scale"] / 2
        return f"the same with --scale {scale:g}   half the load, to see what the limits took"
    if scenario is None:
        return "./flash.sh rig --virtual --scenario bms_silent   a fault and what follows it"
    return "./flash.sh rig --load FILE.csv --column NAME   a load of your own"


def _text(value):
    return "-" if value is None else f"{value:g}"
