"""One process for the doors of one kind. A failed door is one line, and the others stay open."""

import asyncio
import importlib
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from controller.doors.feed import Feed
from controller.doors.sending import Sender
from controller.doors.settings import Settings
from controller.system import caught, realtime
from controller.system.paths import DONE, plain, say

LINES_MAX = 20
AGAIN_S = 5.0
ALIVE_S = 10.0


class DoorError(Exception):
    """A door cannot open, or has closed; one line says why."""


class House:
    """What every door of a process shares."""

    def __init__(self, settings: Settings, run_directory: str, state_directory: str) -> None:
        self.settings, self.run_directory = settings, run_directory
        self.feed = Feed(run_directory, state_directory)
        self.senders = {
            name: Sender(run_directory, source) for name, source in settings.sources.items()
        }


Serve = Callable[[House, str, dict[str, Any]], Awaitable[None]]


def run(kind: str, settings: Settings, run_directory: str, state_directory: str) -> int:
    """Serve all doors of a kind until SIGTERM or SIGINT. Returns the exit code."""
    serve: Serve = importlib.import_module(f"controller.doors.{kind}.door").serve
    asyncio.run(_all(kind, serve, settings, run_directory, state_directory))
    return DONE


async def _all(
    kind: str, serve: Serve, settings: Settings, run_directory: str, state_directory: str
) -> None:
    house, asked = House(settings, run_directory, state_directory), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    tasks = [asyncio.create_task(house.feed.run()), asyncio.create_task(_alive())]
    for name, values in settings.doors.get(kind, {}).items():
        tasks.append(asyncio.create_task(_kept(f"{kind}.{name}", serve, house, name, values)))
    await asked.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _kept(title: str, serve: Serve, house: House, name: str, values: dict[str, Any]) -> None:
    """One door, opened again AGAIN_S after it failed; one line when the cause is another one."""
    last, said = caught.Last(f"door {title}: closed for {AGAIN_S:.0f} s", LINES_MAX), ""
    while True:
        with last:
            try:
                await serve(house, name, values)
            except (DoorError, OSError) as error:
                if (line := plain(error, title)) != said:
                    say(f"door {title}: {line}")
                said = line
        await asyncio.sleep(AGAIN_S)


async def _alive() -> None:
    notifier = realtime.Notifier()
    notifier.ready("doors open")
    while True:
        notifier.alive()
        await asyncio.sleep(ALIVE_S)
