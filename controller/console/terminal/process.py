"""The loop of the console. It waits for a key or for the next second, and then draws what has
changed on the page.

While the line accepts no bytes, the loop draws nothing new. After STALL_US it drops the pending
bytes, and later draws a whole page.
"""

import contextlib
import select
from collections.abc import Callable, Sequence

from controller.console.pages.text import CELLS
from controller.console.terminal import screen, words
from controller.console.terminal.keys import Decoder
from controller.console.terminal.line import READ_BYTES, Line
from controller.console.terminal.session import Session
from controller.console.terminal.view import Page, View
from controller.system import caught, clock
from controller.system.stop import Stop

LOOK_US = 1_000_000
DRAW_US = 100_000  # shortest time between two drawings that keys cause
STALL_US = 5_000_000
# Pause after a read that fills the buffer: a flood of bytes must not load the processor. The pause
# is short enough for a line of 115200 Bd.
FLOOD_US = 20_000
ESCAPE_US = 100_000
LINES_MAX = 100  # lines in the log about exceptions of keys and pages
MESSAGE_ROW, MENU_ROW = 22, 24


class Console:
    """A console. It runs until a signal comes, the person leaves, or the terminal is gone."""

    def __init__(
        self,
        line: Line,
        session: Session,
        view: View,
        quit_ends: bool,
        now_us: Callable[[], int] = clock.now_us,
    ):
        """quit_ends: the key Q ends the console. If it is false, Q only logs out."""
        self._line, self._session, self._view = line, session, view
        self._quit_ends, self._now_us = quit_ends, now_us
        self._screen, self._decoder = screen.Screen(), Decoder()
        self._exceptions = caught.Last("console: a key or a page has failed", LINES_MAX)
        self._next_look_us = self._next_draw_us = self._next_read_us = self._drawn_us = 0
        self._accepted_us = now_us()
        self._page: Page | None = None  # the page to draw, None if it must be made again
        self._unsent_page: Page | None = None  # page that the line has not accepted whole yet
        self._size: tuple[int, int] | None = None

    def run(self, stop: Stop) -> None:
        """Serve the terminal until the console ends."""
        while not (stop.asked or self._line.is_gone):
            self.turn([stop])
            if self._session.wants_end:
                if self._quit_ends:
                    return
                self._session.wants_end = False
                self._session.page, self._session.part = "status", 0

    def turn(self, descriptors: Sequence = ()) -> None:
        """Wait for the next key, drawing or signal, and serve it."""
        now_us = self._now_us()
        reading = [self._line] if now_us >= self._next_read_us else []
        writing = [self._line] if self._line.pending else []
        ready, _, _ = select.select(
            [*reading, *descriptors], writing, (), self._wait_us(now_us) / 1e6
        )
        now_us = self._now_us()
        with self._exceptions:
            if self._line in ready:
                self._read(now_us)
            elif self._decoder.is_open:
                self._press(self._decoder.quiet(), now_us)
            self._session.step(now_us)
        self._end_question_if_failed(now_us)
        self._write(now_us)
        if now_us >= self._next_look_us:
            self._next_look_us, self._page = now_us + LOOK_US, None
            with self._exceptions:
                self._view.update()
            self._end_question_if_failed(now_us)
        if now_us >= self._next_draw_us and not self._line.pending:
            with self._exceptions:
                self._draw(now_us)
            if self._exceptions.is_caught:
                self._session.page, self._session.part = "help", 0
            self._end_question_if_failed(now_us)

    def _end_question_if_failed(self, now_us: int) -> None:
        """End the open question after an exception, so that other keys work again."""
        if self._exceptions.is_caught:
            self._session.question, self._session.seen, self._page = None, None, None
            self._session.say("This has failed; the log of this console says where.", now_us)

    def _wait_us(self, now_us: int) -> int:
        due_times_us = [self._next_look_us]
        if not self._line.pending:
            due_times_us.append(self._next_draw_us)
        if now_us < self._next_read_us:
            due_times_us.append(self._next_read_us)
        wait_us = max(0, min(due_times_us) - now_us)
        return min(ESCAPE_US, wait_us) if self._decoder.is_open else wait_us

    def _read(self, now_us: int) -> None:
        data = self._line.read()
        if len(data) >= READ_BYTES:
            self._next_read_us = now_us + FLOOD_US
        self._press(self._decoder.feed(data), now_us)

    def _press(self, pressed: list[str], now_us: int) -> None:
        before = self._session.page, self._session.part
        for key in pressed:
            self._session.press(key, now_us)
        if pressed:
            self._next_draw_us = min(self._next_draw_us, max(now_us, self._drawn_us + DRAW_US))
        if before != (self._session.page, self._session.part):
            self._page = None

    # -- drawing

    def _write(self, now_us: int) -> None:
        """Write the pending bytes. Drop them if the line accepts nothing for STALL_US."""
        if not self._line.pending or self._line.write():
            self._accepted_us = now_us
        elif now_us - self._accepted_us >= STALL_US:
            self._line.drop()
            self._screen.forget()
            self._unsent_page = None
            self._accepted_us = now_us
        if not self._line.pending and self._unsent_page is not None:
            self._session.seen, self._unsent_page = self._unsent_page.seen, None

    def _draw(self, now_us: int) -> None:
        self._next_draw_us = now_us + LOOK_US
        self._drawn_us = now_us
        size = self._line.size()
        if size != self._size or self._session.is_redraw:
            self._screen.forget()
            self._size, self._session.is_redraw = size, False
        if size and (size[0] < screen.ROWS or size[1] < screen.COLUMNS):
            self._offer([f"{size[1]} x {size[0]}; needs 80 x 24"[: size[1] - 1]], (1, 1), None)
            return
        if self._page is None:
            self._page = self._view.page(
                self._session.page, self._session.part, self._session.extra()
            )
        self._offer(*self._lines(self._page, now_us), self._page)

    def _lines(self, page: Page, now_us: int) -> tuple[list[str], tuple[int, int]]:
        """(lines of the screen, place of the cursor)."""
        message = self._session.message(now_us)
        more = f"Space: more, {page.part + 1}/{page.parts}" if page.parts > 1 else ""
        lines = [*page.head, *page.body]
        lines += [""] * (MESSAGE_ROW - 1 - len(lines))
        foot = message or (words.spread(words.RULE, more) if more else words.RULE)
        who = words.spread(CELLS, self._session.acting(now_us))
        cursor = MENU_ROW, screen.COLUMNS - 1
        if self._session.question:
            cursor = MESSAGE_ROW, min(screen.COLUMNS - 1, len(message) + 1)
        return [*lines, foot, who, words.MENU], cursor

    def _offer(self, lines: list[str], cursor: tuple[int, int], page: Page | None) -> None:
        """Write what has changed. The page counts as seen when the line has accepted all bytes."""
        self._unsent_page = page
        self._line.write(self._screen.change(lines, cursor))
        if not self._line.pending and page is not None:
            self._session.seen, self._unsent_page = page.seen, None

    def close(self) -> None:
        """End the login, and leave the terminal ready for the next user."""
        with contextlib.suppress(OSError):
            self._session.log_out(self._now_us(), "the console ends")
        if not self._line.pending:
            self._line.write(screen.cursor_to(screen.ROWS, 1) + b"\r\n")
        self._line.close()
        self._view.close()
