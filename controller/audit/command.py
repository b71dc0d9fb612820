"""The command `firebreak audit RECORD`. It judges a load's power by rules of grid operators."""

import os
import resource
from argparse import ArgumentTypeError, Namespace
from collections.abc import Callable

from controller.audit import judge, page, report, rules, sources
from controller.audit.judge import Findings
from controller.audit.samples import AuditError
from controller.forms.refusal import ConfigError
from controller.series import times
from controller.series.refusal import SeriesError
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT


def _above_0(text: str) -> float:
    """An argparse type: a number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e5:
        raise ArgumentTypeError(f"{text}: allowed is a number above 0, at most 100000")
    return value


@cli.command(
    "audit",
    cli.option("record", help="a CSV file with t_s and load_kW, or a capture (a journal)"),
    cli.option("--site-MW", type=_above_0, metavar="X", help="scale the load's peak to this size"),
    cli.option(
        "--rules",
        nargs="+",
        default=rules.usual(),
        metavar="FILE",
        help=f"shipped: {', '.join(rules.names())}; or files of your own (all, no template)",
    ),
    cli.option("--column", metavar="NAME", help="column of the load, of a CSV file"),
    cli.option("--meter-ms", type=_above_0, metavar="N", help="time between values of the meter"),
    cli.option("--zone", default="UTC", help="of times without an offset (%(default)s)"),
    cli.option("--json", type=cli.output_file, metavar="FILE", help="write the findings as JSON"),
    cli.option(
        "--html",
        type=cli.output_file,
        metavar="FILE",
        help="write a page with the worst moment of each rule",
    ),
)
def run(arguments: Namespace) -> int:
    """Audit a recording. Exit codes: 0 if a rule in force is met, and none is broken or refused; 1
    otherwise; 2 for wrong input; 3 if a file could not be written.
    """
    with cli.ends(WRONG_INPUT, ConfigError, SeriesError, AuditError):
        chosen = [rule for name in arguments.rules for rule in rules.load(name)]
        meter_s = (arguments.meter_ms or 0.0) / 1000
        zone = times.zone_of(arguments.zone)
        source = sources.opened(arguments.record, arguments.column, meter_s, zone)
        findings = judge.audit(source, chosen, arguments.site_MW)
        _write(findings, arguments.json, lambda findings: cli.as_json(report.document(findings)))
        _write(findings, arguments.html, page.html_page)
    print(report.text(findings))
    used = resource.getrusage(resource.RUSAGE_SELF)
    cpu_s, memory_MiB = used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
    print(f"{findings.steady.samples} samples; {cpu_s:.1f} s of CPU, at most {memory_MiB:.0f} MiB")
    return DONE if findings.is_met else NOT_DONE


def _write(findings: Findings, path: str | None, content: Callable[[Findings], str]) -> None:
    if path is None:
        return
    if os.path.realpath(path) == os.path.realpath(findings.source.path):
        raise AuditError(f"{path}: is the record; allowed is another file")
    cli.write(path, content(findings) + "\n")
