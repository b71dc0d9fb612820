"""The hard-wired chain and the drop order of the relays."""

import itertools

import pytest

from hil.plant import relays
from tests.tables import cases

DT_S = 0.02


WIRED = {"estop_0": 1, "estop_1": 1, "fire": 2, "suppression": 3, "lfl": 12, "cell_voltage": 30}


def _relays(wired_rows=(1, 2, 3, 12, 30)):
    one = relays.SafetyRelays(0.2, wired_rows)
    one.set_coil("pcs_enable", True)
    one.set_coil("contactor_supply", True)
    one.step(DT_S)
    return one


def _open_one(one, name):
    if name.startswith("estop"):
        one.estop_closed[int(name[-1])] = False
    elif name == "lfl":
        one.see_gas(25.0)
    else:
        setattr(one, f"{name}_closed", False)


def _seen(one, count):
    return [(one.step(DT_S), one.pcs_enable, one.contactor_supply)[1:] for _ in range(count)]


DROP_ORDER = [(False, True)] * 10 + [(False, False)] * 2  # the supply falls 200 ms later


def test_each_relay_follows_its_own_known_coil():
    for enable, supply in list(itertools.product((False, True), repeat=2)):
        one = relays.SafetyRelays(0.2, ())
        one.set_coil("pcs_enable", enable)
        one.set_coil("contactor_supply", supply)
        assert _seen(one, 1) == [(enable, supply)]
    with pytest.raises(ValueError, match="no coil pcs_enabel; allowed: pcs_enable, "):
        _relays().set_coil("pcs_enabel", True)


def test_any_contact_or_channel_b_drops_both():
    for name in WIRED:
        one = _relays()
        assert one.pcs_enable and one.contactor_supply
        _open_one(one, name)
        assert _seen(one, 12) == DROP_ORDER
        one.bridged = True
        assert _seen(one, 20) == [(True, True)] * 20
        one.set_coil("pcs_enable", False)
        assert _seen(one, 1) == [(False, True)]
    for bridged in (False, True):
        one = _relays()
        one.bridged, one.channel_b_closed = bridged, False
        assert _seen(one, 12) == DROP_ORDER
        one.channel_b_closed = True
        assert _seen(one, 1) == [(True, True)]


@pytest.mark.parametrize("name", WIRED)
def test_a_contact_that_the_site_does_not_wire_opens_nothing(name):
    one = _relays([row for row in WIRED.values() if row != WIRED[name]])
    _open_one(one, name)
    assert _seen(one, 1) == [(True, True)]


def test_dropping_the_supply_coil_is_delayed_too_and_can_be_taken_back():
    one = _relays()
    one.set_coil("contactor_supply", False)
    _seen(one, 9)
    one.set_coil("contactor_supply", True)
    _seen(one, 1)
    one.set_coil("contactor_supply", False)
    assert _seen(one, 12) == [(True, True)] * 10 + [(True, False)] * 2


@cases("""before  pct  closed
    0.0  24.9  True | 0.0  25.0  False | 30.0  24.5  False | 30.0  24.0  False | 30.0  23.9  True
""")
def test_gas_relay_opens_at_25_percent_and_closes_again_below_24(before, pct, closed):
    one = _relays()
    one.see_gas(before)
    one.see_gas(pct)
    assert one.lfl_closed == closed
