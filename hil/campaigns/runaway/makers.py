"""Makers of false alarms: what each does to the plant from its second on, drawn by `deal`.

A maker returns steps (second, function of the plant). Times between two of them are far shorter
than in a cabinet: alarms are counted per event and weighed with how often a cabinet sees it.
"""

import math


def _place(deal):
    """(rack, module)."""
    return deal.randrange(3), deal.randrange(15)


def _logarithmic(deal, low, high):
    return math.exp(deal.uniform(math.log(low), math.log(high)))


def _zero(deal, at_s):
    (rack, module), for_s = _place(deal), deal.uniform(2.0, 60.0)
    return [
        (at_s, lambda plant: plant.racks[rack].stick_sensor(module, 0.0)),
        (at_s + for_s, lambda plant: plant.racks[rack].stick_sensor(module, None)),
    ]


def _invalid(deal, at_s):
    (rack, module), for_s = _place(deal), deal.uniform(2.0, 60.0)
    return [
        (at_s, lambda plant: plant.racks[rack].invalidate_sensors(module, 2)),
        (at_s + for_s, lambda plant: plant.racks[rack].invalidate_sensors(module, 0)),
    ]


def _misread(deal, at_s):
    (rack, module), offset_K = _place(deal), deal.choice((-1.0, 1.0)) * deal.uniform(1.0, 60.0)
    return [(at_s, lambda plant: plant.racks[rack].misread(module, offset_K))]


def _stuck(deal, at_s):
    """It repeats what it read last, for minutes, and then shows what it is."""
    (rack, module), for_s = _place(deal), deal.uniform(120.0, 500.0)

    def stick(plant):
        plant.racks[rack].stick_sensor(module, plant.racks[rack].temperatures_degC[module])

    return [
        (at_s, stick),
        (at_s + for_s, lambda plant: plant.racks[rack].stick_sensor(module, None)),
    ]


def _solvent(deal, at_s):
    """Somebody paints or cleans nearby: 2 to 60 ppm for minutes, one head more than the other."""
    ppm, for_s = _logarithmic(deal, 2.0, 60.0), deal.uniform(20.0, 200.0)
    share = deal.random()
    return [
        (at_s, lambda plant: plant.air.cap("vapour", ppm, (0,))),
        (at_s, lambda plant: plant.air.cap("vapour", ppm * share, (1,))),
        (at_s + for_s, lambda plant: plant.air.cap("vapour", 0.0)),
    ]


def _drift(deal, at_s):
    """The zero of one detector wanders within a course as it would within months."""
    offgas_ppm, toxic_ppm = deal.choice(
        ((deal.uniform(2.0, 18.0), 0.0), (0.0, deal.uniform(5.0, 45.0)))
    )

    def wander(share):
        return lambda plant: (
            plant.air.cap("vapour", offgas_ppm * share, (0,)),
            plant.air.cap("toxic", toxic_ppm * share, (0,)),
        )

    return [(at_s + 50.0 * part, wander(part / 20.0)) for part in range(1, 21)]


def _hvac(deal, at_s):
    return [(at_s, lambda plant: setattr(plant.climate, "hvac_failed", True))]


def _balancing(deal, at_s):
    """A balancer or a contact moves one cell's voltage at once, and back."""
    rack, module = _place(deal)
    offset_V, cell = deal.choice((-1.0, 1.0)) * deal.uniform(0.005, 0.06), deal.randrange(16)
    return [
        (at_s, lambda plant: plant.racks[rack].offset_cell(offset_V, module, cell)),
        (at_s + 60.0, lambda plant: plant.racks[rack].offset_cell(0.0, module, cell)),
    ]


def _door(deal, at_s):
    """Open for two minutes; the air inside goes towards that of the hall."""
    hall_degC = deal.uniform(5.0, 40.0)
    return [
        (at_s, lambda plant: setattr(plant, "door_closed", False)),
        (at_s, lambda plant: plant.climate.hold(hall_degC, 0.1)),
        (at_s + 120.0, lambda plant: setattr(plant, "door_closed", True)),
        (at_s + 120.0, lambda plant: plant.climate.hold(None, 0.0)),
    ]


def _two(deal, at_s):
    """Solvent in the air, and something else meanwhile."""
    steps = _solvent(deal, at_s)
    return steps + deal.choice((_zero, _misread, _balancing, _door))(deal, at_s + 10.0)


# Maker, events per 1000 cabinet-days, seconds an event is watched for. The rates are assumed, no
# source: a cabinet of 45 sensors, 5 detectors, one service visit a quarter.
TABLE = {
    "sensor_zero": (_zero, 3.0, 240),
    "sensor_invalid": (_invalid, 3.0, 180),
    "misread": (_misread, 1000.0, 60),
    "stuck": (_stuck, 1.0, 600),
    "solvent": (_solvent, 5.0, 300),
    "drift": (_drift, 3.0, 1200),
    "hvac": (_hvac, 3.0, 1200),
    "balancing": (_balancing, 1000.0, 120),
    "door": (_door, 12.0, 300),
    "two_at_once": (_two, 0.5, 300),
}
MAKERS = {name: maker for name, (maker, _, _) in TABLE.items()}
RATES = {name: rate for name, (_, rate, _) in TABLE.items()}
WINDOW_S = {name: seconds for name, (_, _, seconds) in TABLE.items()} | {"load": 1200}
