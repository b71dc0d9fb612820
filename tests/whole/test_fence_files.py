"""Files of people: each reader refuses a hostile text in one line, with little time and memory."""

import contextlib
import tracemalloc
from array import array
from pathlib import Path

import pytest
from cabinet_bench import CONFIG, Bench
from wire_ends import ODD

from controller.audit import rules
from controller.config import layers, profiles, site_plan
from controller.forms.refusal import ConfigError
from controller.hints import schedule_file as sf, schedule_wire as sw
from controller.journal import journal_header, replay
from controller.journal.ring import JournalError
from controller.journal.snapshot import Shadow
from controller.siting import reading
from controller.system import toml_text
from hil.engine import pod
from hil.scenarios import scenario
from hil.site import description
from tests.exemptions import Exempt
from tests.repository import ROOT

# The rig's devices mirror a profile that the controller has read; the oracle reads its own file and
# knows no driver; the example is a program to copy.
ALONE = {
    "controller/system/toml_text.py": Exempt(
        "none: it is the reader that the others take",
        "tests/whole/test_fence_files.py::test_a_hostile_file_is_one_line_and_little_memory",
    ),
    "hil/oracle/design.py": Exempt(
        "a hostile design.toml ends a campaign; it is a file of the project",
        "tests/hil/oracle/test_design.py::test_every_named_stage_exists_and_is_named_once",
    ),
    "hil/devices/": Exempt(
        "none: a simulated device mirrors a profile that the controller has read",
        "tests/hil/test_mirrored_pcs.py::test_a_small_cabinet_runs_with_each_shipped_profile",
    ),
    "controller/doors/local/examples/": Exempt(
        "an example to copy fails on a hostile file of its own user",
        "tests/controller/hints/test_hint_examples.py::test_an_example_is_granted_refused_and_ends_in_one_line",
    ),
}
MEMORY_BYTES_MAX = 40 << 20
HOSTILE = {
    "dotted": "a" + ".a" * 20_000 + " = 1",
    "quoted": 'a = ["""x"""", {a' + '."a"' * 20_000 + " = 1}]",
    "spaced": "[" + "a . " * 20_000 + "a]",
    "many": "".join([f"[a{number}{'.a' * 14}]\n" for number in range(6000)]),
    "brackets": "x = " + "[" * 3000,
    "tables": "x = " + "{a = " * 3000,
    "digits": "x = " + "9" * 5000,
    "text": 'x = """' + '\\"""' * 6000,
    "long": "# " + "x" * 5_000_000,
    "latin": b"x = '\xff'",
    "nul": "x = '\0'",
}
READERS = {
    "configuration": (lambda path: layers.read_chain(path), ConfigError),
    "siting": (reading.load, ConfigError),
    "rules": (rules.load, ConfigError),
    "places": (site_plan.read_places, ConfigError),
    "profile": (profiles.load, ConfigError),
    "schedule": (sf.read, sf.ScheduleFileError),
    "scenario": (scenario.load, ConfigError),
    "site": (description.read, ConfigError),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("read, error", READERS.values(), ids=READERS)
def test_a_hostile_file_is_one_line_and_little_memory(tmp_path, read, error, text):
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    tracemalloc.start()
    try:
        with pytest.raises(error) as refused:
            read(str(path))
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES_MAX
    finally:
        tracemalloc.stop()
    (line,) = str(refused.value).splitlines()
    assert len(line) < 300 and "codec" not in line and not pod.is_pod(str(path))


def test_brackets_in_texts_and_comments_are_none():
    text = 'a = \'[[[[[[[[[[[[[[[[[[\'\nb = """' + "[\n" * 40 + '"""""\n# ' + "[." * 40 + "\n"
    text += "c = [" + "1.5, " * 40 + "]\n" + "d." * 16 + "e = '''it''s'''''\n"
    assert [*toml_text.loads(text)] == ["a", "b", "c", "d"]


def test_no_other_module_parses_toml():
    for folder in ("controller", "drivers", "hil"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            assert "tomllib" not in path.read_text() or name.startswith(tuple(ALONE)), name


def values():
    """TOML of values of every type; moments at both ends of the calendar."""
    for each in ODD:
        if each is not None and each != {}:
            yield str(each).lower() if isinstance(each, (bool, float)) else repr(each)
    for year, zone in (("0001", "+23:59"), ("1970", "Z"), ("2100", "Z"), ("9999", "-23:59")):
        yield from [f"{year}-01-01T00:00:00{zone}", f"{year}-12-31T23:59:00{zone}"]
    yield from ("2026-01-01", "10:00:00", "{a = 1}", "[[1]]", "1979-05-27T07:32:00")


def test_every_field_of_every_schedule_file(tmp_path):
    """A schedule that the reader takes fits a datagram. Any other file is refused in one line."""
    path, taken = Path(tmp_path, "x.toml"), 0
    head = {"start": "2026-05-01T00:00:00Z", "slot_min": "15"}
    for name in (*head, *sw.FIELDS, "slot", "x", '"a\\nb"', '"\u00e9"', "x" * 900):
        for value in values():
            top = {key: each for key, each in {**head, name: value}.items() if key not in sw.FIELDS}
            slot = {"grid_cap_W": "1", **({name: value} if name in sw.FIELDS else {})}
            lines = [f"{key} = {each}" for key, each in top.items()]
            lines += ["[[slot]]", *[f"{key} = {each}" for key, each in slot.items()]]
            path.write_text("\n".join(lines if "slot" not in top else lines[:-2]))
            try:
                plan = sf.read(str(path))
            except sf.ScheduleFileError as error:
                (line,) = str(error).splitlines()
                assert line.isascii() and len(line) < 300
                continue
            sw.unsigned(sw.Schedule("boss", bytes(8), 1, 1, *plan[:2], 0, plan.slots))
            taken += 1
    assert taken > 10


@pytest.mark.parametrize("value", [2**31 - 1, -(2**31), 2**16, -1])
def test_a_journal_with_impossible_inputs_is_one_line(tmp_path, value):
    bench, path = Bench(), str(tmp_path / "journal")
    core = bench.tick(9).cabinet.core
    words = array("i", core.inp), bytearray(core.fresh), core.out
    with contextlib.closing(journal_header.open_journal(path, CONFIG, core, 1 << 20)) as journal:
        journal.append(0, 1, *words, core.state_words())
        words[0][:] = array("i", [value] * len(words[0]))
        journal.append(1, 1, *words, None)
    for read in (lambda: replay.replay(path, replay.core_of), lambda: seen(path)):
        try:
            read()
        except JournalError as error:
            (line,) = str(error).splitlines()
            assert line.startswith(f"{path}: frame 1 holds values that no controller writes")


def seen(path):
    shadow = Shadow(path)
    shadow.update()
    shadow.close()


CELLS = ("", "x", '"', '"a\nb"', "\0", "9" * 5000, "\u0663", "1e9", "0x10", "-2147483649", "2" * 10)
MOMENTS = ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:00-23:59", "2026-05-01", "20260501T00Z")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_every_cell_of_every_schedule_table(tmp_path, separator):
    path, right = Path(tmp_path, "x.csv"), ["2026-05-01T00:00:00Z", "1", "1", "1", "0"]
    for place in range(5):
        for cell in (*CELLS, *MOMENTS, "x" * 200_000):
            row = [*right[:place], cell, *right[place + 1 :]]
            rows = ["start", *sw.FIELDS], right, row
            path.write_text("\n".join(map(separator.join, rows)), encoding="utf-8")
            with pytest.raises(sf.ScheduleFileError) as refused:
                sf.read(str(path))
            (line,) = str(refused.value).splitlines()
            assert "isoformat" not in line and "codec" not in line and len(line) < 300
