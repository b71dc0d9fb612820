"""Writes the audit as text for a terminal (plain ASCII, 80 columns) and as data for JSON."""

from controller.documents.document import Facts, wrapped
from controller.siting import audit, geometry, rules
from controller.siting.audit import Finding
from controller.siting.fields import NEAR_m
from controller.siting.items import Item, sum_kWh
from controller.siting.site import Site
from controller.siting.things import grouped
from controller.system.paths import escaped

WIDTH = 80
CLAIMS = (
    "This program measured a plan that somebody typed. It does not claim that the site is "
    "approved, listed or lawful. Four things override every line: the authority having "
    "jurisdiction (AHJ), the adopted edition with its amendments, the UL 9540 listing, and the "
    "site's hazard mitigation analysis.",
    "A clause or number with (?) is from memory and unconfirmed: read the purchased copy. "
    "Exposures and facts are those of the file. The program did not check the kinds of exposure "
    "that the file declares absent.",
    "Not covered: suppression, detection, ventilation and explosion control, electrical "
    "clearances, the inside of a walk-in unit, which counts as a room (B22), and facts without a "
    "row of the table. Local profiles have only the rules listed here.",
)


def text(site: Site, findings: list[Finding]) -> str:
    """The complete report."""
    judged = [finding for finding in findings if finding.verdict != audit.NOT_APPLICABLE]
    by_kind = grouped(judged, lambda finding: finding.rule.sense == rules.SCOPE)
    sections = (
        _head(site),
        ["KIND OF SITE", *_table(site, by_kind.get(True, []))],
        ["RULES", *_table(site, by_kind.get(False, []))],
        ["NOT APPLICABLE", *_not_applicable(findings)],
        ["GROUPS", *_groups(site)],
        ["FIRE AREAS", *_fire_areas(site)],
        _exposures(site),
        _result(findings),
        ["WHAT THIS DOES NOT CLAIM", *_folded(*[("  ", claim) for claim in CLAIMS])],
    )
    return escaped("\n\n".join("\n".join(lines) for lines in sections))


def _folded(*parts: tuple[str, str]) -> list[str]:
    """Lines made of (start of the first line, words)."""
    return [line for first, sentence in parts for line in wrapped(first, escaped(sentence), WIDTH)]


def _head(site: Site) -> list[str]:
    stored = f"{site.total_kWh:g} kWh in {len(site.units)} unit(s), {len(site.groups)} group(s): "
    return _folded(
        ("SITING AUDIT  ", site.facts["name"]),
        ("  file     ", site.path),
        ("  edition  ", ", ".join([site.edition, *site.local])),
        ("  mode     ", f"{site.mode} {site.place}".strip()),
        *[("  PLACEHOLDERS: ", line) for line in site.placeholder_lines],
        ("  stored   ", stored + ", ".join(site.technologies)),
    )


def _table(site: Site, findings: list[Finding]) -> list[str]:
    columns = f"  {'id':5}{'what':33}{'measured':>12} {'required':>13}  verdict"
    return [columns, *[line for finding in findings for line in _row(site, finding)]]


def _row(site: Site, finding: Finding) -> list[str]:
    rule, wrong, within = finding.rule, finding.wrong, " " * 7
    verdict = finding.verdict.upper() if finding.verdict == audit.NOT_MET else finding.verdict
    shown = measured(finding, site.lengths), required(finding, site.lengths)
    items = [] if finding.worst is None else [finding.worst]
    if rule.sense == rules.STATED and finding.verdict == audit.MET:
        items = list(finding.items)  # a rule with several facts lists all of them
    remarks = "; ".join(dict.fromkeys(map(between, items)))
    parts = [(within, f"{finding.clause}; {rules.CONFIDENCE[finding.confidence]}")]
    parts += [(within, remarks)] if remarks else []
    if len(wrong) > 1:
        more = "; ".join([*map(between, wrong[1:4]), *(["..."] if len(wrong) > 4 else [])])
        parts.append((within, f"and {len(wrong) - 1} more: {more}"))
    parts += [(f"{within}missing: ", fact) for fact in finding.facts]
    first = f"  {rule.id:5}{rule.what:33}{shown[0]:>12} {shown[1]:>13}  {verdict}"
    return [first, *_folded(*parts)]


def between(item: Item) -> str:
    """The names and the words of an Item."""
    names = " to ".join(item.names) if item.gap is not None else ", ".join(item.names)
    return names + (f" ({item.remark})" if item.remark and names else item.remark)


def measured(finding: Finding, lengths: str = "m") -> str:
    """The value that decides the verdict, with its unit. lengths: of geometry.LENGTHS."""
    if finding.worst is None:
        return "-"
    value, rule = finding.worst.value, finding.rule
    if rule.sense == rules.SCOPE or isinstance(value, bool):
        return "yes" if value else "no"
    if rule.sense == rules.STATED:
        return "stated"
    shown = number(value, rule.unit, lengths)
    limit = number(audit.limit_of(rule, finding.worst), rule.unit, lengths)
    is_hidden = finding.wrong and shown == limit
    # more digits, because the usual number of digits would hide a very small excess
    return f"{value:.9g} {rule.unit}" if is_hidden else shown


def required(finding: Finding, lengths: str = "m") -> str:
    """The required number, with its sense and unit. lengths: of geometry.LENGTHS."""
    rule = finding.rule
    if rule.sense == rules.SCOPE:
        return "-"
    if rule.sense == rules.STATED:
        return "yes"
    limit = rule.number if finding.worst is None else audit.limit_of(rule, finding.worst)
    return "-" if limit is None else f"{rule.sense} {number(limit, rule.unit, lengths)}"


