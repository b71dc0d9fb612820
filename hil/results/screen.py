"""Shows views of a run: a live screen on a terminal, status lines in a pipe, progress on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hil.results.frame import frame, kilowatt

STATUS_EVERY_S, LONG_EVERY_S = 5.0, 30.0


def status_line(view: dict) -> str:
    """One line for logs and pipes."""
    tripped = view.get("tripped", ())
    trips = f", row {tripped[0][0]} tripped" if tripped else ""
    trips += f" and {len(tripped) - 1} more" if len(tripped) > 1 else ""
    load, grid, battery = (kilowatt(view.get(f"{name}_W")) for name in ("load", "grid", "battery"))
    return (
        f"{view.get('elapsed_s', 0.0):7.1f} s  {view.get('state', '-'):<9} load {load:>9}  "
        f"grid {grid:>9}  battery {battery:>9}{trips}"
    )


RULES = (  # pattern and style, in the syntax of rich
    (r"\bRUNNING\b", "bold green"),
    (r"\b(TRIPPED|INHIBITED)\b", "bold red"),
    (r"\b(CLOSING|READY|STOPPING)\b", "bold yellow"),
    (r"(?m)^ ! .*", "bold red"),
    (r"(?m)^The load swung .*", "bold"),
    (r"(?m)^Worst moment.*\n.*", "red"),
    # the colours of the picture, lighter because the background is dark
    (r"(?m)^LOAD  .*(\n {8}.*)*", "bold"),
    (r"(?m)^GRID  .*(\n {8}.*)*", "#3f9fe8"),
    (r"(?m)^BATTERY  .*(\n {8}.*)*", "#f08030"),
    (r"(?m)^(FIREBREAK RIG|REQUEST|LIMIT|AVAILABLE POWER|INTERLOCKS|LOOP|SITE, kW|RACK.*)", "bold"),
    (r"\bSET-POINT\b", "bold"),
    (r"(?m)^-{20,}$|^load: .*", "dim"),
    (r"\b[1-9]\d* tripped", "bold red"),
    (r"(LOST|silent|frozen|missed [1-9]\d*)", "red"),
    (r"#+\.*\]", "cyan"),
)


class Progress:
    """Prints a status line on stderr every_s."""

    def __init__(
        self, clock_s: Callable[[], float], every_s: float = STATUS_EVERY_S, first_s: float = 0.0
    ) -> None:
        self._clock_s, self._due_s, self._every_s = clock_s, clock_s() + first_s, every_s

    def show(self, view: dict) -> None:
        """Print the view's line if it is due."""
        now_s = self._clock_s()
        if now_s >= self._due_s:
            self._due_s = now_s + self._every_s
            print(f"{status_line(view)}  of {view['duration_s']:g} s", file=sys.stderr, flush=True)


@contextlib.contextmanager
def shown_on(
    headless: bool, progress: bool, clock_s: Callable[[], float], is_long: bool = False
) -> Iterator[Callable[[dict], None] | None]:
    """Context that gives show(view), or None for a headless run without progress. is_long: print
    the progress each LONG_EVERY_S in any case.
    """
    if headless and is_long and not progress:
        yield Progress(clock_s, LONG_EVERY_S, LONG_EVERY_S).show
    elif headless:
        yield Progress(clock_s).show if progress else None
    else:
        with Screen(Console()) as screen:
            yield screen.show


class Screen:
    """Shows views on a terminal (redrawn in place) or as status lines in a pipe. Reads no clock."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | contextlib.nullcontext[None] = contextlib.nullcontext()
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, screen=True, auto_refresh=False)
        self._due_s = 0.0

    def __enter__(self) -> "Screen":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def show(self, view: dict) -> None:
        """Draw the view; in a pipe, print a status line every STATUS_EVERY_S of the run."""
        if isinstance(self._live, Live):
            self._live.update(self._text(view), refresh=True)
        elif view["elapsed_s"] >= self._due_s:
            self._due_s = view["elapsed_s"] + STATUS_EVERY_S
            print(status_line(view), flush=True)

    def _text(self, view: dict) -> Text:
        blocks = (self._console.encoding or "").lower().startswith("utf")
        size = self._console.size
        lines = frame(view, size.width, size.height, blocks)
        text = Text("\n".join(lines), no_wrap=True, overflow="crop")
        for pattern, style in RULES:
            text.highlight_regex(pattern, style)
        return text
