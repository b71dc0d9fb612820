"""Reads the table [hma], the facts of the hazard mitigation analysis, and checks what follows from
them.

Rows of the cause-and-effect matrix need these facts. A fact that comes from a report has no
default. With a default, a site could run before a person has read the report.
"""

from collections.abc import Container, Iterator, Mapping
from typing import Any

from controller.config import schema
from controller.config.devices import NotFitted
from controller.config.equipment import with_clauses
from controller.config.layers import Layer
from controller.config.thresholds import LFP, STAGES
from controller.config.values import Values
from controller.forms.acceptance_text import ahead_line, placeholder_line
from controller.forms.field import allowed_text
from controller.forms.refusal import refuse, shown
from controller.rows.facts import sources
from controller.rows.records import ROWS, WIRED
from safety import matrix

ALWAYS = ("report", "chemistry", "explosion_control")
WITH_GAS = ("gas_required_by", "lfl_vol_ppm", "lfl_source")
SOURCED = ("lfl_vol_ppm", "lfl_source")  # a number, and the report from which it comes
# NFPA 69: gas detectors start a fan, and a switch proves that air flows (A29).
PREVENTION_NEEDS = ("gas", "airflow")
PREVENTION = "prevention (NFPA 69): gas detection, fan and proof of airflow (A29)"


def read(values: Values, not_fitted: NotFitted) -> dict[str, Any]:
    """{key: value or None} of [hma]. not_fitted: {equipment: acceptance}. Raises ConfigError."""
    for key in ALWAYS + (() if "gas" in not_fitted else WITH_GAS):
        values.need("hma", key)
    _check_sourced(values)
    _check_noc(values, not_fitted)
    for name, why, allowed in _needed(values, not_fitted):
        if not_fitted.get(name):
            values.refuse(("not_fitted", name), f"is not allowed{why}", allowed)
    _check_hold_off(values, not_fitted)
    _check_hard_wired(values, not_fitted)
    return {key: values.get("hma", key) for key in schema.HMA}


def placeholder_lines(facts: Mapping[str, Any], not_fitted: Mapping[str, str]) -> list[str]:
    """[line that names the values with a placeholder], or []. facts: {key: value}."""
    texts = {f"hma.{key}": value for key, value in facts.items()}
    texts |= {f"not_fitted.{name}": who for name, who in not_fitted.items()}
    return placeholder_line("facts of the hazard analysis", texts)


def ahead_lines(facts: Mapping[str, Any], not_fitted: Mapping[str, str], today: str) -> list[str]:
    """[line that names the acceptances with a date after today], or []. today: "2026-03-14"."""
    keys = [key for key in facts if key.startswith(("hard_wired_accepted", "not_wired_"))]
    texts = {f"hma.{key}": facts[key] or "" for key in keys}
    texts |= {f"not_fitted.{name}": who for name, who in not_fitted.items()}
    return ahead_line(texts, today)


def chemistry_of(chain: list[Layer]) -> str:
    """The chemistry in the first layer that names one. If no layer names one, this returns LFP, and
    `read` refuses the file later.
    """
    for layer in chain:
        table = layer.content.get("hma")
        if isinstance(table, dict) and table.get("chemistry") in tuple(STAGES):
            return str(table["chemistry"])
    return LFP


def hard_wired_rows(
    facts: Mapping[str, Any], not_fitted: Container[str], second_channel: bool
) -> list[int]:
    """Rows that must act by hard wiring. These are the rows with a contact for which neither
    channel B nor a fact of the analysis replaces the wiring.
    """
    return [
        row
        for row, how in WIRED.items()
        if has_contact(row, not_fitted)
        and (how.only_by_a or not second_channel)
        and not any(facts.get(key) for key in how.instead)
    ]


def has_contact(row: int, not_fitted: Container[str]) -> bool:
    """True if the contact of a hard-wired row is fitted."""
    return WIRED[row].contact not in not_fitted


def _check_sourced(values: Values) -> None:
    """Refuse a flammable limit and its report from different files. The report may contain another
    limit.
    """
    paths = [("hma", key) for key in SOURCED if ("hma", key) in values.entries]
    if not paths:
        return
    older, *newer = sorted(paths, key=lambda path: values.entries[path].rank)
    if newer and values.entries[older].rank < values.entries[newer[0]].rank:
        why = "a flammable limit and its report must come from the same file"
        problem = f"is missing: this file sets {newer[0][1]}, and {why}"
        refuse(values.file(*newer[0]), older, problem, allowed_text(values.spec(older)))


