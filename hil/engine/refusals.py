"""Errors that a command of `python -m hil` turns into one line.

A command imports this small module in place of the modules that raise the errors, because those
would add half a second to its start.
"""


class InputError(ValueError):
    """The command line is wrong. The message is one line."""


class NotSimulatedError(ValueError):
    """The rig cannot simulate this configuration. The message is one line."""


class RigError(RuntimeError):
    """The rig could not be set up. The message is one line."""


class CaseError(RuntimeError):
    """Some cases have no result. The message is one line."""
