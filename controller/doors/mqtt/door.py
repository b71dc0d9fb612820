"""The door."""

from typing import Any

from controller.doors.process import DoorError, House


async def serve(house: House, name: str, values: dict[str, Any]) -> None:
    """Serve until cancelled. Raises DoorError, OSError."""
    raise DoorError("is not built yet")
