"""The findings of an audit as text and as JSON."""

import math
from collections.abc import Iterator, Sequence

from controller.audit.judge import Findings, Verdict
from controller.audit.measures import POLES, settling_s
from controller.audit.rules import (
    AFTER_SAG,
    CHANGE,
    CONFIRMED,
    CONTENT,
    DECIDES,
    ENERGY,
    LINE,
    MW,
    NET,
    PERCENT,
    PROVENANCE,
    RAMP,
    RANGE,
    RESPONSE,
    RIDE,
    SLOWER,
    Rule,
)
from controller.documents.document import Facts
from controller.recorder.csv_files import utc_text
from controller.series.refusal import listed
from controller.system.paths import printable

US, LOW_W = 1e6, 1000.0


def text(findings: Findings) -> str:
    """The report as text."""
    steady, path = findings.steady, findings.source.path
    lines = [
        f"{path}: {steady.length_s:.1f} s at {steady.step_s * 1000:g} ms, highest load "
        f"{findings.peak_W / 1e6:.4g} MW; judged as a site of {findings.site_MW:.4g} MW",
        f"its meter sees up to {findings.seen_Hz:.3g} Hz, a third of its rate: one value each "
        f"{steady.meter_s * 1000:.4g} ms",
    ]
    if steady.gaps or steady.lost:
        lines.append(
            f"{steady.lost} lost samples bridged; {steady.gaps} gaps, {steady.gap_s:.1f} s left out"
        )
    if unread := getattr(findings.source, "unread", []):
        lines.append(f"columns that are not read: {listed(unread)}")
    if findings.peak_W < LOW_W:
        lines.append(f"its highest load is {findings.peak_W:g} W: is the unit right?")
    if findings.is_against:
        lines.append("the battery takes more when the load rises: above 0 must be discharging")
    for index, verdict in enumerate(findings.verdicts):
        if not index or findings.verdicts[index - 1].rule is not verdict.rule:
            lines += ["", f"{verdict.rule.title}: {limit_words(verdict.rule)}"]
            if blind := unseen(findings, verdict.rule):
                lines.append(f"  {blind}")
        lines.append(f"  {verdict.series:13} {verdict.word:14} {details(findings, verdict)}")
    return "\n".join(map(printable, [*lines, "", *_end(findings)]))


def unseen(findings: Findings, rule: Rule) -> str:
    """A text about what the rule asks and the record does not show; "" if it shows all."""
    band_Hz, seen_Hz, texts = rule.values.get("band_Hz"), findings.seen_Hz, []
    is_ramp = rule.quantity == RAMP and rule.values[DECIDES] != NET
    is_fast = rule.quantity in (RANGE, CHANGE, LINE, CONTENT, ENERGY) or is_ramp
    if is_fast and not (band_Hz and band_Hz[1] <= seen_Hz):
        texts.append(f"not seen: above {seen_Hz:.3g} Hz, a third of the rate of the meter")
    if rule.quantity == RANGE and band_Hz:
        first = f"the first {settling_s(band_Hz):g} s, also after a gap"
        texts.append(f"not judged: {first}, because the filter begins there")
    return "; ".join(texts)


def limit_words(rule: Rule) -> str:
    """The limit of the rule, in words."""
    values, per = rule.values, rule.unit.removeprefix("MW")
    size = f", {rule.size_words}" if rule.size_words else ""
    if rule.quantity == RIDE and not values["back_s"]:
        return f"no stop, island or shed inside the curve{size}"
    if rule.quantity == RIDE:
        return f"{values['back_percent']:g} % of the power back in {values['back_s']:g} s{size}"
    if rule.quantity == RESPONSE:
        late = f"at most {values['delay_s']:g} s late"
        return f"at most {values['limit_percent']:g} % apart from the droop's energy, {late}{size}"
    if rule.quantity == ENERGY:
        band_Hz, percent = values["band_Hz"], values["limit_percent"]
        return (
            f"{band_Hz[0]:g} to {band_Hz[1]:g} Hz, at most {percent:g} % of the energy of changes"
        )
    units = {MW: f"MW{per}", PERCENT: f"% of the load's peak{per}"}
    limits = [f"{values[key]:g} {unit}" for key, unit in units.items() if values[key] is not None]
    band_Hz = values.get("band_Hz")
    band = f"{band_Hz[0]:g} to {band_Hz[1]:g} Hz, " if band_Hz else ""
    if values[AFTER_SAG]:
        size += f", without a sag and {values[AFTER_SAG]:g} s after it"
    return f"{band}{_measured(rule)}, {values['limit_is']} {' and '.join(limits)}{size}"


def _measured(rule: Rule) -> str:
    """The quantity of a power that a rule limits, in words."""
    values, quantity = rule.values, rule.quantity
    window = f"{values['window_s']:g} s"
    if quantity == RAMP:
        percentile, direction = values["percentile"], values["direction"]
        slope = "mean slope" if values[DECIDES] == NET else "change"
        slopes = f"{percentile:g} % of the mean slopes" if percentile else slope
        return f"{slopes} {'' if direction == 'both' else f'{direction} '}over {window}"
    if quantity == CHANGE:
        slope = values[SLOWER]
        return f"change not slower than {slope:g} MW/s" if slope else f"change over any {window}"
    if quantity == LINE:
        return f"amplitude of each line from {values['low_Hz']:g} Hz up"
    if quantity == CONTENT:
        return "content"
    poles = " or ".join([POLES[count] for count in values["poles"]])
    return f"range in any {window}" + (f", {poles}" if values["band_Hz"] else "")


