"""Makes the document `firebreak document times`. For each stage of the cause-and-effect matrix that
stops the converter, it shows how long each part of the way takes on the example site, s.
"""

from controller.config import time_chain
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.documents.document import Blocks, Heading, Table, Text
from controller.documents.hazard_log import example_site
from controller.rows import matrix_words, records
from safety import matrix as m

# Parts of the time that come from the row of the matrix itself. The column "debounce" is their sum.
OWN = ("silence", "window", "once a second", "report", "gate", "self-test", "link", "debounce")
HEAD = (
    "The worst case while all devices answer. debounce: all waiting times of the row, also its "
    "silence or window, and 1 s more for a feature that is computed once a second. decided: the "
    "sum up to the outputs of the tick. power zero: adds I/O write, relay and dead time of the "
    "converter, and 2 s for a ramp. contactors open: under load, with the waiting time of the "
    "row, the off-delay relay and the contactor. safety/chapters/TIMES.md says what is assumed."
)
HEADERS = "stage sensor bus debounce tick decided".split()


def blocks() -> Blocks:
    """The page."""
    return [
        Heading(1, "How long each stage takes"),
        Text(HEAD),
        Heading(2, "Parts, computed (c) or assumed (a)"),
        sources(),
        Heading(2, "Stages"),
        times(),
    ]


def times() -> Table:
    """One line for each stage that stops the converter, with the parts of its time in seconds."""
    config, schedule = example_site()
    rows = [
        (str(stage[m.S_ID]), *cells(config, schedule, stage))
        for stage in sorted(m.STAGES, key=lambda stage: (stage[m.S_ROW], stage[m.S_ID]))
        if stage[m.S_DEMAND][m.D_PCS] and not records.feature_name(stage).startswith("boot_")
    ]
    return Table((*HEADERS, "power zero", "contactors open"), rows)


def cells(config: Config, schedule: Schedule, stage: tuple) -> list[str]:
    """[sensor, bus, debounce, tick, decided, power zero, contactors open] in seconds."""
    parts = time_chain.decision(config, schedule, stage)
    times_ms = {part.what: part.time_ms for part in parts}
    sensor_ms = times_ms.get("contact", 0) + times_ms.get("sensor", 0)
    own_ms = sum(times_ms.get(name, 0) for name in OWN)
    decided_ms = sum(times_ms.values())
    zero_ms = sum(part.time_ms for part in time_chain.chain(config, schedule, stage))
    opened_ms = time_chain.opened_ms(config, schedule, stage)
    waits = "at zero current" if stage[m.S_DEMAND][m.D_DC] == m.DC_OPEN_ONLY_AT_ZERO else "-"
    cells_ms = sensor_ms, times_ms.get("bus", 0), own_ms, times_ms["tick"], decided_ms, zero_ms
    return [*map(_seconds, cells_ms), waits if opened_ms is None else _seconds(opened_ms)]


def _seconds(duration_ms: float) -> str:
    return f"{duration_ms / 1000:.2f}"


def sources() -> Table:
    """A table of the parts of the time that many stages have in common."""
    config, schedule = example_site()
    rows = [
        (name, matrix_words.after(last_ms), f"a: {why}")
        for name, last_ms, why in time_chain.ASSUMED
    ]
    stage = next(stage for stage in m.STAGES if records.feature_name(stage) == "image_changed")
    parts = time_chain.decision(config, schedule, stage)
    scan_ms = next(part.time_ms for part in parts if part.what == "silence")
    image = f"limit image, {time_chain.SCANS} scans of {len(config.safety_image)} words"
    rows.append((image, f"{scan_ms} ms", f"c: {config.racks} racks"))
    write_ms = time_chain.write_ms(config, schedule, ("pcs_enable_ok",))
    rows.append(("I/O write, in flight and frame", f"{write_ms} ms", "c: of the PCS enable"))
    return Table(("part", "time", "kind"), rows)
