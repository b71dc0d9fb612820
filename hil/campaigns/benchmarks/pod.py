"""`python -m hil bench pod` measures two cabinets on one site in real time."""

from hil.campaigns.benchmarks import machine
from hil.campaigns.benchmarks.cyclictest import Cyclictest
from hil.campaigns.benchmarks.document import Figures, Measured, memory_figure
from hil.campaigns.benchmarks.lateness import figures_of
from hil.engine import pod_rig
from hil.engine.processes import ROOT

POD = ROOT / "hil" / "site" / "examples" / "two_cabinets_pv_genset.toml"
SOC_PCT = 55.0


def run(seconds: float = 300.0, seed: int = 1) -> Measured:
    """The findings. Raises RigError, OSError."""
    order = {"file": str(POD), "seconds": seconds, "seed": seed, "soc_pct": SOC_PCT, "html": None}
    priorities: list[str] = []

    def see(rig: pod_rig.PodRig) -> None:
        priorities[:] = [machine.priority(box.process.pid) for box in rig.boxes if box.process]

    load = machine.load_average()
    with Cyclictest() as rival:
        doc = pod_rig.played(order, see)
    figures: Figures = []
    for number, member in enumerate(doc["members"], 1):
        controller, name = member["controller"], f"cabinet {number} of {len(doc['members'])},"
        figures += figures_of(f"{name} loop lateness", controller["loop"], rival)
        own_kB = controller["memory_kB"]["anonymous"]
        figures.append(memory_figure(f"{name} own memory", own_kB, "pod_memory"))
    notes = [
        *rival.notes,
        f"{seconds:g} s of {POD.name}",
        f"load of the machine {load} at the begin, {machine.load_average()} at the end",
    ]
    details = {"cyclictest": rival.result, "members": doc["members"]}
    return Measured(figures, notes, details, " / ".join({*priorities}))
