"""Programs of Debian packages that a campaign runs: which are missing."""

import os
import shutil


def search_path():
    """Where programs are, also those for the administrator."""
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def missing(programs):
    """Debian packages that are not there, sorted. programs: {program: its packages}."""
    path = search_path()
    return sorted(
        {package for name, package in programs.items() if not shutil.which(name, path=path)}
    )


def needed(programs):
    """One line that says how to get what is missing; None where nothing is."""
    packages = " ".join(missing(programs))
    return f"needs {packages}: apt-get install {packages}" if packages else None
