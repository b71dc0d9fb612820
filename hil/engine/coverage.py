"""Finds which devices the rig simulates, mirrors, or cannot simulate: `python -m hil keys covers`.

`./flash.sh check` prints the result. A mirrored device takes its register map from the profile. A
mistake in the profile is then in both the driver and the simulated device. So a run proves the
wiring, not the decoding.
"""

from argparse import Namespace
from collections.abc import Collection, Sequence
from typing import Any

from controller.config import configuration, thresholds
from controller.config.cabinet_config import Config
from controller.config.devices import Device
from drivers.profile import FOLDER, Profile
from hil.devices.native_bms import DBC
from hil.engine.refusals import NotSimulatedError as NotSimulatedError
from hil.plant.config import KEYS
from hil.results.words import MIRRORED as MIRRORED_NOTE
from hil.scenarios.scenario import Scenario
from hil.scenarios.site_actions import NEEDS

# Profiles whose simulated device in hil/devices follows a document
DOCUMENTED = (
    "sunspec_pcs",
    "firebreak_rack",
    "pylontech_lv",
    "firebreak_fast_meter",
    "sdm630",
    "io_8in_8out",
    "gas_detector",
    "offgas_detector",
    "toxic_detector",
    "climate_monitor",
    "ups_monitor",
)
# Families that can be mirrored. An I/O module must read its inputs by function 2.
MIRRORED = (
    "meter",
    "io",
    "gas",
    "offgas",
    "toxic",
    "climate",
    "ups",
    "site_device",
    "register_pcs",
    "can_bms",
    "register_bms",
)
SUNSPEC_BASE = 40_000  # first register of the simulated converter's models
CELLS_MAX, MODULES_MAX = [KEYS[key].allowed[1] for key in ("cells_per_module", "modules")]
CHANNEL_B = "channel_b"  # device name in a scenario, if the cabinet has a channel B


def loaded(path: str, is_virtual: bool = True) -> Config:
    """The checked configuration in a file. Raises ConfigError, NotSimulatedError."""
    config = configuration.load(path)
    check(config, is_virtual)
    return config


def check(config: Config, is_virtual: bool) -> None:
    """Refuse a configuration that the rig cannot simulate. Raises NotSimulatedError."""
    lacking = not_simulated(config, is_virtual)
    if lacking:
        raise NotSimulatedError(f"{config.path}: the rig cannot simulate {'; '.join(lacking)}")


def check_scenario(config: Config, scenario: Scenario | None, parts: Collection[str] = ()) -> None:
    """Refuse a scenario that acts on a device or part that neither the cabinet nor the site has.
    parts: those in the site's file. Raises NotSimulatedError.
    """
    if scenario is None:
        return
    topology, actions = config.topology, scenario.actions
    fitted = {
        *parts,
        *[device.role for device in config.devices],
        *[action.do for action in actions],
    }
    known: dict[str, Sequence[object]] = {
        "rack": range(1, topology.racks + 1),
        "unit": range(1, topology.units + 1),
        "device": [
            *map(simulated_name, config.devices),
            *([CHANNEL_B] if config.channel_b else []),
        ],
        "bus": [bus.name for bus in config.buses],
        "source": [source.name for source in config.sources],
    }
    for action in actions:
        where = f"{config.path}: scenario {scenario.name}, {action.do}"
        needed = NEEDS.get(action.do)
        if needed and needed not in fitted:
            raise NotSimulatedError(f"{where}: the site has no {needed}")
        for key, allowed in known.items():
            value = action.arguments.get(key)
            if value is not None and value not in allowed:
                names = ", ".join(map(str, allowed)) or "none"
                raise NotSimulatedError(f"{where}: no {key} {value}; allowed {names}")


def simulated_name(device: Device) -> str:
    """The name of a simulated device, for scenarios: its role, with a number if it may repeat."""
    return f"{device.role}_{device.index + 1}" if device.index >= 0 else device.role


