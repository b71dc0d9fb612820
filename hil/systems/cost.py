"""Cost or saving of the battery over a run, in sentences.

Smoothing and reserves have a price: the battery loses energy, and the bill with the battery may be
higher than without it. A higher bill is named first.
"""

from typing import Any

from controller.planner.tariff import J_PER_KWH
from hil.results import ratio
from hil.systems import figures
from hil.systems.run import Result

MONEY_MIN, KWH_MIN = 0.5, 0.5  # smaller differences are not mentioned


def of(result: Result) -> dict[str, Any]:
    """The bills. lost_kWh: energy that the battery took but neither gave back nor still holds, if
    known.
    """
    bill, without_battery, without_system = [bill.total for bill in figures.bills(result)]
    account, lost_kWh = result.account, None
    if {"charged", "discharged"} <= set(account):
        moved_kWh = (account["charged"] - account["discharged"]) / J_PER_KWH
        lost_kWh = moved_kWh - result.gained_Wh / 1000
    return {
        "currency": result.spec.tariff["currency"],
        "bill": bill,
        "without_battery": without_battery,
        "without_system": without_system,
        "lost_kWh": lost_kWh,
    }


def sentences(cost: dict[str, Any]) -> tuple[bool, str]:
    """(True if the bill is higher with the battery, or with the whole system; the sentences)."""
    clauses = [_against(cost, "without_battery", "the battery")]
    if abs(cost["without_system"] - cost["without_battery"]) >= MONEY_MIN:
        clauses.append(_against(cost, "without_system", "battery and PV"))
    clauses.sort(key=lambda clause: not clause[0])
    lost = ""
    if cost["lost_kWh"] is not None and cost["lost_kWh"] >= KWH_MIN:
        lost = f" {cost['lost_kWh']:,.0f} kWh were lost in battery and converters."
    return any(is_worse for is_worse, _ in clauses), " ".join([text for _, text in clauses]) + lost


def _against(cost: dict[str, Any], key: str, without: str) -> tuple[bool, str]:
    """(True if the bill is higher, sentence), compared with the bill without battery or system."""
    bill, baseline, currency = cost["bill"], cost[key], cost["currency"]
    more = bill - baseline
    amounts = f"{bill:,.0f} instead of {baseline:,.0f} {currency}"
    if abs(more) < MONEY_MIN:
        return False, f"The bill is the same with and without {without} ({bill:,.0f} {currency})."
    part = f", {100 * abs(more) / baseline:.2g} %" if baseline >= ratio.MONEY_MIN else ""
    word = "higher" if more > 0 else "lower"
    return more > 0, (
        f"The bill is {abs(more):,.0f} {currency}{part} {word} with {without} than without: "
        f"{amounts}."
    )
