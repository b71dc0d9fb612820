"""The cabinets and pods that are shipped; marks the long forms of tests of the whole box."""

import pytest

from controller.sites import FOLDER
from tests.repository import ROOT

CABINETS = sorted(FOLDER.glob("*/cabinet.toml"))
PODS = sorted((ROOT / "hil" / "site" / "examples").glob("*.toml"))


def whole(*values):
    """Each value as a parameter that runs in `./flash.sh test --whole` only."""
    return [pytest.param(value, marks=pytest.mark.whole) for value in values]
