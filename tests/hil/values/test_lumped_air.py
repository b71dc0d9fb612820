"""Cold and hot systems in chain-only mode: heat reaches the cells; hot cells get less power."""

import pytest

from controller.config import configuration
from controller.sites import FOLDER
from hil.plant.config import checked
from hil.site.air_devices import Fan, Heater
from hil.site.cooling import Chiller
from hil.systems.sized import Size
from hil.values.chain_only import ChainOnly
from hil.values.lumped import LumpedUnit
from hil.values.lumped_air import LumpedAir

CONFIG = configuration.load(FOLDER / "three_units" / "cabinet.toml", tick_ms=100)
HOUR_S = 3600


def air_of(*parts, units=1, **changes):
    config = checked({"racks": 3, **changes})
    batteries = [LumpedUnit(config, 3, 0.5, config.start_degC) for _ in range(units)]
    return LumpedAir(config, batteries, parts), batteries


def test_a_heater_warms_the_cells_by_its_energy_less_what_the_walls_lose():
    """3 x 240 cells of 5600 J/K; the air between holds 18 kJ/K; 300 W of electronics."""
    heater = Heater({"rated_W": 9000})
    heater.ask("heat", 1)
    cold = {"start_degC": -25, "hvac_heating_share": 0, "wall_W_per_K": 30}
    air, (battery,) = air_of(heater, **cold)
    lost_J = 0.0
    for second in range(3 * HOUR_S):
        heater.ask("heat", 1)
        heater.step(second, 1.0, 0.0)
        battery.step(0.0, 1.0)
        assert air.step(1.0, -25.0) == 9000
        lost_J += 30.0 * (air.climate.air_degC + 25.0)
    assert air.heater_J == 9000 * 3 * HOUR_S
    cells_J = 3 * 240 * 5600 * (battery.degC + 25.0)
    air_J = 18_000 * (air.climate.air_degC + 25.0)
    given_J = air.heater_J + 300 * 3 * HOUR_S
    own_J = 0.1 * battery.losses_W * 3 * HOUR_S  # the converter that stands by
    assert cells_J + air_J + lost_J == pytest.approx(given_J + own_J, rel=0.01)
    assert -6.0 < battery.degC < 0.0


def test_air_of_larger_cells_is_that_of_more_cabinets():
    ends = []
    for rated_W, energy_Wh in ((250_000, 645_120), (2_500_000, 6_451_200)):
        size = Size(1, 3, rated_W, energy_Wh, 1_000_000)
        air, (battery,) = air_of(pcs_rated_W=rated_W, **size.plant)
        for _ in range(HOUR_S):
            battery.step(0.8 * battery.rated_W, 1.0)
            air.step(1.0, 25.0)
        ends.append((battery.degC, air.climate.air_degC))
    assert ends[0] == pytest.approx(ends[1], abs=0.5)


def test_fans_and_chiller_cool_their_units():
    fan, chiller = Fan({"fan_unit": 2}), Chiller({})
    air, batteries = air_of(fan, chiller, units=3, weak_fan_unit=2, weak_fan_permille=500)
    assert [each.flow for each in batteries] == [1.0, 0.5, 1.0]
    fan.ask("boost", 1)
    chiller.ask("pre_cool", 1)
    for second in range(HOUR_S):
        fan.ask("boost", 1)
        chiller.step(second, 1.0, 0.0)
        air.step(1.0, 25.0)
    assert [each.flow for each in batteries] == [1.0, 0.75, 1.0]
    assert air.climate.air_degC == pytest.approx(21.0, abs=0.1)


@pytest.mark.whole
@pytest.mark.parametrize("air_degC, charge_W", [(40.0, 375_000), (44.0, 60_000), (47.0, 0)])
def test_power_falls_before_a_row_trips_in_hot_air(air_degC, charge_W):
    """Rows 20a and 20b trip at 45 degC while charging and at 55 degC: the tapers of the kernel end
    there. All the power in turn each way, for 6 h.
    """

    def load_W(t_s):
        return 760_000.0 + (740_000.0 if t_s % 60 < 30 else -740_000.0)

    chain = ChainOnly(CONFIG, load_W, 0.5, air_degC, 5000)
    for unit in chain.units:
        unit.module_air_degC = air_degC
    charged_degC = []
    for _ in range(6 * HOUR_S // 5):
        chain.step()
        if chain.battery_W < 0:
            charged_degC.append(chain.degC)
    assert chain.degC < 50.0 and max(charged_degC, default=0.0) < 45.0
    assert sum(chain.loop.limits.charge_W) <= charge_W
