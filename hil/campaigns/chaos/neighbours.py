"""Disturbances by processes that use the same memory, processors, journal and database."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from typing import Any

from controller.journal.ring import JournalReader
from hil.campaigns import process
from hil.campaigns.benchmarks.timing import hogs
from hil.campaigns.chaos.stage import Stage

READERS = 4


@contextlib.contextmanager
def memory(stage: Stage) -> Iterator[None]:
    """Take and free a quarter of the free memory, again and again."""
    size_MiB = memory_MiB(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    hog = process.module("hil.campaigns.chaos.memory_hog", size_MiB, os.getpid())
    try:
        yield
    finally:
        ended_early = hog.poll() is not None
        process.kill(hog)
    stage.note(not ended_early, f"{size_MiB} MiB taken, page by page, again and again")


def memory_MiB(free_bytes: int) -> int:
    """The memory that is safe to take: a quarter of the free memory, at most 2 GiB."""
    return min(2048, free_bytes // 4 >> 20)


@contextlib.contextmanager
def readers(stage: Stage) -> Iterator[None]:
    """Run processes that map the journal and open the database again and again."""
    command = "hil.campaigns.chaos.page_reader", stage.directory, stage.state_directory, 0
    readers: list[Any] = [
        process.module(*command, stdout=subprocess.PIPE, text=True) for _ in range(READERS)
    ]
    first_lines = [reader.stdout.readline() for reader in readers]
    try:
        yield
    finally:
        for reader in readers:
            reader.kill()
        output = [reader.communicate()[0] for reader in readers]
    lines = "".join([*first_lines, *output]).splitlines()
    stage.note(
        not any(line.startswith("no page") for line in lines),
        f"{READERS} readers read all pages {len(lines)} times",
    )


@contextlib.contextmanager
def cpu(stage: Stage) -> Iterator[None]:
    """Run busy processes on every core."""
    with hogs() as text:
        yield
    stage.note(True, text)


@contextlib.contextmanager
def stalled_reader(stage: Stage) -> Iterator[None]:
    """Stop a reader in the middle of the journal. It later goes on, and must lose nothing."""
    reader = JournalReader(os.path.join(stage.directory, "journal"))
    frames = reader.frames()
    sequence = next(frames).sequence
    yield  # the reader holds its mapping, in the middle of the ring
    read = sum(1 for _ in frames) + sum(1 for _ in reader.frames())
    stage.note(
        read > 0 and reader.lost == 0,
        f"stopped at frame {sequence}, then read {read} more, lost {reader.lost}",
    )
    reader.close()
