"""Checks a site against every rule: met, not met, not applicable, or a fact is missing."""

from typing import NamedTuple

from controller.siting import rules
from controller.siting.geometry import TOUCH_m
from controller.siting.items import Item
from controller.siting.site import Site

MET, NOT_MET, NOT_APPLICABLE, NEEDS_FACT, APPLIES = (
    "met",
    "not met",
    "not applicable",
    "needs a fact",
    "applies",
)


class Finding(NamedTuple):
    """The result of one rule.

    worst: the Item that decides. wrong: Items that do not meet the rule. facts: names of missing
    facts.
    """

    rule: rules.Rule
    verdict: str
    clause: str
    confidence: str
    worst: Item | None = None
    items: tuple[Item, ...] = ()
    wrong: tuple[Item, ...] = ()
    facts: tuple[str, ...] = ()
    reason: str = ""


def audit(site: Site) -> list[Finding]:
    """A Finding for every rule, in the order of rules.RULES."""
    return [judge(site, rule) for rule in rules.RULES]


def of(findings: list[Finding], verdict: str) -> list[Finding]:
    """The Findings of one verdict."""
    return [finding for finding in findings if finding.verdict == verdict]


def open_findings(findings: list[Finding]) -> dict[str, list[Finding]]:
    """{verdict: Findings} of the rules that are not met, and of the rules that lack a fact."""
    by_verdict = {verdict: of(findings, verdict) for verdict in (NOT_MET, NEEDS_FACT)}
    return {verdict: some for verdict, some in by_verdict.items() if some}


def is_met(findings: list[Finding]) -> bool:
    """True if all rules are met and no fact is missing."""
    return not open_findings(findings)


def is_sure(finding: Finding) -> bool:
    """True if the number and the clause of a Finding were read, not remembered."""
    return finding.confidence != "G" and "(?)" not in finding.clause


def judge(site: Site, rule: rules.Rule) -> Finding:
    """The Finding of one rule."""
    finding = Finding(rule, NOT_APPLICABLE, *rule.clauses.get(site.edition, ("", "")))
    items = _excluded(site, rule) or rule.measure(site, rule) or "nothing of that kind here"
    if isinstance(items, str):
        return finding._replace(reason=items)
    to_judge = [item for item in items if not item.judged_by]
    finding = finding._replace(
        items=tuple(items), facts=tuple(dict.fromkeys(item.fact for item in to_judge if item.fact))
    )
    if not to_judge:
        judges = dict.fromkeys(item.judged_by for item in items)
        return finding._replace(reason=f"judged by {', '.join(judges)}")
    known = [item for item in to_judge if not item.fact]
    return (_classified if rule.sense == rules.SCOPE else _judged)(finding, known)


def _excluded(site: Site, rule: rules.Rule) -> str:
    if rule.scope.local and rule.scope.local not in site.local:
        return f"local profile {rule.scope.local} is not in force"
    if site.edition not in rule.clauses:
        return f"not a rule of {site.edition}"
    return rule.scope.reason(site)


def _judged(finding: Finding, known: list[Item]) -> Finding:
    in_order = sorted(known, key=lambda item: margin(finding.rule, item))
    wrong = tuple(item for item in in_order if margin(finding.rule, item) < -TOUCH_m)
    verdict = NOT_MET if wrong else NEEDS_FACT if finding.facts else MET
    return finding._replace(verdict=verdict, worst=next(iter(in_order), None), wrong=wrong)


def _classified(finding: Finding, known: list[Item]) -> Finding:
    worst = next((item for item in known if item.value), None)
    if finding.facts:  # the fact of one model is not valid for another model
        return finding._replace(verdict=NEEDS_FACT, worst=worst)
    if worst is None:
        return finding._replace(reason="this is not the case here")
    return finding._replace(verdict=APPLIES, worst=worst)


def margin(rule: rules.Rule, item: Item) -> float:
    """The margin of an Item to its limit, < 0 if the Item does not meet the rule.

    The margin of a fact is 1 (true) or -1.
    """
    if rule.sense in (rules.STATED, rules.SCOPE):
        return 1.0 if item.value else -1.0
    limit = limit_of(rule, item)
    return item.value - limit if rule.sense == rules.AT_LEAST else limit - item.value


def limit_of(rule: rules.Rule, item: Item) -> float | None:
    """The limit for an Item: its own limit, or else the limit of the rule."""
    return rule.number if item.limit is None else item.limit
