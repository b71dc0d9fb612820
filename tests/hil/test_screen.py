"""The screen: content of a frame, which always fits; output to a terminal, a pipe or none."""

import io
import itertools

import pytest

from hil.results import frame, screen
from tests.tables import cases

RACK = (55.0, 3290, 3301, 24.1, 26.5, 21.3, "closed")
TRIP = ("1a", "emergency stop, two contacts", "cabinet", 45.04, "key")
VIEW = {
    "title": "estop: emergency stop",
    "state": "running",
    "mode": "virtual time",
    "speed": 123.4,
    "load_name": "synthetic",
    "elapsed_s": 15.0,
    "duration_s": 60,
    "load_W": 396_400,
    "grid_W": 314_900,
    "battery_W": 81_500,
    "setpoint_W": 81_000,
    "request_W": 200_000,
    "request_by": "load tracking",
    "limit": ("R217", "BMS discharge limit, rack 3"),
    "charge_W_max": 3_600,
    "discharge_W_max": 81_500,
    "armed": 44,
    "not_fitted": 4,
    "tripped": [],
    "rows_tripped": 0,
    "rows_warning": 0,
    "racks": [RACK] * 3,
    "load_history": [390e3, 400e3],
    "grid_history": [310e3, 311e3],
    "battery_history": [80e3, 90e3],
    "headline": "The load swung by 10 kW; the grid saw 1 kW.",
    "worst": "Worst moment, 3.0 s: the grid rose by 2 kW within 0.2 s. " + "It came back. " * 9,
    "links": {"BMS": "ok", "PCS": "ok"},
    "tick_ms": 20,
    "ticks": 750,
    "missed": 0,
    "late_us": (31, 120, 900),
    "next_action": "estop_press at 45 s",
}


def shown(**changes):
    return "\n".join(frame.frame(VIEW | changes))


@cases("""width  height
    10  3 | 80  24 | 81  25 | 120  40 | 200  24""")
@pytest.mark.parametrize(
    "view", ({}, VIEW, VIEW | {"racks": [RACK] * 16, "tripped": [TRIP] * 9}), ids=("0", "v", "n")
)
def test_every_frame_fits_and_is_plain_ascii(width, height, view):
    lines = frame.frame(view, width, height)
    assert len(lines) == max(24, height)
    assert max(map(len, lines)) <= max(80, width)
    assert all(line.isascii() and line.isprintable() for line in lines)


PARTS = """
RUNNING; virtual time, 123 x; 314.9 kW; 396.4 kW; 81.5 kW; load tracking
R217 BMS discharge limit, rack 3; REQUEST  discharge 200.0 kW; SET-POINT  discharge 81.0 kW
charge 3.6 kW, discharge 81.5 kW; 44 armed  0 tripped  0 warnings  4 not fitted  LINKS  ok
15.0 / 60 s   next: estop_press at 45 s; late us p50 31  p99 120  max 900; last 59 s
The load swung by 10 kW; the grid saw 1 kW.; Worst moment, 3.0 s: the grid rose by 2 kW
"""


def test_the_frame_shows_its_view_and_counts_the_hidden_stages():
    text = shown()
    for part in PARTS.strip().replace("\n", "; ").split("; "):
        assert part in text, part
    text = shown(tripped=[TRIP], rows_tripped=1, rows_warning=1, state="tripped")
    assert " ! row 1a  emergency stop, two contacts, cabinet; for 45.0 s, key reset" in text
    assert "1 tripped  1 warning  4" in text and "TRIPPED" in text
    for count, shown_trips, words in ((2, 2, None), (3, 1, "and 2 more"), (9, 1, "and 8 more")):
        text = shown(tripped=[TRIP] * count)
        assert text.count(" ! row") == shown_trips
        assert words is None or words in text
    racks = [RACK[:4] + (20.0 + rack,) + RACK[5:] for rack in range(8)]
    lines = frame.frame(VIEW | {"racks": racks})
    at = next(number for number, line in enumerate(lines) if line.startswith("RACK"))
    assert [int(line.split()[0]) for line in lines[at + 1 : at + 4]] == [8, 7, 6]
    assert "LINKS  PCS silent" in shown(links={"BMS": "ok", "PCS": "silent"})


