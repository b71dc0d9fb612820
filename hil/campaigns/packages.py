"""Programs of Debian packages that a campaign runs: which are missing."""

import os
import shutil


def search_path():
    """Where programs are, also those for the administrator."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def needed(programs):
    """One line that says how to get what is missing; None where nothing is. programs: {program:
    its Debian packages}.
    """
    path = search_path()
    missing = {each for name, each in programs.items() if not shutil.which(name, path=path)}
    packages = " ".join(sorted(missing))
    return f"needs {packages}: apt-get install {packages}" if packages else None
