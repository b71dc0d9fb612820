"""UTC: synchronised or not, its error bound, and a clock that somebody has set."""

from types import SimpleNamespace

import pytest
from recorder_bench import UTC_US, FakeClocks

from controller.system import utc
from tests.tables import cases


def wall(**settings):
    clocks = FakeClocks()
    for name, value in settings.items():
        setattr(clocks, name, value)
    made = utc.WallClock(clocks)
    made.poll()
    return clocks, made


@cases("""
    steered  rtc    source       uncertainty_us
    1500     False  utc.NTP      1520
    1500     True   utc.NTP      1520
    None     True   utc.RTC      None
    None     False  utc.UNKNOWN  None
""")
def test_the_source_is_named(steered, rtc, source, uncertainty_us):
    clocks, made = wall(steered=steered, rtc=rtc)
    at, *rest = made.label(clocks.us - 1000, 20)
    assert (int(at), *rest) == (UTC_US - 1000, source, uncertainty_us)


def test_a_clock_that_lost_its_source_grows_less_certain():
    clocks, made = wall(steered=1500)
    clocks.steered = None
    clocks.pass_us(1000_000_000)
    made.poll()
    assert made.label(clocks.us)[1:] == (utc.RTC, 1500 + 500_000)


@pytest.mark.parametrize(
    "wall_us, source",
    [(0, utc.UNKNOWN), (utc.EARLIEST_US - 1, utc.UNKNOWN), (utc.EARLIEST_US, utc.NTP)],
)
def test_a_day_before_this_program_is_no_day(wall_us, source):
    clocks, made = wall(wall_us=wall_us)
    assert made.label(clocks.us)[1] == source


@cases("""
    set_us  told
    0  False | 10  False | utc.STEP_US  False | utc.STEP_US + 1  True | -utc.STEP_US - 1  True
    3_600_000_000  True | -3_600_000_000  True
""")
def test_a_clock_that_was_set_is_reported_once(set_us, told):
    clocks, made = wall()
    clocks.pass_us(20_000)
    clocks.wall_us += set_us
    assert made.poll() == (clocks.us, set_us if told else 0)
    clocks.pass_us(20_000)
    assert made.poll()[1] == 0


@cases("""
    state  status  error_us
    0  0  777 | 3  0x2001  777 | 5  0  None | 0  0x40  None | -1  0  None
""")
def test_a_clock_that_the_kernel_calls_unsteered_has_no_error(monkeypatch, state, status, error_us):
    def adjtimex(given):
        given._obj.status, given._obj.maxerror, given._obj.esterror = status, 777, 5
        return state

    kernel = SimpleNamespace(adjtimex=adjtimex)
    monkeypatch.setattr(utc, "_LIBRARY", kernel)
    assert utc.steered_us() == error_us


def test_one_battery_backed_clock_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(utc, "RTC_FLAGS", str(tmp_path / "rtc*"))
    (tmp_path / "rtc0").mkdir()  # cannot be read
    for number, (flag, is_set) in enumerate((("0\n", False), ("1\n", True), ("0\n", True)), 1):
        (tmp_path / f"rtc{number}").write_text(flag)
        assert utc.started_from_rtc() == is_set


def test_suspend_is_no_step_and_an_unknown_moment_has_no_certain_day():
    clocks, made = wall()
    clocks.pass_us(8 * 3_600_000_000)
    assert made.poll()[1] == 0
    at, *rest = made.label(clocks.us, None)
    assert (int(at), *rest) == (clocks.wall_us, utc.UNKNOWN, None)


@pytest.mark.wire
def test_this_system_answers():
    error_us = utc.steered_us()
    assert error_us is None or error_us >= 0
    assert utc.started_from_rtc() in (True, False)
    made = utc.WallClock()
    assert abs(made.poll()[0] - utc.Clocks.now_us()) < 60_000_000
