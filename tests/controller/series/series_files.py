"""Files of series for the tests: written, read, and the one line of a refusal."""

from datetime import datetime, timedelta

from controller.series.refusal import SeriesError

# no text of Python or of a library
FOREIGN = ("could not", "codec", "isoformat", "Traceback", "invalid literal", "NoneType", "Errno")


def written(tmp_path, data, name="series.csv"):
    """The path of a file with a text in UTF-8, or with bytes."""
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def answer(read, path, *given):
    """(what was read, "") or (None, the refusal after the path). Any other error is a failure."""
    try:
        return read(path, *given), ""
    except SeriesError as error:
        text = str(error)
    assert text.startswith(f"{path}: ") and text.isprintable()
    assert not [word for word in FOREIGN if word in text]
    return None, text[len(f"{path}: ") :]


def clock(start, count, step_min=60):
    """Times without an offset as ISO text, counted on without a change of the clock."""
    first = datetime.fromisoformat(start)
    return [f"{first + timedelta(minutes=step_min * at):%Y-%m-%dT%H:%M}" for at in range(count)]
