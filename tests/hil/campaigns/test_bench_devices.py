"""The full CAN bus of `python -m hil bench devices`."""

import pytest

from hil.campaigns.benchmarks import devices


@pytest.mark.parametrize("name, least", [("firebreak_rack", 445), ("j1939_like", 380)])
def test_the_driver_takes_every_frame_of_a_full_bus(name, least, monkeypatch):
    """A tenth of a second at 500 kbit/s: 450 frames of 111 bits, 381 of 131 bits."""
    made, pair = [], devices._pair
    monkeypatch.setattr(devices, "_pair", lambda name: made.append(pair(name)) or made[-1])
    assert devices.share_of_core(name, 5) > 0
    driver, _ = made[0]
    assert driver.refused + driver.bad_frames < 30 and least <= driver.frames < least + 60


def test_a_driver_that_takes_nothing_is_no_measurement(monkeypatch):
    monkeypatch.setattr(devices, "_stream", lambda *_: iter([(0x7FF, bytes(8))] * 10_000))
    with pytest.raises(RuntimeError, match="took none"):
        devices.share_of_core("firebreak_rack", 5)
