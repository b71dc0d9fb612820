"""Sets of words, written as a text."""


def words(text):
    return set(text.split())
