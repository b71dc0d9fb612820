"""Shows views of a run: the live screen (hil/results/frame.py, coloured by rich) on a terminal,
status lines elsewhere, progress on stderr for a run without a screen.
"""

import contextlib
import re
import sys

from hil.results.frame import frame, kilowatt

STATUS_EVERY_S = 5.0


def status_line(view):
    """One line for logs and pipes."""
    tripped = view.get("tripped", ())
    trips = (
        (f", row {tripped[0][0]} tripped")
        + (f" and {len(tripped) - 1} more" if len(tripped) > 1 else "")
        if tripped
        else ""
    )
    return (
        f"{view.get('elapsed_s', 0.0):7.1f} s  {view.get('state', '-'):<9} load "
        f"{kilowatt(view.get('load_W')):>9}  "
        f"grid {kilowatt(view.get('grid_W')):>9}  battery "
        f"{kilowatt(view.get('battery_W')):>9}{trips}"
    )


RULES = (  # what is coloured, in rich's words
    (re.compile(r"\bRUNNING\b"), "bold green"),
    (re.compile(r"\b(TRIPPED|INHIBITED)\b"), "bold red"),
    (re.compile(r"\b(CLOSING|READY|STOPPING)\b"), "bold yellow"),
    (re.compile(r"^ ! .*"), "bold red"),
    (re.compile(r"^(FIREBREAK RIG|REQUEST|LIMIT|AVAILABLE POWER|INTERLOCKS|LOOP|RACK.*)"), "bold"),
    (re.compile(r"\bSET-POINT\b"), "bold"),
    (re.compile(r"^-{20,}$|^load: .*"), "dim"),
    (re.compile(r"\b[1-9]\d* tripped"), "bold red"),
    (re.compile(r"(<=+|=+>)"), "bold cyan"),
    (re.compile(r"(LOST|silent|frozen|missed [1-9]\d*)"), "red"),
    (re.compile(r"#+\.*\]"), "cyan"),
)


class Progress:
    """A status line on stderr every few seconds of the clock."""

    def __init__(self, clock_s):
        self._clock_s, self._due_s = clock_s, clock_s()

    def show(self, view):
        """Print the view's line if one is due."""
        now_s = self._clock_s()
        if now_s >= self._due_s:
            self._due_s = now_s + STATUS_EVERY_S
            print(f"{status_line(view)}  of {view['duration_s']:g} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def shown_on(headless, progress, clock_s):
    """Context that gives show(view); None for a headless run without progress. clock_s: a function
    that gives seconds.
    """
    if headless:
        yield Progress(clock_s).show if progress else None
    else:
        with Screen() as screen:
            yield screen.show


class Screen:
    """Shows views on a terminal (rich, redrawn in place) or as status lines in a pipe. No threads,
    reads no clock.
    """

    def __init__(self, console=None):
        """console: a rich Console; without rich installed, status lines are printed."""
        self._console = console or _console()
        self._live = None
        self._said_s = None

    def __enter__(self):
        if (
            self._console is not None
            and self._console.is_terminal
            and not self._console.is_dumb_terminal
        ):
            from rich.live import Live

            self._live = Live(console=self._console, screen=True, auto_refresh=False)
            self._live.__enter__()
        return self

    def __exit__(self, *error):
        if self._live is not None:
            self._live.__exit__(*error)
            self._live = None

    def show(self, view):
        """Draw the view; in a pipe, print a status line when STATUS_EVERY_S of the run have gone
        by.
        """
        if self._live is not None:
            self._live.update(self._text(view), refresh=True)
            return
        elapsed_s = view.get("elapsed_s", 0.0)
        if self._said_s is None or elapsed_s - self._said_s >= STATUS_EVERY_S:
            self._said_s = elapsed_s
            print(status_line(view), flush=True)

    def _text(self, view):
        from rich.text import Text

        blocks = (self._console.encoding or "").lower().startswith("utf")
        size = self._console.size
        text = Text(
            "\n".join(frame(view, size.width, size.height, blocks)), no_wrap=True, overflow="crop"
        )
        for line_start, line in _offsets(text.plain):
            for pattern, style in RULES:
                for match in pattern.finditer(line):
                    text.stylize(style, line_start + match.start(), line_start + match.end())
        return text


def _offsets(plain):
    start = 0
    for line in plain.split("\n"):
        yield start, line
        start += len(line) + 1


def _console():
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()
