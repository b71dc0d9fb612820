"""When the plant's own sensor shows the cause of a course: conditions of the plant."""


def hotter(degC):
    """The hottest module of rack 1 reads this much."""
    return lambda plant: round(max(plant.racks[0].temperatures_degC), 1) >= degC


def air(degC):
    """The air in the cabinet is as warm as this."""
    return lambda plant: round(plant.air_degC, 1) >= degC


def gas(lfl_pct):
    """Gas detector 1 reads this much."""
    return lambda plant: round(plant.gas_lfl_pct[0], 1) >= lfl_pct


def vapour(count):
    """So many off-gas sensors read 20 ppm."""
    return lambda plant: sum(round(ppm) >= 20 for ppm in plant.offgas_ppm) >= count


def toxic(ppm):
    """One of the toxic gas heads reads this much."""
    return lambda plant: max(round(each) for each in plant.toxic_ppm) >= ppm


def suspicious(plant):
    """Two signs together as row 53 adds them up."""
    signs = round(max(plant.offgas_ppm)) * 5, round(max(plant.toxic_ppm)) * 2
    return sum(signs) >= 100 and min(signs) >= 25


def opened(contact):
    """A contact of the plant is open."""
    return lambda plant: not plant.contacts[contact]


def supply_off(plant):
    """The supply of the contactors was taken away."""
    return not plant.relays.coils["contactor_supply"]


def third_time(condition, after_ms=0):
    """From after_ms past the moment in which a condition of the plant has come true for the third
    time; asked each tick.
    """
    times_us, was = [], False

    def is_over(plant):
        nonlocal was
        is_so = condition(plant)
        if is_so and not was:
            times_us.append(plant.now_us)
        was = is_so
        return len(times_us) >= 3 and plant.now_us - times_us[2] >= after_ms * 1000

    return is_over


def moved(current_A):
    """The converter's DC current is this far from where it was; asked each tick."""
    began = []

    def has_moved(plant):
        began.append(plant.pcs[0].dc_current_A)
        return abs(began[-1] - began[0]) > current_A

    return has_moved