@cases("""name  power_W  word
    "battery_W"  81_500  "discharging" | "battery_W"  -81_500  "charging"
    "battery_W"  499  "" | "battery_W"  -500  "charging" | "battery_W"  None  ""
    "grid_W"  1000  "importing" | "grid_W"  -1000  "exporting" | "grid_W"  0  ""
""")
def test_a_word_says_which_way_power_flows(name, power_W, word):
    lines = shown(**{name: power_W}).split("\n")
    at = next(at for at, line in enumerate(lines) if line.startswith(name[:-2].upper()))
    size = "-" if power_W is None else f"{abs(power_W) / 1000:.1f} kW"
    assert lines[at][:21].split() == [name[:-2].upper(), *size.split()]
    assert lines[at + 1][:21].strip() == word


@cases("""
    values                 more                 text
    [0, 7]                 {}                   ".#"
    [5, 5, 5]              {}                   "..."
    []                     {}                   ""
    [0, 1, 2, 3, 4, 5, 6]  {}                   ".:-=+*#"
    [9] * 20 + [0, 1]      {"scale": (0, 1)}    "########.#"
    [-5, 50]               {"scale": (0, 10)}   ".#"
    [0, 7]                 {"blocks": True}     "\u2581\u2588"
    [0, 6, 7, 13]          {}                   "__.#/.###"
    [0, 10, 23]            {"blocks": True}     "__\u2588/_\u2583\u2588/\u2581\u2588\u2588"
""")
def test_a_chart_shows_the_newest_scaled_and_clipped(values, more, text):
    """text: its lines from the top, with _ for a blank."""
    lines = text.replace("_", " ").split("/")
    assert frame.chart(values, (10, len(lines)), **more) == lines


def charts(height=24, **kW):
    """The lines of each chart: {name: [line from the top]}."""
    watts = {f"{name}_history": [1000 * each for each in values] for name, values in kW.items()}
    lines = frame.frame(VIEW | watts, 80, height)
    found, high = {}, 2 + min(3, (height - 24) // 5)
    for at, line in enumerate(lines):
        name = line.split(" ")[0]
        if name in ("LOAD", "GRID", "BATTERY"):
            found[name] = [each[21:].rstrip() for each in lines[at : at + high]]
    return found


def test_load_and_grid_share_a_scale_and_the_battery_has_its_kilowatts():
    steps = {"load": [300, 400] * 4, "grid": [358, 360] * 4, "battery": [-50, 48] * 4}
    assert charts(**steps) == {
        "LOAD": [" *" * 4, ".#" * 4],
        "GRID": [".." * 4, "##" * 4],
        "BATTERY": [" *" * 4, ".#" * 4],
    }
    flat = {"load": [100, 101] * 4, "grid": [100] * 8, "battery": [0, 1] * 4}
    assert all(len(set(line)) <= 1 for lines in charts(**flat).values() for line in lines)
    assert [len(lines) for lines in charts(height=40, **steps).values()] == [5, 5, 5]


def test_progress_of_a_run_without_a_screen(capsys):
    clock = itertools.count()
    progress = screen.Progress(lambda: next(clock))
    for _ in range(11):
        progress.show(VIEW)
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 3
    assert captured.err.splitlines()[0].endswith("  of 60 s") and "running" in captured.err
    for headless, progress, kind in ((1, 0, None), (1, 1, screen.Progress)):
        with screen.shown_on(headless, progress, itertools.count().__next__) as show:
            assert show is None if kind is None else isinstance(show.__self__, kind)
    with screen.shown_on(True, False, itertools.count().__next__, is_long=True) as show:
        for _ in range(61):
            show(VIEW)
    assert len(capsys.readouterr().err.splitlines()) == 2, "each 30 s, none at the begin"
    for elapsed_s, full in ((0, 0), (30, 18), (60, 36), (66, 36)):
        line = frame.frame(VIEW | {"elapsed_s": elapsed_s, "next_action": None})[-1]
        assert line.split("]")[0].count("#") == full


def test_a_pipe_gets_status_lines_and_a_terminal_colour(capsys):
    with screen.Screen(screen.Console(file=io.StringIO())) as pipe:
        for tenth in range(101):
            pipe.show(VIEW | {"elapsed_s": tenth / 10})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["0.0", "5.0", "10.0"]
    assert "running" in lines[0] and "grid  314.9 kW" in lines[0]
    line = screen.status_line(VIEW | {"tripped": [TRIP, TRIP]})
    assert line.endswith(", row 1a tripped and 1 more")
    out = io.StringIO()
    console = screen.Console(
        file=out, force_terminal=True, width=80, height=24, color_system="standard", _environ={}
    )
    with screen.Screen(console) as terminal:
        terminal.show(VIEW | {"state": "tripped", "tripped": [TRIP]})
    text = out.getvalue()
    assert "\x1b[1;31m ! row 1a" in text and "\x1b[1;31mTRIPPED" in text and "\x1b[?1049l" in text
