"""Reads lines of a text file or its gzip, with limits against a gzip bomb."""

import contextlib
import functools
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from os import PathLike
from typing import Any

from controller.series.refusal import SeriesError

Path = str | PathLike[str]
LINE_MAX = 1 << 16  # characters
CHARACTERS_MAX = 2 << 30  # of a file; a row for each second of a year needs a third of it
# Allowed characters for each byte of gzip. A file of samples stays below 20; gzip can reach 1032.
GROWTH_MAX, GROWTH_FROM = 250, 1 << 20
REPLACED = "\ufffd"  # the decoder puts it in place of a wrong byte
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
NO_TEXT = "not UTF-8 text: allowed is text in UTF-8, or gzip of it"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a file. Gzip is recognised by content. SeriesError begins with the path."""
    try:
        with _file(path) as file:
            is_gzip = file.peek(2)[:2] == b"\x1f\x8b"
            if is_gzip:
                characters_max = GROWTH_FROM + GROWTH_MAX * os.fstat(file.fileno()).st_size
                unpacked = io.BufferedReader(gzip.GzipFile(fileobj=file))
                yield _lines(unpacked, min(characters_max, CHARACTERS_MAX))
            else:
                yield _lines(file, CHARACTERS_MAX)
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise SeriesError(f"{path}: gzip is damaged: allowed is a whole file") from None
    except OSError as error:
        raise SeriesError(f"{path}: cannot be read: {error.strerror or 'no file'}") from None


def _file(path: Path) -> io.BufferedReader:
    try:
        return open(path, "rb")
    except ValueError:
        raise OSError(0, "its name has a character that no file has") from None


def _lines(file: "io.BufferedReader[Any]", characters_max: int) -> Iterator[str]:
    encoding = ENCODINGS.get(file.peek(2)[:2], "utf-8-sig")
    text = io.TextIOWrapper(file, encoding, errors="replace")
    characters = 0
    for number, line in enumerate(iter(functools.partial(text.readline, LINE_MAX), ""), 1):
        characters += len(line)
        if len(line) == LINE_MAX:
            raise SeriesError(f"line {number}: longer than {LINE_MAX - 1} characters")
        if characters > characters_max:
            raise SeriesError(f"has more than {characters_max >> 20} MiB of text: shorten it")
        if not line.isascii() and REPLACED in line:
            raise SeriesError(f"line {number}: {NO_TEXT}")
        yield line