def _needed(values: Values, not_fitted: NotFitted) -> Iterator[tuple[str, str, str]]:
    """(equipment, why this file may not lack it, what is allowed) of each piece of equipment that
    the facts of the analysis require.
    """
    if values.get("hma", "explosion_control") != "68":
        for name in PREVENTION_NEEDS:
            why = f": hma.explosion_control requires {PREVENTION}"
            yield name, why, f'hma.explosion_control = "68", or fit {name}'
    document = values.get("hma", "gas_required_by")
    if document is not None:  # even if explosion control is by vents (NFPA 68)
        why = f": hma.gas_required_by ({shown(document)}) requires gas detection"
        yield "gas", why, "an analysis without gas_required_by, or fit gas detection"
    if has_contact(12, not_fitted):
        values.need("hma", "breaker")
        closed = f"under current {with_clauses([12])} keeps the contactors closed"
        why = f": {closed}, but rows 1, 2 and 3 must remove all energy"
        yield "shunt_trip", why, "a shunt trip of the breaker that hma.breaker names"
    source = values.get("hma", "noc_source")
    if source is not None:
        source_text = f"hma.noc_source ({shown(source)}), whose heartbeat row 46 watches"
        yield "noc", f" together with {source_text}", "one of the two"
    # row 46b halves the power when supervision is lost, so it needs a signal of the supervision
    if values.get("hma", "noc_derate") and not_fitted.get("supervised"):
        row = f"row 46b ({sources(ROWS[46].basis)}), which needs noc or supervised"
        why = f" together with not_fitted.supervised: hma.noc_derate requires {row}"
        yield "noc", why, "hma.noc_derate = false, or fit noc or supervised"


def _check_hold_off(values: Values, not_fitted: NotFitted) -> None:
    """Require a reason in the file if the fan waits for the agent (matrix.CONFLICTS)."""
    path = ("cabinet", "agent_hold_off_ms")
    hold_off_ms = values.get(*path)
    if hold_off_ms and not_fitted.get("suppression"):
        values.not_allowed(path, "0, because no suppression is fitted")
    if hold_off_ms and values.get("hma", "agent_hold_off_reason") is None:
        _, row, _, clauses = matrix.CONFLICTS[0]
        problem = f"is missing: after row {row} the fan waits {hold_off_ms} ms ({clauses})"
        reason = ("hma", "agent_hold_off_reason")
        values.refuse(reason, problem, values.spec(reason).allowed[1])


def _check_noc(values: Values, not_fitted: NotFitted) -> None:
    """Require that row 46 can watch either the heartbeat of a source of hints or the supervised
    path of the fire panel.
    """
    path, names = ("hma", "noc_source"), sorted(values.tables("source"))
    name = values.get(*path)
    if name is not None and name not in names:
        values.not_allowed(path, ", ".join(names) or "a source of hints", names)
    if name is None and "supervised" in not_fitted and "noc" not in not_fitted:
        problem = f"is missing: {with_clauses([46])} watches its heartbeat"
        alternatives = "supervised_ok of the fire panel, or not_fitted.noc"
        allowed = f"the name of a source of hints, or {alternatives}"
        values.refuse(path, problem, allowed, equipment=("noc",))


def _check_hard_wired(values: Values, not_fitted: NotFitted) -> None:
    """Require that the file names every row that must act by hard wiring, and that each of them has
    a contact. A row may not be named in or after the file that calls its contact not fitted.
    """
    path = ("hma", "hard_wired_rows")
    second_channel = values.get("cabinet", "second_channel") == "fitted"
    facts = {key: values.get("hma", key) for key in schema.HMA}
    needed = hard_wired_rows(facts, not_fitted, second_channel)
    rows = facts["hard_wired_rows"] or []
    for row in needed:
        if row not in rows:
            allowed = sorted({*rows, *needed})
            with_or_without = "with" if second_channel else "without"
            why = f"{with_or_without} channel B {with_clauses([row])} must act by wire"
            instead = " or ".join(f"hma.{key}" for key in WIRED[row].instead)
            why += f", unless {instead} is set" if instead else ""
            if facts["hard_wired_rows"] is None:
                values.refuse(path, "is missing", f"{allowed}: {why}")
            values.not_allowed(path, f"{allowed}: {why}")
    if rows:
        values.need("hma", "hard_wired_accepted")
    for row in rows:
        absent = "not_fitted", WIRED[row].contact
        if absent in values.entries and values.entries[absent].rank <= values.entries[path].rank:
            allowed = [number for number in rows if has_contact(number, not_fitted)]
            why = f"{with_clauses([row])} has no contact, because not_fitted.{absent[1]} is set"
            values.not_allowed(path, f"{allowed}: {why}")
