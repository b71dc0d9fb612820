"""Programs that a campaign runs, and their Debian packages."""

import os
import shutil


def search_path():
    """Search path of programs, including those for the administrator."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def needed(programs):
    """One line with the command that installs missing programs, or None.

    programs: {program: its Debian packages}.
    """
    path = search_path()
    missing = {each for name, each in programs.items() if not shutil.which(name, path=path)}
    packages = " ".join(sorted(missing))
    return f"needs {packages}: apt-get install {packages}" if packages else None
