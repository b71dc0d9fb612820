"""Reads one feed from a file, a folder or an address, with the reader for its format."""

import os

from controller.planner.feeds import job_plan, json_rows, record, rows
from controller.planner.feeds.points import Feed, Points, Span, merged
from controller.series.refusal import SeriesError
from controller.system import regular_file

FILES_MAX = 32  # newest files of a folder that are read
ENDINGS = {
    "csv": (".csv", ".csv.gz"),
    "jobs": (".csv", ".csv.gz"),
    "json": (".json",),
    "entsoe_xml": (".xml",),
}
# A csv and a jobs file are read line by line. These formats are parsed as a whole in memory.
TREES = ("json", "entsoe_xml")
BYTES_MAX = {"csv": 16 << 20, "jobs": 1 << 20, "json": 1 << 20, "entsoe_xml": 1 << 20}


def read(feed: Feed, span: Span) -> Points:
    """The points that the source has now. SeriesError says why in one line."""
    if feed.format == "recorder":
        return record.read(feed.keys["path"], feed.kind, span)
    if feed.keys.get("url"):
        from controller.planner.feeds import fetch  # here, because it needs 8 MiB

        return _parsed(feed, fetch.fetched(feed.keys, feed.zone, span.now_s), span.now_s)
    path = feed.keys["path"]
    return _of_folder(feed, path, span) if os.path.isdir(path) else _of_file(feed, path, span)


def _of_folder(feed: Feed, folder: str, span: Span) -> Points:
    """Points of the newest files. A bad file is left out, with a line that names it."""
    files, bad = list[tuple[str, Points]](), list[str]()
    for path in _newest(folder, ENDINGS[feed.format]):
        try:
            files.append((os.path.basename(path), _of_file(feed, path, span)))
        except SeriesError as error:
            bad.append(str(error))
    if not files:
        raise SeriesError(bad[-1])
    points = merged(files, span, feed.zone)
    return points._replace(doubts=bad + points.doubts)


def _newest(folder: str, endings: tuple[str, ...]) -> list[str]:
    try:
        files = [file for file in os.scandir(folder) if file.name.endswith(endings)]
        times = {file.path: file.stat().st_mtime for file in files if file.is_file()}
    except OSError as error:
        raise SeriesError(f"{folder}: cannot be read: {error.strerror}") from None
    if not times:
        raise SeriesError(f"{folder}: has no file *{endings[0]}: needed is one")
    return sorted(times, key=lambda path: (times[path], path))[-FILES_MAX:]


def _of_file(feed: Feed, path: str, span: Span) -> Points:
    bytes_max = BYTES_MAX[feed.format]
    try:
        with open(path, "rb", opener=regular_file.link_opener) as file:
            size, made_s = os.fstat(file.fileno()).st_size, os.fstat(file.fileno()).st_mtime
            data = file.read(bytes_max if feed.format in TREES and size <= bytes_max else 0)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or "its name has a character that no file has"
        raise SeriesError(f"{path}: cannot be read: {why}") from None
    if not 0 < size <= bytes_max:
        raise SeriesError(f"{path}: has {size} bytes: allowed are 1..{bytes_max}")
    if feed.format == "jobs":
        return job_plan.read(path, feed, span, made_s)
    if feed.format == "csv":
        return rows.read(path, feed, made_s)
    try:
        return _parsed(feed, data, made_s)
    except SeriesError as error:
        raise SeriesError(f"{path}: {error}") from None


def _parsed(feed: Feed, data: bytes, made_s: float) -> Points:
    if feed.format == "entsoe_xml":
        from controller.planner.feeds import entsoe  # here, because XML needs 0.4 MiB

        return entsoe.parsed(data, feed.currency, made_s)
    return json_rows.parsed(data, feed, made_s)
