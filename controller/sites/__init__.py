"""Example configurations: cabinets and siting plans."""

import pathlib

FOLDER = pathlib.Path(__file__).parent
EXAMPLE = FOLDER / "example" / "cabinet.toml"
PYLONTECH = FOLDER / "pylontech" / "cabinet.toml"
PV_GENSET = FOLDER / "pv_genset" / "cabinet.toml"
