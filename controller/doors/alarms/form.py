"""The keys of [alarms.NAME] in doors.toml."""

from typing import Any

from controller.doors.settings import Settings
from controller.forms.field import Form

FORM: Form = {}


def check(settings: Settings, path: tuple[str, ...], values: dict[str, Any]) -> None:
    """Refuse what no form can see. Raises ConfigError."""