def number(value: float | None, unit: str, lengths: str = "m") -> str:
    """A number with its unit. A length has three decimals, rounded down to show a shortfall."""
    if value is None:
        return "-"
    if unit == "m":
        shown = (value + geometry.TOUCH_m) / geometry.LENGTHS[lengths]
        return f"{int(shown * 1000) / 1000:.3f} {lengths}"
    return f"{value:.6g} {unit}"


def _not_applicable(findings: list[Finding]) -> list[str]:
    """Lines of the rules that are not applicable, grouped by the reason."""
    by_reason = grouped(audit.of(findings, audit.NOT_APPLICABLE), lambda finding: finding.reason)
    return _folded(*[("  ", f"{reason}: {ids(some)}") for reason, some in by_reason.items()])


def open_lines(findings: list[Finding]) -> list[str]:
    """Lines with the ids of the rules that are not met, and of rules that lack a fact."""
    return [f"{verdict}: {ids(some)}" for verdict, some in audit.open_findings(findings).items()]


def ids(findings: list[Finding]) -> str:
    """The ids of the Findings' rules."""
    return " ".join(finding.rule.id for finding in findings)


def _groups(site: Site) -> list[str]:
    lines = []
    for name, units in site.groups.items():
        names = [unit.name for unit in units]
        members = "" if names == [name] else f": {', '.join(names)}"
        lines += _folded((f"  {name:20} {sum_kWh(units):10.6g} kWh", members))
    return lines


def _fire_areas(site: Site) -> list[str]:
    return _folded(
        *[
            ("  ", f"{name:20} {sum_kWh(units):10.6g} kWh in {len(units)} unit(s)")
            for name, units in site.fire_areas.items()
        ]
    )


def _exposures(site: Site) -> list[str]:
    rows = [
        f"  {number(gap.distance_m, 'm', site.lengths):>10}  {exposure.name:20} "
        f"{exposure.kind:16} {unit.name}"
        for unit, exposure, gap in sorted(site.nearest_units, key=lambda near: near.gap.distance_m)
        if gap.distance_m <= NEAR_m
    ]
    absent = ", ".join(site.facts["absent"] or ())
    return [
        f"EXPOSURES WITHIN {geometry.short(NEAR_m, site.lengths)}, from the nearest unit",
        *(rows or ["  none in the file"]),
        *(_folded(("  absent, by the file: ", absent)) if absent else []),
    ]


def _result(findings: list[Finding]) -> list[str]:
    wanting = audit.open_findings(findings).items()
    lines = [(f"  {verdict}: ", ids(some)) for verdict, some in wanting]
    return _folded(("RESULT: ", headline(findings)), *lines)


def headline(findings: list[Finding]) -> str:
    """Numbers of rules: met, met by an unconfirmed clause, not met, and lacking a fact."""
    met, not_met, lacking = [
        audit.of(findings, verdict) for verdict in (audit.MET, audit.NOT_MET, audit.NEEDS_FACT)
    ]
    sure = [finding for finding in met if audit.is_sure(finding)]
    second_hand = [finding for finding in sure if finding.confidence == "C2"]
    doubts = {
        "of them by unconfirmed clauses (?)": len(met) - len(sure),
        "by second-hand ones": len(second_hand),
    }
    texts = " and ".join(f"{count} {text}" for text, count in doubts.items() if count)
    summary = f"{len(met)} met, {texts}" if texts else f"{len(met)} met"
    return f"{summary}, {len(not_met)} not met, {len(lacking)} need a fact"


def document(site: Site, findings: list[Finding]) -> Facts:
    """The complete report as plain lists and dictionaries."""
    return {
        "schema": 1,
        "name": site.facts["name"],
        "file": site.path,
        "edition": site.edition,
        "local": list(site.local),
        "mode": site.mode,
        "place": site.place,
        "total_kWh": site.total_kWh,
        "is_met": audit.is_met(findings),
        "headline": headline(findings),
        "rules": [_rule_document(finding) for finding in findings],
        "groups": {name: sum_kWh(units) for name, units in site.groups.items()},
        "fire_areas": {name: sum_kWh(units) for name, units in site.fire_areas.items()},
        "exposures": [
            {
                "unit": unit.name,
                "exposure": exposure.name,
                "kind": exposure.kind,
                "distance_m": round(gap.distance_m, 6),
            }
            for unit, exposure, gap in site.exposure_gaps
            if gap.distance_m <= NEAR_m
        ],
        "absent": list(site.facts["absent"] or ()),
        "placeholders": list(site.placeholder_lines),
        "does_not_claim": list(CLAIMS),
    }


def _rule_document(finding: Finding) -> Facts:
    rule = finding.rule
    return {
        "id": rule.id,
        "what": rule.what,
        "verdict": finding.verdict,
        "clause": finding.clause,
        "confidence": rules.CONFIDENCE.get(finding.confidence, ""),
        "unit": rule.unit,
        "sense": rule.sense,
        "worst": None if finding.worst is None else _item_document(rule, finding.worst),
        "not_met": [_item_document(rule, item) for item in finding.wrong],
        "missing": list(finding.facts),
        "reason": finding.reason,
    }


def _item_document(rule: rules.Rule, item: Item) -> Facts:
    value = round(item.value, 6) if isinstance(item.value, float) else item.value
    return {
        "measured": value,
        "required": audit.limit_of(rule, item),
        "between": list(item.names),
        "note": item.remark,
    }
