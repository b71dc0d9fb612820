"""Changes a system's size by --battery-kWh, --battery-kW, --pv-kW or --sweep.

The numbers of units and racks stay as in the file, and each unit and rack becomes larger or
smaller.
"""

import math
from collections.abc import Mapping

from controller.forms.refusal import ConfigError
from hil.systems.spec import Inputs, Spec

# Ranges of a rack. The files allow a current of 1 .. 1500 A and a capacity of 1 .. 5000 Ah.
RACK_KW, RACK_KWH = (2.0, 870.0), (2.0, 3800.0)
HOURS_MAX = 24.0  # longest time of a full charge
PV_KW = 1.0, 32_000.0  # range of the inverter's profile
HERE = " (here "
ENERGY, POWER, PV = "--battery-kWh", "--battery-kW", "--pv-kW"
OPTIONS = {ENERGY: "kWh of the battery", POWER: "kW of the battery", PV: "kW of the PV"}


def key(option: str) -> str:
    """The name of an option among the inputs."""
    return option.removeprefix("--").replace("-", "_")


def of(spec: Spec, inputs: Inputs) -> Spec:
    """The system with the sizes of the options. ConfigError: one line."""
    chosen = {option: inputs.get(key(option)) for option in OPTIONS}
    sizes = {option: size for option, size in chosen.items() if size is not None}
    if not sizes:
        return spec
    size = spec.size
    racks = size.units * size.racks_per_unit
    kWh = sizes.get(ENERGY, size.energy_Wh / 1000)
    kW = sizes.get(POWER, size.power_W / 1000)
    least_kW = 0.0 if ENERGY in sizes else kWh / HOURS_MAX
    _check(spec, sizes, POWER, max(racks * RACK_KW[0], least_kW), racks * RACK_KW[1])
    _check(spec, sizes, ENERGY, racks * RACK_KWH[0], min(racks * RACK_KWH[1], HOURS_MAX * kW))
    _check(spec, sizes, PV, *PV_KW)
    rated_W, energy_Wh = round(1000 * kW / size.units), round(1000 * kWh)
    changed = spec._replace(size=size._replace(rated_W=rated_W, energy_Wh=energy_Wh))
    if PV in sizes:
        changed = _with_pv(changed, round(1000 * sizes[PV]))
    return changed._replace(name=f"{spec.name.split(HERE)[0]}{HERE}{sizes_text(changed)})")


def scaled(spec: Spec, factor: float) -> Spec:
    """The system with power and energy of its battery multiplied by this factor."""
    if factor == 1.0:
        return spec
    kWh, kW = spec.size.energy_Wh / 1000, spec.size.power_W / 1000
    return of(spec, {key(ENERGY): factor * kWh, key(POWER): factor * kW})


def sizes_text(spec: Spec) -> str:
    """Sizes of a system in a few words."""
    pv = spec.site.get("pv")
    return battery(spec) + (f" and {pv['rated_W'] / 1000:,.0f} kW of PV" if pv else "")


def battery(spec: Spec) -> str:
    """Power and energy of the battery."""
    size = spec.size
    return f"{size.power_W / 1000:,.0f} kW / {size.energy_Wh / 1000:,.0f} kWh"


def _check(spec: Spec, sizes: Mapping[str, float], option: str, low: float, high: float) -> None:
    """Refuse a size beyond low .. high, and PV that the system lacks."""
    if option == PV and PV in sizes and "pv" not in spec.site:
        raise ConfigError(f"{option}: {spec.name} has no PV: allowed where the system has it")
    if option in sizes and not low <= sizes[option] <= high:
        allowed = f"{math.ceil(low)} to {math.floor(high)}"
        raise ConfigError(f"{option} {sizes[option]:g}: allowed are {allowed} for {spec.name}")


def _with_pv(spec: Spec, rated_W: int) -> Spec:
    """The system with another inverter, on the site and as the device of the controller."""
    size = spec.size
    devices = {**size.devices, "pv": {**size.devices["pv"], "rated_W": rated_W}}
    site = {**spec.site, "pv": {**spec.site["pv"], "rated_W": rated_W}}
    return spec._replace(site=site, size=size._replace(devices=devices))