def is_documented(device: Device) -> bool:
    """True if a document, not the profile, defines how the simulated device answers."""
    path = device.profile.path
    return (path.parent == FOLDER and path.stem in DOCUMENTED) or _follows(device.profile)


def _follows(profile: Profile) -> bool:
    """True if a site's own profile of a converter or BMS fits the document of its family."""
    settings = profile.settings
    if profile.family == "sunspec_pcs":
        return SUNSPEC_BASE in settings["base_addresses"] and "802.V" in profile.registers
    dbc = settings.get("dbc", "")
    return bool(dbc) and (profile.path.parent / dbc).read_bytes() == DBC.read_bytes()


def mirrored(config: Config) -> list[str]:
    """Names of the devices that mirror their profile."""
    return [
        device.name
        for device in config.devices
        if device.profile.family in MIRRORED and not is_documented(device)
    ]


def about(config: Config) -> dict[str, Any]:
    """{note, devices} for the document of a run; `devices` may be empty."""
    return {"note": MIRRORED_NOTE, "devices": mirrored(config)}


def not_simulated(config: Config, is_virtual: bool) -> list[str]:
    """Devices and settings that the rig cannot simulate, with the allowed values; empty if none."""
    lacking = [
        f"device.{device.name}.profile {device.profile.path.stem} (allowed {wanted})"
        for device in config.devices
        for wanted in [_wanted(device.profile)]
        if wanted and not is_documented(device)
    ]
    if config.hma["chemistry"] != thresholds.LFP:
        lacking.append(f"hma.chemistry {config.hma['chemistry']} (allowed {thresholds.LFP})")
    for number, rack in enumerate(config.rack_tables, 1):
        cells, modules = rack["cells"], modules_of(rack)
        if cells % modules or cells // modules > CELLS_MAX or modules > MODULES_MAX:
            allowed = f"allowed at most {MODULES_MAX} equal modules of at most {CELLS_MAX} cells"
            lacking.append(f"rack.{number}: {cells} cells in {modules} modules ({allowed})")
    if config.channel_b and not is_virtual:
        lacking.append("channel B in real time (allowed with --virtual)")
    return lacking


def modules_of(rack: dict[str, int]) -> int:
    """Number of modules of a rack in the plant; the lowest that fits if the BMS reports none."""
    cells = rack["cells"]
    fitting = [count for count in range(1, cells + 1) if cells % count == 0]
    fewest = next(count for count in fitting if cells // count <= CELLS_MAX)
    return rack["modules"] or fewest


def _wanted(profile: Profile) -> str:
    """The condition that the profile does not meet; "" if the rig can mirror the profile."""
    if profile.family == "io":
        return "" if profile.registers["inputs"].function == 2 else "inputs by function 2"
    models = f"SunSpec models from register {SUNSPEC_BASE}, 802 for the battery"
    return models if profile.family == "sunspec_pcs" else ""


def lines(config: Config) -> list[str]:
    """Lines about the rig for the report of the configuration."""
    report = [f"the rig cannot simulate {part}" for part in not_simulated(config, True)]
    names = mirrored(config)
    if names:
        report.append(f"{MIRRORED_NOTE}: {', '.join(names)}")
    return report or ["the rig simulates every device; none is mirrored"]


def add(commands: Any) -> None:
    """Add the command to the subparsers; it takes the command line of `firebreak check`."""
    parser = commands.add_parser("covers", help="what the rig simulates of a cabinet's file")
    parser.add_argument("file", nargs="?", metavar="FILE", help="cabinet.toml")
    parser.add_argument("--keys", action="store_true", help="no report")
    parser.add_argument("--state-dir", help="without effect here")
    parser.set_defaults(run=main, program="keys covers")


def main(arguments: Namespace) -> int:
    """Print the report. Returns the exit code."""
    if arguments.file:
        report = [f"  {line}" for line in lines(configuration.load(arguments.file))]
        print("\n".join(["", "RIG (./flash.sh rig --cabinet FILE)", *report]))
    return 0
