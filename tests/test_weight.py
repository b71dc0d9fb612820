"""The budget: no tree weighs more than weight.toml allows, and the counter sees what it counts."""

import functools

from tests import weight
from tests.tables import cases


@functools.cache
def measured():
    return weight.measured()


def test_nothing_is_above_its_cap():
    assert weight.above(measured(), weight.caps()) == []


def test_the_product_rises_only_by_what_an_issue_names():
    most = weight.caps()
    assert weight.unnamed(most) <= 0, "name it in weight.toml: which issue, what pays for it"
    assert all(each["issue"] and each["pays"] for each in most["rises"])
    most["loop"]["tokens"] += 1 - weight.unnamed(most)
    assert weight.unnamed(most) == 1


SAMPLE = '''"""One two."""
A = f"three {1 + 2} four"  # five
def f(x):
    """Six seven eight."""
    return "nine ten", "eleven", x
'''


def test_the_count_is_the_same_on_every_python():
    """A = f"..." ; def f ( x ) : ; return "nine ten" , "eleven" , x"""
    found = weight.weighed(SAMPLE)
    assert found == {"tokens": 3 + 6 + 6, "told": 2 + 2 + 3, "strings": 5 + 2}


@cases("""rows  lines
    {"loop": {"tokens": 8}}  []
    {"loop": {"tokens": 9}}  ["loop.tokens: 9, at most 8"]
    {"loop": {"told": 1}}  ["loop.told: 1, at most 0"]
    {"new": {"tokens": 1}}  ["new.tokens: 1, at most 0"]
""")
def test_one_above_its_cap_or_without_one_is_named(rows, lines):
    assert weight.above(rows, {"loop": {"tokens": 8}}) == lines


def test_a_cap_is_lowered_never_raised():
    text = "# Why.\n\n[loop]\ntokens = 8\ntold = 5\n\n[readme]\nwords = 7\n"
    rows = {"loop": {"tokens": 9, "told": 4}, "readme": {"words": 6}}
    assert weight.lowered(text, rows) == text.replace("5", "4").replace("7", "6")


def test_each_tree_of_the_product_is_counted():
    names = "loop reading companions office bench lab tests markdown readme commands"
    assert sorted(measured()) == sorted(names.split())
    assert all(measured()[tree]["tokens"] > 1000 for tree in names.split()[:7])
