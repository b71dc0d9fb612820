"""The keys of [modbus.NAME] in doors.toml."""

from typing import Any

from controller.doors.exposure import Exposure
from controller.doors.settings import Settings
from controller.forms.field import Form

FORM: Form = {}


def check(settings: Settings, path: tuple[str, ...], values: dict[str, Any]) -> None:
    """Refuse what no form can see. Raises ConfigError."""


def exposure(settings: Settings, path: tuple[str, str], values: dict[str, Any]) -> list[Exposure]:
    """Nothing yet."""
    return []
