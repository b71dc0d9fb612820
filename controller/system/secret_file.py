"""Reads a secret from its own file, so that none is in a configuration, an argument or a log."""

import os
import stat

from controller.system import regular_file

BYTES_MAX = 1 << 16


def secret(path: str, label: str, failed: type[Exception], is_mounted: bool = False) -> str:
    """The first line of a file that no other user may read. failed: the error to raise.

    label: name of the secret. is_mounted: a link of the kubelet, which a group may read.
    """
    opener = regular_file.link_opener if is_mounted else regular_file.opener
    try:
        with open(path, "rb", opener=opener) as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(BYTES_MAX)
    except OSError as error:  # the name may be the secret itself, by mistake
        raise failed(f"the file of the {label} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not is_mounted:
        raise failed(f"{path}: other users may read it, so it is not used: chmod 600")
    line = data.decode("latin-1").partition("\n")[0].strip()
    if not (line and line.isascii() and line.isprintable()):
        raise failed(f"{path}: holds no {label}; allowed is a line of printable ASCII")
    return line
