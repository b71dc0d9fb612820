"""Sets of words, written as a text."""


def words(text):
    """The words of a text, as a set."""
    return set(text.split())
