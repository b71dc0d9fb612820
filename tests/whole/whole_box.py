"""The cabinets and pods that are shipped."""

from controller.sites import FOLDER
from tests.repository import ROOT

CABINETS = sorted(FOLDER.glob("*/cabinet.toml"))
PODS = sorted((ROOT / "hil" / "site" / "examples").glob("*.toml"))
