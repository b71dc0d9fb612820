"""Each signal of a site device has its own age; a refused one is unknown at once."""

from array import array

from views import device, site_of

from controller.core.site_devices import layout
from controller.core.site_devices.signals_view import AGE_MS_MAX

NAMES = ("power_W", "is_running", "is_ready_ok", "fuel_permille")
DAYS_25_TICKS = 25 * 86_400 * 50


class Bench:
    """A generator set, stale after 3000 ms; ticks of 20 ms."""

    def __init__(self):
        self.site = site_of((device("clock"), device("genset")))
        self.view = self.site.devices[1]
        self.first = len(layout.words(self.site.devices[0].device))
        self.site.inp[self.first : self.first + 4] = array("i", [100, 1, 1, 900])

    def step(self, *fresh, ticks=1):
        """The signals that are known."""
        self.site.step(bytes(3) + bytes([name in fresh for name in NAMES]), ticks)
        known = tuple([name for name in NAMES if self.view.value(name) is not None])
        assert self.view.is_known == bool(known)
        return known


def test_a_signal_is_known_while_its_own_answer_is_young():
    bench = Bench()
    assert bench.step() == () and not bench.view.is_heard("power_W")
    assert bench.step("power_W", "fuel_permille") == ("power_W", "fuel_permille")
    assert bench.step("is_running", ticks=100) == ("power_W", "is_running", "fuel_permille")
    assert bench.step("fuel_permille", ticks=49) == NAMES[:2] + NAMES[3:]
    assert bench.step() == ("is_running", "fuel_permille")
    assert bench.view.value("power_W") is None and bench.view.read("power_W") == 100
    assert bench.view.age_ms("power_W") == 3000 and bench.view.youngest_ms == 20
    assert bench.step("power_W", ticks=100) == ("power_W", "fuel_permille"), "not what was silent"


def test_a_refused_signal_is_unknown_at_once_and_the_others_stay():
    bench = Bench()
    bench.step(*NAMES)
    bench.site.inp[bench.view.refused_at] = 0b0001
    assert bench.step() == NAMES[1:]
    assert bench.step(*NAMES) == NAMES[1:]
    bench.site.inp[bench.view.refused_at] = 0
    assert bench.step() == NAMES


def test_no_age_comes_round():
    """An age of 32 bits in ms would be negative after 24.8 days."""
    bench = Bench()
    bench.step(*NAMES)
    for _ in range(3):
        assert bench.step(ticks=DAYS_25_TICKS) == ()
    assert bench.view.age_ms("power_W") == AGE_MS_MAX and not bench.view.is_heard("power_W")
    assert bench.step("power_W") == ("power_W",)


def test_a_state_that_was_loaded_says_what_is_known():
    bench, other = Bench(), Bench()
    bench.step("power_W")
    other.site.state[:] = bench.site.state
    other.site.look()
    assert other.step() == ("power_W",)


def reports(bench, *states):
    """What counts of "ready" after a report of each state, one a second; 1 has counted before."""
    bench.step(*NAMES)
    found = []
    for each in states:
        bench.site.inp[bench.first + 2] = each
        bench.step(*NAMES, ticks=50)
        found.append(bench.view.value("is_ready_ok"))
    return found


def test_a_state_counts_after_all_reports_of_3_s():
    assert reports(Bench(), 0, 1, 0, 0, 1, 0, 0, 0, 0, 0) == [1, 1, 1, 1, 1, 1, 1, 1, 0, 0]
    assert Bench().view.receivers.keys() == {"is_running", "is_ready_ok"}


def test_a_state_that_bounces_once_in_5_s_counts_on_and_one_that_flaps_is_unknown():
    assert set(reports(Bench(), *[0, 1, 1, 1, 1] * 100)) == {1}
    flapping = Bench()
    assert reports(flapping, *[0, 1] * 10)[-1] is None
    assert reports(flapping, *[1] * 20)[-1] == 1
    assert flapping.view.reported("is_ready_ok") == 1


def test_the_first_report_after_a_silence_counts_at_once():
    bench = Bench()
    bench.step(*NAMES)
    bench.site.inp[bench.first + 2] = 0
    bench.step(ticks=200)
    bench.step(*NAMES)
    assert bench.view.value("is_ready_ok") == 0
