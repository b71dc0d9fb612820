"""The cabinets and pods that are shipped."""

import pytest
from slow import whole

from controller.sites import FOLDER
from tests.repository import ROOT

CABINETS = sorted(FOLDER.glob("*/cabinet.toml"))
PODS = sorted((ROOT / "hil" / "site" / "examples").glob("*.toml"))


def first(cabinet):
    """The cabinet, and all others for `--whole`."""
    return [cabinet, *whole(*[each for each in CABINETS if each != cabinet])]


def of_cabinets(name, cabinets):
    """A test of each of these cabinets; a case has the name of its folder."""
    return pytest.mark.parametrize(name, cabinets, ids=lambda path: path.parent.name)
