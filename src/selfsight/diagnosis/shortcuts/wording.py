"""Words for findings: lists, shares and p-values as people write them."""

from collections.abc import Sequence


def joined(words: Sequence[str], *, last: str = "and") -> str:
    """Return words as a list in a sentence: a, b and c."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def percent(share: float) -> str:
    """Return a fraction in whole per cent."""
    return f"{100 * share:.0f} %"


def points(difference: float) -> str:
    """Return a difference of fractions in points, with its sign."""
    return f"{100 * difference:+.0f}"


def sure(p: float) -> str:
    """Return a p-value with its letter."""
    return f"p = {p:.2g}"
