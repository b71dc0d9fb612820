"""A doors.toml with the keys of a site whose loop answers, and a door that runs beside it."""

import asyncio
import contextlib
import os
import threading

import pytest

from controller.doors import settings
from controller.doors.process import House
from controller.forms.refusal import ConfigError
from tests.controller.hinted_site import KEYS, HintedSite

GUARD_S = 30
SOURCES = """
[source.site_ems]
key = "site_ems.key"
may = "grid_cap"
[source.scheduler]
key = "scheduler.key"
may = "request"
"""


def written(folder, text, sources=SOURCES):
    """The path of a doors.toml with the keys of its sources beside it."""
    folder.mkdir(exist_ok=True)
    for name in ("site_ems", "scheduler"):
        path = folder / f"{name}.key"
        path.write_text(KEYS[name].hex() + "\n")
        os.chmod(path, 0o600)
    (folder / "doors.toml").write_text(sources + text)
    return str(folder / "doors.toml")


def patched(old, made):
    """The state after a merge patch (RFC 7386, chapter 2)."""
    if not isinstance(made, dict):
        return made
    found = dict(old) if isinstance(old, dict) else {}
    for key, value in made.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = patched(found.get(key), value)
    return found


def refused(folder, text, words):
    with pytest.raises(ConfigError, match=words) as error:
        settings.load(written(folder, text))
    assert "\n" not in str(error.value)


@contextlib.contextmanager
def answering(folder, text="", sources=SOURCES):
    """(site, house): the loop of HintedSite answers in a thread, and a house of doors before it."""
    path = written(folder / "doors", text, sources)
    site = HintedSite(folder)
    with site.pumped():
        yield (
            site,
            House(settings.load(path), str(site.run_dir), str(site.state_dir), str(folder / "own")),
        )
    site.close()


class Opened:
    """A door in a thread of its own. beside: more work of its loop."""

    def __init__(self, make, is_open=lambda door: door.listener.port, beside=()):
        self._make, self._is_open, self._beside = make, is_open, beside
        self._ready = threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(GUARD_S)
        return self

    def __exit__(self, *_):
        if self._thread.is_alive():
            self.stop()

    def stop(self):
        for task in self._tasks:
            self._loop.call_soon_threadsafe(task.cancel)
        self._thread.join(GUARD_S)
        assert not self._thread.is_alive()

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(GUARD_S)

    async def _serve(self):
        self._loop = asyncio.get_running_loop()
        self.door = self._make()
        self._tasks = [asyncio.create_task(work()) for work in (self.door.run, *self._beside)]
        while not self._is_open(self.door):
            assert not self._tasks[0].done(), self._tasks
            await asyncio.sleep(0)
        self._ready.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
