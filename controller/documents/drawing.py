"""Makes drawings as SVG for the HTML pages: single elements, and curves against time."""

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

FAINT, PALE = "#68717c", "#e3e6ea"
WIDTH_px, HEIGHT_px, LEFT_px, FOOT_px = 900, 220, 60, 24
XMLNS = "http://www.w3.org/2000/svg"  # an SVG file must name it, an SVG inside HTML need not
Point = tuple[float, float]
Curve = tuple[str, str, Sequence[Point]]  # name, colour, (s, value) of each point


def tag(name: str, content: str | None = None, /, **attributes: str | float | None) -> str:
    """An SVG element. An underscore becomes a hyphen, a float has one decimal, None is left out."""
    pairs = "".join(
        f" {key.replace('_', '-')}="
        + quoteattr(f"{value:.1f}" if isinstance(value, float) else str(value))
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{pairs}/>" if content is None else f"<{name}{pairs}>{content}</{name}>"


def curves(
    graphs: Sequence[Curve],
    unit: str = "",
    title: str = "",
    shaded_s: tuple[float, float] | None = None,
) -> str:
    """A drawing of curves, with the lowest and highest value at both axes and the names of the
    curves below. shaded_s: start and end of a time to shade.
    """
    times_s = [time_s for _, _, points in graphs for time_s, _ in points]
    values = [value for _, _, points in graphs for _, value in points]
    left_s, right_s, low, high = min(times_s), max(times_s), min(values), max(values)

    def x(time_s: float) -> float:
        return LEFT_px + (WIDTH_px - LEFT_px) * (time_s - left_s) / ((right_s - left_s) or 1.0)

    def y(value: float) -> float:
        return 10 + (HEIGHT_px - 20) * (high - value) / ((high - low) or 1.0)

    parts = [tag("title", escape(title))] if title else []
    if shaded_s:
        begin, end = x(max(shaded_s[0], left_s)), x(shaded_s[1])
        width = max(1.0, end - begin)
        parts.append(tag("rect", x=begin, y=0, width=width, height=HEIGHT_px, fill=PALE))
    for value in sorted({low, min(max(0.0, low), high), high}):
        parts += _level(value, y(value))
    for _, colour, points in graphs:
        places = " ".join(f"{x(time_s):.1f},{y(value):.1f}" for time_s, value in points)
        parts.append(tag("polyline", points=places, fill="none", stroke=colour))
    names = ", ".join(tag("tspan", escape(name), fill=colour) for name, colour, _ in graphs)
    middle = f"{unit}; {names}" if unit else names
    return _framed([*parts, *_foot(f"{left_s:.2f} s", middle, f"{right_s:.2f} s")])


def _framed(parts: Iterable[str]) -> str:
    """A whole SVG file. Its background is white, because a browser's background may be dark."""
    return tag(
        "svg",
        "".join(parts),
        xmlns=XMLNS,
        viewBox=f"0 0 {WIDTH_px} {HEIGHT_px + FOOT_px}",
        role="img",
        fill=FAINT,
        font_size=12,
        style="background:white",
    )


def _foot(left: str, middle: str, right: str) -> list[str]:
    y = HEIGHT_px + FOOT_px - 6
    ends = (left, LEFT_px, None), (right, WIDTH_px, "end"), (middle, WIDTH_px // 2, "middle")
    return [_text(text, x, y, anchor) for text, x, anchor in ends]


def _level(value: float, y: float) -> Iterable[str]:
    """A value at the left axis, and a faint line at 0."""
    yield _text(f"{value:.3g}", LEFT_px - 5, y + 4, "end")
    if not value:
        yield tag("path", d=f"M{LEFT_px} {y:.1f}H{WIDTH_px}", stroke=PALE)


def _text(text: str, x: float, y: float, anchor: str | None = None) -> str:
    return tag("text", text, x=x, y=y, text_anchor=anchor)
