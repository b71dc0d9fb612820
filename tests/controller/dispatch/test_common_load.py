"""The expected rise of a common load: to the peak of the last hour, or of yesterday's next hour."""

from types import SimpleNamespace

import pytest

from controller.dispatch.common_load import CommonLoad

MINUTE_US = 60_000_000
BASE_W, PEAK_W, CABINETS = 5_200_000, 8_000_000, 4


def member(number, load):
    """A cabinet with a quarter of the load. The last one is dead."""
    is_dead = number == CABINETS
    report = SimpleNamespace(grid_W=load.W, battery_W=0, state="off" if is_dead else "running")
    return SimpleNamespace(
        cabinet=SimpleNamespace(load_permille=1000 // CABINETS),
        is_live=lambda _: not is_dead,
        load_W=load.W // CABINETS,
        report=report,
    )


class Site:
    """Minutes of a load."""

    def __init__(self):
        self.W, self.now_us, self._members = BASE_W, 0, []
        self.common = CommonLoad(self._members, 0)

    def run(self, load_W, minutes):
        self.W = load_W
        self._members[:] = [member(number, self) for number in range(1, CABINETS + 1)]
        for _ in range(minutes):
            self.common.note(self.now_us, load_W)
            self.now_us += MINUTE_US
        return self

    @property
    def rise_W(self):
        return self.common.rise_W(self.now_us - MINUTE_US)


@pytest.mark.parametrize(("minutes", "rise_W"), [(1, 700_000), (59, 700_000), (60, 0)])
def test_the_peak_of_the_last_hour_may_come_again(minutes, rise_W):
    assert Site().run(PEAK_W, 5).run(BASE_W, minutes).rise_W == rise_W


@pytest.mark.parametrize(
    ("minutes", "rise_W"), [(1379, 0), (1380, 0), (1381, 700_000), (1440, 700_000), (1441, 0)]
)
def test_the_peak_of_yesterday_may_come_again_within_the_hour_before(minutes, rise_W):
    assert Site().run(PEAK_W, 1).run(BASE_W, minutes).rise_W == rise_W


def test_a_load_at_its_peak_rises_no_more_and_one_that_nobody_knows_does_not_rise():
    assert Site().run(BASE_W, 5).run(PEAK_W, 5).rise_W == 0
    assert CommonLoad([], 0).rise_W(0) == 0
