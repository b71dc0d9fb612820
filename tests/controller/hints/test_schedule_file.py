"""A schedule as a file: TOML and CSV say the same; a wrong file is refused in one line."""

import pytest

from controller.core.base.schedule_table import OPEN_W, Slot
from controller.hints import schedule_file
from tests.tables import cases, table

HEAD = "start = 2026-11-25T12:00:00Z\nslot_min = 15\n"
TOML = (
    HEAD
    + """
[[slot]]
grid_cap_W = 400_000
battery_low_W = -50_000
battery_high_W = 0
reserve_permille = 300
[[slot]]
battery_low_W = -250_000
battery_high_W = -100_000
"""
)
NAMES = "start,grid_cap_W,battery_low_W,battery_high_W,reserve_permille\n"
CSV = NAMES + "2026-11-25T12:00Z,400000,-50000,0,300\n2026-11-25T12:15Z,,-250000,-100000,\n"


def read(tmp_path, text, name="plan.toml"):
    path = tmp_path / name
    path.write_text(text)
    return schedule_file.read(str(path))


@pytest.mark.parametrize(
    "text, name", [(TOML, "plan.toml"), (CSV, "plan.csv"), ("\ufeff" + CSV, "PLAN.CSV")]
)
def test_both_forms_give_the_same_slots(tmp_path, text, name):
    slots = Slot(400_000, -50_000, 0, 300), Slot(OPEN_W, -250_000, -100_000, 0)
    found = read(tmp_path, text, name)
    assert found[1:] == (15, slots)
    assert found.start_min * 60 == 1_795_608_000  # date -u -d 2026-11-25T12:00 +%s


def test_96_slots_are_allowed_and_none_ends_the_schedule(tmp_path):
    assert len(read(tmp_path, HEAD + "[[slot]]\n" * 96).slots) == 96
    assert read(tmp_path, HEAD).slots == ()
    with pytest.raises(schedule_file.ScheduleFileError, match="has 97 slots; allowed at most 96$"):
        read(tmp_path, HEAD + "[[slot]]\n" * 97)


WRONG = table("""
[[slot]]/reserve_permille = 1001 | slot.1.reserve_permille: 1001 is not allowed; allowed 0..1000
[[slot]]/reserve_permille = -1 | slot.1.reserve_permille: -1 is not allowed; allowed 0..1000
[[slot]]/[[slot]]/grid_cap_W = -1 | slot.2.grid_cap_W: -1 is not allowed; allowed 0..10{9}$
[[slot]]/battery_low_W = 1/battery_high_W = 0 | slot.1.battery_high_W: 0 is .*allowed battery_low_W
[[slot]]/grid_cap_W = 1.5 | slot.1.grid_cap_W: 1.5 is not allowed; allowed a whole number
[[slot]]/grid_cap_kW = 1 | slot.1.grid_cap_kW: is not a known key; nearest key "grid_cap_W"
x = 5 | plan.toml:x: is not a known key; allowed start, slot_min, slot
slot = 5 | slot: 5 is not allowed; allowed a list of tables
x = | Invalid value
""")


def test_a_comment_may_have_any_letter_of_utf_8(tmp_path):
    path = tmp_path / "plan.toml"
    for encoding in ("utf-8", "utf-8-sig"):
        path.write_bytes(("# -10 \u00b0C\n" + TOML).encode(encoding))
        assert len(schedule_file.read(str(path)).slots) == 2
    path.write_bytes(("# ok\n# -10 \u00b0C\n" + TOML).encode("latin-1"))
    with pytest.raises(schedule_file.ScheduleFileError, match="plan.toml: .*not .*UTF-8"):
        schedule_file.read(str(path))


START = "start = 2026-11-25T12:00:00"
LONG = f"0x{'f' * 5000}"


@cases(r"""text  words
    *((HEAD + text.replace("/", "\n"), words) for text, words in WRONG)
    START + "\nslot_min = 15"  "start: .* is not allowed; allowed whole minutes with a time zone"
    START[:-1] + "1Z\nslot_min = 15"  "allowed whole minutes with a time zone"
    "start = 5\nslot_min = 15"  "start: 5 is not allowed; allowed whole minutes with a time zone"
    START + "Z\nslot_min = 61"  "slot_min: 61 is not allowed; allowed 1..60"
    START + "Z\nslot_min = 0"  "slot_min: 0 is not allowed; allowed 1..60"
    START + "Z"  "slot_min: is missing; allowed 1..60"
    HEAD.replace("15", LONG)  "not usable TOML: a number is too long"
""")
def test_a_wrong_table_is_named_with_what_is_allowed(tmp_path, text, words):
    with pytest.raises(schedule_file.ScheduleFileError, match=words) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/plan.toml:")
    assert "\n" not in str(refused.value)


TOO_MANY = "".join(f"2026-11-25T{at // 60:02}:{at % 60:02}Z,,,,\n" for at in range(97))


@cases(r"""text  words
    NAMES + "2026-11-25T12:00Z,,,,\n"  "less than two rows"
    CSV + "2026-11-25T12:31Z,,,,\n"  "slot 3: start is not 15 min after"
    CSV + "2026-11-25T12:30Z,,,\n"  "line 4: slot 3 with 4 cells; allowed"
    CSV + "2026-11-25T12:30Z,a,,,\n"  'line 4:grid_cap_W: "a" is not allowed; allowed a whole'
    CSV.replace(",", ";")  "line 1: the separator is ';': allowed is ','"
    NAMES + TOO_MANY  "line 98: slot 97 with 5 cells; allowed at most 96 slots, each with"
    CSV.replace("12:00Z", "noon")  "line 2: start = .*noon': allowed is a time as"
    CSV.replace("12:15Z", "12:00Z")  "line 3: start = .*12:00Z': allowed is later than"
""")
def test_a_wrong_csv_is_named(tmp_path, text, words):
    with pytest.raises(schedule_file.ScheduleFileError, match=words):
        read(tmp_path, text, "plan.csv")
