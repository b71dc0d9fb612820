"""Numbers in a sentence."""

from controller.system import worded
from hil.systems import page
from tests.tables import cases


@cases("""count  text
    0  "0 days" | 1  "1 day" | 1.2  "1 day" | 1.6  "2 days" | 1200  "1,200 days" """)
def test_one_thing_has_no_plural(count, text):
    assert worded.counted(count, "day") == text


@cases("""
    percent  text
    14.54  "14.5 % less" | -14.54  "14.5 % more" | 0.049  "no change" | -0.049  "no change"
    -0.05  "0.1 % more" | 100.0  "100.0 % less"
""")
def test_a_rise_is_a_rise(percent, text):
    assert worded.less(percent) == text


def test_a_change_takes_the_words_of_its_thing():
    assert worded.less(-3.36, ("lower", "higher")) == "3.4 % higher"


@cases("""
    text                                 reached  shown
    "less of the highest billed import"  -3.36    "3.36 more"
    "less of the highest billed import"  3.36     "3.36"
    "less of the highest billed import"  -0.001   "0"
    "cost of the year"                   -3.36    "-3.36"
    "less of the whole bill"             None     "-"
""")
def test_a_figure_of_less_that_rose_says_more(text, reached, shown):
    figure = {"text": text, "asked": 1.0, "reached": reached, "optimum": None, "baseline": None}
    assert page.numbers(figure) == ["1", shown, "-", "-"]
