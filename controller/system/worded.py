"""Writes counts and changes for a sentence."""

STEP_PCT = 0.05  # a smaller change is printed as "no change"


def plural(count: float, noun: str) -> str:
    """The noun in singular or plural (with an s), for this number of things."""
    return noun if round(count) == 1 else f"{noun}s"


def counted(count: float, noun: str) -> str:
    """ "1 day", "3 days", "1,200 days": a whole number with its noun."""
    return f"{count:,.0f} {plural(count, noun)}"


def less(percent: float, terms: tuple[str, str] = ("less", "more")) -> str:
    """ "14.5 % less"; a negative decrease is "14.5 % more". terms: of a decrease, of a rise."""
    if abs(percent) < STEP_PCT:
        return "no change"
    return f"{abs(percent):.1f} % {terms[0] if percent > 0 else terms[1]}"
