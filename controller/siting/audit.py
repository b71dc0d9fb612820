"""Judges a site by every rule: met, not met, not applicable, or a fact is missing. Scope rules
apply or do not.
"""

from typing import NamedTuple

from controller.siting import (
    measure_dwellings,
    measure_places,
    measure_tests,
    measure_units,
    rules,
    scopes,
)
from controller.siting.geometry import TOUCH_m
from controller.siting.items import Item

MET, NOT_MET, NOT_APPLICABLE, NEEDS_FACT, APPLIES = (
    "met",
    "not met",
    "not applicable",
    "needs a fact",
    "applies",
)


class Finding(NamedTuple):
    """One rule on one site. worst: the Item the verdict rests on; wrong: all Items that do not meet
    it.

    facts: what is missing; reason: why it is not applicable.
    """

    rule: rules.Rule
    verdict: str
    clause: str
    confidence: str
    worst: Item | None = None
    items: tuple = ()
    wrong: tuple = ()
    facts: tuple = ()
    reason: str = ""


def audit(site):
    """A Finding for every rule, in the order of rules.RULES."""
    return [judge(site, rule) for rule in rules.RULES]


def is_met(findings):
    """Whether nothing is violated and nothing is missing."""
    return not any([finding.verdict in (NOT_MET, NEEDS_FACT) for finding in findings])


def is_sure(finding):
    """Whether neither the number nor the clause of a Finding is from memory."""
    return finding.confidence != "G" and "(?)" not in finding.clause


def judge(site, rule):
    """The Finding of one rule."""
    clause, confidence = rule.clauses.get(site.edition, ("", ""))
    reason = _excluded(site, rule) or getattr(scopes, rule.scope)(site)
    items = [] if reason else measure_of(rule)(site, rule)
    if isinstance(items, str):
        items, reason = [], items
    reason = reason or ("" if items else "nothing of that kind here")
    own = [item for item in items if not item.by]
    if items and not own:
        reason = f"judged by {', '.join(dict.fromkeys([item.by for item in items]))}"
    if reason:
        return Finding(rule, NOT_APPLICABLE, clause, confidence, items=tuple(items), reason=reason)
    facts = tuple(dict.fromkeys([item.fact for item in own if item.fact]))
    known = [item for item in own if not item.fact]
    if rule.sense == rules.SCOPE:
        return _scope(rule, clause, confidence, known, facts)
    in_order = sorted(known, key=lambda item: margin(rule, item))
    wrong = tuple([item for item in in_order if margin(rule, item) < -TOUCH_m])
    verdict = NOT_MET if wrong else NEEDS_FACT if facts else MET
    return Finding(
        rule,
        verdict,
        clause,
        confidence,
        in_order[0] if in_order else None,
        tuple(items),
        wrong,
        facts,
    )


def measure_of(rule):
    """The function a rule names; both modules of measures are looked into."""
    modules = (measure_units, measure_dwellings, measure_tests, measure_places)
    return next(filter(None, [getattr(each, rule.measure, None) for each in modules]))


def _excluded(site, rule):
    if rule.local and rule.local not in site.local:
        return f"local profile {rule.local} is not in force"
    if site.edition not in rule.clauses:
        return f"not a rule of {site.edition}"
    return ""


def _scope(rule, clause, confidence, items, facts):
    applying = [item for item in items if item.value]
    worst = applying[0] if applying else None
    if facts:  # what is known of one model does not stand for another
        return Finding(rule, NEEDS_FACT, clause, confidence, worst, tuple(items), facts=facts)
    if applying:
        return Finding(rule, APPLIES, clause, confidence, worst, tuple(items))
    return Finding(
        rule, NOT_APPLICABLE, clause, confidence, items=tuple(items), reason="it is not so here"
    )


def margin(rule, item):
    """By how much an Item meets a rule, below 0 by how much it does not; of a fact 1 or -1."""
    if rule.sense in (rules.SAID, rules.SCOPE):
        return 1.0 if item.value else -1.0
    limit = limit_of(rule, item)
    return item.value - limit if rule.sense == rules.AT_LEAST else limit - item.value


def limit_of(rule, item):
    """The number an Item is held against."""
    return rule.number if item.limit is None else item.limit
