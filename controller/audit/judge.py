"""Judges a recording by each rule of the grid operators. Each rule is judged twice: for the power
of the load alone, and for the power that load and battery together take from the grid.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from controller.audit import measures
from controller.audit.lines import Energy, Measure, Worst
from controller.audit.response import Response
from controller.audit.ride import Ride, Rides, Undisturbed
from controller.audit.rules import AFTER_SAG, DECIDES, MW, NET, PERCENT, Rule, exceeds
from controller.audit.samples import (
    COMMANDED,
    FREQUENCY,
    GRID,
    LOAD,
    POWERS,
    VOLTAGE,
    AuditError,
    Block,
    Source,
    Steady,
)

SIGNALS = {VOLTAGE: "voltage", FREQUENCY: "frequency"}
# Keys of a rule with curves or limits of a sag. Commands are judged inside a curve.
CURVES = "voltage_pu_s", "frequency_Hz_s", "rate_Hz_per_s"
SERIES = {LOAD: "load alone", GRID: "with battery"}
MET, BROKEN, REFUSED, BELOW, NOTHING = "met", "NOT MET", "refused", "does not apply", "not judged"
W_PER_MW = 1e6
NEAR = 1.01  # a meter that is at most 1 % slower than a rule needs is accepted
# If the changes of load and battery in one second have a correlation below AGAINST, the battery
# acts in the wrong direction.
CHANGE_S, AGAINST = 1.0, -0.3


class Verdict(NamedTuple):
    """The verdict of one rule on one power."""

    rule: Rule
    series: str
    word: str
    why: str = ""
    value: float | None = None  # for a site of the requested size, in the unit of the rule
    limit: float | None = None  # in the same unit
    begin_s: float | None = None
    at_s: float | None = None
    # The largest site that keeps the rule. inf: any size does. 0: none does. None: the rule could
    # not be judged.
    site_MW_max: float | None = None
    # {interpretation: its verdict}, if the text of the rule can be read in several ways
    readings: "dict[str, Verdict]" = {}


class Findings(NamedTuple):
    """The result of an audit. is_against: the battery's power falls when the load rises."""

    source: Source
    steady: Steady
    peak_W: float
    site_MW: float
    verdicts: list[Verdict]
    is_against: bool = False

    @property
    def seen_Hz(self) -> float:
        """The highest frequency that the meter sees: a third of its rate."""
        return 1 / (3 * self.steady.meter_s)

    @property
    def judged(self) -> str:
        """The power that decides: with battery if that was measured, otherwise the load alone."""
        return SERIES[GRID if any(v.series == SERIES[GRID] for v in self.verdicts) else LOAD]

    @property
    def deciding(self) -> list[Verdict]:
        """The verdicts on the power that decides (`judged`), one for each rule in force."""
        return self._of_rules(False)

    @property
    def proposed(self) -> list[Verdict]:
        """The same for each proposal."""
        return self._of_rules(True)

    def _of_rules(self, is_proposal: bool) -> list[Verdict]:
        judged = [verdict for verdict in self.verdicts if verdict.series == self.judged]
        return [verdict for verdict in judged if verdict.rule.is_proposal == is_proposal]

    @property
    def is_met(self) -> bool:
        """True if one rule in force is met, and none is broken or refused."""
        outcomes = {verdict.word for verdict in self.deciding}
        return MET in outcomes and not {BROKEN, REFUSED} & outcomes


class Trial(NamedTuple):
    """One rule and one power to judge, with a measure for each interpretation of the rule."""

    rule: Rule
    name: str
    free: Undisturbed
    readings: dict[str, Measure]


class Correlation:
    """Correlation of the changes of load and battery in one second. If it is clearly negative, one
    of the two powers probably has the wrong sign.
    """

    def __init__(self) -> None:
        self._load = self._battery = self._both = 0.0

    def feed(self, block: Block, step_s: float) -> None:
        """Take a block."""
        steps = max(1, round(CHANGE_S / step_s))
        load_W, grid_W = block.values[LOAD], block.values[GRID]
        load, battery = (power[steps:] - power[:-steps] for power in (load_W, load_W - grid_W))
        self._load += float(load @ load)
        self._battery += float(battery @ battery)
        self._both += float(load @ battery)

    @property
    def is_against(self) -> bool:
        """True if the battery's power falls when the load rises."""
        return self._both < AGAINST * math.sqrt(self._load * self._battery)


