"""Tables of safety/README.md and its chapters; `python -m tests.safety.assessor` writes them."""

from controller.config import bus_times, configuration, time_chain
from controller.documents import document, effect_words, fault_table, hazard_log, hazard_page
from controller.rows import matrix_words as words, number_sources, records
from controller.rows.facts import FACTS
from safety import matrix as m
from tests import generated_page
from tests.repository import ROOT

FOLDER = ROOT / "safety"


def ordered():
    return sorted(m.STAGES, key=lambda stage: (stage[m.S_ROW], stage[m.S_ID]))


def table(head, *lines):
    head = [word.replace("_", " ") for word in head]
    ruler = "|" + "---|" * len(head)
    head, *lines = [f"| {' | '.join(map(str, cells))} |" for cells in (head, *lines)]
    return "\n".join([head, ruler, *lines])


def sure(confidence):
    return "G (?)" if confidence == "G" else confidence


def basis(row):
    return records.ROWS[row].basis, sure(records.ROWS[row].confidence)


def stage_table():
    lines = ["stage cause trips_at after clear_at for reset effects numbers_from".split()]
    for stage in ordered():
        trips_at = words.trips_at(stage, stage[m.S_SET]), words.after(stage[m.S_SET_MS])
        clears_at = words.clears_at(stage, stage[m.S_CLEAR]), words.after(stage[m.S_CLEAR_MS])
        effects = ", ".join(effect_words.effects(stage))
        cells = words.RESETS[stage[m.S_LATCH]], effects, number_sources.short(stage[m.S_ID])
        lines.append((stage[m.S_ID], words.cause(stage), *trips_at, *clears_at, *cells))
    return table(*lines)


def row_table():
    lines = [(row, records.ROWS[row].what, *basis(row)) for row in records.ROWS]
    return table(["row", "what_it_is", "basis", "confidence"], *lines)


def fact_table():
    lines = [(key, one.fact, one.source, sure(one.confidence)) for key, one in FACTS.items()]
    return table(["key", "fact", "source", "confidence"], *lines)


# parts that the row itself waits for
OWN = ("silence", "window", "once a second", "report", "gate", "self-test", "link", "debounce")


def site():
    found = configuration.load(str(ROOT / "controller" / "sites" / "example" / "cabinet.toml"))
    return found, bus_times.schedule(found)


def seconds(duration_ms):
    return f"{duration_ms / 1000:.2f}"


def time_table():
    """One line a stage that takes power away: the chain in seconds."""
    found, schedule = site()
    lines = ["stage sensor bus debounce tick decided power_zero contactors_open".split()]
    for stage in ordered():
        if stage[m.S_DEMAND][m.D_PCS] and not records.feature_name(stage).startswith("boot_"):
            lines.append((stage[m.S_ID], *time_cells(found, schedule, stage)))
    return table(*lines)


def time_cells(found, schedule, stage):
    """(sensor, bus, debounce, tick, decided, power zero, contactors open) in seconds."""
    parts = time_chain.decision(found, schedule, stage)
    times_ms = {part.what: part.time_ms for part in parts}
    sensor_ms = times_ms.get("contact", 0) + times_ms.get("sensor", 0)
    own_ms = sum([times_ms.get(what, 0) for what in OWN])
    decided_ms = sum(times_ms.values())
    zero_ms = sum([part.time_ms for part in time_chain.chain(found, schedule, stage)])
    opened_ms = time_chain.opened_ms(found, schedule, stage)
    waits = "at zero current" if stage[m.S_DEMAND][m.D_DC] == m.DC_OPEN_ONLY_AT_ZERO else "-"
    found_ms = sensor_ms, times_ms.get("bus", 0), own_ms, times_ms["tick"], decided_ms, zero_ms
    return [*map(seconds, found_ms), waits if opened_ms is None else seconds(opened_ms)]


def sources_table():
    found, schedule = site()
    lines = [(what, words.after(last_ms), f"a: {why}") for what, last_ms, why in time_chain.ASSUMED]
    stage = next(each for each in m.STAGES if records.feature_name(each) == "image_changed")
    parts = time_chain.decision(found, schedule, stage)
    scan_ms = next(part.time_ms for part in parts if part.what == "silence")
    image = f"limit image, {time_chain.SCANS} scans of {len(found.safety_image)} words"
    lines.append((image, f"{scan_ms} ms", f"c: {found.racks} racks"))
    write_ms = time_chain.write_ms(found, schedule, ("pcs_enable_ok",))
    lines.append(("I/O write, in flight and frame", f"{write_ms} ms", "c: of the PCS enable"))
    return table(["part", "time", "kind"], *lines)


def log():
    return hazard_log.facts(*hazard_log.read())


def hazard_table():
    """All hazards, each line with a place that a link can name."""
    found = hazard_page.summary(log())
    lines = [(f'<a id="{place(cells[0])}"></a>{cells[0]}', *cells[1:]) for cells in found.rows]
    return table(found.headers, *lines)


def place(hazard):
    return hazard.lower()


CHAPTER = "chapters/HAZARDS.md"
TIGHTEST = 7  # so many hazards with the least margin
ALWAYS = ("H5", "H16")


def tight_hazard_table():
    """The hazards with the least margin, and ALWAYS."""
    lines = hazard_page.summary(log()).rows
    timed = sorted([cells for cells in lines if used(cells)], key=used, reverse=True)
    kept = [cells for cells in timed if cells in timed[:TIGHTEST] or cells[0] in ALWAYS]
    head = "id", "hazard", "allowed time", "latest", "measured"
    return table(head, *[(linked(cells[0]), cells[1], *cells[3:]) for cells in kept])


def used(cells):
    """The part of the allowed time that the latest time takes; 0.0 where one of them is "-"."""
    there_is, latest = cells[3:5]
    if "-" in (there_is, latest):
        return 0.0
    return float(latest.removesuffix(" s")) / float(there_is.removesuffix(" s"))


def linked(hazard):
    return f"[{hazard}]({CHAPTER}#{place(hazard)})"


def open_table():
    """The part of each hazard that the log leaves open."""
    lines = [(each["id"], each["safety_function"], each["open"]) for each in log()["hazards"]]
    return table(["id", "safety_function", "what_stays_open"], *lines)


def in_words(found):
    """Text of a Table of documents."""
    return table(found.headers, *[map(document.text, cells) for cells in found.rows])


def fault_part(name):
    """The function that makes this table of faults."""
    return lambda: in_words(fault_table.table(fault_table.facts(), name))


def outside_table():
    return in_words(hazard_page.outside(log()))


PAGES = {
    "README.md": {"hazards": tight_hazard_table},
    CHAPTER: {"hazards": hazard_table, "open": open_table, "outside": outside_table},
    "chapters/ROWS.md": {"rows": row_table, "facts": fact_table},
    "chapters/STAGES.md": {"stages": stage_table},
    "chapters/SIGNALS.md": {name: fault_part(name) for name in fault_table.TABLES},
    "chapters/TIMES.md": {"sources": sources_table, "times": time_table},
}
PROGRAM = "tests/safety/assessor.py"


if __name__ == "__main__":
    for page, tables in PAGES.items():
        generated_page.write(FOLDER / page, tables, PROGRAM)
