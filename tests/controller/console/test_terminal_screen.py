"""The bytes for a screen, on a VT100: it shows the new lines; only what changed is sent."""

from hypothesis import given, strategies as st
from terminal_bench import Vt100

from controller.console.terminal import screen

LINES = st.lists(
    st.text(st.characters(min_codepoint=0, max_codepoint=0x2FF), max_size=90), max_size=26
)


@given(st.lists(LINES, min_size=1, max_size=6))
def test_the_terminal_shows_the_newest_lines(frames):
    terminal, shown = Vt100(), screen.Screen()
    for lines in frames:
        terminal.feed(shown.change(lines))
        wanted = [screen.fitting(line) for line in lines[:24]]
        assert terminal.lines == wanted + [""] * (24 - len(wanted))


def test_only_changes_are_sent_and_no_terminal_commands():
    """115200 Bd carry 11520 bytes a second, so a moving clock must not redraw the page."""
    shown = screen.Screen()
    lines = ["x" * 79] * 24
    whole = shown.change(lines)
    assert len(whole) < 24 * 90 + 40
    assert shown.change(lines) == screen.cursor_to(24, 80)
    lines[5] = "x" * 70 + "7" + "x" * 8
    assert shown.change(lines) == screen.cursor_to(6, 71) + b"7" + screen.cursor_to(24, 80)
    lines[5] = "x" * 60
    assert shown.change(lines) == screen.cursor_to(6, 61) + b"\x1b[K" + screen.cursor_to(24, 80)
    assert screen.fitting("a\x1b[2Jb\r\n\x9b\x07\u00e9") == "a?[2Jb?????"
    assert len(screen.fitting("x" * 200)) == 79, "behind the last column a terminal may wrap"


def test_after_forget_everything_is_drawn_and_an_open_sequence_ended():
    terminal, shown = Vt100(), screen.Screen()
    terminal.feed(shown.change(["a", "b"]))
    terminal.cells[3][5] = "#"
    shown.forget()
    again = shown.change(["a", "b"])
    terminal.feed(again)
    assert again[0] == 0x18 and terminal.lines == ["a", "b"] + [""] * 22