def details(findings: Findings, verdict: Verdict) -> str:
    """Words for a verdict: its reason, its value and limit, its time, and the largest site."""
    parts = [verdict.why] if verdict.why else []
    if verdict.value is not None:
        parts.append(f"{verdict.value:.4g} {verdict.rule.unit} of {verdict.limit:.4g}")
    if verdict.at_s is not None:
        parts.append(f"at {_time(findings, verdict.at_s)}")
    if verdict.site_MW_max is not None:
        parts.append(f"largest site {_size(verdict.rule, verdict.site_MW_max)}")
    readings = [(meaning, reading.value) for meaning, reading in verdict.readings.items()]
    values = [f"{meaning} {value:.4g}" for meaning, value in readings if value is not None]
    if values:
        deciding = "first" if verdict.rule.values.get(DECIDES) == NET else "stricter"
        parts.append(f"the {deciding} reading decides: {', '.join(values)}")
    return "; ".join(parts)


def _size(rule: Rule, size_MW: float) -> str:
    if size_MW == math.inf:
        return "any"
    if size_MW and size_MW == rule.from_MW:
        begins = "up to" if rule.is_above else "below"
        return f"{begins} {size_MW:.4g} MW, where the rule begins"
    return f"{size_MW:.4g} MW" if size_MW else "none"


def _time(findings: Findings, at_s: float) -> str:
    begin_s = findings.source.begin_utc_s
    utc = "" if begin_s is None else f" ({utc_text(round((begin_s + at_s) * US))})"
    return f"{at_s:.3f} s{utc}"


def _end(findings: Findings) -> Iterator[str]:
    yield from _ends(findings.judged, "all rules", findings.deciding)
    if findings.proposed:
        yield from _ends(f"{findings.judged}, proposals", "the proposals", findings.proposed)
    doubtful = [rule for rule, *_ in findings.verdicts if rule.provenance != CONFIRMED]
    if doubtful:
        operators = dict.fromkeys([rule.operator for rule in doubtful])
        yield f"(?) not read in the document itself: {', '.join(operators)}; --json has the source"


def _ends(title: str, rules: str, verdicts: Sequence[Verdict]) -> Iterator[str]:
    outcomes = [verdict.word for verdict in verdicts]
    counts = [f"{outcomes.count(word)} {word}" for word in dict.fromkeys(outcomes)]
    yield f"{title}: {', '.join(counts) or 'no rule in force'}"
    yield f"largest site over {rules}: {_largest(verdicts)}"


def _largest(verdicts: Sequence[Verdict]) -> str:
    smallest, parts = _binding(verdicts), ["not known"]
    if smallest is not None and smallest.site_MW_max is not None:
        parts = [_size(smallest.rule, smallest.site_MW_max)]
        if smallest.site_MW_max < math.inf:
            parts.append(f"binding rule: {smallest.rule.title}")
    if unjudged := _unjudged(verdicts):
        parts.append(f"rules that could not be judged: {unjudged} of {len(verdicts)}")
    return "; ".join(parts)


def _binding(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict that allows the smallest site. None if none could be judged."""
    known = [verdict for verdict in verdicts if verdict.site_MW_max is not None]
    return min(known, key=lambda verdict: verdict.site_MW_max or 0.0, default=None)


def _unjudged(verdicts: Sequence[Verdict]) -> int:
    return sum([verdict.site_MW_max is None for verdict in verdicts])


def document(findings: Findings) -> Facts:
    """The findings as JSON."""
    steady, smallest = findings.steady, _binding(findings.deciding)
    return {
        "record": findings.source.path,
        "begin_utc_s": findings.source.begin_utc_s,
        "length_s": round(steady.length_s, 6),
        "sample_ms": round(1000 * steady.step_s, 6),
        "meter_ms": round(1000 * steady.meter_s, 6),
        "seen_to_Hz": round(findings.seen_Hz, 4),
        "lost_samples": steady.lost,
        "gaps": steady.gaps,
        "gap_s": round(steady.gap_s, 3),
        "unread_columns": getattr(findings.source, "unread", []),
        "peak_W": findings.peak_W,
        "battery_is_against": findings.is_against,
        "site_MW": findings.site_MW,
        "judged": findings.judged,
        "is_met": findings.is_met,
        "rules_not_judged": _unjudged(findings.deciding),
        "binding": None if smallest is None else _verdict(findings, smallest),
        "verdicts": [_verdict(findings, verdict) for verdict in findings.verdicts],
    }


def _verdict(findings: Findings, verdict: Verdict) -> Facts:
    rule, size_MW = verdict.rule, verdict.site_MW_max
    return {
        "operator": rule.operator,
        "document": rule.document,
        "date": rule.date,
        "provenance": PROVENANCE[rule.provenance],
        "is_proposal": rule.is_proposal,
        "rule": rule.name,
        "limit_words": limit_words(rule),
        "note": rule.note,
        "from_MW": rule.from_MW,
        "is_above": rule.is_above,
        "not_seen": unseen(findings, rule) or None,
        "series": verdict.series,
        "verdict": verdict.word,
        "why": verdict.why,
        "value": verdict.value,
        "limit": verdict.limit,
        "unit": rule.unit,
        "begin_s": verdict.begin_s,
        "at_s": verdict.at_s,
        "any_site": size_MW == math.inf,
        "site_MW_max": None if size_MW == math.inf else size_MW,
        "readings": [
            {
                "reading": meaning,
                "verdict": reading.word,
                "value": reading.value,
                "at_s": reading.at_s,
            }
            for meaning, reading in verdict.readings.items()
        ],
    }
