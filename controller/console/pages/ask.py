"""Makes the text of `firebreak ask`. It has the answer, the power or energy that is missing or
left, and the assumptions of the answer.
"""

from controller.console.pages.causes import QUANTITY_WORDS, minute
from controller.console.pages.text import LABEL_MARGIN, WIDTH, duration, kilowatt, labelled, wrapped
from controller.state.base import Facts

TEXT_MAX = 5 * WIDTH - LABEL_MARGIN  # characters of a text
VERDICTS = {"yes": "YES", "no": "NO", "not known": "NOT KNOWN"}


def lines(facts: Facts) -> list[str]:
    """The answer as lines. facts: see state/ask.py."""
    job = f"a job of {kilowatt(facts['power_W'])} kW, {_in(facts['at_s'])}, for "
    job += duration(facts["for_s"] * 1000)
    first = wrapped(f"{VERDICTS[facts['answer']]}: {job}.", LABEL_MARGIN)
    if facts["answer"] == "not known":
        return [*first, *_labelled("unknown", facts["unknown"])]
    return [
        *first,
        *_labelled("missing", [_missing(lack) for lack in facts["missing"]]),
        *_labelled("left", _left(facts)),
        *_labelled("plan", _plan(facts["plan"]) if "plan" in facts else []),
        *_labelled(
            "limits", [_limit(limit) for limit in facts["rests_on"]] + _tightest_case(facts)
        ),
        *_labelled("connection", [_connection(facts)]),
        *_labelled("battery", [_battery(facts)]),
        *_labelled("assumed", facts["assumptions"]),
    ]


def _labelled(label: str, texts: list[str]) -> list[str]:
    return labelled(label, [text[:TEXT_MAX] for text in texts])


def _in(seconds: int) -> str:
    return f"in {duration(seconds * 1000)}" if seconds else "now"


def _kWh(energy_Wh: int) -> str:
    return f"{energy_Wh / 1000:.1f} kWh"


def _missing(lack: Facts) -> str:
    if lack["what"] == "energy":
        reserve = f"{lack['reserve_permille'] / 10:g} %"
        return f"{_kWh(lack['missing_Wh'])} above the reserve of {reserve}."
    if lack["what"] == "peak_window":
        window = f"{duration(lack['from_s'] * 1000)} to {duration(lack['until_s'] * 1000)}"
        return f"{kilowatt(lack['missing_W'])} kW in the interval of peak shaving from {window}."
    shortage = f"{kilowatt(lack['missing_W'])} kW {_in(lack['from_s'])}"
    limit = f"{lack['limit']['label']} {lack['limit']['name']}"
    if lack["what"] == "condition":
        return f"{shortage}: the battery gives nothing, {limit}. {lack['limit']['remedy']}"
    if lack["what"] == "temperature":
        return f"{shortage}: the modules have to be {lack['missing_ddegC'] / 10:.1f} K cooler."
    return f"{shortage}: the battery gives no more, {limit}."


def _left(facts: Facts) -> list[str]:
    if facts["answer"] != "yes":
        return []
    power = f"{kilowatt(facts['margin_W'])} kW"
    if facts["margin_Wh"] is None:
        return [f"{power} at the tightest moment; the connection carries the job alone."]
    return [f"{power} at the tightest moment, {_kWh(facts['margin_Wh'])} above the reserve."]


def _plan(plan: Facts) -> list[str]:
    """[sentence about the job in the plan of the planner]. It has the earliest time at which the
    job fits under the plan's cap, and the cost of the job then and at the requested time.
    """
    asked, earliest, currency = plan["asked"], plan["earliest"], plan["currency"]
    cost = f"it costs {_money(asked['cost'])} {currency} as asked"
    if earliest is None:
        return [f"it fits nowhere under the plan's cap until {minute(plan['until'])}; {cost}."]
    if earliest == asked:
        return [f"it fits under the plan's cap as asked; {cost}."]
    if asked["missing_W"] is None:
        shortage = "the plan does not know that time"
    elif asked["missing_W"]:
        shortage = f"{kilowatt(asked['missing_W'])} kW above the cap"
    else:
        shortage = f"{_kWh(asked['missing_Wh'])} below the reserve of the plan"
    start = f"from {minute(earliest['at'])} on ({_in(earliest['at_s'])})"
    price = f"for {_money(earliest['cost'])} {currency}"
    return [f"it fits under the plan's cap {start}, {price}; {cost}, {shortage}."]


def _money(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:.2f}"


def _limit(limit: Facts) -> str:
    """A sentence about a limit on which the answer depends. It says how long the limit is valid,
    and which limit (fallback) applies after that time.
    """
    value = f"{kilowatt(limit['value_W'])} kW"
    text = f"{limit['source']}: {QUANTITY_WORDS.get(limit['what'], '')} {value}"
    if limit["what"] == "schedule":
        text = f"the schedule of {limit['source']}"
    if limit["what"] == "connection":
        text = f"import <= {value} of the connection"
    if limit["state"] == "fallback":
        text += ", its fallback"
    if limit["valid_s"] is not None:
        follow_up = "nothing"
        if limit["fallback_W"] is not None:
            follow_up = f"its fallback {kilowatt(limit['fallback_W'])} kW"
        text += f", {limit['valid_s']} s left, then {follow_up}"
    return text + (" (decides)." if limit["decides"] else ".")


def _tightest_case(facts: Facts) -> list[str]:
    texts = {
        "renewed": "if every source goes on",
        "silent": "if no source sends anything more",
        "mixed": "if some sources fall silent, or one later",
    }
    return [f"Tightest {texts[facts['course']]}."] if facts["course"] else []


def _connection(facts: Facts) -> str:
    mean_W, most_W = facts["connection_W"]
    reason = facts["import_reason"]
    return (
        f"Import at most {kilowatt(facts['import_W_max'])} kW, {reason['label']} {reason['name']}; "
        f"without the job {kilowatt(mean_W)} kW in the mean, {kilowatt(most_W)} kW at most."
    )


def _battery(facts: Facts) -> str:
    energy = "unknown" if facts["remaining_Wh"] is None else _kWh(facts["remaining_Wh"])
    return (
        f"It has to give {kilowatt(facts['needed_W'])} kW, and with load tracking "
        f"{_kWh(facts['given_Wh'])}; {energy} now above the reserve of "
        f"{facts['reserve_permille'] / 10:g} %."
    )
