"""Runs all doors of one kind in one process. If a door fails, the others stay open."""

import asyncio
import importlib
import os
import signal
from collections.abc import Callable
from typing import Any, Protocol

from controller.doors.feed import Feed
from controller.doors.sending import Sender
from controller.doors.settings import Settings, Values
from controller.system import caught, cli, realtime
from controller.system.paths import DONE, NO_START, plain, say
from controller.system.told import DoorError, Told

LINES_MAX = 20
AGAIN_S = 5.0
ALIVE_S = 10.0


class House:
    """The objects that all doors of a process share."""

    def __init__(
        self, settings: Settings, run_directory: str, state_directory: str, own_directory: str
    ):
        self.settings, self.run_directory = settings, run_directory
        self._own_directory = own_directory
        self.feed = Feed(run_directory, state_directory)
        self.senders = {
            name: Sender(run_directory, source) for name, source in settings.sources.items()
        }

    def own(self, name: str) -> str:
        """The path of a file that the doors keep when the process restarts."""
        return os.path.join(self._own_directory, name)


class Door(Protocol):
    """One table of doors.toml, [KIND.NAME]."""

    def __init__(self, house: House, name: str, values: Values): ...

    async def run(self) -> None:
        """Serve until cancelled. Raises DoorError, OSError."""


def run(kind: str, settings: Settings, *directories: str, is_kept: bool = True) -> int:
    """Serve all doors of a kind until SIGTERM or SIGINT. Returns the exit code.

    directories: as for House. is_kept: a failed door is opened again. If it is False, the process
    ends with the door.
    """
    with cli.needs_doors(f"doors {kind}"):
        door: type[Door] = importlib.import_module(f"controller.doors.{kind}.door").Door
    return asyncio.run(_all(kind, _kept if is_kept else _once, door, House(settings, *directories)))


async def _all(kind: str, keep: Callable[..., Any], door: type[Door], house: House) -> int:
    """Serve until a signal comes or a door ends. Returns the exit code."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    doors = [
        asyncio.create_task(keep(f"{kind}.{name}", door, house, name, values))
        for name, values in house.settings.doors.get(kind, {}).items()
    ]
    tasks = [asyncio.create_task(_alive()), asyncio.create_task(asked.wait()), *doors]
    await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
    code = NO_START if any(task.done() for task in doors) else DONE
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return code


async def _once(title: str, door: type[Door], house: House, name: str, values: Values) -> None:
    with caught.Last(f"door {title}: closed"):
        try:
            await door(house, name, values).run()
        except (DoorError, OSError) as error:
            say(plain(error, values.get("listen", "")))


async def _kept(title: str, door: type[Door], house: House, name: str, values: Values) -> None:
    """Run one door. If it fails, open it again after AGAIN_S."""
    last = caught.Last(f"door {title}: closed for {AGAIN_S:.0f} s", LINES_MAX)
    reporter = Told(f"door {title}")
    while True:
        with last:
            try:
                await door(house, name, values).run()
            except (DoorError, OSError) as error:
                reporter.say(plain(error, title))
        await asyncio.sleep(AGAIN_S)


async def _alive() -> None:
    notifier = realtime.Notifier()
    notifier.ready("doors open")
    while True:
        notifier.alive()
        await asyncio.sleep(ALIVE_S)
