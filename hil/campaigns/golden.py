"""`python -m hil golden` prints digests, which prove that a change kept every output byte.

Each scenario has a line of digests. They cover its journals, every frame on its wires, the limit
image, and the JSON document without the keys about the machine. The digests depend on the versions
of Python and numpy.
"""

import argparse
import hashlib
import json
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

from controller.config import configuration
from controller.config.cabinet_config import Config
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from hil.results import recorder, run_result
from hil.runner import options, report
from hil.runner.cases import Runner
from hil.scenarios import scenario

COLUMNS = ["scenario", "journal", "wire", "image", "json"]


def main(arguments: argparse.Namespace) -> int:
    """Print a line per scenario. Returns 1 if a digest differs from --against, else 0."""
    wanted = arguments.against
    print(*COLUMNS)
    with Runner(arguments) as runner:
        lines = sorted(runner.play(scenario.names(), digests))
    print("\n".join(lines), flush=True)
    if wanted is None:
        return report.MET
    names = sorted({line.split()[0] for line in set(wanted) ^ set(lines)})
    print(report.verdict(f"differ: {', '.join(names)}" if names else "equal"))
    return report.NOT_MET if names else report.MET


def _earlier(path: str) -> list[str]:
    """The lines about scenarios in the output of an earlier run."""
    try:
        head, *lines = pathlib.Path(path).read_text(encoding="ascii").splitlines() or [""]
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(f"{path}: cannot be read as text") from None
    if head.split() != COLUMNS:
        raise argparse.ArgumentTypeError(f"{path}: is not an output of this command")
    return [line for line in lines if len(line.split()) == len(COLUMNS)]


def digests(name: str) -> str:
    """The line of one scenario: its name, and its digests in the order of COLUMNS."""
    chosen = scenario.load(name)
    config = configuration.load(str(EXAMPLE))
    wire = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        outcome = _run(chosen, config, pathlib.Path(folder, "journal"), wire)
        journals = hashlib.sha256(
            b"".join(path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir()))
        )
    document = {key: value for key, value in outcome.doc.items() if key not in run_result.machine()}
    written = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    image = hashlib.sha256(
        bytes(config.safety_image) + bytes(config.control_image) + bytes(config.source_image)
    )
    return " ".join(
        (name, *(digest.hexdigest()[:16] for digest in (journals, wire, image, written)))
    )


def _run(
    chosen: scenario.Scenario, config: Config, journal_path: pathlib.Path, wire: Any
) -> run_result.Outcome:
    """The outcome of a scenario in virtual time. The digest `wire` gets every byte on the wires."""
    load = selection.load_of({"seed": chosen.seed, "duration_s": chosen.duration_s}, chosen)
    rig = VirtualRig(
        config,
        load.power,
        chosen.seed,
        chosen.actions,
        {"soc": chosen.soc_pct / 100},
        str(journal_path),
    )
    line: Any
    for name, line in (*rig.controller.wires.items(), *rig.controller.can.items()):
        line.tap = _both(line.tap, name, wire)
    rig.run(chosen.duration_s)
    extra = {"mode": "virtual time", "seed": chosen.seed}
    return run_result.Outcome(recorder.run_of(rig, load.about), extra, chosen, load.from_us)


def _both(tap: Callable[..., Any], name: str, wire: Any) -> Callable[..., None]:
    """A tap that passes all bytes on to `tap` and to the digest `wire`."""

    def tapped(time_us: int, tag: str, data: bytes) -> None:
        wire.update(f"{name} {time_us} {tag} {bytes(data).hex()}\n".encode())
        tap(time_us, tag, data)

    return tapped


add = options.command(
    "golden",
    "digests of every scenario: journal, wire frames, limit image, JSON",
    main,
    options.CASES
    | {"--against": options.value(_earlier, "FILE", "an earlier output: name what differs")},
)
