"""Errors that a command of `python -m hil` turns into one line. The module is small, because a
command catches them without the modules that raise them: those cost half a second at the start.
"""


class InputError(ValueError):
    """A wrong command line; one line."""


class NotSimulatedError(ValueError):
    """A configuration that the rig cannot simulate; one line."""


class RigError(RuntimeError):
    """The rig could not be set up; one line."""


class CaseError(RuntimeError):
    """Cases without a result; one line."""
