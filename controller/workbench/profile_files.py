"""Reads profiles from files, tries each with its driver, and leaves out bad profiles."""

import pathlib
import re
from collections.abc import Iterable

from controller.config import profiles, sends, site_devices
from controller.config.devices import Device
from controller.config.profile_form import SITE_DEVICE
from controller.core.site_devices.roles import OF_DEVICES
from controller.forms.refusal import ConfigError
from controller.system import toml_text
from controller.system.regular_file import link_opener
from controller.workbench import profile_bench
from drivers.profile import Profile


def of_folder(folder: str) -> list[str]:
    """The profiles of a folder. A TOML file without the key `family` is a site file."""
    paths = [path for path in sorted(pathlib.Path(folder or ".").glob("*.toml")) if path.is_file()]
    return [str(path) for path in paths if _names_family(path)]


def _names_family(path: pathlib.Path) -> bool:
    """True if the file is a profile. Also True if it cannot be read, because the reader of profiles
    then reports the error.
    """
    try:
        with open(path, "rb", opener=link_opener) as file:
            return re.search(rb"(?m)^family *=", file.read(toml_text.BYTES_MAX)) is not None
    except OSError:
        return True


def usable(names: Iterable[str]) -> tuple[dict[str, Profile], list[str]]:
    """({name: its profile}, [a line about each profile that is left out])."""
    accepted, left_out = dict[str, Profile](), list[str]()
    for name in names:
        try:
            accepted[name] = checked(name)
        except ConfigError as error:
            left_out.append(f"left out: {' '.join(str(error).split())}")
    return accepted, left_out


def checked(name: str) -> Profile:
    """The profile, tried with its driver and its role. Raises ConfigError."""
    profile = profiles.load(name)
    file = profile.path.name
    if profile.family == SITE_DEVICE:
        role = profile.settings["role"]
        if role not in OF_DEVICES:
            raise ConfigError(f"{file}: settings.role: {role!r}; allowed {', '.join(OF_DEVICES)}")
        settings = profile_bench.parameters_of(role)
        device = Device(
            name="x",
            role=role,
            profile=profile,
            bus="",
            address=1,
            index=0,
            inputs=(),
            outputs=(),
            setpoint_ms=0,
            settings=settings,
        )
        site_devices.check(file, device)
    try:
        driver, _ = profile_bench.build(profile)
        sends.check(driver)
    except ValueError as error:
        raise ConfigError(
            str(error) if str(error).startswith(file) else f"{file}: {error}"
        ) from None
    return profile
