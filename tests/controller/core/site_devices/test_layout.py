"""The site image: each device as integers and back, and the places of its words."""

from array import array

import pytest
from views import DEVICES, device

from controller.core.base.setpoint import CHAIN_OUTPUTS
from controller.core.image import ProcessImage
from controller.core.site_devices import layout, roles
from safety.signals import Layout

ALL = (*DEVICES, device("pv", 2, rated_W=7))


@pytest.mark.parametrize("count", range(len(ALL) + 1))
def test_the_site_image_gives_the_devices_back(count):
    assert layout.devices_of(layout.image_of(ALL[:count])) == ALL[:count]


def test_an_image_of_another_version_is_refused():
    image = layout.image_of(ALL)
    unknown = array("i", image)
    unknown[0] = 99
    for wrong in (image[:-1], unknown):
        with pytest.raises(ValueError, match="does not fit this version"):
            layout.devices_of(wrong)


def test_every_word_has_a_place_and_a_name_of_its_own():
    image = ProcessImage(Layout(1, 1, 1), ALL)
    names = [name for each in ALL for name in layout.words(each)]
    block = image.places["site"]
    assert len(names) == len(set(names)) == block.stop - block.start
    assert image.places["site"].stop == len(image.inp)
    places = [image.site_place(each.role.name, each.number) for each in ALL]
    counts = [len(each.role.signals) for each in ALL]
    groups = [image.layout.groups + sum(counts[:at]) for at in range(len(ALL))]
    assert [group for _, group in places] == groups
    assert len(image.fresh) == groups[-1] + counts[-1] == image.layout.groups + sum(counts)
    for (first, _), each in zip(places, ALL):
        assert names[first - block.start] == f"{each.name}.{each.role.signals[0].name}"
    with pytest.raises(KeyError, match="pv_3"):
        image.site_place("pv", 3)


def test_a_trace_has_the_words_of_the_chain():
    names = layout.trace_names(ALL)
    actuators = sum([len(each.role.actuators) for each in ALL])
    assert len(names) == len(set(names)) == actuators * len(CHAIN_OUTPUTS)


@pytest.mark.parametrize("role", roles.ROLES.values(), ids=lambda each: each.name)
def test_every_record_names_what_it_has(role):
    assert roles.BY_NUMBER[role.number] is role
    signals = [signal.name for signal in role.signals]
    parameters = [row[0] for row in role.parameters]
    assert len(set(signals)) == len(signals) and len(set(parameters)) == len(parameters)
    assert "stale_ms" in parameters
    for actuator in role.actuators:
        assert actuator.feedback in signals
        assert actuator.high in parameters or actuator.high == 1


def test_parameters_of_one_name_tighten_alike():
    """The keys of all roles lie in one table of a device."""
    ways = {}
    for row in roles.PARAMETERS:
        assert ways.setdefault(row[0], (row[1], row[5])) == (row[1], row[5]), row[0]
