"""Errors that a command of `python -m hil` turns into one line.

A command imports this small module in place of the modules that raise the errors, because those
would add half a second to its start.
"""


class InputError(ValueError):
    """A wrong command line; one line."""


class NotSimulatedError(ValueError):
    """A configuration that the rig cannot simulate; one line."""


class RigError(RuntimeError):
    """The rig could not be set up; one line."""


class CaseError(RuntimeError):
    """Cases without a result; one line."""
