"""A secret in a file of its own: no secret stands in doors.toml, in an argument or in a log."""

import os
import stat

from controller.doors.process import DoorError
from controller.system import regular_file

BYTES_MAX = 4096


def secret(path: str) -> str:
    """The first line of a file that nobody else may read. Raises DoorError."""
    try:
        with open(path, "rb", opener=regular_file.opener) as file:
            state, data = os.fstat(file.fileno()), file.read(BYTES_MAX)
    except OSError as error:  # the name may be the secret itself, by mistake
        raise DoorError(f"the file of the secret cannot be read: {error.strerror}") from None
    if state.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise DoorError(f"{path}: other users may read it, so it is not used: chmod 600")
    found = data.decode("latin-1").partition("\n")[0].strip()
    if not (found and found.isascii() and found.isprintable()):
        raise DoorError(f"{path}: holds no line of printable ASCII")
    return found
