"""The energy that a UPS of the load can give, and what of the reserve it stands for."""

from device_bench import Bench
from views import RATED_W, device

from controller.core.base import reasons
from controller.core.policies.reserve import Reserve
from controller.core.site_devices import bridging
from tests.tables import cases

ENERGY_WH = 645_000  # of the battery, by default
NAMES = ("state_code", "charge_permille", "bridging_s", "load_W")


def ups(number=1, energy_Wh=100_000):
    return device("load_ups", number, rated_W=RATED_W, energy_Wh=energy_Wh)


def bench(*values, devices=None, **settings):
    """One UPS reports these values; no value: it has never been heard."""
    found = Bench(Reserve, *(devices or [ups()]), **settings)
    found.hear(is_fresh=bool(values), **heard(values))
    return found


def heard(values, number=1):
    return {f"load_ups_{number}__{name}": each for name, each in zip(NAMES, values)}


def total_Wh(found):
    return bridging.total_Wh(found.site.of_role("load_ups"))


@cases(
    """
    values                    Wh
    (0, 1000, 3600, 50_000)   50_000
    (1, 1000, 3600, 50_000)   50_000
    # never more than the measured charge of the battery, nor than its time at this load
    (0, 1000, 36_000, 50_000) 100_000
    (0, 500, 36_000, 50_000)  50_000
    (1, 1, 36_000, 50_000)    100
    (0, 1000, 1, 3600)        1
    (0, 1000, 1, 3599)        0
    # hours at no load are no energy
    (0, 1000, 1_000_000, 0)   0
    # in bypass, and off, its battery does not carry the load
    (2, 1000, 3600, 50_000)   0
    (3, 1000, 3600, 50_000)   0
    # a time of 0 s contradicts a charge
    (0, 1000, 0, 50_000)      None
    (0, 101, 0, 50_000)       None
    (1, 100, 0, 50_000)       0
""".replace(") ", ")  ")
)
def test_the_smaller_of_charge_and_time_counts(values, Wh):
    assert total_Wh(bench(*values)) == Wh


def test_it_is_unknown_while_one_signal_is_old_or_refused_and_of_several_the_known_count():
    one = bench(0, 1000, 3600, 50_000)
    for silent in range(4):
        one.hear(**heard((0, 1000, 3600, 50_000)))
        fresh = bytes([place != silent for place in range(4)])
        one.site.step(fresh, 149)
        assert total_Wh(one) == 50_000
        one.site.step(bytes(4), 1)
        assert total_Wh(one) is None, "3000 ms in ticks of 20 ms"
    one.hear(**heard((0, 1000, 3600, 50_000)))
    one.site.inp[one.place["load_ups_1.refused"]] = 0b0100
    one.hear()
    assert total_Wh(one) is None
    assert total_Wh(bench()) is None and total_Wh(bench(devices=[device("pv")])) is None
    two = bench(0, 1000, 3600, 50_000, devices=[ups(), ups(2)])
    assert total_Wh(two) == 50_000, "the second one reports a load of 0"
    two.hear(**heard((0, 1000, 3600, 7000), 2))
    assert total_Wh(two) == 57_000
    two.hear(**heard((0, 1000, 0, 7000), 2))
    assert total_Wh(two) == 50_000


@cases("""
    values                      share_permille  energy_Wh  kept_permille
    (0, 1000, 3600, 32_250)     1000            645_000    50
    (0, 1000, 3600, 32_249)     1000            645_000    51
    (0, 1000, 3600, 32_250)     500             645_000    75
    (0, 1000, 3600, 32_250)     1000            64_500     0
    (0, 1000, 3600, 100_000)    1000            64_500     0
    (2, 1000, 3600, 100_000)    1000            645_000    100
    ()                          1000            645_000    100
""")
def test_the_backup_level_is_lower_by_this_cabinets_share(
    values, share_permille, energy_Wh, kept_permille
):
    """The whole level is 100 permille. It is reached at its end, and its cause names it."""
    found = bench(*values, share_permille=share_permille, energy_Wh=energy_Wh)
    found.step(soc_permille=(kept_permille + 1, 1000))
    assert not found.function.backup.is_reached
    found.step(soc_permille=(kept_permille, 1000))
    assert found.function.backup.is_reached
    numbers = found.function.numbers(reasons.RESERVE_BACKUP)
    assert numbers["reserve_permille"] == kept_permille
    assert found.function.state.peaks_permille == 150


def test_a_silent_ups_gives_the_whole_reserve_back_within_two_seconds():
    found = bench(0, 1000, 3600, 32_250)
    found.step(soc_permille=(90, 1000))
    assert found.function.backup.discharge_W_max == RATED_W
    found.hear(is_fresh=False)
    found.step(100, soc_permille=(90, 1000))
    assert found.function.backup.discharge_W_max == 0
