"""Setups and views for the tests of control functions."""

from controller.core import contract, hint_sources, parameters

RATED_W = 250_000


def setup(tick_ms=20, rated_W=RATED_W, known=(), **settings):
    """contract.Setup of the defaults except `settings`; known: sources of hints."""
    names = {row[0]: row[4] for row in parameters.CONTROL_PARAMETERS}
    assert settings.keys() <= names.keys()
    return contract.Setup(names | settings, tick_ms, rated_W, hint_sources.image(known))


def view(**known):
    found = contract.View()
    for name, value in known.items():
        setattr(found, name, value)
    return found
