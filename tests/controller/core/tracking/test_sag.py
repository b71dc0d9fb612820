"""Load tracking keeps its power in a sag of the voltage, and for a moment after it."""

import pytest

from controller.core.tracking.sag import Sag


def held(permilles, tick_ms=20):
    sag = Sag(tick_ms)
    return [sag.step(each, 1) for each in permilles]


@pytest.mark.parametrize("permille", [899, 500, 1, 1101])
def test_a_sag_holds_until_200_ms_after_it(permille):
    found = held([1000, *[permille] * 3, *[1000] * 12])
    assert found == [False, True, True, True, *[True] * 9, False, False, False]


@pytest.mark.parametrize("permille", [900, 1000, 1100, 0])
def test_a_normal_or_unknown_voltage_holds_nothing(permille):
    assert not any(held([permille] * 5))


def test_noise_at_the_edge_does_not_end_a_sag():
    assert all(held([899, *[905] * 30]))
    assert not held([899, *[910] * 11])[-1]


def test_a_lasting_low_voltage_is_no_sag_until_it_has_been_normal():
    found = held([850] * 510 + [1000, 850])
    assert found[:499] == [True] * 499 and not any(found[499:511]) and found[511]


def test_sags_are_not_counted():
    assert all(held([600, *[1000] * 9] * 1000))