def audit(source: Source, rules: Sequence[Rule], site_MW: float | None) -> Findings:
    """Read the source once and judge it. site_MW: size of the site to judge, or None for the
    highest measured load. Raises AuditError or SeriesError.
    """
    steady, peak_W, correlation = Steady(source), -math.inf, Correlation()
    trials: list[Trial] = []
    for block in steady.blocks():
        names = [name for name in POWERS if name in block.values]
        trials = trials or [_trial(rule, name, steady.step_s) for rule in rules for name in names]
        peak_W = max(peak_W, float(block.values[LOAD].max()))
        if GRID in names:
            correlation.feed(block, steady.step_s)
        for trial in trials:
            power_W = trial.free.power(block, block.values[trial.name])
            for measure in trial.readings.values():
                measure.feed(block, power_W)
    if not peak_W > 0:
        raise AuditError(f"{source.path}: the load is never above 0: allowed is a power it takes")
    judged_MW = peak_W / W_PER_MW if site_MW is None else site_MW
    findings = Findings(source, steady, peak_W, judged_MW, [], correlation.is_against)
    findings.verdicts.extend([_verdict(findings, trial) for trial in trials])
    return findings


def _trial(rule: Rule, name: str, step_s: float) -> Trial:
    free = Undisturbed(rule.values.get(AFTER_SAG))
    return Trial(rule, name, free, measures.of_rule(rule, step_s))


def _verdict(findings: Findings, trial: Trial) -> Verdict:
    rule, verdict = trial.rule, _verdict_of_any_size(findings, trial)
    if rule.applies(findings.site_MW):
        return verdict
    why = f"{rule.size_words}; {verdict.why}" if verdict.why else rule.size_words
    return verdict._replace(word=BELOW, why=why)


def _verdict_of_any_size(findings: Findings, trial: Trial) -> Verdict:
    """The verdict as if the rule applied to sites of every size."""
    rule, series, meter_s = trial.rule, SERIES[trial.name], findings.steady.meter_s
    if meter_s > rule.sample_s_max * NEAR:
        needed = f"this rule needs values at most {rule.sample_s_max * 1000:.0f} ms apart"
        slow = f"the meter has one every {meter_s * 1000:.0f} ms; {needed}"
        missing = [
            _missing(rule, ride) for ride in trial.readings.values() if isinstance(ride, Rides)
        ]
        return Verdict(rule, series, REFUSED, "; ".join([*filter(None, missing), slow]))
    readings = {
        key: _of_measure(findings, rule, series, reading) for key, reading in trial.readings.items()
    }
    is_net = rule.values.get(DECIDES) == NET
    verdict = next(iter(readings.values())) if is_net else max(readings.values(), key=_strictness)
    if verdict.site_MW_max is None and verdict.value is not None:  # independent of the size
        verdict = verdict._replace(site_MW_max=math.inf if verdict.word == MET else rule.from_MW)
    return verdict._replace(readings=readings) if len(readings) > 1 else verdict


def _strictness(verdict: Verdict) -> tuple[int, float]:
    return (MET, NOTHING, REFUSED, BROKEN).index(verdict.word), verdict.value or 0.0


def _of_measure(findings: Findings, rule: Rule, series: str, measure: Measure) -> Verdict:
    measure.close()
    if isinstance(measure, Rides):
        return _of_rides(rule, series, measure)
    if isinstance(measure, Response):
        return _of_response(findings, rule, series, measure)
    if measure.worst is not None:
        verdict = _of_worst(findings, rule, series, measure, measure.worst)
        if measure.is_whole or verdict.word == BROKEN:
            return verdict
    why = f"no {rule.values['window_s']:g} s without a gap in {findings.steady.length_s:.3g} s"
    return Verdict(rule, series, NOTHING, why)


def _of_worst(
    findings: Findings, rule: Rule, series: str, measure: Measure, worst: Worst
) -> Verdict:
    if isinstance(measure, Energy):
        value, site_MW_max = 100 * measure.share, None
    else:
        share = worst.value / findings.peak_W
        value, site_MW_max = share * findings.site_MW, _largest(rule, share)
    limit = rule.limit(findings.site_MW)
    word = MET if rule.allows(value, findings.site_MW) else BROKEN
    verdict = Verdict(rule, series, word, value=value, limit=limit, site_MW_max=site_MW_max)
    return verdict._replace(begin_s=worst.begin_s, at_s=worst.at_s)


