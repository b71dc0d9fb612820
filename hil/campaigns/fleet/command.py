"""`python -m hil trials fleet`: jobs that move among cabinets, and pods that fail."""

import math
from typing import Any

from hil.campaigns.fleet import pods, real
from hil.campaigns.trials import Figures, Judged, Trial, count_option
from hil.engine.arguments import whole
from hil.fleet import jobs
from hil.fleet.broker import Faults
from hil.runner import options

JOBS_HOURS, JOBS_COUNT = 3, 3
SHORT_PERMILLE_MAX = 15.0
PODS = 4, 8, 16
OTHERS = 3  # courses that are also played with fixed parts and with a liar
COLUMNS = "  {:<48}{:>12}{:>8}{:>9}{:>12}{:>13}{:>10}{:>16}{:>11}{:>7}"


class Fleet(Trial):
    """Met if the limits in force never sum to more than the connection, and jobs lack at most 1.5 %
    of their load. Without a liar the import must stay within the connection too, while the pods can
    carry the rest.
    """

    summary = "a dispatcher shares one connection among cabinets that fail"
    mode = "value, 100 ms, with the kernel; broker and time are virtual without --real"
    own_options = count_option(1000, 5, "courses for each number of pods") | {
        "--minutes": options.value(whole(1, 600), "MIN", "length of a course (%(default)s)", 60),
        "--pods": options.value(whole(2, 64), "N", "only this many pods (4, 8 and 16)", 0),
        "--real": options.value(whole(0, 600), "MIN", "one course in real time; 0: none", 0),
    }

    def draw(self) -> list[Any]:
        """Seeds of the jobs, then the courses, the first ones also with fixed parts and a liar."""
        arguments = self.arguments
        if arguments.real:
            case = pods.drawn(arguments.pods or PODS[0], 1, arguments.seed, arguments.real * 60)
            return [case._replace(kind=pods.REAL)]
        counts = (arguments.pods,) if arguments.pods else PODS
        drawn = [
            pods.drawn(pod_count, number, arguments.seed, arguments.minutes * 60)
            for pod_count in counts
            for number in range(1, arguments.count + 1)
        ]
        variants = [
            course._replace(kind=kind)
            for course in drawn[:OTHERS]
            for kind in (pods.FIXED, pods.LYING)
        ]
        return [*range(arguments.seed, arguments.seed + JOBS_COUNT), *drawn, *variants]

    def name(self, case: Any) -> str:
        """See Trial."""
        return f"jobs, seed {case}" if isinstance(case, int) else case.name

    def play(self, case: Any) -> Figures:
        """See Trial."""
        if isinstance(case, int):
            figures = jobs.played(case, JOBS_HOURS, Faults())._asdict()
            return {"name": self.name(case), "is_of_jobs": True, **figures}
        return real.played(case) if case.kind == pods.REAL else pods.played(case)

    def judge(self, outcomes: list[Any]) -> Judged:
        """See Trial."""
        job_runs = [outcome for outcome in outcomes if outcome.get("is_of_jobs")]
        pod_runs = [outcome for outcome in outcomes if not outcome.get("is_of_jobs")]
        lines = [
            f"  {job_run['name']}: {job_run['short_permille'] / 10:.2f} % of the load short, fixed "
            f"eighths {job_run['fixed_permille'] / 10:.0f} %, above the connection "
            f"{job_run['above_W']} W"
            for job_run in job_runs
        ]
        lines += _rows(pod_runs)
        for pod_run in pod_runs:
            lines += [f"  {line}" for line in pod_run.get("lines", ())]
        if job_runs:
            lines.append(_saving(job_runs, pod_runs))
        honest = [pod_run for pod_run in pod_runs if pod_run["kind"] in pods.HONEST]
        over_s = sum(pod_run["seconds_over"] for pod_run in honest)
        rising_s = sum(pod_run["seconds_of_rises"] for pod_run in honest)
        is_met = (
            over_s == 0
            and all(pod_run["shares_over_W"] <= 0 for pod_run in pod_runs)
            and all(
                job_run["short_permille"] <= SHORT_PERMILLE_MAX and job_run["above_W"] <= 0
                for job_run in job_runs
            )
        )
        verdict = (
            f"{over_s} s above the connection that the remaining pods could have carried, and "
            f"{rising_s} s in which the load had just risen"
        )
        return Judged({"jobs": job_runs, "courses": pod_runs}, lines, verdict, is_met)


def _rows(pod_runs: list[Any]) -> list[str]:
    """The table of the courses."""
    head = "highest MW", "s over", "kW over", "s of rises", "kW of rises", "s beyond"
    return [
        COLUMNS.format("course", *head, "shares over kW", "given kWh", "trips"),
        *[
            COLUMNS.format(
                pod_run["name"],
                f"{pod_run['highest_W'] / 1e6:.3f}",
                pod_run["seconds_over"],
                f"{pod_run['most_over_W'] / 1000:.0f}",
                pod_run["seconds_of_rises"],
                f"{pod_run['most_of_rises_W'] / 1000:.0f}",
                pod_run["seconds_beyond"],
                f"{pod_run['shares_over_W'] / 1000:,.0f}",
                f"{pod_run['given_kWh']:,}",
                len(pod_run["trips"]),
            )
            for pod_run in pod_runs
        ],
    ]


def _saving(job_runs: list[Any], pod_runs: list[Any]) -> str:
    """A line: the energy that a dispatcher saves in the same courses."""

    def total(courses: list[Any], key: str) -> float:
        return math.fsum(course[key] for course in courses)

    fixed = [pod_run for pod_run in pod_runs if pod_run["kind"] == pods.FIXED]
    led = [pod_run for pod_run in pod_runs if pod_run["kind"] == pods.LED][: len(fixed)]
    short, fixed_short = [
        total(job_runs, key) / len(job_runs) / 10 for key in ("short_permille", "fixed_permille")
    ]
    return (
        f"saving     energy, not money; in brackets with fixed parts: jobs lack {short:.1f} % "
        f"({fixed_short:.0f} %) of their load; in {len(fixed)} courses batteries give "
        f"{total(led, 'given_kWh'):,.0f} ({total(fixed, 'given_kWh'):,.0f}) kWh, and "
        f"{total(led, 'over_kWh'):.1f} ({total(fixed, 'over_kWh'):.1f}) kWh exceed the connection"
    )
