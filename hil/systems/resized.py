"""Other sizes of a system: `--battery-kWh`, `--battery-kW`, `--pv-kW`, and those of `--sweep`.

The units and racks of the file stay, and each becomes larger or smaller. So a unit above 250 kW
stands for several real ones, as in the file.
"""

from collections.abc import Mapping
from typing import Any

from controller.forms.refusal import ConfigError
from hil.systems.spec import Spec

# Least and most of a rack: its current (1 .. 1500 A) and its capacity (1 .. 5000 Ah) in a type.
RACK_KW, RACK_KWH = (2.0, 870.0), (2.0, 3800.0)
HOURS_MAX = 24.0  # of a charge
PV_KW = 1.0, 32_000.0  # of the inverter's profile
OPTIONS = {
    "battery_kWh": "energy of the battery",
    "battery_kW": "power of the battery",
    "pv_kW": "power of the PV",
}


def of(spec: Spec, inputs: Mapping[str, Any]) -> Spec:
    """The system with the sizes of the options. ConfigError: one line."""
    given = {key: inputs[key] for key in OPTIONS if inputs.get(key) is not None}
    if not given:
        return spec
    size = spec.size
    racks = size.units * size.racks_per_unit
    kWh = given.get("battery_kWh", size.energy_Wh / 1000)
    kW = given.get("battery_kW", size.units * size.rated_W / 1000)
    least_kW = 0.0 if "battery_kWh" in given else kWh / HOURS_MAX
    _check(spec, given, "battery_kW", max(racks * RACK_KW[0], least_kW), racks * RACK_KW[1])
    most_kWh = min(racks * RACK_KWH[1], HOURS_MAX * kW)
    _check(spec, given, "battery_kWh", racks * RACK_KWH[0], most_kWh)
    _check(spec, given, "pv_kW", *PV_KW)
    rated_W, energy_Wh = round(1000 * kW / size.units), round(1000 * kWh)
    found = spec._replace(size=size._replace(rated_W=rated_W, energy_Wh=energy_Wh))
    if "pv_kW" in given:
        found = _with_pv(found, round(1000 * given["pv_kW"]))
    return found._replace(name=f"{spec.name} (here {words(found)})")


def scaled(spec: Spec, factor: float) -> Spec:
    """The system with so many times its battery, power and energy."""
    size = spec.size
    kWh, kW = size.energy_Wh / 1000, size.units * size.rated_W / 1000
    return of(spec, {"battery_kWh": factor * kWh, "battery_kW": factor * kW})


def words(spec: Spec) -> str:
    """Its sizes in a few words."""
    size, pv = spec.size, spec.site.get("pv")
    power_kW, energy_kWh = size.units * size.rated_W / 1000, size.energy_Wh / 1000
    sun = f", {pv['rated_W'] / 1000:,.0f} kW of PV" if pv else ""
    return f"{power_kW:,.0f} kW / {energy_kWh:,.0f} kWh{sun}"


def _check(spec: Spec, given: Mapping[str, float], key: str, low: float, high: float) -> None:
    """Refuse a size beyond low .. high, and PV that the system lacks."""
    option = f"--{key.replace('_', '-')}"
    if key == "pv_kW" and key in given and "pv" not in spec.site:
        raise ConfigError(f"{option}: {spec.name} has no PV: allowed where the system has it")
    if key in given and not low <= given[key] <= high:
        allowed = f"{low:,.6g} to {high:,.6g}"
        raise ConfigError(f"{option} {given[key]:g}: allowed are {allowed} for {spec.name}")


def _with_pv(spec: Spec, rated_W: int) -> Spec:
    """The inverter of the site, and the device that the controller commands."""
    size = spec.size
    devices = {**size.devices, "pv": {**size.devices["pv"], "rated_W": rated_W}}
    site = {**spec.site, "pv": {**spec.site["pv"], "rated_W": rated_W}}
    return spec._replace(site=site, size=size._replace(devices=devices))