def _largest(rule: Rule, share: float) -> float:
    """Size of the largest site that keeps the rule, MW. share: the measured value divided by the
    highest load.
    """
    percent, limit_MW = rule.values[PERCENT], rule.values[MW]
    if percent is not None and exceeds(100 * share, percent):
        return rule.from_MW  # below that size the rule does not apply
    most = math.inf if limit_MW is None or share <= 0 else limit_MW / share
    return max(most, rule.from_MW)


def _missing(rule: Rule, rides: Rides) -> str:
    """A text about the signals that the rule needs and the record lacks; "" if it has all."""
    missing = [signal for name, signal in SIGNALS.items() if name not in rides.seen]
    if COMMANDED not in rides.seen and any([rule.values[key] for key in CURVES]):
        missing.append("commands")
    return f"the record has no {' and no '.join(missing)}" if missing else ""


def _of_rides(rule: Rule, series: str, rides: Rides) -> Verdict:
    missing, has_signal = _missing(rule, rides), not rides.seen.isdisjoint(SIGNALS)
    if not has_signal or COMMANDED not in rides.seen and rule.values["back_s"] is None:
        return Verdict(rule, series, NOTHING, missing)
    if rides.other_Hz:
        why = f"the rule is for another grid: this one has {rides.other_Hz:.0f} Hz"
        return Verdict(rule, series, NOTHING, why)
    if not rides.rides:
        return Verdict(rule, series, NOTHING, _sags_text([], missing))
    limit = rule.values["back_s"]
    worst = max(rides.rides, key=_severity)
    word, why = MET, _sags_text(rides.rides, missing)
    if worst.act:
        word, why = BROKEN, f"{worst.act} commanded {worst.act_s:.2f} s into the sag; {why}"
    elif worst.back_s is not None and exceeds(worst.back_s, limit):
        word = BROKEN
    elif all([ride.is_inside and not ride.is_back for ride in rides.rides]):
        word, why = NOTHING, f"no power before the sag, or the record ends in {limit:g} s; {why}"
    value = worst.back_s
    return Verdict(rule, series, word, why, value, limit, begin_s=worst.begin_s, at_s=worst.end_s)


def _of_response(findings: Findings, rule: Rule, series: str, measure: Response) -> Verdict:
    judged, frequency_s = measure.deviations, findings.steady.frequency_s
    notes = [
        note
        for count, note in (
            (measure.cut, f"{measure.cut} at an end of the record"),
            (measure.small, f"{measure.small} too small"),
            (measure.unknown_s, f"frequency unknown for {measure.unknown_s:.3g} s"),
        )
        if count
    ]
    if series == SERIES[LOAD] or not judged:
        why = "it needs the battery" if judged else "; ".join(["no deviation to judge", *notes])
        return Verdict(rule, series, NOTHING, why)
    worst = max(judged, key=lambda deviation: deviation.comparison.apart)
    delay_s, energy = worst.comparison.delay * measure.step_s, 100 * worst.comparison.energy
    unseen_s = frequency_s - measure.step_s  # the frequency may have changed so long before
    if exceeds(delay_s + unseen_s, rule.values["delay_s"]):
        why = f"the frequency has one value every {frequency_s * 1000:.0f} ms, so the response may"
        why += f" be {delay_s + unseen_s:.2f} s late; this rule allows {rule.values['delay_s']:g} s"
        return Verdict(rule, series, REFUSED, why)
    value, limit = 100 * worst.comparison.apart, rule.limit(0.0)
    why = (
        f"{'; '.join([f'{len(judged)} deviations', *notes])}; the worst one {delay_s:.2f} s late, "
        f"with {energy:.1f} % of the energy, {worst.used_Wh:.3g} Wh"
    )
    word = BROKEN if exceeds(value, limit) else MET
    return Verdict(rule, series, word, why, value, limit, begin_s=worst.begin_s, at_s=worst.end_s)


def _severity(ride: Ride) -> tuple[bool, float]:
    return bool(ride.act), -1.0 if ride.back_s is None else ride.back_s


def _sags_text(rides: Sequence[Ride], missing: str) -> str:
    inside = sum([ride.is_inside for ride in rides])
    sags = f"{inside} of {len(rides)} sags inside the curve" if rides else "no sag in this record"
    return f"{sags}; {missing}" if missing else sags
