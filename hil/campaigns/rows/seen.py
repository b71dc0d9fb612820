"""Conditions of the plant: its sensor shows the cause of a course."""


def hotter(degC):
    """The hottest module of rack 1 reads at least degC."""
    return lambda plant: round(max(plant.racks[0].temperatures_degC), 1) >= degC


def air(degC):
    """The air in the cabinet has at least degC."""
    return lambda plant: round(plant.air_degC, 1) >= degC


def gas(lfl_pct):
    """Gas detector 1 reads at least lfl_pct."""
    return lambda plant: round(plant.gas_lfl_pct[0], 1) >= lfl_pct


def vapour(count):
    """Vapour: at least `count` off-gas sensors read 20 ppm."""
    return lambda plant: sum(round(ppm) >= 20 for ppm in plant.offgas_ppm) >= count


def toxic(ppm):
    """A head of toxic gas reads at least ppm."""
    return lambda plant: max(round(each) for each in plant.toxic_ppm) >= ppm


def suspicious(plant):
    """Two signs add up to the threshold of row 53."""
    signs = round(max(plant.offgas_ppm)) * 5, round(max(plant.toxic_ppm)) * 2
    return sum(signs) >= 100 and min(signs) >= 25


def opened(contact):
    """A contact of the plant is open."""
    return lambda plant: not plant.contacts[contact]


def supply_off(plant):
    """The supply of the contactors is withdrawn."""
    return not plant.relays.coils["contactor_supply"]


def third_time(condition, after_ms=0):
    """after_ms have passed since the condition became true for the third time; call every tick."""
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
    """The converter's DC current has changed by current_A since the first call."""
    began = []

    def has_moved(plant):
        began.append(plant.pcs[0].dc_current_A)
        return abs(began[-1] - began[0]) > current_A

    return has_moved
