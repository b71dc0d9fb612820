"""The hard-wired chain and the drop order of the relays."""

import itertools

import pytest

from hil.plant import relays

DT_S = 0.02


def _relays(fire_in_chain=True, off_delay_s=0.2):
    one = relays.SafetyRelays(off_delay_s, fire_in_chain)
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


def test_starts_dead():
    one = relays.SafetyRelays(0.2, True)
    one.step(DT_S)
    assert (one.pcs_enable, one.contactor_supply) == (False, False)


@pytest.mark.parametrize("enable, supply", list(itertools.product((False, True), repeat=2)))
def test_each_relay_follows_its_own_coil(enable, supply):
    one = relays.SafetyRelays(0.2, True)
    one.set_coil("pcs_enable", enable)
    one.set_coil("contactor_supply", supply)
    one.step(DT_S)
    assert (one.pcs_enable, one.contactor_supply) == (enable, supply)


@pytest.mark.parametrize(
    "name", ["estop_0", "estop_1", "lfl", "fire", "suppression", "cell_voltage"]
)
def test_any_contact_of_the_chain_drops_the_enable_now_and_the_supply_200_ms_later(name):
    one = _relays()
    assert one.pcs_enable and one.contactor_supply
    _open_one(one, name)
    seen = []
    for _ in range(12):
        one.step(DT_S)
        seen.append((one.pcs_enable, one.contactor_supply))
    assert seen == [(False, True)] * 10 + [(False, False)] * 2


@pytest.mark.parametrize(
    "name", ["estop_0", "estop_1", "lfl", "fire", "suppression", "cell_voltage"]
)
def test_a_bridge_leaves_all_to_the_program(name):
    one = _relays()
    one.bridged = True
    _open_one(one, name)
    for _ in range(20):
        one.step(DT_S)
    assert one.pcs_enable and one.contactor_supply
    one.set_coil("pcs_enable", False)
    one.step(DT_S)
    assert not one.pcs_enable


@pytest.mark.parametrize("bridged", [False, True])
def test_the_second_channel_drops_both_whatever_the_first_commands(bridged):
    one = _relays()
    one.bridged, one.channel_b_closed = bridged, False
    seen = []
    for _ in range(12):
        one.step(DT_S)
        seen.append((one.pcs_enable, one.contactor_supply))
    assert seen == [(False, True)] * 10 + [(False, False)] * 2
    one.channel_b_closed = True
    one.step(DT_S)
    assert one.pcs_enable and one.contactor_supply


@pytest.mark.parametrize("name", ["fire", "suppression"])
def test_fire_contacts_can_be_left_out_of_the_chain(name):
    one = _relays(fire_in_chain=False)
    _open_one(one, name)
    one.step(DT_S)
    assert one.pcs_enable


def test_dropping_the_supply_coil_is_delayed_too_and_can_be_taken_back():
    one = _relays()
    one.set_coil("contactor_supply", False)
    for _ in range(9):
        one.step(DT_S)
    one.set_coil("contactor_supply", True)
    one.step(DT_S)
    one.set_coil("contactor_supply", False)
    held = 0
    while one.contactor_supply:
        one.step(DT_S)
        held += 1
    assert held == 11


@pytest.mark.parametrize("pct, closed", [(24.9, True), (25.0, False), (100.0, False)])
def test_gas_relay_opens_at_25_percent(pct, closed):
    one = _relays()
    one.see_gas(pct)
    assert one.lfl_closed == closed


@pytest.mark.parametrize("pct, closed", [(24.5, False), (24.0, False), (23.9, True), (0.0, True)])
def test_gas_relay_closes_again_below_24_percent(pct, closed):
    one = _relays()
    one.see_gas(30.0)
    one.see_gas(pct)
    assert one.lfl_closed == closed


def test_an_unknown_coil_is_named():
    with pytest.raises(ValueError, match="coil pcs_enabel: known are pcs_enable, "):
        _relays().set_coil("pcs_enabel", True)
