"""UTC as input words: the day, the second, the error; nothing while the error is not known."""

from types import SimpleNamespace

from controller.config import configuration
from controller.core.image import ProcessImage
from controller.run.site_clock import SiteClock
from controller.sites import EXAMPLE
from tests.tables import cases

CONFIG = configuration.load(str(EXAMPLE))
UTC_US = 20_000 * 86_400_000_000 + 45_296_700_000


def bench(uncertainty_us):
    image = ProcessImage(CONFIG.layout(), CONFIG.site_devices)
    wall = SimpleNamespace(
        poll=lambda: (7, 0), label=lambda moment_us: (UTC_US, "ntp", uncertainty_us)
    )
    first, group = image.site_place("clock", 1)
    return SiteClock(image, wall), image, first, group


@cases("""
    uncertainty_us  words
    1  [20_000, 45_296, 1] | 5000  [20_000, 45_296, 5] | 5001  [20_000, 45_296, 6]
""")
def test_the_day_the_second_and_the_error_rounded_up(uncertainty_us, words):
    clock, image, first, group = bench(uncertainty_us)
    clock.step(0)
    assert list(image.inp[first : first + 3]) == words and image.fresh[group] == 1


def test_an_unknown_error_writes_nothing():
    clock, image, first, group = bench(None)
    clock.step(0)
    assert not any(image.inp[first : first + 3]) and image.fresh[group] == 0


def test_the_clock_is_read_twice_a_second():
    clock, image, _, group = bench(1)
    found = []
    for now_us in (0, 499_999, 500_000, 999_999, 1_000_000):
        image.fresh[group] = 0
        clock.step(now_us)
        found.append(image.fresh[group])
    assert found == [1, 0, 1, 0, 1]
